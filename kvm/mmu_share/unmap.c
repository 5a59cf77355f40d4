// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shuts ranges of the shared root to the device on behalf of the IOAS, and
 * answers what the IOAS has mapped.
 *
 * A common leaf is left to the CPUs, for which nothing changes: no vCPU faults,
 * and no CPU TLB is flushed. The host may take it away, as any that a vCPU's
 * fault made. A device-only leaf goes.
 */
#include <linux/kvm_host.h>

#include "mmu.h"
#include "mmu/mmutrace.h"
#include "mmu/tdp_iter.h"
#include "mmu/tdp_mmu.h"
#include "doors.h"
#include "share.h"
#include "trace.h"

/*
 * Shut leaves from @iter on in its table, of 4K all, of huge ones up to what is none
 * or reaches beyond the range, and leave @iter at the last entry that was looked at.
 * All that kvm_tdp_mmu_set_spte() would do for these is to trace, to check and to
 * count.
 *
 * CPUs may set A, D and W of a common leaf meanwhile, which stay. Most leaves
 * differ in their pages alone: what was done to the last one, @delta, is done to
 * all that are like it.
 */
static void unmap_leaves(struct kvm_mmu_share *share, struct tdp_iter *iter,
			 gfn_t end)
{
	u64 *sptes = rcu_dereference(iter->sptep), *sptep, *last;
	u64 npages = KVM_PAGES_PER_HPAGE(iter->level), nr;
	bool check = READ_ONCE(mmu_share_check_entries);
	const u64 attrs = ~SPTE_BASE_ADDR_MASK;
	int level = iter->level;
	u64 old, spte, like, delta = 0;
	int gone = 0, unlike = 0;

	nr = min((end - iter->gfn) / npages, SPTE_ENT_PER_PAGE - spte_index(sptes));
	/* None yet. */
	like = ~READ_ONCE(sptes[0]);
	for (sptep = sptes, last = sptes + nr; sptep != last; sptep++) {
		old = READ_ONCE(*sptep);
again:
		if ((old ^ like) & attrs) {
			/* EPT's tables are like open leaves in their doors' bits. */
			if (!spte_is_open_to_device(old) ||
			    !is_last_spte(old, level)) {
				if (level > PG_LEVEL_4K)
					break;
				unlike++;
				continue;
			}
			if (!spte_is_open_to_cpus(old)) {
				spte = SHADOW_NONPRESENT_VALUE;
				/* The device may have written since. */
				old = xchg(sptep, spte);
				mmu_share_note_gone(share->kvm, sptep_to_sp(sptep),
						    iter->gfn + (sptep - sptes) * npages,
						    old, spte, level);
				gone++;
				goto trace;
			}
			delta = old ^ spte_shut_to_device(old);
			if (check)
				__mmu_share_check_spte(old ^ delta, iter->gfn +
						       (sptep - sptes) * npages,
						       level);
			else
				like = old;
		}

		spte = old ^ delta;
		if (!try_cmpxchg64(sptep, &old, spte))
			goto again;
trace:
		trace_kvm_tdp_mmu_spte_changed(iter->as_id, iter->gfn +
					       (sptep - sptes) * npages,
					       level, old, spte);
	}

	nr = sptep - sptes;
	share->pinned_pages -= (nr - unlike) * npages;
	if (gone)
		kvm_update_page_stats(share->kvm, level, -gone);

	mmu_share_skip(iter, nr);
}

/*
 * Walk with mmu_lock held for write, from *@start on, which moves on to what is not
 * done yet. Returns -ENOMEM when a leaf that reaches beyond the range has to be split
 * and there is no spare table, -EAGAIN when the lock was held for long enough.
 */
static int unmap_walk(struct kvm_mmu_share *share, gfn_t *start, gfn_t end,
		      struct kvm_mmu_page **spare)
{
	struct kvm *kvm = share->kvm;
	s64 budget = HOLD_LEAVES;
	struct tdp_iter iter;
	int ret = 0;

	rcu_read_lock();
	for_each_tdp_pte(iter, kvm, share->root, *start, end) {
		u64 npages = KVM_PAGES_PER_HPAGE(iter.level);

		/* The caller has the IOTLB flushed before it unpins a page. */
		if (kvm_tdp_mmu_cond_resched(kvm, &iter, false, false))
			continue;

		if (!is_shadow_present_pte(iter.old_spte) ||
		    !is_last_spte(iter.old_spte, iter.level) ||
		    !spte_is_open_to_device(iter.old_spte))
			continue;

		if (budget <= 0) {
			ret = -EAGAIN;
			break;
		}

		if (iter.gfn >= *start && iter.gfn + npages <= end) {
			*start = iter.gfn;
			unmap_leaves(share, &iter, end);
			budget -= (iter.gfn - *start) / npages + 1;
			*start = iter.gfn + npages;
			continue;
		}

		/* Recovered huge pages may span two mappings. */
		if (!*spare) {
			ret = -ENOMEM;
			break;
		}
		tdp_mmu_init_child_sp(*spare, &iter);
		tdp_mmu_split_huge_page(kvm, &iter, *spare, false);
		*spare = NULL;
	}
	rcu_read_unlock();
	return ret;
}

