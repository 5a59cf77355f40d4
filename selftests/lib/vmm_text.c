// SPDX-License-Identifier: GPL-2.0-only
/* Lines of text to and from a socket, with time limits. */
#include <poll.h>
#include <sys/socket.h>

#include "test_util.h"
#include "vmm_text.h"

void vmm_text_open(struct vmm_text *t, int fd)
{
	t->fd = fd;
	t->len = 0;
	t->buf = calloc(1, 1);
	TEST_ASSERT(t->buf, "calloc");
}

void vmm_text_close(struct vmm_text *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
	free(t->buf);
	t->buf = NULL;
}

bool vmm_text_send(struct vmm_text *t, const char *text)
{
	ssize_t len = strlen(text);

	return send(t->fd, text, len, MSG_NOSIGNAL) == len;
}

void vmm_text_add(struct vmm_text *t, const char *text, size_t len)
{
	t->buf = realloc(t->buf, t->len + len + 1);
	TEST_ASSERT(t->buf, "realloc");
	memcpy(t->buf + t->len, text, len);
	t->len += len;
	t->buf[t->len] = '\0';
}

bool vmm_text_receive(struct vmm_text *t)
{
	struct pollfd p = { .fd = t->fd, .events = POLLIN };
	char bytes[4096];
	ssize_t n;

	if (poll(&p, 1, 1000 / VMM_TEXT_PER_SECOND) <= 0)
		return true;
	n = read(t->fd, bytes, sizeof(bytes));
	if (n <= 0)
		return false;
	vmm_text_add(t, bytes, n);
	return true;
}

char *vmm_text_line(struct vmm_text *t)
{
	char *end = memchr(t->buf, '\n', t->len);
	char *line;
	size_t len;

	if (!end)
		return NULL;
	len = end - t->buf;
	line = strndup(t->buf, len);
	TEST_ASSERT(line, "strndup");
	t->len -= len + 1;
	memmove(t->buf, end + 1, t->len + 1);
	len = strlen(line);
	if (len && line[len - 1] == '\r')
		line[len - 1] = '\0';
	return line;
}
