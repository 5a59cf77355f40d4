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
#include "doors.h"

#ifdef CONFIG_KVM_MMU_SHARE

void mmu_share_init(void);
void mmu_share_exit(void);
void mmu_share_set_layout(void);
void mmu_share_create_debugfs(struct kvm *kvm);

bool __mmu_share_has_root(struct kvm *kvm, union kvm_mmu_page_role role);
void __mmu_share_check_spte(u64 spte, gfn_t gfn, int level);
bool __mmu_share_keep_table(struct kvm_page_fault *fault, u64 spte);
int __mmu_share_check_fault(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault,
			    const struct tdp_iter *iter);
u64 mmu_share_keep_device(struct kvm *kvm, u64 old_spte, u64 new_spte);
int mmu_share_resolve_conflict(struct kvm_vcpu *vcpu);
bool mmu_share_shut_to_cpus(struct kvm *kvm, struct tdp_iter *iter);
bool mmu_share_handle_trap(struct kvm_vcpu *vcpu, gpa_t gpa, int *ret);
void __mmu_share_zap(struct kvm *kvm, gfn_t start, gfn_t end);
void __mmu_share_recover_huge_pages(struct kvm *kvm,
				    const struct kvm_memory_slot *slot);
void mmu_share_clear_dirty(struct kvm *kvm, const struct tdp_iter *iter);
void mmu_share_clear_dirty_masked(struct kvm *kvm, struct kvm_mmu_page *root,
				  gfn_t gfn, unsigned long mask);
void mmu_share_copy_dirty(struct kvm_mmu_page *sp);
void __mmu_share_note_gone(struct kvm *kvm, gfn_t gfn, int level);
void __mmu_share_harvest(struct kvm *kvm, const struct kvm_memory_slot *slot);
void __mmu_share_flush_slot(struct kvm *kvm, const struct kvm_memory_slot *slot);
void __mmu_share_changed(struct kvm *kvm, const struct kvm_memory_slot *old,
			 const struct kvm_memory_slot *new);

DECLARE_STATIC_KEY_FALSE(mmu_share_key);
extern bool mmu_share_check_entries;
extern bool share_iommu_tdp;

/**
 * mmu_share_wanted() - whether the administrator wants IOMMUs to walk TDP tables
 *
 * Context: any.
 */
static inline bool mmu_share_wanted(void)
{
	return share_iommu_tdp;
}

/**
 * mmu_share_active() - whether an IOMMU walks one of the VM's roots, or may come to
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
 * mmu_share_check_spte() - Check what is set in a shared root, if that is wanted
 * @sp: the table
 * @gfn: first gfn that the SPTE maps
 * @spte: the SPTE's new value
 * @level: level of @sp
 *
 * Context: any.
 */
static inline void mmu_share_check_spte(const struct kvm_mmu_page *sp, gfn_t gfn,
					u64 spte, int level)
{
	if (static_branch_unlikely(&mmu_share_key) && is_io_shared_sp(sp) &&
	    READ_ONCE(mmu_share_check_entries))
		__mmu_share_check_spte(spte, gfn, level);
}

/**
 * mmu_share_is_open() - whether the IOAS maps what a leaf maps
 * @sp: the leaf's table, or another of its root
 * @spte: a shadow-present leaf
 *
 * Such a leaf must neither vanish nor change its page but by the IOAS's unmap.
 *
 * Context: any.
 */
static inline bool mmu_share_is_open(const struct kvm_mmu_page *sp, u64 spte)
{
	return static_branch_unlikely(&mmu_share_key) && is_io_shared_sp(sp) &&
	       spte_is_open_to_device(spte);
}

/**
 * mmu_share_is_shut_to_cpus() - whether a leaf is there for the device alone
 * @sp: the leaf's table
 * @spte: a shadow-present leaf
 *
 * Context: any.
 */
