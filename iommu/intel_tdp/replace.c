// SPDX-License-Identifier: GPL-2.0-only
/*
 * Go from one paging domain to another by one write of the live PASID-table or
 * context entry, so that no DMA finds the device blocked. Sections are those of
 * Intel's "Virtualization Technology for Directed I/O", revision 4.1.
 *
 * Hardware reads a legacy context entry (9.3), and each aligned 128 bits of a
 * PASID-table entry (9.6), at once (chapter 9): of what one locked 128-bit write
 * changes it finds all or nothing. In a PASID-table entry P, PGTT, AW, SSADE, the
 * second stage's pointer, the domain ID and the snoop bits lie in the first 128
 * bits. Only the first stage's pointer and mode lie in the next, which is ignored
 * while PGTT says second stage. So that part is written before an entry goes to a
 * first stage, and cleared after it has left one, each time with an invalidation
 * of the PASID cache between, lest hardware has read the parts apart in time.
 *
 * That leaves two first stages. The pointer would change under the old domain ID,
 * and what is cached then would be wrong for other devices of the old domain (6.2.1:
 * the pointer is no tag). They go by way of blocking, as without this.
 *
 * 6.5.3.3 says what to invalidate, and in which order: PASID cache or context
 * cache, IOTLB, device TLB. Until that is done hardware may go by the old entry and
 * by what is cached under the old domain ID, so the old domain must stay as it is:
 * the caller holds a reference. The flushes of either domain meanwhile reach the
 * device, because it is in both domains' cache tags from before the write until
 * after the invalidation.
 */
#include <linux/iommu.h>
#include <linux/pci.h>

#include "../iommu.h"
#include "../pasid.h"

/* There is no other writer: intel_iommu::lock is held, hardware writes neither. */
static void write_128(void *entry, const void *new)
{
	u128 old = *(u128 *)entry;

	WARN_ON(!try_cmpxchg128((u128 *)entry, &old, *(const u128 *)new));
}

/* Bits 128 to 255 of a PASID-table entry, which hardware ignores at that time. */
static void write_first_stage(struct intel_iommu *iommu, struct pasid_entry *pte,
			      const struct pasid_entry *new)
{
	WRITE_ONCE(pte->val[2], new->val[2]);
	WRITE_ONCE(pte->val[3], new->val[3]);
	__iommu_flush_cache(iommu, pte, sizeof(*pte));
}

static int config_entry(struct intel_iommu *iommu, struct pasid_entry *pte,
			struct dmar_domain *domain)
{
	u16 did = domain_id_iommu(domain, iommu);
	phys_addr_t fsptptr;
	int flags;

	if (intel_domain_is_ss_paging(domain)) {
		pasid_pte_config_second_level(iommu, pte, domain, did);
		return 0;
	}

	flags = domain_first_level_flags(domain, &fsptptr);
	if (flags < 0)
		return flags;
	pasid_pte_config_first_level(iommu, pte, fsptptr, did, flags);
	return 0;
}

/*
 * The PASID-table entry of scalable mode. -ENODEV if none is present, -EINVAL if it
 * can't hold the domain; then nothing has changed.
 */
static int replace_pasid_entry(struct dmar_domain *domain, struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_iommu *iommu = info->iommu;
	struct pasid_entry new __aligned(16) = {};
	struct pasid_entry *pte;
	bool to_first, from_first;
	u16 did;
	int ret;

	guard(spinlock)(&iommu->lock);

	pte = intel_pasid_get_entry(dev, IOMMU_NO_PASID);
	if (!pte || !pasid_pte_is_present(pte))
		return -ENODEV;
	did = pasid_get_domain_id(pte);
	from_first = pasid_pte_get_pgtt(pte) == PASID_ENTRY_PGTT_FL_ONLY;

	ret = config_entry(iommu, &new, domain);
	if (ret)
		return ret;
	to_first = pasid_pte_get_pgtt(&new) == PASID_ENTRY_PGTT_FL_ONLY;
	if (WARN_ON_ONCE(to_first && from_first))
		return -EINVAL;

	if (to_first) {
		write_first_stage(iommu, pte, &new);
		pasid_cache_invalidation_with_pasid(iommu, did, IOMMU_NO_PASID);
	}

	write_128(pte, &new);
	__iommu_flush_cache(iommu, pte, sizeof(*pte));

	pasid_cache_invalidation_with_pasid(iommu, did, IOMMU_NO_PASID);
	if (from_first)
		qi_flush_piotlb_all(iommu, did, IOMMU_NO_PASID);
	else
		iommu->flush.flush_iotlb(iommu, did, 0, 0, DMA_TLB_DSI_FLUSH);
	devtlb_invalidation_with_pasid(iommu, dev, IOMMU_NO_PASID);

	if (from_first)
		write_first_stage(iommu, pte, &new);
	return 0;
}

