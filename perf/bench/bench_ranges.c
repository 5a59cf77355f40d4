// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same memory mapped by one IOAS range, and by ever more of them: does the
 * cost of a map grow with the number of ranges that are there already?
 */
#include "bench_clock.h"
#include "bench_round.h"
#include "options.h"

static const char what[] =
"Maps guest memory in 1, 4, 16 ... COUNT ranges, and unmaps them.\n";

static void in_ranges(const struct options *o, enum hwpt_kind kind,
		      const struct bench_mem *mem, unsigned int ranges,
		      bool print)
{
	size_t part = mem->size / ranges, at;
	char figure[64];
	struct bench_vm b;
	__u64 start, map;

	bench_vm_create(&b, mem, o->devices);
	bench_vm_attach(&b, kind);
	start = bench_clock();
	for (at = 0; at < mem->size; at += part)
		iommufd_map(b.s.iommufd, b.s.ioas, GPA_HIGH + at,
			    mem->hva + at, part);
	map = bench_clock() - start;
	start = bench_clock();
	for (at = 0; at < mem->size; at += part)
		iommufd_unmap(b.s.iommufd, b.s.ioas, GPA_HIGH + at, part);
	if (print) {
		snprintf(figure, sizeof(figure), "ranges_%u_map_insns", ranges);
		print_sample(o, figure, kind, map);
		snprintf(figure, sizeof(figure), "ranges_%u_unmap_insns",
			 ranges);
		print_sample(o, figure, kind, bench_clock() - start);
	}
	bench_vm_destroy(&b);
}

int main(int argc, char **argv)
{
	struct options o = {
		.backing = BACKING_4K,
		.size = 64 * SIZE_1M,
		.devices = 1,
		.repeats = 3,
		.count = 4096,
	};
	unsigned int i, turn, ranges;
	struct bench_mem mem;

	options_begin(&o, argc, argv, what, &mem);
	bench_clock_start();
	for (i = 0; i <= o.repeats; i++) {
		for (ranges = 1; ranges <= o.count; ranges *= 4) {
			for (turn = 0; turn < 2; turn++) {
				enum hwpt_kind kind = kind_of_turn(i, turn);

				if (!options_want(&o, kind))
					continue;
				in_ranges(&o, kind, &mem, ranges, i);
			}
			/* To warm up, one number of ranges does. */
			if (!i && o.repeats)
				break;
		}
	}
	bench_mem_free(&mem);
	return 0;
}
