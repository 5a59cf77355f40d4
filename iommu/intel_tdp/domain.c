// SPDX-License-Identifier: GPL-2.0-only
/*
 * Second-stage domains whose table is a hypervisor's: EPT. Sections are those of
 * Intel's "Virtualization Technology for Directed I/O", revision 4.1.
 *
 * Such a domain has no PASIDs and is no nesting parent. Erratum 772415 (SPR17)
 * forbids read-only entries in a parent's table, and a hypervisor has some: for
 * memslots that are read-only, for pages that its process may not write.
 */
#define pr_fmt(fmt) "DMAR: " fmt

#include <linux/init.h>
#include <linux/iommu.h>
#include <linux/sizes.h>
#include <linux/tdp_bridge.h>

#include "../iommu.h"
#include "../pasid.h"

/* Extended memory type enable, 9.6: leaves have a memory type, by which DMA goes. */
#define PASID_ENTRY_EMTE	BIT_ULL(90 - 64)

/* Whoever booted the kernel says that bit 62 of a leaf is reserved; see admit(). */
static bool bit_62_is_reserved __ro_after_init;

/**
 * intel_tdp_option() - One option of the kernel parameter intel_iommu=
 * @str: begins with it
 *
 * Context: boot.
 * Return: whether it is known here.
 */
bool __init intel_tdp_option(const char *str)
{
	if (strncmp(str, "tdp_bit62", 9))
		return false;
	pr_info("Bit 62 of second-stage leaves is taken for reserved\n");
	bit_62_is_reserved = true;
	return true;
}

/* Whether a unit can walk a hypervisor's table at all: 0, or one of TDP_REFUSE_*. */
static int admit(struct intel_iommu *iommu)
{
	/* ECAP.SSTS (11.4.3). In legacy mode there is nothing else. */
	if (sm_supported(iommu) && !ecap_slts(iommu->ecap))
		return TDP_REFUSE_WALK;
	/*
	 * What bypasses the caches is made to snoop by PGSNP of the PASID-table entry
	 * (9.6). Legacy mode has SNP of each leaf (9.8) alone, which KVM leaves 0. A
	 * device for which that can be enforced (ECAP.SC) is taken for coherent by
	 * VFIO and must not be lied to; any other never was.
	 */
	if (!sm_supported(iommu) && ecap_sc_support(iommu->ecap))
		return TDP_REFUSE_MODE;
	/*
	 * ECAP.SMPWC, or in legacy mode ECAP.C (11.4.3). The hypervisor flushes no
	 * cache line after it has written an entry.
	 */
	if (!iommu_paging_structure_coherency(iommu))
		return TDP_REFUSE_INCOHERENT;
	/*
	 * CAP.CM (6.1). What vCPUs fault in would have to be flushed, as it becomes
	 * present: KVM flushes only what stops to be.
	 */
	if (cap_caching_mode(iommu->cap))
		return TDP_REFUSE_CACHING_MODE;
	/* CAP.RWBF (6.8). Likewise. */
	if (rwbf_required(iommu))
		return TDP_REFUSE_WRITE_BUFFER;
	/*
	 * ECAP.DT (11.4.3). A leaf is shut to devices by bit 62, which is reserved
	 * (9.8) since revision 3.2. Before, with device TLBs, it was TM, transient
	 * mapping, and the device would reach the page. No register tells which.
	 */
	if (ecap_dev_iotlb_support(iommu->ecap) && !bit_62_is_reserved)
		return TDP_REFUSE_BIT_62;
	return 0;
}

/* Sizes of second-stage leaves: CAP.SSLPS (11.4.2). */
static unsigned long page_sizes(struct intel_iommu *iommu)
{
	unsigned int sslps = cap_super_page_val(iommu->cap);
	unsigned long sizes = SZ_4K;

	if (!intel_iommu_superpage)
		return sizes;
	if (sslps & BIT(0))
		sizes |= SZ_2M;
	if (sslps & BIT(1))
		sizes |= SZ_1G;
	return sizes;
}

/* Numbers of second-stage levels, a bitmap: CAP.SAGAW (11.4.2), bit 1 is three. */
static unsigned long table_levels(struct intel_iommu *iommu)
{
	return (cap_sagaw(iommu->cap) & GENMASK(3, 1)) << 2;
}

