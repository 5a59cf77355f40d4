// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty pages of an HWPT that changes its domain in the middle of dirty tracking.
 *
 * Either domain says what was written while devices were on it. Both track while
 * devices move; when all have left one, and before it goes, what it says is taken
 * along (&iommufd_hwpt_paging.tdp_dirty), until user space asks for it. So tracking
 * may be on, off or switched while the HWPT is on either, and nothing is lost, nor
 * reported twice.
 */
#include <linux/iommu.h>
#include <linux/tdp_bridge.h>

#include "../io_pagetable.h"
#include "tdp_private.h"

struct carry {
	struct iommu_dirty_bitmap dirty;
	struct iommufd_hwpt_paging *hwpt;
};

static void carry_range(struct iommu_dirty_bitmap *dirty, unsigned long iova,
			unsigned long length)
{
	struct iommufd_hwpt_paging *hwpt =
		container_of(dirty, struct carry, dirty)->hwpt;
	u64 page = iova >> PAGE_SHIFT, end = page + (length >> PAGE_SHIFT), nr;

	for (; page < end; page += nr) {
		nr = min(end - page, BITS_PER_LONG - page % BITS_PER_LONG);
		/* All that is mapped is dirty, rather than nothing. */
		if (!tdp_dirty_add(&hwpt->tdp_dirty, page, GENMASK(nr - 1, 0),
				   GFP_KERNEL_ACCOUNT))
			hwpt->dirty_lost = true;
		cond_resched();
	}
}

/**
 * tdp_begin_dirty() - Have a domain track before devices move to it
 * @tdp: the IOAS's
 * @hwpt: an HWPT of the IOAS
 * @domain: one of its domains, filled, with nothing attached to it
 *
 * Context: iommufd_tdp::lock held; takes iopt locks. May sleep.
 * Return: 0 or the errno of the domain's set_dirty_tracking().
 */
int tdp_begin_dirty(struct iommufd_tdp *tdp, struct iommufd_hwpt_paging *hwpt,
		    struct iommu_domain *domain)
{
	lockdep_assert_held(&tdp->lock);

	/* Unless it has been on, a domain has it off. */
	if (!hwpt->dirty_tracked)
		return 0;
	return iopt_set_dirty_tracking(&tdp_ioas(tdp)->iopt, domain,
				       hwpt->dirty_tracking);
}

/**
 * tdp_carry_dirty() - Take along what a domain says is dirty, before it goes
 * @tdp: the IOAS's
 * @hwpt: an HWPT of the IOAS
 * @domain: one of its domains, filled, with nothing attached to it any more
 *
 * Context: iommufd_tdp::lock held; takes iopt locks. May sleep.
 */
void tdp_carry_dirty(struct iommufd_tdp *tdp, struct iommufd_hwpt_paging *hwpt,
		     struct iommu_domain *domain)
{
	struct io_pagetable *iopt = &tdp_ioas(tdp)->iopt;
	struct iommu_iotlb_gather gather;
	struct carry carry = { .hwpt = hwpt };

	lockdep_assert_held(&tdp->lock);

	if (!hwpt->dirty_tracked)
		return;
	/* A hypervisor's table gets its huge pages back. */
	if (tdp_bridge_is_bound(domain))
		iopt_set_dirty_tracking(iopt, domain, false);

	/* No device has it, so that what is gathered need not be flushed. */
	iommu_dirty_bitmap_init(&carry.dirty, NULL, &gather);
	carry.dirty.record = carry_range;
	if (iopt_take_dirty_data(iopt, domain, &carry.dirty))
		hwpt->dirty_lost = true;
}

/**
 * iommufd_tdp_read_dirty() - Report what an HWPT's earlier domain has left behind
 * @hwpt: the HWPT
 * @iova: of a range that is mapped
 * @length: in bytes
 * @clear: and forget it
 * @dirty: where to
 *
 * Context: between iommufd_tdp_begin_dirty() and iommufd_tdp_end_dirty().
 */
void iommufd_tdp_read_dirty(struct iommufd_hwpt_paging *hwpt, unsigned long iova,
			    size_t length, bool clear,
			    struct iommu_dirty_bitmap *dirty)
{
	tdp_dirty_read(&hwpt->tdp_dirty, iova >> PAGE_SHIFT,
		       (iova + length) >> PAGE_SHIFT, clear,
		       tdp_bridge_record_dirty, dirty);
}
