// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replaces tables of the shared root: by huge pages, after dirty logging, and by
 * nothing where they are empty.
 *
 * Nobody else unlinks a table of a root that an IOMMU walks, for an IOMMU may
 * have cached the way to it. So the way to a table is changed first, then CPU TLBs
 * and the IOTLB are flushed, then the table's entries are frozen and it is freed:
 * no device meets a frozen entry, and none walks freed memory. The flush of the
 * IOTLB is why this is only done in process context, for an ioctl of the VM's.
 */
#include <linux/kvm_host.h>
#include <linux/slab.h>

#include "mmu.h"
#include "mmu/tdp_iter.h"
#include "mmu/tdp_mmu.h"
#include "doors.h"
#include "share.h"

/* Whether the device finds something below a table, or in it. */
static bool table_is_open(struct kvm_mmu_page *sp)
{
	for (int i = 0; i < SPTE_ENT_PER_PAGE; i++) {
		u64 spte = READ_ONCE(sp->spt[i]);

		if (!is_shadow_present_pte(spte))
			continue;
		if (!is_last_spte(spte, sp->role.level) ||
		    spte_is_open_to_device(spte))
			return true;
	}
	return false;
}

/*
 * The huge SPTE that may stand in for a table in which something is open to the
 * device, or 0. A device does not fault, so nothing may go missing: every entry
 * must be a leaf, and all together map what the huge page will.
 */
static u64 make_whole_spte(struct kvm *kvm, struct kvm_mmu_page *sp)
{
	u64 pages = KVM_PAGES_PER_HPAGE(sp->role.level);
	u64 volatile_bits = shadow_accessed_mask | shadow_dirty_mask |
			    shadow_nx_mask;
	u64 first = READ_ONCE(sp->spt[0]), gathered = 0;
	int i;

	if (!mmu_share_doors.one_write)
		volatile_bits |= PT_WRITABLE_MASK;
	if (!IS_ALIGNED(spte_to_pfn(first), pages * SPTE_ENT_PER_PAGE))
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

	/* Nobody logs writes any more, see the caller; W needs MMU-writable. */
	if (!is_mmu_writable_spte(first))
		gathered &= ~(u64)PT_WRITABLE_MASK;
	return make_huge_spte(kvm, first | gathered, sp->role.level + 1);
}

/*
 * The same for a table that only vCPUs use: as upstream, what the host maps there
 * decides, and vCPUs fault in what is missing.
 */
static u64 make_cpu_spte(struct kvm *kvm, const struct kvm_memory_slot *slot,
			 struct kvm_mmu_page *sp)
{
	int level = sp->role.level + 1;

	if (kvm_mmu_max_mapping_level(kvm, NULL, slot, sp->gfn) < level)
		return 0;

	for (int i = 0; i < SPTE_ENT_PER_PAGE; i++) {
		u64 spte = READ_ONCE(sp->spt[i]);

		if (is_shadow_present_pte(spte))
			return make_huge_spte(kvm, spte, level);
	}
	return 0;
}

static bool table_is_empty(struct kvm_mmu_page *sp)
{
	for (int i = 0; i < SPTE_ENT_PER_PAGE; i++) {
		if (READ_ONCE(sp->spt[i]) != SHADOW_NONPRESENT_VALUE)
			return false;
	}
	return true;
}

/* A table that was replaced and waits for the flush. */
struct unlinked {
	tdp_ptep_t sptep;
	gfn_t gfn;
	u64 old_spte;
	u64 new_spte;
};

#define RECOVER_BATCH	64

/* Tables are replaced many to a flush. */
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
	if (share)
		mmu_share_flush_tables(share);

	for (int i = 0; i < batch->nr; i++) {
		struct unlinked *u = &batch->tables[i];

		handle_changed_spte(kvm, sptep_to_sp(rcu_dereference(u->sptep)),
				    u->gfn, u->old_spte, u->new_spte, level,
				    false);
	}
	batch->nr = 0;
}

static void replace_table(struct kvm *kvm, struct recover_batch *batch,
			  struct tdp_iter *iter, u64 spte)
{
	batch->tables[batch->nr++] = (struct unlinked) {
		.sptep = iter->sptep,
		.gfn = iter->gfn,
		.old_spte = iter->old_spte,
		.new_spte = spte,
	};

	kvm_tdp_mmu_write_spte(iter->sptep, iter->old_spte, spte, iter->level);
	if (mmu_share_locked(kvm))
		mmu_share_note_level(mmu_share_locked(kvm), iter->level);

	if (batch->nr == RECOVER_BATCH)
		recover_finish(kvm, batch, iter->level);
}

