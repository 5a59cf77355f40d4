// SPDX-License-Identifier: GPL-2.0-only
/* Reads what the kernel logs from a point in time on. */
#include "kmsg.h"
#include "test_util.h"

int kmsg_open_at_end(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	TEST_ASSERT(fd >= 0, "open /dev/kmsg");
	TEST_ASSERT(lseek(fd, 0, SEEK_END) >= 0, "seek in /dev/kmsg");
	return fd;
}

static bool contains_any(const char *msg, const char * const *needles)
{
	for (; *needles; needles++)
		if (strstr(msg, *needles))
			return true;
	return false;
}

bool kmsg_find(int fd, const char * const *needles, char *line)
{
	bool found = false;
	char record[8192];
	char *msg;
	ssize_t n;

	for (;;) {
		n = read(fd, record, sizeof(record) - 1);
		if (n < 0 && errno == EPIPE)	/* overwritten: go on behind */
			continue;
		if (n <= 0)
			return found;
		record[n] = '\0';

		/* "prio,seq,time,flags;message\n KEY=value\n" */
		msg = strchr(record, ';');
		if (found || !msg || !contains_any(msg, needles))
			continue;
		msg[strcspn(msg, "\n")] = '\0';
		snprintf(line, KMSG_LINE, "%.*s", KMSG_LINE - 1, msg + 1);
		found = true;
	}
}
