// SPDX-License-Identifier: GPL-2.0-only
/* The host's end of what nictalk in the guest sends and receives. */
#include <arpa/inet.h>
#include <glob.h>
#include <libgen.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/compiler.h>

#include "guest/nic_pattern.h"
#include "nic_peer.h"
#include "sysfile.h"
#include "tap.h"

#define PCI_DEVICES	"/sys/bus/pci/devices"
#define LOST_SECONDS	60	/* an emulated host may stand still for long */
#define SHORT_SECONDS	1	/* for what is never answered */

/* <linux/ipv6.h> and <netinet/in.h> can't be had together. */
struct address_request {
	struct in6_addr address;
	__u32 prefix;
	int index;
};

static struct sockaddr_in6 address(const char *text, int port)
{
	struct sockaddr_in6 sin6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
	};

	inet_pton(AF_INET6, text, &sin6.sin6_addr);
	return sin6;
}

static void write_attr(const char *bdf, const char *name, const char *text)
{
	char path[96];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", bdf, name);
	TEST_ASSERT(sysfile_write(path, text), "write %s to %s", text, path);
}

void nic_peer_bypass(const char *bdf)
{
	write_attr(bdf, "driver/unbind", bdf);
	write_attr(bdf, "iommu_group/type", "identity");
	TEST_ASSERT(sysfile_write("/sys/bus/pci/drivers_probe", bdf),
		    "probe %s", bdf);
}

static void name_of(const char *bdf, struct ifreq *req)
{
	char pattern[64];
	glob_t g;

	memset(req, 0, sizeof(*req));
	snprintf(pattern, sizeof(pattern), PCI_DEVICES "/%s/net/*", bdf);
	TEST_ASSERT(!glob(pattern, 0, NULL, &g), "%s is no NIC of the host's",
		    bdf);
	snprintf(req->ifr_name, IFNAMSIZ, "%s", basename(g.gl_pathv[0]));
	globfree(&g);
}

static void set_flags(struct ifreq *req, short flags)
{
	int sock = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	req->ifr_flags = flags;
	TEST_ASSERT(!ioctl(sock, SIOCSIFFLAGS, req), "%s: flags %#x: %s",
		    req->ifr_name, flags, strerror(errno));
	close(sock);
}

void nic_peer_up(const char *bdf)
{
	int sock = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct address_request new = { .prefix = NIC_PREFIX };
	struct sockaddr_in6 sin6 = address(NIC_HOST_ADDRESS, 0);
	char path[80];
	struct ifreq req;

	name_of(bdf, &req);
	/* Or it can't be used before the kernel has asked for its double. */
	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_dad",
		 req.ifr_name);
	TEST_ASSERT(sysfile_write(path, "0"), "write %s", path);
	set_flags(&req, IFF_UP | IFF_RUNNING);
	TEST_ASSERT(!ioctl(sock, SIOCGIFINDEX, &req), "%s has no index",
		    req.ifr_name);
	new.address = sin6.sin6_addr;
	new.index = req.ifr_ifindex;
	TEST_ASSERT(!ioctl(sock, SIOCSIFADDR, &new), "%s: address: %s",
		    req.ifr_name, strerror(errno));
	close(sock);
}

void nic_peer_down(const char *bdf)
{
	struct ifreq req;

	name_of(bdf, &req);
	set_flags(&req, 0);
}

static void set_limit(int sock, int seconds)
{
	struct timeval limit = { .tv_sec = seconds };

	TEST_ASSERT(!setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit,
				sizeof(limit)) &&
		    !setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &limit,
				sizeof(limit)), "set a time limit");
}

static void *send_stream(void *arg)
{
	struct nic_stream *s = arg;
	__u8 buf[NIC_BLOCK];
	__u64 sent = 0;
	size_t done;
	ssize_t n;

	while (!READ_ONCE(s->stop)) {
		nic_fill(buf, sizeof(buf), NIC_HOST_SEED, sent);
		for (done = 0; done < sizeof(buf); done += n) {
			n = send(s->sock, buf + done, sizeof(buf) - done,
				 MSG_NOSIGNAL);
			TEST_ASSERT(n > 0, "send: %s", strerror(errno));
		}
		sent += sizeof(buf);
		WRITE_ONCE(s->sent, sent);
	}
	TEST_ASSERT(!shutdown(s->sock, SHUT_WR), "shutdown");
	return NULL;
}

static void *receive_stream(void *arg)
{
	struct nic_stream *s = arg;
	__u8 buf[NIC_BLOCK];
	__u64 received = 0;
	size_t diff;
	ssize_t n;

	while ((n = recv(s->sock, buf, sizeof(buf), 0)) > 0) {
		diff = nic_diff(buf, n, NIC_GUEST_SEED, received);
		TEST_ASSERT(diff == n, "byte %llu of the guest's is %#x",
			    received + diff, buf[diff]);
		received += n;
		WRITE_ONCE(s->received, received);
	}
	TEST_ASSERT(!n, "receive: %s", strerror(errno));
	return NULL;
}

