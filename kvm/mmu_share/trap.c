// SPDX-License-Identifier: GPL-2.0-only
/*
 * EPT misconfigurations at leaves that are shut to CPUs.
 *
 * A leaf of EPT's that the device alone may use has a reserved memory type. A vCPU
 * that meets it exits with a misconfiguration, which is else the mark of MMIO, and
 * which does not say whether it is a read, a write or a fetch. It is handled as a
 * page fault: the leaf is opened again, or what else mmu_share_check_fault() says.
 */
#include <linux/kvm_host.h>

#include "mmu.h"
#include "mmu/mmu_internal.h"
#include "mmu/page_track.h"
#include "mmu/tdp_mmu.h"
#include "x86.h"
#include "doors.h"
#include "share.h"

/* Prefixes that an IRET may have, and one byte for it. */
#define IRET_BYTES	4

static bool is_iret_prefix(u8 byte)
{
	return byte == 0x66 || (byte & 0xf0) == 0x40;
}

static bool is_at_iret(struct kvm_vcpu *vcpu)
{
	gva_t rip = kvm_get_linear_rip(vcpu);
	struct x86_exception e;
	u8 byte;

	for (int i = 0; i < IRET_BYTES; i++) {
		if (kvm_read_guest_virt(vcpu, rip + i, &byte, 1, &e))
			return false;
		if (!is_iret_prefix(byte))
			return byte == 0xcf;
	}
	return false;
}

/*
 * An IRET that faults has ended the blocking of NMIs already. An EPT violation
 * tells, and the blocking is restored before the IRET is executed again; a
 * misconfiguration does not (SDM vol. 3, 28.2.3). So restore it at each IRET: one
 * that is no NMI handler's ends it likewise when it is executed again.
 */
static void restore_nmi_blocking(struct kvm_vcpu *vcpu)
{
	/* The exit was in the delivery of an event, not in an instruction. */
	if (kvm_event_needs_reinjection(vcpu))
		return;
	if (!kvm_x86_call(get_nmi_mask)(vcpu) && is_at_iret(vcpu))
		kvm_x86_call(set_nmi_mask)(vcpu, true);
}

/*
 * What to look for in the host's mapping and the memslot. Mostly a read, which
 * gives all that the host allows, and changes nothing there. But if KVM watches
 * the gfn the instruction is emulated, as for a write, and where user space has
 * asked for the share it hears of a fault only after all that a write can do.
 */
static u64 trap_error_code(struct kvm_vcpu *vcpu, gfn_t gfn, u64 spte)
{
	struct kvm_memory_slot *slot = kvm_vcpu_gfn_to_memslot(vcpu, gfn);
	struct kvm_mmu_share *share;

	if (!slot || slot->flags & KVM_MEM_READONLY || !spte_device_may_write(spte))
		return PFERR_USER_MASK;

	guard(rcu)();
	share = rcu_dereference(vcpu->kvm->arch.mmu_share);
	if ((share && READ_ONCE(share->asked)) ||
	    kvm_gfn_is_write_tracked(vcpu->kvm, slot, gfn))
		return PFERR_WRITE_MASK;
	return PFERR_USER_MASK;
}

/**
 * mmu_share_handle_trap() - Handle a misconfiguration that is no MMIO
 * @vcpu: the vCPU
 * @gpa: where it has met it
 * @ret: what the exit handler returns: 1 to go on, 0 or an errno for user space
 *
 * Any in a shared root is that, but for those of MMIO SPTEs: another CPU may just
 * have opened, split or unmapped the leaf.
 *
 * Context: the vCPU's thread, outside of the guest, with SRCU. May sleep.
 * Return: false where an MMIO SPTE is, or the vCPU's root is not shared
 */
bool mmu_share_handle_trap(struct kvm_vcpu *vcpu, gpa_t gpa, int *ret)
{
	u64 sptes[PT64_ROOT_MAX_LEVEL + 1], spte = 0;
	struct kvm_mmu_page *root;
	int root_level, leaf;

	if (!static_branch_unlikely(&mmu_share_key))
		return false;
	root = root_to_sp(vcpu->arch.mmu->root.hpa);
	if (!root || !is_io_shared_sp(root))
		return false;

	kvm_tdp_mmu_walk_lockless_begin();
	leaf = kvm_tdp_mmu_get_walk(vcpu, gpa, sptes, &root_level);
	kvm_tdp_mmu_walk_lockless_end();
	if (leaf > 0)
		spte = sptes[leaf];
	if (is_mmio_spte(vcpu->kvm, spte))
		return false;

	restore_nmi_blocking(vcpu);
	*ret = kvm_mmu_page_fault(vcpu, gpa,
				  trap_error_code(vcpu, gpa_to_gfn(gpa), spte),
				  NULL, 0);
	return true;
}
EXPORT_SYMBOL_FOR_KVM_INTERNAL(mmu_share_handle_trap);
