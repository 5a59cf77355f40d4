// SPDX-License-Identifier: GPL-2.0-only
/*
 * Populates and zaps ranges of the shared root on behalf of the IOAS, without a
 * vCPU, and answers what a pinned gfn maps.
 */
#include <linux/iommu.h>
#include <linux/kvm_host.h>

#include "mmu.h"
#include "mmu/mmutrace.h"
#include "mmu/page_track.h"
#include "mmu/tdp_iter.h"
#include "mmu/tdp_mmu.h"
#include "share.h"
#include "trace.h"

/*
 * One SRCU section does not go beyond a boundary of this many pages, so that a
 * memslot update does not wait for a whole big VM. No leaf crosses it either.
 */
#define POPULATE_CHUNK_PAGES	KVM_PAGES_PER_HPAGE(KVM_MAX_HUGEPAGE_LEVEL)

/*
 * How often a run is checked against the host's mapping while that changes.
 * After that vCPUs are left to fault for their write permission.
 */
#define POPULATE_TRIES		4

/**
 * struct populate - pages of one memslot that are to be installed
 * @share: the share
 * @slot: memslot that holds them
 * @start: first gfn
 * @end: gfn behind the last
 * @cursor: the pages
 * @access: what the device may do
 * @next: first gfn not yet installed
 * @mmu_seq: mmu_invalidate_seq from before the host's mapping was looked at
 * @last_try: install although the host's mapping has changed since
 * @flush: an older entry was changed, TLBs must be flushed
 */
struct populate {
	struct kvm_mmu_share *share;
	const struct kvm_memory_slot *slot;
	gfn_t start;
	gfn_t end;
	struct mmu_share_cursor cursor;
	struct mmu_share_access access;
	gfn_t next;
	unsigned long mmu_seq;
	bool last_try;
	bool flush;
};

/*
 * Whether the host may have changed its mapping of some pages since it was
 * looked at: mmu_invalidate_retry_gfn() for all of them. mmu_lock is held.
 */
static bool populate_is_stale(const struct populate *p, gfn_t gfn, u64 npages)
{
	struct kvm *kvm = p->share->kvm;

	return kvm->mmu_invalidate_seq != p->mmu_seq ||
	       (kvm->mmu_invalidate_in_progress &&
		gfn < kvm->mmu_invalidate_range_end &&
		gfn + npages > kvm->mmu_invalidate_range_start);
}

/*
 * The SPTE that make_spte() would give a vCPU's write fault (or read fault, in a
 * read-only slot), with Accessed and Dirty set: a device does not set them, and
 * CPUs need not.
 *
 * Host-writable is what lets a device write. What KVM has reason to watch,
 * guest page tables that it shadows and writes while the dirty log is on, is
 * write-protected for CPUs alone. So is what the host may have protected since
 * it was looked at: a vCPU's own fault finds out.
 */
static u64 populate_make_spte(const struct populate *p, gfn_t gfn, int level,
			      kvm_pfn_t pfn, bool stale)
{
	unsigned int access = p->share->root->role.access;
	struct kvm *kvm = p->share->kvm;
	u64 spte = shadow_mmu_present_mask | shadow_leaf_mask |
		   shadow_present_mask | PT_PRESENT_MASK | shadow_accessed_mask;

	/* As in make_spte(), NX is a bit that forbids, X is one that allows. */
	spte |= shadow_xs_mask | shadow_xu_mask;
	if (access & ACC_USER_MASK)
		spte |= shadow_user_mask;

	if (level > PG_LEVEL_4K)
		spte |= PT_PAGE_SIZE_MASK;
	if (!p->access.host_mmio)
		spte |= shadow_me_value;
	if (p->access.write)
		spte |= shadow_host_writable_mask | shadow_dirty_mask;
	if (p->access.write && !stale &&
	    !(kvm_page_track_write_tracking_enabled(kvm) &&
	      mmu_try_to_unsync_pages(kvm, p->slot, gfn, false, true))) {
		spte |= shadow_mmu_writable_mask;
		if (!kvm_slot_dirty_track_enabled(p->slot))
			spte |= PT_WRITABLE_MASK;
	}

	return spte | (u64)pfn << PAGE_SHIFT;
}

