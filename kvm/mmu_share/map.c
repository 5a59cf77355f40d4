// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opens ranges of the shared root to the device on behalf of the IOAS, without a
 * vCPU.
 *
 * Where the memslot maps the same pages the leaves are common. Where it does not
 * map them yet, where there is no memslot, or where the host is just changing its
 * mapping, they are device-only, and a vCPU's own fault finds out. Where it maps
 * other pages the map is refused, or left to the vCPU's fault likewise.
 *
 * When a memslot comes over what the IOAS maps, the leaves become common.
 */
#include <linux/iommu.h>
#include <linux/kvm_host.h>
#include <linux/sched/mm.h>

#include "mmu.h"
#include "mmu/mmutrace.h"
#include "mmu/page_track.h"
#include "mmu/tdp_iter.h"
#include "mmu/tdp_mmu.h"
#include "doors.h"
#include "share.h"
#include "trace.h"

/*
 * One SRCU section does not go beyond a boundary of this many pages, so that a
 * memslot update does not wait for a whole big VM. No leaf crosses it either.
 */
#define MAP_CHUNK_PAGES		KVM_PAGES_PER_HPAGE(KVM_MAX_HUGEPAGE_LEVEL)

/**
 * struct map_run - pages that are to be opened, all in one memslot or in none
 * @share: the share
 * @slot: memslot that holds them, or NULL
 * @start: first gfn
 * @end: gfn behind the last
 * @cursor: the pages
 * @write: the device may write
 * @host_mmio: the pages are a device's registers, not memory
 * @strict: refuse pages that are not the memslot's
 * @mm_is_gone: the VMM has exited, so that the host maps nothing
 * @next: first gfn that is not done yet
 * @flush: CPUs have lost rights, or a leaf, and their TLBs are not flushed yet
 * @budget: leaves that may be set before mmu_lock is let go
 */
struct map_run {
	struct kvm_mmu_share *share;
	const struct kvm_memory_slot *slot;
	gfn_t start;
	gfn_t end;
	struct mmu_share_cursor cursor;
	bool write;
	bool host_mmio;
	bool strict;
	bool mm_is_gone;
	gfn_t next;
	bool flush;
	s64 budget;
};

/* As mmu_share_look(), but that only what is certain counts. */
static enum mmu_share_identity look(struct map_run *m, gfn_t gfn, u64 *npages)
{
	struct kvm *kvm = m->share->kvm;

	/* As mmu_invalidate_retry_gfn(), but for a range. */
	if (!m->slot || m->mm_is_gone ||
	    (kvm->mmu_invalidate_in_progress &&
	     gfn < kvm->mmu_invalidate_range_end &&
	     gfn + *npages > kvm->mmu_invalidate_range_start))
		return HOST_ABSENT;

	return mmu_share_look(kvm, m->slot, gfn, &m->cursor, npages);
}

/*
 * The answer for all of a leaf: the least of what is true of its pages, as far as
 * it makes a difference.
 */
static enum mmu_share_identity look_at_leaf(struct map_run *m, gfn_t gfn,
					    int level)
{
	enum mmu_share_identity least = HOST_WRITABLE;
	u64 npages, left = KVM_PAGES_PER_HPAGE(level);

	for (; left; gfn += npages, left -= npages) {
		npages = left;
		least = min(least, look(m, gfn, &npages));
		if (least <= HOST_ABSENT)
			break;
	}
	return least;
}

/*
 * What vCPUs may do with a leaf that the device may write, or not: as much as
 * make_spte() would give a write fault, or a read fault where the host or the
 * memslot allows no more.
 *
 * What KVM has reason to watch, guest page tables that it shadows and writes
 * that the dirty ring is to have, is write-protected for CPUs alone. Where W is both
 * sides', CPUs have no part in a leaf in which W can't be what they may do.
 */
static u64 cpu_bits(const struct map_run *m, gfn_t gfn, int level,
		    enum mmu_share_identity identity, bool device_write)
{
	const struct mmu_share_doors *doors = &mmu_share_doors;
	struct kvm *kvm = m->share->kvm;
	bool nx, log, write;
	u64 bits;

	/* As in make_spte(), NX is a bit that forbids, X is one that allows. */
	nx = level > PG_LEVEL_4K && is_nx_huge_page_enabled(kvm);
	bits = nx ? shadow_nx_mask : shadow_xs_mask | shadow_xu_mask;
	if (identity <= HOST_ABSENT)
		return bits | doors->cpu_shut;

