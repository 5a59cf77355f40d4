// SPDX-License-Identifier: GPL-2.0-only
/*
 * In a boot with kvm.tdp_mmu=0 there is no table to share: ENXIO.
 *
 * bench: --append 'kvm.share_iommu_tdp=1 kvm.tdp_mmu=0'
 */
#include "refusal.h"
#include "share_vm.h"
#include "tap.h"

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
	refusal_expect(&w, r, ENXIO);

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
