// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stock kernel on the Intel bench, an ordinary HWPT:
 *
 * 1. What was never mapped is blocked, with a fault.
 * 2. What is unmapped is blocked at once, with a fault (control: right before it
 *    was reached, without one), by its address; its neighbour is still reached.
 * 3. Mapped again it is reached again.
 * 4. The VT-d's caches matter: when it loses the invalidation, DMA still goes to
 *    what was unmapped; the same unmap with the invalidation blocks it.
 *
 * bench: --bench intel --kernel stock --1g-page
 * bench: --bench intel --kernel stock --vtd mode=scalable --1g-page
 */
#include "tap.h"
#include "vtd_model.h"

#define LOST	(VTDT_DROP_IOTLB | VTDT_DROP_KIND(VTDT_KIND_PIOTLB_PASID) | \
		 VTDT_DROP_KIND(VTDT_KIND_PIOTLB_PAGE))

struct unmap_vm {
	struct share_vm s;
	struct vfio_dev testdev;
	struct guest_mem mem;
};

/* 2M at @offset. A map can only be undone as a whole. */
static void map(struct unmap_vm *v, size_t offset)
{
	iommufd_map(v->s.iommufd, v->s.ioas, v->mem.gpa + offset,
		    v->mem.hva + offset, SIZE_2M);
}

static void unmap(struct unmap_vm *v, size_t offset)
{
	iommufd_unmap(v->s.iommufd, v->s.ioas, v->mem.gpa + offset, SIZE_2M);
}

static void create(struct unmap_vm *v, enum guest_mem_backing backing)
{
	share_vm_create(&v->s, HWPT_ORDINARY);
	vtd_write(&v->s.edu, VTDT_DROP, 0); /* what a case that failed left */
	TEST_ASSERT(share_vm_add_testdev(&v->s, &v->testdev), "no testdev");
	guest_mem_add(&v->mem, v->s.vm, TEST_SLOT, backing, GPA_HIGH,
		      2 * SIZE_2M);
	map(v, 0);
	map(v, SIZE_2M);
}

static void destroy(struct unmap_vm *v)
{
	vfio_dev_close(&v->testdev);
	share_vm_destroy(&v->s);
}

static bool reached(struct unmap_vm *v, size_t offset)
{
	return vtd_reaches(&v->s, &v->testdev, &v->mem, offset);
}

static void unmapped_is_blocked(void)
{
	struct unmap_vm v;
	__u64 fault;

	create(&v, BACKING_4K);
	TEST_ASSERT(reached(&v, 0) && reached(&v, SIZE_2M),
		    "mapped memory is not reached");
	TEST_ASSERT(!testdev_write(&v.testdev, GPA_LOW, 64),
		    "what was never mapped is reached");

	unmap(&v, 0);
	TEST_ASSERT(!reached(&v, 0), "unmapped memory is reached");
	fault = vtd_read(&v.s.edu, VTDT_FAULT_ADDR);
	TEST_ASSERT(fault == v.mem.gpa &&
		    vtd_read(&v.s.edu, VTDT_FAULT_WRITE) == 1,
		    "the fault is of %#llx", fault);
	TEST_ASSERT(reached(&v, SIZE_2M), "the neighbour is not reached");

	map(&v, 0);
	TEST_ASSERT(reached(&v, 0), "mapped again it is not reached");
	destroy(&v);
}

static void lost_invalidation(enum guest_mem_backing backing)
{
	struct unmap_vm v;

	create(&v, backing);
	TEST_ASSERT(reached(&v, 0), "mapped memory is not reached");
	vtd_write(&v.s.edu, VTDT_DROP, LOST);
	unmap(&v, 0);
	TEST_ASSERT(reached(&v, 0), "an entry went without invalidation");

	vtd_write(&v.s.edu, VTDT_DROP, 0);
	map(&v, 0);
	TEST_ASSERT(reached(&v, 0), "mapped again it is not reached");
	unmap(&v, 0);
	TEST_ASSERT(!reached(&v, 0), "unmapped memory is reached");
	destroy(&v);
}

static void lost_invalidation_4k(void)
{
	lost_invalidation(BACKING_4K);
}

static void lost_invalidation_2m(void)
{
	lost_invalidation(BACKING_2M);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "unmapped memory is blocked, its neighbour reached",
		  unmapped_is_blocked },
		{ "4K leaves: stale without the invalidation, not with it",
		  lost_invalidation_4k },
		{ "2M leaves: likewise", lost_invalidation_2m },
	};

	vtd_require();
	ksft_print_msg("%s mode\n", vtd_is_scalable() ? "scalable" : "legacy");
	return tap_run(cases, ARRAY_SIZE(cases));
}