/**
 * struct recovery - what becomes of the tables of a range
 * @slot: memslot whose huge pages are to come back; NULL: free empty tables
 * @start: first gfn
 * @end: gfn behind the last
 * @level: level of the entries that are looked at
 * @batch: tables that were replaced already
 */
struct recovery {
	const struct kvm_memory_slot *slot;
	gfn_t start;
	gfn_t end;
	int level;
	struct recover_batch batch;
};

/* Whether a table is to be replaced, by *@spte. */
static bool recover_to(struct kvm *kvm, const struct recovery *r,
		       const struct tdp_iter *iter, u64 *spte)
{
	struct kvm_mmu_page *sp = spte_to_child_sp(iter->old_spte);
	struct kvm_mmu_share *share = mmu_share_locked(kvm);

	if (!r->slot) {
		*spte = SHADOW_NONPRESENT_VALUE;
		return table_is_empty(sp);
	}

	if (iter->gfn < r->start ||
	    iter->gfn + KVM_PAGES_PER_HPAGE(r->level) > r->end ||
	    !mmu_share_lpage_allowed(r->slot, iter->gfn, r->level))
		return false;
	/* Or a page that the device writes makes a huge one dirty. */
	if (share && share->dma_tracked && table_is_open(sp))
		return false;

	*spte = table_is_open(sp) ? make_whole_spte(kvm, sp) :
				    make_cpu_spte(kvm, r->slot, sp);
	return *spte;
}

static void recover_level(struct kvm *kvm, struct kvm_mmu_page *root,
			  struct recovery *r)
{
	struct tdp_iter iter;

	rcu_read_lock();
	for_each_tdp_pte_min_level(iter, kvm, root, r->level, r->start, r->end) {
		u64 spte;

		/* Never yield with a batch that is not finished. */
		if (need_resched() || rwlock_needbreak(&kvm->mmu_lock)) {
			recover_finish(kvm, &r->batch, r->level);
			if (kvm_tdp_mmu_cond_resched(kvm, &iter, false, false))
				continue;
		}

		if (iter.level == r->level &&
		    is_shadow_present_pte(iter.old_spte) &&
		    !is_last_spte(iter.old_spte, r->level) &&
		    recover_to(kvm, r, &iter, &spte))
			replace_table(kvm, &r->batch, &iter, spte);
	}
	recover_finish(kvm, &r->batch, r->level);
	rcu_read_unlock();
}

/* Up to @max_level, or to the entries of the root. */
static void recover(struct kvm *kvm, const struct kvm_memory_slot *slot,
		    gfn_t start, gfn_t end, int max_level)
{
	struct kvm_mmu_page *root;
	struct recovery *r;

	/* What stays as it is does no harm, so that nothing is lost here. */
	r = kzalloc_obj(*r, GFP_KERNEL_ACCOUNT);
	if (!r)
		return;
	r->slot = slot;
	r->start = start;
	r->end = end;

	write_lock(&kvm->mmu_lock);
	root = mmu_share_get_root(kvm);
	if (root) {
		max_level = min_t(int, max_level, root->role.level);
		for (r->level = PG_LEVEL_2M; r->level <= max_level; r->level++)
			recover_level(kvm, root, r);
		kvm_tdp_mmu_put_root(kvm, root);
	}
	write_unlock(&kvm->mmu_lock);
	kfree(r);
}

/**
 * mmu_share_recover_slot() - Put back together what was split in a memslot
 * @kvm: the VM
 * @slot: a memslot that is not being logged
 *
 * Context: slots_lock or kvm->srcu held; takes mmu_lock for write.
 */
void mmu_share_recover_slot(struct kvm *kvm, const struct kvm_memory_slot *slot)
{
	if (!slot->as_id)
		recover(kvm, slot, slot->base_gfn,
			slot->base_gfn + slot->npages, max_huge_page_level);
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
	struct kvm_mmu_share *share;

	share = rcu_dereference_protected(kvm->arch.mmu_share,
					  lockdep_is_held(&kvm->slots_lock));
	/* What the log has shut to CPUs is like its neighbours again. */
	if (share && mmu_share_doors.one_write)
		mmu_share_open_slot(share, slot);
	mmu_share_recover_slot(kvm, slot);
}

/**
 * mmu_share_free_empty_tables() - Free what a memslot has left behind
 * @kvm: the VM
 * @slot: memslot that is gone
 *
 * Context: slots_lock held; takes mmu_lock for write.
 */
void mmu_share_free_empty_tables(struct kvm *kvm,
				 const struct kvm_memory_slot *slot)
{
	if (!slot->as_id)
		recover(kvm, NULL, slot->base_gfn,
			slot->base_gfn + slot->npages, PT64_ROOT_MAX_LEVEL);
}
