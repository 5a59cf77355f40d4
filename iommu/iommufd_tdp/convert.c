// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moves an HWPT, with the devices that are attached to it, between its private
 * domain and a shared one. DMA goes on meanwhile.
 *
 * Both domains map the same at the time of the change: the new one is filled from
 * the IOAS first, the old one emptied last. While the HWPT is shared it has a
 * private one in reserve, empty, so that the way back takes no more than tables.
 */
#include <linux/iommu.h>
#include <linux/tdp_bridge.h>

#include "../../iommu-priv.h"
#include "tdp_private.h"

/*
 * The group of a context that follows @igroup, or the first, with a reference in
 * exchange for that of @igroup. NULL behind the last.
 */
static struct iommufd_group *next_group(struct iommufd_ctx *ictx,
					struct iommufd_group *igroup)
{
	unsigned long id = igroup ? iommu_group_id(igroup->group) + 1 : 0;
	struct iommufd_group *next;

	scoped_guard(spinlock, &ictx->groups.xa_lock) {
		xa_for_each_start(&ictx->groups, id, next, id) {
			if (kref_get_unless_zero(&next->ref))
				break;
		}
	}
	if (igroup)
		iommufd_put_group(igroup);
	return next;
}

/* What a group is attached to. igroup->lock is held. */
static struct iommufd_attach *group_attach(struct iommufd_group *igroup)
{
	lockdep_assert_held(&igroup->lock);
	return xa_load(&igroup->pasid_attach, IOMMU_NO_PASID);
}

/* A device of the group if that is attached to an HWPT: they go together. */
static struct iommufd_device *attached_device(struct iommufd_group *igroup,
					      struct iommufd_hwpt_paging *hwpt)
{
	struct iommufd_attach *attach = group_attach(igroup);
	unsigned long id = 0;

	if (!attach || attach->hwpt != &hwpt->common)
		return NULL;
	return xa_find(&attach->device_array, &id, ULONG_MAX, XA_PRESENT);
}

static void count_devices(struct iommufd_tdp *tdp, struct iommufd_attach *attach,
			  struct tdp_devices *found)
{
	struct iommufd_hwpt_paging *hwpt;
	unsigned int own = 0, foreign = 0;
	struct iommufd_device *idev;
	unsigned long id;

	if (!attach || attach->hwpt->obj.type != IOMMUFD_OBJ_HWPT_PAGING)
		return;
	hwpt = to_hwpt_paging(attach->hwpt);
	if (hwpt->ioas != tdp_ioas(tdp))
		return;

	xa_for_each(&attach->device_array, id, idev) {
		if (idev->tdp_ref && tdp_bridge_same_vm(idev->tdp_ref, tdp->ref))
			own++;
		else
			foreign++;
	}

	if (!found->hwpt && own)
		found->hwpt = hwpt;
	if (found->hwpt == hwpt) {
		found->own += own;
		found->foreign += foreign;
	}
}

/**
 * tdp_find_devices() - Find the HWPT to share, and what is attached to it
 * @tdp: has a VM
 *
 * Context: iommufd_tdp::lock held.
 * Return: what was found; no HWPT if no device of the VM is attached to one.
 */
struct tdp_devices tdp_find_devices(struct iommufd_tdp *tdp)
{
	struct tdp_devices found = { .hwpt = tdp->hwpt };
	struct iommufd_group *igroup;
	int pass;

	lockdep_assert_held(&tdp->lock);

	/* Foreign devices may come before the first of the VM's. */
	for (pass = 0; pass < 2; pass++) {
		found.own = 0;
		found.foreign = 0;
		for (igroup = next_group(tdp->ictx, NULL); igroup;
		     igroup = next_group(tdp->ictx, igroup)) {
			guard(mutex)(&igroup->lock);
			count_devices(tdp, group_attach(igroup), &found);
		}
	}
	return found;
}

/* A domain of an HWPT, from the driver of a device that is attached to it. */
static struct iommu_domain *alloc_domain(struct iommufd_tdp *tdp,
					 struct iommufd_hwpt_paging *hwpt,
					 u32 flags)
{
	struct iommu_domain *domain = ERR_PTR(-ENODEV);
	const struct iommu_ops *ops;
	struct iommufd_group *igroup;
	struct iommufd_device *idev;

	for (igroup = next_group(tdp->ictx, NULL); igroup;
	     igroup = next_group(tdp->ictx, igroup)) {
		guard(mutex)(&igroup->lock);
		idev = attached_device(igroup, hwpt);
		if (!IS_ERR(domain) || !idev)
			continue;

		ops = dev_iommu_ops(idev->dev);
		if (ops != hwpt->common.domain->owner ||
		    !ops->domain_alloc_paging_flags)
			continue;
		domain = ops->domain_alloc_paging_flags(idev->dev, flags, NULL);
	}
	if (IS_ERR(domain))
		return domain;

	domain->owner = hwpt->common.domain->owner;
	domain->iommufd_hwpt = &hwpt->common;
	domain->cookie_type = IOMMU_COOKIE_IOMMUFD;
	return domain;
}

