// SPDX-License-Identifier: GPL-2.0-only
/*
 * debugfs: what shares and why not, and an operator's orders.
 *
 * /sys/kernel/debug/iommufd_tdp/vms has a line for each VM, key=value separated
 * by spaces; keys may be added at the end. /sys/kernel/debug/iommufd_tdp/control
 * takes "PID off", "PID auto", "PID share" or "PID private".
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/seq_file.h>
#include <linux/string_helpers.h>
#include <linux/tdp_bridge.h>

#include "tdp_private.h"

static const char *const trigger_names[TDP_TRIGGERS] = {
	[TDP_BY_QUIET] = "quiet",
	[TDP_BY_MAP] = "map",
	[TDP_BY_CONFLICT] = "conflict",
	[TDP_BY_ATTACH] = "attach",
	[TDP_BY_DIRTY] = "dirty",
	[TDP_BY_CLAIM] = "claim",
	[TDP_BY_OFF] = "off",
	[TDP_BY_FORCE] = "forced",
};

static const char *const reason_names[] = {
	[TDP_SHARED] = "none",
	[TDP_SETTLING] = "settling",
	[TDP_NO_HWPT] = "no-hwpt",
	[TDP_KIND] = "kind",
	[TDP_NO_MIRROR] = "no-mirror",
	[TDP_REFUSED] = "refused",
	[TDP_FOREIGN] = "foreign",
	[TDP_OFF] = "off",
	[TDP_FORCED] = "forced",
	[TDP_SPLIT] = "split",
};

static struct dentry *tdp_dir;

/*
 * Those that have a VM, of all processes of the host. The lock is innermost: none
 * of a VM's locks is taken while it is held, so that a VM that is stuck does not
 * stop others. Whoever looks at an entry holds it by iommufd_tdp::users meanwhile.
 */
static DEFINE_MUTEX(tdp_list_lock);
static LIST_HEAD(tdp_list);
static u64 tdp_list_last;

/**
 * tdp_list_add() - List an IOAS that has a VM
 * @tdp: the IOAS's, not listed
 *
 * Context: iommufd_tdp::vm_lock held.
 */
void tdp_list_add(struct iommufd_tdp *tdp)
{
	guard(mutex)(&tdp_list_lock);

	/* In the order of numbers, by which readers go on. */
	tdp->nr = ++tdp_list_last;
	list_add_tail(&tdp->item, &tdp_list);
}

/**
 * tdp_list_del() - Undo tdp_list_add()
 * @tdp: listed. Who has found it before may go on using it, see tdp_list_wait()
 *
 * Context: iommufd_tdp::vm_lock held.
 */
void tdp_list_del(struct iommufd_tdp *tdp)
{
	guard(mutex)(&tdp_list_lock);

	list_del(&tdp->item);
}

/**
 * tdp_list_wake() - Tell those who wait for a VM's table that it is free
 * @tdp: the IOAS that had it, or failed to get it for another reason
 *
 * Those who do not wait are not told, so that IOASes that fail for reasons of
 * their own do not wake each other for ever.
 *
 * Context: iommufd_tdp::lock of @tdp held.
 */
void tdp_list_wake(struct iommufd_tdp *tdp)
{
	struct tdp_share_ref *ref;
	struct iommufd_tdp *other;

	lockdep_assert_held(&tdp->lock);
	guard(mutex)(&tdp_list_lock);

	list_for_each_entry(other, &tdp_list, item) {
		/* It is put only after its owner has been taken off the list. */
		ref = READ_ONCE(other->ref);
		if (other != tdp && ref && READ_ONCE(other->waits) &&
		    tdp_bridge_same_vm(ref, tdp->ref))
			tdp_kick(other);
	}
}

/**
 * tdp_list_wait() - Wait for those who have found an IOAS in the list
 * @tdp: not listed any more, and will not be
 *
 * They wait for nothing but the IOAS's own locks, and for what they have it do.
 *
 * Context: may sleep; none of the IOAS's locks may be held.
 */
