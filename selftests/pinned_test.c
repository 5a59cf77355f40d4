// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the IOAS maps is pinned, and the device keeps it where it is, whatever
 * becomes of its memslot. What only the guest faulted in is the guest's: the
 * device does not reach it, so that the host may take it without asking.
 * host_events_pinned_test.c and host_events_unpinned_test.c have all that a host
 * may do, memslot_gone_test.c has more of memslots.
 *
 * bench: --share
 * bench: --bench intel --vtd mode=scalable --share
 */
#include "dma_check.h"
#include "iommu_hw.h"
#include "leaks.h"
#include "mmu_share.h"
#include "processor.h"
#include "tap.h"

#define TEST_SIZE	(2 * SIZE_2M)
#define SEED		0x919
#define SRC		SIZE_4K
#define DST		SIZE_2M
#define MOVED		SIZE_1G

/* No fault, no IOMMU event, and the device copies what the guest wrote. */
static void expect_nothing_moved(struct share_vm *s, struct guest_mem *mem)
{
	__u64 faults = share_vm_tdp_faults(s), mark = iommu_events_mark();

	TEST_ASSERT_EQ(guest_diff(s->vcpus[0], mem->gpa + SRC, SIZE_2M - SRC,
				  SIZE_4K, mem->gpa + SRC, SEED), 0);
	guest_fill(s->vcpus[1], mem->gpa + DST, 8, 8, ~SEED);
	edu_copy(&s->edu, mem->gpa + DST, mem->gpa + SRC, SIZE_4K);
	TEST_ASSERT_EQ(guest_diff(s->vcpus[1], mem->gpa + DST, 8, 8,
				  mem->gpa + SRC, SEED), 0);
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);
	TEST_ASSERT_EQ(share_vm_tdp_faults(s), faults);
}

static void setup_pinned(struct share_vm *s, struct guest_mem *mem)
{
	share_vm_create(s, HWPT_SHARED);
	share_vm_add_mem(s, mem, BACKING_4K, GPA_HIGH, TEST_SIZE);
	virt_map_level(s->vm, mem->gpa + MOVED, mem->gpa + MOVED, mem->size,
		       PG_LEVEL_2M);
	share_vm_warm_up(s);
	guest_fill(s->vcpus[0], mem->gpa, mem->size, SIZE_4K, SEED);
	expect_nothing_moved(s, mem);
}

/* By hand: the library would unmap the memory as well. */
static void set_memslot(struct guest_mem *mem, __u64 gpa, size_t size)
{
	vm_set_user_memory_region(mem->vm, mem->slot, 0, gpa, size, mem->hva);
}

/* Not a pin less, and the device reads and writes the same pages. */
static void expect_device_keeps(struct share_vm *s, struct guest_mem *mem,
				const struct leak_counts *before)
{
	struct mmu_share_info info;
	struct leak_counts now;

	mmu_share_read(s->vm, &info);
	TEST_ASSERT_EQ(info.pinned_bytes, TEST_SIZE);
	leak_counts_read(&now);
	TEST_ASSERT_EQ(now.pins, before->pins);
	dma_check_copies(s, mem, DST, DST + SIZE_4K);
}

static void memslot_goes(void)
{
	struct leak_counts before;
	struct guest_mem mem;
	struct share_vm s;

	setup_pinned(&s, &mem);
	leak_counts_read(&before);

	set_memslot(&mem, mem.gpa, 0);
	expect_device_keeps(&s, &mem, &before);
	TEST_ASSERT_EQ(guest_mmio(s.vcpus[0], mem.gpa, mem.gpa, SEED), SEED);

	/* Elsewhere it is the vCPU's alone. */
	set_memslot(&mem, mem.gpa + MOVED, mem.size);
	TEST_ASSERT_EQ(guest_diff(s.vcpus[0], mem.gpa + MOVED, SIZE_2M, SIZE_4K,
				  mem.gpa, SEED), 0);
	expect_device_keeps(&s, &mem, &before);
	dma_check_write_stopped(&s, mem.gpa + MOVED);
	TEST_ASSERT_EQ(guest_mmio(s.vcpus[0], mem.gpa, mem.gpa, SEED), SEED);

	/* Back it is as it was, once the vCPUs have faulted. */
	set_memslot(&mem, mem.gpa, mem.size);
	guest_fill(s.vcpus[0], mem.gpa, mem.size, SIZE_4K, SEED);
	share_vm_warm_up(&s);
	expect_nothing_moved(&s, &mem);
	expect_device_keeps(&s, &mem, &before);
	share_vm_destroy(&s);
}