/* Whether one leaf at @level may map all of what lies behind @gfn there. */
static bool populate_fits(struct populate *p, gfn_t gfn, int level)
{
	u64 npages = KVM_PAGES_PER_HPAGE(level), left;
	kvm_pfn_t pfn;

	if (level == PG_LEVEL_4K)
		return true;

	if (level > KVM_MAX_HUGEPAGE_LEVEL || kvm_slot_dirty_track_enabled(p->slot))
		return false;

	/*
	 * What the host maps with is of no matter: the pages are pinned, so that
	 * contiguous ones stay contiguous.
	 */
	if (gfn < p->start || gfn + npages > p->end)
		return false;
	pfn = mmu_share_find_pfn(&p->cursor, gfn, &left);
	return left >= npages && IS_ALIGNED(pfn, npages) &&
	       mmu_share_lpage_allowed(p->slot, gfn, level);
}

/*
 * kvm_tdp_mmu_set_spte() where nothing was, which is most of what populating
 * does: there is no table to free and nothing to flush. The caller counts it.
 */
static void populate_new_leaf(const struct tdp_iter *iter, tdp_ptep_t sptep,
			      gfn_t gfn, u64 old, u64 spte)
{
	mmu_share_check_spte(spte, gfn, iter->level);
	__kvm_tdp_mmu_write_spte(sptep, spte);
	trace_kvm_tdp_mmu_spte_changed(iter->as_id, gfn, iter->level, old, spte);
}

/*
 * Install or adopt 4K leaves from @iter on, in its table: what populate_leaf()
 * asks for each has one answer for all of them. It ends before one that is
 * pinned, or of which more would change than the pin.
 *
 * Leaves @iter at the last one. Returns false when there was none.
 */
static bool populate_run(struct populate *p, struct tdp_iter *iter)
{
	struct kvm_mmu_page *sp = sptep_to_sp(rcu_dereference(iter->sptep));
	int index = spte_index(rcu_dereference(iter->sptep));
	u64 cpu_bits = PT_WRITABLE_MASK | shadow_mmu_writable_mask;
	struct kvm *kvm = p->share->kvm;
	u64 bits, pfn = 0, left = 1;
	int nr, max, installed = 0;

	if (iter->level != PG_LEVEL_4K)
		return false;

	max = min(p->end - iter->gfn, SPTE_ENT_PER_PAGE - index);
	max = find_next_bit(sp->pinned_sptes, index + max, index) - index;
	/* KVM tracks writes by gfn. */
	if (kvm_page_track_write_tracking_enabled(kvm) ||
	    populate_is_stale(p, iter->gfn, max))
		return false;

	bits = populate_make_spte(p, iter->gfn, PG_LEVEL_4K, 0, false);
	for (nr = 0; nr < max; nr++) {
		tdp_ptep_t sptep = iter->sptep + nr;
		u64 old = kvm_tdp_mmu_read_spte(sptep), spte;

		pfn = mmu_share_next_pfn(&p->cursor, iter->gfn + nr, pfn, &left);
		spte = bits | pfn << PAGE_SHIFT;
		if (!is_shadow_present_pte(old)) {
			populate_new_leaf(iter, sptep, iter->gfn + nr, old, spte);
			installed++;
		} else if ((old ^ spte) & ~cpu_bits) {
			break;
		}
	}
	if (!nr)
		return false;

	bitmap_set(sp->pinned_sptes, index, nr);
	p->share->pinned_pages += nr;
	kvm_update_page_stats(kvm, PG_LEVEL_4K, installed);

	iter->sptep += nr - 1;
	iter->gfn += nr - 1;
	/* From where a walk that yields goes on. */
	iter->next_last_level_gfn = iter->gfn;
	p->next = iter->gfn + 1;
	return true;
}

