// SPDX-License-Identifier: GPL-2.0-only
/*
 * The runner tells a guest that the emulator has lost by where its vCPU is.
 *
 * 1. A vCPU in an endless loop of its own is not lost.
 * 2. One in the same loop at an address of the kernel's half is.
 */
#include <pthread.h>

#include "kvm_util.h"
#include "lost_guest.h"
#include "processor.h"
#include "tap.h"

#define KERNEL_GVA	0xffffffff81000000ull
#define USER_GVA	0x10000000ull

static const __u8 endless_loop[] = { 0xeb, 0xfe };	/* jmp . */

static void guest_nothing(void)
{
}

static void *run_vcpu(void *vcpu)
{
	vcpu_run(vcpu);
	return NULL;
}

static bool is_lost_at(__u64 gva)
{
	struct kvm_vcpu *vcpu;
	struct kvm_regs regs;
	pthread_t thread;
	struct kvm_vm *vm;
	gpa_t gpa;

	vm = vm_create_with_one_vcpu(&vcpu, guest_nothing);
	gpa = vm_phy_page_alloc(vm, 0x200000, 0);
	virt_map(vm, gva, gpa, 1);
	memcpy(addr_gpa2hva(vm, gpa), endless_loop, sizeof(endless_loop));
	vcpu_regs_get(vcpu, &regs);
	regs.rip = gva;
	vcpu_regs_set(vcpu, &regs);

	/* It ends with the process of the case. */
	TEST_ASSERT(!pthread_create(&thread, NULL, run_vcpu, vcpu),
		    "pthread_create");
	sleep(1);
	return guest_is_lost(getpid());
}

static void its_own(void)
{
	TEST_ASSERT(!is_lost_at(USER_GVA), "taken for lost");
}

static void kernel_half(void)
{
	TEST_ASSERT(is_lost_at(KERNEL_GVA), "not taken for lost");
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "control: a guest in a loop of its own is not lost", its_own },
		{ "a guest in the kernel's half is", kernel_half },
	};

	return tap_run(cases, ARRAY_SIZE(cases));
}