struct replaced {
	struct device_domain_info *info;
	struct dmar_domain *domain;
	u16 old_did;
};

/*
 * One context entry of legacy mode. Those of aliases may be other devices' as well,
 * which have been moved already or have cleared them: they are left as they are.
 */
static void replace_context(struct replaced *r, u8 bus, u8 devfn)
{
	struct intel_iommu *iommu = r->info->iommu;
	struct pt_iommu_vtdss_hw_info table;
	struct context_entry new __aligned(16);
	struct context_entry *context;

	pt_iommu_vtdss_hw_info(&r->domain->sspt, &table);

	guard(spinlock)(&iommu->lock);

	context = iommu_context_addr(iommu, bus, devfn, false);
	if (!context || !context_present(context) ||
	    context_domain_id(context) != r->old_did)
		return;

	new = (struct context_entry){ .lo = context->lo };
	context_set_address_root(&new, table.ssptptr);
	context_set_address_width(&new, table.aw);
	context_set_domain_id(&new, domain_id_iommu(r->domain, iommu));

	write_128(context, &new);
	__iommu_flush_cache(iommu, context, sizeof(*context));
	intel_context_flush_no_pasid(r->info, context, r->old_did,
				     PCI_DEVID(bus, devfn));
}

static int replace_alias(struct pci_dev *pdev, u16 alias, void *opaque)
{
	replace_context(opaque, PCI_BUS_NUM(alias), alias & 0xff);
	return 0;
}

static void replace_contexts(struct dmar_domain *domain, struct dmar_domain *old,
			     struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct replaced r = {
		.info = info,
		.domain = domain,
		.old_did = domain_id_iommu(old, info->iommu),
	};

	if (dev_is_pci(dev))
		pci_for_each_dma_alias(to_pci_dev(dev), replace_alias, &r);
	else
		replace_context(&r, info->bus, info->devfn);
}

/**
 * intel_can_replace_device() - Whether a device can go to another domain in place
 * @domain: the new one, a paging domain that is compatible
 * @dev: the device
 *
 * Not where page requests are handled, which have to be drained in between.
 *
 * Context: the device's IOMMU group is locked by the core.
 */
bool intel_can_replace_device(struct dmar_domain *domain, struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct dmar_domain *old = info->domain;

	if (!info->domain_attached || !old || old == domain ||
	    !(old->domain.type & __IOMMU_DOMAIN_PAGING) ||
	    dev_is_real_dma_subdevice(dev) || !system_has_cmpxchg128())
		return false;
	if (domain->domain.iopf_handler || old->domain.iopf_handler)
		return false;
	return intel_domain_is_ss_paging(domain) || intel_domain_is_ss_paging(old);
}

/**
 * intel_replace_device() - Replace a device's domain by another in place
 * @domain: the new one; intel_can_replace_device() said yes
 * @dev: the device
 *
 * Both domains are locked while the device goes over. So dirty tracking and snoop
 * control, which are switched for the devices of a domain, find it in the domain
 * whose entry it has, or wait.
 *
 * Context: may sleep; the device's IOMMU group is locked by the core.
 * Return: 0, -ENOMEM, or -ENOSPC if the unit has no domain ID left. On failure
 * the device is where it was.
 */
int intel_replace_device(struct dmar_domain *domain, struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_iommu *iommu = info->iommu;
	struct dmar_domain *old = info->domain;
	struct dmar_domain *first = old < domain ? old : domain;
	struct dmar_domain *second = old < domain ? domain : old;
	unsigned long flags;
	int ret;

	ret = domain_attach_iommu(domain, iommu);
	if (ret)
		return ret;
	ret = cache_tag_assign_domain(domain, dev, IOMMU_NO_PASID);
	if (ret)
		goto err_detach;

	spin_lock_irqsave(&first->lock, flags);
	spin_lock_nested(&second->lock, SINGLE_DEPTH_NESTING);
	if (sm_supported(iommu))
		ret = replace_pasid_entry(domain, dev);
	else
		replace_contexts(domain, old, dev);
	if (!ret) {
		list_move(&info->link, &domain->devices);
		info->domain = domain;
	}
	spin_unlock(&second->lock);
	spin_unlock_irqrestore(&first->lock, flags);
	if (ret)
		goto err_unassign;

	cache_tag_unassign_domain(old, dev, IOMMU_NO_PASID);
	domain_detach_iommu(old, iommu);
	return 0;

err_unassign:
	cache_tag_unassign_domain(domain, dev, IOMMU_NO_PASID);
err_detach:
	domain_detach_iommu(domain, iommu);
	return ret;
}
