// SPDX-License-Identifier: GPL-2.0-only
/*
 * The share object of a VM: made on demand, handed to the bridge, let go.
 */
#define pr_fmt(fmt) "kvm: mmu_share: " fmt

#include <linux/iommu.h>
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "mmu.h"
#include "mmu/tdp_iter.h"
#include "mmu/tdp_mmu.h"
#include "refuse.h"
#include "share.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/* Why the VM's table can't be shared by the current process, as an errno. */
static int mmu_share_refuse(struct kvm *kvm, bool verbose)
{
	const struct mmu_share_refusal *refusal;
	unsigned long met = 0;

	__assign_bit(MMU_SHARE_ENABLED, &met, share_iommu_tdp);
	__assign_bit(MMU_SHARE_TDP_MMU, &met, tdp_mmu_enabled);
	__assign_bit(MMU_SHARE_AD_BITS, &met, kvm_ad_enabled);
	__assign_bit(MMU_SHARE_PLAIN_VM, &met,
		     kvm->arch.vm_type == KVM_X86_DEFAULT_VM);
#if IS_ENABLED(CONFIG_HYPERV)
	__assign_bit(MMU_SHARE_BARE_METAL, &met, !kvm_x86_ops.flush_remote_tlbs);
#else
	__set_bit(MMU_SHARE_BARE_METAL, &met);
#endif
	__assign_bit(MMU_SHARE_OWN_VM, &met, kvm->mm == current->mm);
	__assign_bit(MMU_SHARE_ALIVE, &met, !kvm->vm_dead && !kvm->vm_bugged);

	refusal = mmu_share_refusal(met);
	if (!refusal)
		return 0;

	if (verbose)
		pr_warn_ratelimited("refused for the VM of pid %d: %s\n",
				    kvm->userspace_pid, refusal->why);
	return refusal->err;
}

static struct kvm_mmu_page *mmu_share_alloc_root(struct kvm *kvm)
{
	union kvm_mmu_page_role role = kvm_mmu_common_tdp_role(kvm);
	struct kvm_mmu_page *root;

	root = tdp_mmu_alloc_sp_for_split();
	if (!root)
		return NULL;

	role.io_shared = true;
	memset64(root->spt, SHADOW_NONPRESENT_VALUE, SPTE_ENT_PER_PAGE);
	tdp_mmu_init_sp(root, NULL, 0, role);

	/* The TDP MMU's own reference, put when the root is zapped. */
	refcount_set(&root->tdp_mmu_root_count, 1);
	return root;
}

static const struct tdp_provider_ops mmu_share_provider_ops;

static struct kvm_mmu_share *mmu_share_create(struct kvm *kvm)
{
	struct kvm_mmu_share *share;

	lockdep_assert_held(&kvm->slots_lock);

	share = kzalloc_obj(*share, GFP_KERNEL_ACCOUNT);
	if (!share)
		return ERR_PTR(-ENOMEM);

	share->root = mmu_share_alloc_root(kvm);
	if (!share->root) {
		kfree(share);
		return ERR_PTR(-ENOMEM);
	}

	share->base.ops = &mmu_share_provider_ops;
	BLOCKING_INIT_NOTIFIER_HEAD(&share->base.events);
	share->kvm = kvm;
	refcount_set(&share->users, 1);
	share->max_level = PG_LEVEL_4K;
	mutex_init(&share->map_lock);
	mutex_init(&share->dirty_lock);
	tdp_dirty_init(&share->dma_dirty);
	spin_lock_init(&share->sink_lock);
	kvm_get_kvm(kvm);
	/* As the VM's file does, which may be closed while the share lives. */
	share->vendor = kvm_vendor_module();
	__module_get(share->vendor);

	write_lock(&kvm->mmu_lock);
	spin_lock(&kvm->arch.tdp_mmu_pages_lock);
	list_add_rcu(&share->root->link, &kvm->arch.tdp_mmu_roots);
	spin_unlock(&kvm->arch.tdp_mmu_pages_lock);
	rcu_assign_pointer(kvm->arch.mmu_share, share);
	write_unlock(&kvm->mmu_lock);

	trace_mmu_share_create(kvm->userspace_pid, __pa(share->root->spt),
			       share->root->role.level);
	return share;
}

