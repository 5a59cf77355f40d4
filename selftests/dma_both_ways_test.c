// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device reads what the guest wrote, and the guest reads what the device
 * wrote, through one table: with leaves of every size, below and above 4 GiB,
 * with two vCPUs. A page of 1G can only be set aside at boot.
 *
 * bench: --share --append 'hugepagesz=1G hugepages=1'
 * bench: --bench intel --vtd mode=scalable --share --1g-page
 */
#include "dma_check.h"
#include "mmu_share.h"
#include "share_vm.h"
#include "tap.h"

static void copy_around(struct share_vm *s, struct guest_mem *mem)
{
	size_t middle = mem->size / 2, last = mem->size - SIZE_4K;

	dma_check_between_vcpus(s, mem, last, 0);
	dma_check_between_vcpus(s, mem, 0, middle);
	dma_check_between_vcpus(s, mem, middle + SIZE_4K, last);
}

static void both_ways(enum guest_mem_backing backing, __u64 gpa, size_t size,
		      size_t leaf)
{
	struct mmu_share_info before, info;
	struct guest_mem mem;
	struct share_vm s;

	share_vm_create(&s, HWPT_SHARED);
	mmu_share_read(s.vm, &before);
	share_vm_add_mem(&s, &mem, backing, gpa, size);

	/* All of it is mapped, by leaves of the size the case is about. */
	mmu_share_read(s.vm, &info);
	TEST_ASSERT_EQ(info.leaf_4k - before.leaf_4k,
		       leaf == SIZE_4K ? size / leaf : 0);
	TEST_ASSERT_EQ(info.leaf_2m - before.leaf_2m,
		       leaf == SIZE_2M ? size / leaf : 0);
	TEST_ASSERT_EQ(info.leaf_1g - before.leaf_1g,
		       leaf == SIZE_1G ? size / leaf : 0);
	TEST_ASSERT_EQ(info.pinned_bytes - before.pinned_bytes, size);

	copy_around(&s, &mem);
	share_vm_destroy(&s);
}

static void leaves_4k(void)
{
	both_ways(BACKING_4K, GPA_LOW, 8 * SIZE_2M, SIZE_4K);
}

static void leaves_4k_high(void)
{
	both_ways(BACKING_4K, GPA_HIGH, 8 * SIZE_2M, SIZE_4K);
}

static void leaves_2m(void)
{
	both_ways(BACKING_2M, GPA_LOW, 8 * SIZE_2M, SIZE_2M);
}

static void leaves_2m_high(void)
{
	both_ways(BACKING_2M, GPA_HIGH, 8 * SIZE_2M, SIZE_2M);
}

static void leaves_2m_of_adjacent_pages(void)
{
	both_ways(BACKING_4K_ADJACENT, GPA_HIGH, 8 * SIZE_2M, SIZE_2M);
}

static void leaves_1g_high(void)
{
	both_ways(BACKING_1G, GPA_HIGH, SIZE_1G, SIZE_1G);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "4K leaves: device and guest read each other's writes",
		  leaves_4k },
		{ "4K leaves above 4 GiB", leaves_4k_high },
		{ "2M leaves", leaves_2m },
		{ "2M leaves above 4 GiB", leaves_2m_high },
		{ "2M leaves where the host maps adjacent 4K pages",
		  leaves_2m_of_adjacent_pages },
		{ "1G leaves above 4 GiB", leaves_1g_high },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
