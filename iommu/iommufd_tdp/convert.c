// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moves an HWPT, with the devices that are attached to it, between its private
 * domain and a shared one. DMA goes on meanwhile.
 *
 * Both domains map the same at the time of the change: the new one is filled from
 * the IOAS first, the old one emptied last. While the HWPT is shared it has a
 * private one in reserve, empty, so that the way back takes no more than tables.
 *
 * Devices move one group after the other, and a group may refuse to: the IOMMU
 * core says -EBUSY from the beginning of a device's reset to its end, there may be
 * no memory. Nobody waits for that here. Devices are then on both domains, the
 * HWPT is split: both stay alive and in the IOAS, so that every map and unmap
 * reaches both, until the rest of the devices have moved to the private domain or
 * have been detached. A domain is taken out of the IOAS, emptied and freed only
 * when no group is attached to it.
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

/**
 * tdp_hold_any() - Find a VM that has a device attached to an HWPT of an IOAS
 * @tdp: the IOAS's
 *
 * Context: iommufd_tdp::lock held; takes igroup locks.
 * Return: its share, with a reference, or NULL.
 */
struct tdp_share_ref *tdp_hold_any(struct iommufd_tdp *tdp)
{
	struct tdp_share_ref *ref = NULL;
	struct iommufd_hwpt_paging *hwpt;
	struct iommufd_attach *attach;
	struct iommufd_group *igroup;
	struct iommufd_device *idev;
	unsigned long id;

	lockdep_assert_held(&tdp->lock);

