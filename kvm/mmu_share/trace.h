/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of the shared root, system kvm_mmu_share.
 */
#if !defined(_TRACE_KVM_MMU_SHARE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_KVM_MMU_SHARE_H

#include <linux/tracepoint.h>

#undef TRACE_SYSTEM
#define TRACE_SYSTEM kvm_mmu_share

DECLARE_EVENT_CLASS(mmu_share_lifetime,
	TP_PROTO(int pid, u64 root, int levels),
	TP_ARGS(pid, root, levels),

	TP_STRUCT__entry(
		__field(int,	pid)
		__field(u64,	root)
		__field(int,	levels)
	),

	TP_fast_assign(
		__entry->pid = pid;
		__entry->root = root;
		__entry->levels = levels;
	),

	TP_printk("vm_pid %d root 0x%llx levels %d",
		  __entry->pid, __entry->root, __entry->levels)
);

DEFINE_EVENT(mmu_share_lifetime, mmu_share_create,
	TP_PROTO(int pid, u64 root, int levels),
	TP_ARGS(pid, root, levels));

DEFINE_EVENT(mmu_share_lifetime, mmu_share_destroy,
	TP_PROTO(int pid, u64 root, int levels),
	TP_ARGS(pid, root, levels));

TRACE_EVENT(mmu_share_map,
	TP_PROTO(u64 root, u64 gpa, u64 paddr, u64 bytes, int ret),
	TP_ARGS(root, gpa, paddr, bytes, ret),

	TP_STRUCT__entry(
		__field(u64,	root)
		__field(u64,	gpa)
		__field(u64,	paddr)
		__field(u64,	bytes)
		__field(int,	ret)
	),

	TP_fast_assign(
		__entry->root = root;
		__entry->gpa = gpa;
		__entry->paddr = paddr;
		__entry->bytes = bytes;
		__entry->ret = ret;
	),

	TP_printk("root 0x%llx gpa 0x%llx paddr 0x%llx bytes 0x%llx ret %d",
		  __entry->root, __entry->gpa, __entry->paddr, __entry->bytes,
		  __entry->ret)
);

DECLARE_EVENT_CLASS(mmu_share_range,
	TP_PROTO(u64 root, u64 gpa, u64 bytes),
	TP_ARGS(root, gpa, bytes),

	TP_STRUCT__entry(
		__field(u64,	root)
		__field(u64,	gpa)
		__field(u64,	bytes)
	),

	TP_fast_assign(
		__entry->root = root;
		__entry->gpa = gpa;
		__entry->bytes = bytes;
	),

	TP_printk("root 0x%llx gpa 0x%llx bytes 0x%llx",
		  __entry->root, __entry->gpa, __entry->bytes)
);

DEFINE_EVENT(mmu_share_range, mmu_share_unmap,
	TP_PROTO(u64 root, u64 gpa, u64 bytes),
	TP_ARGS(root, gpa, bytes));

DEFINE_EVENT(mmu_share_range, mmu_share_zap,
	TP_PROTO(u64 root, u64 gpa, u64 bytes),
	TP_ARGS(root, gpa, bytes));

TRACE_EVENT(mmu_share_conflict,
	TP_PROTO(u64 root, u64 gpa, u64 cpu, u64 device),
	TP_ARGS(root, gpa, cpu, device),

	TP_STRUCT__entry(
		__field(u64,	root)
		__field(u64,	gpa)
		__field(u64,	cpu)
		__field(u64,	device)
	),

	TP_fast_assign(
		__entry->root = root;
		__entry->gpa = gpa;
		__entry->cpu = cpu;
		__entry->device = device;
	),

	TP_printk("root 0x%llx gpa 0x%llx cpu wants 0x%llx device has 0x%llx",
		  __entry->root, __entry->gpa, __entry->cpu, __entry->device)
);

TRACE_EVENT(mmu_share_iotlb_flush,
	TP_PROTO(u64 root),
	TP_ARGS(root),

	TP_STRUCT__entry(
		__field(u64,	root)
	),

	TP_fast_assign(
		__entry->root = root;
	),

	TP_printk("root 0x%llx", __entry->root)
);

#endif /* _TRACE_KVM_MMU_SHARE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH ../../arch/x86/kvm/mmu_share
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace

#include <trace/define_trace.h>
