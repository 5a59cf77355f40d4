/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The share object, for the files of mmu_share alone.
 */
#ifndef __KVM_MMU_SHARE_PRIVATE_H
#define __KVM_MMU_SHARE_PRIVATE_H

#include <linux/kvm_host.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/tdp_bridge.h>
#include <linux/tdp_dirty.h>

#include "format.h"
#include "mmu/tdp_mmu.h"
#include "mmu_share.h"

/* Leaves that map and unmap set in one hold of mmu_lock, for which faults wait. */
#define HOLD_LEAVES	(32 * SPTE_ENT_PER_PAGE)

/**
 * struct kvm_mmu_share - a VM's TDP root as an IOMMU's second-level table
 * @base: what the bridge sees
 * @kvm: the VM, held
 * @vendor: kvm_amd or kvm_intel, held: the VM's code
 * @users: references that the bridge holds
 * @root: the root; the TDP MMU's own reference to it belongs to the share
 * @activated: vCPUs take the root; written with mmu_lock held for write
 * @rcu: defers freeing past lockless readers of kvm->arch.mmu_share
 * @map_lock: serialises map, protects @spare
 * @spare: a table allocated ahead of taking mmu_lock, or NULL
 * @sink_lock: protects @sink_ops and @sink; held while the IOTLB is flushed, so
 *	that no flush runs once unbind has returned
 * @sink_ops: where flushes go, NULL without a bound domain
 * @sink: its argument
 * @dirty_lock: serialises the device's reader of dirty pages
 * @dma_tracked: that reader wants to know; written with mmu_lock held for write
 * @dma_dirty: dirty pages that it has not been told of; see dirty.c
 * @asked: user space asked for the share, and is told of what it can't have
 * @max_level: level of the largest leaf that was ever open to the device; this and
 *	what follows is written with mmu_lock held for write, but for the atomics
 * @pinned_pages: pages of 4 KiB that are open to the device
 * @shut_to_cpus: leaves that were taken from the CPUs alone
 * @opened_to_cpus: leaves of the device alone that a vCPU's fault, or a new
 *	memslot, has opened to the CPUs
 * @conflicts: faults that wanted another page than the device has; a vCPU that
 *	waits has one each tick
 * @flushes: flushes of the IOTLB for KVM's own sake
 */
struct kvm_mmu_share {
	struct tdp_share base;
	struct kvm *kvm;
	struct module *vendor;
	refcount_t users;
	struct kvm_mmu_page *root;
	bool activated;
	struct rcu_head rcu;

	struct mutex map_lock; /* serialises map */
	struct kvm_mmu_page *spare;

	spinlock_t sink_lock; /* protects the sink */
	const struct tdp_sink_ops *sink_ops;
	void *sink;
	bool asked;

	struct mutex dirty_lock; /* serialises the device's reader */
	bool dma_tracked;
	struct tdp_dirty dma_dirty;

	int max_level;
	u64 pinned_pages;
	u64 shut_to_cpus;
	atomic64_t opened_to_cpus;
	atomic64_t conflicts;
	atomic64_t flushes;
};

/**
 * enum mmu_share_identity - what the host maps, compared with what the IOAS maps
 * @HOST_OTHER: another page
 * @HOST_ABSENT: nothing, or it is just changing
 * @HOST_READABLE: the same page; a vCPU's write has KVM look again
 * @HOST_WRITABLE: the same page, which the process may write and has written
 */
enum mmu_share_identity {
	HOST_OTHER,
	HOST_ABSENT,
	HOST_READABLE,
	HOST_WRITABLE,
};

/**
 * struct mmu_share_cursor - where in a list of pages a gfn is
 * @pages: the list
 * @sptes: in place of @pages: 4K leaves that have the pages
 * @base: gfn of the first page
 * @run: the run that the cursor is at
 * @first: gfn of that run's first page
 */
struct mmu_share_cursor {
	const struct tdp_pages *pages;
	const u64 *sptes;
	gfn_t base;
	unsigned int run;
	gfn_t first;
};

/*
 * The page behind @gfn, which is on the list, and how many follow in its run.
 * One step on is the common case; the TDP iterator may also step back.
 */