	log = kvm_slot_dirty_track_enabled(m->slot) &&
	      !mmu_share_logs_by_d(kvm, m->share->root);
	write = identity == HOST_WRITABLE &&
		!(m->slot->flags & KVM_MEM_READONLY) &&
		!(kvm_page_track_write_tracking_enabled(kvm) &&
		  mmu_try_to_unsync_pages(kvm, m->slot, gfn, false, true));
	if (doors->one_write) {
		if (device_write && (!write || log))
			return bits | doors->cpu_shut;
		return bits | kvm_x86_call(get_mt_mask)(kvm, gfn, m->host_mmio);
	}

	bits |= doors->cpu_open;
	if (write)
		bits |= shadow_mmu_writable_mask;
	return write && !log ? bits | PT_WRITABLE_MASK : bits;
}

/*
 * A leaf that is open to the device. A is set, which CPUs need not do then, and
 * devices do not. D is not: nobody has written.
 */
static u64 make_open_spte(const struct map_run *m, gfn_t gfn, int level,
			  kvm_pfn_t pfn, enum mmu_share_identity identity)
{
	u64 spte = shadow_leaf_mask | shadow_present_mask | PT_PRESENT_MASK |
		   shadow_accessed_mask;

	if (level > PG_LEVEL_4K)
		spte |= PT_PAGE_SIZE_MASK;
	if (!m->host_mmio)
		spte |= shadow_me_value;

	return spte_open_to_device(spte, m->write) |
	       cpu_bits(m, gfn, level, identity, m->write) |
	       (u64)pfn << PAGE_SHIFT;
}

static bool is_device_only(u64 spte, int level)
{
	return is_shadow_present_pte(spte) && is_last_spte(spte, level) &&
	       spte_is_open_to_device(spte) && !spte_is_open_to_cpus(spte);
}

/* Whether one leaf at @level may map all of what lies behind @gfn there. */
static bool leaf_fits(struct map_run *m, gfn_t gfn, int level)
{
	u64 npages = KVM_PAGES_PER_HPAGE(level), left;
	kvm_pfn_t pfn;

	if (level == PG_LEVEL_4K)
		return true;

	if (level > max_huge_page_level ||
	    gfn < m->start || gfn + npages > m->end)
		return false;

	/*
	 * What the host maps with is of no matter: the pages are pinned, so that
	 * contiguous ones stay contiguous.
	 */
	pfn = mmu_share_find_pfn(&m->cursor, gfn, &left);
	if (left < npages || !IS_ALIGNED(pfn, npages))
		return false;

	/* Who tracks what devices write wants to know of each page. */
	if (m->share->dma_tracked)
		return false;

	return !m->slot || (!kvm_slot_dirty_track_enabled(m->slot) &&
			    mmu_share_lpage_allowed(m->slot, gfn, level));
}

/*
 * kvm_tdp_mmu_set_spte() where nothing was, which is most of what mapping does:
 * there is no table to free and nothing to flush. The caller counts it.
 */
static void set_new_leaf(const struct tdp_iter *iter, tdp_ptep_t sptep,
			 gfn_t gfn, u64 old, u64 spte)
{
	if (READ_ONCE(mmu_share_check_entries))
		__mmu_share_check_spte(spte, gfn, iter->level);
	__kvm_tdp_mmu_write_spte(sptep, spte);
	trace_kvm_tdp_mmu_spte_changed(iter->as_id, gfn, iter->level, old, spte);
}

/* @nr 4K leaves are done. Leaves @iter at the last of them. */
static void move_on(struct map_run *m, struct tdp_iter *iter, u64 nr)
{
	mmu_share_skip(iter, nr);
	m->next = iter->gfn + 1;
	m->budget -= nr;
}

/*
 * Make 4K leaves where there are none, from @iter on in its table, for as long as
 * map_leaf() would do the same to each.
 *
 * Leaves @iter at the last one. Returns false when there was none.
 */
