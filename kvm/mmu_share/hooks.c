// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the TDP MMU calls when it works on the shared root.
 */
#define pr_fmt(fmt) "kvm: mmu_share: " fmt

#include <linux/bitmap.h>
#include <linux/kvm_host.h>
#include <linux/moduleparam.h>

#include "mmu.h"
#include "mmu/tdp_iter.h"
#include "mmu/tdp_mmu.h"
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

/* What the IOMMU reads of an SPTE: where it leads and what it allows. */
static u64 device_view(u64 spte)
{
	if (!is_shadow_present_pte(spte))
		return 0;
	return spte & (SPTE_BASE_ADDR_MASK | shadow_mmu_present_mask |
		       shadow_host_writable_mask);
}

/**
 * mmu_share_gather() - Have the next flush cover what the IOTLB may hold stale
 * @share: the share
 * @first: first gfn
 * @last: last gfn
 * @tables: tables were unlinked
 *
 * Context: mmu_lock held for read or write.
 */
void mmu_share_gather(struct kvm_mmu_share *share, gfn_t first, gfn_t last,
		      bool tables)
{
	guard(spinlock)(&share->flush_lock);

	share->first = min(share->first, first);
	share->last = max(share->last, last);
	share->tables |= tables;
}

/**
 * __mmu_share_spte_changed() - slow half of mmu_share_spte_changed(), see there
 * @kvm: the VM
 * @sp: table that holds the SPTE
 * @gfn: first gfn that the SPTE maps
 * @old_spte: value before the change
 * @new_spte: value after it
 * @level: level of @sp
 *
 * A huge page that was split needs no flush: IOTLB entries of either size lead
 * to the same page, and one flush of a 4K page drops the huge one over it.
 *
 * Context: mmu_lock held for read or write.
 */
void __mmu_share_spte_changed(struct kvm *kvm, struct kvm_mmu_page *sp,
			      gfn_t gfn, u64 old_spte, u64 new_spte, int level)
{
	struct kvm_mmu_share *share = mmu_share_locked(kvm);
	bool was_leaf = is_last_spte(old_spte, level);

	mmu_share_check_spte(new_spte, gfn, level);

	/*
	 * Nobody walks a root that was retired. A frozen entry is in a table
	 * that was unlinked, and flushed, before.
	 */
	if (!share || !is_shadow_present_pte(old_spte) || is_frozen_spte(new_spte))
		return;

	if (was_leaf && is_shadow_present_pte(new_spte) &&
	    !is_last_spte(new_spte, level)) {
		/* Split: the pins are the new table's. */
		clear_bit(SPTE_INDEX(gfn_to_gpa(gfn), level), sp->pinned_sptes);
		return;
	}

	if ((was_leaf && device_view(old_spte) == device_view(new_spte)) ||
	    share->recovering)
		return;

	mmu_share_gather(share, gfn, gfn + KVM_PAGES_PER_HPAGE(level) - 1,
			 !was_leaf);
}

/**
 * mmu_share_flush() - Flush what has been gathered since the last flush
 * @share: the share
 *
 * The lock is held throughout: a second caller waits for what the first has
 * taken over from it.
 *
 * Context: atomic, mmu_lock held or not.
 */
void mmu_share_flush(struct kvm_mmu_share *share)
{
	guard(spinlock)(&share->flush_lock);

	if (share->first > share->last)
		return;

	if (share->sink_ops) {
		trace_mmu_share_iotlb_flush(__pa(share->root->spt),
					    gfn_to_gpa(share->first),
					    gfn_to_gpa(share->last - share->first + 1),
					    share->tables);
		share->sink_ops->flush(share->sink, gfn_to_gpa(share->first),
				       gfn_to_gpa(share->last + 1) - 1,
				       share->tables);
		atomic64_inc(&share->flushes);
	}

	share->first = ~0ULL;
	share->last = 0;
	share->tables = false;
}

/**
 * __mmu_share_flush_iotlb() - Flush the IOTLB where KVM flushes CPU TLBs
 * @kvm: the VM
 *
 * Context: as kvm_flush_remote_tlbs(), i.e. atomic or not, mmu_lock held or not.
 */
void __mmu_share_flush_iotlb(struct kvm *kvm)
{
	struct kvm_mmu_share *share;

	guard(rcu)();
	share = rcu_dereference(kvm->arch.mmu_share);
	if (share)
		mmu_share_flush(share);
}

/**
 * __mmu_share_keep_table() - slow half of mmu_share_keep_table(), see there
 * @fault: the fault, goal_level and pfn are adjusted
 * @spte: SPTE at goal_level
 *
 * Context: mmu_lock held for read, and RCU.
 * Return: true when @spte is a table.
 */
bool __mmu_share_keep_table(struct kvm_page_fault *fault, u64 spte)
{
	int level = fault->goal_level;
	u64 mask;

	if (!is_shadow_present_pte(spte) || is_last_spte(spte, level))
		return false;

	mask = KVM_PAGES_PER_HPAGE(level) - KVM_PAGES_PER_HPAGE(level - 1);
	fault->pfn |= fault->gfn & mask;
	fault->goal_level--;
	return true;
}

/**
 * mmu_share_init_split() - Hand a huge SPTE's pin down to what it is split into
 * @sp: the new table, not linked yet
 * @parent: the huge SPTE
 *
 * Context: mmu_lock held for read or write, and RCU.
 */
