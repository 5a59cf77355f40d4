/* SPDX-License-Identifier: GPL-2.0-only */
/* What every bench program takes from its command line, and prints. */
#ifndef TDP_BENCH_OPTIONS_H
#define TDP_BENCH_OPTIONS_H

#include "bench_mem.h"
#include "iommufd.h"

#define SIZE_1M BIT_ULL(20)

struct options {
	enum guest_mem_backing backing;
	size_t size;
	unsigned int devices;
	unsigned int repeats;
	unsigned int count;	/* what a program makes of it */
	int only;		/* one enum hwpt_kind, or BOTH_KINDS */
};

#define BOTH_KINDS (-1)

static inline bool options_want(const struct options *o, enum hwpt_kind kind)
{
	return o->only == BOTH_KINDS || o->only == (int)kind;
}

/*
 * -b BACKING -m MIB -d DEVICES -r REPEATS -n COUNT
 * -k KIND, each with a default in @o.
 * Prints @what and ends the program for -h, or for what it does not know.
 */
void options_parse(struct options *o, int argc, char **argv, const char *what);

/*
 * The same, and takes the memory that it says. Ends the program as skipped when
 * the machine can't share, or has no such memory.
 */
void options_begin(struct options *o, int argc, char **argv, const char *what,
		   struct bench_mem *mem);

/* One line for scripts/bench-report: "sample FIGURE BACKING MIB DEVICES KIND N". */
void print_sample(const struct options *o, const char *figure,
		  enum hwpt_kind kind, __u64 value);

/*
 * The kinds take turns, and in who comes first as well: what the machine does in
 * a rhythm falls on both.
 */
static inline enum hwpt_kind kind_of_turn(unsigned int repeat, unsigned int turn)
{
	return (repeat + turn) % 2 ? HWPT_SHARED : HWPT_ORDINARY;
}

#endif
