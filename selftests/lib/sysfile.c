// SPDX-License-Identifier: GPL-2.0-only
/* Small reads and writes of /proc, sysfs and debugfs files. */
#include <sys/mount.h>

#include "sysfile.h"
#include "test_util.h"

void debugfs_mount(void)
{
	if (!access(DEBUGFS "/kvm", F_OK))
		return;
	if (mount("debugfs", DEBUGFS, "debugfs", 0, NULL) && errno != EBUSY)
		TEST_FAIL("mount debugfs");
}

bool sysfile_read(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t done = 0;
	ssize_t n;

	if (fd < 0)
		return false;
	while (done < size - 1) {
		n = read(fd, buf + done, size - 1 - done);
		if (n <= 0)
			break;
		done += n;
	}
	close(fd);
	buf[done] = '\0';
	return true;
}

bool sysfile_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t len = strlen(text);
	ssize_t n;

	if (fd < 0)
		return false;
	n = write(fd, text, len);
	close(fd);
	return n == len;
}

bool text_get(const char *text, const char *key, int base, __u64 *value)
{
	size_t len = strlen(key);
	const char *p = text;
	char *end;

	while (p && *p) {
		if (!strncmp(p, key, len) && strchr(": \t", p[len])) {
			p += len + strspn(p + len, ": \t");
			*value = strtoull(p, &end, base);
			return end != p;
		}
		p = strchr(p, '\n');
		if (p)
			p++;
	}
	return false;
}
