// SPDX-License-Identifier: GPL-2.0-only
/*
 * debugfs: what shares and why not, and an operator's orders.
 *
 * /sys/kernel/debug/iommufd_tdp/vms has a line for each VM, key=value separated
 * by spaces; keys may be added at the end. /sys/kernel/debug/iommufd_tdp/control
 * takes "PID off", "PID auto", "PID share" or "PID private".
 */
#include <linux/debugfs.h>
#include <linux/ktime.h>
#include <linux/seq_file.h>
#include <linux/string_helpers.h>

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
	[TDP_DIRTY] = "dirty",
	[TDP_OFF] = "off",
	[TDP_FORCED] = "forced",
};

static struct dentry *tdp_dir;

/* Why there is no sharing now. */
static enum tdp_reason current_reason(struct iommufd_tdp *tdp)
{
	if (tdp->hwpt)
		return TDP_SHARED;
	if (tdp->off)
		return TDP_OFF;
	if (tdp->reason != TDP_FORCED && delayed_work_pending(&tdp->work))
		return TDP_SETTLING;
	return tdp->reason;
}

static void show_one(struct seq_file *m, struct iommufd_tdp *tdp)
{
	struct tdp_stats *stats = &tdp->stats;
	u64 ns[2] = { stats->ns[false], stats->ns[true] };
	struct tdp_devices found;

	guard(mutex)(&tdp->lock);

	found = tdp_find_devices(tdp);
	ns[!!tdp->hwpt] += ktime_get_ns() - stats->since;

	seq_printf(m, "pid=%d comm=", tdp->pid);
	seq_escape_str(m, tdp->comm, ESCAPE_OCTAL | ESCAPE_NAP | ESCAPE_APPEND, " =\"\\");
	seq_printf(m, " hwpt=%u devices=%u mode=%s state=%s reason=%s error=%d last=%s",
		   found.hwpt ? found.hwpt->common.obj.id : 0, found.own,
		   tdp->off ? "off" : "auto", tdp->hwpt ? "shared" : "private",
		   reason_names[current_reason(tdp)],
		   tdp->hwpt ? 0 : -tdp->error,
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

	guard(mutex)(&tdp_list_lock);

	list_for_each_entry(tdp, &tdp_list, item)
		show_one(m, tdp);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vms);

static int order_share(struct iommufd_tdp *tdp)
{
	int rc;

	scoped_guard(mutex, &tdp->lock) {
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

	guard(mutex)(&tdp->lock);

	tdp->off = off;
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
		guard(mutex)(&tdp->lock);
		tdp->off = false;
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

	guard(mutex)(&tdp_list_lock);

	/* A process may have more than one VM, or IOAS. */
	list_for_each_entry(tdp, &tdp_list, item) {
		int one;

		if (tdp->pid != pid)
			continue;
		one = order(tdp, command);
		if (rc == -ESRCH || one)
			rc = one;
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
