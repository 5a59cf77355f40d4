// SPDX-License-Identifier: GPL-2.0-only
/*
 * In a boot with kvm.tdp_mmu=0 there is no table to share: ENXIO.
 *
 * bench: --append 'kvm.share_iommu_tdp=1 kvm.tdp_mmu=0'
 * bench-intel: --vtd mode=scalable --append 'kvm.share_iommu_tdp=1 kvm.tdp_mmu=0'
 */
#include "no_sharing.h"
#include "tap.h"

static void flag_is_refused(void)
{
	struct share_vm s;

	no_sharing_refused(&s, ENXIO);

	/* Control: the device takes another HWPT, and the guest runs. */
	share_vm_attach(&s, HWPT_ORDINARY);
	guest_nop(s.vcpus[0]);
	share_vm_destroy(&s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "the flag is refused: ENXIO", flag_is_refused },
	};

	share_vm_require(true);
	__TEST_REQUIRE(!get_kvm_param_bool("tdp_mmu"),
		       "needs a boot with kvm.tdp_mmu=0");
	return tap_run(cases, ARRAY_SIZE(cases));
}
