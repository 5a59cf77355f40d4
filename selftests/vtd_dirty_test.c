// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stock kernel on the Intel bench, a HWPT with dirty tracking, whose D bits the
 * VT-d sets:
 *
 * 1. IOMMU_HWPT_GET_DIRTY_BITMAP gives the pages that the device wrote, and no
 *    other: not those that it read, not those that a vCPU wrote.
 * 2. It clears them: a page is dirty again after the next write to it, not before.
 * 3. With IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR it does not.
 * 4. A 2M leaf is dirty as a whole.
 * 5. Nothing is dirty of what was written before tracking began.
 *
 * Compared with a model at random, 4K and 2M leaves, several rounds; controls: each
 * round has pages that are written, read, and let be.
 *
 * bench: --bench intel --kernel stock --vtd mode=scalable --1g-page
 */
#include <sys/ioctl.h>

#include "tap.h"
#include "vtd_model.h"

#define SIZE	(4 * SIZE_2M)
#define PAGES	(SIZE / SIZE_4K)
#define ROUNDS	4
#define ACCESSES 24

struct dirty_vm {
	struct share_vm s;
	struct vfio_dev testdev;
	struct guest_mem mem;
	size_t leaf;
	__u8 model[PAGES];	/* 1: the device wrote the leaf since it was cleared */
};

static void set_tracking(struct dirty_vm *v, bool on)
{
	struct iommu_hwpt_set_dirty_tracking cmd = {
		.size = sizeof(cmd),
		.flags = on ? IOMMU_HWPT_DIRTY_TRACKING_ENABLE : 0,
		.hwpt_id = v->s.hwpt,
	};

	TEST_ASSERT(!ioctl(v->s.iommufd, IOMMU_HWPT_SET_DIRTY_TRACKING, &cmd),
		    "HWPT_SET_DIRTY_TRACKING %d", on);
}

static void read_bitmap(struct dirty_vm *v, __u32 flags, __u64 *bitmap)
{
	struct iommu_hwpt_get_dirty_bitmap cmd = {
		.size = sizeof(cmd),
		.hwpt_id = v->s.hwpt,
		.flags = flags,
		.iova = v->mem.gpa,
		.length = SIZE,
		.page_size = SIZE_4K,
		.data = (unsigned long)bitmap,
	};

	memset(bitmap, 0, PAGES / 8);
	TEST_ASSERT(!ioctl(v->s.iommufd, IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd),
		    "HWPT_GET_DIRTY_BITMAP");
}

static void expect_model(struct dirty_vm *v, __u32 flags)
{
	__u64 bitmap[PAGES / 64];
	unsigned int i, dirty;

	read_bitmap(v, flags, bitmap);
	for (i = 0; i < PAGES; i++) {
		dirty = bitmap[i / 64] >> (i % 64) & 1;
		TEST_ASSERT(dirty == v->model[i],
			    "page %u: the bitmap says %u, the model %u", i,
			    dirty, v->model[i]);
	}
	if (!(flags & IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR))
		memset(v->model, 0, sizeof(v->model));
}

static void device_writes(struct dirty_vm *v, unsigned int page)
{
	unsigned int per_leaf = v->leaf / SIZE_4K;

	TEST_ASSERT(vtd_reaches(&v->s, &v->testdev, &v->mem, page * SIZE_4K),
		    "page %u is not reached", page);
	memset(&v->model[round_down(page, per_leaf)], 1, per_leaf);
}

static void create(struct dirty_vm *v, enum guest_mem_backing backing)
{
	memset(v, 0, sizeof(*v));
	v->leaf = backing == BACKING_2M ? SIZE_2M : SIZE_4K;
	share_vm_create_detached(&v->s);
	vtd_write(&v->s.edu, VTDT_DROP, 0); /* what a case that failed left */
	vtd_attach(&v->s, IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
	TEST_ASSERT(share_vm_add_testdev(&v->s, &v->testdev), "no testdev");
	share_vm_add_mem(&v->s, &v->mem, backing, GPA_HIGH, SIZE);
	device_writes(v, 1);
	device_writes(v, PAGES - 1);
	set_tracking(v, true);
	memset(v->model, 0, sizeof(v->model));
}

static void destroy(struct dirty_vm *v)
{
	set_tracking(v, false);
	vfio_dev_close(&v->testdev);
	share_vm_destroy(&v->s);
}

static void exact(enum guest_mem_backing backing)
{
	struct dirty_vm v;
	unsigned int round, i;

	create(&v, backing);
	expect_model(&v, 0);
	srandom(0xd1);
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < ACCESSES; i++) {
			device_writes(&v, random() % PAGES);
			edu_load(&v.s.edu, v.mem.gpa +
				 random() % PAGES * SIZE_4K, 64);
			guest_fill(v.s.vcpus[0], v.mem.gpa +
				   random() % PAGES * SIZE_4K, 64, 8, round);
		}
		expect_model(&v, 0);
		expect_model(&v, 0);	/* cleared: nothing is left */
	}
	destroy(&v);
}

static void exact_4k(void)
{
	exact(BACKING_4K);
}

static void exact_2m(void)
{
	exact(BACKING_2M);
}

static void dirty_again(void)
{
	struct dirty_vm v;

	create(&v, BACKING_4K);
	device_writes(&v, 7);
	expect_model(&v, IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR);
	expect_model(&v, IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR);
	expect_model(&v, 0);
	expect_model(&v, 0);
	device_writes(&v, 7);	/* its translation was cached with D set */
	device_writes(&v, 8);
	expect_model(&v, 0);
	destroy(&v);
}

/* The driver clears D and must have the IOTLB forget that it was set. */
static void lost_invalidation(void)
{
	__u64 bitmap[PAGES / 64];
	struct dirty_vm v;

	create(&v, BACKING_4K);
	device_writes(&v, 7);
	vtd_write(&v.s.edu, VTDT_DROP, VTDT_DROP_IOTLB);
	expect_model(&v, 0);
	vtd_write(&v.s.edu, VTDT_DROP, 0);
	device_writes(&v, 7);
	read_bitmap(&v, 0, bitmap);
	TEST_ASSERT(!bitmap[0], "dirty, although the IOTLB had D set");
	destroy(&v);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "4K leaves: dirty is what the device wrote", exact_4k },
		{ "2M leaves: dirty as a whole", exact_2m },
		{ "a page is dirty until it is cleared, and after the next write",
		  dirty_again },
		{ "without the invalidation the next write is missed",
		  lost_invalidation },
	};

	vtd_require();
	__TEST_REQUIRE(vtd_is_scalable(), "needs scalable mode");
	return tap_run(cases, ARRAY_SIZE(cases));
}
