// SPDX-License-Identifier: GPL-2.0-only
/* What every bench program takes from its command line, and prints. */
#include <getopt.h>

#include "options.h"
#include "share_vm.h"

static void help(const char *name, const char *what, int status)
{
	printf("%s [-b 4K|4Kseq|2M|1G] [-m MIB] [-d DEVICES] [-r REPEATS]\n", name);
	printf("\t[-n COUNT] [-k shared|separate]\n%s", what);
	exit(status);
}

void options_parse(struct options *o, int argc, char **argv, const char *what)
{
	int c;

	o->only = BOTH_KINDS;
	/* Whoever reads it may not wait for the end. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((c = getopt(argc, argv, "b:m:d:r:n:k:h")) != -1) {
		switch (c) {
		case 'b':
			if (!bench_backing_parse(optarg, &o->backing))
				help(argv[0], what, 2);
			break;
		case 'm':
			o->size = strtoull(optarg, NULL, 0) * SIZE_1M;
			break;
		case 'd':
			o->devices = strtoul(optarg, NULL, 0);
			break;
		case 'r':
			o->repeats = strtoul(optarg, NULL, 0);
			break;
		case 'n':
			o->count = strtoul(optarg, NULL, 0);
			break;
		case 'k':
			o->only = !strcmp(optarg, "shared") ? HWPT_SHARED :
							      HWPT_ORDINARY;
			break;
		case 'h':
			help(argv[0], what, 0);
			break;
		default:
			help(argv[0], what, 2);
		}
	}
}

void options_begin(struct options *o, int argc, char **argv, const char *what,
		   struct bench_mem *mem)
{
	options_parse(o, argc, argv, what);
	share_vm_require(true);
	if (!bench_mem_alloc(mem, o->backing, o->size)) {
		printf("# no memory of that kind\n");
		exit(KSFT_SKIP);
	}
}

void print_sample(const struct options *o, const char *figure,
		  enum hwpt_kind kind, __u64 value)
{
	printf("sample %s %s %llu %u %s %llu\n", figure,
	       bench_backing_name(o->backing), o->size / SIZE_1M, o->devices,
	       kind == HWPT_SHARED ? "shared" : "separate", value);
}