/* Faulted in, with leaves in the table that the device walks. */
static void setup_unpinned(struct share_vm *s, struct guest_mem *mem)
{
	struct mmu_share_info info;

	share_vm_create(s, HWPT_SHARED);
	guest_mem_add(mem, s->vm, TEST_SLOT, BACKING_4K, GPA_HIGH, TEST_SIZE);
	share_vm_warm_up(s);
	guest_fill(s->vcpus[0], mem->gpa, mem->size, SIZE_4K, SEED);
	mmu_share_read(s->vm, &info);
	TEST_ASSERT_EQ(info.pinned_bytes, 0);
	TEST_ASSERT(info.cpu_only_bytes >= TEST_SIZE, "no leaf to be reached");
}

static void expect_not_reached(struct share_vm *s, struct guest_mem *mem)
{
	dma_check_write_stopped(s, mem->gpa + DST);
	TEST_ASSERT_EQ(READ_ONCE(*(__u64 *)(mem->hva + DST)),
		       pattern_word(mem->gpa + DST, SEED));
}

/* Nor what it might have got from there into its own buffer. */
static void expect_not_read(struct share_vm *s, struct guest_mem *mem)
{
	__u64 mark = iommu_events_mark();

	edu_load(&s->edu, mem->gpa + SRC, SIZE_4K);
	TEST_ASSERT(iommu_events_since(mark) > 0,
		    "the device reads what only vCPUs have");
}

static void unpinned_is_the_guests(void)
{
	struct guest_mem mem;
	struct share_vm s;

	setup_unpinned(&s, &mem);
	expect_not_reached(&s, &mem);
	expect_not_read(&s, &mem);

	/* Control: the same leaves, once they are mapped. */
	share_vm_map(&s, &mem);
	expect_nothing_moved(&s, &mem);
	share_vm_unmap(&s, &mem);

	guest_fill(s.vcpus[0], mem.gpa, mem.size, SIZE_4K, SEED);
	expect_not_reached(&s, &mem);
	expect_not_read(&s, &mem);
	share_vm_destroy(&s);
}

/*
 * The device has used the translation, so that it sits in the IOTLB; then the
 * IOAS unmaps it, and the host drops the page. Its next owner must not be written
 * by the device.
 */
static void unpinned_is_taken(void)
{
	struct guest_mem mem;
	struct share_vm s;

	setup_unpinned(&s, &mem);
	share_vm_map(&s, &mem);
	dma_check_copies(&s, &mem, DST, SRC);
	share_vm_unmap(&s, &mem);

	TEST_ASSERT(!madvise(mem.hva, mem.size, MADV_DONTNEED), "madvise");
	dma_check_write_stopped(&s, mem.gpa + DST);

	/* Nor does the fresh page have what the device tried to write. */
	TEST_ASSERT_EQ(READ_ONCE(*(__u64 *)(mem.hva + DST)), 0);
	guest_fill(s.vcpus[0], mem.gpa, mem.size, SIZE_4K, SEED);
	TEST_ASSERT_EQ(guest_diff(s.vcpus[1], mem.gpa, mem.size, SIZE_4K,
				  mem.gpa, SEED), 0);
	expect_not_reached(&s, &mem);

	/* Control: the fresh page is the device's too when the IOAS has it. */
	share_vm_map(&s, &mem);
	dma_check_copies(&s, &mem, DST, SRC);
	share_vm_destroy(&s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "pinned: its memslot goes, moves and comes, DMA goes on",
		  memslot_goes },
		{ "not pinned: the device reaches nothing of it",
		  unpinned_is_the_guests },
		{ "not pinned any more: the host takes it from both",
		  unpinned_is_taken },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
