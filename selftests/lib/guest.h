/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest program of all tests: it does what the host asks, call by call. */
#ifndef TDP_SELFTEST_GUEST_H
#define TDP_SELFTEST_GUEST_H

#include <pthread.h>

#include "kvm_util.h"

#define GUEST_MAX_VCPUS 4

/* Entry point of every vCPU: vcpu_args_set() it the vCPU's id. */
void guest_main(__u64 vcpu_id);

/* Runs the vCPU until its guest program says that it is done; with what. */
__u64 guest_finish_call(struct kvm_vcpu *vcpu);

/* Writes the pattern of @seed into one word every @step bytes. */
void guest_fill(struct kvm_vcpu *vcpu, __u64 gpa, size_t len, size_t step,
		__u64 seed);

/*
 * Compares likewise, with the words that @origin has in the pattern: pass
 * @gpa for memory that was not copied. Returns how many words differ.
 */
__u64 guest_diff(struct kvm_vcpu *vcpu, __u64 gpa, size_t len, size_t step,
		 __u64 origin, __u64 seed);

/* Does nothing: warms up the vCPU, its stack and the way back to the host. */
void guest_nop(struct kvm_vcpu *vcpu);

/*
 * Reads, then writes, one word where no memory is, expecting one exit to
 * userspace for each. The word read is what userspace made up: returns it.
 */
__u64 guest_mmio(struct kvm_vcpu *vcpu, __u64 gva, __u64 gpa, __u64 answer);

/* A thread in which a vCPU fills and checks a range again and again. */
struct guest_loop {
	struct kvm_vcpu *vcpu;
	__u64 gpa;
	size_t len;
	size_t step;

	unsigned long rounds;
	__u64 wrong;		/* words that were not read back as written */
	bool stop;
	pthread_t thread;
};

void guest_loop_start(struct guest_loop *loop);
void guest_loop_stop(struct guest_loop *loop);

/* A thread in which a vCPU counts up one word, without leaving the guest for it. */
struct guest_spin {
	struct kvm_vcpu *vcpu;
	pthread_t thread;
};

/* Returns when the vCPU is at work. */
void guest_spin_start(struct guest_spin *spin, struct kvm_vcpu *vcpu, __u64 gpa);
void guest_spin_stop(struct guest_spin *spin);

#endif
