// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reasons for which a VM's table is not shared, with their errnos.
 */
#include <linux/bitmap.h>
#include <linux/errno.h>

#include "refuse.h"

static const struct mmu_share_refusal refusals[MMU_SHARE_NEEDS] = {
	[MMU_SHARE_ENABLED] = {
		-EOPNOTSUPP,
		"sharing is off; boot with kvm.share_iommu_tdp=1",
	},
	[MMU_SHARE_TDP_MMU] = {
		-ENXIO,
		"the TDP MMU is off; enable it and nested paging (kvm.tdp_mmu=1)",
	},
	[MMU_SHARE_AD_BITS] = {
		-EPROTONOSUPPORT,
		"KVM runs without A/D bits; enable them (kvm_intel.eptad=1)",
	},
	[MMU_SHARE_PLAIN_VM] = {
		-EPROTOTYPE,
		"the VM is confidential; use an ordinary HWPT",
	},
	[MMU_SHARE_BARE_METAL] = {
		-EREMOTE,
		"KVM runs on Hyper-V, which flushes TLBs; use an ordinary HWPT",
	},
	[MMU_SHARE_OWN_VM] = {
		-EPERM,
		"it is another process's; use an ordinary HWPT",
	},
	[MMU_SHARE_ALIVE] = {
		-EIO,
		"the VM is dead; start it again",
	},
};

/**
 * mmu_share_refusal() - Find what stands in the way of sharing
 * @met: bitmap of enum mmu_share_need, set where the need is met
 *
 * Context: any.
 * Return: the answer for the first need that is not met, NULL for none.
 */
const struct mmu_share_refusal *mmu_share_refusal(unsigned long met)
{
	unsigned int need = find_first_zero_bit(&met, MMU_SHARE_NEEDS);

	return need < MMU_SHARE_NEEDS ? &refusals[need] : NULL;
}
