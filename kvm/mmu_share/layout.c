// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gives KVM's own SPTE bits the positions that the entry-format contract asks
 * for, once, when the vendor module loads.
 */
#include <linux/kvm_host.h>
#include <linux/moduleparam.h>

#include "mmu.h"
#include "doors.h"
#include "share.h"

bool __ro_after_init share_iommu_tdp;
EXPORT_SYMBOL_FOR_KVM_INTERNAL(share_iommu_tdp);
module_param(share_iommu_tdp, bool, 0444);
MODULE_PARM_DESC(share_iommu_tdp,
		 "Let an assigned device's IOMMU walk the VM's TDP table (default: off)");

DEFINE_STATIC_KEY_FALSE(mmu_share_key);

enum mmu_share_format mmu_share_format;
struct mmu_share_doors mmu_share_doors;

/**
 * mmu_share_set_layout() - Choose where SPTEs hold KVM's own bits
 *
 * With share_iommu_tdp=0, or without A/D bits, upstream's layout stays. The TDP MMU must be in use:
 * a legacy shadow page may be a PAE one, in which bits 52-62 are reserved (AMD64
 * APM vol. 2, 5.2.3).
 *
 * Context: vendor module load, before the first SPTE is made.
 */
void mmu_share_set_layout(void)
{
	const struct mmu_share_layout *layout;

	if (!share_iommu_tdp || !kvm_ad_enabled)
		return;

	/* NPT entries have an NX bit where EPT entries have X bits. */
	mmu_share_format = shadow_nx_mask ? MMU_SHARE_NPT_AMDV1 :
					    MMU_SHARE_EPT_VTDSS;
	layout = &mmu_share_layouts[mmu_share_format];

	shadow_mmu_present_mask = layout->mmu_present;
	shadow_host_writable_mask = layout->host_writable;
	shadow_mmu_writable_mask = layout->mmu_writable;
	shadow_tdp_ad_mask = 3ULL << layout->ad_type_shift;
	shadow_tdp_ad_disabled = BIT_ULL(layout->ad_type_shift);
	shadow_leaf_mask = layout->leaf_set;
	shadow_leaf_writable_mask = layout->leaf_writable_set;
	shadow_nonleaf_mask = layout->table_set;
	shadow_next_level_shift = layout->next_level_shift;
	shadow_mmio_gen = (struct mmio_spte_gen_layout) {
		.low_start = layout->gen_low_start,
		.low_bits = layout->gen_low_bits,
		.high_start = layout->gen_high_start,
		.high_bits = layout->gen_high_bits,
	};

	mmu_share_doors = layout->doors;

	/*
	 * AMD's MMIO value is upstream's already, a reserved address bit, and
	 * svm.c may move it for memory encryption.
	 */
	if (mmu_share_format == MMU_SHARE_EPT_VTDSS)
		kvm_mmu_set_mmio_spte_mask(layout->mmio_value,
					   layout->mmio_mask, 0);

	static_branch_enable(&mmu_share_key);
}