void nic_stream_listen(struct nic_stream *s)
{
	struct sockaddr_in6 at = address(NIC_HOST_ADDRESS, NIC_PORT);
	int on = 1;

	memset(s, 0, sizeof(*s));
	s->listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	TEST_ASSERT(!setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &on,
				sizeof(on)) &&
		    !bind(s->listener, (void *)&at, sizeof(at)) &&
		    !listen(s->listener, 1), "listen: %s", strerror(errno));
	set_limit(s->listener, LOST_SECONDS);
}

void nic_stream_start(struct nic_stream *s)
{
	s->sock = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
	TEST_ASSERT(s->sock >= 0, "the guest does not connect: %s",
		    strerror(errno));
	set_limit(s->sock, LOST_SECONDS);
	TEST_ASSERT(!pthread_create(&s->sender, NULL, send_stream, s) &&
		    !pthread_create(&s->receiver, NULL, receive_stream, s),
		    "pthread_create");
}

__u64 nic_stream_bytes(struct nic_stream *s)
{
	return READ_ONCE(s->sent) + READ_ONCE(s->received);
}

void nic_stream_stop(struct nic_stream *s)
{
	WRITE_ONCE(s->stop, true);
	pthread_join(s->sender, NULL);
	pthread_join(s->receiver, NULL);
	close(s->sock);
	close(s->listener);
}

static void send_datagram(int sock, __u64 number)
{
	struct sockaddr_in6 to = address(NIC_GUEST_ADDRESS, NIC_PORT);
	__u8 buf[NIC_MAX_DATAGRAM];
	size_t len = sizeof(number);

	memcpy(buf, &number, sizeof(number));
	if (number != NIC_LAST) {
		len = nic_datagram_len(number);
		nic_fill(buf + sizeof(number), len - sizeof(number),
			 NIC_HOST_SEED, nic_datagram_at(number));
	}
	TEST_ASSERT(sendto(sock, buf, len, 0, (void *)&to, sizeof(to)) == len,
		    "send: %s", strerror(errno));
}

/* False: none comes. */
static bool receive_datagram(int sock, __u64 *number)
{
	__u8 buf[NIC_MAX_DATAGRAM];
	size_t len;
	ssize_t n;

	n = recv(sock, buf, sizeof(buf), 0);
	if (n < 0 && errno == EAGAIN)
		return false;
	TEST_ASSERT(n >= (ssize_t)sizeof(*number), "receive: %s",
		    strerror(errno));
	memcpy(number, buf, sizeof(*number));
	TEST_ASSERT_EQ(n, nic_datagram_len(*number));
	len = n - sizeof(*number);
	TEST_ASSERT_EQ(nic_diff(buf + sizeof(*number), len, NIC_GUEST_SEED,
				nic_datagram_at(*number)), len);
	return true;
}

static int datagram_socket(int seconds)
{
	struct sockaddr_in6 at = address(NIC_HOST_ADDRESS, 0);
	int sock = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	TEST_ASSERT(!bind(sock, (void *)&at, sizeof(at)), "bind");
	set_limit(sock, seconds);
	return sock;
}

bool nic_datagrams_answered(void)
{
	int sock = datagram_socket(SHORT_SECONDS);
	bool answered;
	__u64 number;

	send_datagram(sock, 0);
	answered = receive_datagram(sock, &number);
	close(sock);
	return answered;
}

static void *talk(void *arg)
{
	struct nic_datagrams *d = arg;
	__u64 sent = 0, number;
	unsigned int under_way = 0;

	while (!READ_ONCE(d->stop) || under_way) {
		if (!READ_ONCE(d->stop) && under_way < NIC_WINDOW) {
			send_datagram(d->sock, sent++);
			under_way++;
			continue;
		}
		if (!receive_datagram(d->sock, &number)) {
			WRITE_ONCE(d->lost, d->lost + under_way);
			break;
		}
		TEST_ASSERT(number < sent, "number %llu of %llu", number, sent);
		under_way--;
		WRITE_ONCE(d->answered, d->answered + 1);
	}
	return NULL;
}

void nic_datagrams_start(struct nic_datagrams *d)
{
	memset(d, 0, sizeof(*d));
	d->sock = datagram_socket(LOST_SECONDS);
	TEST_ASSERT(!pthread_create(&d->talker, NULL, talk, d),
		    "pthread_create");
}

__u64 nic_datagrams_count(struct nic_datagrams *d)
{
	return READ_ONCE(d->answered);
}

void nic_datagrams_stop(struct nic_datagrams *d)
{
	WRITE_ONCE(d->stop, true);
	pthread_join(d->talker, NULL);
	send_datagram(d->sock, NIC_LAST);
	close(d->sock);
}
