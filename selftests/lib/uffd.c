// SPDX-License-Identifier: GPL-2.0-only
/* A userfaultfd over a range, answered by the test itself, step by step. */
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "tap.h"
#include "uffd.h"

#define POLL_MS	10

void uffd_watch(struct uffd *u, void *start, size_t len, __u64 mode)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .start = (unsigned long)start, .len = len },
		.mode = mode,
	};

	u->start = start;
	u->len = len;
	u->fd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (u->fd < 0)
		tap_skip_case("no userfaultfd");
	if (mode & UFFDIO_REGISTER_MODE_WP)
		api.features = UFFD_FEATURE_PAGEFAULT_FLAG_WP;
	TEST_ASSERT(!ioctl(u->fd, UFFDIO_API, &api), "UFFDIO_API");
	TEST_ASSERT(!ioctl(u->fd, UFFDIO_REGISTER, &reg), "UFFDIO_REGISTER");
}

void uffd_close(struct uffd *u)
{
	close(u->fd);
}

bool uffd_has_fault(struct uffd *u)
{
	struct pollfd p = { .fd = u->fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

size_t uffd_wait(struct uffd *u, struct background *call, bool *protected)
{
	struct pollfd p = { .fd = u->fd, .events = POLLIN };
	struct uffd_msg msg;
	size_t page;

	while (poll(&p, 1, POLL_MS) != 1)
		TEST_ASSERT(!background_done(call), "no userfault came");
	TEST_ASSERT(read(u->fd, &msg, sizeof(msg)) == sizeof(msg) &&
		    msg.event == UFFD_EVENT_PAGEFAULT, "read of userfaultfd");
	page = msg.arg.pagefault.address & ~(getpagesize() - 1UL);
	*protected = msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP;
	return page - (unsigned long)u->start;
}

void uffd_give(struct uffd *u, size_t offset, const void *from, size_t len)
{
	struct uffdio_copy copy = {
		.dst = (unsigned long)u->start + offset,
		.src = (unsigned long)from,
		.len = len,
	};

	TEST_ASSERT(!ioctl(u->fd, UFFDIO_COPY, &copy), "UFFDIO_COPY");
}

void uffd_protect(struct uffd *u, size_t offset, size_t len, bool on)
{
	struct uffdio_writeprotect wp = {
		.range.start = (unsigned long)u->start + offset,
		.range.len = len,
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	TEST_ASSERT(!ioctl(u->fd, UFFDIO_WRITEPROTECT, &wp),
		    "UFFDIO_WRITEPROTECT");
}
