// SPDX-License-Identifier: GPL-2.0-only
/* The guest program of all tests: it does what the host asks, call by call. */
#include "guest.h"
#include "guest_mem.h"
#include "processor.h"
#include "ucall_common.h"

enum guest_op {
	GUEST_NOP,
	GUEST_FILL,
	GUEST_DIFF,
	GUEST_MMIO,
	GUEST_SPIN,
};

struct guest_call {
	__u64 op;
	__u64 gva;
	__u64 len;
	__u64 step;
	__u64 origin;
	__u64 seed;
	__u64 stop;
};

/* One each vCPU, so that vCPUs can be called at the same time. */
static struct guest_call calls[GUEST_MAX_VCPUS];

static __u64 do_call(const struct guest_call *c)
{
	__u64 at, wrong = 0;
	__u64 *word;

	for (at = 0; at < c->len; at += c->step) {
		word = (__u64 *)(c->gva + at);
		if (c->op == GUEST_FILL)
			WRITE_ONCE(*word, pattern_word(c->gva + at, c->seed));
		else if (c->op == GUEST_DIFF)
			wrong += READ_ONCE(*word) !=
				 pattern_word(c->origin + at, c->seed);
	}
	word = (__u64 *)c->gva;
	while (c->op == GUEST_SPIN && !READ_ONCE(c->stop))
		WRITE_ONCE(*word, ++wrong);
	if (c->op != GUEST_MMIO)
		return wrong;

	wrong = READ_ONCE(*word);
	WRITE_ONCE(*word, c->seed);
	return wrong;
}

void guest_main(__u64 vcpu_id)
{
	struct guest_call *c = &calls[vcpu_id];

	for (;;)
		GUEST_SYNC(do_call(c));
}

static void set_call(struct kvm_vcpu *vcpu, const struct guest_call *c)
{
	struct guest_call *guests = addr_gva2hva(vcpu->vm, (gva_t)calls);

	TEST_ASSERT(vcpu->id < GUEST_MAX_VCPUS, "too many vCPUs");
	guests[vcpu->id] = *c;
}

__u64 guest_finish_call(struct kvm_vcpu *vcpu)
{
	struct ucall uc;

	vcpu_run(vcpu);
	switch (get_ucall(vcpu, &uc)) {
	case UCALL_SYNC:
		return uc.args[1];
	case UCALL_ABORT:
		REPORT_GUEST_ASSERT(uc);
		break;
	default:
		TEST_FAIL("unexpected exit: %s",
			  exit_reason_str(vcpu->run->exit_reason));
	}
	return 0;
}

void guest_fill(struct kvm_vcpu *vcpu, __u64 gpa, size_t len, size_t step,
		__u64 seed)
{
	struct guest_call c = { GUEST_FILL, gpa, len, step, 0, seed };

	set_call(vcpu, &c);
	guest_finish_call(vcpu);
}

__u64 guest_diff(struct kvm_vcpu *vcpu, __u64 gpa, size_t len, size_t step,
		 __u64 origin, __u64 seed)
{
	struct guest_call c = { GUEST_DIFF, gpa, len, step, origin, seed };

	set_call(vcpu, &c);
	return guest_finish_call(vcpu);
}

void guest_nop(struct kvm_vcpu *vcpu)
{
	struct guest_call c = { .op = GUEST_NOP };

	set_call(vcpu, &c);
	guest_finish_call(vcpu);
}

static void expect_mmio(struct kvm_vcpu *vcpu, __u64 gpa, bool write)
{
	struct kvm_run *run = vcpu->run;

	vcpu_run(vcpu);
	TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_MMIO);
	TEST_ASSERT(run->mmio.phys_addr == gpa && run->mmio.len == 8 &&
		    run->mmio.is_write == write,
		    "MMIO exit for %#llx+%u, write %u, wanted %#llx+8, %u",
		    run->mmio.phys_addr, run->mmio.len, run->mmio.is_write,
		    gpa, write);
}

__u64 guest_mmio(struct kvm_vcpu *vcpu, __u64 gva, __u64 gpa, __u64 answer)
{
	struct guest_call c = { .op = GUEST_MMIO, .gva = gva, .seed = ~answer };
	__u64 written;

	set_call(vcpu, &c);
	expect_mmio(vcpu, gpa, false);
	memcpy(vcpu->run->mmio.data, &answer, sizeof(answer));
	expect_mmio(vcpu, gpa, true);
	memcpy(&written, vcpu->run->mmio.data, sizeof(written));
	TEST_ASSERT_EQ(written, ~answer);
	return guest_finish_call(vcpu);
}

static void *loop_thread(void *arg)
{
	struct guest_loop *loop = arg;
	__u64 seed = 1;

	while (!__atomic_load_n(&loop->stop, __ATOMIC_RELAXED)) {
		guest_fill(loop->vcpu, loop->gpa, loop->len, loop->step, seed);
		loop->wrong += guest_diff(loop->vcpu, loop->gpa, loop->len,
					  loop->step, loop->gpa, seed);
		__atomic_add_fetch(&loop->rounds, 1, __ATOMIC_RELAXED);
		seed++;
	}
	return NULL;
}

void guest_loop_start(struct guest_loop *loop)
{
	loop->rounds = 0;
	loop->wrong = 0;
	loop->stop = false;
	TEST_ASSERT(!pthread_create(&loop->thread, NULL, loop_thread, loop),
		    "pthread_create");
}

void guest_loop_stop(struct guest_loop *loop)
{
	__atomic_store_n(&loop->stop, true, __ATOMIC_RELAXED);
	pthread_join(loop->thread, NULL);
}

static void *spin_thread(void *arg)
{
	struct guest_spin *spin = arg;

	guest_finish_call(spin->vcpu);
	return NULL;
}

void guest_spin_start(struct guest_spin *spin, struct kvm_vcpu *vcpu, __u64 gpa)
{
	struct guest_call c = { .op = GUEST_SPIN, .gva = gpa };
	__u64 *word = addr_gpa2hva(vcpu->vm, gpa);

	spin->vcpu = vcpu;
	set_call(vcpu, &c);
	WRITE_ONCE(*word, 0);
	TEST_ASSERT(!pthread_create(&spin->thread, NULL, spin_thread, spin),
		    "pthread_create");
	while (!READ_ONCE(*word))
		;
}

void guest_spin_stop(struct guest_spin *spin)
{
	struct guest_call *guests = addr_gva2hva(spin->vcpu->vm, (gva_t)calls);

	WRITE_ONCE(guests[spin->vcpu->id].stop, 1);
	pthread_join(spin->thread, NULL);
}
