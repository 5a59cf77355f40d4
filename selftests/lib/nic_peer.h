/* SPDX-License-Identifier: GPL-2.0-only */
/* The host's end of what nictalk in the guest sends and receives. */
#ifndef TDP_SELFTEST_NIC_PEER_H
#define TDP_SELFTEST_NIC_PEER_H

#include <pthread.h>
#include <stdbool.h>
#include <linux/types.h>

/*
 * IPv6, because of who else is on the hub (scripts/boot): its user network does
 * not know that, but resets connections of IPv4 that are not its own.
 */
#define NIC_HOST_ADDRESS	"fd77::1"
#define NIC_GUEST_ADDRESS	"fd77::2"
#define NIC_PREFIX		64
#define NIC_PORT		7700

/*
 * Before tap_run(): has the host's NIC bypass the IOMMU. What the host maps for
 * its own DMA would come and go in the tables that are counted for leaks.
 */
void nic_peer_bypass(const char *bdf);

/* The NIC at @bdf, which the host's own driver has, gets NIC_HOST_ADDRESS. */
void nic_peer_up(const char *bdf);
void nic_peer_down(const char *bdf);

/* Streams in both directions at once. */
struct nic_stream {
	int listener;
	int sock;
	bool stop;
	__u64 sent;
	__u64 received;
	pthread_t sender;
	pthread_t receiver;
};

void nic_stream_listen(struct nic_stream *s);
void nic_stream_start(struct nic_stream *s);	/* the guest connects */
__u64 nic_stream_bytes(struct nic_stream *s);	/* both directions, so far */
void nic_stream_stop(struct nic_stream *s);	/* the guest has ended, too */

/* Datagrams, each of which the guest answers. */
struct nic_datagrams {
	int sock;
	bool stop;
	__u64 answered;
	__u64 lost;
	pthread_t talker;
};

/* Whether anybody answers. */
bool nic_datagrams_answered(void);
void nic_datagrams_start(struct nic_datagrams *d);
__u64 nic_datagrams_count(struct nic_datagrams *d);
void nic_datagrams_stop(struct nic_datagrams *d);

#endif
