// SPDX-License-Identifier: GPL-2.0-only
/* What the steps that are to fail are made of: memory, shares, maps, checks. */
#include "fail_parts.h"
#include "mmu_share.h"
#include "tap.h"

void world_map_kept(struct world *w)
{
	share_vm_map(&w->s, &w->kept);
	w->kept_reached = true;
}

void world_add_mem(struct world *w, enum guest_mem_backing backing)
{
	guest_mem_add(&w->mem, w->s.vm, MEM_SLOT, backing, MEM_GPA, SIZE_2M);
}

int world_alloc_shared(struct world *w)
{
	return __iommufd_hwpt_alloc(w->s.iommufd, w->s.edu.dev_id, w->s.ioas,
				    IOMMU_HWPT_ALLOC_KVM_TDP, w->s.vm->fd,
				    &w->s.hwpt);
}

void world_expect_all_reached(struct world *w)
{
	expect_reached(w, &w->kept, true);
	expect_reached(w, &w->mem, true);
}

void world_new_share(struct world *w)
{
	int r = world_alloc_shared(w);

	TEST_ASSERT(!r, "HWPT_ALLOC: %s", strerror(-r));
	vfio_dev_attach(&w->testdev, w->s.hwpt);
	w->kept_reached = true;
}

int world_map_mem(struct world *w)
{
	return __iommufd_map(w->s.iommufd, w->s.ioas, IOAS_MAP_RW, w->mem.gpa,
			     w->mem.hva, w->mem.size);
}

void world_use_new_map(struct world *w)
{
	__u64 faults;

	world_expect_all_reached(w);
	share_vm_warm_up(&w->s);
	faults = share_vm_tdp_faults(&w->s);
	expect_guest_works(w, &w->mem);
	TEST_ASSERT_EQ(share_vm_tdp_faults(&w->s), faults);
}

void world_setup_map_2m(struct world *w)
{
	world_map_kept(w);
	world_add_mem(w, BACKING_2M);
}

void world_setup_shared_detached(struct world *w)
{
	int r;

	world_map_kept(w);
	world_add_mem(w, BACKING_4K);
	r = world_alloc_shared(w);
	TEST_ASSERT(!r, "HWPT_ALLOC: %s", strerror(-r));
	w->kept_reached = false;
}

void world_setup_shared(struct world *w)
{
	world_setup_shared_detached(w);
	vfio_dev_attach(&w->testdev, w->s.hwpt);
	w->kept_reached = true;
}

void world_setup_shared_2m(struct world *w)
{
	world_setup_map_2m(w);
	world_new_share(w);
}

void world_map_mem_again(struct world *w)
{
	share_vm_map(&w->s, &w->mem);
	w->mem_reached = true;
	world_expect_all_reached(w);
}

void world_expect_huge_leaves(struct world *w, __u64 nr)
{
	__u64 leaves = share_vm_leaves_2m(&w->s);

	TEST_ASSERT(leaves == nr, "%llu leaves of 2M, wanted %llu", leaves, nr);
}

void world_set_dirty_log(struct world *w, bool on)
{
	share_vm_log_dirty(&w->s, MEM_SLOT, on);
}