static bool map_new_leaves(struct map_run *m, struct tdp_iter *iter)
{
	int index = spte_index(rcu_dereference(iter->sptep));
	struct mmu_share_cursor at;
	u64 bits, pfn, left, nr, max;
	enum mmu_share_identity identity;
	struct kvm *kvm = m->share->kvm;

	/* KVM tracks writes by gfn. */
	if (iter->level != PG_LEVEL_4K ||
	    is_shadow_present_pte(iter->old_spte) ||
	    kvm_page_track_write_tracking_enabled(kvm))
		return false;

	max = min(m->end - iter->gfn, SPTE_ENT_PER_PAGE - index);
	pfn = mmu_share_find_pfn(&m->cursor, iter->gfn, &left);
	at = m->cursor;
	identity = look(m, iter->gfn, &max);
	m->cursor = at;
	if (identity == HOST_OTHER) {
		if (m->strict)
			return false;
		identity = HOST_ABSENT;
	}

	bits = make_open_spte(m, iter->gfn, PG_LEVEL_4K, 0, identity);
	for (nr = 0; nr < max; nr++) {
		tdp_ptep_t sptep = iter->sptep + nr;
		u64 old = kvm_tdp_mmu_read_spte(sptep);

		if (is_shadow_present_pte(old))
			break;
		if (nr)
			pfn = mmu_share_next_pfn(&m->cursor, iter->gfn + nr, pfn,
						 &left);
		set_new_leaf(iter, sptep, iter->gfn + nr, old,
			     bits | pfn << PAGE_SHIFT);
	}

	m->share->pinned_pages += nr;
	kvm_update_page_stats(kvm, PG_LEVEL_4K, nr);
	move_on(m, iter, nr);
	return true;
}

/* What stays of a leaf that CPUs have, besides its page. */
static u64 kept_bits(void)
{
	return spte_cpu_bits() | shadow_dirty_mask;
}

/*
 * Open 4K leaves that only CPUs have, from @iter on in its table, for as long as
 * they have the very pages. That the CPUs may use such a leaf says that it is
 * what the host maps, so that there is nothing to look up.
 *
 * CPUs may set A, D and W of a leaf meanwhile. W and D stay; A is set anyway. Most
 * leaves differ in their pages alone, which is what is tried first. Where W is both
 * sides', one that differs in it is map_leaf()'s.
 *
 * Leaves @iter at the last one. Returns false when there was none.
 */
static bool open_cpu_leaves(struct map_run *m, struct tdp_iter *iter)
{
	/* The last one without its page, as no SPTE is yet, and what was added. */
	u64 was = ~SPTE_BASE_ADDR_MASK, step = 0;
	u64 nr = 0, open, keep, old, spte, page, max, left;
	bool check = READ_ONCE(mmu_share_check_entries);
	const struct tdp_pages *pages = m->cursor.pages;
	u64 *sptes = rcu_dereference(iter->sptep);
	const unsigned long *pfns = pages->pfns;
	const u32 *npfns = pages->npfns;
	unsigned int run;
	kvm_pfn_t pfn;

	if (iter->level != PG_LEVEL_4K || !is_shadow_present_pte(iter->old_spte))
		return false;

	keep = kept_bits() | SPTE_BASE_ADDR_MASK;
	open = make_open_spte(m, iter->gfn, PG_LEVEL_4K, 0, HOST_ABSENT) & ~keep;
	max = min(m->end - iter->gfn, SPTE_ENT_PER_PAGE - spte_index(sptes));
	pfn = mmu_share_find_pfn(&m->cursor, iter->gfn, &left);
	run = m->cursor.run;
	for (;;) {
		page = pfn << PAGE_SHIFT;
		old = was + page;
		spte = old + step;
		while (!try_cmpxchg64(&sptes[nr], &old, spte)) {
			if (!is_shadow_present_pte(old) ||
			    (old & SPTE_BASE_ADDR_MASK) != page ||
			    spte_is_open_to_device(old) ||
			    spte_rights_differ(old, m->write))
				goto done;
			spte = open | (old & keep);
			if (check) {
				__mmu_share_check_spte(spte, iter->gfn + nr,
						       PG_LEVEL_4K);
				continue;
			}
			was = old - page;
			step = spte - old;
		}

		trace_kvm_tdp_mmu_spte_changed(iter->as_id, iter->gfn + nr,
					       PG_LEVEL_4K, old, spte);
		if (++nr == max)
			break;

		pfn++;
		if (!--left) {
			run++;
			pfn = pfns[run];
			left = npfns[run];
		}
	}
done:
	if (!nr)
		return false;

	/* At the last one, or the one behind it. */
	m->cursor.run = run;
	m->cursor.first = iter->gfn + nr - (nr == max) - (npfns[run] - left);
	m->share->pinned_pages += nr;
	move_on(m, iter, nr);
	return true;
}