/*
 * Give the root back to the TDP MMU. vCPUs go over to an ordinary root of their
 * own, in which they fault their memory in again.
 */
static void mmu_share_retire_root(struct kvm_mmu_share *share)
{
	struct kvm_mmu_page *root = share->root;
	struct kvm *kvm = share->kvm;

	guard(mutex)(&kvm->slots_lock);

	write_lock(&kvm->mmu_lock);
	RCU_INIT_POINTER(kvm->arch.mmu_share, NULL);
	root->tdp_mmu_scheduled_root_to_zap = true;
	root->role.invalid = true;
	kvm_make_all_cpus_request(kvm, KVM_REQ_MMU_FREE_OBSOLETE_ROOTS);
	write_unlock(&kvm->mmu_lock);

	kvm_tdp_mmu_zap_invalidated_roots(kvm, true);
}

static struct kvm *mmu_share_vm(struct file *file)
{
	return file_is_kvm(file) ? file->private_data : NULL;
}

static struct tdp_share *mmu_share_get(struct kvm *kvm, bool verbose)
{
	struct kvm_mmu_share *share;
	int ret;

	ret = mmu_share_refuse(kvm, verbose);
	if (ret)
		return ERR_PTR(ret);

	/* kvm->mm is the caller's, so that the notifier's release is yet to come. */
	mutex_lock(&kvm->slots_lock);
	read_lock(&kvm->mmu_lock);
	share = mmu_share_locked(kvm);
	/* Its last reference may be on the way out in a work item. */
	if (share && !refcount_inc_not_zero(&share->users))
		share = ERR_PTR(-EAGAIN);
	read_unlock(&kvm->mmu_lock);
	if (!share)
		share = mmu_share_create(kvm);
	mutex_unlock(&kvm->slots_lock);

	return IS_ERR(share) ? ERR_CAST(share) : &share->base;
}

/*
 * Running vCPUs change roots as they do for a memslot update: theirs becomes
 * obsolete, and the next one that they load is the shared one.
 */
static void mmu_share_activate(struct tdp_share *handle)
{
	struct kvm_mmu_share *share = to_mmu_share(handle);
	struct kvm *kvm = share->kvm;

	guard(mutex)(&kvm->slots_lock);

	if (share->activated)
		return;

	write_lock(&kvm->mmu_lock);
	share->activated = true;
	__kvm_mmu_zap_all_fast_front_half(kvm);
	write_unlock(&kvm->mmu_lock);

	__kvm_mmu_zap_all_fast_back_half(kvm);
}

/**
 * mmu_share_put() - tdp_provider_ops.put, see there
 * @handle: the share
 *
 * Context: may sleep; takes slots_lock.
 */
void mmu_share_put(struct tdp_share *handle)
{
	struct kvm_mmu_share *share = to_mmu_share(handle);
	struct module *vendor = share->vendor;
	struct kvm *kvm = share->kvm;

	if (!refcount_dec_and_test(&share->users))
		return;

	WARN_ON_ONCE(share->pinned_pages);
	trace_mmu_share_destroy(kvm->userspace_pid, __pa(share->root->spt),
				share->root->role.level);

	mmu_share_retire_root(share);
	if (share->spare)
		tdp_mmu_free_unused_sp(share->spare);
	tdp_dirty_free(&share->dma_dirty);
	kfree_rcu(share, rcu);
	kvm_put_kvm(kvm);
	module_put(vendor);
}

/**
 * mmu_share_flush_tables() - Have IOMMUs forget the way to unlinked tables
 * @share: the share
 *
 * The lock is held throughout: whoever unbinds waits for the flush.
 *
 * Context: process context, mmu_lock held.
 */
void mmu_share_flush_tables(struct kvm_mmu_share *share)
{
	guard(spinlock)(&share->sink_lock);

	if (!share->sink_ops)
		return;
	trace_mmu_share_iotlb_flush(__pa(share->root->spt));
	share->sink_ops->flush_tables(share->sink);
	atomic64_inc(&share->flushes);
}

