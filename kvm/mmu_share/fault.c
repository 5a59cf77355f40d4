// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs' faults at leaves that the IOAS maps.
 *
 * KVM has looked what the host maps at the fault's address, as for any fault. Is
 * it the page that the leaf has, the vCPU gets it, with the rights that make_spte()
 * gives. Is there no memslot, it is MMIO, and stays so without an MMIO SPTE, for
 * which there is no room beside the device's page. Is it another page, or other
 * rights where one bit is both sides', the two want different things at one gfn: a
 * conflict.
 *
 * The VM of an HWPT that shares by itself then steps aside. The vCPU waits for
 * that in a request, without SRCU, so that no memslot update waits for it, and
 * until a signal comes at the longest. Where user space asked for the share, the
 * fault is user space's: KVM_EXIT_MEMORY_FAULT.
 */
#include <linux/kvm_host.h>

#include "mmu.h"
#include "mmu/tdp_iter.h"
#include "mmu/tdp_mmu.h"
#include "x86.h"
#include "doors.h"
#include "share.h"
#include "trace.h"

/*
 * The page at fault->gfn's part of the leaf. fault->pfn is that of the first page
 * of the fault's goal level.
 */
static bool is_same_page(const struct kvm_page_fault *fault,
			 const struct tdp_iter *iter)
{
	gfn_t first = fault->gfn & -KVM_PAGES_PER_HPAGE(fault->goal_level);

	return fault->pfn == spte_to_pfn(iter->old_spte) + (first - iter->gfn);
}

/*
 * Where W is both sides', the vCPU can't have the page where the device may write
 * and it may not, nor where it wants to write and the device must not.
 */
static bool wants_other_rights(const struct kvm_page_fault *fault, u64 spte)
{
	return mmu_share_doors.one_write &&
	       (spte & mmu_share_doors.one_write ? !fault->map_writable :
						   fault->write);
}

/**
 * __mmu_share_check_fault() - slow half of mmu_share_check_fault(), see there
 * @vcpu: the vCPU
 * @fault: its fault
 * @iter: at a leaf of the shared root
 *
 * Context: mmu_lock held for read, and RCU.
 * Return: RET_PF_CONTINUE, or what the fault comes to.
 */
int __mmu_share_check_fault(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault,
			    const struct tdp_iter *iter)
{
	struct kvm_mmu_share *share = mmu_share_locked(vcpu->kvm);

	if (!spte_is_open_to_device(iter->old_spte))
		return RET_PF_CONTINUE;

	if (!fault->slot)
		return RET_PF_EMULATE;
	if (is_same_page(fault, iter) && !wants_other_rights(fault, iter->old_spte))
		return RET_PF_CONTINUE;

	/* The root is retired: the vCPU is about to get another. */
	if (!share)
		return RET_PF_RETRY;
	if (fault->prefetch)
		return -EAGAIN;

	atomic64_inc(&share->conflicts);
	trace_mmu_share_conflict(__pa(share->root->spt), gfn_to_gpa(fault->gfn),
				 PFN_PHYS(fault->pfn),
				 PFN_PHYS(spte_to_pfn(iter->old_spte)));
	if (READ_ONCE(share->asked)) {
		kvm_mmu_prepare_memory_fault_exit(vcpu, fault);
		return -EFAULT;
	}
	kvm_make_request(KVM_REQ_MMU_SHARE_CONFLICT, vcpu);
	return RET_PF_RETRY;
}

/**
 * mmu_share_keep_device() - Take from a new leaf only what concerns CPUs
 * @kvm: the VM
 * @old_spte: a leaf of the shared root that is open to the device
 * @new_spte: what make_spte() would put there
 *
 * A fault that make_spte() write-protects for is left as it is where W is the
 * device's too: KVM watches that page, see mmu_share_handle_trap(), or it was a
 * prefetch.
 *
 * Context: mmu_lock held for read.
 * Return: the leaf to be set
 */
u64 mmu_share_keep_device(struct kvm *kvm, u64 old_spte, u64 new_spte)
{
	u64 cpu_bits = spte_cpu_bits() | shadow_accessed_mask;

	if (!is_writable_pte(new_spte) && spte_rights_differ(old_spte, false))
		return old_spte;

	if (!spte_is_open_to_cpus(old_spte))
		atomic64_inc(&mmu_share_locked(kvm)->opened_to_cpus);
	return (old_spte & ~cpu_bits) | (new_spte & cpu_bits);
}

/**
 * mmu_share_resolve_conflict() - Have the VM step aside for a vCPU
 * @vcpu: the vCPU, which has met a conflict
 *
 * It is done elsewhere, in the IOMMU side's own time, which is not bounded by any
 * lock of KVM's: a device may be in the middle of a reset. Meanwhile the vCPU
 * sleeps a tick at a time and tries again, until a signal comes.
 *
 * Context: the vCPU's thread, outside of the guest; drops SRCU. Takes slots_lock.
 * Return: 1, or a negative errno with which KVM_RUN ends: -EINTR for a signal, or
 * what keeps the VM from stepping aside: -ENOMEM when there is no memory for a
 * table of the IOMMU's own.
 */
int mmu_share_resolve_conflict(struct kvm_vcpu *vcpu)
{
	struct kvm *kvm = vcpu->kvm;
	struct kvm_mmu_share *share;
	int ret;

	/* Memslot updates wait for readers of SRCU. */
	kvm_vcpu_srcu_read_unlock(vcpu);

	ret = mutex_lock_interruptible(&kvm->slots_lock);
	if (!ret) {
		share = rcu_dereference_protected(kvm->arch.mmu_share,
						  lockdep_is_held(&kvm->slots_lock));
		if (share)
			ret = notifier_to_errno(blocking_notifier_call_chain(&share->base.events,
									     TDP_CONFLICT, NULL));
		mutex_unlock(&kvm->slots_lock);
	}
	if (!ret && share)
		schedule_timeout_interruptible(1);

	kvm_vcpu_srcu_read_lock(vcpu);

	if (signal_pending(current)) {
		kvm_handle_signal_exit(vcpu);
		return -EINTR;
	}
	return ret ?: 1;
}

/**
 * __mmu_share_keep_table() - slow half of mmu_share_keep_table(), see there
 * @fault: the fault, goal_level and pfn are adjusted
 * @spte: SPTE at goal_level
 *
 * Context: mmu_lock held for read, and RCU.
 * Return: true when @spte is a table.
 */
bool __mmu_share_keep_table(struct kvm_page_fault *fault, u64 spte)
{
	int level = fault->goal_level;
	u64 mask;

	if (!is_shadow_present_pte(spte) || is_last_spte(spte, level))
		return false;

	mask = KVM_PAGES_PER_HPAGE(level) - KVM_PAGES_PER_HPAGE(level - 1);
	fault->pfn |= fault->gfn & mask;
	fault->goal_level--;
	return true;
}
