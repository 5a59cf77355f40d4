// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM that shares by itself is made private and shared again: instructions of
 * either way, and whether a device that writes meanwhile loses anything.
 */
#include <sys/mman.h>

#include "auto_vm.h"
#include "bench_clock.h"
#include "bench_mem.h"
#include "options.h"

static const char what[] =
"Converts a VM REPEATS times with idle devices, then COUNT times under DMA.\n"
"\"shared\" is the way to KVM's table, \"separate\" the way from it.\n";

#define SLOT		(TEST_SLOT + 1)
#define MEM_GPA		(16 * SIZE_1G)
#define POLL_US		1000

static __u64 convert(const char *command)
{
	__u64 start = bench_clock();

	vmm_share_control(getpid(), command);
	return bench_clock() - start;
}

static void wait_dma(struct testdev_load *load)
{
	unsigned long done = __atomic_load_n(&load->done, __ATOMIC_RELAXED);

	while (__atomic_load_n(&load->done, __ATOMIC_RELAXED) == done &&
	       !__atomic_load_n(&load->lost, __ATOMIC_RELAXED))
		usleep(POLL_US);
}

static void convert_under_dma(const struct options *o, struct auto_vm *a)
{
	struct testdev_load load = {
		.dev = &a->testdev,
		.iova = a->mem.gpa,
		.va = a->mem.hva,
		.len = a->mem.size,
	};
	unsigned int i;

	testdev_load_start(&load);
	for (i = 0; i < o->count; i++) {
		wait_dma(&load);
		vmm_share_control(getpid(), "private");
		wait_dma(&load);
		vmm_share_control(getpid(), "share");
	}
	wait_dma(&load);
	testdev_load_stop(&load);
	printf("# %lu pages written by DMA during %u conversions\n", load.done,
	       2 * o->count);
	print_sample(o, "convert_dma_lost", HWPT_SHARED, load.lost);
}

int main(int argc, char **argv)
{
	struct options o = {
		.backing = BACKING_4K,
		.size = SIZE_1G,
		.devices = 2,
		.repeats = 3,
		.count = 8,
	};
	__u64 private, shared;
	struct bench_mem mem;
	struct auto_vm a;
	unsigned int i;

	options_begin(&o, argc, argv, what, &mem);
	auto_vm_create_detached(&a);
	vm_set_user_memory_region(a.s.vm, SLOT, 0, MEM_GPA, mem.size, mem.hva);
	auto_vm_attach(&a, AUTO_HWPT);
	auto_vm_map_slot0(&a);
	share_vm_map(&a.s, &a.mem);
	iommufd_map(a.s.iommufd, a.s.ioas, MEM_GPA, mem.hva, mem.size);
	vmm_share_control(getpid(), "share");

	bench_clock_start();
	for (i = 0; i <= o.repeats; i++) {
		private = convert("private");
		shared = convert("share");
		if (i) {
			print_sample(&o, "convert_insns", HWPT_ORDINARY,
				     private);
			print_sample(&o, "convert_insns", HWPT_SHARED, shared);
		}
	}
	convert_under_dma(&o, &a);
	printf("# %s\n", auto_vm_status().line);
	auto_vm_destroy(&a);
	bench_mem_free(&mem);
	return 0;
}
