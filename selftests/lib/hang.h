/* SPDX-License-Identifier: GPL-2.0-only */
/* Waits for a child with a limit, and shows where one that hangs is. */
#ifndef TDP_SELFTEST_HANG_H
#define TDP_SELFTEST_HANG_H

#include <stdbool.h>
#include <sys/types.h>

enum ending {
	CHILD_ENDED,
	CHILD_HUNG,
	CHILD_LOST,	/* the same, and it is the emulator's doing: lost_guest.h */
};

/*
 * Of a child that does not end in time the kernel stacks of its threads are
 * printed, and it is killed.
 */
enum ending wait_or_kill(pid_t pid, unsigned int seconds, int *status);

/* Prints system call and kernel stack of each of a process's threads. */
void print_threads(pid_t pid);

#endif