/* A table for unmap, which must not fail: beyond the VMM's limits if need be. */
static struct kvm_mmu_page *alloc_table_nofail(void)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOFAIL;
	struct kvm_mmu_page *sp;

	sp = kmem_cache_alloc(mmu_page_header_cache, gfp);
	sp->spt = (void *)__get_free_page(gfp);
	return sp;
}

/**
 * mmu_share_unmap() - tdp_provider_ops.unmap, see there
 * @handle: the share
 * @gpa: first guest physical address, bytes
 * @len: length in bytes
 *
 * Context: may sleep; takes mmu_lock.
 * Return: size in bytes of the leaves that are to be flushed.
 */
size_t mmu_share_unmap(struct tdp_share *handle, u64 gpa, u64 len)
{
	struct kvm_mmu_share *share = to_mmu_share(handle);
	struct kvm_mmu_page *spare = NULL;
	gfn_t start = gpa_to_gfn(gpa);
	struct kvm *kvm = share->kvm;
	int ret, level;

	do {
		write_lock(&kvm->mmu_lock);
		ret = unmap_walk(share, &start, gpa_to_gfn(gpa + len), &spare);
		level = share->max_level;
		write_unlock(&kvm->mmu_lock);

		/* Two tables a level are all that can be needed. */
		if (ret == -ENOMEM)
			spare = alloc_table_nofail();
	} while (ret);

	if (spare)
		tdp_mmu_free_unused_sp(spare);
	if (len)
		tdp_dirty_read(&share->dma_dirty, gpa_to_gfn(gpa),
			       gpa_to_gfn(gpa + len), true, NULL, NULL);
	trace_mmu_share_unmap(__pa(share->root->spt), gpa, len);
	return KVM_HPAGE_SIZE(level);
}

/*
 * Add what is mapped from *@gfn on, to the end of the leaf or of the table of 4K
 * leaves. Returns false where nothing is, or where there is no room.
 *
 * A frozen SPTE is in a table that a huge page has replaced: the way to it has
 * changed already, so start again at the root.
 */
static bool read_table(struct kvm_mmu_share *share, gfn_t *gfn, gfn_t end,
		       struct iommu_pfn_runs *to)
{
	/* In registers. */
	const struct mmu_share_doors doors = mmu_share_doors;
	struct iommu_pfn_runs runs = *to;
	unsigned long next = iommu_next_pfn(to);
	struct kvm_mmu_page *sp;
	u64 *sptep, *last, spte, nr;
	bool more = true;
	int level, index;

	guard(rcu)();
again:
	/* By hand: iommufd reads back all that it unpins. */
	for (sp = share->root; ; sp = spte_to_child_sp(spte)) {
		level = sp->role.level;
		index = SPTE_INDEX(gfn_to_gpa(*gfn), level);
		spte = READ_ONCE(sp->spt[index]);

		if (is_frozen_spte(spte)) {
			cpu_relax();
			goto again;
		}
		if (!is_shadow_present_pte(spte))
			return false;
		if (is_last_spte(spte, level))
			break;
	}

	/* Where there is no room, the last run may still grow. */
	if (level > PG_LEVEL_4K || runs.nr == runs.max) {
		u64 offset = *gfn & (KVM_PAGES_PER_HPAGE(level) - 1);

		nr = min(end - *gfn, KVM_PAGES_PER_HPAGE(level) - offset);
		if (!spte_is_open_to_device(spte) ||
		    !iommu_add_pfns(to, spte_to_pfn(spte) + offset, nr))
			return false;
		*gfn += nr;
		return true;
	}

	nr = min3(end - *gfn, (u64)SPTE_ENT_PER_PAGE - index,
		  (u64)runs.max - runs.nr);
	sptep = &sp->spt[index];
	for (last = sptep + nr; sptep != last; sptep++) {
		spte = READ_ONCE(*sptep);
		if (!__spte_is_open_to_device(&doors, spte)) {
			more = is_frozen_spte(spte);
			break;
		}
		iommu_add_page(&runs, spte_to_pfn(spte), &next);
	}
	*gfn += nr - (last - sptep);
	*to = runs;
	return more;
}

/**
 * mmu_share_read_pfns() - tdp_provider_ops.read_pfns, see there
 * @handle: the share
 * @gpa: guest physical address, bytes
 * @len: length in bytes
 * @runs: where the pages are added
 *
 * Leaves that only vCPUs have are none of the IOAS's business.
 *
 * Context: any.
 * Return: for how many bytes pages were added
 */
size_t mmu_share_read_pfns(struct tdp_share *handle, u64 gpa, u64 len,
			   struct iommu_pfn_runs *runs)
{
	struct kvm_mmu_share *share = to_mmu_share(handle);
	gfn_t gfn = gpa_to_gfn(gpa), end = gpa_to_gfn(gpa + len);

	while (gfn < end && read_table(share, &gfn, end, runs))
		;
	return gfn_to_gpa(gfn) - gpa;
}