/* Install or adopt the leaf that @iter is at. */
static void populate_leaf(struct populate *p, struct tdp_iter *iter, bool stale)
{
	struct kvm_mmu_page *sp = sptep_to_sp(rcu_dereference(iter->sptep));
	u64 left, pfn = mmu_share_find_pfn(&p->cursor, iter->gfn, &left);
	u64 cpu_bits = PT_WRITABLE_MASK | shadow_mmu_writable_mask;
	struct kvm *kvm = p->share->kvm;
	int index = spte_index(rcu_dereference(iter->sptep));
	u64 spte;

	/*
	 * The host may have mapped another page since identity was checked, and
	 * a vCPU may have faulted that in. Then zap, flush, and only then
	 * install: nobody may hold both translations.
	 */
	if (is_shadow_present_pte(iter->old_spte) &&
	    spte_to_pfn(iter->old_spte) != pfn) {
		WARN_ON_ONCE(test_bit(index, sp->pinned_sptes));
		kvm_tdp_mmu_set_spte(kvm, iter, SHADOW_NONPRESENT_VALUE);
		kvm_flush_remote_tlbs(kvm);
		p->flush = false;
		/* The setter leaves the value from before in the iterator. */
		iter->old_spte = SHADOW_NONPRESENT_VALUE;
	}

	spte = populate_make_spte(p, iter->gfn, iter->level, pfn, stale);
	if (is_shadow_present_pte(iter->old_spte)) {
		/* Whether CPUs may write has been settled by their own faults. */
		spte &= ~cpu_bits;
		spte |= iter->old_spte & cpu_bits;
		p->flush |= spte != iter->old_spte;
	}
	if (spte != iter->old_spte)
		kvm_tdp_mmu_set_spte(kvm, iter, spte);

	if (!__test_and_set_bit(index, sp->pinned_sptes))
		p->share->pinned_pages += KVM_PAGES_PER_HPAGE(iter->level);
	/* On the last try the host's mapping was not waited for. */
	if (stale)
		sp->pins_outdated = true;
	p->next = iter->gfn + KVM_PAGES_PER_HPAGE(iter->level);
}

/*
 * Walk with mmu_lock held for write, until done or until something is needed
 * that takes dropping the lock: a table (-EAGAIN), when there is no spare, or
 * another look at the host's mapping (-ESTALE).
 */
static int populate_walk(struct populate *p)
{
	struct kvm_mmu_share *share = p->share;
	struct kvm *kvm = share->kvm;
	struct tdp_iter iter;
	int ret = 0;

	rcu_read_lock();
	for_each_tdp_pte(iter, kvm, share->root, p->next, p->end) {
		if (kvm_tdp_mmu_cond_resched(kvm, &iter, p->flush, false)) {
			p->flush = false;
			continue;
		}

		/* Tables are stepped into, not replaced, see mmu_share_keep_table(). */
		if (is_shadow_present_pte(iter.old_spte) &&
		    !is_last_spte(iter.old_spte, iter.level))
			continue;

		if (populate_fits(p, iter.gfn, iter.level)) {
			bool stale = populate_is_stale(p, iter.gfn,
						       KVM_PAGES_PER_HPAGE(iter.level));

			if (stale && !p->last_try) {
				ret = -ESTALE;
				break;
			}
			if (stale || !populate_run(p, &iter))
				populate_leaf(p, &iter, stale);
			continue;
		}

		if (!share->spare) {
			ret = -EAGAIN;
			break;
		}

		tdp_mmu_init_child_sp(share->spare, &iter);
		if (is_shadow_present_pte(iter.old_spte)) {
			tdp_mmu_split_huge_page(kvm, &iter, share->spare, false);
		} else {
			memset64(share->spare->spt, SHADOW_NONPRESENT_VALUE,
				 SPTE_ENT_PER_PAGE);
			tdp_mmu_link_sp(kvm, &iter, share->spare, false);
		}
		share->spare = NULL;
	}
	rcu_read_unlock();
	return ret;
}

static int populate(struct populate *p)
{
	struct kvm *kvm = p->share->kvm;
	int ret;

	do {
		if (!p->share->spare) {
			p->share->spare = tdp_mmu_alloc_sp_for_split();
			if (!p->share->spare)
				return -ENOMEM;
		}

		write_lock(&kvm->mmu_lock);
		ret = populate_walk(p);
		if (p->flush) {
			kvm_flush_remote_tlbs(kvm);
			p->flush = false;
		}
		write_unlock(&kvm->mmu_lock);
	} while (ret == -EAGAIN);

	return ret;
}

/*
 * Check that the memslot maps the run's pages, and populate it. What the host's
 * mapping was at the check must still hold when CPUs are let write.
 */
