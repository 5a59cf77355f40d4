// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOAS_MAP pre-populates the guest: it touches every page and takes no
 * fault. With an ordinary HWPT, in the same boot, it takes one for each.
 *
 * bench: --share
 * bench: --bench intel --vtd mode=scalable --share
 */
#include "share_vm.h"
#include "slow_host.h"
#include "tap.h"

#define TEST_SIZE	less_if_slow(64 * SIZE_2M, 8 * SIZE_2M)

static __u64 faults_to_touch(struct share_vm *s, struct guest_mem *mem)
{
	__u64 before = share_vm_tdp_faults(s), faults;
	size_t half = mem->size / 2;

	/* Half by each vCPU; writes, which want a writable entry. */
	guest_fill(s->vcpus[0], mem->gpa, half, SIZE_4K, 1);
	guest_fill(s->vcpus[1], mem->gpa + half, half, SIZE_4K, 1);
	faults = share_vm_tdp_faults(s) - before;
	ksft_print_msg("%llu faults for %llu pages\n", faults,
		       mem->size / SIZE_4K);
	return faults;
}

static __u64 count_faults(enum hwpt_kind kind, enum guest_mem_backing backing)
{
	struct guest_mem mem;
	struct share_vm s;
	__u64 faults;

	share_vm_create(&s, kind);
	share_vm_add_mem(&s, &mem, backing, GPA_HIGH, TEST_SIZE);
	share_vm_warm_up(&s);
	faults = faults_to_touch(&s, &mem);
	share_vm_destroy(&s);
	return faults;
}

static void shared_4k(void)
{
	TEST_ASSERT_EQ(count_faults(HWPT_SHARED, BACKING_4K), 0);
}

static void shared_2m(void)
{
	TEST_ASSERT_EQ(count_faults(HWPT_SHARED, BACKING_2M), 0);
}

static void ordinary_4k(void)
{
	TEST_ASSERT_EQ(count_faults(HWPT_ORDINARY, BACKING_4K),
		       TEST_SIZE / SIZE_4K);
}

static void ordinary_2m(void)
{
	TEST_ASSERT_EQ(count_faults(HWPT_ORDINARY, BACKING_2M),
		       TEST_SIZE / SIZE_2M);
}

/* A HWPT made for an IOAS that has its ranges already is filled at once. */
static void filled_at_alloc(void)
{
	struct guest_mem mem;
	struct share_vm s;

	share_vm_create_detached(&s);
	share_vm_add_mem(&s, &mem, BACKING_4K, GPA_HIGH, TEST_SIZE);
	share_vm_attach(&s, HWPT_SHARED);
	share_vm_warm_up(&s);
	TEST_ASSERT_EQ(faults_to_touch(&s, &mem), 0);
	share_vm_destroy(&s);
}

/* The VM ran on a root of its own: its vCPUs move to the shared one. */
static void vcpus_that_ran_before_move(void)
{
	struct guest_mem mem;
	struct share_vm s;

	share_vm_create_detached(&s);
	guest_mem_add(&mem, s.vm, TEST_SLOT, BACKING_4K, GPA_HIGH, TEST_SIZE);
	share_vm_warm_up(&s);
	guest_fill(s.vcpus[0], mem.gpa, SIZE_2M, SIZE_4K, 7);

	share_vm_attach(&s, HWPT_SHARED);
	share_vm_map(&s, &mem);
	share_vm_warm_up(&s);
	TEST_ASSERT_EQ(guest_diff(s.vcpus[1], mem.gpa, SIZE_2M, SIZE_4K,
				  mem.gpa, 7), 0);
	TEST_ASSERT_EQ(faults_to_touch(&s, &mem), 0);
	share_vm_destroy(&s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "4K pages: no fault after the map", shared_4k },
		{ "control: an ordinary HWPT takes one per 4K page",
		  ordinary_4k },
		{ "2M pages: no fault after the map", shared_2m },
		{ "control: an ordinary HWPT takes one per 2M page",
		  ordinary_2m },
		{ "ranges mapped before the HWPT exists are populated too",
		  filled_at_alloc },
		{ "vCPUs that ran before move to the shared root",
		  vcpus_that_ran_before_move },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
