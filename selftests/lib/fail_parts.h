/* SPDX-License-Identifier: GPL-2.0-only */
/* What the steps that are to fail are made of: memory, shares, maps, checks. */
#ifndef TDP_SELFTEST_FAIL_PARTS_H
#define TDP_SELFTEST_FAIL_PARTS_H

#include "fail_sweep.h"

/* For setups. @kept is mapped in most; @mem is there, and not mapped. */
void world_map_kept(struct world *w);
void world_add_mem(struct world *w, enum guest_mem_backing backing);
void world_setup_map_2m(struct world *w);
void world_setup_shared_detached(struct world *w);
void world_setup_shared(struct world *w);
void world_setup_shared_2m(struct world *w);

/* A shared HWPT, with no device; with the testdev. */
int world_alloc_shared(struct world *w);
void world_new_share(struct world *w);

/* All of @mem; the second one asserts, and has DMA to it. */
int world_map_mem(struct world *w);
void world_map_mem_again(struct world *w);

void world_set_dirty_log(struct world *w, bool on);

/* By the device; by vCPUs as well, which take no fault; by KVM's own count. */
void world_expect_all_reached(struct world *w);
void world_use_new_map(struct world *w);
void world_expect_huge_leaves(struct world *w, __u64 nr);

#endif