void mmu_share_init_split(struct kvm_mmu_page *sp, tdp_ptep_t parent)
{
	u64 pages = KVM_PAGES_PER_HPAGE(sp->role.level);

	if (mmu_share_is_pinned(parent))
		bitmap_fill(sp->pinned_sptes, SPTE_ENT_PER_PAGE);
	else
		bitmap_zero(sp->pinned_sptes, SPTE_ENT_PER_PAGE);
	sp->pins_outdated = sptep_to_sp(rcu_dereference(parent))->pins_outdated;

	if (!READ_ONCE(mmu_share_check_entries))
		return;

	for (int i = 0; i < SPTE_ENT_PER_PAGE; i++)
		__mmu_share_check_spte(sp->spt[i], sp->gfn + i * pages,
				       sp->role.level);
}

/**
 * mmu_share_take_write() - Take the CPUs' write permission from a pinned leaf
 * @kvm: the VM
 * @iter: at the leaf, which the host's mmu_notifier would have zapped
 *
 * The page stays where it is, but the host may have protected its own mapping
 * (mprotect, userfaultfd) and must see the guest's next write. That faults, and
 * goes by what the host then allows. The device keeps its own permission, as it
 * does with a table of its own.
 *
 * Context: mmu_lock held for write, and RCU.
 * Return: whether CPU TLBs must be flushed.
 */
bool mmu_share_take_write(struct kvm *kvm, struct tdp_iter *iter)
{
	u64 spte = iter->old_spte & ~(PT_WRITABLE_MASK | shadow_mmu_writable_mask);

	/* From now on the pin alone may keep the page, see mmu_share_unpin(). */
	sptep_to_sp(rcu_dereference(iter->sptep))->pins_outdated = true;

	if (spte == iter->old_spte)
		return false;

	kvm_tdp_mmu_set_spte(kvm, iter, spte);
	return true;
}

/**
 * __mmu_share_must_flush_unlinked() - slow half of
 * mmu_share_must_flush_unlinked(), see there
 * @kvm: the VM
 *
 * Context: mmu_lock held for read or write.
 */
bool __mmu_share_must_flush_unlinked(struct kvm *kvm)
{
	return !mmu_share_locked(kvm)->recovering;
}

/*
 * Zap the SPTE that @iter is at if it may be. Returns whether to flush. One that
 * is pinned is zapped when the pin goes.
 */
static bool zap_if_unpinned(struct kvm *kvm, struct tdp_iter *iter)
{
	if (is_mmio_spte(kvm, iter->old_spte)) {
		kvm_tdp_mmu_set_spte(kvm, iter, SHADOW_NONPRESENT_VALUE);
		return false;
	}

	if (!is_shadow_present_pte(iter->old_spte) ||
	    !is_last_spte(iter->old_spte, iter->level))
		return false;

	if (mmu_share_is_pinned(iter->sptep)) {
		sptep_to_sp(rcu_dereference(iter->sptep))->pins_outdated = true;
		return false;
	}

	kvm_tdp_mmu_set_spte(kvm, iter, SHADOW_NONPRESENT_VALUE);
	return true;
}

/*
 * The same for the table of 4K leaves below @parent, without a yield. Most are
 * pinned throughout, or empty: find that out without the iterator.
 */
static bool zap_table_unpinned(struct kvm *kvm, struct kvm_mmu_page *root,
			       const struct tdp_iter *parent, gfn_t start,
			       gfn_t end)
{
	struct kvm_mmu_page *sp = spte_to_child_sp(parent->old_spte);
	struct tdp_iter iter;
	bool flush = false;
	int i;

	if (!bitmap_empty(sp->pinned_sptes, SPTE_ENT_PER_PAGE))
		sp->pins_outdated = true;
	for (i = 0; i < SPTE_ENT_PER_PAGE; i++) {
		if (READ_ONCE(sp->spt[i]) != SHADOW_NONPRESENT_VALUE &&
		    !test_bit(i, sp->pinned_sptes))
			break;
	}
	if (i == SPTE_ENT_PER_PAGE)
		return false;

	start = max(start, parent->gfn);
	end = min(end, parent->gfn + SPTE_ENT_PER_PAGE);
	for_each_tdp_pte(iter, kvm, root, start, end)
		flush |= zap_if_unpinned(kvm, &iter);
	return flush;
}

/**
 * __mmu_share_zap_unpinned() - slow half of mmu_share_zap_unpinned(), see there
 * @kvm: the VM
 * @start: first gfn
 * @end: gfn behind the last
 *
 * Context: mmu_lock held for write; yields.
 */
void __mmu_share_zap_unpinned(struct kvm *kvm, gfn_t start, gfn_t end)
{
	struct kvm_mmu_page *root;
	struct tdp_iter iter;
	bool flush = false;

	lockdep_assert_held_write(&kvm->mmu_lock);

	root = mmu_share_get_root(kvm);
	if (!root)
		return;

	rcu_read_lock();
	for_each_tdp_pte_min_level(iter, kvm, root, PG_LEVEL_2M, start, end) {
		if (kvm_tdp_mmu_cond_resched(kvm, &iter, flush, false)) {
			flush = false;
			continue;
		}

		if (iter.level == PG_LEVEL_2M &&
		    is_shadow_present_pte(iter.old_spte) &&
		    !is_last_spte(iter.old_spte, iter.level))
			flush |= zap_table_unpinned(kvm, root, &iter, start, end);
		else
			flush |= zap_if_unpinned(kvm, &iter);
	}

	if (flush)
		kvm_flush_remote_tlbs(kvm);
	rcu_read_unlock();

	trace_mmu_share_zap(__pa(root->spt), gfn_to_gpa(start),
			    gfn_to_gpa(end - start), false);
	kvm_tdp_mmu_put_root(kvm, root);
}