static int check_and_populate(struct populate *p)
{
	struct kvm *kvm = p->share->kvm;
	int tries = 0, ret;

	do {
		p->last_try = ++tries == POPULATE_TRIES;
		p->mmu_seq = READ_ONCE(kvm->mmu_invalidate_seq);
		/* Pairs with the smp_wmb() in kvm_mmu_invalidate_end(). */
		smp_rmb();

		ret = mmu_share_check_identity(kvm, p->slot, p->next,
					       p->end - p->next, p->cursor,
					       &p->access);
		if (ret)
			return ret;

		ret = populate(p);
	} while (ret == -ESTALE);

	return ret;
}

/* Check what of the pages is in one memslot, and populate it. SRCU is held. */
static int mmu_share_map_run(struct kvm_mmu_share *share, gfn_t gfn,
			     u64 npages, const struct mmu_share_cursor *cursor,
			     unsigned int prot, u64 *done)
{
	struct populate p = {
		.share = share,
		.start = gfn,
		.next = gfn,
		.cursor = *cursor,
		.access = {
			.write = prot & IOMMU_WRITE,
			.host_mmio = prot & IOMMU_MMIO,
		},
	};
	struct kvm *kvm = share->kvm;
	bool readonly;
	int ret;

	p.slot = gfn_to_memslot(kvm, gfn);
	if (!p.slot || p.slot->flags & KVM_MEMSLOT_INVALID)
		return -ENOENT;
	/* A guest_memfd takes its pages back though they are pinned. */
	if (kvm_slot_has_gmem(p.slot))
		return -EMEDIUMTYPE;
	p.end = min3(gfn + npages, p.slot->base_gfn + p.slot->npages,
		     ALIGN(gfn + 1, POPULATE_CHUNK_PAGES));

	readonly = p.slot->flags & KVM_MEM_READONLY;
	if (p.access.write && readonly)
		return -EROFS;
	/*
	 * One entry can't let the guest write and the device only read. Where
	 * nobody asked for one, the device may write to this memory of the VM
	 * too: QEMU maps PAM's shadow of the firmware like that, which it lets
	 * the guest write.
	 */
	if (!(prot & IOMMU_READ) ||
	    (!p.access.write && !readonly && share->asked))
		return -EACCES;
	p.access.write = !readonly;

	/* As make_spte() does, which asks kvm_track_host_mmio_mapping(). */
	if (p.access.host_mmio &&
	    cpu_feature_enabled(X86_FEATURE_CLEAR_CPU_BUF_VM_MMIO) &&
	    !READ_ONCE(share->root->has_mapped_host_mmio)) {
		WRITE_ONCE(share->root->has_mapped_host_mmio, true);
		kvm_make_all_cpus_request(kvm, KVM_REQ_OUTSIDE_GUEST_MODE);
	}

	ret = check_and_populate(&p);
	*done = p.next - gfn;
	return ret;
}

/**
 * mmu_share_map() - tdp_provider_ops.map, see there
 * @handle: the share
 * @gpa: first guest physical address, bytes
 * @pages: what to map from there on
 * @prot: IOMMU_READ and friends
 * @mapped: in/out, increased by the bytes that were pinned
 *
 * Context: may sleep; takes kvm->srcu, mmap_lock and mmu_lock.
 */
int mmu_share_map(struct tdp_share *handle, u64 gpa,
		  const struct tdp_pages *pages, unsigned int prot,
		  size_t *mapped)
{
	struct kvm_mmu_share *share = to_mmu_share(handle);
	gfn_t gfn = gpa_to_gfn(gpa);
	struct mmu_share_cursor cursor = {
		.pages = pages,
		.base = gfn,
		.first = gfn,
	};
	struct kvm *kvm = share->kvm;
	u64 npages = 0, total = 0;
	int idx, ret = 0;

	for (unsigned int i = 0; i < pages->nr; i++)
		npages += pages->npfns[i];

	if (gfn + npages > kvm_mmu_max_gfn() + 1)
		return -ERANGE;

	guard(mutex)(&share->populate_lock);

	while (total < npages && !ret) {
		u64 done = 0;

		idx = srcu_read_lock(&kvm->srcu);
		ret = mmu_share_map_run(share, gfn + total, npages - total,
					&cursor, prot, &done);
		srcu_read_unlock(&kvm->srcu, idx);
		total += done;
	}

	*mapped += total << PAGE_SHIFT;
	trace_mmu_share_populate(__pa(share->root->spt), gpa,
				 PFN_PHYS(pages->pfns[0]), total << PAGE_SHIFT,
				 ret);
	return ret;
}

