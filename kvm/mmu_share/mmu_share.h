/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the rest of KVM calls: the hooks of a TDP root that an IOMMU walks too.
 *
 * All hooks are behind a static branch that only share_iommu_tdp=1 flips.
 */
#ifndef __KVM_MMU_SHARE_H
#define __KVM_MMU_SHARE_H

#include <linux/jump_label.h>
#include <linux/kvm_host.h>

#include "mmu/mmu_internal.h"
#include "mmu/spte.h"
#include "mmu/tdp_iter.h"

#ifdef CONFIG_KVM_MMU_SHARE

void mmu_share_init(void);
void mmu_share_exit(void);
void mmu_share_set_layout(void);
void mmu_share_create_debugfs(struct kvm *kvm);

int mmu_share_check_nx_huge_pages(void);
bool __mmu_share_has_root(struct kvm *kvm, union kvm_mmu_page_role role);
void __mmu_share_spte_changed(struct kvm *kvm, struct kvm_mmu_page *sp,
			      gfn_t gfn, u64 old_spte, u64 new_spte, int level);
bool __mmu_share_keep_table(struct kvm_page_fault *fault, u64 spte);
void mmu_share_init_split(struct kvm_mmu_page *sp, tdp_ptep_t parent);
bool mmu_share_take_write(struct kvm *kvm, struct tdp_iter *iter);
bool __mmu_share_must_flush_unlinked(struct kvm *kvm);
void __mmu_share_zap_unpinned(struct kvm *kvm, gfn_t start, gfn_t end);
void __mmu_share_recover_huge_pages(struct kvm *kvm,
				    const struct kvm_memory_slot *slot);
int __mmu_share_check_delete(struct kvm *kvm,
			     const struct kvm_memory_slot *slot);
void __mmu_share_changed(struct kvm *kvm);

/**
 * mmu_share_active() - whether an IOMMU walks one of the VM's roots
 * @kvm: the VM
 *
 * Context: stable under mmu_lock; a snapshot elsewhere.
 */
static inline bool mmu_share_active(struct kvm *kvm)
{
	return static_branch_unlikely(&mmu_share_key) &&
	       rcu_access_pointer(kvm->arch.mmu_share);
}

/**
 * mmu_share_has_root() - whether a vCPU in need of a root takes the shared one
 * @kvm: the VM
 * @role: role of the root that the vCPU needs, without io_shared
 *
 * Context: mmu_lock held.
 */
static inline bool mmu_share_has_root(struct kvm *kvm,
				      union kvm_mmu_page_role role)
{
	return mmu_share_active(kvm) && __mmu_share_has_root(kvm, role);
}

/**
 * mmu_share_is_pinned() - whether the IOMMU side relies on a leaf SPTE
 * @sptep: a leaf SPTE of a TDP MMU table
 *
 * Context: mmu_lock held, and RCU.
 */
static inline bool mmu_share_is_pinned(tdp_ptep_t sptep)
{
	struct kvm_mmu_page *sp;

	if (!static_branch_unlikely(&mmu_share_key))
		return false;

	sp = sptep_to_sp(rcu_dereference(sptep));
	return is_io_shared_sp(sp) &&
	       test_bit(spte_index(rcu_dereference(sptep)), sp->pinned_sptes);
}

/**
 * mmu_share_spte_changed() - gather what the IOTLB may hold of an old SPTE
 * @kvm: the VM
 * @sp: table that holds the SPTE
 * @gfn: first gfn that the SPTE maps
 * @old_spte: value before the change
 * @new_spte: value after it
 * @level: level of @sp
 *
 * Context: mmu_lock held for read or write.
 */
static inline void mmu_share_spte_changed(struct kvm *kvm,
					  struct kvm_mmu_page *sp, gfn_t gfn,
					  u64 old_spte, u64 new_spte, int level)
{
	if (static_branch_unlikely(&mmu_share_key) && is_io_shared_sp(sp))
		__mmu_share_spte_changed(kvm, sp, gfn, old_spte, new_spte, level);
}

/**
 * mmu_share_keep_table() - have a vCPU's fault use the table that is there
 * @root: the vCPU's root
 * @fault: the fault
 * @spte: SPTE at the fault's goal_level
 *
 * The pins are kept with the table, and mmu_lock held for read is not enough to
 * move them to a huge page. Only recover.c replaces tables.
 *
 * Context: mmu_lock held for read, and RCU.
 * Return: true when @spte is such a table, and the goal a level lower now.
 */
