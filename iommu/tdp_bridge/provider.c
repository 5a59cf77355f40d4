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
	struct tdp_share_ref *ref;
	int ret;

	CLASS(fd, vm)(vm_fd);

	ops = provider_get();
	if (!ops) {
		pr_warn_ratelimited("no hypervisor offers its tables; load kvm with share_iommu_tdp=1\n");
		return ERR_PTR(-ENODEV);
	}

	ref = kzalloc_obj(*ref, GFP_KERNEL_ACCOUNT);
	if (!ref) {
		ret = -ENOMEM;
		goto err_module;
	}
	refcount_set(&ref->users, 1);
	INIT_WORK(&ref->release_work, share_ref_release);

	if (fd_empty(vm)) {
		pr_warn_ratelimited("kvm_fd %d is not open; pass the VM's file descriptor\n",
				    vm_fd);
		ret = -EBADF;
		goto err_free;
	}

	do {
		ref->share = ops->get(fd_file(vm));
		/* The VM's last share is being released: let that finish. */
		if (ref->share == ERR_PTR(-EAGAIN))
			flush_workqueue(release_wq);
	} while (ref->share == ERR_PTR(-EAGAIN));
	if (IS_ERR(ref->share)) {
		ret = PTR_ERR(ref->share);
		goto err_free;
	}

	atomic_inc(&tdp_bridge_stats.shares);
	return ref;

err_free:
	kfree(ref);
err_module:
	module_put(ops->owner);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_GPL(tdp_bridge_get);

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
