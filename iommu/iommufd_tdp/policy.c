// SPDX-License-Identifier: GPL-2.0-only
/*
 * When an IOAS shares the VM's table, and when it steps aside.
 *
 * To share is never urgent: a work item looks whether all is right when nothing
 * has changed for tdp_quiet_ms, or when memslots have changed. To step aside is
 * done by whoever is about to do what a shared table can't, before he does it; for
 * a vCPU, which does not wait in here, by the work item.
 */
#define pr_fmt(fmt) "iommufd: " fmt

#include <linux/device.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/memcontrol.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/tdp_bridge.h>

#include "../io_pagetable.h"
#include "tdp_private.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

static unsigned int tdp_quiet_ms = 10;
module_param(tdp_quiet_ms, uint, 0644);
MODULE_PARM_DESC(tdp_quiet_ms,
		 "How long mappings must at least have been quiet before an HWPT is shared (default: 10)");

static unsigned int tdp_memslot_quiet_ms;
module_param(tdp_memslot_quiet_ms, uint, 0644);
MODULE_PARM_DESC(tdp_memslot_quiet_ms,
		 "The same after a change of memslots, the last thing that a VMM does when it changes memory (default: 0)");

/* What fails is tried again after this long, doubled each time, up to the other. */
#define TDP_RETRY_MIN_MS	20
#define TDP_RETRY_MAX_MS	10000

/* How often a map is tried again that has failed while a table was shared. */
#define TDP_MAP_TRIES		4

static struct iommufd_tdp *to_tdp(struct io_pagetable *iopt)
{
	return &container_of(iopt, struct iommufd_ioas, iopt)->tdp;
}

static void kick_after(struct iommufd_tdp *tdp, unsigned int quiet_ms)
{
	unsigned long quiet = msecs_to_jiffies(quiet_ms);
	long backoff = READ_ONCE(tdp->not_before) - jiffies;

	/* A guest that changes memslots all the time is not to convert all the time. */
	quiet = max(quiet, nsecs_to_jiffies(READ_ONCE(tdp->stats.last_ns) / 4));
	/* Nor is one whose conversions fail. */
	if (READ_ONCE(tdp->failures) && backoff > 0)
		quiet = max(quiet, backoff);

	if (READ_ONCE(tdp->ref))
		mod_delayed_work(system_dfl_wq, &tdp->work, quiet);
}

/**
 * tdp_kick() - Look whether to share when things have been quiet for a while
 * @tdp: any
 *
 * Context: any.
 */
void tdp_kick(struct iommufd_tdp *tdp)
{
	kick_after(tdp, READ_ONCE(tdp_quiet_ms));
}

/* A conversion has failed: do not try again before a time that grows. */
static void back_off(struct iommufd_tdp *tdp)
{
	unsigned int failures = tdp->failures;
	unsigned int ms = TDP_RETRY_MAX_MS;

	lockdep_assert_held(&tdp->lock);

	if (failures < ilog2(TDP_RETRY_MAX_MS / TDP_RETRY_MIN_MS))
		ms = TDP_RETRY_MIN_MS << failures;
	WRITE_ONCE(tdp->not_before, jiffies + msecs_to_jiffies(ms));
	WRITE_ONCE(tdp->failures, failures + 1);
}

/**
 * tdp_forget_failures() - What made conversions fail may be gone
 * @tdp: any
 *
 * Without the lock: a conversion that fails right now may back off once more, but
 * whoever calls this has the work item run afterwards, and what is queued by then
 * does not wait.
 *
 * Context: any.
 */
void tdp_forget_failures(struct iommufd_tdp *tdp)
{
	WRITE_ONCE(tdp->failures, 0);
}

/* The HWPT is not in that state any longer. */
static void account_time(struct tdp_stats *stats, bool shared, u64 now)
{
	stats->ns[shared] += now - stats->since;
	stats->since = now;
}

