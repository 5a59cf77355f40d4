// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU wants a page that the process has put in the place of the device's, and
 * the VM, which shares by itself, is to step aside for it. While another
 * conversion keeps it waiting
 * 1. it can be killed;
 * 2. memslots change all the same: it waits without SRCU.
 * Both times it is a process that has the VM's memory and descriptors, and only
 * does KVM_RUN. And where the VM can't step aside
 * 3. the vCPU waits as long as a device can't be moved, and then has its page;
 * 4. it is told when there is no memory for a table of the IOMMU's own.
 * auto_aside_test has what both sides see in the end.
 */
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "auto_vm.h"
#include "background.h"
#include "fail_nth.h"
#include "hang.h"
#include "operator.h"
#include "tap.h"
#include "touch.h"
#include "trace.h"

#define CONFLICT	"mmu_share_conflict"
#define BIG_SLOT	(TEST_SLOT + 1)
#define BIG_GPA		(GPA_HIGH + SIZE_1G)
#define BIG_SIZE	(256 * SIZE_2M)	/* so that a conversion takes a while */
#define OTHER_SLOT	(TEST_SLOT + 2)
#define OTHER_GPA	(GPA_LOW + SIZE_1G)
#define TRIES		20
#define POLL_US		200
#define STACK_SIZE	SIZE_4K
#define VCPU_SECONDS	60
#define MOVE		"iommufd_hwpt_replace_device"
#define MOVE_US		300000
#define SEED		0xc0f1

struct waiting {
	struct auto_vm a;
	struct guest_mem big;
	struct background conversion;
	struct trace_event events[16];
	pid_t vcpu;
};

/* The library's errno is this process's too, and nothing else is touched. */
static int run_vcpu(void *vcpu)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	ioctl(((struct kvm_vcpu *)vcpu)->fd, KVM_RUN, NULL);
	return 0;
}

static void say_private(void *unused)
{
	vmm_share_control(getpid(), "private");
}

static void setup(struct waiting *w)
{
	__u64 value;

	auto_vm_create(&w->a);
	/* KVM's own thread for a VM is one of whoever does its first KVM_RUN. */
	touch_init(w->a.s.vcpus[1]);
	TEST_ASSERT_EQ(touch_read(w->a.s.vcpus[1], w->a.mem.gpa, &value), 0);
	guest_mem_add(&w->big, w->a.s.vm, BIG_SLOT, BACKING_4K, BIG_GPA,
		      BIG_SIZE);
	share_vm_map(&w->a.s, &w->big);
	operator_share_by_order_only();
	trace_open();
	trace_enable("kvm_mmu_share/" CONFLICT);
}

static bool has_met_conflict(struct waiting *w)
{
	return trace_peek(w->events, ARRAY_SIZE(w->events)) > 0;
}

/*
 * Starts the conversion and then the vCPU. Returns false when the vCPU was too
 * late: it has what it wants.
 */
static bool keep_waiting(struct waiting *w)
{
	struct kvm_vcpu *vcpu = w->a.s.vcpus[1];
	char *stack;

	share_vm_unmap(&w->a.s, &w->a.mem);
	share_vm_map(&w->a.s, &w->a.mem);
	vmm_share_control(getpid(), "share");
	/* The first page is the old one, which the device has. */
	guest_mem_fill(&w->a.mem, 0, SIZE_4K, SEED);
	TEST_ASSERT(!madvise(w->a.mem.hva, SIZE_4K, MADV_DONTNEED), "madvise");
	touch_prepare_read(vcpu, w->a.mem.gpa);

	stack = kvm_mmap(STACK_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1);
	trace_record();
	background_start(&w->conversion, say_private, NULL);
	usleep(POLL_US);
	w->vcpu = clone(run_vcpu, stack + STACK_SIZE,
			CLONE_VM | CLONE_FILES | SIGCHLD, vcpu);
	TEST_ASSERT(w->vcpu > 0, "clone");
	while (!has_met_conflict(w) && !background_done(&w->conversion))
		usleep(POLL_US);
	/* From the fault to the request is not far. */
	usleep(10 * POLL_US);
	return !background_done(&w->conversion) && has_met_conflict(w);
}

static void reap(struct waiting *w, int signal)
{
	int status;

	TEST_ASSERT(wait_or_kill(w->vcpu, VCPU_SECONDS, &status) == CHILD_ENDED,
		    "the vCPU's process does not end");
	TEST_ASSERT(signal ? WIFSIGNALED(status) && WTERMSIG(status) == signal :
			     !status, "the vCPU's process: %#x", status);
}

/* Once nothing is in the way the vCPU has the page that the process has now. */
static void expect_new_page(struct waiting *w)
{
	__u64 value;

	background_join(&w->conversion);
	touch_init(w->a.s.vcpus[1]);
	TEST_ASSERT_EQ(touch_read(w->a.s.vcpus[1], w->a.mem.gpa, &value), 0);
	TEST_ASSERT_EQ(value, 0);
}

