// SPDX-License-Identifier: GPL-2.0-only
/*
 * In a boot with kvm.share_iommu_tdp=0 the flag is refused, and all else works
 * as on a kernel without it.
 *
 * bench: --append kvm.share_iommu_tdp=0
 */
#include "mmu_share.h"
#include "refusal.h"
#include "share_vm.h"
#include "tap.h"

#define SEED 0x0ff

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
	refusal_expect(&w, r, EOPNOTSUPP);
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

static void debugfs_says_not_shared(void)
{
	struct mmu_share_info info;
	struct share_vm s;

	share_vm_create(&s, HWPT_ORDINARY);
	if (mmu_share_read_fd(getpid(), s.vm->fd, &info))
		TEST_ASSERT_EQ(info.shared, 0);
	share_vm_destroy(&s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "the flag is refused: EOPNOTSUPP", flag_is_refused },
		{ "control: an ordinary HWPT works", ordinary_works },
		{ "debugfs shows nothing shared", debugfs_says_not_shared },
	};

	share_vm_require(false);
	return tap_run(cases, ARRAY_SIZE(cases));
}
