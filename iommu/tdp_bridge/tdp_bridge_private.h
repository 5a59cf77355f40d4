/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the bridge's own files share.
 */
#ifndef __TDP_BRIDGE_PRIVATE_H
#define __TDP_BRIDGE_PRIVATE_H

#include <linux/refcount.h>
#include <linux/tdp_bridge.h>
#include <linux/workqueue.h>

/**
 * struct tdp_share_ref - a counted handle on a provider's share
 * @users: holders of the handle
 * @release_work: lets the provider's reference go
 * @share: the provider's object, the provider's module pinned
 */
struct tdp_share_ref {
	refcount_t users;
	struct work_struct release_work;
	struct tdp_share *share;
};

/**
 * struct tdp_bridge_stats - live objects, for debugfs
 * @domains: bound domains
 * @shares: references to shares that the bridge holds
 */
struct tdp_bridge_stats {
	atomic_t domains;
	atomic_t shares;
};

extern struct tdp_bridge_stats tdp_bridge_stats;

#endif /* __TDP_BRIDGE_PRIVATE_H */
