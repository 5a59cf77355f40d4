// SPDX-License-Identifier: GPL-2.0-only
/*
 * The provider's registration, and counted references to its shares.
 */
#define pr_fmt(fmt) "tdp_bridge: " fmt

#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/init.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "tdp_bridge_private.h"

static DEFINE_MUTEX(provider_lock);
static const struct tdp_provider_ops *provider;
static struct workqueue_struct *release_wq;

struct tdp_bridge_stats tdp_bridge_stats;

/**
 * tdp_bridge_register() - Offer the TDP tables of a hypervisor's VMs
 * @ops: what to call; stays valid until unregistered
 *
 * Context: may sleep.
 * Return: 0, -EBUSY when there is a provider, or -ENOMEM when the bridge could
 * not start.
 */
int tdp_bridge_register(const struct tdp_provider_ops *ops)
{
	guard(mutex)(&provider_lock);

	if (!release_wq)
		return -ENOMEM;
	if (provider)
		return -EBUSY;
	provider = ops;
	return 0;
}
EXPORT_SYMBOL_GPL(tdp_bridge_register);

/**
 * tdp_bridge_unregister() - Take the offer back
 * @ops: as registered; a no-op otherwise
 *
 * Every share holds @ops->owner, so that there is none when a module exits.
 *
 * Context: may sleep.
 */
void tdp_bridge_unregister(const struct tdp_provider_ops *ops)
{
	guard(mutex)(&provider_lock);

	if (provider == ops)
		provider = NULL;
}
EXPORT_SYMBOL_GPL(tdp_bridge_unregister);

static const struct tdp_provider_ops *provider_get(void)
{
	guard(mutex)(&provider_lock);

	if (!provider || !try_module_get(provider->owner))
		return NULL;
	return provider;
}

static void share_ref_release(struct work_struct *work)
{
	struct tdp_share_ref *ref =
		container_of(work, struct tdp_share_ref, release_work);
	const struct tdp_provider_ops *ops = ref->share->ops;

	ops->put(ref->share);
	kfree(ref);
	atomic_dec(&tdp_bridge_stats.shares);
	module_put(ops->owner);
}

/* As provider_ops.get. Takes over the reference to the provider's module. */
static struct tdp_share_ref *get_share(const struct tdp_provider_ops *ops,
				       struct kvm *kvm, bool verbose)
{
	struct tdp_share_ref *ref;
	int ret;

	ref = kzalloc_obj(*ref, GFP_KERNEL_ACCOUNT);
	if (!ref) {
		ret = -ENOMEM;
		goto err_module;
	}
	refcount_set(&ref->users, 1);
	INIT_WORK(&ref->release_work, share_ref_release);

	do {
		ref->share = ops->get(kvm, verbose);
		if (ref->share != ERR_PTR(-EAGAIN))
			break;
		/*
		 * The VM's last share is being released. That may be held up, and
		 * other VMs' releases before it: wait for this one alone.
		 */
		schedule_timeout_killable(1);
		if (fatal_signal_pending(current))
			ref->share = ERR_PTR(-EINTR);
	} while (ref->share == ERR_PTR(-EAGAIN));
	if (IS_ERR(ref->share)) {
		ret = PTR_ERR(ref->share);
		kfree(ref);
		goto err_module;
	}

	atomic_inc(&tdp_bridge_stats.shares);
	return ref;

err_module:
	module_put(ops->owner);
	return ERR_PTR(ret);
}

/**
 * tdp_bridge_get() - Get the share of a VM, creating it on demand
 * @vm_fd: file descriptor of the VM in the caller's table
 *
 * Context: may sleep; takes kvm->slots_lock, so no iommufd lock may be held.
 * Return: a reference for tdp_bridge_put(), or an ERR_PTR(): -ENODEV when no
 * hypervisor is loaded, -EBADF for what is not a VM, else the provider's errno.
 * Each is logged with what to do about it.
 */
struct tdp_share_ref *tdp_bridge_get(int vm_fd)
{
	const struct tdp_provider_ops *ops;
	struct kvm *kvm;

	CLASS(fd, vm)(vm_fd);

	ops = provider_get();
	if (!ops) {
		pr_warn_ratelimited("no hypervisor offers its tables; load kvm with share_iommu_tdp=1\n");
		return ERR_PTR(-ENODEV);
	}

