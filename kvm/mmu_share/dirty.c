// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who has written: D of a leaf in the shared root is everybody's.
 *
 * CPUs set it, and IOMMUs that have been told to. Two readers clear it, KVM's dirty
 * log of a memslot and the device's reader, iommufd's bitmap of an HWPT. Each has
 * a bitmap of its own, the memslot's and &kvm_mmu_share.dma_dirty, and finds there
 * what the other has cleared. So each sees every write since it last looked, a
 * CPU's or a device's, and vCPUs are not stopped for it: W stays.
 *
 * Invariants:
 *
 * - D is cleared, and a leaf that has it zapped, only when both bitmaps have the
 *   page, as far as they are kept.
 * - That is done with mmu_lock held, for write if the leaf goes. Who holds it for
 *   read finds each write in D or in the bitmap.
 * - Nobody says that a page is dirty before CPU TLBs and IOTLB have been flushed,
 *   once its D is clear: the next write must set D again.
 *
 * KVM's log is read by mmu_share_harvest(), which moves D to the memslot's bitmap;
 * KVM then clears that, flushes and reports. Where user space clears the bitmap by
 * itself (KVM_CLEAR_DIRTY_LOG) D is copied, and cleared where the bitmap is. D that
 * stays where something goes wrong is reported once more, and never lost.
 *
 * With the dirty ring vCPUs are logged by W, as upstream: nobody walks the table for
 * the ring. D is the device's reader's alone then.
 */
#include <linux/kvm_host.h>
#include <linux/tdp_dirty.h>

#include "mmu.h"
#include "mmu/mmutrace.h"
#include "mmu/tdp_iter.h"
#include "mmu/tdp_mmu.h"
#include "doors.h"
#include "share.h"

/* What is looked at while memslot updates wait. */
#define COLLECT_LEAVES	(512 * SPTE_ENT_PER_PAGE)

/* Under mmu_lock. */
#define NOTE_GFP	(GFP_NOWAIT | __GFP_ACCOUNT)

/* Pages that are looked at together, a bit each. */
#define WORD_PAGES	((u64)BITS_PER_LONG)

/* Whether any memslot is logged by D. */
static bool logs_by_d(struct kvm *kvm)
{
	return !kvm->dirty_ring_size &&
	       atomic_read(&kvm->nr_memslots_dirty_logging);
}

/*
 * Say to KVM's log that pages are dirty, as mark_page_dirty() without a vCPU; bit 0
 * of @mask is @gfn. The memslot is looked up only if @slot, that of the last ones,
 * does not have them. kvm->srcu is held.
 */
static void note_for_log(struct kvm *kvm, struct kvm_memory_slot **slot, gfn_t gfn,
			 unsigned long mask)
{
	unsigned int i;

	for (; mask; mask &= mask - 1) {
		i = __ffs(mask);
		if (!*slot || gfn + i - (*slot)->base_gfn >= (*slot)->npages)
			*slot = gfn_to_memslot(kvm, gfn + i);
		if (*slot && (*slot)->dirty_bitmap)
			set_bit_le(gfn + i - (*slot)->base_gfn,
				   (*slot)->dirty_bitmap);
	}
}

/* The same for a range of one memslot that is logged, from its @first page on. */
static void note_range(const struct kvm_memory_slot *slot, u64 first, u64 nr)
{
	atomic_long_t *bitmap = (atomic_long_t *)slot->dirty_bitmap;
	u64 end = first + nr, here;

	for (; first < end; first += here) {
		unsigned int shift = first % BITS_PER_LONG;

		here = min(end - first, BITS_PER_LONG - (u64)shift);
		atomic_long_or(GENMASK(shift + here - 1, shift),
			       &bitmap[first / BITS_PER_LONG]);
	}
}

static bool is_dirty_leaf(u64 spte, int level)
{
	return (spte & shadow_dirty_mask) && is_shadow_present_pte(spte) &&
	       is_last_spte(spte, level);
}

