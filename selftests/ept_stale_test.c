// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stock kernel on the Intel bench: can a missing INVEPT be seen there at all? On
 * QEMU's CPUs it can't. An EPT entry is changed behind KVM's back, by the bench: two
 * leaves swap their pages.
 *
 * 1. A vCPU that stays in the guest goes on with the old translation.
 * 2. When it was kicked out, which is what KVM does after it changed an entry, it has
 *    the new one. (Bochs drops EPT translations at a VM exit; nothing but the kick is
 *    tested of KVM.)
 *
 * Control: before each swap the vCPU reads the page that it should.
 *
 * bench: --bench intel --kernel stock --1g-page
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "tap.h"
#include "vtd_model.h"

#define ROUNDS		20	/* even: the pages are back where they were */
#define SPIN_CPU	1
#define BOX		(2 * SIZE_4K)

struct box {
	__u64 value;	/* what was read */
	__u64 count;	/* how often */
};

struct spinner {
	struct share_vm s;
	struct guest_mem mem;
	struct box *box;
	pthread_t thread;
	bool stop;
};

static void guest_spin(__u64 page, __u64 box)
{
	struct box *b = (struct box *)box;
	__u64 n = 0;

	for (;;) {
		WRITE_ONCE(b->value, READ_ONCE(*(__u64 *)page));
		WRITE_ONCE(b->count, ++n);
	}
}

static void kicked(int sig)
{
}

static void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	TEST_ASSERT(!sched_setaffinity(0, sizeof(set), &set), "CPU %d", cpu);
}

static void *run_vcpu(void *arg)
{
	struct spinner *sp = arg;

	pin_to(SPIN_CPU);
	while (!READ_ONCE(sp->stop))
		TEST_ASSERT(__vcpu_run(sp->s.vcpus[0]) < 0 && errno == EINTR,
			    "the vCPU left the guest by itself");
	return NULL;
}

/* The value that the vCPU had from a read that began after this call did. */
static __u64 value_now(struct spinner *sp)
{
	__u64 count = READ_ONCE(sp->box->count);

	while (READ_ONCE(sp->box->count) < count + 2)
		;
	return READ_ONCE(sp->box->value);
}

static void kick(struct spinner *sp)
{
	TEST_ASSERT(!pthread_kill(sp->thread, SIGUSR1), "pthread_kill");
}

static void swap_leaves(struct spinner *sp)
{
	vtd_write(&sp->s.edu, VTDT_GPA, sp->mem.gpa);
	vtd_write(&sp->s.edu, VTDT_SWAP, sp->mem.gpa + SIZE_4K);
}

static void start(struct spinner *sp)
{
	memset(sp, 0, sizeof(*sp));
	signal(SIGUSR1, kicked);
	pin_to(!SPIN_CPU);
	share_vm_create(&sp->s, HWPT_ORDINARY);
	guest_mem_add(&sp->mem, sp->s.vm, TEST_SLOT, BACKING_4K, GPA_HIGH,
		      SIZE_2M);
	guest_fill(sp->s.vcpus[1], sp->mem.gpa, 4 * SIZE_4K, 8, 0);
	sp->box = sp->mem.hva + BOX;
	sp->box->count = 0;
	*(__u64 *)sp->mem.hva = 0;
	*(__u64 *)(sp->mem.hva + SIZE_4K) = 1;
	vcpu_arch_set_entry_point(sp->s.vcpus[0], guest_spin);
	vcpu_args_set(sp->s.vcpus[0], 2, sp->mem.gpa, sp->mem.gpa + BOX);
	TEST_ASSERT(!pthread_create(&sp->thread, NULL, run_vcpu, sp),
		    "pthread_create");
	while (!READ_ONCE(sp->box->count))
		usleep(1000);
	vtd_write(&sp->s.edu, VTDT_CPU, SPIN_CPU);
}

static void finish(struct spinner *sp)
{
	WRITE_ONCE(sp->stop, true);
	kick(sp);
	pthread_join(sp->thread, NULL);
	share_vm_destroy(&sp->s);
}

static void stale_until_kicked(void)
{
	unsigned int round, stale = 0;
	struct spinner sp;
	__u64 old;

	start(&sp);
	for (round = 0; round < ROUNDS; round++) {
		old = round & 1;
		TEST_ASSERT_EQ(value_now(&sp), old);
		swap_leaves(&sp);
		stale += value_now(&sp) == old;
		kick(&sp);
		usleep(10000);
		TEST_ASSERT_EQ(value_now(&sp), !old);
	}
	finish(&sp);
	ksft_print_msg("stale in %u of %u rounds\n", stale, ROUNDS);
	/* Now and then a timer's interrupt gets in between. */
	TEST_ASSERT(stale >= ROUNDS / 2, "the CPU keeps no EPT translation");
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "an EPT translation is stale until the vCPU is kicked",
		  stale_until_kicked },
	};

	vtd_require();
	return tap_run(cases, ARRAY_SIZE(cases));
}
