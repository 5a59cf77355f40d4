// SPDX-License-Identifier: GPL-2.0-only
/* Runs a program and keeps what it prints and how it ends. */
#include <libgen.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "command.h"
#include "hang.h"
#include "test_util.h"

#define CANNOT_EXEC	127

void command_path(char *path, size_t size, const char *name)
{
	char self[PATH_MAX] = "";

	TEST_ASSERT(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0,
		    "readlink /proc/self/exe");
	snprintf(path, size, "%s/../bin/%s", dirname(self), name);
	TEST_ASSERT(!access(path, R_OK), "%s is not installed", path);
}

void command_start(struct command *c, const char * const *argv)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	c->out = memfd_create("stdout", MFD_CLOEXEC);
	c->err = memfd_create("stderr", MFD_CLOEXEC);
	TEST_ASSERT(null >= 0 && c->out >= 0 && c->err >= 0,
		    "/dev/null, memfd_create");
	fflush(NULL);
	c->pid = fork();
	TEST_ASSERT(c->pid >= 0, "fork");
	if (!c->pid) {
		/* It must not outlive a case that fails. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(null, STDIN_FILENO);
		dup2(c->out, STDOUT_FILENO);
		dup2(c->err, STDERR_FILENO);
		execvp(argv[0], (char * const *)argv);
		_exit(CANNOT_EXEC);
	}
	close(null);
}

static void read_all(int fd, char *text)
{
	/* By pread(): the program writes at the offset, which we share. */
	ssize_t n = pread(fd, text, COMMAND_TEXT - 1, 0);

	TEST_ASSERT(n >= 0, "pread");
	TEST_ASSERT(n < COMMAND_TEXT - 1, "it prints more than is kept");
	text[n] = '\0';
}

void command_output(struct command *c, char *text)
{
	read_all(c->out, text);
}

void command_errors(struct command *c, char *text)
{
	read_all(c->err, text);
}

bool command_running(struct command *c)
{
	siginfo_t info = { 0 };

	/* Its status is left for command_wait(). */
	TEST_ASSERT(!waitid(P_PID, c->pid, &info, WEXITED | WNOHANG | WNOWAIT),
		    "waitid");
	return !info.si_pid;
}

int command_wait(struct command *c, unsigned int seconds)
{
	int status;

	TEST_ASSERT(wait_or_kill(c->pid, seconds, &status) == CHILD_ENDED,
		    "not at its end after %u s", seconds);
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	TEST_ASSERT(WEXITSTATUS(status) != CANNOT_EXEC, "it does not start");
	return WEXITSTATUS(status);
}

void command_close(struct command *c)
{
	close(c->out);
	close(c->err);
}
