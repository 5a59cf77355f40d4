// SPDX-License-Identifier: GPL-2.0-only
/* A vCPU whose accesses may fail: KVM_RUN's errno instead of an assertion. */
#include "processor.h"
#include "touch.h"
#include "ucall_common.h"

static struct touch_call {
	bool write;
	__u64 *gva;	/* NULL: just come back */
	__u64 value;
} call;

static void touch_main(void)
{
	struct touch_call *c = &call;
	__u64 value;

	for (;;) {
		value = 0;
		if (c->gva && c->write)
			WRITE_ONCE(*c->gva, c->value);
		else if (c->gva)
			value = READ_ONCE(*c->gva);
		GUEST_SYNC(value);
	}
}

void touch_init(struct kvm_vcpu *vcpu)
{
	vcpu_arch_set_entry_point(vcpu, touch_main);
}

static int run(struct kvm_vcpu *vcpu, const struct touch_call *c,
	       __u64 *value)
{
	struct touch_call *guests = addr_gva2hva(vcpu->vm, (gva_t)&call);
	struct ucall uc;
	int r;

	*guests = *c;
	r = __vcpu_run(vcpu) ? -errno : 0;
	*guests = (struct touch_call){};
	if (r) {
		/* Away from the access: it would be tried again. */
		touch_init(vcpu);
		return r;
	}
	TEST_ASSERT(get_ucall(vcpu, &uc) == UCALL_SYNC, "unexpected exit: %s",
		    exit_reason_str(vcpu->run->exit_reason));
	*value = uc.args[1];
	return 0;
}

int touch_read(struct kvm_vcpu *vcpu, __u64 gpa, __u64 *value)
{
	struct touch_call c = { .gva = (__u64 *)gpa };

	return run(vcpu, &c, value);
}

int touch_write(struct kvm_vcpu *vcpu, __u64 gpa, __u64 value)
{
	struct touch_call c = { true, (__u64 *)gpa, value };
	__u64 nothing;

	return run(vcpu, &c, &nothing);
}

void touch_expect_conflict(struct kvm_vcpu *vcpu, __u64 gpa, bool write)
{
	__u64 value = 0;
	int r = write ? touch_write(vcpu, gpa, value) :
			touch_read(vcpu, gpa, &value);

	TEST_ASSERT_EQ(r, -EFAULT);
	TEST_ASSERT_EQ(vcpu->run->exit_reason, KVM_EXIT_MEMORY_FAULT);
	TEST_ASSERT_EQ(vcpu->run->memory_fault.gpa, gpa);
}

static void prepare(struct kvm_vcpu *vcpu, const struct touch_call *c)
{
	struct touch_call *guests = addr_gva2hva(vcpu->vm, (gva_t)&call);

	*guests = *c;
}

void touch_prepare_read(struct kvm_vcpu *vcpu, __u64 gpa)
{
	prepare(vcpu, &(struct touch_call){ .gva = (__u64 *)gpa });
}

void touch_prepare_write(struct kvm_vcpu *vcpu, __u64 gpa, __u64 value)
{
	prepare(vcpu, &(struct touch_call){ true, (__u64 *)gpa, value });
}
