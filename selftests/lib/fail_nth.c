// SPDX-License-Identifier: GPL-2.0-only
/* Makes the kernel fail: one allocation of this thread, or calls of a function. */
#include <dirent.h>
#include <sys/klog.h>

#include "fail_nth.h"
#include "sysfile.h"
#include "test_util.h"

#define FAIL_FUNCTION	DEBUGFS "/fail_function"

/* What syslog(2) calls SYSLOG_ACTION_CONSOLE_LEVEL. */
#define CONSOLE_LEVEL	8
#define LEVEL_QUIET	4	/* no warnings */

#define CONSOLE_THREAD	"pr/ttyS0"
#define SETTLE_POLL_US	5000
#define SETTLE_IDLE	4	/* polls in a row that find it asleep */
#define SETTLE_POLLS	1000

static int level_usual;
static int fail_nth_fd = -1;
static bool function_armed;

static void write_knob(const char *dir, const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), DEBUGFS "/%s/%s", dir, name);
	TEST_ASSERT(sysfile_write(path, value), "write %s to %s", value, path);
}

/*
 * vmalloc() tells of each failure with a trace, which the bench would take for
 * a bug. Off the console it still is in the log, where tap_run() looks for
 * complaints.
 */
static void console_quiet(void)
{
	TEST_ASSERT(!klogctl(CONSOLE_LEVEL, NULL, LEVEL_QUIET), "console level");
}

/* A kernel thread's state as ps shows it, or 0 if @pid is not that of @name. */
static char thread_state(const char *pid, const char *name)
{
	char path[320], text[128], state, comm[32];

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	if (!sysfile_read(path, text, sizeof(text)) ||
	    sscanf(text, "%*d (%31[^)]) %c", comm, &state) != 2 ||
	    strcmp(comm, name))
		return 0;
	return state;
}

/*
 * A thread of the kernel's writes to the console, and goes by the level that
 * there is when it does. Wait until it sleeps, for want of more to write; not
 * for ever, as others write too.
 */
static void console_settle(void)
{
	struct dirent *e;
	int i, idle = 0;
	DIR *dir;

	dir = opendir("/proc");
	if (!dir)
		return;
	while ((e = readdir(dir))) {
		if (!thread_state(e->d_name, CONSOLE_THREAD))
			continue;
		for (i = 0; i < SETTLE_POLLS && idle < SETTLE_IDLE; i++) {
			usleep(SETTLE_POLL_US);
			idle = thread_state(e->d_name, CONSOLE_THREAD) == 'S' ?
			       idle + 1 : 0;
		}
		break;
	}
	closedir(dir);
}

/* One write of a blank takes all functions away. */
static void forget_functions(void)
{
	sysfile_write(FAIL_FUNCTION "/probability", "0");
	sysfile_write(FAIL_FUNCTION "/inject", "\n");
}

static void disarm_all(void)
{
	forget_functions();
	console_settle();
	klogctl(CONSOLE_LEVEL, NULL, level_usual);
}

/* Each kind of fault has a directory; fail_iommufd may be missing. */
static void silence(void)
{
	struct dirent *e;
	DIR *dir;

	dir = opendir(DEBUGFS);
	TEST_ASSERT(dir, "open debugfs");
	while ((e = readdir(dir))) {
		char path[320];

		snprintf(path, sizeof(path), DEBUGFS "/%s/verbose", e->d_name);
		if (!strncmp(e->d_name, "fail", strlen("fail")))
			TEST_ASSERT(sysfile_write(path, "0"), "write %s", path);
	}
	closedir(dir);
}

bool fault_injection_setup(void)
{
	char text[64];

	debugfs_mount();
	if (access("/proc/self/fail-nth", W_OK) ||
	    access(DEBUGFS "/failslab", F_OK) ||
	    access(DEBUGFS "/fail_page_alloc", F_OK) ||
	    access(FAIL_FUNCTION, F_OK))
		return false;
	silence();
	TEST_ASSERT(sysfile_read("/proc/sys/kernel/printk", text, sizeof(text)),
		    "read the console's level");
	level_usual = strtol(text, NULL, 10);

	/* Else only what may not sleep, and is of some size, would fail. */
	write_knob("failslab", "ignore-gfp-wait", "N");
	write_knob("fail_page_alloc", "ignore-gfp-wait", "N");
	write_knob("fail_page_alloc", "ignore-gfp-highmem", "N");
	write_knob("fail_page_alloc", "min-order", "0");

	/* A case that failed must not leave a kernel that fails, or is quiet. */
	disarm_all();
	atexit(disarm_all);
	return true;
}

void fail_nth_arm(unsigned int nth)
{
	char text[16];
	int len;

	/* It is the file of a thread, and each case is a process of its own. */
	fail_nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	TEST_ASSERT(fail_nth_fd >= 0, "open fail-nth");
	console_quiet();	/* until the case ends */
	len = snprintf(text, sizeof(text), "%u", nth);
	TEST_ASSERT(pwrite(fail_nth_fd, text, len, 0) == len, "write fail-nth");
}

bool fail_nth_disarm(void)
{
	char text[16] = "";

	/* What is left to count: nothing, if the fault came. */
	TEST_ASSERT(pread(fail_nth_fd, text, sizeof(text) - 1, 0) > 0 &&
		    pwrite(fail_nth_fd, "0", 1, 0) == 1, "disarm fail-nth");
	close(fail_nth_fd);
	return !strtoul(text, NULL, 10);
}

static void arm_function(const char *function, int err, const char *times,
			 unsigned int nth)
{
	char dir[96], text[32];

	TEST_ASSERT(!function_armed, "a function is armed already");
	forget_functions();
	snprintf(dir, sizeof(dir), "fail_function/%s", function);
	write_knob("fail_function", "inject", function);
	snprintf(text, sizeof(text), "%#llx", (unsigned long long)err);
	write_knob(dir, "retval", text);

	/* A call is let pass while there is more than one in "space". */
	snprintf(text, sizeof(text), "%u", nth);
	write_knob("fail_function", "space", text);
	write_knob("fail_function", "interval", "1");
	write_knob("fail_function", "times", times);
	write_knob("fail_function", "probability", "100");
	function_armed = true;
}

void fail_function_arm(const char *function, int err, unsigned int nth)
{
	arm_function(function, err, "1", nth);
}

/* So many that what is left tells that there were some. */
#define MANY "1000000000"

void fail_function_arm_all(const char *function, int err)
{
	arm_function(function, err, MANY, 0);
}

void fail_function_arm_from(const char *function, int err, unsigned int nth)
{
	arm_function(function, err, MANY, nth);
}

bool fail_function_disarm(void)
{
	char text[32];
	long left;

	TEST_ASSERT(function_armed, "no function is armed");
	write_knob("fail_function", "probability", "0");
	TEST_ASSERT(sysfile_read(FAIL_FUNCTION "/times", text, sizeof(text)),
		    "read times");
	left = strtol(text, NULL, 10);
	forget_functions();
	function_armed = false;
	return left != 1 && left != strtol(MANY, NULL, 10);
}