/* Bits D of @nr SPTEs in a row. MMIO and frozen ones have what they like there. */
static unsigned long d_bits(const u64 *sptes, unsigned int nr)
{
	unsigned int shift = __ffs64(shadow_dirty_mask);
	unsigned long bits = 0;

	while (nr--)
		bits = bits << 1 | (READ_ONCE(sptes[nr]) >> shift & 1);
	return bits;
}

/* Which of 4K leaves are dirty, up to WORD_PAGES of them. Mostly none is. */
static unsigned long dirty_leaves(const u64 *sptes, unsigned int nr)
{
	const u64 *p = sptes, *end = sptes + (nr & ~7), dirty = shadow_dirty_mask;
	unsigned long mask = 0, left;

	for (; p != end; p += 8) {
		if ((READ_ONCE(p[0]) | READ_ONCE(p[1]) | READ_ONCE(p[2]) |
		     READ_ONCE(p[3]) | READ_ONCE(p[4]) | READ_ONCE(p[5]) |
		     READ_ONCE(p[6]) | READ_ONCE(p[7])) & dirty)
			mask |= d_bits(p, 8) << (p - sptes);
	}
	if (nr & 7)
		mask |= d_bits(p, nr & 7) << (p - sptes);

	for (left = mask; left; left &= left - 1) {
		if (!is_dirty_leaf(READ_ONCE(sptes[__ffs(left)]), PG_LEVEL_4K))
			mask &= ~BIT(__ffs(left));
	}
	return mask;
}

/* How many 4K leaves there are from @iter on, in its table and before @end. */
static unsigned int leaves_left(const struct tdp_iter *iter, gfn_t end)
{
	return min(end - iter->gfn,
		   SPTE_ENT_PER_PAGE - spte_index(rcu_dereference(iter->sptep)));
}

/*
 * Clear D of a 4K leaf, as long as it has it. CPUs, IOMMUs and, where mmu_lock is
 * held for read, faults change it meanwhile.
 */
static void clear_d(u64 *sptep, gfn_t gfn)
{
	u64 spte, old = READ_ONCE(*sptep);

	do {
		if (!is_dirty_leaf(old, PG_LEVEL_4K))
			return;
		spte = old & ~shadow_dirty_mask;
	} while (!try_cmpxchg64(sptep, &old, spte));

	trace_kvm_tdp_mmu_spte_changed(0, gfn, PG_LEVEL_4K, old, spte);
}

static void clear_leaves(u64 *sptes, gfn_t gfn, unsigned long mask)
{
	for (; mask; mask &= mask - 1)
		clear_d(&sptes[__ffs(mask)], gfn + __ffs(mask));
}

/* Leaves that are dirty, and which of them are open to the device. */
struct dirty_set {
	unsigned long all;
	unsigned long open;
};

static struct dirty_set look(const u64 *sptes, unsigned long mask)
{
	struct dirty_set found = { 0 };

	for (; mask; mask &= mask - 1) {
		u64 spte = READ_ONCE(sptes[__ffs(mask)]);

		if (!is_dirty_leaf(spte, PG_LEVEL_4K))
			continue;
		found.all |= BIT(__ffs(mask));
		if (spte_is_open_to_device(spte))
			found.open |= BIT(__ffs(mask));
	}
	return found;
}

/*
 * Clear D of the leaves in @mask that have it, on behalf of KVM's log. What the
 * device's reader can't be told, for want of memory, stays dirty: rather reported
 * once too often than never.
 *
 * That reader holds no mmu_lock as it takes a page out of its bitmap and flushes. If it
 * did before D was clear, what was written in between set no D: so it is told again.
 * The bitmap is there by then.
 */
static void clear_logged(struct kvm *kvm, u64 *sptes, gfn_t gfn, unsigned long mask)
{
	struct kvm_mmu_share *share = mmu_share_locked(kvm);
	struct dirty_set found = look(sptes, mask);

	if (!share || !READ_ONCE(share->dma_tracked))
		found.open = 0;
	if (found.open &&
	    !tdp_dirty_add(&share->dma_dirty, gfn, found.open, NOTE_GFP)) {
		found.all &= ~found.open;
		found.open = 0;
	}
	clear_leaves(sptes, gfn, found.all);
	if (found.open)
		tdp_dirty_add(&share->dma_dirty, gfn, found.open, NOTE_GFP);
}

