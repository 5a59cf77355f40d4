// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device behind an IOMMU that can't walk KVM's table is refused, and is as
 * good as ever with a table of its own. QEMU's VT-d says that its walks don't
 * snoop; NPT is no table for it either.
 *
 * bench: --iommu intel --append 'kvm.share_iommu_tdp=1 intel_iommu=on,sm_on'
 */
#include "no_sharing.h"
#include "tap.h"

static void flag_is_refused(void)
{
	struct share_vm s;

	no_sharing_refused(&s, ESTALE);
	share_vm_destroy(&s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "the flag is refused: ESTALE", flag_is_refused },
		{ "control: an ordinary HWPT works", no_sharing_ordinary_works },
	};

	__TEST_REQUIRE(access("/sys/class/iommu/dmar0", F_OK) == 0,
		       "needs a boot with an Intel IOMMU");
	return tap_run(cases, ARRAY_SIZE(cases));
}