/* Make, or open, the leaf that @iter is at. */
static int map_leaf(struct map_run *m, struct tdp_iter *iter)
{
	u64 left, spte, pfn = mmu_share_find_pfn(&m->cursor, iter->gfn, &left);
	struct kvm *kvm = m->share->kvm;
	enum mmu_share_identity identity;
	bool keep;

	/* What CPUs may use is what the host maps, see open_cpu_leaves(). */
	keep = is_shadow_present_pte(iter->old_spte) &&
	       spte_to_pfn(iter->old_spte) == pfn &&
	       !spte_rights_differ(iter->old_spte, m->write);
	identity = keep ? HOST_ABSENT : look_at_leaf(m, iter->gfn, iter->level);
	if (identity == HOST_OTHER) {
		if (m->strict)
			return -EADDRNOTAVAIL;
		identity = HOST_ABSENT;
	}

	/* One IOAS uses the root, and never maps over what it maps. */
	if (WARN_ON_ONCE(is_shadow_present_pte(iter->old_spte) &&
			 spte_is_open_to_device(iter->old_spte)))
		return -EEXIST;

	/*
	 * A vCPU's leaf for another page. Zap, flush, and only then install:
	 * nobody may hold both translations.
	 */
	if (is_shadow_present_pte(iter->old_spte) &&
	    spte_to_pfn(iter->old_spte) != pfn) {
		kvm_tdp_mmu_set_spte(kvm, iter, SHADOW_NONPRESENT_VALUE);
		kvm_flush_remote_tlbs(kvm);
		/* The setter leaves the value from before in the iterator. */
		iter->old_spte = SHADOW_NONPRESENT_VALUE;
	}

	spte = make_open_spte(m, iter->gfn, iter->level, pfn, identity);
	if (keep) {
		/* What CPUs may do has been settled by their own faults. */
		spte &= ~kept_bits();
		spte |= iter->old_spte & kept_bits();
	} else if (is_shadow_present_pte(iter->old_spte)) {
		/* The same page with other rights. */
		m->flush = true;
	}
	kvm_tdp_mmu_set_spte(kvm, iter, spte);

	mmu_share_note_level(m->share, iter->level);
	m->share->pinned_pages += KVM_PAGES_PER_HPAGE(iter->level);
	m->next = iter->gfn + KVM_PAGES_PER_HPAGE(iter->level);
	m->budget--;
	return 0;
}

/*
 * Walk with mmu_lock held for write, until done or (-EAGAIN) until a table is needed
 * and there is no spare one, or the lock was held for long enough.
 */
