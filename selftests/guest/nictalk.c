// SPDX-License-Identifier: GPL-2.0-only
/* In the guest: talks to a peer through a NIC, and checks each byte. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "nic_pattern.h"

/*
 * usage: nictalk stream ADDRESS PORT   sends and receives until the peer ends
 *        nictalk echo PORT             answers each datagram, until the last
 *
 * Prints how many bytes, or datagrams. Exit status 0: none was wrong.
 */

static volatile sig_atomic_t stopped;

static void stop(int sig)
{
	stopped = 1;
}

static void fail(const char *what)
{
	printf("nictalk: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

static void wrong(__u64 at, int got)
{
	printf("nictalk: byte %llu is %#x\n", at, got);
	fflush(stdout);
	_exit(2);
}

static void send_stream(int sock)
{
	static __u8 buf[NIC_BLOCK];
	__u64 sent = 0;
	size_t done;
	ssize_t n;

	while (!stopped) {
		nic_fill(buf, sizeof(buf), NIC_GUEST_SEED, sent);
		for (done = 0; done < sizeof(buf); done += n) {
			n = write(sock, buf + done, sizeof(buf) - done);
			if (n < 0 && errno == EINTR)
				n = 0;
			if (n < 0)
				fail("send");
		}
		sent += sizeof(buf);
	}
	if (shutdown(sock, SHUT_WR))
		fail("shutdown");
	printf("sent %llu\n", sent);
}

static void receive_stream(int sock)
{
	static __u8 buf[NIC_BLOCK];
	__u64 received = 0;
	size_t diff;
	ssize_t n;

	while ((n = read(sock, buf, sizeof(buf))) > 0) {
		diff = nic_diff(buf, n, NIC_HOST_SEED, received);
		if (diff < n)
			wrong(received + diff, buf[diff]);
		received += n;
	}
	if (n < 0)
		fail("receive");
	printf("received %llu\n", received);
}

static int stream(const char *address, const char *port)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6 };
	int sock = socket(AF_INET6, SOCK_STREAM, 0), status;
	pid_t writer;

	to.sin6_port = htons(atoi(port));
	if (inet_pton(AF_INET6, address, &to.sin6_addr) != 1)
		return 64;
	if (sock < 0 || connect(sock, (void *)&to, sizeof(to)))
		fail("connect");
	signal(SIGTERM, stop);
	writer = fork();
	if (writer < 0)
		fail("fork");
	if (!writer) {
		send_stream(sock);
		exit(0);
	}
	receive_stream(sock);
	fflush(stdout);
	/* The peer has ended its stream, but still reads. */
	kill(writer, SIGTERM);
	waitpid(writer, &status, 0);
	return !!status;
}

static int echo(const char *port)
{
	struct sockaddr_in6 from, at = { .sin6_family = AF_INET6 };
	int sock = socket(AF_INET6, SOCK_DGRAM, 0);
	__u8 buf[NIC_MAX_DATAGRAM];
	__u64 number, count = 0;
	socklen_t size;
	size_t len, diff;
	ssize_t n;

	at.sin6_port = htons(atoi(port));
	if (sock < 0 || bind(sock, (void *)&at, sizeof(at)))
		fail("bind");
	for (;;) {
		size = sizeof(from);
		n = recvfrom(sock, buf, sizeof(buf), 0, (void *)&from, &size);
		if (n < (ssize_t)sizeof(number))
			fail("receive");
		memcpy(&number, buf, sizeof(number));
		if (number == NIC_LAST)
			break;
		if (n != nic_datagram_len(number))
			wrong(number, n);
		len = n - sizeof(number);
		diff = nic_diff(buf + sizeof(number), len, NIC_HOST_SEED,
				nic_datagram_at(number));
		if (diff < len)
			wrong(diff, buf[sizeof(number) + diff]);
		nic_fill(buf + sizeof(number), len, NIC_GUEST_SEED,
			 nic_datagram_at(number));
		if (sendto(sock, buf, n, 0, (void *)&from, size) != n)
			fail("send");
		count++;
	}
	printf("echoed %llu\n", count);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "stream"))
		return stream(argv[2], argv[3]);
	if (argc == 3 && !strcmp(argv[1], "echo"))
		return echo(argv[2]);
	return 64;
}
