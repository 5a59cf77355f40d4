// SPDX-License-Identifier: GPL-2.0-only
/* Tells a guest that the emulator has lost from one that KVM keeps waiting. */
#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>
#include <linux/bits.h>

#include "lost_guest.h"
#include "sysfile.h"
#include "test_util.h"

#define INSTANCE	"/sys/kernel/tracing/instances/lost_guest"
#define SAMPLE_US	100000
#define SAMPLE_SIZE	(64 << 10)
#define KERNEL_HALF	BIT_ULL(63)

/* The exits of a fraction of a second, as text. */
static bool sample_exits(char *text)
{
	bool sampled;

	if (mkdir(INSTANCE, 0700))
		return false;
	sysfile_write(INSTANCE "/events/kvm/kvm_exit/enable", "1");
	usleep(SAMPLE_US);
	sysfile_write(INSTANCE "/events/kvm/kvm_exit/enable", "0");
	sampled = sysfile_read(INSTANCE "/trace", text, SAMPLE_SIZE);
	rmdir(INSTANCE);
	return sampled;
}

/* The first RIP in the kernel's half at which thread @tid left its guest, or 0. */
static __u64 kernel_rip(const char *text, const char *tid)
{
	char thread[NAME_MAX + 3];
	const char *at;

	/* "COMM-TID   [CPU] ... kvm_exit: ... rip 0x..." */
	snprintf(thread, sizeof(thread), "-%s ", tid);
	for (at = text; (at = strstr(at, thread)); at++) {
		size_t len = strcspn(at, "\n");
		const char *rip = strstr(at, " rip 0x");
		__u64 value;

		if (!rip || rip > at + len)
			continue;
		value = strtoull(rip + strlen(" rip "), NULL, 16);
		if (value & KERNEL_HALF)
			return value;
	}
	return 0;
}

bool guest_is_lost(pid_t pid)
{
	char path[64], *text = malloc(SAMPLE_SIZE);
	struct dirent *e;
	__u64 rip = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (text && dir && sample_exits(text)) {
		while (!rip && (e = readdir(dir)))
			if (e->d_name[0] != '.')
				rip = kernel_rip(text, e->d_name);
	}
	if (rip)
		ksft_print_msg("the emulator lost the guest: it is at %#llx\n",
			       rip);
	if (dir)
		closedir(dir);
	free(text);
	return rip;
}