static inline bool mmu_share_is_shut_to_cpus(const struct kvm_mmu_page *sp, u64 spte)
{
	return static_branch_unlikely(&mmu_share_key) && is_io_shared_sp(sp) &&
	       !spte_is_open_to_cpus(spte);
}

/**
 * mmu_share_is_shut_to_vcpu() - the same of a leaf that a vCPU's walk ends at
 * @vcpu: the vCPU; its root may be one without a struct kvm_mmu_page
 * @spte: an SPTE
 *
 * Context: the vCPU's thread.
 */
static inline bool mmu_share_is_shut_to_vcpu(struct kvm_vcpu *vcpu, u64 spte)
{
	struct kvm_mmu_page *root;

	if (!static_branch_unlikely(&mmu_share_key) || !is_shadow_present_pte(spte))
		return false;
	root = root_to_sp(vcpu->arch.mmu->root.hpa);
	return root && is_io_shared_sp(root) && !spte_is_open_to_cpus(spte);
}

/* Whether W of a leaf is what the device may do too. */
static inline bool mmu_share_w_is_the_devices(const struct kvm_mmu_page *sp, u64 spte)
{
	return mmu_share_is_open(sp, spte) && mmu_share_doors.one_write;
}

/**
 * mmu_share_write_protect() - write-protect a leaf for CPUs
 * @sp: the leaf's table, or another of its root
 * @spte: a shadow-present leaf
 * @new_spte: in: the leaf without what lets CPUs write; out: what is to be set
 *
 * Where W is what the device may do too, CPUs lose the leaf instead, and their
 * next access has KVM look again.
 *
 * Context: any.
 * Return: true if so; CPU TLBs must be flushed before mmu_lock is let go, as
 * nobody else does for a leaf that is shut to CPUs already
 */
static inline bool mmu_share_write_protect(const struct kvm_mmu_page *sp, u64 spte,
					   u64 *new_spte)
{
	if (!mmu_share_w_is_the_devices(sp, spte))
		return false;
	*new_spte = spte_shut_to_cpus(spte);
	return *new_spte != spte;
}

/**
 * mmu_share_write_protect_open() - the same, for who clears W in place
 * @kvm: the VM
 * @sp: the leaf's table, or another of its root
 * @iter: at a shadow-present leaf
 * @flush: set if CPU TLBs must be flushed before mmu_lock is let go
 *
 * Context: mmu_lock held for write, and RCU.
 * Return: true where the leaf is done; false where W is the CPUs' own
 */
static inline bool mmu_share_write_protect_open(struct kvm *kvm,
						const struct kvm_mmu_page *sp,
						struct tdp_iter *iter, bool *flush)
{
	if (!mmu_share_w_is_the_devices(sp, iter->old_spte))
		return false;
	*flush |= mmu_share_shut_to_cpus(kvm, iter);
	return true;
}

/**
 * mmu_share_cpus_spte() - a leaf as far as it is vCPUs'
 * @sp: the leaf's table
 * @spte: an SPTE
 *
 * Context: any.
 * Return: @spte, or what stands for nothing where it is the device's alone
 */
static inline u64 mmu_share_cpus_spte(const struct kvm_mmu_page *sp, u64 spte)
{
	return is_shadow_present_pte(spte) && mmu_share_is_shut_to_cpus(sp, spte) ?
		       SHADOW_NONPRESENT_VALUE : spte;
}

/**
 * mmu_share_keep_table() - have a vCPU's fault use the table that is there
 * @root: the vCPU's root
 * @fault: the fault
 * @spte: SPTE at the fault's goal_level
 *
 * An IOMMU may have cached the way to the table, even if nothing in it is open
 * to the device. Only recover.c, which may flush the IOTLB, replaces tables.
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
 * mmu_share_check_fault() - what a vCPU's fault comes to where the IOAS maps
 * @vcpu: the vCPU
 * @fault: its fault
 * @root: the vCPU's root
 * @iter: where the walk is
 *
 * Context: mmu_lock held for read, and RCU.
 * Return: RET_PF_CONTINUE when the vCPU may have the page that is there, or when
 * the IOAS maps nothing there; RET_PF_EMULATE without a memslot; RET_PF_RETRY when
 * the VM steps aside first; -EFAULT when it can't, -EAGAIN for a prefetch.
 */