/**
 * intel_tdp_domain_alloc() - Allocate a domain whose table will be a hypervisor's
 * @dev: whose unit is to walk it
 * @dirty: the unit is to set A and D, so that what devices write can be known
 *
 * It is good for nothing but tdp_bridge_bind() and to be freed before that.
 *
 * Context: may sleep.
 * Return: the domain, or an ERR_PTR() of -ENOMEM or one of TDP_REFUSE_*.
 */
struct iommu_domain *intel_tdp_domain_alloc(struct device *dev, bool dirty)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_iommu *iommu = info->iommu;
	struct pt_iommu_vtdss_cfg cfg = {};
	struct dmar_domain *domain;
	int ret;

	ret = admit(iommu);
	if (ret)
		return ERR_PTR(ret);
	/* ECAP.SSADS (11.4.3). */
	if (dirty && !ssads_supported(iommu))
		return ERR_PTR(TDP_REFUSE_DIRTY);

	domain = paging_domain_alloc();
	if (IS_ERR(domain))
		return ERR_CAST(domain);

	domain->domain.ops = &intel_tdp_domain_ops;
	domain->iommu.nid = dev_to_node(dev);
	/* For as long as it lives: SSADE of the PASID-table entry (9.6). */
	domain->dirty_tracking = dirty;
	if (dirty)
		domain->domain.dirty_ops = &tdp_bridge_dirty_ops;

	/* CAP.MGAW (11.4.2): requests beyond are blocked, whatever the table says. */
	cfg.common.hw_max_vasz_lg2 = cap_mgaw(iommu->cap);
	cfg.common.hw_max_oasz_lg2 = 52;
	tdp_bridge_init_vtdss(&domain->tdp, &cfg, table_levels(iommu),
			      page_sizes(iommu));
	return &domain->domain;
}

/**
 * intel_tdp_compatible() - Whether a device may be attached to such a domain
 * @domain: a bound one
 * @dev: the device, perhaps behind another unit than that which it was made for
 *
 * dmar_domain::force_snooping is read without dmar_domain::lock: iommufd sets it
 * before anything is attached.
 *
 * Context: any.
 * Return: 0, or the errno of tdp_bridge_refuse_attach().
 */
int intel_tdp_compatible(struct dmar_domain *domain, struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_iommu *iommu = info->iommu;
	struct pt_iommu_vtdss_hw_info table;
	int ret;

	pt_iommu_vtdss_hw_info(&domain->sspt, &table);

	ret = admit(iommu);
	if (!ret && (!(cap_sagaw(iommu->cap) & BIT(table.aw)) ||
		     cap_mgaw(iommu->cap) <
			     domain->sspt.vtdss_pt.common.max_vasz_lg2 ||
		     (domain->domain.pgsize_bitmap & ~page_sizes(iommu))))
		ret = TDP_REFUSE_WALK;
	if (!ret && domain->dirty_tracking && !ssads_supported(iommu))
		ret = TDP_REFUSE_DIRTY;
	if (!ret && domain->force_snooping &&
	    !(sm_supported(iommu) && ecap_sc_support(iommu->ecap)))
		ret = TDP_REFUSE_SNOOP;
	return ret ? tdp_bridge_refuse_attach(&domain->tdp, dev, ret) : 0;
}

/**
 * intel_tdp_config_entry() - What is different in the PASID-table entry
 * @domain: a second-stage domain, of any kind
 * @pte: its entry, complete but for P
 *
 * Context: intel_iommu::lock and, unless nobody else knows the device there,
 * dmar_domain::lock held.
 */
void intel_tdp_config_entry(struct dmar_domain *domain, struct pasid_entry *pte)
{
	if (!intel_domain_is_tdp(domain))
		return;

	/* The leaves do not say it: bit 11 is the hypervisor's. */
	if (domain->force_snooping)
		pasid_set_pgsnp(pte);

	/*
	 * In bits 3 to 5 leaves have EPT's memory type, and one of no meaning where
	 * vCPUs are to be stopped. VT-d ignores them as long as EMTE is 0.
	 */
	WARN_ON_ONCE(pte->val[1] & PASID_ENTRY_EMTE);
}