/**
 * mmu_share_flush_pages() - Have IOMMUs forget what they know of leaves
 * @share: the share
 * @gpa: first guest physical address, bytes
 * @len: length in bytes
 *
 * For who has cleared D. The lock is held throughout, as above.
 *
 * Context: any but interrupts; mmu_lock may be held.
 */
void mmu_share_flush_pages(struct kvm_mmu_share *share, u64 gpa, u64 len)
{
	guard(spinlock)(&share->sink_lock);

	if (share->sink_ops)
		share->sink_ops->flush_pages(share->sink, gpa, len);
}

/**
 * __mmu_share_changed() - slow half of mmu_share_changed(), see there
 * @kvm: the VM
 * @old: memslot that is not there any more, or is elsewhere; or NULL
 * @new: memslot that has come, or is here now; or NULL
 *
 * Context: slots_lock held, which keeps the share. May sleep.
 */
void __mmu_share_changed(struct kvm *kvm, const struct kvm_memory_slot *old,
			 const struct kvm_memory_slot *new)
{
	struct kvm_mmu_share *share;

	share = rcu_dereference_protected(kvm->arch.mmu_share,
					  lockdep_is_held(&kvm->slots_lock));
	if (!share)
		return;
	if (old)
		mmu_share_free_empty_tables(kvm, old);
	if (new)
		mmu_share_open_slot(share, new);
	blocking_notifier_call_chain(&share->base.events, TDP_CHANGED, NULL);
}

static void mmu_share_unbind(struct tdp_share *handle)
{
	struct kvm_mmu_share *share = to_mmu_share(handle);

	guard(spinlock)(&share->sink_lock);
	share->sink_ops = NULL;
	share->sink = NULL;
	/* Whoever sees it late notes a page for nobody. */
	WRITE_ONCE(share->dma_tracked, false);
}

static int mmu_share_bind(struct tdp_share *handle,
			  const struct tdp_sink_ops *ops, void *sink,
			  bool asked)
{
	struct kvm_mmu_share *share = to_mmu_share(handle);

	guard(spinlock)(&share->sink_lock);
	if (share->sink_ops)
		return -EBUSY;
	/* Whoever was bound before has left it. */
	tdp_dirty_clear(&share->dma_dirty);
	share->sink_ops = ops;
	share->sink = sink;
	share->asked = asked;
	return 0;
}

static void mmu_share_table(struct tdp_share *handle,
			    struct tdp_table_info *info)
{
	struct kvm_mmu_share *share = to_mmu_share(handle);

	info->root = __pa(share->root->spt);
	info->format = mmu_share_format == MMU_SHARE_NPT_AMDV1 ?
			       TDP_FORMAT_AMDV1 : TDP_FORMAT_VTDSS;
	info->levels = share->root->role.level;
	info->pgsizes = SZ_4K;
	if (max_huge_page_level >= PG_LEVEL_2M)
		info->pgsizes |= SZ_2M;
	if (max_huge_page_level >= PG_LEVEL_1G)
		info->pgsizes |= SZ_1G;
}

static const struct tdp_provider_ops mmu_share_provider_ops = {
	.owner = THIS_MODULE,
	.vm = mmu_share_vm,
	.get = mmu_share_get,
	.put = mmu_share_put,
	.activate = mmu_share_activate,
	.bind = mmu_share_bind,
	.unbind = mmu_share_unbind,
	.table = mmu_share_table,
	.map = mmu_share_map,
	.unmap = mmu_share_unmap,
	.read_pfns = mmu_share_read_pfns,
	.track_dirty = mmu_share_track_dirty,
	.read_dirty = mmu_share_read_dirty,
};

/**
 * mmu_share_init() - Offer VMs' tables to the bridge
 *
 * Done whether or not share_iommu_tdp is on, so that whoever asks in vain is
 * told why.
 *
 * Context: module init.
 */
void mmu_share_init(void)
{
	if (tdp_bridge_register(&mmu_share_provider_ops))
		pr_warn("no sharing of TDP tables: another hypervisor offers its own\n");
}

/**
 * mmu_share_exit() - Undo mmu_share_init()
 *
 * Context: module exit, when no VM is left.
 */
void mmu_share_exit(void)
{
	tdp_bridge_unregister(&mmu_share_provider_ops);
}
