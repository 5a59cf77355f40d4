// SPDX-License-Identifier: GPL-2.0-only
/* Instructions that the machine executes, where its clock counts these. */
#include <pthread.h>
#include <sched.h>

#include "bench_clock.h"
#include "processor.h"
#include "test_util.h"

#define NS_PER_S 1000000000ULL

static clockid_t filler_clock;
static bool started;

static void *fill_idle_time(void *arg)
{
	for (;;)
		cpu_relax();
	return arg;
}

void bench_clock_start(void)
{
	const struct sched_param param = { 0 };
	pthread_attr_t attr;
	pthread_t filler;

	TEST_ASSERT(!pthread_attr_init(&attr) &&
		    !pthread_attr_setinheritsched(&attr,
						  PTHREAD_EXPLICIT_SCHED) &&
		    !pthread_attr_setschedpolicy(&attr, SCHED_OTHER),
		    "pthread_attr");
	TEST_ASSERT(!pthread_create(&filler, &attr, fill_idle_time, NULL) &&
		    !pthread_setschedparam(filler, SCHED_IDLE, &param) &&
		    !pthread_getcpuclockid(filler, &filler_clock),
		    "a thread for idle time");
	started = true;
}

__u64 bench_clock(void)
{
	struct timespec filled;
	__u64 now;

	if (!started)
		return 0;
	TEST_ASSERT(!clock_gettime(filler_clock, &filled), "clock_gettime");
	now = rdtsc();
	return now - filled.tv_sec * NS_PER_S - filled.tv_nsec;
}