static int map_walk(struct map_run *m)
{
	struct kvm_mmu_share *share = m->share;
	struct kvm *kvm = share->kvm;
	struct tdp_iter iter;
	int ret = 0;

	rcu_read_lock();
	for_each_tdp_pte(iter, kvm, share->root, m->next, m->end) {
		if (kvm_tdp_mmu_cond_resched(kvm, &iter, m->flush, false)) {
			m->flush = false;
			continue;
		}

		if (m->budget <= 0) {
			ret = -EAGAIN;
			break;
		}

		/* Tables are stepped into, not replaced, see mmu_share_keep_table(). */
		if (is_shadow_present_pte(iter.old_spte) &&
		    !is_last_spte(iter.old_spte, iter.level))
			continue;

		if (leaf_fits(m, iter.gfn, iter.level)) {
			if (map_new_leaves(m, &iter) ||
			    open_cpu_leaves(m, &iter))
				continue;
			ret = map_leaf(m, &iter);
			if (ret)
				break;
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
	/* Nobody flushes for a leaf that is shut to CPUs already. */
	if (m->flush)
		kvm_flush_remote_tlbs(kvm);
	m->flush = false;
	rcu_read_unlock();
	return ret;
}

static int map_all(struct map_run *m)
{
	struct kvm_mmu_share *share = m->share;
	struct kvm *kvm = share->kvm;
	int ret;

	do {
		if (!share->spare) {
			share->spare = tdp_mmu_alloc_sp_for_split();
			if (!share->spare)
				return -ENOMEM;
		}

		m->budget = HOLD_LEAVES;
		write_lock(&kvm->mmu_lock);
		ret = map_walk(m);
		write_unlock(&kvm->mmu_lock);
	} while (ret == -EAGAIN);

	return ret;
}

/* The end of the memslot that holds @gfn, or the start of the next one. */
static gfn_t find_slot(struct map_run *m, gfn_t gfn, gfn_t end)
{
	struct kvm_memslots *slots = kvm_memslots(m->share->kvm);
	struct kvm_memslot_iter iter;

	kvm_for_each_memslot_in_gfn_range(&iter, slots, gfn, end) {
		if (iter.slot->base_gfn > gfn)
			return iter.slot->base_gfn;
		/* One that is on its way out maps nothing. */
		if (!(iter.slot->flags & KVM_MEMSLOT_INVALID))
			m->slot = iter.slot;
		return min(end, iter.slot->base_gfn + iter.slot->npages);
	}
	return end;
}

/* Map from @m->start on what is in one memslot, or up to the next. SRCU is held. */
static int map_in_slot(struct map_run *m, gfn_t end)
{
	struct kvm *kvm = m->share->kvm;

	m->next = m->start;
	m->slot = NULL;
	m->end = find_slot(m, m->start,
			   min(end, ALIGN(m->start + 1, MAP_CHUNK_PAGES)));
	/* A guest_memfd takes its pages back though they are pinned. */
	if (m->slot && kvm_slot_has_gmem(m->slot))
		return -EMEDIUMTYPE;

	/* As make_spte() does, which asks kvm_track_host_mmio_mapping(). */
	if (m->host_mmio &&
	    cpu_feature_enabled(X86_FEATURE_CLEAR_CPU_BUF_VM_MMIO) &&
	    !READ_ONCE(m->share->root->has_mapped_host_mmio)) {
		WRITE_ONCE(m->share->root->has_mapped_host_mmio, true);
		kvm_make_all_cpus_request(kvm, KVM_REQ_OUTSIDE_GUEST_MODE);
	}

	return map_all(m);
}

/**
 * mmu_share_map() - tdp_provider_ops.map, see there
 * @handle: the share
 * @gpa: first guest physical address, bytes
 * @pages: what to map from there on
 * @prot: IOMMU_READ and friends
 * @strict: refuse pages that are not the memslot's
 * @mapped: in/out, increased by the bytes that were opened to the device
 *
 * Context: may sleep; takes kvm->srcu and mmu_lock.
 */
int mmu_share_map(struct tdp_share *handle, u64 gpa,
		  const struct tdp_pages *pages, unsigned int prot, bool strict,
		  size_t *mapped)
{
	struct kvm_mmu_share *share = to_mmu_share(handle);
	gfn_t gfn = gpa_to_gfn(gpa), end = gfn;
	struct map_run m = {
		.share = share,
		.start = gfn,
		.cursor = { .pages = pages, .base = gfn, .first = gfn },
		.write = prot & IOMMU_WRITE,
		.host_mmio = prot & IOMMU_MMIO,
		.strict = strict,
	};
	struct kvm *kvm = share->kvm;
	int ret = 0;

	for (unsigned int i = 0; i < pages->nr; i++)
		end += pages->npfns[i];

	if (end > min(kvm_mmu_max_gfn() + 1,
		      KVM_PAGES_PER_HPAGE(share->root->role.level + 1)))
		return -ERANGE;
	/* IR also tells KVM that there is a leaf. */
	if (!(prot & IOMMU_READ))
		return -EACCES;

	guard(mutex)(&share->map_lock);

	/* Keeps the host's page tables for mmu_share_look(). */
	m.mm_is_gone = !mmget_not_zero(kvm->mm);

	while (m.start < end && !ret) {
		scoped_guard(srcu, &kvm->srcu)
			ret = map_in_slot(&m, end);
		m.start = m.next;
	}

	if (!m.mm_is_gone)
		mmput_async(kvm->mm);

	*mapped += (m.start - gfn) << PAGE_SHIFT;
	trace_mmu_share_map(__pa(share->root->spt), gpa,
			    PFN_PHYS(pages->pfns[0]),
			    (m.start - gfn) << PAGE_SHIFT, ret);
	return ret;
}
ALLOW_ERROR_INJECTION(mmu_share_map, ERRNO);

/* Whether what a leaf maps has the memory type of memory, or needs none. */
static bool is_plain_memory(u64 spte)
{
	kvm_pfn_t pfn = spte_to_pfn(spte);

	return !kvm_x86_ops.get_mt_mask ||
	       (pfn_valid(pfn) && !PageReserved(pfn_to_page(pfn)));
}

/*
 * Whether a 4K leaf is for the device alone as @spte is. Registers are left to a
 * vCPU's fault, where CPUs' memory type hangs on that.
 */
static bool is_like(u64 other, u64 spte)
{
	return is_device_only(other, PG_LEVEL_4K) &&
	       spte_device_may_write(other) == spte_device_may_write(spte) &&
	       is_plain_memory(other);
}

/*
 * Open 4K leaves to the CPUs, from @iter on in its table, for as long as the answer
 * is the same for all. Leaves @iter at the last one that was looked at.
 */
static void open_small_leaves(struct map_run *m, struct tdp_iter *iter)
{
	int index = spte_index(rcu_dereference(iter->sptep));
	u64 *sptes = rcu_dereference(iter->sptep);
	u64 bits, nr, max = min(m->end - iter->gfn, SPTE_ENT_PER_PAGE - index);
	enum mmu_share_identity identity;
	struct kvm *kvm = m->share->kvm;
	bool opened;

	for (nr = 1; nr < max && is_like(sptes[nr], iter->old_spte); nr++)
		;
	/* KVM tracks writes by gfn. */
	if (kvm_page_track_write_tracking_enabled(kvm))
		nr = 1;

	m->cursor = (struct mmu_share_cursor) { .sptes = sptes, .base = iter->gfn };
	identity = look(m, iter->gfn, &nr);
	bits = cpu_bits(m, iter->gfn, PG_LEVEL_4K, identity,
			spte_device_may_write(iter->old_spte));
	opened = identity > HOST_ABSENT && spte_is_open_to_cpus(bits);
	for (u64 i = 0; opened && i < nr; i++) {
		u64 spte, old = READ_ONCE(sptes[i]);

		do
			spte = (old & ~spte_cpu_bits()) | bits;
		while (!try_cmpxchg64(&sptes[i], &old, spte));

		if (READ_ONCE(mmu_share_check_entries))
			__mmu_share_check_spte(spte, iter->gfn + i, iter->level);
		trace_kvm_tdp_mmu_spte_changed(iter->as_id, iter->gfn + i,
					       iter->level, old, spte);
	}
	if (opened)
		atomic64_add(nr, &m->share->opened_to_cpus);

	mmu_share_skip(iter, nr);
}

/* Open a huge leaf to the CPUs. A vCPU's fault splits what the memslot can't have. */
static void open_huge_leaf(struct map_run *m, struct tdp_iter *iter)
{
	unsigned long pfn = spte_to_pfn(iter->old_spte);
	u32 npages = KVM_PAGES_PER_HPAGE(iter->level);
	const struct tdp_pages pages = { &pfn, &npages, 1 };
	enum mmu_share_identity identity;
	u64 bits;

	m->cursor = (struct mmu_share_cursor) {
		.pages = &pages,
		.base = iter->gfn,
		.first = iter->gfn,
	};
	if (!leaf_fits(m, iter->gfn, iter->level))
		return;

	identity = look_at_leaf(m, iter->gfn, iter->level);
	if (identity <= HOST_ABSENT)
		return;
	bits = cpu_bits(m, iter->gfn, iter->level, identity,
			spte_device_may_write(iter->old_spte));
	if (!spte_is_open_to_cpus(bits))
		return;
	kvm_tdp_mmu_set_spte(m->share->kvm, iter,
			     (iter->old_spte & ~spte_cpu_bits()) | bits);
	atomic64_inc(&m->share->opened_to_cpus);
}

/**
 * mmu_share_open_slot() - Open to the CPUs what the IOAS maps of a new memslot
 * @share: the share
 * @slot: the memslot
 *
 * What a memslot's deletion took from the vCPUs, and what the IOAS has mapped
 * before the memslot came, need not be faulted in page by page.
 *
 * Context: slots_lock held; takes mmu_lock. May sleep.
 */
void mmu_share_open_slot(struct kvm_mmu_share *share,
			 const struct kvm_memory_slot *slot)
{
	struct kvm *kvm = share->kvm;
	struct map_run m = {
		.share = share,
		.slot = slot,
		.start = slot->base_gfn,
		.end = slot->base_gfn + slot->npages,
	};
	struct tdp_iter iter;

	/* Keeps the host's page tables for mmu_share_look(). */
	if (slot->as_id || kvm_slot_has_gmem(slot) || !mmget_not_zero(kvm->mm))
		return;

	write_lock(&kvm->mmu_lock);
	rcu_read_lock();
	for_each_tdp_pte(iter, kvm, share->root, m.start, m.end) {
		if (kvm_tdp_mmu_cond_resched(kvm, &iter, false, false))
			continue;

		if (!is_device_only(iter.old_spte, iter.level) ||
		    !is_plain_memory(iter.old_spte))
			continue;
		if (iter.level == PG_LEVEL_4K)
			open_small_leaves(&m, &iter);
		else
			open_huge_leaf(&m, &iter);
	}
	rcu_read_unlock();
	write_unlock(&kvm->mmu_lock);

	mmput_async(kvm->mm);
}