void tdp_list_wait(struct iommufd_tdp *tdp)
{
	if (!refcount_dec_and_test(&tdp->users))
		wait_for_completion(&tdp->unused);
}

/* The next in the list behind number *@nr, which becomes its; NULL at the end. */
static struct iommufd_tdp *tdp_list_next(u64 *nr)
{
	struct iommufd_tdp *tdp;

	guard(mutex)(&tdp_list_lock);

	list_for_each_entry(tdp, &tdp_list, item) {
		/* One without users is being destroyed. */
		if (tdp->nr <= *nr || !refcount_inc_not_zero(&tdp->users))
			continue;
		*nr = tdp->nr;
		return tdp;
	}
	return NULL;
}

/* Undo what tdp_list_next() has taken. */
static void tdp_list_put(struct iommufd_tdp *tdp)
{
	if (refcount_dec_and_test(&tdp->users))
		complete(&tdp->unused);
}

/* Why there is no sharing now. */
static enum tdp_reason current_reason(struct iommufd_tdp *tdp)
{
	if (tdp->split)
		return TDP_SPLIT;
	if (tdp->hwpt)
		return TDP_SHARED;
	if (tdp->off)
		return TDP_OFF;
	if (tdp->reason != TDP_FORCED && delayed_work_pending(&tdp->work))
		return TDP_SETTLING;
	return tdp->reason;
}

/*
 * Lock a VM that may be in the middle of something, or stuck: -EBUSY if it is
 * after a second, -EINTR if whoever asks does not want to know any more.
 */
static int lock_patiently(struct iommufd_tdp *tdp)
{
	for (int i = 0; i < 100; i++) {
		if (mutex_trylock(&tdp->lock))
			return 0;
		if (msleep_interruptible(10))
			return -EINTR;
	}
	return -EBUSY;
}

/*
 * A VM's line. Without the lock, if that can't be had, the numbers may not fit together and
 * devices are not looked for. They are printed and nothing else.
 */
static void show_one(struct seq_file *m, struct iommufd_tdp *tdp, bool locked)
{
	struct tdp_stats *stats = &tdp->stats;
	u64 ns[2] = { stats->ns[false], stats->ns[true] };
	struct tdp_devices found = { 0 };
	bool shared = READ_ONCE(tdp->hwpt);
	bool off = READ_ONCE(tdp->off);
	char comm[sizeof(tdp->comm)];
	pid_t pid;

	if (locked)
		found = tdp_find_devices(tdp);
	ns[shared] += ktime_get_ns() - stats->since;

	scoped_guard(spinlock, &tdp->owner_lock) {
		pid = tdp->pid;
		strscpy(comm, tdp->comm);
	}
	seq_printf(m, "pid=%d comm=", pid);
	seq_escape_str(m, comm, ESCAPE_OCTAL | ESCAPE_NAP | ESCAPE_APPEND, " =\"\\");
	seq_printf(m, " hwpt=%u devices=%u mode=%s state=%s reason=%s error=%d last=%s",
		   found.hwpt ? found.hwpt->common.obj.id : 0, found.own,
		   off ? "off" : "auto", shared ? "shared" : "private",
		   locked ? reason_names[current_reason(tdp)] : "busy",
		   shared && !tdp->split ? 0 : -READ_ONCE(tdp->error),
		   stats->converted[false] ? trigger_names[stats->last] : "none");
	seq_printf(m, " to_shared=%llu to_private=%llu failed=%llu shared_ns=%llu private_ns=%llu longest_ns=%llu",
		   stats->converted[true], stats->converted[false],
		   stats->failed, ns[true], ns[false], stats->longest_ns);
	for (int i = TDP_BY_MAP; i < TDP_TRIGGERS; i++)
		seq_printf(m, "%s%s:%llu", i == TDP_BY_MAP ? " triggers=" : ",",
			   trigger_names[i], stats->triggers[i]);
	seq_putc(m, '\n');
}

