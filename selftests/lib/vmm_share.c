// SPDX-License-Identifier: GPL-2.0-only
/* What the host says of a VM's sharing, and the operator's controls of it. */
#include <glob.h>

#include "mmu_share.h"
#include "sysfile.h"
#include "tap.h"
#include "vmm_share.h"

#define SHARE_DIR	DEBUGFS "/iommufd_tdp"
#define NEW_VMS		"/sys/module/iommufd/parameters/tdp_share"
#define POLL_US		10000
#define POLLS_PER_SECOND (1000000 / POLL_US)

void vmm_share_require(void)
{
	debugfs_mount();
	if (access(SHARE_DIR "/vms", F_OK))
		tap_skip_case("no %s: this kernel has no automatic sharing",
			      SHARE_DIR);
}

/* The value behind "@key=" in a line of such, up to a blank. */
static bool get_text(const char *line, const char *key, char *value,
		     size_t size)
{
	size_t len = strlen(key);
	const char *p;

	for (p = line; p; p = strchr(p, ' ')) {
		p += *p == ' ';
		if (strncmp(p, key, len) || p[len] != '=')
			continue;
		p += len + 1;
		snprintf(value, size, "%.*s", (int)strcspn(p, " "), p);
		return true;
	}
	return false;
}

static __u64 get_number(const char *line, const char *key)
{
	char text[32], *end;
	__u64 n;

	TEST_ASSERT(get_text(line, key, text, sizeof(text)), "no %s in: %s",
		    key, line);
	n = strtoull(text, &end, 10);
	TEST_ASSERT(end != text && !*end, "%s is no number in: %s", key, line);
	return n;
}

static void read_line(struct vmm_share_status *st)
{
	const char *line = st->line;
	char state[16];

	TEST_ASSERT(get_text(line, "mode", st->mode, sizeof(st->mode)) &&
		    get_text(line, "state", state, sizeof(state)) &&
		    get_text(line, "reason", st->reason, sizeof(st->reason)) &&
		    get_text(line, "last", st->last, sizeof(st->last)),
		    "cannot parse: %s", line);
	st->shared = !strcmp(state, "shared");
	TEST_ASSERT(st->shared || !strcmp(state, "private"), "state in: %s",
		    line);
	st->hwpt = get_number(line, "hwpt");
	st->devices = get_number(line, "devices");
	st->error = get_number(line, "error");
	st->to_shared = get_number(line, "to_shared");
	st->to_private = get_number(line, "to_private");
	st->failed = get_number(line, "failed");
	st->shared_ns = get_number(line, "shared_ns");
	st->private_ns = get_number(line, "private_ns");
	st->longest_ns = get_number(line, "longest_ns");
}

bool vmm_share_status(pid_t pid, struct vmm_share_status *st)
{
	char text[65536], *line, *rest = text;

	TEST_ASSERT(sysfile_read(SHARE_DIR "/vms", text, sizeof(text)),
		    "read " SHARE_DIR "/vms");
	while ((line = strsep(&rest, "\n"))) {
		if (!*line || get_number(line, "pid") != pid)
			continue;
		memset(st, 0, sizeof(*st));
		snprintf(st->line, sizeof(st->line), "%s", line);
		read_line(st);
		return true;
	}
	return false;
}

__u64 vmm_share_triggers(const struct vmm_share_status *st, const char *trigger)
{
	size_t len = strlen(trigger);
	char text[256], *one, *rest = text;

	TEST_ASSERT(get_text(st->line, "triggers", text, sizeof(text)),
		    "no triggers in: %s", st->line);
	while ((one = strsep(&rest, ",")))
		if (!strncmp(one, trigger, len) && one[len] == ':')
			return strtoull(one + len + 1, NULL, 10);
	TEST_FAIL("no trigger %s in: %s", trigger, st->line);
}

int __vmm_share_control(pid_t pid, const char *command)
{
	char text[64];

	snprintf(text, sizeof(text), "%d %s\n", pid, command);
	return sysfile_write(SHARE_DIR "/control", text) ? 0 : -errno;
}

void vmm_share_control(pid_t pid, const char *command)
{
	int r = __vmm_share_control(pid, command);

	errno = 0;	/* or TEST_ASSERT() takes EACCES for a reason to skip */
	TEST_ASSERT(!r, "%s for the VM of pid %d: %s", command, pid,
		    strerror(-r));
}

static void wait_state(pid_t pid, bool shared, const char *reason,
		       unsigned int seconds)
{
	unsigned int left = seconds * POLLS_PER_SECOND;
	struct vmm_share_status st = { 0 };

	do {
		if (vmm_share_status(pid, &st) && st.shared == shared &&
		    !strcmp(st.reason, reason))
			return;
		usleep(POLL_US);
	} while (left--);
	errno = 0;
	TEST_FAIL("the VM of pid %d is not %s (%s) after %u s: %s", pid,
		  shared ? "shared" : "private", reason, seconds, st.line);
}

void vmm_wait_shared(pid_t pid, unsigned int seconds)
{
	wait_state(pid, true, "none", seconds);
}

void vmm_wait_private(pid_t pid, const char *reason, unsigned int seconds)
{
	wait_state(pid, false, reason, seconds);
}

void vmm_share_new_vms(bool on)
{
	TEST_ASSERT(sysfile_write(NEW_VMS, on ? "Y" : "N"), "write " NEW_VMS);
}

bool vmm_share_info(pid_t pid, struct mmu_share_info *info)
{
	bool shared = false;
	char pattern[64];
	glob_t g;
	size_t i;

	snprintf(pattern, sizeof(pattern), DEBUGFS "/kvm/%d-*", pid);
	TEST_ASSERT(!glob(pattern, 0, NULL, &g), "no %s", pattern);
	for (i = 0; i < g.gl_pathc && !shared; i++) {
		int vm_fd = atoi(strchr(g.gl_pathv[i], '-') + 1);

		TEST_ASSERT(mmu_share_read_fd(pid, vm_fd, info),
			    "no mmu_share in %s", g.gl_pathv[i]);
		shared = info->shared;
	}
	globfree(&g);
	return shared;
}

__u64 vmm_kvm_root(pid_t pid)
{
	struct mmu_share_info info;

	return vmm_share_info(pid, &info) ? info.root : 0;
}

__u64 vmm_tdp_faults(pid_t pid)
{
	char pattern[64], text[32];
	__u64 sum = 0;
	glob_t g;
	size_t i;

	snprintf(pattern, sizeof(pattern), DEBUGFS "/kvm/%d-*/pf_taken", pid);
	TEST_ASSERT(!glob(pattern, 0, NULL, &g), "no %s", pattern);
	for (i = 0; i < g.gl_pathc; i++) {
		TEST_ASSERT(sysfile_read(g.gl_pathv[i], text, sizeof(text)),
			    "read %s", g.gl_pathv[i]);
		sum += strtoull(text, NULL, 10);
	}
	globfree(&g);
	return sum;
}