static void teardown(struct waiting *w)
{
	trace_close();
	auto_vm_destroy(&w->a);
}

static void can_be_killed(void)
{
	static struct waiting w;
	bool waited = false;
	int i;

	setup(&w);
	for (i = 0; i < TRIES && !waited; i++) {
		waited = keep_waiting(&w);
		if (waited) {
			TEST_ASSERT(!kill(w.vcpu, SIGKILL), "kill");
			reap(&w, SIGKILL);
			waited = !background_done(&w.conversion);
		} else {
			/* Control: left alone it comes back by itself. */
			reap(&w, 0);
		}
		expect_new_page(&w);
	}
	TEST_ASSERT(waited, "no conversion outlived the vCPU's process");
	ksft_print_msg("killed at try %d, longest conversion %llu ms\n", i,
		       auto_vm_status().longest_ns / 1000000);
	teardown(&w);
}

static void memslots_change(void)
{
	static struct waiting w;
	bool waited = false;
	void *other;
	int i;

	setup(&w);
	other = kvm_mmap(SIZE_2M, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1);
	for (i = 0; i < TRIES && !waited; i++) {
		waited = keep_waiting(&w);
		vm_set_user_memory_region(w.a.s.vm, OTHER_SLOT, 0, OTHER_GPA,
					  SIZE_2M, other);
		vm_set_user_memory_region(w.a.s.vm, OTHER_SLOT, 0, OTHER_GPA, 0,
					  other);
		waited = waited && !background_done(&w.conversion);
		/* Left alone it gets its page. */
		reap(&w, 0);
		expect_new_page(&w);
	}
	TEST_ASSERT(waited, "no conversion outlived the memslot's change");
	ksft_print_msg("changed at try %d\n", i);
	teardown(&w);
}

struct reader {
	struct auto_vm *a;
	__u64 value;
	int result;
};

static size_t lost_page(struct auto_vm *a)
{
	return a->mem.size / 2 + 5 * SIZE_4K; /* not one that is probed */
}

static void read_lost_page(void *arg)
{
	struct reader *r = arg;

	touch_init(r->a->s.vcpus[1]);
	r->result = touch_read(r->a->s.vcpus[1],
			       r->a->mem.gpa + lost_page(r->a), &r->value);
}

/* The VM shares, and the process has one other page than the device. */
static void setup_conflict(struct auto_vm *a)
{
	if (!fault_injection_setup())
		tap_skip_case("needs CONFIG_FAULT_INJECTION");
	auto_vm_create(a);
	operator_share_by_order_only();
	vmm_share_control(getpid(), "share");
	guest_mem_fill(&a->mem, lost_page(a), SIZE_4K, SEED);
	TEST_ASSERT(!madvise(a->mem.hva + lost_page(a), SIZE_4K, MADV_DONTNEED),
		    "madvise");
}

static void waits_for_a_device(void)
{
	struct background call = { 0 };
	struct auto_vm a;
	struct reader r = { .a = &a, .value = 0xbad };

	setup_conflict(&a);
	fail_function_arm_all(MOVE, -EBUSY);
	background_start(&call, read_lost_page, &r);
	usleep(MOVE_US);
	TEST_ASSERT(!background_done(&call), "the vCPU came back: %d", r.result);
	TEST_ASSERT(fail_function_disarm(), "no device refused to move");

	background_join(&call);
	TEST_ASSERT_EQ(r.result, 0);
	TEST_ASSERT_EQ(r.value, 0);
	auto_vm_expect_private(&a);
	auto_vm_destroy(&a);
}

static void is_told(void)
{
	struct auto_vm a;
	struct reader r = { .a = &a, .value = 0xbad };

	setup_conflict(&a);
	fail_function_arm_all(MOVE, -ENOMEM);
	read_lost_page(&r);
	TEST_ASSERT(fail_function_disarm(), "no device refused to move");
	TEST_ASSERT_EQ(r.result, -ENOMEM);
	auto_vm_expect_shared(&a);

	/* It goes on when there is memory. */
	read_lost_page(&r);
	TEST_ASSERT_EQ(r.result, 0);
	TEST_ASSERT_EQ(r.value, 0);
	auto_vm_expect_private(&a);
	auto_vm_destroy(&a);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "a vCPU that waits for the VM to step aside can be killed",
		  can_be_killed, .timeout = 300 },
		{ "memslots change while a vCPU waits",
		  memslots_change, .timeout = 300 },
		{ "a vCPU waits for a device that can't be moved",
		  waits_for_a_device },
		{ "a vCPU is told that there is no memory", is_told },
	};

	share_vm_require(true);
	__TEST_REQUIRE(trace_event_exists("kvm_mmu_share/" CONFLICT),
		       "no tracepoint " CONFLICT);
	return tap_run(cases, ARRAY_SIZE(cases));
}
