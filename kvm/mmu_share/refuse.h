/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a VM must have for its TDP to be shared, and what is said when it lacks
 * it.
 */
#ifndef __KVM_MMU_SHARE_REFUSE_H
#define __KVM_MMU_SHARE_REFUSE_H

/**
 * enum mmu_share_need - what must hold before a VM's table is shared
 * @MMU_SHARE_ENABLED: the administrator wants it
 * @MMU_SHARE_TDP_MMU: the table is the TDP MMU's
 * @MMU_SHARE_AD_BITS: the CPU sets accessed and dirty bits, nothing is
 *	access-protected to emulate them
 * @MMU_SHARE_PLAIN_VM: the guest's memory is not hidden from devices
 * @MMU_SHARE_BARE_METAL: CPU TLBs are flushed by KVM, not by Hyper-V on its own
 * @MMU_SHARE_OWN_VM: it is the caller's own process that made the VM, as KVM
 *	demands for all that is done to it
 * @MMU_SHARE_ALIVE: KVM has not given up on the VM
 * @MMU_SHARE_NEEDS: their number
 */
enum mmu_share_need {
	MMU_SHARE_ENABLED,
	MMU_SHARE_TDP_MMU,
	MMU_SHARE_AD_BITS,
	MMU_SHARE_PLAIN_VM,
	MMU_SHARE_BARE_METAL,
	MMU_SHARE_OWN_VM,
	MMU_SHARE_ALIVE,
	MMU_SHARE_NEEDS,
};

/**
 * struct mmu_share_refusal - what the lack of something is answered with
 * @err: negative errno, of its own for each need
 * @why: what is wrong and what to do about it, for the log
 */
struct mmu_share_refusal {
	int err;
	const char *why;
};

const struct mmu_share_refusal *mmu_share_refusal(unsigned long met);

#endif /* __KVM_MMU_SHARE_REFUSE_H */
