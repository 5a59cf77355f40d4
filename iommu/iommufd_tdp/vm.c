// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which VM an IOAS belongs to, and which process.
 *
 * Devices say which VM: the IOAS meets it with the first of the VM's devices, and
 * lets it go with the last one, or follows one that becomes another VM's. The
 * process is the one that has done that, or that has taken the IOAS over.
 */
#define pr_fmt(fmt) "iommufd: " fmt

#include <linux/device.h>
#include <linux/ktime.h>
#include <linux/memcontrol.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/tdp_bridge.h>

#include "tdp_private.h"

static bool tdp_share = true;
module_param(tdp_share, bool, 0644);
MODULE_PARM_DESC(tdp_share,
		 "Have the HWPTs of new VMs walk KVM's table when kvm.share_iommu_tdp=1 (default: on)");

/* From now on the IOAS is the calling process's. */
static void set_owner(struct iommufd_tdp *tdp)
{
	struct mem_cgroup *memcg = get_mem_cgroup_from_mm(current->mm);

	scoped_guard(spinlock, &tdp->owner_lock) {
		WRITE_ONCE(tdp->pid, task_tgid_nr(current));
		get_task_comm(tdp->comm, current->group_leader);
		swap(tdp->memcg, memcg);
	}
	mem_cgroup_put(memcg);
}

/**
 * tdp_forget_vm() - Let the VM go when none of its devices is left
 * @tdp: any
 *
 * Context: may sleep; takes iommufd_tdp::vm_lock and iommufd_tdp::lock. Whoever is
 * in here already is waited for.
 */
void tdp_forget_vm(struct iommufd_tdp *tdp)
{
	struct tdp_share_ref *ref;

	guard(mutex)(&tdp->vm_lock);

	scoped_guard(mutex, &tdp->lock) {
		ref = tdp->ref;
		if (!ref || tdp->hwpt || tdp->hwpt_goes ||
		    tdp_find_devices(tdp).own)
			return;
		WRITE_ONCE(tdp->ref, NULL);
		WRITE_ONCE(tdp->conflict_error, 0);
	}
	tdp_list_del(tdp);
	/* It waits for events that are being told, which take the lock. */
	tdp_bridge_unwatch(ref, &tdp->nb);
	tdp_bridge_put(ref);
}

/**
 * tdp_meet_vm() - An IOAS gets to know its VM, with the first of the VM's devices
 * @tdp: any; one that has a VM keeps it
 * @ref: the VM's share
 *
 * Context: may sleep; takes iommufd_tdp::vm_lock and iommufd_tdp::lock.
 */
void tdp_meet_vm(struct iommufd_tdp *tdp, struct tdp_share_ref *ref)
{
	guard(mutex)(&tdp->vm_lock);

	scoped_guard(mutex, &tdp->lock) {
		if (tdp->ref)
			return;
		/* The work item is no process's. */
		if (current->mm)
			set_owner(tdp);
		tdp_bridge_hold(ref);
		tdp->off = !READ_ONCE(tdp_share);
		tdp->reason = TDP_SETTLING;
		tdp->error = 0;
		memset(&tdp->stats, 0, sizeof(tdp->stats));
		tdp->stats.since = ktime_get_ns();
		tdp_forget_failures(tdp);
		WRITE_ONCE(tdp->ref, ref);
	}
	/* Without the lock, which is taken by those who are told of events. */
	tdp_bridge_watch(ref, &tdp->nb);
	tdp_list_add(tdp);
}

/**
 * tdp_meet_attached_vm() - Have an IOAS meet the VM of what is attached to it
 * @tdp: has just let a VM go
 *
 * Devices of another VM may have been attached to the IOAS, or have become
 * another VM's, while it had one.
 *
 * Context: as tdp_meet_vm().
 */
