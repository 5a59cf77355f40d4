// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the TDP MMU calls when it works on the shared root, but for faults.
 */
#define pr_fmt(fmt) "kvm: mmu_share: " fmt

#include <linux/kvm_host.h>
#include <linux/moduleparam.h>

#include "mmu.h"
#include "mmu/tdp_iter.h"
#include "mmu/tdp_mmu.h"
#include "doors.h"
#include "share.h"
#include "trace.h"

bool mmu_share_check_entries;
module_param_named(share_iommu_tdp_check, mmu_share_check_entries, bool, 0644);
MODULE_PARM_DESC(share_iommu_tdp_check,
		 "Check every entry of a shared TDP table against the entry-format contract (default: off)");

/**
 * __mmu_share_has_root() - slow half of mmu_share_has_root(), see there
 * @kvm: the VM
 * @role: role of the root that the vCPU needs, without io_shared
 *
 * Context: mmu_lock held.
 */
bool __mmu_share_has_root(struct kvm *kvm, union kvm_mmu_page_role role)
{
	struct kvm_mmu_share *share = mmu_share_locked(kvm);

	role.io_shared = true;
	return share->activated && role.word == share->root->role.word;
}

/**
 * __mmu_share_check_spte() - Check an SPTE against the entry-format contract
 * @spte: value that is being set in a shared root
 * @gfn: first gfn that it maps
 * @level: level of its table
 *
 * Context: any.
 */
void __mmu_share_check_spte(u64 spte, gfn_t gfn, int level)
{
	const char *bad = mmu_share_check_entry(mmu_share_format, spte, level);

	WARN_ONCE(bad, "kvm: mmu_share: illegal entry %llx for gfn %llx at level %d: %s",
		  spte, gfn, level, bad);
}

/**
 * mmu_share_shut_to_cpus() - Take an open leaf from the CPUs
 * @kvm: the VM
 * @iter: at a leaf that is open to the device, which upstream would zap
 *
 * The device keeps its page, as it does with a table of its own. Whoever shuts a
 * leaf flushes CPU TLBs before he lets mmu_lock go, so that one that is shut already
 * needs no flush.
 *
 * Context: mmu_lock held for write, and RCU.
 * Return: whether CPU TLBs must be flushed.
 */
bool mmu_share_shut_to_cpus(struct kvm *kvm, struct tdp_iter *iter)
{
	struct kvm_mmu_share *share = mmu_share_locked(kvm);
	u64 spte = spte_shut_to_cpus(iter->old_spte);

	if (spte == iter->old_spte)
		return false;

	kvm_tdp_mmu_set_spte(kvm, iter, spte);
	if (share)
		share->shut_to_cpus++;
	return true;
}

/**
 * __mmu_share_zap() - slow half of mmu_share_zap(), see there
 * @kvm: the VM
 * @start: first gfn
 * @end: gfn behind the last
 *
 * Context: mmu_lock held for write; yields.
 */
void __mmu_share_zap(struct kvm *kvm, gfn_t start, gfn_t end)
{
	struct kvm_mmu_page *root;
	struct tdp_iter iter;
	bool flush = false;

	lockdep_assert_held_write(&kvm->mmu_lock);

	root = mmu_share_get_root(kvm);
	if (!root)
		return;

	rcu_read_lock();
	for_each_tdp_pte(iter, kvm, root, start, end) {
		if (kvm_tdp_mmu_cond_resched(kvm, &iter, flush, false)) {
			flush = false;
			continue;
		}

		if (is_mmio_spte(kvm, iter.old_spte)) {
			kvm_tdp_mmu_set_spte(kvm, &iter, SHADOW_NONPRESENT_VALUE);
			continue;
		}
		if (!is_shadow_present_pte(iter.old_spte) ||
		    !is_last_spte(iter.old_spte, iter.level))
			continue;

		if (spte_is_open_to_device(iter.old_spte)) {
			flush |= mmu_share_shut_to_cpus(kvm, &iter);
			/* It stays, but a memslot that moves has it no more. */
			mmu_share_note_gone(kvm, sptep_to_sp(rcu_dereference(iter.sptep)),
					    iter.gfn, iter.old_spte,
					    SHADOW_NONPRESENT_VALUE, iter.level);
		} else {
			kvm_tdp_mmu_set_spte(kvm, &iter, SHADOW_NONPRESENT_VALUE);
			flush = true;
		}
	}

	if (flush)
		kvm_flush_remote_tlbs(kvm);
	rcu_read_unlock();

	trace_mmu_share_zap(__pa(root->spt), gfn_to_gpa(start),
			    gfn_to_gpa(end - start));
	kvm_tdp_mmu_put_root(kvm, root);
}
