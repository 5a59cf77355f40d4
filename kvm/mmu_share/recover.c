// SPDX-License-Identifier: GPL-2.0-only
/*
 * Puts huge pages of the shared root back together after dirty logging.
 *
 * Upstream asks how the host maps the memory and lets vCPUs fault in what is
 * missing. A device does not fault, so here nothing goes missing: a table is
 * replaced only when every entry of it is a leaf and all together map what the
 * huge page will.
 */
#include <linux/bitmap.h>
#include <linux/kvm_host.h>
#include <linux/slab.h>

#include "mmu.h"
#include "mmu/tdp_iter.h"
#include "mmu/tdp_mmu.h"
#include "share.h"

/*
 * The huge SPTE that may stand in for the table @sp, or 0. A table of which the
 * IOAS has only part pinned stays, or its next unmap would take too much.
 */
static u64 recover_make_spte(struct kvm *kvm, struct kvm_mmu_page *sp)
{
	u64 pages = KVM_PAGES_PER_HPAGE(sp->role.level);
	u64 volatile_bits = shadow_accessed_mask | shadow_dirty_mask |
			    PT_WRITABLE_MASK;
	u64 first = READ_ONCE(sp->spt[0]), gathered = 0;
	int i;

	if (!bitmap_full(sp->pinned_sptes, SPTE_ENT_PER_PAGE) ||
	    !IS_ALIGNED(spte_to_pfn(first), pages * SPTE_ENT_PER_PAGE))
		return 0;

	for (i = 0; i < SPTE_ENT_PER_PAGE; i++) {
		u64 spte = READ_ONCE(sp->spt[i]);

		if (!is_shadow_present_pte(spte) ||
		    !is_last_spte(spte, sp->role.level))
			return 0;
		if ((spte & ~volatile_bits) !=
		    ((first & ~volatile_bits) + (i * pages << PAGE_SHIFT)))
			return 0;
		gathered |= spte & volatile_bits;
	}

	/* Nobody logs writes any more, see the caller. */
	return make_huge_spte(kvm, first | gathered, sp->role.level + 1);
}

/* A table that a huge page has replaced and that waits for the flush. */
struct unlinked {
	tdp_ptep_t sptep;
	gfn_t gfn;
	u64 old_spte;
	u64 new_spte;
};

#define RECOVER_BATCH	64

/*
 * Replace tables many to a flush. The way to a table is changed first, then TLBs
 * are flushed, then the table's entries are frozen and it is freed: no device
 * meets a frozen entry.
 */
struct recover_batch {
	struct unlinked tables[RECOVER_BATCH];
	int nr;
};

static void recover_finish(struct kvm *kvm, struct recover_batch *batch,
			   int level)
{
	struct kvm_mmu_share *share = mmu_share_locked(kvm);

	if (!batch->nr)
		return;

	kvm_flush_remote_tlbs(kvm);

	share->recovering = true;
	for (int i = 0; i < batch->nr; i++) {
		struct unlinked *u = &batch->tables[i];

		handle_changed_spte(kvm, sptep_to_sp(rcu_dereference(u->sptep)),
				    u->gfn, u->old_spte, u->new_spte, level,
				    false);
	}
	share->recovering = false;
	batch->nr = 0;
}

static void recover_table(struct kvm *kvm, struct recover_batch *batch,
			  struct tdp_iter *iter, u64 spte)
{
	struct kvm_mmu_page *sp = sptep_to_sp(rcu_dereference(iter->sptep));

	batch->tables[batch->nr++] = (struct unlinked) {
		.sptep = iter->sptep,
		.gfn = iter->gfn,
		.old_spte = iter->old_spte,
		.new_spte = spte,
	};

	__set_bit(spte_index(rcu_dereference(iter->sptep)), sp->pinned_sptes);
	sp->pins_outdated |= spte_to_child_sp(iter->old_spte)->pins_outdated;
	kvm_tdp_mmu_write_spte(iter->sptep, iter->old_spte, spte, iter->level);
	mmu_share_spte_changed(kvm, sp, iter->gfn, iter->old_spte, spte,
			       iter->level);

	if (batch->nr == RECOVER_BATCH)
		recover_finish(kvm, batch, iter->level);
}

static void recover_level(struct kvm *kvm, struct kvm_mmu_page *root,
			  const struct kvm_memory_slot *slot, int level,
			  struct recover_batch *batch)
{
	gfn_t start = slot->base_gfn, end = start + slot->npages;
	struct tdp_iter iter;

	rcu_read_lock();
	for_each_tdp_pte_min_level(iter, kvm, root, level, start, end) {
		u64 spte;

		/* Never yield with a batch that is not finished. */
		if (need_resched() || rwlock_needbreak(&kvm->mmu_lock)) {
			recover_finish(kvm, batch, level);
			if (kvm_tdp_mmu_cond_resched(kvm, &iter, false, false))
				continue;
		}

		if (iter.level != level || !is_shadow_present_pte(iter.old_spte) ||
		    is_last_spte(iter.old_spte, level) || iter.gfn < start ||
		    iter.gfn + KVM_PAGES_PER_HPAGE(level) > end ||
		    !mmu_share_lpage_allowed(slot, iter.gfn, level))
			continue;

		spte = recover_make_spte(kvm, spte_to_child_sp(iter.old_spte));
		if (spte)
			recover_table(kvm, batch, &iter, spte);
	}
	recover_finish(kvm, batch, level);
	rcu_read_unlock();
}

/**
 * __mmu_share_recover_huge_pages() - slow half of
 * mmu_share_recover_huge_pages(), see there
 * @kvm: the VM
 * @slot: memslot whose dirty logging ended
 *
 * Context: slots_lock held; takes mmu_lock for write.
 */
void __mmu_share_recover_huge_pages(struct kvm *kvm,
				    const struct kvm_memory_slot *slot)
{
	struct recover_batch *batch;
	struct kvm_mmu_page *root;
	int level;

	if (slot->as_id)
		return;

	/* Small pages do no harm, so that nothing is lost for want of memory. */
	batch = kzalloc_obj(*batch, GFP_KERNEL_ACCOUNT);
	if (!batch)
		return;

	write_lock(&kvm->mmu_lock);
	root = mmu_share_get_root(kvm);
	if (root) {
		for (level = PG_LEVEL_2M; level <= KVM_MAX_HUGEPAGE_LEVEL; level++)
			recover_level(kvm, root, slot, level, batch);
		kvm_tdp_mmu_put_root(kvm, root);
	}
	write_unlock(&kvm->mmu_lock);
	kfree(batch);
}
