// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU wants a page that the process has put in the place of the device's, and
 * the VM, which shares by itself, is to step aside for it. While a device can't be
 * moved, as in a reset, the vCPU waits, and then has its page. Meanwhile
 * 1. it can be killed;
 * 2. memslots change all the same: it waits without SRCU;
 * 3. KVM_RUN does not end by itself.
 * 4. When there is no memory for a table of the IOMMU's own it is told.
 * In 1 and 2 it is a process that has the VM's memory and descriptors, and only
 * does KVM_RUN. auto_aside_test has what both sides see in the end.
 *
 * bench: --share
 * bench: --bench intel --vtd mode=scalable --share
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

#define OTHER_SLOT	(TEST_SLOT + 2)
#define OTHER_GPA	(GPA_LOW + SIZE_1G)
#define STACK_SIZE	SIZE_4K
#define VCPU_SECONDS	60
#define MOVE		"iommufd_hwpt_replace_device"
#define MOVE_US		300000
#define SEED		0xc0f1

struct waiting {
	struct auto_vm a;
	pid_t vcpu;
};

static size_t lost_page(struct auto_vm *a)
{
	return a->mem.size / 2 + 5 * SIZE_4K; /* not one that is probed */
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

/* The library's errno is this process's too, and nothing else is touched. */
static int run_vcpu(void *vcpu)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	ioctl(((struct kvm_vcpu *)vcpu)->fd, KVM_RUN, NULL);
	return 0;
}

/* Starts a vCPU that meets the conflict, with no device that can be moved. */
static void keep_waiting(struct waiting *w)
{
	struct kvm_vcpu *vcpu;
	__u64 value;
	char *stack;

	setup_conflict(&w->a);
	vcpu = w->a.s.vcpus[1];
	/* KVM's own thread for a VM is one of whoever does its first KVM_RUN. */
	touch_init(vcpu);
	TEST_ASSERT_EQ(touch_read(vcpu, w->a.mem.gpa, &value), 0);
	touch_prepare_read(vcpu, w->a.mem.gpa + lost_page(&w->a));

	stack = kvm_mmap(STACK_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1);
	fail_function_arm_all(MOVE, -EBUSY);
	w->vcpu = clone(run_vcpu, stack + STACK_SIZE,
			CLONE_VM | CLONE_FILES | SIGCHLD, vcpu);
	TEST_ASSERT(w->vcpu > 0, "clone");
	usleep(MOVE_US);
	TEST_ASSERT_EQ(waitpid(w->vcpu, NULL, WNOHANG), 0);
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

	touch_init(w->a.s.vcpus[1]);
	TEST_ASSERT_EQ(touch_read(w->a.s.vcpus[1],
				  w->a.mem.gpa + lost_page(&w->a), &value), 0);
	TEST_ASSERT_EQ(value, 0);
	auto_vm_expect_private(&w->a);
	auto_vm_destroy(&w->a);
}

static void can_be_killed(void)
{
	struct waiting w;

	keep_waiting(&w);
	TEST_ASSERT(!kill(w.vcpu, SIGKILL), "kill");
	reap(&w, SIGKILL);
	TEST_ASSERT(fail_function_disarm(), "no device refused to move");
	expect_new_page(&w);
}

static void memslots_change(void)
{
	struct waiting w;
	void *other;

	other = kvm_mmap(SIZE_2M, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1);
	keep_waiting(&w);
	vm_set_user_memory_region(w.a.s.vm, OTHER_SLOT, 0, OTHER_GPA, SIZE_2M,
				  other);
	vm_set_user_memory_region(w.a.s.vm, OTHER_SLOT, 0, OTHER_GPA, 0, other);
	TEST_ASSERT_EQ(waitpid(w.vcpu, NULL, WNOHANG), 0);

	/* Left alone it gets its page. */
	TEST_ASSERT(fail_function_disarm(), "no device refused to move");
	reap(&w, 0);
	expect_new_page(&w);
}

struct reader {
	struct auto_vm *a;
	__u64 value;
	int result;
};

static void read_lost_page(void *arg)
{
	struct reader *r = arg;

	touch_init(r->a->s.vcpus[1]);
	r->result = touch_read(r->a->s.vcpus[1],
			       r->a->mem.gpa + lost_page(r->a), &r->value);
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
	struct background call = { 0 };
	struct auto_vm a;
	struct reader r = { .a = &a, .value = 0xbad };

	setup_conflict(&a);
	fail_function_arm_all(MOVE, -ENOMEM);
	background_start(&call, read_lost_page, &r);
	for (int i = 0; i < 500 && !background_done(&call); i++)
		usleep(10000);
	/* One that is not told gets its page now, instead of an error. */
	TEST_ASSERT(fail_function_disarm(), "no device refused to move");
	background_join(&call);
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
		  can_be_killed },
		{ "memslots change while a vCPU waits",
		  memslots_change },
		{ "a vCPU waits for a device that can't be moved",
		  waits_for_a_device },
		{ "a vCPU is told that there is no memory", is_told },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
