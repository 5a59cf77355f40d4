// SPDX-License-Identifier: GPL-2.0-only
/* Waits for a child with a limit, and shows where one that hangs is. */
#include <dirent.h>
#include <sys/wait.h>

#include "hang.h"
#include "lost_guest.h"
#include "sysfile.h"
#include "test_util.h"

#define STEPS_PER_SECOND 100

static void print_file(const char *dir, const char *thread, const char *name)
{
	char path[PATH_MAX], text[4096], *line, *rest = text;

	snprintf(path, sizeof(path), "%s/%s/%s", dir, thread, name);
	if (!sysfile_read(path, text, sizeof(text)))
		return;
	while ((line = strsep(&rest, "\n")))
		if (*line)
			ksft_print_msg("thread %s %s: %s\n", thread, name, line);
}

void print_threads(pid_t pid)
{
	char path[64];
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		print_file(path, e->d_name, "syscall");
		print_file(path, e->d_name, "stack");
	}
	if (dir)
		closedir(dir);
}

enum ending wait_or_kill(pid_t pid, unsigned int seconds, int *status)
{
	enum ending ending;
	unsigned int left;
	pid_t r;

	/*
	 * Counted in small sleeps instead of read from a clock: an emulated
	 * host may stand still for a minute, and then find no time was left.
	 */
	for (left = seconds * STEPS_PER_SECOND; left; left--) {
		r = waitpid(pid, status, WNOHANG);
		TEST_ASSERT(r >= 0, "waitpid");
		if (r == pid)
			return CHILD_ENDED;
		usleep(1000000 / STEPS_PER_SECOND);
	}
	ksft_print_msg("not at its end after %u s\n", seconds);
	print_threads(pid);
	ending = guest_is_lost(pid) ? CHILD_LOST : CHILD_HUNG;
	kill(pid, SIGKILL);
	TEST_ASSERT(waitpid(pid, status, 0) == pid, "waitpid");
	return ending;
}
