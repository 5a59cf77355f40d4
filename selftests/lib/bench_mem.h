/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory that one VM after the other has as its guest's, of known backing. */
#ifndef TDP_SELFTEST_BENCH_MEM_H
#define TDP_SELFTEST_BENCH_MEM_H

#include "guest_mem.h"

struct bench_mem {
	enum guest_mem_backing backing;
	size_t size;
	void *hva;
};

/*
 * All of it present: small pages, no two neighbours of which are adjacent, or as
 * many as the page allocator likes; or huge pages, the last of which need not be
 * the guest's as a whole. False: there are not enough.
 */
bool bench_mem_alloc(struct bench_mem *mem, enum guest_mem_backing backing,
		     size_t size);
void bench_mem_free(struct bench_mem *mem);

/* "4K" and so on. */
const char *bench_backing_name(enum guest_mem_backing backing);
bool bench_backing_parse(const char *name, enum guest_mem_backing *backing);

#endif
