// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lives of a VM with assigned devices, in turns with a second-level table for
 * vCPUs and device and with one each: tables, NPT faults, instructions.
 */
#include "bench_clock.h"
#include "bench_round.h"
#include "mmu_share.h"
#include "options.h"

static const char what[] =
"Measures attach, map, first touch, unmap and memslot delete of guest memory.\n";

static void print_counts(const struct options *o, enum hwpt_kind kind,
			 const struct bench_round *r)
{
	print_sample(o, "table_bytes", kind, r->table_bytes);
	print_sample(o, "unmap_flushes", kind, r->flushes);
	if (kind == HWPT_SHARED)
		printf("# leaves of 4K, 2M, 1G: %llu %llu %llu\n", r->leaves[0],
		       r->leaves[1], r->leaves[2]);
}

static void print_instructions(const struct options *o, enum hwpt_kind kind,
			       const struct bench_round *r)
{
	print_sample(o, "vm_table_bytes", kind, r->vm_table_bytes);
	print_sample(o, "npt_faults", kind, r->npt_faults);
	print_sample(o, "map_insns", kind, r->map);
	print_sample(o, "touch_insns", kind, r->touch);
	print_sample(o, "map_touch_insns", kind, r->map + r->touch);
	print_sample(o, "unmap_insns", kind, r->unmap);
}

int main(int argc, char **argv)
{
	struct options o = {
		.backing = BACKING_4K,
		.size = 256 * SIZE_1M,
		.devices = 1,
		.repeats = 3,
	};
	struct bench_round r;
	struct bench_mem mem;
	unsigned int i, turn;

	options_begin(&o, argc, argv, what, &mem);
	bench_clock_start();

	/* The first lives warm up: what is counted there is not measured. */
	for (i = 0; i <= o.repeats; i++) {
		for (turn = 0; turn < 2; turn++) {
			enum hwpt_kind kind = kind_of_turn(i, turn);

			if (!options_want(&o, kind))
				continue;
			bench_round(&r, kind, &mem, o.devices, !i);
			if (i)
				print_instructions(&o, kind, &r);
			else
				print_counts(&o, kind, &r);
		}
	}
	bench_mem_free(&mem);
	return 0;
}
