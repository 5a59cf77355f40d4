// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each allocation that a step makes, and each call that may fail by itself,
 * fails once, in turn. Either the step gets by without it, or it fails, and then
 * all is as it was before, and the same step goes well when nothing fails.
 *
 * bench: --share
 * bench-intel: --vtd mode=scalable --share
 */
#include <sys/ioctl.h>
#include <linux/vfio.h>

#include "fail_nth.h"
#include "fail_parts.h"
#include "iommu_hw.h"
#include "mmu_share.h"
#include "processor.h"
#include "tap.h"

#define HALF		(SIZE_2M / 2)

/*
 * The parts that steps are made of. The boundary of the two memslots is one of
 * tables too. There are few pages, as each may be a run of its own, which is
 * looked up for itself.
 */
static void add_two_slots(struct world *w)
{
	const size_t half = 8 * SIZE_4K;
	void *va;

	va = kvm_mmap(2 * half, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1);
	w->mem.vm = w->s.vm;
	w->mem.gpa = MEM_GPA - half;
	w->mem.size = 2 * half;
	w->mem.hva = va;
	memset(va, 0, w->mem.size);
	vm_set_user_memory_region(w->s.vm, MEM_SLOT, 0, w->mem.gpa, half, va);
	vm_set_user_memory_region(w->s.vm, MEM_SLOT + 1, 0, MEM_GPA, half,
				  va + half);
	virt_map_level(w->s.vm, MEM_GPA - SIZE_2M, MEM_GPA - SIZE_2M,
		       2 * SIZE_2M, PG_LEVEL_2M);
}

static int attach_testdev_shared(struct world *w)
{
	return __vfio_dev_attach(&w->testdev, w->s.hwpt);
}

static void move_testdev_ordinary(struct world *w)
{
	vfio_dev_attach(&w->testdev, w->ordinary);
}

static void detach_testdev(struct world *w)
{
	vfio_dev_detach(&w->testdev);
}

static void add_ordinary(struct world *w)
{
	w->ordinary = iommufd_hwpt_alloc(w->s.iommufd, w->s.edu.dev_id,
					 w->s.ioas, HWPT_ORDINARY, 0);
	move_testdev_ordinary(w);
}

static void expect_testdev_at_kvms_root(struct world *w)
{
	struct mmu_share_info info;
	struct iommu_entry entry;

	mmu_share_read(w->s.vm, &info);
	iommu_entry_read(w->testdev.bdf, &entry);
	TEST_ASSERT(info.shared && entry.translates && entry.root == info.root,
		    "root %#llx in the IOMMU, KVM's is %#llx", entry.root,
		    info.root);
}

static void destroy_shared(struct world *w)
{
	iommufd_destroy(w->s.iommufd, w->s.hwpt);
	wait_until_nothing_shared();
}

/*
 * Sharing. The device is on an ordinary HWPT of the same IOAS meanwhile, so
 * that it must go on reaching what is mapped.
 */
static void use_new_share(struct world *w)
{
	vfio_dev_attach(&w->testdev, w->s.hwpt);
	expect_testdev_at_kvms_root(w);
	expect_reached(w, &w->kept, w->kept_reached);
	if (w->mem.size)
		expect_reached(w, &w->mem, w->mem_reached);
	move_testdev_ordinary(w);
}

static const struct step share_step = {
	.run = world_alloc_shared,
	.verify = use_new_share,
	.undo = destroy_shared,
};

static void setup_share_4k(struct world *w)
{
	world_map_kept(w);
	add_ordinary(w);
}

static void setup_share_2m(struct world *w)
{
	setup_share_4k(w);
	world_add_mem(w, BACKING_2M);
	share_vm_map(&w->s, &w->mem);
	w->mem_reached = true;
}

static void share_nothing(void)
{
	sweep(&share_step, add_ordinary);
}

static void share_4k(void)
{
	sweep(&share_step, setup_share_4k);
}

static void share_2m(void)
{
	sweep(&share_step, setup_share_2m);
}

static void share_bind_fails(void)
{
	sweep_function(&share_step, setup_share_2m, "tdp_bridge_bind");
}

/* By then the first ranges may be mapped. */
static void share_map_fails(void)
{
	sweep_function(&share_step, setup_share_2m, "mmu_share_map");
}

/*
 * Mapping. Each attempt has a new share, as the tables of the one before would
 * not be allocated again.
 */
static void drop_share(struct world *w)
{
	detach_testdev(w);
	destroy_shared(w);
}

static void unmap_and_drop_share(struct world *w)
{
	share_vm_unmap(&w->s, &w->mem);
	drop_share(w);
}

static const struct step map_step = {
	.prepare = world_new_share,
	.run = world_map_mem,
	.verify = world_use_new_map,
	.undo = unmap_and_drop_share,
	.vcpus_may_gain = true,
};

static void setup_map_4k(struct world *w)
{
	world_map_kept(w);
	world_add_mem(w, BACKING_4K);
}