/**
 * mmu_share_clear_dirty() - Clear D of a leaf on behalf of KVM's log
 * @kvm: the VM
 * @iter: at a 4K leaf of the shared root, or of one that was
 *
 * The caller flushes TLBs by kvm_flush_remote_tlbs_memslot() before it reports
 * anything.
 *
 * Context: mmu_lock held, and RCU.
 */
void mmu_share_clear_dirty(struct kvm *kvm, const struct tdp_iter *iter)
{
	if (is_dirty_leaf(iter->old_spte, PG_LEVEL_4K))
		clear_logged(kvm, rcu_dereference(iter->sptep), iter->gfn, 1);
}

/* The 4K leaves of a root from @gfn on in their table, or NULL if there is none. */
static u64 *find_leaves(struct kvm_mmu_page *sp, gfn_t gfn)
{
	for (;;) {
		int level = sp->role.level;
		u64 *sptep = &sp->spt[SPTE_INDEX(gfn_to_gpa(gfn), level)], spte;

		if (level == PG_LEVEL_4K)
			return sptep;
		spte = READ_ONCE(*sptep);
		if (!is_shadow_present_pte(spte) || is_last_spte(spte, level))
			return NULL;
		sp = spte_to_child_sp(spte);
	}
}

/**
 * mmu_share_clear_dirty_masked() - The same for up to 64 pages of a memslot
 * @kvm: the VM
 * @root: the shared root, or one that was
 * @gfn: of the first page
 * @mask: which of those from there on
 *
 * Context: mmu_lock held for write.
 */
void mmu_share_clear_dirty_masked(struct kvm *kvm, struct kvm_mmu_page *root,
				  gfn_t gfn, unsigned long mask)
{
	/* Else mmu_share_harvest() has done it, but for what PML has brought since. */
	if (!kvm->manual_dirty_log_protect && !kvm->arch.cpu_dirty_log_size)
		return;

	guard(rcu)();

	while (mask) {
		unsigned int first = __ffs(mask), nr;
		gfn_t start = gfn + first;
		unsigned long here;
		u64 *sptes;

		/* A table's leaves are 512. */
		nr = min(WORD_PAGES - first,
			 ALIGN(start + 1, (u64)SPTE_ENT_PER_PAGE) - start);
		here = mask >> first & GENMASK(nr - 1, 0);
		sptes = find_leaves(root, start);
		if (sptes)
			clear_logged(kvm, sptes, start, here);
		mask &= ~(here << first);
	}
}

/**
 * __mmu_share_note_gone() - slow half of mmu_share_note_gone(), see there
 * @kvm: the VM
 * @gfn: first gfn that the leaf mapped
 * @level: its level
 *
 * Context: mmu_lock held.
 */
void __mmu_share_note_gone(struct kvm *kvm, gfn_t gfn, int level)
{
	gfn_t end = gfn + KVM_PAGES_PER_HPAGE(level);
	struct kvm_memslot_iter iter;

	if (!logs_by_d(kvm))
		return;

	guard(srcu)(&kvm->srcu);
	kvm_for_each_memslot_in_gfn_range(&iter, kvm_memslots(kvm), gfn, end) {
		gfn_t first = max(gfn, iter.slot->base_gfn);
		gfn_t last = min(end, iter.slot->base_gfn + iter.slot->npages);

		if (iter.slot->dirty_bitmap)
			note_range(iter.slot, first - iter.slot->base_gfn,
				   last - first);
	}
}

/**
 * mmu_share_copy_dirty() - Carry over D that was set while a leaf was split
 * @sp: the table that has come for it, linked already
 *
 * Context: mmu_lock held for write.
 */
void mmu_share_copy_dirty(struct kvm_mmu_page *sp)
{
	for (int i = 0; i < SPTE_ENT_PER_PAGE; i++)
		atomic64_or(shadow_dirty_mask, (atomic64_t *)&sp->spt[i]);
}

