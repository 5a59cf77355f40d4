// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions of the whole machine while a program runs, idle time left out.
 *
 * usage: bench_exec FIGURE LABEL REPEATS PROGRAM [ARGS]...
 */
#include <sys/personality.h>
#include <sys/wait.h>

#include "bench_clock.h"
#include "test_util.h"

static __u64 run(char **argv)
{
	__u64 start = bench_clock();
	int status, null;
	pid_t pid;

	pid = fork();
	TEST_ASSERT(pid >= 0, "fork");
	if (!pid) {
		/* The same addresses each time, so that tables are the same. */
		personality(ADDR_NO_RANDOMIZE);
		null = open("/dev/null", O_RDWR);
		dup2(null, 0);
		dup2(null, 1);
		execv(argv[0], argv);
		_exit(127);
	}
	TEST_ASSERT(waitpid(pid, &status, 0) == pid, "waitpid");
	TEST_ASSERT(WIFEXITED(status) && !WEXITSTATUS(status),
		    "%s: status %#x", argv[0], status);
	return bench_clock() - start;
}

int main(int argc, char **argv)
{
	unsigned long i, repeats;
	__u64 insns;

	if (argc < 5)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	repeats = strtoul(argv[3], NULL, 0);
	bench_clock_start();
	/* Once more than that: the first run warms up. */
	for (i = 0; i <= repeats; i++) {
		insns = run(argv + 4);
		if (i)
			printf("sample %s - 0 0 %s %llu\n", argv[1], argv[2],
			       insns);
	}
	return 0;
}
