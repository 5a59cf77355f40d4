// SPDX-License-Identifier: GPL-2.0-only
/*
 * In a boot with kvm.share_iommu_tdp=0 the flag is refused, and all else works
 * as on a kernel without it.
 *
 * bench: --append kvm.share_iommu_tdp=0
 * bench-intel: --vtd mode=scalable --append kvm.share_iommu_tdp=0
 */
#include "mmu_share.h"
#include "no_sharing.h"
#include "tap.h"

static void flag_is_refused(void)
{
	struct share_vm s;

	no_sharing_refused(&s, EOPNOTSUPP);
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
		{ "control: an ordinary HWPT works", no_sharing_ordinary_works },
		{ "debugfs shows nothing shared", debugfs_says_not_shared },
	};

	share_vm_require(false);
	return tap_run(cases, ARRAY_SIZE(cases));
}
