// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOAS_UNMAP takes memory from the device at once, and for good: whatever vCPUs
 * do there. They keep it, without a fault, and notice neither the unmap nor the
 * next map, after which both have it.
 *
 * bench: --share
 * bench: --bench intel --vtd mode=scalable --share
 */
#include <sys/mman.h>

#include "iommu_hw.h"
#include "mmu_share.h"
#include "share_vm.h"
#include "tap.h"

#define TEST_SIZE	(2 * SIZE_2M)
#define SRC		0
#define DST		SIZE_2M
#define SEED		0x5eed
#define KEEP		0x4ee9

/* A copy that arrives, without an IOMMU event. */
static void expect_dma_works(struct share_vm *s, struct guest_mem *mem)
{
	__u64 mark = iommu_events_mark();

	guest_mem_fill(mem, SRC, SIZE_4K, SEED);
	guest_mem_fill(mem, DST, SIZE_4K, KEEP);
	edu_copy(&s->edu, mem->gpa + DST, mem->gpa + SRC, SIZE_4K);
	TEST_ASSERT_EQ(guest_mem_diff(mem, DST, SIZE_4K, SRC, SEED), 0);
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);
}

/* A store that changes nothing, and makes an IOMMU event. */
static void expect_dma_blocked(struct share_vm *s, struct guest_mem *mem)
{
	__u64 mark = iommu_events_mark();

	guest_mem_fill(mem, DST, SIZE_4K, KEEP);
	edu_store(&s->edu, mem->gpa + DST, SIZE_4K);
	TEST_ASSERT_EQ(guest_mem_diff(mem, DST, SIZE_4K, DST, KEEP), 0);
	TEST_ASSERT(iommu_events_since(mark) > 0, "no IOMMU event");
}

static void expect_guest_works(struct share_vm *s, struct guest_mem *mem)
{
	guest_fill(s->vcpus[0], mem->gpa, mem->size, SIZE_4K, SEED);
	TEST_ASSERT_EQ(guest_diff(s->vcpus[1], mem->gpa, mem->size, SIZE_4K,
				  mem->gpa, SEED), 0);
}

static void unmap_and_map_again(enum guest_mem_backing backing)
{
	struct mmu_share_info before, info;
	struct guest_mem mem;
	struct share_vm s;
	__u64 faults;

	share_vm_create(&s, HWPT_SHARED);
	share_vm_add_mem(&s, &mem, backing, GPA_HIGH, TEST_SIZE);
	share_vm_warm_up(&s);
	expect_guest_works(&s, &mem);
	expect_dma_works(&s, &mem);

	mmu_share_read(s.vm, &before);
	TEST_ASSERT_EQ(before.common_bytes, mem.size);
	faults = share_vm_tdp_faults(&s);
	share_vm_unmap(&s, &mem);
	mmu_share_read(s.vm, &info);
	TEST_ASSERT_EQ(info.pinned_bytes, 0);
	TEST_ASSERT_EQ(info.cpu_only_bytes, before.cpu_only_bytes + mem.size);
	TEST_ASSERT_EQ(info.leaf_4k, before.leaf_4k);
	TEST_ASSERT_EQ(info.leaf_2m, before.leaf_2m);
	expect_dma_blocked(&s, &mem);

	/* The same leaves; that a vCPU uses them is not the device's gain. */
	expect_guest_works(&s, &mem);
	TEST_ASSERT_EQ(share_vm_tdp_faults(&s), faults);
	expect_dma_blocked(&s, &mem);

	share_vm_map(&s, &mem);
	mmu_share_read(s.vm, &info);
	TEST_ASSERT_EQ(info.common_bytes, mem.size);
	expect_dma_works(&s, &mem);
	expect_guest_works(&s, &mem);
	TEST_ASSERT_EQ(share_vm_tdp_faults(&s), faults);
	share_vm_destroy(&s);
}

/*
 * What the device alone had, after the process forbade itself the access, goes
 * with the unmap. Control: vCPUs do fault, once, where no leaf was left for them.
 */
static void unmap_what_no_vcpu_had(void)
{
	struct mmu_share_info info;
	struct guest_mem mem;
	struct share_vm s;
	__u64 faults, flushes;

	share_vm_create(&s, HWPT_SHARED);
	share_vm_add_mem(&s, &mem, BACKING_4K, GPA_HIGH, TEST_SIZE);
	share_vm_warm_up(&s);
	expect_dma_works(&s, &mem);
	flushes = vm_get_stat(s.vm, remote_tlb_flush_requests);
	TEST_ASSERT(!mprotect(mem.hva, mem.size, PROT_NONE), "mprotect");
	mmu_share_read(s.vm, &info);
	TEST_ASSERT_EQ(info.device_only_bytes, mem.size);
	/* An emulated CPU forgets all by itself when it leaves the guest. */
	TEST_ASSERT(vm_get_stat(s.vm, remote_tlb_flush_requests) > flushes,
		    "the CPUs' TLBs were not flushed");
	TEST_ASSERT(!mprotect(mem.hva, mem.size, PROT_READ | PROT_WRITE),
		    "mprotect");
	mmu_share_read(s.vm, &info);
	TEST_ASSERT_EQ(info.device_only_bytes, mem.size);

	share_vm_unmap(&s, &mem);
	mmu_share_read(s.vm, &info);
	TEST_ASSERT_EQ(info.device_only_bytes, 0);
	TEST_ASSERT_EQ(info.pinned_bytes, 0);
	expect_dma_blocked(&s, &mem);

	faults = share_vm_tdp_faults(&s);
	guest_fill(s.vcpus[0], mem.gpa, mem.size, SIZE_4K, SEED);
	TEST_ASSERT_EQ(share_vm_tdp_faults(&s), faults + mem.size / SIZE_4K);
	expect_dma_blocked(&s, &mem);
	share_vm_destroy(&s);
}

static void unmap_4k(void)
{
	unmap_and_map_again(BACKING_4K);
}

static void unmap_2m(void)
{
	unmap_and_map_again(BACKING_2M);
}

/* Neither half of the IOAS's ranges may go when the other does. */
static void unmap_one_of_two_ranges(void)
{
	struct guest_mem mem;
	struct share_vm s;
	__u64 mark;

	share_vm_create(&s, HWPT_SHARED);
	guest_mem_add(&mem, s.vm, TEST_SLOT, BACKING_4K, GPA_HIGH, TEST_SIZE);
	iommufd_map(s.iommufd, s.ioas, mem.gpa, mem.hva, SIZE_2M);
	iommufd_map(s.iommufd, s.ioas, mem.gpa + DST, mem.hva + DST, SIZE_2M);
	expect_dma_works(&s, &mem);

	iommufd_unmap(s.iommufd, s.ioas, mem.gpa + DST, SIZE_2M);
	expect_dma_blocked(&s, &mem);

	guest_mem_fill(&mem, SRC, SIZE_4K, SEED);
	mark = iommu_events_mark();
	edu_copy(&s.edu, mem.gpa + SIZE_4K, mem.gpa + SRC, SIZE_4K);
	TEST_ASSERT_EQ(guest_mem_diff(&mem, SIZE_4K, SIZE_4K, SRC, SEED), 0);
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);
	share_vm_destroy(&s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "4K leaves: unmap blocks the device, the guest has no fault",
		  unmap_4k },
		{ "2M leaves: unmap blocks the device, the guest has no fault",
		  unmap_2m },
		{ "unmap of what the device alone has leaves nothing",
		  unmap_what_no_vcpu_had },
		{ "unmap of one range leaves the other", unmap_one_of_two_ranges },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
