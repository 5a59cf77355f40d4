// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device moves from an ordinary HWPT to a shared one and back, in one step
 * each, and finds its memory in either, also in between.
 *
 * bench: --share
 * bench: --bench intel --vtd mode=scalable --share
 */
#include "iommu_hw.h"
#include "mmu_share.h"
#include "share_vm.h"
#include "slow_host.h"
#include "tap.h"

#define TEST_SIZE	(2 * SIZE_2M)
#define SEED		0x4e91
#define REPLACEMENTS	less_if_slow(200, 20)

static void expect_copy(struct share_vm *s, struct guest_mem *mem, __u64 seed)
{
	guest_fill(s->vcpus[0], mem->gpa, SIZE_4K, 8, seed);
	edu_copy(&s->edu, mem->gpa + SIZE_2M, mem->gpa, SIZE_4K);
	TEST_ASSERT_EQ(guest_diff(s->vcpus[1], mem->gpa + SIZE_2M, SIZE_4K, 8,
				  mem->gpa, seed), 0);
}

static void expect_on_kvm_root(struct share_vm *s, bool expected)
{
	struct mmu_share_info info;
	struct iommu_entry entry;

	iommu_entry_read(s->edu.bdf, &entry);
	mmu_share_read(s->vm, &info);
	TEST_ASSERT(entry.translates, "the device is not translated");
	TEST_ASSERT((entry.root == info.root) == expected,
		    "device's root %#llx, KVM's %#llx", entry.root, info.root);
}

static void there_and_back(void)
{
	struct guest_mem mem;
	struct share_vm s;
	__u32 ordinary;
	int i;

	/* Both HWPTs of one IOAS: each map goes into either. */
	share_vm_create(&s, HWPT_SHARED);
	ordinary = iommufd_hwpt_alloc(s.iommufd, s.edu.dev_id, s.ioas,
				      HWPT_ORDINARY, -1);
	share_vm_add_mem(&s, &mem, BACKING_4K, GPA_HIGH, TEST_SIZE);

	for (i = 0; i < 3; i++) {
		vfio_dev_attach(&s.edu, ordinary);
		expect_on_kvm_root(&s, false);
		expect_copy(&s, &mem, SEED + 2 * i);

		vfio_dev_attach(&s.edu, s.hwpt);
		expect_on_kvm_root(&s, true);
		expect_copy(&s, &mem, SEED + 2 * i + 1);
	}
	share_vm_destroy(&s);
}

/* As a VMM would that turns sharing on for a VM that runs. */
static void replaced_hwpt_goes_away(void)
{
	struct guest_mem mem;
	struct share_vm s;
	__u32 first;

	share_vm_create(&s, HWPT_ORDINARY);
	share_vm_add_mem(&s, &mem, BACKING_4K, GPA_HIGH, TEST_SIZE);
	expect_copy(&s, &mem, SEED);

	first = s.hwpt;
	share_vm_attach(&s, HWPT_SHARED);
	iommufd_destroy(s.iommufd, first);
	expect_on_kvm_root(&s, true);
	expect_copy(&s, &mem, SEED + 1);

	first = s.hwpt;
	share_vm_attach(&s, HWPT_ORDINARY);
	iommufd_destroy(s.iommufd, first);
	expect_copy(&s, &mem, SEED + 2);

	/* Nothing of the share is left, and it can be made once more. */
	share_vm_attach(&s, HWPT_SHARED);
	expect_on_kvm_root(&s, true);
	expect_copy(&s, &mem, SEED + 3);
	share_vm_destroy(&s);
}

/* A device that writes all the time finds its memory at each write. */
static void nothing_lost(void)
{
	struct testdev_load load = { .len = TEST_SIZE };
	struct vfio_dev testdev;
	struct guest_mem mem;
	struct share_vm s;
	__u32 ordinary;
	__u64 mark;
	int i;

	share_vm_create(&s, HWPT_SHARED);
	if (!share_vm_add_testdev(&s, &testdev))
		tap_skip_case("no iommu-testdev");
	ordinary = iommufd_hwpt_alloc(s.iommufd, testdev.dev_id, s.ioas,
				      HWPT_ORDINARY, -1);
	share_vm_add_mem(&s, &mem, BACKING_4K, GPA_HIGH, TEST_SIZE);
	load.dev = &testdev;
	load.iova = mem.gpa;
	load.va = mem.hva;

	mark = iommu_events_mark();
	testdev_load_start(&load);
	for (i = 0; i < REPLACEMENTS; i++) {
		vfio_dev_attach(&testdev, ordinary);
		vfio_dev_attach(&testdev, s.hwpt);
		testdev_load_wait(&load);
	}
	testdev_load_stop(&load);
	ksft_print_msg("%lu pages written by DMA over %d replacements\n",
		       load.done, 2 * REPLACEMENTS);
	TEST_ASSERT_EQ(load.lost, 0);
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);

	/* Control: a device that is detached in between does lose writes. */
	testdev_load_start(&load);
	while (!__atomic_load_n(&load.lost, __ATOMIC_RELAXED)) {
		vfio_dev_detach(&testdev);
		vfio_dev_attach(&testdev, s.hwpt);
	}
	testdev_load_stop(&load);

	vfio_dev_close(&testdev);
	share_vm_destroy(&s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "ordinary to shared and back, three times", there_and_back },
		{ "the HWPT that was replaced can be destroyed",
		  replaced_hwpt_goes_away },
		{ "no DMA is lost while HWPTs are replaced", nothing_lost },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