/**
 * struct zapped - leaves that were zapped and are not flushed yet
 * @first: first gfn
 * @last: last gfn; before @first while there are none
 * @outdated: the host may have mapped another page for one of them
 */
struct zapped {
	gfn_t first;
	gfn_t last;
	bool outdated;
};

#define NOTHING_ZAPPED	((struct zapped){ .first = ~0ULL })

static void flush_zapped(struct kvm_mmu_share *share, struct zapped *zapped)
{
	if (zapped->first > zapped->last)
		return;

	mmu_share_gather(share, zapped->first, zapped->last, false);
	kvm_flush_remote_tlbs(share->kvm);
	*zapped = NOTHING_ZAPPED;
}

/* kvm_tdp_mmu_set_spte() for a leaf that goes, but for what to flush. */
static void zap_leaf(struct kvm *kvm, struct tdp_iter *iter,
		     struct zapped *zapped)
{
	kvm_tdp_mmu_write_spte(iter->sptep, iter->old_spte,
			       SHADOW_NONPRESENT_VALUE, iter->level);
	trace_kvm_tdp_mmu_spte_changed(iter->as_id, iter->gfn, iter->level,
				       iter->old_spte, SHADOW_NONPRESENT_VALUE);
	kvm_update_page_stats(kvm, iter->level, -1);

	zapped->first = min(zapped->first, iter->gfn);
	zapped->last = max(zapped->last,
			   iter->gfn + KVM_PAGES_PER_HPAGE(iter->level) - 1);
}

/*
 * Take the pin from a leaf, and the leaf too unless it may stay: unpinned ones
 * must map what the host maps.
 */
static void unpin_leaf(struct kvm_mmu_share *share, struct tdp_iter *iter,
		       bool leave, struct zapped *zapped)
{
	struct kvm_mmu_page *sp = sptep_to_sp(rcu_dereference(iter->sptep));
	int index = spte_index(rcu_dereference(iter->sptep));
	bool outdated = sp->pins_outdated;

	if (__test_and_clear_bit(index, sp->pinned_sptes))
		share->pinned_pages -= KVM_PAGES_PER_HPAGE(iter->level);
	else if (leave)
		return;

	if (outdated && bitmap_empty(sp->pinned_sptes, SPTE_ENT_PER_PAGE))
		sp->pins_outdated = false;
	if (!leave || outdated)
		zap_leaf(share->kvm, iter, zapped);
	zapped->outdated |= outdated;
}

/*
 * Unpin [@start, @end) with mmu_lock held for write, and zap it unless it may
 * stay. Returns -EAGAIN when a leaf that reaches beyond the range needs a table
 * to be split and there is none.
 */
static int unmap_walk(struct kvm_mmu_share *share, gfn_t start, gfn_t end,
		      bool leave, struct kvm_mmu_page **spare)
{
	struct zapped zapped = NOTHING_ZAPPED;
	struct kvm *kvm = share->kvm;
	struct tdp_iter iter;
	int ret = 0;

	rcu_read_lock();
	for_each_tdp_pte(iter, kvm, share->root, start, end) {
		u64 npages = KVM_PAGES_PER_HPAGE(iter.level);

		/*
		 * To flush at the end is enough: what stale TLB entries lead to
		 * is pinned till then. But no vCPU may fault in another page
		 * while others can still reach the one that was zapped.
		 */
		if (need_resched() || rwlock_needbreak(&kvm->mmu_lock)) {
			if (zapped.outdated)
				flush_zapped(share, &zapped);
			if (kvm_tdp_mmu_cond_resched(kvm, &iter, false, false))
				continue;
		}

		if (!is_shadow_present_pte(iter.old_spte) ||
		    !is_last_spte(iter.old_spte, iter.level))
			continue;

		if (iter.gfn < start || iter.gfn + npages > end) {
			/* Recovered huge pages may span two mappings. */
			if (!*spare) {
				ret = -EAGAIN;
				break;
			}
			tdp_mmu_init_child_sp(*spare, &iter);
			tdp_mmu_split_huge_page(kvm, &iter, *spare, false);
			*spare = NULL;
			continue;
		}

		unpin_leaf(share, &iter, leave, &zapped);
	}

	/* The caller unpins the pages next. */
	flush_zapped(share, &zapped);
	rcu_read_unlock();
	return ret;
}

