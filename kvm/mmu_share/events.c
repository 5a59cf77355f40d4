// SPDX-License-Identifier: GPL-2.0-only
/*
 * What those who use a share are told of the VM, and what they may ask of it.
 */
#define pr_fmt(fmt) "kvm: mmu_share: " fmt

#include <linux/bitmap.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "mmu.h"
#include "mmu/tdp_iter.h"
#include "mmu/tdp_mmu.h"
#include "share.h"

/**
 * mmu_share_tell() - Tell a share's watchers of an event
 * @kvm: the VM
 * @event: what has happened, or is to
 *
 * Context: slots_lock held, which keeps the share. May sleep.
 */
void mmu_share_tell(struct kvm *kvm, enum tdp_event event)
{
	struct kvm_mmu_share *share;

	share = rcu_dereference_protected(kvm->arch.mmu_share,
					  lockdep_is_held(&kvm->slots_lock));
	if (share)
		blocking_notifier_call_chain(&share->base.events, event, NULL);
}

/**
 * mmu_share_tell_all() - Tell the watchers of all VMs' shares of an event
 * @event: what has happened, or is to
 *
 * Context: takes kvm_lock and each VM's slots_lock. May sleep.
 */
void mmu_share_tell_all(enum tdp_event event)
{
	struct kvm *kvm;

	guard(mutex)(&kvm_lock);

	list_for_each_entry(kvm, &vm_list, vm_list) {
		guard(mutex)(&kvm->slots_lock);
		mmu_share_tell(kvm, event);
	}
}

/* Whether a table of 4K leaves has a pinned one; *@gfn: where, if so. */
static bool table_is_pinned(struct kvm_mmu_page *sp, gfn_t start, gfn_t end,
			    gfn_t *gfn)
{
	unsigned int first = start > sp->gfn ? start - sp->gfn : 0;
	unsigned int last = min_t(gfn_t, end - sp->gfn, SPTE_ENT_PER_PAGE);
	unsigned int found = find_next_bit(sp->pinned_sptes, last, first);

	if (found >= last)
		return false;
	*gfn = sp->gfn + found;
	return true;
}

/* Whether a device may use part of a memslot; *@gfn: where, if so. */
static bool slot_is_pinned(struct kvm *kvm, const struct kvm_memory_slot *slot,
			   gfn_t *gfn)
{
	gfn_t start = slot->base_gfn, end = start + slot->npages;
	struct kvm_mmu_page *root;
	struct tdp_iter iter;
	bool pinned = false;

	read_lock(&kvm->mmu_lock);
	root = mmu_share_get_root(kvm);
	if (!root)
		goto out_unlock;

	rcu_read_lock();
	for_each_tdp_pte_min_level(iter, kvm, root, PG_LEVEL_2M, start, end) {
		if (kvm_tdp_mmu_cond_resched(kvm, &iter, false, true))
			continue;

		if (!is_shadow_present_pte(iter.old_spte))
			continue;
		*gfn = iter.gfn;
		if (is_last_spte(iter.old_spte, iter.level))
			pinned = mmu_share_is_pinned(iter.sptep);
		else if (iter.level == PG_LEVEL_2M)
			pinned = table_is_pinned(spte_to_child_sp(iter.old_spte),
						 start, end, gfn);
		if (pinned)
			break;
	}
	rcu_read_unlock();
	kvm_tdp_mmu_put_root(kvm, root);

out_unlock:
	read_unlock(&kvm->mmu_lock);
	return pinned;
}

/**
 * __mmu_share_check_delete() - slow half of mmu_share_check_delete(), see there
 * @kvm: the VM
 * @slot: the memslot
 *
 * Context: slots_lock held; takes mmu_lock for read; may sleep.
 * Return: 0, or -EBUSY while part of the memslot is pinned. Logged.
 */
int __mmu_share_check_delete(struct kvm *kvm, const struct kvm_memory_slot *slot)
{
	gfn_t gfn;

	if (slot->as_id || !slot_is_pinned(kvm, slot, &gfn))
		return 0;

	mmu_share_tell(kvm, TDP_MEMSLOT_GOES);
	if (!slot_is_pinned(kvm, slot, &gfn))
		return 0;

	pr_warn_ratelimited("memslot %d stays: a device may use gpa 0x%llx of it; unmap it from the IOAS first\n",
			    slot->id, gfn_to_gpa(gfn));
	return -EBUSY;
}

/**
 * __mmu_share_changed() - slow half of mmu_share_changed(),
 * see there
 * @kvm: the VM
 *
 * Context: slots_lock held. May sleep.
 */
void __mmu_share_changed(struct kvm *kvm)
{
	mmu_share_tell(kvm, TDP_CHANGED);
}

/* Whether a memslot is memory, or registers, which nobody need map for DMA. */
static bool slot_is_memory(struct kvm *kvm, const struct kvm_memory_slot *slot)
{
	struct vm_area_struct *vma;

	guard(mmap_read_lock)(kvm->mm);

	vma = vma_lookup(kvm->mm, slot->userspace_addr);
	if (!vma)
		return false;
	if (!(vma->vm_flags & (VM_IO | VM_PFNMAP)))
		return true;
	mmu_share_fault_in(kvm->mm, slot);
	return false;
}

/**
 * mmu_share_memory() - tdp_provider_ops.memory, see there
 * @handle: the share
 * @fn: called with first GPA and length, bytes
 * @data: its last argument
 *
 * Memory that the guest may only read (firmware) is left out, as a device has no
 * business there, and what KVM uses for itself.
 *
 * Context: may sleep; takes kvm->srcu and mmap_lock.
 * Return: what @fn returned last, 0 without any memory, -ESRCH when the VMM's mm
 * is gone.
 */
int mmu_share_memory(struct tdp_share *handle,
		     int (*fn)(u64 gpa, u64 len, void *data), void *data)
{
	struct kvm *kvm = to_mmu_share(handle)->kvm;
	struct kvm_memory_slot *slot;
	struct kvm_memslots *slots;
	int bkt, idx, ret = 0;

	if (!mmget_not_zero(kvm->mm))
		return -ESRCH;

	idx = srcu_read_lock(&kvm->srcu);
	/* Read once: the macro would look for one set's nodes in the other's lists. */
	slots = __kvm_memslots(kvm, 0);
	kvm_for_each_memslot(slot, bkt, slots) {
		if (slot->id >= KVM_USER_MEM_SLOTS ||
		    slot->flags & KVM_MEM_READONLY || !slot_is_memory(kvm, slot))
			continue;

		ret = fn(gfn_to_gpa(slot->base_gfn), slot->npages << PAGE_SHIFT,
			 data);
		if (ret)
			break;
	}
	srcu_read_unlock(&kvm->srcu, idx);

	mmput_async(kvm->mm);
	return ret;
}
