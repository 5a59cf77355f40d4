// SPDX-License-Identifier: GPL-2.0-only
/* A guest program whose accesses may be refused: whole pages, and MMIO. */
#include "guest.h"
#include "processor.h"
#include "stress_guest.h"
#include "ucall_common.h"

#define PAGE_WORDS	(PAGE_SIZE / sizeof(__u64))

enum stress_guest_op {
	STRESS_WRITE,
	STRESS_READ,
};

struct stress_guest_call {
	__u64 op;
	__u64 gva;
	__u64 value;
};

static struct stress_guest_call calls[GUEST_MAX_VCPUS];

static void stress_guest_main(__u64 vcpu_id)
{
	struct stress_guest_call *c = &calls[vcpu_id];
	__u64 *word, value, wrong, last;
	size_t i;

	for (;;) {
		word = (__u64 *)c->gva;
		wrong = 0;
		last = c->value;
		for (i = 0; i < PAGE_WORDS; i++) {
			if (c->op == STRESS_WRITE) {
				WRITE_ONCE(word[i], c->value);
				continue;
			}
			value = READ_ONCE(word[i]);
			if (value == c->value)
				continue;
			last = value;
			wrong++;
		}
		GUEST_SYNC_ARGS(wrong, last, 0, 0, 0);
	}
}

void stress_vcpu_init(struct stress_vcpu *v, struct kvm_vcpu *vcpu)
{
	TEST_ASSERT(vcpu->id < GUEST_MAX_VCPUS, "too many vCPUs");
	v->vcpu = vcpu;
	vcpu_arch_set_entry_point(vcpu, stress_guest_main);
	vcpu_args_set(vcpu, 1, (__u64)vcpu->id);
	vcpu_regs_get(vcpu, &v->start);
}

static enum stress_guest_end start_again(struct stress_vcpu *v,
					 enum stress_guest_end end)
{
	vcpu_regs_set(v->vcpu, &v->start);
	return end;
}

static enum stress_guest_end call_guest(struct stress_vcpu *v,
					const struct stress_guest_call *c,
					struct ucall *uc)
{
	struct stress_guest_call *guests;
	int r;

	guests = addr_gva2hva(v->vcpu->vm, (gva_t)calls);
	guests[v->vcpu->id] = *c;
	r = _vcpu_run(v->vcpu);
	if (r && errno == EFAULT)
		return start_again(v, GUEST_REFUSED);
	TEST_ASSERT(!r, "KVM_RUN: %s", strerror(errno));

	if (v->vcpu->run->exit_reason == KVM_EXIT_MMIO) {
		/* Let KVM complete the instruction, and nothing behind it. */
		v->vcpu->run->immediate_exit = 1;
		r = __vcpu_run(v->vcpu);
		v->vcpu->run->immediate_exit = 0;
		TEST_ASSERT(r && errno == EINTR, "MMIO does not complete");
		return start_again(v, GUEST_MET_MMIO);
	}
	TEST_ASSERT(get_ucall(v->vcpu, uc) == UCALL_SYNC, "unexpected exit: %s",
		    exit_reason_str(v->vcpu->run->exit_reason));
	return GUEST_DONE;
}

enum stress_guest_end stress_vcpu_write(struct stress_vcpu *v, __u64 gva,
					__u64 value)
{
	struct stress_guest_call c = { STRESS_WRITE, gva, value };
	struct ucall uc;

	return call_guest(v, &c, &uc);
}

enum stress_guest_end stress_vcpu_read(struct stress_vcpu *v, __u64 gva,
				       __u64 value, __u64 *wrong, __u64 *word)
{
	struct stress_guest_call c = { STRESS_READ, gva, value };
	enum stress_guest_end end;
	struct ucall uc;

	end = call_guest(v, &c, &uc);
	if (end == GUEST_DONE) {
		*wrong = uc.args[1];
		*word = uc.args[2];
	}
	return end;
}