/* Convert, at the expense of the VMM, and account for it. */
static int convert(struct iommufd_tdp *tdp, struct iommufd_hwpt_paging *hwpt,
		   bool to_shared, enum tdp_trigger trigger)
{
	struct tdp_stats *stats = &tdp->stats;
	u64 now, start = ktime_get_ns();
	struct mem_cgroup *memcg, *owner;
	bool was_shared = tdp->hwpt, busy;
	int rc;

	/*
	 * Before it is asked for: whoever has the table looks after giving it up.
	 * KVM's lock around both orders that.
	 */
	if (to_shared)
		WRITE_ONCE(tdp->waits, true);

	scoped_guard(spinlock, &tdp->owner_lock) {
		owner = tdp->memcg;
		/* Held by the IOAS, so that it can't be gone. */
		if (!mem_cgroup_tryget(owner))
			owner = NULL;
	}
	memcg = set_active_memcg(owner);
	rc = to_shared ? tdp_make_shared(tdp, hwpt) : tdp_make_private(tdp);
	set_active_memcg(memcg);
	mem_cgroup_put(owner);

	/* Another HWPT has the table. Who waits for that is told, at no cost. */
	busy = to_shared && rc == -EBUSY;
	now = ktime_get_ns();
	WRITE_ONCE(tdp->seq, tdp->seq + 1);
	WRITE_ONCE(stats->last_ns, now - start);
	if (was_shared != !!tdp->hwpt)
		account_time(stats, was_shared, now);
	if (rc) {
		stats->failed++;
		if (!busy)
			back_off(tdp);
	} else {
		tdp_forget_failures(tdp);
		WRITE_ONCE(tdp->conflict_error, 0);
		stats->converted[to_shared]++;
		stats->longest_ns = max(stats->longest_ns, now - start);
		if (!to_shared) {
			stats->triggers[trigger]++;
			stats->last = trigger;
		}
	}
	if (to_shared)
		WRITE_ONCE(tdp->waits, busy);
	if (!tdp->hwpt && !tdp->waits)
		tdp_list_wake(tdp);
	trace_iommufd_tdp_convert(tdp->pid, hwpt->common.obj.id, to_shared,
				  trigger, rc, now - start);
	return rc;
}

/**
 * tdp_step_aside() - Give the HWPT that is shared a table of its own
 * @tdp: any
 * @trigger: why
 *
 * If that fails it is tried again later, with a growing delay, by the work item:
 * for as long as the HWPT may not be shared or is split.
 *
 * Context: iommufd_tdp::lock held. May sleep.
 * Return: 0, also when nothing is shared, or the errno of tdp_make_private().
 */
int tdp_step_aside(struct iommufd_tdp *tdp, enum tdp_trigger trigger)
{
	struct iommufd_hwpt_paging *hwpt = tdp->hwpt;
	int rc;

	lockdep_assert_held(&tdp->lock);

	if (!hwpt)
		return 0;

	rc = convert(tdp, hwpt, false, trigger);
	if (rc) {
		pr_warn_ratelimited("HWPT %u of pid %d stays shared%s: no table of its own (%d)\n",
				    hwpt->common.obj.id, tdp->pid,
				    tdp->split ? " in part" : "", rc);
		kick_after(tdp, 0);
		return rc;
	}
	tdp->reason = TDP_SETTLING;
	return 0;
}

/* Whether an HWPT may be shared at all. */
static enum tdp_reason look(struct iommufd_tdp *tdp,
			    const struct tdp_devices *found, int *error)
{
	*error = 0;
	if (tdp->off)
		return TDP_OFF;
	if (!found->hwpt || !found->own)
		return TDP_NO_HWPT;
	if (found->hwpt->tdp_never)
		return TDP_KIND;
	/*
	 * iommufd_hwpt_paging_alloc() has attached a device but not added the
	 * domain to the IOAS yet, and does not expect another in its place. It
	 * lists the HWPT last, under ioas->mutex, which is not held here: what
	 * is seen as listed has been added under iopt's locks before.
	 */
	if (list_empty_careful(&found->hwpt->hwpt_item)) {
		tdp_kick(tdp);
		return TDP_SETTLING;
	}
	if (found->foreign)
		return TDP_FOREIGN;
	return TDP_SHARED;
}

static enum tdp_reason reason_of(int error)
{
	switch (error) {
	case -EADDRNOTAVAIL:
	case -EACCES:
	case -EMEDIUMTYPE:
	case -ERANGE:
		return TDP_NO_MIRROR;
	default:
		return TDP_REFUSED;
	}
}

/* What an HWPT that is shared and may not be any longer gives way to. */
static enum tdp_trigger trigger_of(enum tdp_reason reason)
{
	switch (reason) {
	case TDP_OFF:
		return TDP_BY_OFF;
	default:
		return TDP_BY_ATTACH;
	}
}

/**
 * tdp_evaluate() - Share if that is possible, and only then
 * @tdp: has a VM
 * @trigger: why now
 *
 * What came of it is in @tdp->reason and @tdp->error.
 *
 * Context: iommufd_tdp::lock held. May sleep. tdp_activate() is to follow,
 * without the lock.
 */
