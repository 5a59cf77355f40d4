/* SPDX-License-Identifier: GPL-2.0-only */
/* What a unit can do: its knobs, and the registers CAP and ECAP that say so. */
#ifndef BOCHS_CAPS_H
#define BOCHS_CAPS_H

#include "words.hh"

/* Which reserved bits are not looked at, for tests of these checks. */
enum { UNCHECKED_ROOT = 1, UNCHECKED_CONTEXT = 2, UNCHECKED_PASID = 4,
       UNCHECKED_FIRST = 8, UNCHECKED_SECOND = 16, UNCHECKED_ALL = 31 };

struct caps {
	bool scalable = false;		/* SMTS */
	bool first = false;		/* FSTS */
	bool nest = false;		/* NEST */
	bool ssads = true;
	unsigned leaf = 3;		/* highest level that may have leaves, second stage */
	bool first1g = true;		/* FS1GP */
	unsigned levels = bit(4);	/* bit n: n levels in the second stage */
	unsigned mgaw = 48, haw = 40;
	bool coherent = true;		/* C, SMPWC */
	bool sc = true;			/* snoop control */
	bool psi = true;
	unsigned mamv = 18;
	bool cm = false, rwbf = false;
	bool pt = true;
	unsigned faults = 8;
	bool ats = false, pri = false, pasid = false;
	unsigned pss = 20;
	bool rps = true;		/* RID_PASID counts; else it is ignored, and 0 */
	unsigned unchecked = 0;

	void settle();			/* what follows from what was set */
	u64 cap() const;
	u64 ecap() const;
	u32 version() const;

	/* Bits 51:HAW of an address field: reserved everywhere. */
	u64 beyond_haw() const { return mask(51, 12) & ~mask(haw - 1, 0); }
};

/* What is of the machine and not of a unit. */
struct machine {
	unsigned units = 1;
	unsigned dma_us = 10;
	unsigned vmentry_us = 10;
	char log[256] = "";
};

#define MAX_UNITS 2

struct knobs {
	machine mach;
	caps unit[MAX_UNITS];
	int only = -1;			/* unit that what comes next is about; -1: all */

	/* Takes "name=value". Returns NULL, or what is wrong with it. */
	const char *set(const char *param);
	const char *settle();
};

#endif /* BOCHS_CAPS_H */