static inline bool mmu_share_keep_table(struct kvm_mmu_page *root,
					struct kvm_page_fault *fault, u64 spte)
{
	return static_branch_unlikely(&mmu_share_key) && is_io_shared_sp(root) &&
	       __mmu_share_keep_table(fault, spte);
}

/**
 * mmu_share_zap_unpinned() - zap what KVM may zap of the shared root
 * @kvm: the VM
 * @start: first gfn
 * @end: gfn behind the last
 *
 * Takes the place of invalidating the root: the leaves that the IOMMU side has
 * pinned stay, all others and the MMIO SPTEs go, and TLBs are flushed.
 *
 * Context: mmu_lock held for write; yields.
 */
static inline void mmu_share_zap_unpinned(struct kvm *kvm, gfn_t start,
					  gfn_t end)
{
	if (mmu_share_active(kvm))
		__mmu_share_zap_unpinned(kvm, start, end);
}

/**
 * mmu_share_must_flush_unlinked() - whether a table can't be freed unflushed
 * @kvm: the VM
 * @sp: table from which another was unlinked
 *
 * Context: mmu_lock held for read or write.
 */
static inline bool mmu_share_must_flush_unlinked(struct kvm *kvm,
						 struct kvm_mmu_page *sp)
{
	return mmu_share_active(kvm) && is_io_shared_sp(sp) &&
	       __mmu_share_must_flush_unlinked(kvm);
}

/**
 * mmu_share_recover_huge_pages() - put back together what dirty logging split
 * @kvm: the VM
 * @slot: memslot whose dirty logging ended
 *
 * Context: slots_lock held; takes mmu_lock for write.
 */
static inline void
mmu_share_recover_huge_pages(struct kvm *kvm, const struct kvm_memory_slot *slot)
{
	if (mmu_share_active(kvm))
		__mmu_share_recover_huge_pages(kvm, slot);
}

/**
 * mmu_share_check_delete() - whether a memslot may be deleted or moved
 * @kvm: the VM
 * @slot: the memslot
 *
 * Devices that share of their own accord go over to a table of their own first.
 *
 * Context: slots_lock held, the memslot is invalid to SRCU readers already;
 * takes mmu_lock for read; may sleep.
 * Return: 0, or -EBUSY while a device may use part of it.
 */
static inline int mmu_share_check_delete(struct kvm *kvm,
					 const struct kvm_memory_slot *slot)
{
	return mmu_share_active(kvm) ? __mmu_share_check_delete(kvm, slot) : 0;
}

/**
 * mmu_share_changed() - tell those who share, or could, that things have changed
 * @kvm: the VM
 *
 * Memslots, or what stood in the way of sharing.
 *
 * Context: slots_lock held; may sleep.
 */
static inline void mmu_share_changed(struct kvm *kvm)
{
	if (mmu_share_active(kvm))
		__mmu_share_changed(kvm);
}

#else /* !CONFIG_KVM_MMU_SHARE */

static inline void mmu_share_init(void) { }
static inline void mmu_share_exit(void) { }
static inline void mmu_share_set_layout(void) { }
static inline void mmu_share_create_debugfs(struct kvm *kvm) { }
static inline int mmu_share_check_nx_huge_pages(void) { return 0; }
static inline void mmu_share_changed(struct kvm *kvm) { }
static inline bool mmu_share_active(struct kvm *kvm) { return false; }
static inline bool mmu_share_is_pinned(tdp_ptep_t sptep) { return false; }

static inline bool mmu_share_has_root(struct kvm *kvm,
				      union kvm_mmu_page_role role)
{
	return false;
}

static inline void mmu_share_spte_changed(struct kvm *kvm,
					  struct kvm_mmu_page *sp, gfn_t gfn,
					  u64 old_spte, u64 new_spte, int level)
{
}

static inline void mmu_share_zap_unpinned(struct kvm *kvm, gfn_t start,
					  gfn_t end)
{
}

static inline bool mmu_share_must_flush_unlinked(struct kvm *kvm,
						 struct kvm_mmu_page *sp)
{
	return false;
}

static inline bool mmu_share_keep_table(struct kvm_mmu_page *root,
					struct kvm_page_fault *fault, u64 spte)
{
	return false;
}

static inline void mmu_share_init_split(struct kvm_mmu_page *sp,
					tdp_ptep_t parent)
{
}

static inline void
mmu_share_recover_huge_pages(struct kvm *kvm, const struct kvm_memory_slot *slot)
{
}

static inline int mmu_share_check_delete(struct kvm *kvm,
					 const struct kvm_memory_slot *slot)
{
	return 0;
}

#endif /* CONFIG_KVM_MMU_SHARE */

#endif /* __KVM_MMU_SHARE_H */
