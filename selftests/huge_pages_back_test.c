// SPDX-License-Identifier: GPL-2.0-only
/*
 * A dirty log splits huge pages. When it ends they come back, whoever uses them
 * and whether or not the devices walk KVM's table just then; but where the IOAS
 * has a part of one it stays split. Tables that a memslot leaves empty go with
 * it. dirty_bitmap_test.c and split_merge_test.c have what the log says.
 *
 * bench: --share
 * bench: --bench intel --vtd mode=scalable --share
 */
#include "auto_vm.h"
#include "dma_check.h"
#include "mmu_share.h"
#include "operator.h"
#include "processor.h"
#include "tap.h"

#define BIG_SLOT	(TEST_SLOT + 1)
#define BIG_GPA		(GPA_HIGH + SIZE_1G)
#define HUGE_PAGES	4
#define BIG_SIZE	(HUGE_PAGES * SIZE_2M)
#define SEED		0xb19
#define CASE_LIMIT	300	/* seconds */

static void add_big(struct share_vm *s, struct guest_mem *big,
		    enum guest_mem_backing backing)
{
	guest_mem_add(big, s->vm, BIG_SLOT, backing, BIG_GPA, BIG_SIZE);
}

/* A vCPU writes each page, and all of it is there. */
static void touch(struct share_vm *s, struct guest_mem *big)
{
	static __u64 seed = SEED;

	seed++;
	guest_fill(s->vcpus[0], big->gpa, big->size, SIZE_4K, seed);
	TEST_ASSERT_EQ(guest_diff(s->vcpus[1], big->gpa, big->size, SIZE_4K,
				  big->gpa, seed), 0);
}

/* Of all roots. */
static __u64 huge_leaves(struct share_vm *s)
{
	return vm_get_stat(s->vm, pages_2m);
}

/* On, with a write to each page, and off. */
static void log_for_a_while(struct share_vm *s, struct guest_mem *big)
{
	share_vm_log_dirty(s, BIG_SLOT, true);
	touch(s, big);
	TEST_ASSERT_EQ(huge_leaves(s), 0);
	share_vm_log_dirty(s, BIG_SLOT, false);
}

/* Control: what it is to be like. vCPUs' faults bring them back. */
static void a_table_each(void)
{
	struct guest_mem big;
	struct share_vm s;

	share_vm_create(&s, HWPT_ORDINARY);
	add_big(&s, &big, BACKING_2M);
	iommufd_map(s.iommufd, s.ioas, big.gpa, big.hva, big.size);
	touch(&s, &big);
	TEST_ASSERT_EQ(huge_leaves(&s), HUGE_PAGES);
	log_for_a_while(&s, &big);
	touch(&s, &big);
	TEST_ASSERT_EQ(huge_leaves(&s), HUGE_PAGES);
	share_vm_destroy(&s);
}

/* A device does not fault, so they are back at once, and under its writes. */
static void mapped(void)
{
	struct mmu_share_info info;
	struct steady_dma dma;
	struct guest_mem big;
	struct share_vm s;
	int i;

	share_vm_create(&s, HWPT_SHARED);
	add_big(&s, &big, BACKING_2M);
	share_vm_map(&s, &big);
	share_vm_warm_up(&s);
	steady_dma_start(&dma, &s, big.gpa, big.hva, SIZE_2M);
	for (i = 0; i < 5; i++) {
		share_vm_log_dirty(&s, BIG_SLOT, true);
		guest_fill(s.vcpus[0], big.gpa + SIZE_2M, SIZE_2M, SIZE_4K, i);
		TEST_ASSERT(huge_leaves(&s) < HUGE_PAGES, "nothing was split");
		share_vm_log_dirty(&s, BIG_SLOT, false);
		mmu_share_read(s.vm, &info);
		TEST_ASSERT_EQ(info.leaf_2m, HUGE_PAGES);
		TEST_ASSERT_EQ(info.common_bytes, BIG_SIZE);
	}
	steady_dma_stop(&dma);
	dma_check_between_vcpus(&s, &big, SIZE_2M, 2 * SIZE_2M);
	share_vm_destroy(&s);
}

/* What vCPUs alone have is nothing to a device, split or not. */
static void cpu_only(void)
{
	struct mmu_share_info before, info;
	struct guest_mem big;
	struct share_vm s;

	share_vm_create(&s, HWPT_SHARED);
	add_big(&s, &big, BACKING_2M);
	share_vm_warm_up(&s);
	touch(&s, &big);
	TEST_ASSERT_EQ(huge_leaves(&s), HUGE_PAGES);
	dma_check_write_stopped(&s, big.gpa);
	mmu_share_read(s.vm, &before);

	log_for_a_while(&s, &big);
	touch(&s, &big);
	mmu_share_read(s.vm, &info);
	TEST_ASSERT_EQ(info.leaf_2m, HUGE_PAGES);
	TEST_ASSERT_EQ(info.table_pages, before.table_pages);
	TEST_ASSERT_EQ(info.pinned_bytes, 0);
	/* An IOMMU may have known the tables, for all that they hold nothing. */
	TEST_ASSERT(info.iotlb_flushes > before.iotlb_flushes,
		    "tables went without a flush");
	dma_check_write_stopped(&s, big.gpa);
	dma_check_write_stopped(&s, big.gpa + BIG_SIZE - SIZE_4K);

	/* Control: mapped, the same leaves are the device's too. */
	share_vm_map(&s, &big);
	dma_check_between_vcpus(&s, &big, 0, SIZE_2M);
	TEST_ASSERT_EQ(huge_leaves(&s), HUGE_PAGES);
	share_vm_destroy(&s);
}

