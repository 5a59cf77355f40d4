/* SPDX-License-Identifier: GPL-2.0-only */
/* Guest memory for tests: a memslot with known backing, and test patterns. */
#ifndef TDP_SELFTEST_GUEST_MEM_H
#define TDP_SELFTEST_GUEST_MEM_H

#include <linux/bits.h>

#include "kvm_util.h"

#define SIZE_4K	BIT_ULL(12)
#define SIZE_2M	BIT_ULL(21)
#define SIZE_1G	BIT_ULL(30)

struct guest_mem {
	struct kvm_vm *vm;
	__u32 slot;
	__u64 gpa;		/* the guest has it mapped at this address too */
	size_t size;
	void *hva;
};

/* What KVM and the IOMMU find behind the memslot, hence the leaves possible. */
enum guest_mem_backing {
	BACKING_4K,		/* small pages, no two neighbours adjacent */
	BACKING_4K_ADJACENT,	/* mapped as small pages, adjacent in 2M runs */
	BACKING_4K_IN_ORDER,	/* small pages as the allocator has them in a row */
	BACKING_2M,		/* hugetlb */
	BACKING_1G,		/* hugetlb */
};

/* Small pages, so that no two neighbours are adjacent; @size is a power of two. */
void fault_in_scattered(void *hva, size_t size);

/* Skips the case when the machine has no hugepages of that size left. */
void guest_mem_add(struct guest_mem *mem, struct kvm_vm *vm, __u32 slot,
		   enum guest_mem_backing backing, __u64 gpa, size_t size);

/* The 64-bit word that a pattern has at guest address @gpa. */
static inline __u64 pattern_word(__u64 gpa, __u64 seed)
{
	return (gpa ^ seed) * 0x9e3779b97f4a7c15ULL;
}

/* The host's accesses, by offset. @seed 0 is a pattern like any other. */
void guest_mem_fill(struct guest_mem *mem, size_t offset, size_t len,
		    __u64 seed);

/*
 * Counts the words that do not hold the pattern that the words at @origin (an
 * offset as well) have: what a device copied from there to @offset.
 */
unsigned long guest_mem_diff(struct guest_mem *mem, size_t offset, size_t len,
			     size_t origin, __u64 seed);

#endif