void tdp_evaluate(struct iommufd_tdp *tdp, enum tdp_trigger trigger)
{
	struct tdp_devices found;

	/* Whatever is to become of it, it is on its way to a table of its own. */
	if (tdp->split) {
		tdp->error = tdp_step_aside(tdp, trigger);
		if (tdp->error) {
			tdp->reason = TDP_SPLIT;
			return;
		}
	}

	found = tdp_find_devices(tdp);
	tdp->reason = look(tdp, &found, &tdp->error);
	if (tdp->reason != TDP_SHARED) {
		enum tdp_reason reason = tdp->reason;

		if (!tdp_step_aside(tdp, trigger_of(reason)))
			tdp->reason = reason;
		return;
	}
	if (tdp->hwpt)
		return;

	tdp->error = convert(tdp, found.hwpt, true, trigger);
	if (!tdp->error)
		return;
	tdp->reason = tdp->split ? TDP_SPLIT : reason_of(tdp->error);
	/* A reset passes, and nobody says when. */
	if (tdp->split || tdp->error == -EAGAIN)
		kick_after(tdp, 0);
}

/**
 * tdp_activate() - Have vCPUs walk the table too, once an HWPT does
 * @tdp: any
 *
 * Context: may sleep; takes kvm->slots_lock, so without iommufd_tdp::lock.
 */
void tdp_activate(struct iommufd_tdp *tdp)
{
	struct tdp_share_ref *ref = NULL;

	scoped_guard(mutex, &tdp->lock) {
		if (!tdp->hwpt || tdp->split)
			return;
		ref = tdp->ref;
		tdp_bridge_hold(ref);
	}
	tdp_bridge_activate(ref);
	tdp_bridge_put(ref);
}

/* A vCPU waits for the HWPT to step aside. */
static void tdp_end_conflict(struct work_struct *work)
{
	struct iommufd_tdp *tdp =
		container_of(work, struct iommufd_tdp, conflict_work.work);
	int rc;

	guard(mutex)(&tdp->lock);

	rc = tdp_step_aside(tdp, TDP_BY_CONFLICT);
	/* A device that is being reset will be done; the vCPU asks again. */
	if (rc == -EBUSY || rc == -EAGAIN)
		rc = 0;
	WRITE_ONCE(tdp->conflict_error, rc);
	tdp_kick(tdp);
}

/*
 * A vCPU has met a conflict. It asks again until that is over, or hears why it
 * can't be. Without the lock, for that may be held for long.
 */
static int conflict(struct iommufd_tdp *tdp)
{
	unsigned long delay = 0;
	int rc;

	if (!READ_ONCE(tdp->hwpt))
		return NOTIFY_OK;

	rc = xchg(&tdp->conflict_error, 0);
	/* Each try fills a table. Once one has failed that is for some time. */
	if (READ_ONCE(tdp->failures))
		delay = msecs_to_jiffies(TDP_RETRY_MIN_MS);
	if (!rc)
		queue_delayed_work(system_dfl_wq, &tdp->conflict_work, delay);
	return notifier_from_errno(rc);
}

static void tdp_settle(struct work_struct *work)
{
	struct iommufd_tdp *tdp =
		container_of(work, struct iommufd_tdp, work.work);
	enum tdp_reason reason;

	scoped_guard(mutex, &tdp->lock) {
		if (!tdp->ref)
			return;
		tdp_evaluate(tdp, TDP_BY_QUIET);
		reason = tdp->reason;
	}
	tdp_activate(tdp);
	if (reason == TDP_NO_HWPT || reason == TDP_OFF) {
		tdp_forget_vm(tdp);
		tdp_meet_attached_vm(tdp);
	}
}

/* The share's events. kvm->slots_lock may be held. */
static int tdp_event(struct notifier_block *nb, unsigned long event, void *data)
{
	struct iommufd_tdp *tdp = container_of(nb, struct iommufd_tdp, nb);

	switch (event) {
	case TDP_CHANGED:
		tdp_forget_failures(tdp);
		kick_after(tdp, READ_ONCE(tdp_memslot_quiet_ms));
		return NOTIFY_OK;
	case TDP_CONFLICT:
		return conflict(tdp);
	}

	scoped_guard(mutex, &tdp->lock)
		tdp_step_aside(tdp, TDP_BY_CLAIM);
	tdp_kick(tdp);
	return NOTIFY_OK;
}

/**
 * iommufd_tdp_init() - Prepare a new IOAS
 * @ioas: the IOAS
 * @ictx: its context
 *
 * Context: any.
 */
