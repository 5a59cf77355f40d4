// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maps and unmaps guest memory while a vCPU runs. lock_hold.bt watches how long
 * mmu_lock is held meanwhile.
 */
#include "bench_round.h"
#include "options.h"

static const char what[] =
"Maps and unmaps guest memory REPEATS times under a vCPU that writes other\n"
"memory. Shared tables only, unless -k says otherwise.\n";

#define LOOP_SIZE	SIZE_2M
#define POLL_US		1000

static void wait_round(struct guest_loop *loop)
{
	unsigned long rounds = __atomic_load_n(&loop->rounds, __ATOMIC_RELAXED);

	while (__atomic_load_n(&loop->rounds, __ATOMIC_RELAXED) == rounds)
		usleep(POLL_US);
}

int main(int argc, char **argv)
{
	struct options o = {
		.backing = BACKING_4K,
		.size = SIZE_1G,
		.devices = 1,
		.repeats = 2,
	};
	struct guest_loop loop;
	struct bench_mem mem;
	struct bench_vm b;
	unsigned int i;

	options_begin(&o, argc, argv, what, &mem);
	bench_vm_create(&b, &mem, o.devices);
	bench_vm_attach(&b, o.only == HWPT_ORDINARY ? HWPT_ORDINARY :
						      HWPT_SHARED);
	bench_vm_map_slot0(&b);
	loop = (struct guest_loop) {
		.vcpu = b.s.vcpus[0],
		.gpa = GPA_HIGH,
		.len = LOOP_SIZE,
		.step = SIZE_4K,
	};
	guest_loop_start(&loop);
	for (i = 0; i < o.repeats; i++) {
		wait_round(&loop);
		bench_vm_map_mem(&b);
		wait_round(&loop);
		iommufd_unmap(b.s.iommufd, b.s.ioas, GPA_HIGH, mem.size);
	}
	guest_loop_stop(&loop);
	printf("# %lu rounds of the vCPU, %llu wrong words\n", loop.rounds,
	       loop.wrong);
	TEST_ASSERT_EQ(loop.wrong, 0);
	bench_vm_destroy(&b);
	bench_mem_free(&mem);
	return 0;
}
