/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads what KVM says of a VM's shared table, and the module parameter. */
#ifndef TDP_SELFTEST_MMU_SHARE_H
#define TDP_SELFTEST_MMU_SHARE_H

#include "kvm_util.h"

struct mmu_share_info {
	__u64 shared;
	__u64 root;		/* physical address of the top table */
	__u64 root_level;
	__u64 pinned_bytes;
	__u64 leaf_4k;
	__u64 leaf_2m;
	__u64 leaf_1g;
	__u64 table_pages;
	__u64 iotlb_flushes;
	__u64 mmio_entries;

	__u64 common_bytes;	/* by who finds the page: both, ... */
	__u64 cpu_only_bytes;
	__u64 device_only_bytes;
	__u64 shut_to_cpus;	/* how often each of these came to pass */
	__u64 opened_to_cpus;
	__u64 conflicts;
};

void mmu_share_read(struct kvm_vm *vm, struct mmu_share_info *info);

/* The same for a VM of which no struct kvm_vm is at hand. */
bool mmu_share_read_fd(pid_t pid, int vm_fd, struct mmu_share_info *info);

bool mmu_share_parameter_exists(void);
bool mmu_share_parameter(void);

#endif