	for (igroup = next_group(tdp->ictx, NULL); igroup;
	     igroup = next_group(tdp->ictx, igroup)) {
		guard(mutex)(&igroup->lock);
		attach = group_attach(igroup);
		if (ref || !attach ||
		    attach->hwpt->obj.type != IOMMUFD_OBJ_HWPT_PAGING)
			continue;
		hwpt = to_hwpt_paging(attach->hwpt);
		if (hwpt->ioas != tdp_ioas(tdp))
			continue;
		xa_for_each(&attach->device_array, id, idev) {
			if (!ref && idev->tdp_ref) {
				ref = idev->tdp_ref;
				tdp_bridge_hold(ref);
			}
		}
	}
	return ref;
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

/*
 * Whether a private domain is as good for all that is attached as @old, which they
 * use: it comes from the driver of one of them, and the others may be behind
 * IOMMUs that do less. No driver says without an attach, but what one would look at
 * is here.
 */
static bool stands_in_for(struct iommu_domain *domain, struct iommu_domain *old)
{
	return domain->ops == old->ops && domain->dirty_ops == old->dirty_ops &&
	       domain->pgsize_bitmap == old->pgsize_bitmap &&
	       domain->geometry.aperture_start == old->geometry.aperture_start &&
	       domain->geometry.aperture_end == old->geometry.aperture_end;
}

/*
 * What an IOAS may map must not change with its HWPT's table. What only the
 * private one can hold is refused by a map, and the HWPT steps aside. One that can
 * hold less is of another kind (AMD's v2, VT-d's first stage). With AMD's devices
 * do not move to and from it without losing DMA.
 */
static int keep_aperture(struct iommu_domain *shared, struct iommu_domain *old)
{
	if (old->geometry.aperture_end < shared->geometry.aperture_end &&
	    !tdp_bridge_any_private(shared))
		return -EOPNOTSUPP;
	shared->geometry = old->geometry;
	return 0;
}

/**
 * tdp_admits() - Whether a device may be attached to the shared HWPT as it is
 * @tdp: has an HWPT that is shared
 * @idev: a device of the VM
 *
 * The HWPT has two domains, and the device must be able to use either: it is to
 * go to the private one when the HWPT steps aside, which must not fail then. Only
 * an attach tells, and only to one of them. So what is behind an IOMMU none of
 * whose devices are attached yet has to go by way of the private one.
 *
 * Context: iommufd_tdp::lock held; takes igroup locks.
 */
bool tdp_admits(struct iommufd_tdp *tdp, struct iommufd_device *idev)
{
	struct iommu_device *iommu = idev->dev->iommu->iommu_dev;
	struct iommufd_device *attached;
	struct iommufd_group *igroup;
	bool admits = false;

	lockdep_assert_held(&tdp->lock);

	for (igroup = next_group(tdp->ictx, NULL); igroup;
	     igroup = next_group(tdp->ictx, igroup)) {
		guard(mutex)(&igroup->lock);
		attached = attached_device(igroup, tdp->hwpt);
		if (attached && attached->dev->iommu->iommu_dev == iommu)
			admits = true;
	}
	return admits;
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

/*
 * The domain that a group is attached to. It is not always the HWPT's: while the
 * HWPT is split the groups differ. igroup->lock is held.
 */
static struct iommu_domain *group_domain(struct iommufd_group *igroup)
{
	struct iommu_attach_handle *handle;

	lockdep_assert_held(&igroup->lock);

	handle = iommu_attach_handle_get(igroup->group, IOMMU_NO_PASID, 0);
	return IS_ERR(handle) ? NULL : handle->domain;
}

/*
 * Move all that is attached to an HWPT to @domain. Those that are there already
 * are left alone, so that nothing that they do, such as a reset, can make it fail.
 * Each group is tried; on failure those that could be moved have been, and the
 * HWPT's domain is what it was. The first errno is returned.
 */
static int move_devices(struct iommufd_tdp *tdp, struct iommufd_hwpt_paging *hwpt,
			struct iommu_domain *domain)
{
	struct iommufd_hw_pagetable *common = &hwpt->common;
	struct iommu_domain *before = common->domain;
	struct iommufd_group *igroup;
	struct iommufd_device *idev;
	int err, rc = 0;

	lockdep_assert_held(&tdp->lock);

	/* A group that is replaced takes it from there. */
	common->domain = domain;
	for (igroup = next_group(tdp->ictx, NULL); igroup;
	     igroup = next_group(tdp->ictx, igroup)) {
		guard(mutex)(&igroup->lock);
		idev = attached_device(igroup, hwpt);
		if (!idev || group_domain(igroup) == domain)
			continue;

		err = iommufd_hwpt_replace_device(idev, IOMMU_NO_PASID, common,
						  common);
		rc = rc ?: err;
	}
	if (rc)
		common->domain = before;
	return rc;
}

/*
 * Whether anything that is attached to an HWPT uses @domain. No device comes as
 * long as iommufd_tdp::lock is held, so that a no is final.
 */
static bool domain_in_use(struct iommufd_tdp *tdp,
			  struct iommufd_hwpt_paging *hwpt,
			  struct iommu_domain *domain)
{
	struct iommufd_group *igroup;
	bool in_use = false;

	lockdep_assert_held(&tdp->lock);

	for (igroup = next_group(tdp->ictx, NULL); igroup;
	     igroup = next_group(tdp->ictx, igroup)) {
		guard(mutex)(&igroup->lock);
		if (attached_device(igroup, hwpt) &&
		    group_domain(igroup) == domain)
			in_use = true;
	}
	return in_use;
}

/**
 * tdp_make_shared() - Have an HWPT walk the VM's table
 * @tdp: has a VM, and no HWPT that is shared
 * @hwpt: one that a device of the VM is attached to
 *
 * Context: iommufd_tdp::lock held; takes igroup and iopt locks. May sleep.
 * Return: 0; the errno of tdp_bridge_bind(), of a map as in tdp_provider_ops, of
 * the driver's attach; -EOPNOTSUPP when the devices' IOMMUs differ; -EAGAIN while
 * a device is being reset; -ENODEV when nothing is attached any more. On failure
 * nothing has changed, or the HWPT is split, if devices that had moved could not
 * go back: tdp_make_private() goes on with that.
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
	if (!stands_in_for(reserve, old)) {
		rc = -EOPNOTSUPP;
		goto err_reserve;
	}
	shared = alloc_domain(tdp, hwpt, IOMMU_HWPT_ALLOC_KVM_TDP |
			      (hwpt->alloc_flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING));
	if (IS_ERR(shared)) {
		rc = PTR_ERR(shared);
		goto err_reserve;
	}

	rc = tdp_bridge_bind(shared, tdp->ref, false);
	if (rc)
		goto err_free;

	rc = enforce_cc(hwpt, shared) ?: enforce_cc(hwpt, reserve) ?:
	     keep_aperture(shared, old);
	if (rc)
		goto err_free;

	rc = iopt_table_add_domain(iopt, shared);
	if (rc)
		goto err_free;

	rc = tdp_begin_dirty(tdp, hwpt, shared);
	if (rc)
		goto err_remove;

	tdp_bridge_set_filled(shared);
	rc = move_devices(tdp, hwpt, shared);
	/* -EBUSY is that another HWPT has the table. */
	if (rc == -EBUSY)
		rc = -EAGAIN;
	if (rc && move_devices(tdp, hwpt, old) &&
	    domain_in_use(tdp, hwpt, shared))
		goto split;
	if (rc) {
		/* Some were there for a while. */
		tdp_carry_dirty(tdp, hwpt, shared);
		goto err_remove;
	}

	tdp_carry_dirty(tdp, hwpt, old);
	iopt_table_drop_domain(iopt, old);
	iommu_domain_free(old);
	hwpt->tdp_private = reserve;
	tdp->hwpt = hwpt;
	return 0;

split:
	/* As on the way back from a shared domain, only that it began here. */
	iommu_domain_free(reserve);
	hwpt->common.domain = shared;
	hwpt->tdp_private = old;
	tdp->hwpt = hwpt;
	tdp->split = true;
	return rc;

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
 * @tdp: has an HWPT that is shared, or split
 *
 * The VM's vCPUs keep what they have mapped.
 *
 * Context: iommufd_tdp::lock held; takes igroup and iopt locks. May sleep.
 * Return: 0, or -ENOMEM or the errno of the driver's attach, -EBUSY while a device
 * is being reset. On failure the HWPT is shared as before or, if devices that had
 * moved could not go back, split; the next call goes on from there.
 */
int tdp_make_private(struct iommufd_tdp *tdp)
{
	struct io_pagetable *iopt = &tdp_ioas(tdp)->iopt;
	struct iommufd_hwpt_paging *hwpt = tdp->hwpt;
	struct iommu_domain *private = hwpt->tdp_private;
	struct iommu_domain *shared = hwpt->common.domain;
	int rc;

	lockdep_assert_held(&tdp->lock);

	if (!tdp->split) {
		rc = iopt_table_add_domain(iopt, private);
		if (rc)
			return rc;
		rc = tdp_begin_dirty(tdp, hwpt, private);
		if (rc) {
			iopt_table_remove_domain(iopt, private);
			return rc;
		}
	}

	rc = move_devices(tdp, hwpt, private);
	if (rc) {
		/* All or nothing; but from halfway there is no other way. */
		if (!tdp->split)
			move_devices(tdp, hwpt, shared);
		tdp->split = domain_in_use(tdp, hwpt, private);
		if (!tdp->split) {
			tdp_carry_dirty(tdp, hwpt, private);
			iopt_table_remove_domain(iopt, private);
		}
		return rc;
	}

	tdp->split = false;
	tdp_carry_dirty(tdp, hwpt, shared);
	iopt_table_remove_domain(iopt, shared);
	iommu_domain_free(shared);
	hwpt->tdp_private = NULL;
	tdp->hwpt = NULL;
	return 0;
}

/**
 * tdp_drop_reserve() - Free the private domain of a shared HWPT that goes
 * @tdp: has an HWPT that is shared, or split, and nothing is attached to it
 *
 * Context: iommufd_tdp::lock held; takes iopt locks.
 */
void tdp_drop_reserve(struct iommufd_tdp *tdp)
{
	struct iommufd_hwpt_paging *hwpt = tdp->hwpt;

	lockdep_assert_held(&tdp->lock);

	if (tdp->split)
		iopt_table_remove_domain(&tdp_ioas(tdp)->iopt,
					 hwpt->tdp_private);
	iommu_domain_free(hwpt->tdp_private);
	hwpt->tdp_private = NULL;
	tdp->hwpt = NULL;
	tdp->hwpt_goes = true;
	tdp->split = false;
}
