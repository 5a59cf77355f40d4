/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest program whose accesses may be refused: whole pages, and MMIO. */
#ifndef TDP_SELFTEST_STRESS_GUEST_H
#define TDP_SELFTEST_STRESS_GUEST_H

#include "kvm_util.h"

enum stress_guest_end {
	GUEST_DONE,
	GUEST_REFUSED,		/* KVM_RUN failed with EFAULT */
	GUEST_MET_MMIO,		/* there is no memory */
};

/* A vCPU that is made to run this program instead of guest.c's. */
struct stress_vcpu {
	struct kvm_vcpu *vcpu;
	struct kvm_regs start;	/* where it begins again after a refusal */
};

void stress_vcpu_init(struct stress_vcpu *v, struct kvm_vcpu *vcpu);

/* All words of a page; MMIO would end it at the first. */
enum stress_guest_end stress_vcpu_write(struct stress_vcpu *v, __u64 gva,
					__u64 value);

/* Counts in @wrong the words that differ from @value, the last one in @word. */
enum stress_guest_end stress_vcpu_read(struct stress_vcpu *v, __u64 gva,
				       __u64 value, __u64 *wrong, __u64 *word);

#endif