/**
 * __mmu_share_harvest() - slow half of mmu_share_harvest(), see there
 * @kvm: the VM
 * @slot: a memslot that is being logged
 *
 * Context: slots_lock held; takes mmu_lock for read.
 */
void __mmu_share_harvest(struct kvm *kvm, const struct kvm_memory_slot *slot)
{
	gfn_t end = slot->base_gfn + slot->npages, first;
	struct kvm_mmu_page *root;
	unsigned long mask, left;
	struct tdp_iter iter;
	unsigned int i, nr;

	if (slot->as_id || kvm->dirty_ring_size)
		return;

	guard(read_lock)(&kvm->mmu_lock);
	root = mmu_share_get_root(kvm);
	if (!root)
		return;

	rcu_read_lock();
	for_each_tdp_pte(iter, kvm, root, slot->base_gfn, end) {
		u64 *sptes = rcu_dereference(iter.sptep);
		gfn_t gfn = iter.gfn - slot->base_gfn;

		if (kvm_tdp_mmu_cond_resched(kvm, &iter, false, true))
			continue;

		if (iter.level > PG_LEVEL_4K) {
			if (!is_dirty_leaf(iter.old_spte, iter.level))
				continue;
			/* Not split yet, or not for want of memory. */
			first = max(iter.gfn, slot->base_gfn);
			note_range(slot, first - slot->base_gfn,
				   min(end, iter.gfn +
				       KVM_PAGES_PER_HPAGE(iter.level)) - first);
			continue;
		}

		nr = leaves_left(&iter, end);
		for (i = 0; i < nr; i += WORD_PAGES) {
			mask = dirty_leaves(&sptes[i], min(nr - i, WORD_PAGES));
			if (!mask)
				continue;
			for (left = mask; left; left &= left - 1)
				set_bit_le(gfn + i + __ffs(left),
					   slot->dirty_bitmap);
			if (!kvm->manual_dirty_log_protect)
				clear_logged(kvm, &sptes[i], iter.gfn + i, mask);
		}
		mmu_share_skip(&iter, nr);
	}
	rcu_read_unlock();
	kvm_tdp_mmu_put_root(kvm, root);
}

/**
 * __mmu_share_flush_slot() - slow half of mmu_share_flush_slot(), see there
 * @kvm: the VM
 * @slot: the memslot
 *
 * Context: slots_lock held, which keeps the share.
 */
void __mmu_share_flush_slot(struct kvm *kvm, const struct kvm_memory_slot *slot)
{
	struct kvm_mmu_share *share;

	share = rcu_dereference_protected(kvm->arch.mmu_share,
					  lockdep_is_held(&kvm->slots_lock));
	if (share && !slot->as_id && !kvm->dirty_ring_size)
		mmu_share_flush_pages(share, gfn_to_gpa(slot->base_gfn),
				      gfn_to_gpa(slot->npages));
}

/* The same as collect(), of dirty 4K leaves; bit 0 of @mask is @gfn. */
static bool collect_leaves(struct kvm_mmu_share *share,
			   struct kvm_memory_slot **slot, u64 *sptes, gfn_t gfn,
			   unsigned long mask, bool device)
{
	unsigned long open = look(sptes, mask).open;

	if (!open)
		return true;
	if (device && !tdp_dirty_add(&share->dma_dirty, gfn, open, NOTE_GFP))
		return false;
	if (!share->kvm->dirty_ring_size)
		note_for_log(share->kvm, slot, gfn, open);
	clear_leaves(sptes, gfn, open);
	return true;
}

/*
 * Clear D of what is open to the device from *@next on, and have it in KVM's log and,
 * if @device, in the device reader's bitmap. Returns -EAGAIN when memslot updates have
 * waited for long enough, -ENOMEM when there was no memory, with *@next where.
 */