/* A map goes into two tables then, or into none. */
static void setup_map_two_hwpts(struct world *w)
{
	setup_map_4k(w);
	add_ordinary(w);
	detach_testdev(w);
}

static void setup_map_two_slots(struct world *w)
{
	world_map_kept(w);
	add_two_slots(w);
}

static void map_4k(void)
{
	sweep(&map_step, setup_map_4k);
}

static void map_2m(void)
{
	sweep(&map_step, world_setup_map_2m);
}

static void map_two_slots(void)
{
	sweep(&map_step, setup_map_two_slots);
}

static void map_two_hwpts(void)
{
	sweep(&map_step, setup_map_two_hwpts);
}

static void map_call_fails(void)
{
	sweep_function(&map_step, setup_map_two_slots, "mmu_share_map");
}

/* A vCPU has a huge leaf there, of which one page is mapped. */
static void new_share_and_huge_leaf(struct world *w)
{
	struct mmu_share_info info;

	world_new_share(w);
	expect_guest_works(w, &w->mem);
	mmu_share_read(w->s.vm, &info);
	TEST_ASSERT(info.leaf_2m >= 1, "no huge leaf to split");
	expect_reached(w, &w->mem, false);
}

static int map_one_page(struct world *w)
{
	return __iommufd_map(w->s.iommufd, w->s.ioas, IOAS_MAP_RW,
			     w->mem.gpa + SIZE_4K, w->mem.hva + SIZE_4K,
			     SIZE_4K);
}

/* The rest stays the vCPUs' alone, and they notice nothing. */
static void use_one_page(struct world *w)
{
	struct guest_mem page = w->mem;
	struct mmu_share_info info;
	__u64 faults;

	mmu_share_read(w->s.vm, &info);
	TEST_ASSERT_EQ(info.pinned_bytes, KEPT_SIZE + SIZE_4K);
	TEST_ASSERT_EQ(info.leaf_2m, 0);
	page.gpa += SIZE_4K;
	page.hva += SIZE_4K;
	page.size = SIZE_4K;
	expect_reached(w, &page, true);
	expect_reached(w, &w->mem, false);
	share_vm_warm_up(&w->s);
	faults = share_vm_tdp_faults(&w->s);
	expect_guest_works(w, &w->mem);
	TEST_ASSERT_EQ(share_vm_tdp_faults(&w->s), faults);
}

static void unmap_one_page(struct world *w)
{
	iommufd_unmap(w->s.iommufd, w->s.ioas, w->mem.gpa + SIZE_4K, SIZE_4K);
	drop_share(w);
}

static void map_splits(void)
{
	static const struct step step = {
		.prepare = new_share_and_huge_leaf,
		.run = map_one_page,
		.verify = use_one_page,
		.undo = unmap_one_page,
		.vcpus_may_gain = true,
	};

	sweep(&step, world_setup_map_2m);
}

/*
 * Devices come and go.
 */
static void setup_shared_edu(struct world *w)
{
	world_setup_shared_detached(w);
	vfio_dev_attach(&w->s.edu, w->s.hwpt);
}

static void expect_attached(struct world *w)
{
	expect_testdev_at_kvms_root(w);
	expect_reached(w, &w->kept, true);
	expect_reached(w, &w->mem, false);
}

static const struct step attach_step = {
	.run = attach_testdev_shared,
	.verify = expect_attached,
	.undo = detach_testdev,
};

static void attach_first(void)
{
	sweep(&attach_step, world_setup_shared_detached);
}

static void attach_second(void)
{
	sweep(&attach_step, setup_shared_edu);
}

static void setup_two_hwpts(struct world *w)
{
	world_setup_shared(w);
	add_ordinary(w);
}

static void move_testdev_shared(struct world *w)
{
	vfio_dev_attach(&w->testdev, w->s.hwpt);
}

static int attach_testdev_ordinary(struct world *w)
{
	return __vfio_dev_attach(&w->testdev, w->ordinary);
}

static void expect_replaced_by_ordinary(struct world *w)
{
	struct mmu_share_info info;
	struct iommu_entry entry;

	mmu_share_read(w->s.vm, &info);
	iommu_entry_read(w->testdev.bdf, &entry);
	TEST_ASSERT(entry.translates && entry.root != info.root,
		    "the IOMMU still walks KVM's root");
	expect_reached(w, &w->kept, true);
}

static void replace_by_shared(void)
{
	static const struct step step = {
		.prepare = move_testdev_ordinary,
		.run = attach_testdev_shared,
		.verify = expect_attached,
		.undo = move_testdev_ordinary,
	};

	sweep(&step, setup_two_hwpts);
}

static void replace_by_ordinary(void)
{
	static const struct step step = {
		.prepare = move_testdev_shared,
		.run = attach_testdev_ordinary,
		.verify = expect_replaced_by_ordinary,
		.undo = move_testdev_shared,
	};

	sweep(&step, setup_two_hwpts);
}