void tdp_meet_attached_vm(struct iommufd_tdp *tdp)
{
	struct tdp_share_ref *ref = NULL;

	scoped_guard(mutex, &tdp->lock) {
		if (!tdp->ref)
			ref = tdp_hold_any(tdp);
	}
	if (!ref)
		return;
	tdp_meet_vm(tdp, ref);
	tdp_bridge_put(ref);
	tdp_kick(tdp);
}

/*
 * A device that is attached has become the VM's behind @ref, or of none that can
 * share. The calling process has done that, which so is the VMM.
 */
static void follow_vm(struct iommufd_tdp *tdp, struct tdp_share_ref *ref)
{
	set_owner(tdp);
	scoped_guard(mutex, &tdp->lock) {
		/* If that fails the work item goes on with it. */
		if (tdp->ref && !tdp_find_devices(tdp).own)
			tdp_step_aside(tdp, TDP_BY_ATTACH);
	}
	tdp_forget_vm(tdp);
	if (ref)
		tdp_meet_vm(tdp, ref);
	tdp_forget_failures(tdp);
	tdp_kick(tdp);
}

/**
 * iommufd_tdp_change_process() - An IOAS is the calling process's from now on
 * @ioas: the IOAS
 *
 * The list of VMs has it by that process, whose memory cgroup pays for tables.
 *
 * Context: process context; iopt locks may be held.
 */
void iommufd_tdp_change_process(struct iommufd_ioas *ioas)
{
	set_owner(&ioas->tdp);
}

/* Give a device its VM. Returns what it is attached to, if that may be shared. */
static struct iommufd_tdp *set_device_ref(struct iommufd_device *idev,
					  struct tdp_share_ref *ref)
{
	struct iommufd_hwpt_paging *paging = NULL;
	struct iommufd_attach *attach;

	guard(mutex)(&idev->igroup->lock);

	idev->tdp_ref = ref;
	attach = xa_load(&idev->igroup->pasid_attach, IOMMU_NO_PASID);
	if (attach && attach->hwpt &&
	    xa_load(&attach->device_array, idev->obj.id))
		paging = tdp_as_paging(attach->hwpt);
	return paging ? &paging->ioas->tdp : NULL;
}

/**
 * iommufd_device_set_kvm() - Say which VM a device is assigned to
 * @idev: bound; the caller sees to it that it is not attached, replaced, detached
 *	or unbound meanwhile
 * @kvm: the VM, held by the caller; or NULL, which leaves all as it is
 *
 * A device may become another VM's while it is attached, as when a VMM hands it
 * over to its successor. If it was the last device of its VM, its IOAS goes over
 * to the new VM; else that comes with the last one.
 *
 * Context: process context of the VMM; may sleep; takes kvm->slots_lock.
 */
void iommufd_device_set_kvm(struct iommufd_device *idev, struct kvm *kvm)
{
	struct tdp_share_ref *ref, *old = idev->tdp_ref;
	struct iommufd_tdp *tdp;

	/* A noiommu device has no table that could be shared. */
	if (!kvm || !idev->dev->iommu)
		return;

	ref = tdp_bridge_get_kvm(kvm);
	if (IS_ERR(ref)) {
		if (ref != ERR_PTR(-EOPNOTSUPP) && ref != ERR_PTR(-ENODEV))
			dev_info(idev->dev, "keeps a table of its own: its VM's can't be shared (%pe)\n",
				 ref);
		ref = NULL;
	}
	if (ref && old && tdp_bridge_same_vm(ref, old)) {
		tdp_bridge_put(ref);
		return;
	}

	tdp = set_device_ref(idev, ref);
	if (tdp)
		follow_vm(tdp, ref);
	if (old)
		tdp_bridge_put(old);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_set_kvm, "IOMMUFD");

/**
 * iommufd_tdp_device_destroy() - Undo iommufd_device_set_kvm()
 * @idev: not attached any more
 *
 * Context: any.
 */
void iommufd_tdp_device_destroy(struct iommufd_device *idev)
{
	if (idev->tdp_ref)
		tdp_bridge_put(idev->tdp_ref);
}
