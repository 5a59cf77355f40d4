// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the IOAS maps is pinned: its memslot stays. What only the guest faulted
 * in is not: when the host takes it away, it is gone for the device too, at
 * once. host_events_pinned_test.c and host_events_unpinned_test.c have all that
 * a host may do.
 */
#include "amd_iommu.h"
#include "refusal.h"
#include "share_vm.h"
#include "tap.h"

#define TEST_SIZE	(2 * SIZE_2M)
#define SEED		0x919
#define SRC		SIZE_4K
#define DST		SIZE_2M

/* No fault, no IOMMU event, and the device copies what the guest wrote. */
static void expect_nothing_moved(struct share_vm *s, struct guest_mem *mem)
{
	__u64 faults = share_vm_npt_faults(s), mark = iommu_events_mark();

	TEST_ASSERT_EQ(guest_diff(s->vcpus[0], mem->gpa + SRC, SIZE_2M - SRC,
				  SIZE_4K, mem->gpa + SRC, SEED), 0);
	guest_fill(s->vcpus[1], mem->gpa + DST, 8, 8, ~SEED);
	edu_copy(&s->edu, mem->gpa + DST, mem->gpa + SRC, SIZE_4K);
	TEST_ASSERT_EQ(guest_diff(s->vcpus[1], mem->gpa + DST, 8, 8,
				  mem->gpa + SRC, SEED), 0);
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);
	TEST_ASSERT_EQ(share_vm_npt_faults(s), faults);
}

static void setup_pinned(struct share_vm *s, struct guest_mem *mem)
{
	share_vm_create(s, HWPT_SHARED);
	share_vm_add_mem(s, mem, BACKING_4K, GPA_HIGH, TEST_SIZE);
	share_vm_warm_up(s);
	guest_fill(s->vcpus[0], mem->gpa, mem->size, SIZE_4K, SEED);
	expect_nothing_moved(s, mem);
}

/* KVM_SET_USER_MEMORY_REGION must not take the page from under the device. */
static void memslot_stays(void)
{
	struct refusal_watch w;
	struct guest_mem mem;
	struct share_vm s;
	int r;

	setup_pinned(&s, &mem);
	refusal_watch_start(&w);
	r = __vm_set_user_memory_region(s.vm, mem.slot, 0, mem.gpa, 0, 0);
	refusal_expect(&w, r ? -errno : 0, EBUSY);
	refusal_watch_start(&w);
	r = __vm_set_user_memory_region(s.vm, mem.slot, 0, mem.gpa + SIZE_1G,
					mem.size, mem.hva);
	refusal_expect(&w, r ? -errno : 0, EBUSY);
	share_vm_warm_up(&s);
	expect_nothing_moved(&s, &mem);

	/* Control: once nothing of it is mapped, it goes. */
	share_vm_unmap(&s, &mem);
	vm_mem_region_delete(s.vm, mem.slot);
	share_vm_destroy(&s);
}

/*
 * The device has used the translation, so that it sits in the IOTLB; then the
 * host drops the page. Its next owner must not be written by the device.
 */
static void unpinned_is_taken(void)
{
	struct guest_mem mem;
	struct share_vm s;
	__u64 mark;

	share_vm_create(&s, HWPT_SHARED);
	guest_mem_add(&mem, s.vm, TEST_SLOT, BACKING_4K, GPA_HIGH, TEST_SIZE);
	guest_fill(s.vcpus[0], mem.gpa, mem.size, SIZE_4K, SEED);
	edu_copy(&s.edu, mem.gpa + DST, mem.gpa + SRC, SIZE_4K);

	TEST_ASSERT(!madvise(mem.hva, mem.size, MADV_DONTNEED), "madvise");
	mark = iommu_events_mark();
	edu_store(&s.edu, mem.gpa + DST, SIZE_4K);
	TEST_ASSERT(iommu_events_since(mark) > 0,
		    "the device still reaches a page that the host took");

	/* Nor does the fresh page have what the device tried to write. */
	TEST_ASSERT_EQ(READ_ONCE(*(__u64 *)(mem.hva + DST)), 0);
	guest_fill(s.vcpus[0], mem.gpa, mem.size, SIZE_4K, SEED);
	TEST_ASSERT_EQ(guest_diff(s.vcpus[1], mem.gpa, mem.size, SIZE_4K,
				  mem.gpa, SEED), 0);
	share_vm_destroy(&s);
}

static void memslot_is_deleted(void)
{
	struct guest_mem mem;
	struct share_vm s;
	__u64 mark;

	share_vm_create(&s, HWPT_SHARED);
	guest_mem_add(&mem, s.vm, TEST_SLOT, BACKING_4K, GPA_HIGH, TEST_SIZE);
	guest_fill(s.vcpus[0], mem.gpa, mem.size, SIZE_4K, SEED);
	edu_copy(&s.edu, mem.gpa + DST, mem.gpa + SRC, SIZE_4K);

	vm_mem_region_delete(s.vm, TEST_SLOT);
	mark = iommu_events_mark();
	edu_store(&s.edu, mem.gpa + DST, SIZE_4K);
	TEST_ASSERT(iommu_events_since(mark) > 0,
		    "the device still reaches a memslot that is gone");
	share_vm_destroy(&s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "pinned: its memslot is neither deleted nor moved: EBUSY",
		  memslot_stays },
		{ "not pinned: the device loses what the host discards",
		  unpinned_is_taken },
		{ "not pinned: the device loses a deleted memslot",
		  memslot_is_deleted },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
