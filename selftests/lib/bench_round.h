/* SPDX-License-Identifier: GPL-2.0-only */
/* One life of a VM with assigned devices, measured step by step. */
#ifndef TDP_SELFTEST_BENCH_ROUND_H
#define TDP_SELFTEST_BENCH_ROUND_H

#include "bench_mem.h"
#include "share_vm.h"

#define BENCH_MAX_DEVICES 2

struct bench_round {
	__u64 vm_table_bytes;	/* second-level tables of the whole VM, both */
	__u64 table_bytes;	/* what @mem added to that; counted rounds only */

	__u64 npt_faults;	/* of the VM's life up to there */
	__u64 leaves[3];	/* of the shared table: 4K, 2M, 1G */

	/* Of bench_clock(), where that was started: */
	__u64 map;		/* attach and map all */
	__u64 touch;		/* the guest touches all, in steps of 4K */
	__u64 unmap;		/* unmap it, and delete its memslot */

	/* Of that last step, in counted rounds only: */
	__u64 flushes;		/* of the IOTLB; a command each on bare metal */
	__u64 table_flushes;	/* those of them for which tables went */
	__u64 yields;		/* KVM let others run, having flushed tables */
};

struct bench_vm {
	struct share_vm s;
	const struct bench_mem *mem;
	struct vfio_dev second;
	unsigned int devices;
};

/*
 * Its devices are not attached, its memory is not mapped, its guest did not run.
 * @mem is the guest's at GPA_HIGH. bench_vm_destroy() waits until it is gone.
 */
void bench_vm_create(struct bench_vm *b, const struct bench_mem *mem,
		     unsigned int devices);
void bench_vm_attach(struct bench_vm *b, enum hwpt_kind kind);
void bench_vm_map_slot0(struct bench_vm *b);
void bench_vm_map_mem(struct bench_vm *b);
void bench_vm_destroy(struct bench_vm *b);

/*
 * The devices are attached to a VM, all of its memory is mapped, its guest runs
 * for the first time and touches @mem; that is unmapped and its memslot deleted.
 * @counted: count what takes instructions to count. These are not those of a VM
 * then, and its NPT faults are those in @mem alone.
 */
void bench_round(struct bench_round *r, enum hwpt_kind kind,
		 const struct bench_mem *mem, unsigned int devices,
		 bool counted);

/* Whether the machine can count the IOMMU's commands. */
bool bench_can_count_flushes(void);

#endif
