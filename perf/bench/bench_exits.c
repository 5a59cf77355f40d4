// SPDX-License-Identifier: GPL-2.0-only
/*
 * What one exit costs: of a guest that writes where no memory is, for userspace
 * to emulate, and of one that rings an ioeventfd.
 */
#include <sys/eventfd.h>

#include "bench_clock.h"
#include "bench_round.h"
#include "mmu_share.h"
#include "options.h"
#include "processor.h"
#include "ucall_common.h"

static const char what[] =
"Measures COUNT MMIO exits and as many ioeventfd doorbells. On a kernel that\n"
"does not share it measures ordinary VMs alone.\n";

#define MMIO_GPA	(16 * SIZE_1G)
#define DOORBELL	8	/* its offset in the page */
#define WARM_UP		16

static void write_loop(__u64 gva, __u64 count)
{
	while (count--)
		WRITE_ONCE(*(__u64 *)gva, count);
	GUEST_DONE();
}

static __u64 run_loop(struct kvm_vcpu *vcpu, __u64 gva, __u64 count)
{
	struct ucall uc;
	__u64 exits = 0;

	vcpu_arch_set_entry_point(vcpu, write_loop);
	vcpu_args_set(vcpu, 2, gva, count);
	for (;;) {
		vcpu_run(vcpu);
		if (vcpu->run->exit_reason == KVM_EXIT_MMIO)
			exits++;
		else
			break;
	}
	TEST_ASSERT_EQ(get_ucall(vcpu, &uc), UCALL_DONE);
	return exits;
}

static void add_doorbell(struct kvm_vm *vm, int fd)
{
	struct kvm_ioeventfd bell = {
		.addr = MMIO_GPA + DOORBELL,
		.len = 8,
		.fd = fd,
	};

	TEST_ASSERT(!__vm_ioctl(vm, KVM_IOEVENTFD, &bell), "KVM_IOEVENTFD");
}

/* Instructions of @o->count writes; @to_userspace says what each must do. */
static __u64 measure(const struct options *o, struct kvm_vcpu *vcpu, __u64 gva,
		     bool to_userspace)
{
	__u64 start, insns;

	/* The first one caches where no memory is. */
	run_loop(vcpu, gva, WARM_UP);
	start = bench_clock();
	TEST_ASSERT_EQ(run_loop(vcpu, gva, o->count),
		       to_userspace ? o->count : 0);
	insns = bench_clock() - start;
	return insns;
}

static void one_vm(const struct options *o, enum hwpt_kind kind,
		   const struct bench_mem *mem, bool print)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	__u64 mmio, bell, rung = 0;
	struct kvm_vcpu *vcpu;
	struct bench_vm b;

	bench_vm_create(&b, mem, o->devices);
	bench_vm_attach(&b, kind);
	bench_vm_map_slot0(&b);
	bench_vm_map_mem(&b);
	virt_pg_map(b.s.vm, MMIO_GPA, MMIO_GPA);
	add_doorbell(b.s.vm, fd);
	vcpu = b.s.vcpus[0];

	mmio = measure(o, vcpu, MMIO_GPA, true);
	bell = measure(o, vcpu, MMIO_GPA + DOORBELL, false);
	TEST_ASSERT(read(fd, &rung, sizeof(rung)) == sizeof(rung) &&
		    rung == o->count + WARM_UP, "%llu doorbells", rung);
	if (print) {
		print_sample(o, "mmio_exit_insns", kind, mmio / o->count);
		print_sample(o, "doorbell_insns", kind, bell / o->count);
	}
	close(fd);
	bench_vm_destroy(&b);
}

int main(int argc, char **argv)
{
	struct options o = {
		.backing = BACKING_4K,
		.size = 16 * SIZE_1M,
		.devices = 1,
		.repeats = 5,
		.count = 5000,
	};
	struct bench_mem mem;
	unsigned int i, turn;

	options_parse(&o, argc, argv, what);
	if (!mmu_share_parameter_exists() || !mmu_share_parameter())
		o.only = HWPT_ORDINARY;
	TEST_ASSERT(bench_mem_alloc(&mem, o.backing, o.size), "memory");
	bench_clock_start();
	for (i = 0; i <= o.repeats; i++) {
		for (turn = 0; turn < 2; turn++) {
			enum hwpt_kind kind = kind_of_turn(i, turn);

			if (options_want(&o, kind))
				one_vm(&o, kind, &mem, i);
		}
	}
	bench_mem_free(&mem);
	return 0;
}
