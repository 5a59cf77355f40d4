// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two devices use one shared HWPT: same root, same memory, same blocks.
 *
 * bench: --share
 * bench: --bench intel --vtd mode=scalable --share
 */
#include "iommu_hw.h"
#include "share_vm.h"
#include "tap.h"

#define TEST_SIZE	(2 * SIZE_2M)
#define SEED		0x2de7

static void setup(struct share_vm *s, struct vfio_dev *second,
		  struct guest_mem *mem)
{
	share_vm_create(s, HWPT_SHARED);
	share_vm_add_mem(s, mem, BACKING_4K, GPA_HIGH, TEST_SIZE);
	if (!share_vm_add_edu(s, second))
		tap_skip_case("no second edu device");
}

static void teardown(struct share_vm *s, struct vfio_dev *second)
{
	vfio_dev_close(second);
	share_vm_destroy(s);
}

static void same_root(void)
{
	struct vfio_dev second;
	struct iommu_entry a, b;
	struct guest_mem mem;
	struct share_vm s;

	setup(&s, &second, &mem);
	iommu_entry_read(s.edu.bdf, &a);
	iommu_entry_read(second.bdf, &b);
	TEST_ASSERT(a.translates && b.translates, "not translated");
	TEST_ASSERT_EQ(a.root, b.root);
	teardown(&s, &second);
}

/* From page to page in turn: each reads what the other one wrote. */
static void relay(void)
{
	struct vfio_dev second;
	struct guest_mem mem;
	struct share_vm s;
	int i;

	setup(&s, &second, &mem);
	guest_fill(s.vcpus[0], mem.gpa, SIZE_4K, 8, SEED);
	for (i = 0; i < 4; i++)
		edu_copy(i % 2 ? &second : &s.edu, mem.gpa + (i + 1) * SIZE_4K,
			 mem.gpa + i * SIZE_4K, SIZE_4K);
	TEST_ASSERT_EQ(guest_diff(s.vcpus[1], mem.gpa + 4 * SIZE_4K, SIZE_4K,
				  8, mem.gpa, SEED), 0);
	teardown(&s, &second);
}

static bool store_arrives(struct vfio_dev *edu, struct guest_mem *mem)
{
	guest_mem_fill(mem, 0, SIZE_4K, SEED);
	guest_mem_fill(mem, SIZE_4K, SIZE_4K, ~SEED);
	edu_copy(edu, mem->gpa + SIZE_4K, mem->gpa, SIZE_4K);
	return !guest_mem_diff(mem, SIZE_4K, SIZE_4K, 0, SEED);
}

/* The flush must reach both: each has cached the translation by then. */
static void unmap_blocks_both(void)
{
	struct vfio_dev second;
	struct guest_mem mem;
	struct share_vm s;
	__u64 mark;

	setup(&s, &second, &mem);
	TEST_ASSERT(store_arrives(&s.edu, &mem), "before: first device");
	TEST_ASSERT(store_arrives(&second, &mem), "before: second device");

	share_vm_unmap(&s, &mem);
	mark = iommu_events_mark();
	TEST_ASSERT(!store_arrives(&s.edu, &mem), "first device not blocked");
	TEST_ASSERT(iommu_events_since(mark) > 0, "no event of the first");
	mark = iommu_events_mark();
	TEST_ASSERT(!store_arrives(&second, &mem), "second device not blocked");
	TEST_ASSERT(iommu_events_since(mark) > 0, "no event of the second");

	share_vm_map(&s, &mem);
	TEST_ASSERT(store_arrives(&s.edu, &mem), "after: first device");
	TEST_ASSERT(store_arrives(&second, &mem), "after: second device");
	teardown(&s, &second);
}

static void one_leaves_the_other_stays(void)
{
	struct vfio_dev second;
	struct guest_mem mem;
	struct share_vm s;

	setup(&s, &second, &mem);
	vfio_dev_detach(&second);
	TEST_ASSERT(!store_arrives(&second, &mem), "detached, still writes");
	TEST_ASSERT(store_arrives(&s.edu, &mem), "the one that stayed");
	vfio_dev_attach(&second, s.hwpt);
	TEST_ASSERT(store_arrives(&second, &mem), "attached again");
	teardown(&s, &second);
}

/* Nor do the two need a memslot, or an unmap to have had one. */
static void both_outlast_the_memslot(void)
{
	struct vfio_dev second;
	struct guest_mem mem;
	struct share_vm s;
	__u64 mark;

	setup(&s, &second, &mem);
	vm_set_user_memory_region(s.vm, mem.slot, 0, mem.gpa, 0, NULL);
	mark = iommu_events_mark();
	TEST_ASSERT(store_arrives(&s.edu, &mem), "the first lost its memory");
	TEST_ASSERT(store_arrives(&second, &mem), "the second lost its memory");
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);
	TEST_ASSERT_EQ(guest_mmio(s.vcpus[0], mem.gpa, mem.gpa, SEED), SEED);

	share_vm_unmap(&s, &mem);
	TEST_ASSERT(!store_arrives(&s.edu, &mem), "first device not blocked");
	TEST_ASSERT(!store_arrives(&second, &mem), "second device not blocked");
	teardown(&s, &second);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "both devices' entries hold the same root", same_root },
		{ "each device reads what the other wrote", relay },
		{ "unmap blocks both", unmap_blocks_both },
		{ "a memslot goes from under both",
		  both_outlast_the_memslot },
		{ "detaching one leaves the other its memory",
		  one_leaves_the_other_stays },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