static int vms_show(struct seq_file *m, void *unused)
{
	struct iommufd_tdp *tdp;
	u64 nr = 0;
	int rc = 0;

	while (rc != -EINTR && (tdp = tdp_list_next(&nr))) {
		rc = lock_patiently(tdp);
		/* With the lock it is seen whether the VM has been forgotten. */
		if (rc == -EBUSY || (!rc && tdp->ref))
			show_one(m, tdp, !rc);
		if (!rc)
			mutex_unlock(&tdp->lock);
		tdp_list_put(tdp);
	}
	return rc == -EINTR ? rc : 0;
}
DEFINE_SHOW_ATTRIBUTE(vms);

static int order_share(struct iommufd_tdp *tdp)
{
	int rc;

	scoped_cond_guard(mutex_intr, return -EINTR, &tdp->lock) {
		/* It may have been forgotten since it was found. */
		if (!tdp->ref)
			return -ESRCH;
		if (tdp->off)
			return -EPERM;
		tdp_evaluate(tdp, TDP_BY_FORCE);
		rc = tdp->error;
		if (!rc && !tdp->hwpt)
			rc = -EBUSY;
	}
	tdp_activate(tdp);
	return rc;
}

static int order_private(struct iommufd_tdp *tdp, enum tdp_trigger trigger,
			 bool off)
{
	int rc;

	ACQUIRE(mutex_intr, lock)(&tdp->lock);
	rc = ACQUIRE_ERR(mutex_intr, &lock);
	if (rc)
		return rc;

	WRITE_ONCE(tdp->off, off);
	rc = tdp_step_aside(tdp, trigger);
	if (!rc)
		tdp->reason = off ? TDP_OFF : TDP_FORCED;
	return rc;
}

static int order(struct iommufd_tdp *tdp, const char *command)
{
	int rc = 0;

	if (!strcmp(command, "share"))
		return order_share(tdp);

	if (!strcmp(command, "off")) {
		rc = order_private(tdp, TDP_BY_OFF, true);
	} else if (!strcmp(command, "private")) {
		rc = order_private(tdp, TDP_BY_FORCE, READ_ONCE(tdp->off));
	} else if (!strcmp(command, "auto")) {
		scoped_cond_guard(mutex_intr, return -EINTR, &tdp->lock)
			WRITE_ONCE(tdp->off, false);
	} else {
		return -EINVAL;
	}
	tdp_kick(tdp);
	return rc;
}

static ssize_t control_write(struct file *file, const char __user *ubuf,
			     size_t len, loff_t *pos)
{
	int pid, rc = -ESRCH, parsed = 0;
	u64 nr = 0;
	struct iommufd_tdp *tdp;
	char buf[32], *command;

	if (len >= sizeof(buf))
		return -EINVAL;
	if (copy_from_user(buf, ubuf, len))
		return -EFAULT;
	buf[len] = '\0';

	if (sscanf(buf, "%d %n", &pid, &parsed) != 1 || !parsed)
		return -EINVAL;
	command = strim(buf + parsed);

	/* A process may have more than one VM, or IOAS. */
	while (rc != -EINTR && (tdp = tdp_list_next(&nr))) {
		if (READ_ONCE(tdp->pid) == pid) {
			int one = order(tdp, command);

			if (rc == -ESRCH || one)
				rc = one;
		}
		tdp_list_put(tdp);
	}
	return rc ?: len;
}

static const struct file_operations control_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = control_write,
	.llseek = noop_llseek,
};

/**
 * iommufd_tdp_module_init() - Make the files in debugfs
 *
 * Context: module init.
 */
void iommufd_tdp_module_init(void)
{
	tdp_dir = debugfs_create_dir("iommufd_tdp", NULL);
	debugfs_create_file("vms", 0444, tdp_dir, NULL, &vms_fops);
	debugfs_create_file("control", 0200, tdp_dir, NULL, &control_fops);
}

/**
 * iommufd_tdp_module_exit() - Undo iommufd_tdp_module_init()
 *
 * Context: module exit.
 */
void iommufd_tdp_module_exit(void)
{
	debugfs_remove(tdp_dir);
}