/* The vCPUs stay where they are when the devices get a table of their own. */
static void while_private(void)
{
	struct guest_mem big;
	struct auto_vm a;

	auto_vm_create_detached(&a);
	auto_vm_attach(&a, AUTO_HWPT);
	auto_vm_map_slot0(&a);
	share_vm_map(&a.s, &a.mem);
	add_big(&a.s, &big, BACKING_2M);
	share_vm_map(&a.s, &big);
	auto_vm_wait_shared(&a);
	touch(&a.s, &big);
	TEST_ASSERT_EQ(huge_leaves(&a.s), HUGE_PAGES);

	/* By a map what is still to look at it by itself has to wait, too. */
	operator_share_by_order_only();
	iommufd_map(a.s.iommufd, a.s.ioas, GPA_LOW, a.mem.hva, SIZE_4K);
	vmm_share_control(getpid(), "private");
	log_for_a_while(&a.s, &big);
	touch(&a.s, &big);
	TEST_ASSERT_EQ(huge_leaves(&a.s), HUGE_PAGES);
	auto_vm_expect_private(&a);

	/* Split there, and shared before they could come back. */
	share_vm_log_dirty(&a.s, BIG_SLOT, true);
	touch(&a.s, &big);
	vmm_share_control(getpid(), "share");
	TEST_ASSERT_EQ(huge_leaves(&a.s), 0);
	share_vm_log_dirty(&a.s, BIG_SLOT, false);
	touch(&a.s, &big);
	TEST_ASSERT_EQ(huge_leaves(&a.s), HUGE_PAGES);
	auto_vm_expect_shared(&a);
	dma_check_between_vcpus(&a.s, &big, 0, SIZE_2M);
	auto_vm_destroy(&a);
}

/* A huge leaf would give the device all of it, or take from it what it has. */
static void mapped_in_part(void)
{
	struct guest_mem big;
	struct share_vm s;

	share_vm_create(&s, HWPT_SHARED);
	add_big(&s, &big, BACKING_2M);
	share_vm_warm_up(&s);
	iommufd_map(s.iommufd, s.ioas, big.gpa, big.hva, SIZE_2M / 2);
	touch(&s, &big);
	TEST_ASSERT_EQ(huge_leaves(&s), HUGE_PAGES - 1);
	log_for_a_while(&s, &big);
	touch(&s, &big);
	TEST_ASSERT_EQ(huge_leaves(&s), HUGE_PAGES - 1);
	dma_check_copies(&s, &big, 0, SIZE_2M / 2 - SIZE_4K);
	dma_check_write_stopped(&s, big.gpa + SIZE_2M / 2);

	/* Control: all of it is the vCPUs' again. */
	iommufd_unmap(s.iommufd, s.ioas, big.gpa, SIZE_2M / 2);
	log_for_a_while(&s, &big);
	touch(&s, &big);
	TEST_ASSERT_EQ(huge_leaves(&s), HUGE_PAGES);
	dma_check_write_stopped(&s, big.gpa);
	share_vm_destroy(&s);
}

static __u64 tables(struct share_vm *s)
{
	struct mmu_share_info info;

	mmu_share_read(s->vm, &info);
	return info.table_pages;
}

static void set_memslot(struct guest_mem *mem, size_t size)
{
	vm_set_user_memory_region(mem->vm, mem->slot, 0, mem->gpa, size,
				  mem->hva);
}

static void empty_tables(void)
{
	struct guest_mem big;
	struct share_vm s;
	__u64 before;

	share_vm_create(&s, HWPT_SHARED);
	add_big(&s, &big, BACKING_4K);
	share_vm_warm_up(&s);
	before = tables(&s);
	touch(&s, &big);
	TEST_ASSERT(tables(&s) >= before + HUGE_PAGES, "no tables were made");
	set_memslot(&big, 0);
	TEST_ASSERT_EQ(tables(&s), before);

	/* Where the IOAS maps something they are not empty. */
	set_memslot(&big, big.size);
	iommufd_map(s.iommufd, s.ioas, big.gpa, big.hva, SIZE_2M);
	touch(&s, &big);
	set_memslot(&big, 0);
	TEST_ASSERT(tables(&s) > before, "mapped memory lost its table");
	TEST_ASSERT(tables(&s) < before + HUGE_PAGES, "empty tables stay");
	dma_check_copies(&s, &big, 0, SIZE_2M - SIZE_4K);

	/* They go with the next memslot there. */
	iommufd_unmap(s.iommufd, s.ioas, big.gpa, SIZE_2M);
	set_memslot(&big, big.size);
	set_memslot(&big, 0);
	TEST_ASSERT_EQ(tables(&s), before);
	dma_check_write_stopped(&s, big.gpa);
	set_memslot(&big, big.size);
	touch(&s, &big);
	share_vm_destroy(&s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "control: a table each", a_table_each },
		{ "memory that the IOAS maps, under DMA", mapped },
		{ "memory that it does not map", cpu_only },
		{ "while the devices have a table of their own", while_private,
		  CASE_LIMIT },
		{ "what the IOAS maps in part stays split", mapped_in_part },
		{ "empty tables go with their memslot", empty_tables },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