static void unmap(struct kvm_mmu_share *share, u64 gpa, u64 len, bool leave)
{
	struct kvm_mmu_page *spare = NULL;
	struct kvm *kvm = share->kvm;
	int ret;

	do {
		write_lock(&kvm->mmu_lock);
		ret = unmap_walk(share, gpa_to_gfn(gpa), gpa_to_gfn(gpa + len),
				 leave, &spare);
		write_unlock(&kvm->mmu_lock);

		/* Unmap must not fail, and needs two tables a level at most. */
		while (ret == -EAGAIN && !spare) {
			spare = tdp_mmu_alloc_sp_for_split();
			if (!spare)
				schedule_timeout_uninterruptible(1);
		}
	} while (ret == -EAGAIN);

	if (spare)
		tdp_mmu_free_unused_sp(spare);
}

/**
 * mmu_share_unmap() - tdp_provider_ops.unmap, see there
 * @handle: the share
 * @gpa: first guest physical address, bytes
 * @len: length in bytes
 *
 * vCPUs fault the memory in again when they touch it, as unpinned memory, which
 * KVM zaps when the host takes it away.
 *
 * Context: may sleep; takes mmu_lock.
 */
void mmu_share_unmap(struct tdp_share *handle, u64 gpa, u64 len)
{
	struct kvm_mmu_share *share = to_mmu_share(handle);

	unmap(share, gpa, len, false);
	trace_mmu_share_zap(__pa(share->root->spt), gpa, len, true);
}

/**
 * mmu_share_unpin() - tdp_provider_ops.unpin, see there
 * @handle: the share
 * @gpa: first guest physical address, bytes
 * @len: length in bytes
 *
 * What stays is as if vCPUs had faulted it in, so that a VM whose devices go
 * over to a table of their own does not fault its memory in again. What the host
 * may map otherwise by now, as far as is known by table, is zapped.
 *
 * Context: may sleep; takes mmu_lock.
 */
void mmu_share_unpin(struct tdp_share *handle, u64 gpa, u64 len)
{
	unmap(to_mmu_share(handle), gpa, len, true);
}

/**
 * mmu_share_iova_to_phys() - tdp_provider_ops.iova_to_phys, see there
 * @handle: the share
 * @gpa: guest physical address, bytes
 * @len: bytes from there to the end of its leaf, if there is one
 *
 * Leaves that only vCPUs faulted in are none of the IOAS's business.
 *
 * A frozen SPTE is in a table that a huge page has replaced: the way to it has
 * changed already, so start again at the root.
 *
 * Context: any.
 */
phys_addr_t mmu_share_iova_to_phys(struct tdp_share *handle, u64 gpa,
				   size_t *len)
{
	struct kvm_mmu_share *share = to_mmu_share(handle);
	struct kvm_mmu_page *sp;
	int index, level;
	u64 spte, offset;

	guard(rcu)();
again:
	/* By hand: iommufd asks for each leaf that it unpins. */
	for (sp = share->root; ; sp = spte_to_child_sp(spte)) {
		level = sp->role.level;
		index = SPTE_INDEX(gpa, level);
		spte = READ_ONCE(sp->spt[index]);

		if (is_frozen_spte(spte)) {
			cpu_relax();
			goto again;
		}
		if (!is_shadow_present_pte(spte))
			return 0;
		if (is_last_spte(spte, level))
			break;
	}

	if (!test_bit(index, sp->pinned_sptes)) {
		/* A split takes the pin away after the leaf. */
		if (READ_ONCE(sp->spt[index]) != spte)
			goto again;
		return 0;
	}
	offset = gpa & (KVM_HPAGE_SIZE(level) - 1);
	*len = KVM_HPAGE_SIZE(level) - offset;
	return PFN_PHYS(spte_to_pfn(spte)) + offset;
}
