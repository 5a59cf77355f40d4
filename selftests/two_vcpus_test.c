// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two vCPUs and a device work in one table at the same time.
 *
 * With a thread for each CPU, QEMU's TCG now and then loses a guest when two
 * vCPUs run at once, on the stock kernel and without a device just as well.
 *
 * bench: --share --tcg single
 * bench: --bench intel --vtd mode=scalable --share
 */
#include "share_vm.h"
#include "tap.h"

#define SEED 0x2c

/* Both vCPUs write memory of their own while the device copies in a third. */
static void vcpus_and_device_at_once(void)
{
	struct guest_loop loops[SHARE_VM_VCPUS];
	size_t half = 2 * SIZE_2M;
	struct guest_mem mem;
	struct share_vm s;
	int i;

	share_vm_create(&s, HWPT_SHARED);
	share_vm_add_mem(&s, &mem, BACKING_2M, GPA_HIGH, 4 * SIZE_2M);
	guest_mem_fill(&mem, half, SIZE_4K, SEED);

	for (i = 0; i < SHARE_VM_VCPUS; i++) {
		loops[i].vcpu = s.vcpus[i];
		loops[i].gpa = mem.gpa + i * SIZE_2M;
		loops[i].len = SIZE_2M;
		loops[i].step = 64;
		guest_loop_start(&loops[i]);
	}
	for (i = 0; i < 8; i++)
		edu_copy(&s.edu, mem.gpa + half + (i + 1) * SIZE_4K,
			 mem.gpa + half + i * SIZE_4K, SIZE_4K);
	for (i = 0; i < SHARE_VM_VCPUS; i++) {
		guest_loop_stop(&loops[i]);
		TEST_ASSERT(loops[i].rounds, "vCPU %d did not run", i);
		TEST_ASSERT_EQ(loops[i].wrong, 0);
	}
	TEST_ASSERT_EQ(guest_mem_diff(&mem, half + 8 * SIZE_4K, SIZE_4K, half,
				      SEED), 0);
	share_vm_destroy(&s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "two vCPUs and the device work at the same time",
		  vcpus_and_device_at_once, 180 },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
