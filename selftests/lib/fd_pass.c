// SPDX-License-Identifier: GPL-2.0-only
/* Gets a file descriptor from a process that is dead by then. */
#include <sys/socket.h>
#include <sys/wait.h>

#include "fd_pass.h"
#include "kvm_util.h"

/* One byte of data, as a message needs some, and room for one descriptor. */
struct fd_message {
	struct msghdr hdr;
	struct iovec iov;
	char byte;
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control;
};

static void fd_message_init(struct fd_message *m)
{
	memset(m, 0, sizeof(*m));
	m->iov.iov_base = &m->byte;
	m->iov.iov_len = 1;
	m->hdr.msg_iov = &m->iov;
	m->hdr.msg_iovlen = 1;
	m->hdr.msg_control = m->control.buf;
	m->hdr.msg_controllen = sizeof(m->control.buf);
}

static void send_fd(int sock, int fd)
{
	struct fd_message m;
	struct cmsghdr *c;

	fd_message_init(&m);
	c = CMSG_FIRSTHDR(&m.hdr);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	TEST_ASSERT(sendmsg(sock, &m.hdr, 0) == 1, "sendmsg");
}

static int receive_fd(int sock)
{
	struct fd_message m;
	struct cmsghdr *c;
	int fd;

	fd_message_init(&m);
	TEST_ASSERT(recvmsg(sock, &m.hdr, 0) == 1, "recvmsg");
	c = CMSG_FIRSTHDR(&m.hdr);
	TEST_ASSERT(c && c->cmsg_type == SCM_RIGHTS, "no descriptor received");
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

int fd_from_child(int (*make)(void))
{
	int socks[2], fd, status;
	pid_t pid;

	TEST_ASSERT(!socketpair(AF_UNIX, SOCK_STREAM, 0, socks), "socketpair");
	pid = fork();
	TEST_ASSERT(pid >= 0, "fork");
	if (!pid) {
		send_fd(socks[1], make());
		exit(0);
	}
	fd = receive_fd(socks[0]);
	TEST_ASSERT(waitpid(pid, &status, 0) == pid && !status,
		    "the child failed: %#x", status);
	close(socks[0]);
	close(socks[1]);
	return fd;
}

int vm_fd_of_new_vm(void)
{
	return vm_create(1)->fd;
}