/* As iommufd_hwpt_paging_alloc() does, before anything is mapped. */
static int enforce_cc(struct iommufd_hwpt_paging *hwpt,
		      struct iommu_domain *domain)
{
	if (!hwpt->enforce_cache_coherency)
		return 0;
	if (!domain->ops->enforce_cache_coherency ||
	    !domain->ops->enforce_cache_coherency(domain))
		return -EINVAL;
	return 0;
}

/* Have all that is attached to an HWPT use the HWPT's present domain. */
static int reattach(struct iommufd_tdp *tdp, struct iommufd_hwpt_paging *hwpt)
{
	struct iommufd_hw_pagetable *common = &hwpt->common;
	struct iommufd_group *igroup;
	struct iommufd_device *idev;
	int rc = 0;

	for (igroup = next_group(tdp->ictx, NULL); igroup;
	     igroup = next_group(tdp->ictx, igroup)) {
		guard(mutex)(&igroup->lock);
		idev = attached_device(igroup, hwpt);
		if (rc || !idev)
			continue;

		rc = iommufd_hwpt_replace_device(idev, IOMMU_NO_PASID, common,
						 common);
	}
	return rc;
}

/* Exchange an HWPT's domain; on failure all is as before. */
static int exchange(struct iommufd_tdp *tdp, struct iommufd_hwpt_paging *hwpt,
		    struct iommu_domain *domain)
{
	struct iommu_domain *old = hwpt->common.domain;
	int rc;

	hwpt->common.domain = domain;
	rc = reattach(tdp, hwpt);
	if (rc) {
		hwpt->common.domain = old;
		/* The way back is to a domain that these devices have used. */
		WARN_ON(reattach(tdp, hwpt));
	}
	return rc;
}

/**
 * tdp_make_shared() - Have an HWPT walk the VM's table
 * @tdp: has a VM, and no HWPT that is shared
 * @hwpt: one that a device of the VM is attached to
 *
 * Context: iommufd_tdp::lock held; takes igroup and iopt locks. May sleep.
 * Return: 0; the errno of tdp_bridge_bind(), of a map as in tdp_provider_ops, of
 * the driver's attach; -ENODEV when nothing is attached any more. On failure
 * nothing has changed.
 */
int tdp_make_shared(struct iommufd_tdp *tdp, struct iommufd_hwpt_paging *hwpt)
{
	struct io_pagetable *iopt = &tdp_ioas(tdp)->iopt;
	struct iommu_domain *old = hwpt->common.domain;
	struct iommu_domain *shared, *reserve;
	int rc;

	lockdep_assert_held(&tdp->lock);

	/* The old one keeps tables for what it has mapped. */
	reserve = alloc_domain(tdp, hwpt, hwpt->alloc_flags);
	if (IS_ERR(reserve))
		return PTR_ERR(reserve);
	shared = alloc_domain(tdp, hwpt, IOMMU_HWPT_ALLOC_KVM_TDP);
	if (IS_ERR(shared)) {
		rc = PTR_ERR(shared);
		goto err_reserve;
	}

	rc = tdp_bridge_bind(shared, tdp->ref, false);
	if (rc)
		goto err_free;

	rc = enforce_cc(hwpt, shared) ?: enforce_cc(hwpt, reserve);
	if (rc)
		goto err_free;

	rc = iopt_table_add_domain(iopt, shared);
	if (rc)
		goto err_free;

	rc = exchange(tdp, hwpt, shared);
	if (rc)
		goto err_remove;

	tdp_bridge_set_filled(shared);
	iopt_table_remove_domain(iopt, old);
	iommu_domain_free(old);
	hwpt->tdp_private = reserve;
	tdp->hwpt = hwpt;
	return 0;

err_remove:
	iopt_table_remove_domain(iopt, shared);
err_free:
	iommu_domain_free(shared);
err_reserve:
	iommu_domain_free(reserve);
	return rc;
}

/**
 * tdp_make_private() - Have the shared HWPT walk a table of its own again
 * @tdp: has an HWPT that is shared
 *
 * The VM's vCPUs keep what they have mapped.
 *
 * Context: iommufd_tdp::lock held; takes igroup and iopt locks. May sleep.
 * Return: 0, or -ENOMEM or the errno of the driver's attach, when nothing has
 * changed.
 */
int tdp_make_private(struct iommufd_tdp *tdp)
{
	struct io_pagetable *iopt = &tdp_ioas(tdp)->iopt;
	struct iommufd_hwpt_paging *hwpt = tdp->hwpt;
	struct iommu_domain *private = hwpt->tdp_private;
	struct iommu_domain *shared = hwpt->common.domain;
	int rc;

	lockdep_assert_held(&tdp->lock);

	rc = iopt_table_add_domain(iopt, private);
	if (rc)
		return rc;

	rc = exchange(tdp, hwpt, private);
	if (rc) {
		iopt_table_remove_domain(iopt, private);
		return rc;
	}

	iopt_table_remove_domain(iopt, shared);
	iommu_domain_free(shared);
	hwpt->tdp_private = NULL;
	tdp->hwpt = NULL;
	return 0;
}
