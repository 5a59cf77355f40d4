/* SPDX-License-Identifier: GPL-2.0-only */
/* What nictalk in the guest and its peer on the host send, and check. */
#ifndef TDP_SELFTEST_NIC_PATTERN_H
#define TDP_SELFTEST_NIC_PATTERN_H

#include <stddef.h>
#include <linux/types.h>

#define NIC_GUEST_SEED	0x9e3779b97f4a7c15ULL	/* who sends it */
#define NIC_HOST_SEED	0xc2b2ae3d27d4eb4fULL
#define NIC_BLOCK	16384	/* bytes of a stream, at a time */

/* A datagram is its number, then the pattern from there on. */
#define NIC_MAX_DATAGRAM 1400
#define NIC_WINDOW	16	/* how many may be under way: no ring overflows */
#define NIC_LAST	(~0ULL)	/* the number that ends it */

static inline __u8 nic_byte(__u64 seed, __u64 at)
{
	return ((at / 8 + 1) * seed) >> (8 * (at % 8));
}

static inline void nic_fill(void *buf, size_t len, __u64 seed, __u64 at)
{
	__u8 *p = buf;
	size_t i;

	for (i = 0; i < len; i++)
		p[i] = nic_byte(seed, at + i);
}

/* The index of the first wrong byte, or @len. */
static inline size_t nic_diff(const void *buf, size_t len, __u64 seed, __u64 at)
{
	const __u8 *p = buf;
	size_t i;

	for (i = 0; i < len && p[i] == nic_byte(seed, at + i); i++)
		;
	return i;
}

/* Where the pattern of a datagram begins. */
static inline __u64 nic_datagram_at(__u64 number)
{
	return number * 4099;
}

static inline size_t nic_datagram_len(__u64 number)
{
	return sizeof(number) +
	       number * 131 % (NIC_MAX_DATAGRAM - sizeof(number));
}

#endif
