// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stock kernel on the Intel bench: VFIO_DEVICE_RESET is a function-level reset,
 * which the devices of the other benches do not have.
 *
 * 1. The function is reset once, by what it says (control: not before).
 * 2. It works afterwards, on the HWPT that it was attached to, which still blocks
 *    what is not mapped.
 *
 * bench: --bench intel --kernel stock --vtd 'mode=scalable nest=1 ats=1 pri=1 pasid=1'
 */
#include <sys/ioctl.h>
#include <linux/vfio.h>

#include "tap.h"
#include "vtd_model.h"

#define SEED 0xf17

static void expect_works(struct share_vm *s, struct guest_mem *mem)
{
	__u64 faults = vtd_read(&s->edu, VTDT_FAULTS);

	guest_mem_fill(mem, 0, SIZE_4K, SEED);
	guest_mem_fill(mem, SIZE_4K, SIZE_4K, ~SEED);
	edu_copy(&s->edu, mem->gpa + SIZE_4K, mem->gpa, SIZE_4K);
	TEST_ASSERT_EQ(guest_mem_diff(mem, SIZE_4K, SIZE_4K, 0, SEED), 0);
	TEST_ASSERT_EQ(vtd_read(&s->edu, VTDT_FAULTS), faults);
	edu_store(&s->edu, mem->gpa + mem->size, 64);
	TEST_ASSERT_EQ(vtd_read(&s->edu, VTDT_FAULTS), faults + 1);
}

static void reset_and_go_on(void)
{
	struct guest_mem mem;
	struct share_vm s;
	__u64 resets;

	share_vm_create(&s, HWPT_ORDINARY);
	share_vm_add_mem(&s, &mem, BACKING_4K, GPA_HIGH, SIZE_2M);
	expect_works(&s, &mem);
	resets = vtd_read(&s.edu, VTDT_FLRS);
	TEST_ASSERT(!ioctl(s.edu.fd, VFIO_DEVICE_RESET), "VFIO_DEVICE_RESET");
	TEST_ASSERT_EQ(vtd_read(&s.edu, VTDT_FLRS), resets + 1);
	expect_works(&s, &mem);
	share_vm_destroy(&s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "a function is reset, and works on", reset_and_go_on },
	};

	vtd_require();
	return tap_run(cases, ARRAY_SIZE(cases));
}
