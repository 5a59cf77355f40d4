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

#include "format.h"
#include "mmu/tdp_mmu.h"
#include "mmu_share.h"

/**
 * struct kvm_mmu_share - a VM's TDP root as an IOMMU's second-level table
 * @base: what the bridge sees
 * @kvm: the VM, held
 * @vendor: kvm_amd or kvm_intel, held: the VM's code
 * @users: references that the bridge holds
 * @root: the root; the TDP MMU's own reference to it belongs to the share
 * @activated: vCPUs take the root; written with mmu_lock held for write
 * @recovering: tables are being unlinked whose flush is taken care of, see
 *	recover.c; written with mmu_lock held for write
 * @rcu: defers freeing past lockless readers of kvm->arch.mmu_share
 * @populate_lock: serialises populate, protects @spare
 * @spare: a table allocated ahead of taking mmu_lock, or NULL
 * @flush_lock: protects what follows; held while the IOTLB is flushed, so that
 *	whoever finds nothing to flush knows that it has been flushed
 * @sink_ops: where flushes go, NULL without a bound domain
 * @sink: its argument
 * @asked: user space asked for the share, and is told of what it can't have
 * @first: first gfn that the IOTLB may hold stale, > @last when there is none
 * @last: last such gfn
 * @tables: tables were unlinked since the last flush
 * @pinned_pages: pinned pages of 4 KiB, written with mmu_lock held for write
 * @flushes: IOTLB flushes so far
 */
struct kvm_mmu_share {
	struct tdp_share base;
	struct kvm *kvm;
	struct module *vendor;
	refcount_t users;
	struct kvm_mmu_page *root;
	bool activated;
	bool recovering;
	struct rcu_head rcu;

	struct mutex populate_lock; /* serialises populate */
	struct kvm_mmu_page *spare;

	spinlock_t flush_lock; /* protects the fields down to @tables */
	const struct tdp_sink_ops *sink_ops;
	void *sink;
	bool asked;
	gfn_t first;
	gfn_t last;
	bool tables;

	u64 pinned_pages;
	atomic64_t flushes;
};

/**
 * struct mmu_share_access - what is asked for in a range
 * @write: the device may write
 * @host_mmio: the pages are a device's registers, not memory
 */
struct mmu_share_access {
	bool write;
	bool host_mmio;
};

/**
 * struct mmu_share_cursor - where in a list of pages a gfn is
 * @pages: the list
 * @base: gfn of its first page
 * @run: the run that the cursor is at
 * @first: gfn of that run's first page
 */
struct mmu_share_cursor {
	const struct tdp_pages *pages;
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

extern bool share_iommu_tdp;
extern enum mmu_share_format mmu_share_format;
extern bool mmu_share_check_entries;

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

/* Whether KVM has no reason of its own against a huge page there. */
static inline bool mmu_share_lpage_allowed(const struct kvm_memory_slot *slot,
					   gfn_t gfn, int level)
{
	gfn_t index = gfn_to_index(gfn, slot->base_gfn, level);

	return !slot->arch.lpage_info[level - PG_LEVEL_2M][index].disallow_lpage;
}

/* identity.c */
int mmu_share_check_identity(struct kvm *kvm,
			     const struct kvm_memory_slot *slot, gfn_t gfn,
			     u64 npages, struct mmu_share_cursor cursor,
			     const struct mmu_share_access *access);

void mmu_share_fault_in(struct mm_struct *mm, const struct kvm_memory_slot *slot);

/* populate.c */
int mmu_share_map(struct tdp_share *handle, u64 gpa,
		  const struct tdp_pages *pages, unsigned int prot,
		  size_t *mapped);
void mmu_share_unmap(struct tdp_share *handle, u64 gpa, u64 len);
void mmu_share_unpin(struct tdp_share *handle, u64 gpa, u64 len);
phys_addr_t mmu_share_iova_to_phys(struct tdp_share *handle, u64 gpa,
				   size_t *len);

/* events.c */
void mmu_share_tell(struct kvm *kvm, enum tdp_event event);
void mmu_share_tell_all(enum tdp_event event);
int mmu_share_memory(struct tdp_share *handle,
		     int (*fn)(u64 gpa, u64 len, void *data), void *data);

/* hooks.c */
void __mmu_share_check_spte(u64 spte, gfn_t gfn, int level);
void mmu_share_gather(struct kvm_mmu_share *share, gfn_t first, gfn_t last,
		      bool tables);
void mmu_share_flush(struct kvm_mmu_share *share);

/* For whatever is set in a shared root, if share_iommu_tdp_check says so. */
static inline void mmu_share_check_spte(u64 spte, gfn_t gfn, int level)
{
	if (READ_ONCE(mmu_share_check_entries))
		__mmu_share_check_spte(spte, gfn, level);
}

#endif /* __KVM_MMU_SHARE_PRIVATE_H */