void iommufd_tdp_init(struct iommufd_ioas *ioas, struct iommufd_ctx *ictx)
{
	struct iommufd_tdp *tdp = &ioas->tdp;

	mutex_init(&tdp->vm_lock);
	spin_lock_init(&tdp->owner_lock);
	mutex_init(&tdp->lock);
	refcount_set(&tdp->users, 1);
	init_completion(&tdp->unused);
	INIT_DELAYED_WORK(&tdp->work, tdp_settle);
	INIT_DELAYED_WORK(&tdp->conflict_work, tdp_end_conflict);
	tdp->nb.notifier_call = tdp_event;
	tdp->ictx = ictx;
}

/**
 * iommufd_tdp_destroy() - Let the VM of an IOAS go
 * @ioas: the IOAS; it has no HWPT any more
 *
 * Context: may sleep.
 */
void iommufd_tdp_destroy(struct iommufd_ioas *ioas)
{
	/* Also waits for the work item, should that be forgetting it right now. */
	tdp_forget_vm(&ioas->tdp);
	/* Nobody is told of an event any more, and each of these kicks the next. */
	cancel_delayed_work_sync(&ioas->tdp.conflict_work);
	/* Those who have found it in the list may still kick the work item. */
	tdp_list_wait(&ioas->tdp);
	cancel_delayed_work_sync(&ioas->tdp.work);
	mem_cgroup_put(ioas->tdp.memcg);
	mutex_destroy(&ioas->tdp.lock);
	mutex_destroy(&ioas->tdp.vm_lock);
}

/**
 * iommufd_tdp_begin_attach() - A device is to be attached to an HWPT
 * @hwpt: any
 * @idev: the device
 *
 * Context: ioas->mutex may be held. On success the HWPT keeps its domain until
 * iommufd_tdp_end_attach(), which must follow.
 * Return: 0, or the errno of tdp_step_aside().
 */
int iommufd_tdp_begin_attach(struct iommufd_hw_pagetable *hwpt,
			     struct iommufd_device *idev)
{
	struct iommufd_hwpt_paging *paging = tdp_as_paging(hwpt);
	struct iommufd_tdp *tdp;
	int rc = 0;

	if (!paging)
		return 0;

	tdp = &paging->ioas->tdp;
	mutex_lock(&tdp->lock);
	if (tdp->hwpt == paging &&
	    (tdp->split || !idev->tdp_ref ||
	     !tdp_bridge_same_vm(idev->tdp_ref, tdp->ref) ||
	     !tdp_admits(tdp, idev)))
		rc = tdp_step_aside(tdp, TDP_BY_ATTACH);
	if (rc)
		mutex_unlock(&tdp->lock);
	return rc;
}

/**
 * iommufd_tdp_end_attach() - The device is attached, or could not be
 * @hwpt: as before
 * @idev: as before
 * @attached: whether it is
 *
 * Context: as iommufd_tdp_begin_attach().
 */
void iommufd_tdp_end_attach(struct iommufd_hw_pagetable *hwpt,
			    struct iommufd_device *idev, bool attached)
{
	struct iommufd_hwpt_paging *paging = tdp_as_paging(hwpt);
	struct iommufd_tdp *tdp;

	if (!paging)
		return;

	tdp = &paging->ioas->tdp;
	mutex_unlock(&tdp->lock);
	if (!attached)
		return;

	if (idev->tdp_ref)
		tdp_meet_vm(tdp, idev->tdp_ref);
	tdp_forget_failures(tdp);
	tdp_kick(tdp);
}

/**
 * iommufd_tdp_detached() - A device has left an HWPT
 * @hwpt: any, still held
 *
 * Context: any.
 */
void iommufd_tdp_detached(struct iommufd_hw_pagetable *hwpt)
{
	struct iommufd_hwpt_paging *paging = tdp_as_paging(hwpt);

	if (!paging)
		return;

	tdp_forget_failures(&paging->ioas->tdp);
	tdp_kick(&paging->ioas->tdp);
}

/**
 * iommufd_tdp_hwpt_destroy() - An HWPT goes, with the domain that it has now
 * @hwpt: the HWPT; nothing is attached to it
 *
 * Context: ioas->mutex may be held.
 */
void iommufd_tdp_hwpt_destroy(struct iommufd_hwpt_paging *hwpt)
{
	struct iommufd_tdp *tdp = &hwpt->ioas->tdp;

	guard(mutex)(&tdp->lock);

	if (tdp->hwpt != hwpt)
		return;

	tdp_drop_reserve(tdp);
	tdp->reason = TDP_NO_HWPT;
	account_time(&tdp->stats, true, ktime_get_ns());
}

