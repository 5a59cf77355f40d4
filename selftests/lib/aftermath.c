// SPDX-License-Identifier: GPL-2.0-only
/* What must hold when all that shared a table is gone. */
#include <sys/wait.h>

#include "aftermath.h"
#include "share_vm.h"

#define MEM_SIZE	(2 * SIZE_2M)
#define SEED		0xaf7e
#define DST		SIZE_2M

void expect_all_freed(const struct leak_counts *before)
{
	struct leak_counts after;

	if (!leak_counts_settle(before, &after)) {
		leak_counts_print_diff(before, &after);
		TEST_FAIL("all ended, but something is still held");
	}
}

static void use_fresh_share(void)
{
	struct guest_mem mem;
	struct share_vm s;

	share_vm_create(&s, HWPT_SHARED);
	share_vm_add_mem(&s, &mem, BACKING_4K, GPA_HIGH, MEM_SIZE);
	guest_fill(s.vcpus[0], mem.gpa, SIZE_4K, 8, SEED);
	edu_copy(&s.edu, mem.gpa + DST, mem.gpa, SIZE_4K);
	TEST_ASSERT_EQ(guest_diff(s.vcpus[1], mem.gpa + DST, SIZE_4K, 8,
				  mem.gpa, SEED), 0);
	share_vm_destroy(&s);
}

void expect_fresh_share_works(void)
{
	int status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	TEST_ASSERT(pid >= 0, "fork");
	if (!pid) {
		use_fresh_share();
		exit(0);
	}
	TEST_ASSERT(waitpid(pid, &status, 0) == pid && !status,
		    "a fresh share does not work: %#x", status);
}
