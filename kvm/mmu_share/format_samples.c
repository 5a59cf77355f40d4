// SPDX-License-Identifier: GPL-2.0-only
/* The sample entries that the tests of the entry format run through. */
#include <linux/kernel.h>

#include "format_test.h"

static const struct entry_case entry_cases[] = {
	{ NPT, 1, LEAF }, { NPT, 2, LEAF }, { NPT, 3, LEAF },
	{ NPT, 1, DEVICE_READS }, { NPT, 2, DEVICE_READS },
	{ NPT, 3, DEVICE_READS },
	{ NPT, 1, CPU_READS }, { NPT, 2, CPU_READS }, { NPT, 3, CPU_READS },
	{ NPT, 1, CPU_ONLY }, { NPT, 2, CPU_ONLY }, { NPT, 3, CPU_ONLY },
	{ NPT, 1, CPU_ONLY_RO }, { NPT, 2, CPU_ONLY_RO },
	{ NPT, 3, CPU_ONLY_RO },
	{ NPT, 1, DEVICE_ONLY }, { NPT, 2, DEVICE_ONLY },
	{ NPT, 3, DEVICE_ONLY },
	{ NPT, 2, TABLE }, { NPT, 3, TABLE }, { NPT, 4, TABLE },
	{ NPT, 5, TABLE },
	{ NPT, 1, MMIO }, { NPT, 2, MMIO }, { NPT, 3, MMIO },
	{ NPT, 4, MMIO }, { NPT, 5, MMIO },
	{ NPT, 1, NONPRESENT }, { NPT, 2, NONPRESENT }, { NPT, 3, NONPRESENT },
	{ NPT, 4, NONPRESENT }, { NPT, 5, NONPRESENT },
	{ NPT, 1, FROZEN }, { NPT, 2, FROZEN }, { NPT, 3, FROZEN },
	{ NPT, 4, FROZEN }, { NPT, 5, FROZEN },
	{ NPT, 1, ZERO }, { NPT, 5, ZERO },

	{ EPT, 1, LEAF }, { EPT, 2, LEAF }, { EPT, 3, LEAF },
	{ EPT, 1, DEVICE_READS }, { EPT, 2, DEVICE_READS },
	{ EPT, 3, DEVICE_READS },
	{ EPT, 1, CPU_ONLY }, { EPT, 2, CPU_ONLY }, { EPT, 3, CPU_ONLY },
	{ EPT, 1, CPU_ONLY_RO }, { EPT, 2, CPU_ONLY_RO },
	{ EPT, 3, CPU_ONLY_RO },
	{ EPT, 1, DEVICE_ONLY }, { EPT, 2, DEVICE_ONLY },
	{ EPT, 3, DEVICE_ONLY },
	{ EPT, 2, TABLE }, { EPT, 3, TABLE }, { EPT, 4, TABLE },
	{ EPT, 5, TABLE },
	{ EPT, 1, MMIO }, { EPT, 2, MMIO }, { EPT, 3, MMIO },
	{ EPT, 4, MMIO }, { EPT, 5, MMIO },
	{ EPT, 1, NONPRESENT }, { EPT, 2, NONPRESENT }, { EPT, 3, NONPRESENT },
	{ EPT, 4, NONPRESENT }, { EPT, 5, NONPRESENT },
	{ EPT, 1, FROZEN }, { EPT, 2, FROZEN }, { EPT, 3, FROZEN },
	{ EPT, 1, ZERO }, { EPT, 5, ZERO },
};

/* MMIO entries of a guest address, with some generation and access. */
static u64 sample_mmio(enum mmu_share_format fmt)
{
	if (fmt == NPT)
		return BIT_ULL(51) | BIT_ULL(0) | BIT_ULL(1) | 0xfee00000ULL |
		       BIT_ULL(4) | BIT_ULL(6) | BIT_ULL(53) | BIT_ULL(57);
	return BIT_ULL(2) | (7ULL << 3) | 0xfee00000ULL | BIT_ULL(6) |
	       BIT_ULL(8) | BIT_ULL(53) | BIT_ULL(57);
}

u64 mmu_share_sample(const struct entry_case *c)
{
	switch (c->kind) {
	case LEAF:
		return sample_leaf(c->fmt, c->level);
	case DEVICE_READS:
		return c->fmt == NPT ? npt_device_reads(c->level) :
				       ept_both_read(c->level);
	case CPU_READS:
		return npt_cpu_reads(c->level);
	case CPU_ONLY:
		return c->fmt == NPT ? npt_cpu_only(c->level) :
				       ept_cpu_only(c->level);
	case CPU_ONLY_RO:
		return c->fmt == NPT ? npt_cpu_only_ro(c->level) :
				       ept_cpu_only_ro(c->level);
	case DEVICE_ONLY:
		return c->fmt == NPT ? npt_device_only(c->level) :
				       ept_device_only(c->level);
	case TABLE:
		return sample_table(c->fmt, c->level);
	case MMIO:
		return sample_mmio(c->fmt);
	case NONPRESENT:
		return TEST_NONPRESENT;
	case FROZEN:
		return TEST_FROZEN;
	case ZERO:
		return 0;
	}
	return 0;
}

static void entry_case_desc(const struct entry_case *c, char *desc)
{
	static const char * const kind_names[] = {
		[LEAF]		= "leaf",
		[DEVICE_READS]	= "leaf, device reads",
		[CPU_READS]	= "leaf, CPU reads",
		[CPU_ONLY]	= "leaf, CPU-only",
		[CPU_ONLY_RO]	= "leaf, CPU-only, read-only",
		[DEVICE_ONLY]	= "leaf, device-only",
		[TABLE]		= "table",
		[MMIO]		= "MMIO",
		[NONPRESENT]	= "non-present",
		[FROZEN]	= "frozen",
		[ZERO]		= "zero",
	};

	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s level %d %s",
		 fmt_name(c->fmt), c->level, kind_names[c->kind]);
}

KUNIT_ARRAY_PARAM(entry, entry_cases, entry_case_desc);

const void *mmu_share_entry_params(struct kunit *test, const void *prev,
				   char *desc)
{
	return entry_gen_params(test, prev, desc);
}

static const enum mmu_share_format formats[] = { NPT, EPT };

static void format_desc(const enum mmu_share_format *fmt, char *desc)
{
	strscpy(desc, fmt_name(*fmt), KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(format, formats, format_desc);

const void *mmu_share_format_params(struct kunit *test, const void *prev,
				    char *desc)
{
	return format_gen_params(test, prev, desc);
}
