/* SPDX-License-Identifier: GPL-2.0-only */
/* A vCPU whose accesses may fail: KVM_RUN's errno instead of an assertion. */
#ifndef TDP_SELFTEST_TOUCH_H
#define TDP_SELFTEST_TOUCH_H

#include "kvm_util.h"

/* For a vCPU that did not run yet. */
void touch_init(struct kvm_vcpu *vcpu);

/* Each is one access of 8 bytes, and returns 0 or KVM_RUN's -errno. */
int touch_read(struct kvm_vcpu *vcpu, __u64 gpa, __u64 *value);
int touch_write(struct kvm_vcpu *vcpu, __u64 gpa, __u64 value);

/* An access that fails, of which user space is told where it was. */
void touch_expect_conflict(struct kvm_vcpu *vcpu, __u64 gpa, bool write);

/* The same for a test that does KVM_RUN itself: it may fail, exit, and go on. */
void touch_prepare_read(struct kvm_vcpu *vcpu, __u64 gpa);
void touch_prepare_write(struct kvm_vcpu *vcpu, __u64 gpa, __u64 value);

#endif