static int detach(struct world *w)
{
	struct vfio_device_detach_iommufd_pt cmd = { .argsz = sizeof(cmd) };

	return ioctl(w->testdev.fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &cmd) ?
	       -errno : 0;
}

static void expect_detached(struct world *w)
{
	expect_reached(w, &w->kept, false);
}

static void detach_last(void)
{
	static const struct step step = {
		.run = detach,
		.verify = expect_detached,
		.undo = move_testdev_shared,
		.must_not_fail = true,
		.no_faults = true,
	};

	sweep(&step, world_setup_shared);
}

static int destroy_hwpt(struct world *w)
{
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = w->s.hwpt };

	return ioctl(w->s.iommufd, IOMMU_DESTROY, &cmd) ? -errno : 0;
}

static void new_share_without_device(struct world *w)
{
	world_new_share(w);
	detach_testdev(w);
	w->kept_reached = false;
}

/* The pages are still the IOAS's: the next HWPT finds them mapped. */
static void expect_nothing_shared(struct world *w)
{
	struct mmu_share_info info;

	wait_until_nothing_shared();
	mmu_share_read(w->s.vm, &info);
	TEST_ASSERT_EQ(info.shared, 0);
	expect_reached(w, &w->kept, false);
	world_new_share(w);
	expect_reached(w, &w->kept, true);
	drop_share(w);
}

static void destroy(void)
{
	static const struct step step = {
		.prepare = new_share_without_device,
		.run = destroy_hwpt,
		.verify = expect_nothing_shared,
		.must_not_fail = true,
	};

	sweep(&step, setup_map_4k);
}

/*
 * Unmapping, which must not fail.
 */
static int unmap_mem(struct world *w)
{
	return __iommufd_unmap(w->s.iommufd, w->s.ioas, w->mem.gpa,
			       w->mem.size);
}

static void expect_mem_unmapped(struct world *w)
{
	expect_reached(w, &w->kept, true);
	expect_reached(w, &w->mem, false);
}

static void unmap_4k(void)
{
	static const struct step step = {
		.prepare = world_map_mem_again,
		.run = unmap_mem,
		.verify = expect_mem_unmapped,
		.must_not_fail = true,
	};

	sweep(&step, world_setup_shared);
}

/* Two mappings, of which KVM makes one leaf when its dirty log ends. */
static void recover_huge_leaf(struct world *w)
{
	iommufd_map(w->s.iommufd, w->s.ioas, w->mem.gpa, w->mem.hva, HALF);
	iommufd_map(w->s.iommufd, w->s.ioas, w->mem.gpa + HALF,
		    w->mem.hva + HALF, HALF);
	world_set_dirty_log(w, true);
	world_set_dirty_log(w, false);
	world_expect_huge_leaves(w, 1);
	w->mem_reached = true;
	world_expect_all_reached(w);
}

static int unmap_first_half(struct world *w)
{
	return __iommufd_unmap(w->s.iommufd, w->s.ioas, w->mem.gpa, HALF);
}

static void expect_second_half(struct world *w)
{
	struct guest_mem first = w->mem, second = w->mem;

	first.size = HALF;
	second.size = HALF;
	second.gpa += HALF;
	second.hva += HALF;
	world_expect_huge_leaves(w, 0);
	expect_reached(w, &first, false);
	expect_reached(w, &second, true);
}

static void unmap_second_half(struct world *w)
{
	iommufd_unmap(w->s.iommufd, w->s.ioas, w->mem.gpa + HALF, HALF);
}

static void unmap_part_of_huge_leaf(void)
{
	static const struct step step = {
		.prepare = recover_huge_leaf,
		.run = unmap_first_half,
		.verify = expect_second_half,
		.undo = unmap_second_half,
		.must_not_fail = true,
	};

	sweep(&step, world_setup_shared_2m);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "share, nothing is mapped", share_nothing },
		{ "share, 4K pages are mapped", share_4k },
		{ "share, 2M pages are mapped", share_2m },
		{ "share, the table can't be bound", share_bind_fails },
		{ "share, KVM can't map it all", share_map_fails },
		{ "map 4K pages", map_4k },
		{ "map 2M pages", map_2m },
		{ "map a page of a vCPU's huge leaf", map_splits },
		{ "map two memslots at once", map_two_slots },
		{ "map 4K pages into two HWPTs at once", map_two_hwpts },
		{ "map, KVM can't map it", map_call_fails },
		{ "attach the first device", attach_first },
		{ "attach a second device", attach_second },
		{ "replace an ordinary HWPT by a shared one",
		  replace_by_shared },
		{ "replace a shared HWPT by an ordinary one",
		  replace_by_ordinary },
		{ "detach", detach_last },
		{ "destroy the HWPT", destroy },
		{ "unmap 4K pages", unmap_4k },
		{ "unmap part of a huge leaf", unmap_part_of_huge_leaf },
	};

	share_vm_require(true);
	__TEST_REQUIRE(fault_injection_setup(),
		       "needs a kernel that can inject faults");
	return tap_run(cases, ARRAY_SIZE(cases));
}