static inline kvm_pfn_t mmu_share_find_pfn(struct mmu_share_cursor *c, gfn_t gfn,
					   u64 *left)
{
	if (c->sptes) {
		*left = 1;
		return spte_to_pfn(READ_ONCE(c->sptes[gfn - c->base]));
	}

	if (gfn < c->first) {
		c->run = 0;
		c->first = c->base;
	}
	while (gfn - c->first >= c->pages->npfns[c->run])
		c->first += c->pages->npfns[c->run++];

	*left = c->pages->npfns[c->run] - (gfn - c->first);
	return c->pages->pfns[c->run] + (gfn - c->first);
}

/* The same for the next gfn after one whose page is @pfn. */
static inline kvm_pfn_t mmu_share_next_pfn(struct mmu_share_cursor *c, gfn_t gfn,
					   kvm_pfn_t pfn, u64 *left)
{
	return --*left ? pfn + 1 : mmu_share_find_pfn(c, gfn, left);
}

extern enum mmu_share_format mmu_share_format;

static inline struct kvm_mmu_share *to_mmu_share(struct tdp_share *share)
{
	return container_of(share, struct kvm_mmu_share, base);
}

/* The VM's share, or NULL. mmu_lock is held. */
static inline struct kvm_mmu_share *mmu_share_locked(struct kvm *kvm)
{
	return rcu_dereference_protected(kvm->arch.mmu_share,
					 lockdep_is_held(&kvm->mmu_lock));
}

/* A leaf at @level is open to the device. mmu_lock is held for write. */
static inline void mmu_share_note_level(struct kvm_mmu_share *share, int level)
{
	share->max_level = max(share->max_level, level);
}

/*
 * The shared root with a reference, so that it outlives a walk that yields, or
 * NULL. mmu_lock is held. For kvm_tdp_mmu_put_root().
 */
static inline struct kvm_mmu_page *mmu_share_get_root(struct kvm *kvm)
{
	struct kvm_mmu_share *share = mmu_share_locked(kvm);

	if (!share || !kvm_tdp_mmu_get_root(share->root))
		return NULL;
	return share->root;
}

/*
 * The first @nr entries from @iter on, in its table, are done by hand: leave @iter
 * at the last of them, from where a walk that yields goes on.
 */
static inline void mmu_share_skip(struct tdp_iter *iter, u64 nr)
{
	iter->sptep += nr - 1;
	iter->gfn += (nr - 1) * KVM_PAGES_PER_HPAGE(iter->level);
	iter->next_last_level_gfn = iter->gfn;
}

/* Whether KVM has no reason of its own against a huge page there. */
static inline bool mmu_share_lpage_allowed(const struct kvm_memory_slot *slot,
					   gfn_t gfn, int level)
{
	gfn_t index = gfn_to_index(gfn, slot->base_gfn, level);

	return !slot->arch.lpage_info[level - PG_LEVEL_2M][index].disallow_lpage;
}

/* share.c */
void mmu_share_put(struct tdp_share *handle);
void mmu_share_flush_tables(struct kvm_mmu_share *share);
void mmu_share_flush_pages(struct kvm_mmu_share *share, u64 gpa, u64 len);

/* identity.c */
enum mmu_share_identity mmu_share_look(struct kvm *kvm,
				       const struct kvm_memory_slot *slot,
				       gfn_t gfn,
				       struct mmu_share_cursor *cursor,
				       u64 *npages);

/* map.c */
int mmu_share_map(struct tdp_share *handle, u64 gpa,
		  const struct tdp_pages *pages, unsigned int prot, bool strict,
		  size_t *mapped);
void mmu_share_open_slot(struct kvm_mmu_share *share,
			 const struct kvm_memory_slot *slot);

/* unmap.c */
size_t mmu_share_unmap(struct tdp_share *handle, u64 gpa, u64 len);
size_t mmu_share_read_pfns(struct tdp_share *handle, u64 gpa, u64 len,
			   struct iommu_pfn_runs *runs);

/* dirty.c */
bool mmu_share_read_dirty(struct tdp_share *handle, u64 gpa, u64 len, bool clear,
			  tdp_dirty_fn report, void *arg);
int mmu_share_track_dirty(struct tdp_share *handle, bool on);

/* recover.c */
void mmu_share_recover_slot(struct kvm *kvm, const struct kvm_memory_slot *slot);
void mmu_share_free_empty_tables(struct kvm *kvm,
				 const struct kvm_memory_slot *slot);

#endif /* __KVM_MMU_SHARE_PRIVATE_H */