static int collect(struct kvm_mmu_share *share, gfn_t *next, gfn_t end, bool device)
{
	struct kvm_memory_slot *slot = NULL;
	unsigned int i, nr, budget = COLLECT_LEAVES;
	struct kvm *kvm = share->kvm;
	struct tdp_iter iter;
	unsigned long mask;
	int ret = 0;

	guard(srcu)(&kvm->srcu);
	guard(read_lock)(&kvm->mmu_lock);
	rcu_read_lock();
	for_each_tdp_pte(iter, kvm, share->root, *next, end) {
		u64 *sptes = rcu_dereference(iter.sptep);

		if (kvm_tdp_mmu_cond_resched(kvm, &iter, false, true))
			continue;

		/* What is larger is CPUs' alone, see split_open_leaves(). */
		if (iter.level > PG_LEVEL_4K)
			continue;

		*next = iter.gfn;
		nr = leaves_left(&iter, end);
		if (budget < nr) {
			ret = -EAGAIN;
			break;
		}
		budget -= nr;
		for (i = 0; i < nr && !ret; i += WORD_PAGES) {
			mask = dirty_leaves(&sptes[i], min(nr - i, WORD_PAGES));
			*next = iter.gfn + i;
			if (mask && !collect_leaves(share, &slot, &sptes[i],
						    *next, mask, device))
				ret = -ENOMEM;
		}
		if (ret)
			break;
		mmu_share_skip(&iter, nr);
	}
	rcu_read_unlock();
	return ret;
}

/* All of a range. Returns -ENOMEM, with *@next where, when not even waiting helps. */
static int collect_all(struct kvm_mmu_share *share, gfn_t *next, gfn_t end,
		       bool device)
{
	struct tdp_dirty *dirty = &share->dma_dirty;
	int ret;

	while ((ret = collect(share, next, end, device))) {
		/* Of 64 pages the last may be in the next bitmap. */
		if (ret == -ENOMEM &&
		    (!tdp_dirty_prepare(dirty, *next, GFP_KERNEL_ACCOUNT) ||
		     !tdp_dirty_prepare(dirty, *next + WORD_PAGES - 1,
					GFP_KERNEL_ACCOUNT)))
			return ret;
		cond_resched();
	}
	return 0;
}

/**
 * mmu_share_read_dirty() - tdp_provider_ops.read_dirty, see there
 * @handle: the share
 * @gpa: guest physical address, bytes
 * @len: length in bytes
 * @clear: forget what is reported
 * @report: told of dirty pages, may sleep
 * @arg: its argument
 *
 * Context: may sleep; takes kvm->srcu and mmu_lock.
 * Return: whether anything was reported; the IOTLB is to be flushed then.
 */
bool mmu_share_read_dirty(struct tdp_share *handle, u64 gpa, u64 len, bool clear,
			  tdp_dirty_fn report, void *arg)
{
	struct kvm_mmu_share *share = to_mmu_share(handle);
	gfn_t gfn = gpa_to_gfn(gpa), end = gpa_to_gfn(gpa + len), nr;
	bool any = false;

	guard(mutex)(&share->dirty_lock);

	if (share->dma_tracked && collect_all(share, &gfn, end, true)) {
		/* Without memory all is dirty, rather than nothing. */
		for (; gfn < end; gfn += nr) {
			nr = min(end - gfn, WORD_PAGES);
			report(arg, gfn_to_gpa(gfn), GENMASK(nr - 1, 0));
		}
		any = true;
	}
	any |= tdp_dirty_read(&share->dma_dirty, gpa_to_gfn(gpa), end, clear,
			      report, arg);

	/* Also for what somebody else has cleared and may not have flushed yet. */
	if (any)
		kvm_flush_remote_tlbs(share->kvm);
	return any;
}

/*
 * Split what is open to the device down to 4K leaves, from *@next on. mmu_lock is held
 * for write. Returns -EAGAIN when a table is needed and there is no spare one.
 */
