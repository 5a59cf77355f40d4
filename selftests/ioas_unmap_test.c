// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOAS_UNMAP takes memory from the device at once. The guest keeps it: it runs
 * on and faults its memory in again. Mapped again, both have it.
 */
#include "amd_iommu.h"
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
	struct mmu_share_info info;
	struct guest_mem mem;
	struct share_vm s;
	__u64 faults;

	share_vm_create(&s, HWPT_SHARED);
	share_vm_add_mem(&s, &mem, backing, GPA_HIGH, TEST_SIZE);
	share_vm_warm_up(&s);
	expect_guest_works(&s, &mem);
	expect_dma_works(&s, &mem);

	share_vm_unmap(&s, &mem);
	mmu_share_read(s.vm, &info);
	TEST_ASSERT_EQ(info.pinned_bytes, 0);
	expect_dma_blocked(&s, &mem);

	/*
	 * The zap took the guest's entries with it, so it faults. The device
	 * may then reach what the guest faulted in: nothing is asserted of DMA
	 * from here to the next map.
	 */
	faults = share_vm_npt_faults(&s);
	expect_guest_works(&s, &mem);
	TEST_ASSERT(share_vm_npt_faults(&s) > faults, "no refault: no zap");

	share_vm_map(&s, &mem);
	expect_dma_works(&s, &mem);
	faults = share_vm_npt_faults(&s);
	expect_guest_works(&s, &mem);
	TEST_ASSERT_EQ(share_vm_npt_faults(&s), faults);
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
		{ "4K leaves: unmap blocks the device, the guest refaults",
		  unmap_4k },
		{ "2M leaves: unmap blocks the device, the guest refaults",
		  unmap_2m },
		{ "unmap of one range leaves the other", unmap_one_of_two_ranges },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