/**
 * iommufd_tdp_hwpt_destroyed() - An HWPT and its domain are gone
 * @ioas: its IOAS
 *
 * It may have had the VM's table, which another IOAS of the VM may wait for.
 *
 * Context: ioas->mutex may be held.
 */
void iommufd_tdp_hwpt_destroyed(struct iommufd_ioas *ioas)
{
	struct iommufd_tdp *tdp = &ioas->tdp;

	guard(mutex)(&tdp->lock);

	if (tdp->ref && !tdp->hwpt)
		tdp_list_wake(tdp);
	/* Now the VM may be forgotten. */
	if (tdp->hwpt_goes)
		tdp_kick(tdp);
	tdp->hwpt_goes = false;
}

/**
 * iommufd_tdp_begin_dirty() - Dirty tracking is to be switched, or read
 * @hwpt: the HWPT
 *
 * One that is split goes on to its private domain first: either has part of what
 * is dirty.
 *
 * Context: takes iommufd_tdp::lock, which on success is held until
 * iommufd_tdp_end_dirty(), so that the HWPT keeps its domain.
 * Return: 0, or the errno of tdp_step_aside().
 */
int iommufd_tdp_begin_dirty(struct iommufd_hwpt_paging *hwpt)
{
	struct iommufd_tdp *tdp = &hwpt->ioas->tdp;
	int rc = 0;

	mutex_lock(&tdp->lock);
	if (tdp->split && tdp->hwpt == hwpt)
		rc = tdp_step_aside(tdp, TDP_BY_DIRTY);
	if (rc)
		mutex_unlock(&tdp->lock);
	return rc;
}

/**
 * iommufd_tdp_end_dirty() - Dirty tracking has been switched, or read
 * @hwpt: as before
 *
 * Context: releases iommufd_tdp::lock.
 */
void iommufd_tdp_end_dirty(struct iommufd_hwpt_paging *hwpt)
{
	mutex_unlock(&hwpt->ioas->tdp.lock);
}

/**
 * iommufd_tdp_begin_map() - Something is to be mapped in an IOAS
 * @iopt: of the IOAS
 *
 * Context: any.
 * Return: for iommufd_tdp_map_again().
 */
struct tdp_map iommufd_tdp_begin_map(struct io_pagetable *iopt)
{
	return (struct tdp_map) { .seq = READ_ONCE(to_tdp(iopt)->seq) };
}

/**
 * iommufd_tdp_map_again() - Whether to try a map again that has failed
 * @iopt: of the IOAS
 * @map: in/out, from iommufd_tdp_begin_map()
 * @error: what it has failed with
 *
 * What a private table takes must not fail because of a shared one, which has no
 * leaf that can't be read, and no memory of guest_memfd. So the HWPT steps aside.
 * If it can't, or if that is what happened before the last try, the errno of the
 * map stands. The number of tries is limited, since between two of them the HWPT
 * may have been shared again.
 *
 * Context: without iopt locks. May sleep.
 * Return: whether the last try may have failed because of a shared domain, and
 * there is none now.
 */
bool iommufd_tdp_map_again(struct io_pagetable *iopt, struct tdp_map *map,
			   int error)
{
	struct iommufd_tdp *tdp = to_tdp(iopt);
	unsigned int before = map->seq;

	if (!READ_ONCE(tdp->ref) || reason_of(error) != TDP_NO_MIRROR ||
	    ++map->tries == TDP_MAP_TRIES)
		return false;

	/* One that was under way had the shared domain in the IOAS already. */
	guard(mutex)(&tdp->lock);

	if (tdp_step_aside(tdp, TDP_BY_MAP))
		return false;
	map->seq = tdp->seq;
	return map->seq != before;
}

/**
 * iommufd_tdp_mapped() - Something has been mapped in an IOAS, or could not be
 * @iopt: of the IOAS
 *
 * Context: any.
 */
void iommufd_tdp_mapped(struct io_pagetable *iopt)
{
	tdp_kick(to_tdp(iopt));
}

/**
 * iommufd_tdp_unmapped() - Something has been unmapped from an IOAS
 * @iopt: of the IOAS
 *
 * It may have been what could not be shared.
 *
 * Context: any.
 */
void iommufd_tdp_unmapped(struct io_pagetable *iopt)
{
	struct iommufd_tdp *tdp = to_tdp(iopt);

	if (!READ_ONCE(tdp->hwpt))
		tdp_kick(tdp);
}
