// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device behind an IOMMU that can't walk KVM's table is refused, and is as
 * good as ever with a table of its own.
 *
 * bench: --iommu intel --append 'kvm.share_iommu_tdp=1 intel_iommu=on,sm_on'
 */
#include "mmu_share.h"
#include "refusal.h"
#include "share_vm.h"
#include "tap.h"

#define SEED 0x1e1

static void flag_is_refused(void)
{
	struct refusal_watch w;
	struct share_vm s;
	__u32 hwpt;
	int r;

	share_vm_create_detached(&s);
	refusal_watch_start(&w);
	r = __iommufd_hwpt_alloc(s.iommufd, s.edu.dev_id, s.ioas,
				 IOMMU_HWPT_ALLOC_KVM_TDP, s.vm->fd, &hwpt);
	refusal_expect(&w, r, ENODEV);
	share_vm_destroy(&s);
}

static void ordinary_works(void)
{
	struct guest_mem mem;
	struct share_vm s;

	share_vm_create(&s, HWPT_ORDINARY);
	share_vm_add_mem(&s, &mem, BACKING_4K, GPA_HIGH, SIZE_2M);
	guest_fill(s.vcpus[0], mem.gpa, SIZE_4K, 8, SEED);
	edu_copy(&s.edu, mem.gpa + SIZE_4K, mem.gpa, SIZE_4K);
	TEST_ASSERT_EQ(guest_diff(s.vcpus[1], mem.gpa + SIZE_4K, SIZE_4K, 8,
				  mem.gpa, SEED), 0);
	share_vm_destroy(&s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "the flag is refused: ENODEV", flag_is_refused },
		{ "control: an ordinary HWPT works", ordinary_works },
	};

	__TEST_REQUIRE(access("/sys/class/iommu/dmar0", F_OK) == 0,
		       "needs a boot with an Intel IOMMU");
	return tap_run(cases, ARRAY_SIZE(cases));
}