static int split_walk(struct kvm_mmu_share *share, gfn_t *next)
{
	struct kvm *kvm = share->kvm;
	struct tdp_iter iter;
	int ret = 0;

	rcu_read_lock();
	for_each_tdp_pte(iter, kvm, share->root, *next, kvm_mmu_max_gfn() + 1) {
		if (kvm_tdp_mmu_cond_resched(kvm, &iter, false, false))
			continue;

		*next = iter.gfn;
		if (iter.level == PG_LEVEL_4K ||
		    !is_shadow_present_pte(iter.old_spte) ||
		    !is_last_spte(iter.old_spte, iter.level) ||
		    !spte_is_open_to_device(iter.old_spte))
			continue;

		if (!share->spare) {
			ret = -EAGAIN;
			break;
		}
		tdp_mmu_init_child_sp(share->spare, &iter);
		tdp_mmu_split_huge_page(kvm, &iter, share->spare, false);
		share->spare = NULL;
	}
	rcu_read_unlock();
	return ret;
}

static int split_open_leaves(struct kvm_mmu_share *share)
{
	struct kvm *kvm = share->kvm;
	gfn_t next = 0;
	int ret;

	guard(mutex)(&share->map_lock);

	do {
		if (!share->spare)
			share->spare = tdp_mmu_alloc_sp_for_split();
		if (!share->spare)
			return -ENOMEM;

		write_lock(&kvm->mmu_lock);
		ret = split_walk(share, &next);
		write_unlock(&kvm->mmu_lock);
	} while (ret == -EAGAIN);

	return ret;
}

/* Whether D that is cleared is for the device's reader too, and maps are of 4K. */
static void set_tracked(struct kvm_mmu_share *share, bool on)
{
	write_lock(&share->kvm->mmu_lock);
	WRITE_ONCE(share->dma_tracked, on);
	write_unlock(&share->kvm->mmu_lock);
}

static void flush_all(struct kvm_mmu_share *share)
{
	kvm_flush_remote_tlbs(share->kvm);
	mmu_share_flush_pages(share, 0, gfn_to_gpa(kvm_mmu_max_gfn() + 1));
}

/* Put back together what tracking has split, a memslot at a time. */
static void recover_slots(struct kvm_mmu_share *share)
{
	gfn_t gfn = 0, end = kvm_mmu_max_gfn() + 1;
	struct kvm *kvm = share->kvm;
	struct kvm_memslot_iter iter;
	bool found;

	do {
		guard(srcu)(&kvm->srcu);

		found = false;
		kvm_for_each_memslot_in_gfn_range(&iter, kvm_memslots(kvm), gfn, end) {
			if (!kvm_slot_dirty_track_enabled(iter.slot))
				mmu_share_recover_slot(kvm, iter.slot);
			gfn = iter.slot->base_gfn + iter.slot->npages;
			found = true;
			break;
		}
	} while (found);
}

/* From here on D says what was written. */
static int start_tracking(struct kvm_mmu_share *share)
{
	bool before = share->dma_tracked;
	gfn_t next = 0;
	int ret;

	set_tracked(share, true);
	ret = split_open_leaves(share);
	if (ret) {
		set_tracked(share, before);
		if (!before)
			recover_slots(share);
		return ret;
	}

	/* First: what KVM's log adds from here on is not flushed by flush_all(). */
	tdp_dirty_clear(&share->dma_dirty);
	collect_all(share, &next, kvm_mmu_max_gfn() + 1, false);
	flush_all(share);
	return 0;
}

/* What was written so far can still be read, what is written from here on not. */
static int stop_tracking(struct kvm_mmu_share *share)
{
	gfn_t next = 0;
	int ret;

	if (!share->dma_tracked)
		return 0;
	ret = collect_all(share, &next, kvm_mmu_max_gfn() + 1, true);
	if (ret)
		return ret;
	set_tracked(share, false);
	flush_all(share);
	recover_slots(share);
	return 0;
}

/**
 * mmu_share_track_dirty() - tdp_provider_ops.track_dirty, see there
 * @handle: the share
 * @on: switch it on, or on again with nothing dirty; or off
 *
 * Context: may sleep; takes kvm->srcu and mmu_lock.
 * Return: 0, or -ENOMEM; it is as before then, but for leaves that are smaller.
 */
int mmu_share_track_dirty(struct tdp_share *handle, bool on)
{
	struct kvm_mmu_share *share = to_mmu_share(handle);

	guard(mutex)(&share->dirty_lock);
	return on ? start_tracking(share) : stop_tracking(share);
}