static inline int mmu_share_check_fault(struct kvm_vcpu *vcpu,
					struct kvm_page_fault *fault,
					struct kvm_mmu_page *root,
					const struct tdp_iter *iter)
{
	if (!static_branch_unlikely(&mmu_share_key) || !is_io_shared_sp(root) ||
	    !is_shadow_present_pte(iter->old_spte) ||
	    !is_last_spte(iter->old_spte, iter->level))
		return RET_PF_CONTINUE;
	return __mmu_share_check_fault(vcpu, fault, iter);
}

/**
 * mmu_share_zap() - zap what KVM may zap of the shared root
 * @kvm: the VM
 * @start: first gfn
 * @end: gfn behind the last
 *
 * Takes the place of invalidating the root: whatever vCPUs had there is gone
 * afterwards, but the device finds what the IOAS maps. CPU TLBs are flushed.
 *
 * Context: mmu_lock held for write; yields.
 */
static inline void mmu_share_zap(struct kvm *kvm, gfn_t start, gfn_t end)
{
	if (mmu_share_active(kvm))
		__mmu_share_zap(kvm, start, end);
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
 * mmu_share_logs_by_d() - whether KVM's log of what a root maps is by D
 * @kvm: the VM
 * @root: a TDP root, or one of its tables
 *
 * Then W says nothing of the log, and need not be cleared for it.
 *
 * Context: any.
 */
static inline bool mmu_share_logs_by_d(struct kvm *kvm,
				       const struct kvm_mmu_page *root)
{
	return static_branch_unlikely(&mmu_share_key) && is_io_shared_sp(root) &&
	       !kvm->dirty_ring_size;
}

/**
 * mmu_share_logs_by_w() - whether it is by W, where KVM would do it by D and PML
 * @kvm: the VM
 * @root: a TDP root, or one of its tables
 *
 * The dirty ring has what vCPUs write and no more. Where a device has set D already a
 * CPU's write does not show, and whoever clears D hides what the device writes.
 *
 * Context: any.
 */
static inline bool mmu_share_logs_by_w(struct kvm *kvm,
				       const struct kvm_mmu_page *root)
{
	return static_branch_unlikely(&mmu_share_key) && is_io_shared_sp(root) &&
	       kvm->dirty_ring_size;
}

/**
 * mmu_share_d_is_volatile() - whether D of a leaf may be set outside of mmu_lock
 * @spte: a shadow-present leaf, of any root
 *
 * By an IOMMU, whatever W says. True of too much does no harm.
 *
 * Context: any.
 */
static inline bool mmu_share_d_is_volatile(u64 spte)
{
	return static_branch_unlikely(&mmu_share_key) &&
	       !(spte & shadow_dirty_mask) && spte_device_may_write(spte);
}

/**
 * mmu_share_keep_dirty() - Keep D that an IOMMU has set as a leaf was changed
 * @sp: its table
 * @sptep: the leaf, which stays open to the device
 * @old_spte: what was there at the moment of the change
 * @new_spte: in: what was set; out: what is there
 * @level: level of @sp
 *
 * Nobody means to clear D so: mmu_share/dirty.c does it by itself.
 *
 * Context: mmu_lock held for write.
 */
static inline void mmu_share_keep_dirty(const struct kvm_mmu_page *sp, u64 *sptep,
					u64 old_spte, u64 *new_spte, int level)
{
	if (!static_branch_unlikely(&mmu_share_key) || !is_io_shared_sp(sp) ||
	    !(old_spte & ~*new_spte & shadow_dirty_mask) ||
	    !is_shadow_present_pte(old_spte) || !is_last_spte(old_spte, level) ||
	    !is_shadow_present_pte(*new_spte) || !is_last_spte(*new_spte, level) ||
	    !spte_is_open_to_device(*new_spte))
		return;
	atomic64_or(shadow_dirty_mask, (atomic64_t *)sptep);
	*new_spte |= shadow_dirty_mask;
}

/**
 * mmu_share_note_gone() - a leaf has changed: is it dirty and gone?
 * @kvm: the VM
 * @sp: its table
 * @gfn: first gfn that it maps
 * @old_spte: what it was
 * @new_spte: what it is; a table has D in its leaves
 * @level: level of @sp
 *
 * KVM's log is told, as D is not there any more for mmu_share_harvest().
 *
 * Context: mmu_lock held.
 */
static inline void mmu_share_note_gone(struct kvm *kvm,
				       const struct kvm_mmu_page *sp, gfn_t gfn,
				       u64 old_spte, u64 new_spte, int level)
{
	if (!static_branch_unlikely(&mmu_share_key) || !is_io_shared_sp(sp) ||
	    !(old_spte & shadow_dirty_mask) || !is_shadow_present_pte(old_spte) ||
	    !is_last_spte(old_spte, level))
		return;
	if (!is_shadow_present_pte(new_spte) ||
	    (is_last_spte(new_spte, level) && !(new_spte & shadow_dirty_mask)))
		__mmu_share_note_gone(kvm, gfn, level);
}

/**
 * mmu_share_split() - a huge leaf has become a table of small ones
 * @kvm: the VM
 * @sp: the table
 * @copied: the leaf that the small ones were made of
 * @spte: the leaf at the moment when the table took its place
 *
 * Context: mmu_lock held for write.
 */
static inline void mmu_share_split(struct kvm_mmu_page *sp,
				   u64 copied, u64 spte)
{
	if (static_branch_unlikely(&mmu_share_key) && is_io_shared_sp(sp) &&
	    (spte & ~copied & shadow_dirty_mask))
		mmu_share_copy_dirty(sp);
}

/**
 * mmu_share_harvest() - Have a memslot's dirty bitmap say what D says
 * @kvm: the VM
 * @slot: the memslot, which is being logged
 *
 * Context: slots_lock held; takes mmu_lock for read.
 */
static inline void mmu_share_harvest(struct kvm *kvm,
				     const struct kvm_memory_slot *slot)
{
	if (mmu_share_active(kvm))
		__mmu_share_harvest(kvm, slot);
}

/**
 * mmu_share_flush_slot() - Flush a memslot's pages from IOTLBs, as from CPU TLBs
 * @kvm: the VM
 * @slot: the memslot
 *
 * Context: slots_lock held.
 */
static inline void mmu_share_flush_slot(struct kvm *kvm,
					const struct kvm_memory_slot *slot)
{
	if (mmu_share_active(kvm))
		__mmu_share_flush_slot(kvm, slot);
}

/**
 * mmu_share_changed() - memslots have changed
 * @kvm: the VM
 * @old: memslot that is not there any more, or is elsewhere; or NULL
 * @new: memslot that has come, or is here now; or NULL
 *
 * Frees the tables that are empty now, opens to vCPUs what the IOAS maps already,
 * and tells those who share or could.
 *
 * Context: slots_lock held; may sleep.
 */
static inline void mmu_share_changed(struct kvm *kvm,
				     const struct kvm_memory_slot *old,
				     const struct kvm_memory_slot *new)
{
	if (mmu_share_active(kvm))
		__mmu_share_changed(kvm, old, new);
}

#else /* !CONFIG_KVM_MMU_SHARE */

static inline void mmu_share_init(void) { }
static inline void mmu_share_exit(void) { }
static inline void mmu_share_set_layout(void) { }
static inline void mmu_share_create_debugfs(struct kvm *kvm) { }
static inline bool mmu_share_wanted(void) { return false; }

static inline bool mmu_share_has_root(struct kvm *kvm,
				      union kvm_mmu_page_role role)
{
	return false;
}

static inline void mmu_share_check_spte(const struct kvm_mmu_page *sp, gfn_t gfn,
					u64 spte, int level)
{
}

static inline bool mmu_share_is_open(const struct kvm_mmu_page *sp, u64 spte)
{
	return false;
}

static inline bool mmu_share_is_shut_to_cpus(const struct kvm_mmu_page *sp, u64 spte)
{
	return false;
}

static inline bool mmu_share_is_shut_to_vcpu(struct kvm_vcpu *vcpu, u64 spte)
{
	return false;
}

static inline bool mmu_share_shut_to_cpus(struct kvm *kvm, struct tdp_iter *iter)
{
	return false;
}

static inline bool mmu_share_handle_trap(struct kvm_vcpu *vcpu, gpa_t gpa, int *ret)
{
	return false;
}

static inline bool mmu_share_write_protect(const struct kvm_mmu_page *sp, u64 spte,
					   u64 *new_spte)
{
	return false;
}

static inline bool mmu_share_write_protect_open(struct kvm *kvm,
						const struct kvm_mmu_page *sp,
						struct tdp_iter *iter, bool *flush)
{
	return false;
}

static inline u64 mmu_share_cpus_spte(const struct kvm_mmu_page *sp, u64 spte)
{
	return spte;
}

static inline bool mmu_share_keep_table(struct kvm_mmu_page *root,
					struct kvm_page_fault *fault, u64 spte)
{
	return false;
}

static inline int mmu_share_check_fault(struct kvm_vcpu *vcpu,
					struct kvm_page_fault *fault,
					struct kvm_mmu_page *root,
					const struct tdp_iter *iter)
{
	return RET_PF_CONTINUE;
}

static inline u64 mmu_share_keep_device(struct kvm *kvm, u64 old_spte,
					u64 new_spte)
{
	return new_spte;
}

static inline int mmu_share_resolve_conflict(struct kvm_vcpu *vcpu)
{
	return 1;
}

static inline void mmu_share_zap(struct kvm *kvm, gfn_t start, gfn_t end)
{
}

static inline void
mmu_share_recover_huge_pages(struct kvm *kvm, const struct kvm_memory_slot *slot)
{
}

static inline bool mmu_share_logs_by_d(struct kvm *kvm,
				       const struct kvm_mmu_page *root)
{
	return false;
}

static inline bool mmu_share_logs_by_w(struct kvm *kvm,
				       const struct kvm_mmu_page *root)
{
	return false;
}

static inline bool mmu_share_d_is_volatile(u64 spte)
{
	return false;
}

static inline void mmu_share_clear_dirty(struct kvm *kvm,
					 const struct tdp_iter *iter)
{
}

static inline void mmu_share_clear_dirty_masked(struct kvm *kvm,
						struct kvm_mmu_page *root,
						gfn_t gfn, unsigned long mask)
{
}

static inline void mmu_share_keep_dirty(const struct kvm_mmu_page *sp, u64 *sptep,
					u64 old_spte, u64 *new_spte, int level)
{
}

static inline void mmu_share_note_gone(struct kvm *kvm,
				       const struct kvm_mmu_page *sp, gfn_t gfn,
				       u64 old_spte, u64 new_spte, int level)
{
}

static inline void mmu_share_split(struct kvm_mmu_page *sp,
				   u64 copied, u64 spte)
{
}

static inline void mmu_share_harvest(struct kvm *kvm,
				     const struct kvm_memory_slot *slot)
{
}

static inline void mmu_share_flush_slot(struct kvm *kvm,
					const struct kvm_memory_slot *slot)
{
}

static inline void mmu_share_changed(struct kvm *kvm,
				     const struct kvm_memory_slot *old,
				     const struct kvm_memory_slot *new)
{
}

#endif /* CONFIG_KVM_MMU_SHARE */

#endif /* __KVM_MMU_SHARE_H */