	kvm = fd_empty(vm) ? NULL : ops->vm(fd_file(vm));
	if (!kvm) {
		if (fd_empty(vm))
			pr_warn_ratelimited("kvm_fd %d is not open; pass the VM's file descriptor\n",
					    vm_fd);
		else
			pr_warn_ratelimited("kvm_fd is not a VM; pass the file descriptor from KVM_CREATE_VM\n");
		module_put(ops->owner);
		return ERR_PTR(-EBADF);
	}
	return get_share(ops, kvm, true);
}
EXPORT_SYMBOL_GPL(tdp_bridge_get);

/**
 * tdp_bridge_get_kvm() - Get the share of a VM that is known by its pointer
 * @kvm: the VM, held by the caller
 *
 * Nobody asked for it, so that nothing is logged.
 *
 * Context: may sleep; takes kvm->slots_lock, so no iommufd lock may be held.
 * Return: as tdp_bridge_get().
 */
struct tdp_share_ref *tdp_bridge_get_kvm(struct kvm *kvm)
{
	const struct tdp_provider_ops *ops = provider_get();

	return ops ? get_share(ops, kvm, false) : ERR_PTR(-ENODEV);
}
EXPORT_SYMBOL_GPL(tdp_bridge_get_kvm);

/**
 * tdp_bridge_hold() - Take one more reference to a share
 * @ref: held already
 *
 * Context: any.
 */
void tdp_bridge_hold(struct tdp_share_ref *ref)
{
	refcount_inc(&ref->users);
}
EXPORT_SYMBOL_GPL(tdp_bridge_hold);

/**
 * tdp_bridge_put() - Drop a reference to a share
 * @ref: from tdp_bridge_get()
 *
 * Context: any; the release is deferred, see the lock order in tdp_bridge.h.
 */
void tdp_bridge_put(struct tdp_share_ref *ref)
{
	if (refcount_dec_and_test(&ref->users))
		queue_work(release_wq, &ref->release_work);
}
EXPORT_SYMBOL_GPL(tdp_bridge_put);

/**
 * tdp_bridge_same_vm() - Whether two references are to one share
 * @a: a reference
 * @b: another
 *
 * Context: any.
 */
bool tdp_bridge_same_vm(struct tdp_share_ref *a, struct tdp_share_ref *b)
{
	return a->share == b->share;
}
EXPORT_SYMBOL_GPL(tdp_bridge_same_vm);

/**
 * tdp_bridge_watch() - Be told of what happens to a share
 * @ref: the share
 * @nb: called with an enum tdp_event, see struct tdp_share for the locks
 *
 * Context: may sleep; no lock may be held that @nb takes.
 */
void tdp_bridge_watch(struct tdp_share_ref *ref, struct notifier_block *nb)
{
	blocking_notifier_chain_register(&ref->share->events, nb);
}
EXPORT_SYMBOL_GPL(tdp_bridge_watch);

/**
 * tdp_bridge_unwatch() - Undo tdp_bridge_watch()
 * @ref: the share
 * @nb: as registered; not running any more on return
 *
 * Context: as tdp_bridge_watch().
 */
void tdp_bridge_unwatch(struct tdp_share_ref *ref, struct notifier_block *nb)
{
	blocking_notifier_chain_unregister(&ref->share->events, nb);
}
EXPORT_SYMBOL_GPL(tdp_bridge_unwatch);

/**
 * tdp_bridge_activate() - Make the VM's vCPUs walk the shared table
 * @ref: the share, populated with what the IOAS maps
 *
 * Context: may sleep; takes kvm->slots_lock, so no iommufd lock may be held.
 */
void tdp_bridge_activate(struct tdp_share_ref *ref)
{
	ref->share->ops->activate(ref->share);
}
EXPORT_SYMBOL_GPL(tdp_bridge_activate);

static int objects_show(struct seq_file *m, void *unused)
{
	seq_printf(m, "domains: %d\n", atomic_read(&tdp_bridge_stats.domains));
	seq_printf(m, "shares: %d\n", atomic_read(&tdp_bridge_stats.shares));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(objects);

static int __init tdp_bridge_init(void)
{
	release_wq = alloc_workqueue("tdp_bridge", WQ_UNBOUND, 0);
	if (!release_wq)
		return -ENOMEM;

	debugfs_create_file("objects", 0444,
			    debugfs_create_dir("tdp_bridge", NULL), NULL,
			    &objects_fops);
	return 0;
}
subsys_initcall(tdp_bridge_init);
