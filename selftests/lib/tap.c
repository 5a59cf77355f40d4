// SPDX-License-Identifier: GPL-2.0-only
/* Runs a file's test cases, one child process and one TAP line each. */
#include <sys/wait.h>

#include "hang.h"
#include "kmemleak.h"
#include "kmsg.h"
#include "leaks.h"
#include "tap.h"

/* Not KSFT_SKIP: the library gives that for an assertion that fails with EACCES. */
#define TAP_SKIP_STATUS	77

/* How often a case may run whose guest the emulator has lost for certain. */
#define LOST_TRIES	3

/* What the kernel says when the emulator took an exception amid VMRUN: trap 26. */
#define LOST_BUG	"TASK stack guard page was hit"

/* The first words of what the kernel prints when it has caught a bug. */
static const char * const complaints[] = {
	"WARNING:", "BUG:", "Oops", "UBSAN:", "KASAN:", "general protection",
	"INFO: task", "possible circular locking", "suspicious RCU",
	"refcount_t:", "list_add corruption", "list_del corruption", NULL
};

void tap_skip_case(const char *why, ...)
{
	va_list ap;

	printf("# skipped: ");
	va_start(ap, why);
	vprintf(why, ap);
	va_end(ap);
	printf("\n");
	fflush(NULL);
	_exit(TAP_SKIP_STATUS);
}

/* A kernel that checks a lot is slow: TAP_SLOWDOWN in the environment says so. */
static unsigned int time_limit(const struct tap_case *c)
{
	const char *slowdown = getenv("TAP_SLOWDOWN");

	return (c->timeout ?: TAP_DEFAULT_TIMEOUT) *
	       (slowdown ? strtoul(slowdown, NULL, 10) : 1);
}

/*
 * Where an emulator loses guests, whatever the kernel (docs/testing.rst, trap 26),
 * TAP_TRIES in the environment says how often a case may run.
 */
static unsigned int tries(void)
{
	const char *given = getenv("TAP_TRIES");

	return given ? strtoul(given, NULL, 10) : 1;
}

static int run_in_child(const struct tap_case *c, bool *lost)
{
	enum ending ending;
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	TEST_ASSERT(pid >= 0, "fork");
	if (!pid) {
		if (c->run_with)
			c->run_with(c->arg);
		else
			c->run();
		exit(KSFT_PASS);
	}

	/* A vCPU or a device that hangs must not hang the whole run. */
	ending = wait_or_kill(pid, time_limit(c), &status);
	*lost = ending == CHILD_LOST;
	if (ending != CHILD_ENDED)
		return KSFT_FAIL;
	if (WIFSIGNALED(status)) {
		ksft_print_msg("killed by signal %d\n", WTERMSIG(status));
		return KSFT_FAIL;
	}
	switch (WEXITSTATUS(status)) {
	case TAP_SKIP_STATUS:
		return KSFT_SKIP;
	case KSFT_PASS:
		return KSFT_PASS;
	default:
		return KSFT_FAIL;
	}
}

static bool run_case(const struct tap_case *c, int *code, bool *lost)
{
	struct leak_counts before, after;
	int log = kmsg_open_at_end();
	char line[KMSG_LINE];
	bool clean = true;

	leak_counts_read(&before);
	*code = run_in_child(c, lost);
	if (!leak_counts_settle(&before, &after)) {
		leak_counts_print_diff(&before, &after);
		clean = false;
	}
	if (kmsg_find(log, complaints, line)) {
		ksft_print_msg("kernel log: %s\n", line);
		*lost |= !!strstr(line, LOST_BUG);
		clean = false;
	}
	close(log);
	return clean;
}

/* Once more is no excuse for what a case left behind, or the kernel complained of. */
static bool run_until_passed(const struct tap_case *c, int *code)
{
	bool clean, lost;
	unsigned int n;

	for (n = 1;; n++) {
		clean = run_case(c, code, &lost);
		if (*code != KSFT_FAIL || !(clean || lost) ||
		    n >= (lost ? LOST_TRIES : tries()))
			return clean;
		ksft_print_msg("once more, after try %u of: %s\n", n, c->name);
	}
}

int tap_run(const struct tap_case *cases, unsigned int nr)
{
	bool detector = kmemleak_exists();
	unsigned int i;
	bool clean;
	int code;

	ksft_print_header();
	ksft_set_plan(nr + detector);
	if (detector)
		kmemleak_clear();
	for (i = 0; i < nr; i++) {
		clean = run_until_passed(&cases[i], &code);
		if (code == KSFT_SKIP && clean)
			ksft_test_result_skip("%s\n", cases[i].name);
		else
			ksft_test_result(code == KSFT_PASS && clean, "%s\n",
					 cases[i].name);
	}
	if (detector)
		ksft_test_result(kmemleak_is_clean(), "kmemleak is clean\n");
	ksft_finished();
}
