// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walkers and table readers, without Bochs.
 *
 * 1. Each size of page, in each stage, with each number of levels, is found.
 * 2. Each permission that is missing at any level refuses what wants it.
 * 3. Of each kind of entry each bit is tried, alone, in a legal entry: a reserved
 *    one gives the fault of its kind, an ignored one changes nothing. With the
 *    check off (unchecked=) the same reserved bit does not give that fault, which
 *    shows that it is the check which refuses.
 * 4. A and D are set where they must be, and nowhere else.
 * 5. Tables where there is no memory, addresses beyond a width, translations into
 *    the interrupt range give faults of their own.
 */
#include "test_world.hh"

#define HAW_TOP		mask(51, 40)	/* reserved with haw=40, in paging entries */
#define HAW_ALL		mask(63, 40)	/* in all other entries */

/* Tries each bit of an entry of w; see 3. above. */
static void try_bits(world w, u64 &(*entry)(world &), const char *name, u64 reserved, u64 ignored,
		     fault want, unsigned unchecked)
{
	u64 legal = entry(w), page = w.at();

	CHECK(page == PAGE + 0x123, "%s: legal gives %#llx", name, (unsigned long long)page);
	CHECK(!(legal & reserved), "%s", name);
	for (unsigned b = 0; b < 64; b++) {
		world v = w;

		entry(v) = legal ^ bit(b);
		if (reserved & bit(b)) {
			CHECK(v.go() == want, "%s bit %u: %#x, not %#x", name, b, v.go(), want);
			v.c.unchecked = unchecked;
			CHECK(v.go() != want, "%s bit %u unchecked", name, b);
		}
		if (ignored & bit(b))
			CHECK(v.at() == page, "%s bit %u: %#llx", name, b, (unsigned long long)v.at());
	}
}

static u64 leaf_page(unsigned level)
{
	return PAGE & ~(bit(12 + 9 * (level - 1)) - 1);
}

/* What is added to the page's address: what of ADDRESS is below the leaf. */
static u64 within(unsigned level)
{
	return ADDRESS & (bit(12 + 9 * (level - 1)) - 1);
}

static void sizes_second()
{
	for (unsigned levels = 3; levels <= 5; levels++)
		for (unsigned level = 1; level <= 3; level++)
			for (int scalable = 0; scalable < 2; scalable++) {
				world w;
				leaf l;
				u64 addr = levels == 3 ? ADDRESS & ~bit(39) : ADDRESS;

				w.c.levels = bit(levels);
				w.c.mgaw = 57;
				if (scalable)
					w.scalable(PGTT_SECOND, levels);
				else
					w.legacy(levels);
				w.map_second(levels, level, addr, leaf_page(level));
				CHECK(w.go(addr, RW, &l) == OK, "levels %u leaf %u", levels, level);
				CHECK(l.pa == leaf_page(level) + within(level));
				CHECK(l.size == bit(12 + 9 * (level - 1)));
				CHECK(l.perm == RW);
			}
}

static void sizes_first()
{
	for (unsigned level = 1; level <= 3; level++) {
		world w;
		leaf l;

		w.c.first = true;
		w.scalable(PGTT_FIRST);
		w.map_first(level, ADDRESS, leaf_page(level));
		CHECK(w.go(ADDRESS, RW, &l) == OK);
		CHECK(l.pa == leaf_page(level) + within(level));
		CHECK(l.size == bit(12 + 9 * (level - 1)));
	}
}

static world nested_world(unsigned first_level = 1, unsigned second_level = 1, bool ad = false)
{
	world w;
	u64 gpa = 0x140000000ull;

	w.c.first = w.c.nest = true;
	w.scalable(PGTT_NESTED, 4, ad);
	w.map_first(first_level, ADDRESS, gpa);
	w.map_tables_of_first();
	/* Of its own below the top: another index than the tables have. */
	gpa += within(first_level) & ~0xfffull;
	for (unsigned l = 4; l > second_level; l--) {
		u64 &e = w.entry(SECOND, l, gpa);

		if (!e)
			e = (SECOND + 0x8000 + (l - 1) * 0x1000) | RW;
	}
	u64 base = second_level == 3 ? SECOND + 0x3000 : SECOND + 0x8000 + second_level * 0x1000;

	if (second_level < 3) {
		u64 &e = w.entry(SECOND, 3, gpa);

		e = (SECOND + 0xa000) | RW;
		if (second_level == 1)
			w.m.words[SECOND + 0xa000 + index_of(gpa, 2) * 8] = (SECOND + 0x9000) | RW;
	}
	w.m.words[base + index_of(gpa, second_level) * 8] =
		leaf_page(second_level) | RW | (second_level > 1 ? bit(7) : 0);
	return w;
}

static void sizes_nested()
{
	for (unsigned first = 1; first <= 3; first++)
		for (unsigned second = 1; second <= 3; second++) {
			world w = nested_world(first, second);
			unsigned small = first < second ? first : second;
			u64 gpa = 0x140000000ull + within(first);
			leaf l;

			CHECK(w.go(ADDRESS, RW, &l) == OK, "%u over %u: %#x", first, second,
			      w.go(ADDRESS, RW, &l));
			CHECK(l.pa == leaf_page(second) + (gpa & (bit(12 + 9 * (second - 1)) - 1)),
			      "%u over %u: %#llx", first, second, (unsigned long long)l.pa);
			CHECK(l.size == bit(12 + 9 * (small - 1)));
		}
}

static world plain(bool scalable, unsigned leaf_level = 1)
{
	world w;

	if (scalable)
		w.scalable(PGTT_SECOND);
	else
		w.legacy();
	w.map_second(4, leaf_level, ADDRESS, leaf_page(leaf_level));
	return w;
}

static world plain_first(unsigned leaf_level = 1)
{
	world w;

	w.c.first = true;
	w.scalable(PGTT_FIRST);
	w.map_first(leaf_level, ADDRESS, leaf_page(leaf_level));
	return w;
}

static void permissions_second()
{
	for (int s = 0; s < 2; s++)
		for (unsigned level = 1; level <= 4; level++) {
			world w = plain(s);

			CHECK(w.go(RW) == OK);
			w.second(level) &= ~(u64)W;
			CHECK(w.go(R) == OK);
			CHECK(w.go(W) == (s ? SGN_6_WRITE : LGN_2_WRITE), "level %u", level);
			w = plain(s);
			w.second(level) &= ~(u64)R;
			CHECK(w.go(W) == OK);
			CHECK(w.go(R) == (s ? SGN_7_READ : LGN_3_READ), "level %u", level);
			w = plain(s);
			w.second(level) &= ~(u64)RW;
			CHECK(w.go(R) == (s ? SSS_2_NOT_PRESENT : LGN_3_READ));
			CHECK(w.go(W) == (s ? SSS_2_NOT_PRESENT : LGN_2_WRITE));
		}
}

static void permissions_first()
{
	for (unsigned level = 1; level <= 4; level++) {
		world w = plain_first();

		CHECK(w.go(RW) == OK);
		w.first(level) &= ~1ull;
		CHECK(w.go(R) == SFS_2_NOT_PRESENT);
		w = plain_first();
		w.first(level) &= ~2ull;
		CHECK(w.go(R) == OK);
		CHECK(w.go(W) == SGN_6_WRITE);
		/* A supervisor may, unless WPE. */
		w.who.priv = true;
		CHECK(w.go(W) == OK);
		w.pasid_entry(2) |= bit(4);
		CHECK(w.go(W) == SGN_6_WRITE);
		w = plain_first();
		w.first(level) &= ~4ull;
		CHECK(w.go(R) == SGN_2_SUPERVISOR);
		w.who.priv = true;
		CHECK(w.go(R) == OK);
		/* XD says something only with NXE, and to who would execute. */
		w = plain_first();
		w.first(level) |= bit(63);
		w.who.exec = true;
		CHECK(w.go(R) == OK);
		w.pasid_entry(2) |= bit(5);
		CHECK(w.go(R) == SGN_3_EXECUTE);
		w.who.exec = false;
		CHECK(w.go(R) == OK);
	}
}

/* A second stage that lacks something for each thing that the first needs of it. */
static void permissions_nested()
{
	world w;

	for (unsigned level = 1; level <= 4; level++) {
		u64 table = FIRST + level * 0x1000;

		w = nested_world();
		CHECK(w.go(R) == OK);
		w = nested_world();
		w.entry(SECOND, 1, table) &= ~(u64)R;
		CHECK(w.go(R) == (level == 4 ? SFS_6_ROOT_READ : SFS_7_READ), "level %u", level);
		w = nested_world();
		w.entry(SECOND, 1, table) &= ~(u64)W;	/* A is to be set there */
		CHECK(w.go(R) == SFS_8_WRITE, "level %u", level);
		w.first(level) |= bit(5);		/* it is set */
		CHECK(w.go(R) == OK, "level %u", level);
		w = nested_world();
		w.entry(SECOND, 1, table) = 0;
		CHECK(w.go(R) == SSS_2_NOT_PRESENT);
		w = nested_world();
		if (level > 1) {
			w.first(level) = bit(49) | 7;	/* a table beyond AW */
			CHECK(w.go(R) == SFS_5_ADDRESS, "level %u: %#x", level, w.go(R));
		}
	}
	w = nested_world();
	w.m.words[SECOND + 0x9000 + index_of(0x140000000ull, 1) * 8] &= ~(u64)W;
	CHECK(w.go(R) == OK);
	CHECK(w.go(W) == SGN_6_WRITE);
}

#define SECOND_ENTRY(n)	[](world &w) -> u64 & { return w.second(n); }
#define FIRST_ENTRY(n)	[](world &w) -> u64 & { return w.first(n); }

/* Entries of the second stage, 9.8. */
static void bits_second()
{
	const u64 ignored = mask(6, 2) | mask(10, 8) | mask(61, 52) | bit(63);

	for (int s = 0; s < 2; s++) {
		fault f = s ? SSS_3_RESERVED : LSL_2_RESERVED;
		world w = plain(s);

		try_bits(w, SECOND_ENTRY(4), "level 4", HAW_TOP | bit(7) | bit(11) | bit(62),
			 ignored, f, UNCHECKED_SECOND);
		try_bits(w, SECOND_ENTRY(3), "level 3", HAW_TOP | bit(11) | bit(62), ignored, f,
			 UNCHECKED_SECOND);
		try_bits(w, SECOND_ENTRY(2), "level 2", HAW_TOP | bit(11) | bit(62), ignored, f,
			 UNCHECKED_SECOND);
		try_bits(w, SECOND_ENTRY(1), "level 1", HAW_TOP | bit(62),
			 ignored | bit(7) | bit(11), f, UNCHECKED_SECOND);
		w.c.sc = false;
		try_bits(w, SECOND_ENTRY(1), "level 1, no SC", HAW_TOP | bit(11) | bit(62),
			 ignored | bit(7), f, UNCHECKED_SECOND);
		w.c.leaf = 2;
		try_bits(w, SECOND_ENTRY(3), "level 3, no 1G", HAW_TOP | bit(7) | bit(11) | bit(62),
			 ignored, f, UNCHECKED_SECOND);
		w.c.leaf = 1;
		try_bits(w, SECOND_ENTRY(2), "level 2, no 2M", HAW_TOP | bit(7) | bit(11) | bit(62),
			 ignored, f, UNCHECKED_SECOND);
	}
}

/* Leaves of 2M and 1G: their page is not PAGE + 0x123, so by hand. */
static void bits_large()
{
	for (int stage = 0; stage < 2; stage++)
		for (unsigned level = 2; level <= 3; level++) {
			world w = stage ? plain_first(level) : plain(true, level);
			u64 base = stage ? FIRST : SECOND, page = w.at();
			u64 within = mask(12 + 9 * (level - 1) - 1, stage ? 13 : 12);
			u64 reserved = HAW_TOP | within | (stage ? 0 : bit(62));
			fault f = stage ? SFS_3_RESERVED : SSS_3_RESERVED;

			CHECK(page == leaf_page(level) + (ADDRESS & (bit(12 + 9 * (level - 1)) - 1)));
			for (unsigned b = 8; b < 64; b++) {
				world v = w;

				v.entry(base, level) ^= bit(b);
				if (reserved & bit(b)) {
					CHECK(v.go() == f, "stage %d level %u bit %u: %#x", stage,
					      level, b, v.go());
					v.c.unchecked = UNCHECKED_ALL;
					CHECK(v.go() != f, "stage %d level %u bit %u", stage, level, b);
				} else if (b > 51 || b < 13) {	/* 12: PAT, of the first stage */
					CHECK(v.at() == page, "stage %d level %u bit %u", stage, level, b);
				}
			}
		}
}

/* Leaves of a size that the unit has not. */
static void sizes_that_are_not()
{
	for (unsigned level = 2; level <= 3; level++)
		for (int s = 0; s < 2; s++) {
			world w = plain(s, level);

			CHECK(w.go() == OK);
			w.c.leaf = level - 1;
			CHECK(w.go() == (s ? SSS_3_RESERVED : LSL_2_RESERVED), "level %u", level);
			w.c.unchecked = UNCHECKED_SECOND;
			CHECK(w.go() == OK);
		}
	world w = plain_first(3);

	CHECK(w.go() == OK);
	w.c.first1g = false;
	CHECK(w.go() == SFS_3_RESERVED);
	w = plain_first(2);
	w.c.first1g = false;
	CHECK(w.go() == OK);
}

/* Entries of the first stage, 9.7. */
static void bits_first()
{
	const u64 ignored = mask(6, 3) | mask(11, 8) | mask(63, 52);
	world w = plain_first();

	try_bits(w, FIRST_ENTRY(4), "level 4", HAW_TOP | bit(7), ignored, SFS_3_RESERVED,
		 UNCHECKED_FIRST);
	try_bits(w, FIRST_ENTRY(3), "level 3", HAW_TOP, ignored, SFS_3_RESERVED, UNCHECKED_FIRST);
	try_bits(w, FIRST_ENTRY(2), "level 2", HAW_TOP, ignored, SFS_3_RESERVED, UNCHECKED_FIRST);
	try_bits(w, FIRST_ENTRY(1), "level 1", HAW_TOP, ignored | bit(7), SFS_3_RESERVED,
		 UNCHECKED_FIRST);
	w.c.first1g = false;
	try_bits(w, FIRST_ENTRY(3), "level 3, no 1G", HAW_TOP | bit(7), ignored, SFS_3_RESERVED,
		 UNCHECKED_FIRST);
}

/* Root and context entries of legacy mode, 9.1 and 9.3. */
static void bits_legacy()
{
	world w = plain(false);

	try_bits(w, [](world &v) -> u64 & { return v.root(0); }, "root", mask(11, 1) | HAW_ALL, 0,
		 LRT_3_RESERVED, UNCHECKED_ROOT);
	try_bits(w, [](world &v) -> u64 & { return v.root(1); }, "root, upper", ~0ull, 0,
		 LRT_3_RESERVED, UNCHECKED_ROOT);
	try_bits(w, [](world &v) -> u64 & { return v.context_legacy(0); }, "context",
		 mask(11, 4) | HAW_ALL, bit(1), LCT_3_RESERVED, UNCHECKED_CONTEXT);
	try_bits(w, [](world &v) -> u64 & { return v.context_legacy(1); }, "context, upper",
		 bit(7) | mask(63, 24), mask(6, 3) | mask(23, 8), LCT_3_RESERVED, UNCHECKED_CONTEXT);
}

static void invalid_legacy()
{
	world w = plain(false);

	CHECK(w.go() == OK);
	w.root(0) = 0;
	CHECK(w.go() == LRT_2_NOT_PRESENT);
	w = plain(false);
	w.context_legacy(0) &= ~1ull;
	CHECK(w.go() == LCT_2_NOT_PRESENT);
	/* Translation types: 1 takes DT, 2 takes PT, 3 is none. */
	for (unsigned tt = 1; tt <= 3; tt++) {
		w = plain(false);
		w.context_legacy(0) |= tt << 2;
		w.c.ats = true;
		CHECK(w.go() == (tt == 3 ? LCT_4_INVALID : OK), "TT %u", tt);
		CHECK(tt != 2 || w.at() == ADDRESS);
		w.c.ats = w.c.pt = false;
		CHECK(w.go() == LCT_4_INVALID, "TT %u", tt);
	}
	/* Address widths: only those of SAGAW. */
	for (unsigned aw = 0; aw < 8; aw++) {
		w = plain(false);
		w.context_legacy(1) = DID << 8 | aw;
		CHECK(w.go() == (aw == 2 ? OK : LCT_4_INVALID), "AW %u", aw);
	}
	/* Tables where no memory is. */
	w = plain(false);
	w.root(0) = bit(33) | 1;
	CHECK(w.go() == LCT_1_ACCESS);
	w = plain(false);
	w.rtaddr = bit(33);
	CHECK(w.go() == LRT_1_ACCESS);
	w = plain(false);
	w.context_legacy(0) = bit(33) | 1;
	CHECK(w.go() == LCT_4_INVALID);
	w = plain(false);
	w.second(3) = bit(33) | RW;
	CHECK(w.go() == LSL_1_ACCESS);
	/* The scalable table, and the unit is not of that mode. */
	w = plain(false);
	w.rtaddr |= bit(10);
	CHECK(w.go() == RTA_1_INVALID);
	w.rtaddr = ROOT | bit(11);
	CHECK(w.go() == RTA_1_INVALID);
	for (unsigned b = 0; b < 64; b++) {
		if (b >= 10 && b < 40)
			continue;
		w = plain(false);
		w.rtaddr ^= bit(b);
		CHECK(w.go() == RTA_1_INVALID, "RTADDR bit %u", b);
		w.c.unchecked = UNCHECKED_ROOT;
		CHECK(w.go() != RTA_1_INVALID, "RTADDR bit %u", b);
	}
}

/* Root, context, PASID-directory and PASID-table entries, 9.2 and 9.4 to 9.6. */
static void bits_scalable()
{
	world w;

	w.c.ats = w.c.pri = w.c.pasid = true;
	w.scalable(PGTT_SECOND);
	w.map_second(4, 1, ADDRESS, PAGE);
	try_bits(w, [](world &v) -> u64 & { return v.root(1); }, "root", mask(11, 1) | HAW_ALL, 0,
		 SRT_3_RESERVED, UNCHECKED_ROOT);
	try_bits(w, [](world &v) -> u64 & { return v.root(0); }, "the other half", 0, ~0ull,
		 SRT_3_RESERVED, UNCHECKED_ROOT);
	try_bits(w, [](world &v) -> u64 & { return v.context_scalable(0); }, "context",
		 mask(8, 5) | HAW_ALL, bit(1) | bit(2) | bit(3) | bit(4) | mask(11, 9),
		 SCT_3_RESERVED, UNCHECKED_CONTEXT);
	try_bits(w, [](world &v) -> u64 & { return v.context_scalable(1); }, "context 1",
		 mask(63, 21), bit(20), SCT_3_RESERVED, UNCHECKED_CONTEXT);
	try_bits(w, [](world &v) -> u64 & { return v.context_scalable(2); }, "context 2", ~0ull, 0,
		 SCT_3_RESERVED, UNCHECKED_CONTEXT);
	try_bits(w, [](world &v) -> u64 & { return v.context_scalable(3); }, "context 3", ~0ull, 0,
		 SCT_3_RESERVED, UNCHECKED_CONTEXT);
	try_bits(w, [](world &v) -> u64 & { return v.directory(); }, "directory",
		 mask(11, 2) | HAW_ALL, bit(1), SPD_3_RESERVED, UNCHECKED_PASID);
	try_bits(w, [](world &v) -> u64 & { return v.pasid_entry(0); }, "PASID entry",
		 bit(5) | mask(11, 10) | HAW_ALL, bit(1), SPT_3_RESERVED, UNCHECKED_PASID);
	try_bits(w, [](world &v) -> u64 & { return v.pasid_entry(1); }, "PASID entry 1",
		 mask(22, 16), mask(63, 24) | mask(15, 0), SPT_3_RESERVED, UNCHECKED_PASID);
	try_bits(w, [](world &v) -> u64 & { return v.pasid_entry(2); }, "PASID entry 2",
		 bit(1) | bit(7) | mask(11, 8) | HAW_ALL, bit(0) | bit(4) | bit(5) | bit(6),
		 SPT_3_RESERVED, UNCHECKED_PASID);
	try_bits(w, [](world &v) -> u64 & { return v.pasid_entry(3); }, "PASID entry 3", ~0ull, 0,
		 SPT_3_RESERVED, UNCHECKED_PASID);
	try_bits(w, [](world &v) -> u64 & { return v.pasid_entry(7); }, "PASID entry 7", ~0ull, 0,
		 SPT_3_RESERVED, UNCHECKED_PASID);
	/* What the unit has not is reserved too. */
	w = plain(true);
	try_bits(w, [](world &v) -> u64 & { return v.context_scalable(0); }, "context, no ATS",
		 mask(8, 2) | HAW_ALL, bit(1) | mask(11, 9), SCT_3_RESERVED, UNCHECKED_CONTEXT);
	w.c.ssads = w.c.sc = w.c.coherent = false;
	w.pasid_entry(1) = DID;
	try_bits(w, [](world &v) -> u64 & { return v.pasid_entry(0); }, "PASID entry, no SSADS",
		 bit(5) | mask(11, 9) | HAW_ALL, bit(1), SPT_3_RESERVED, UNCHECKED_PASID);
	try_bits(w, [](world &v) -> u64 & { return v.pasid_entry(1); }, "PASID entry 1, no SC, no C",
		 mask(24, 16), mask(63, 25) | mask(15, 0), SPT_3_RESERVED, UNCHECKED_PASID);
}

static void invalid_scalable()
{
	world w = plain(true);

	CHECK(w.go() == OK);
	w.root(1) = 0;
	CHECK(w.go() == SRT_2_NOT_PRESENT);
	w = plain(true);
	w.context_scalable(0) &= ~1ull;
	CHECK(w.go() == SCT_2_NOT_PRESENT);
	w = plain(true);
	w.directory() = 0;
	CHECK(w.go() == SPD_2_NOT_PRESENT);
	w = plain(true);
	w.pasid_entry(0) &= ~1ull;
	CHECK(w.go() == SPT_2_NOT_PRESENT);
	/* PRE without DTE. */
	w = plain(true);
	w.c.ats = w.c.pri = true;
	w.context_scalable(0) |= bit(4);
	CHECK(w.go() == SCT_4_INVALID);
	/* 2^7 directory entries of 64 PASIDs, with PDTS 0. */
	w = plain(true);
	w.context_scalable(1) = 1 << 13;
	CHECK(w.go() == SCT_9_RID_PASID);
	w.context_scalable(0) |= 1 << 9;
	CHECK(w.go() == SPD_2_NOT_PRESENT);
	/* Without RPS it does not count. */
	w.c.rps = false;
	CHECK(w.go() == OK);
	w = plain(true);
	w.pasid = 1 << 13;
	CHECK(w.go() == SCT_7_PASID_LARGE);
	for (unsigned pgtt = 0; pgtt < 8; pgtt++) {
		world v;

		v.scalable(pgtt);
		v.map_second(4, 1, ADDRESS, PAGE);
		CHECK(v.go() == (pgtt == PGTT_SECOND || pgtt == PGTT_PASS ? OK : SPT_4_INVALID),
		      "PGTT %u", pgtt);
		CHECK(pgtt != PGTT_PASS || v.at() == ADDRESS);
		v.c.pt = false;
		CHECK(pgtt != PGTT_PASS || v.go() == SPT_4_INVALID);
	}
	for (unsigned aw = 0; aw < 8; aw++) {
		w = plain(true);
		w.pasid_entry(0) = (w.pasid_entry(0) & ~mask(4, 2)) | aw << 2;
		CHECK(w.go() == (aw == 2 ? OK : SPT_4_INVALID), "AW %u", aw);
	}
	for (unsigned fspm = 1; fspm < 4; fspm++) {
		w = plain_first();
		w.pasid_entry(2) |= fspm << 2;
		CHECK(w.go() == SPT_4_INVALID);
	}
	/* Where no memory is. */
	w = plain(true);
	w.rtaddr = bit(33) | bit(10);
	CHECK(w.go() == SRT_1_ACCESS);
	w = plain(true);
	w.root(1) = bit(33) | 1;
	CHECK(w.go() == SCT_1_ACCESS);
	w = plain(true);
	w.context_scalable(0) = bit(33) | 1;
	CHECK(w.go() == SPD_1_ACCESS);
	w = plain(true);
	w.directory() = bit(33) | 1;
	CHECK(w.go() == SPT_1_ACCESS);
	w = plain(true);
	w.pasid_entry(0) |= bit(33);
	CHECK(w.go() == SSS_4_ROOT_ACCESS);
	w = plain(true);
	w.second(2) = bit(33) | RW;
	CHECK(w.go() == SSS_1_ACCESS);
	w = plain_first();
	w.pasid_entry(2) |= bit(33);
	CHECK(w.go() == SFS_4_ROOT_ACCESS);
	w = plain_first();
	w.first(2) = bit(33) | 7;
	CHECK(w.go() == SFS_1_ACCESS);
	w = plain(true);
	w.rtaddr = ROOT | mask(11, 10);
	CHECK(w.go() == RTA_4_ABORT);
}

static void addresses()
{
	leaf l;
	world w = plain(true);

	CHECK(w.go(ADDRESS | bit(48), R, &l) == SGN_5_ADDRESS);
	CHECK(w.go(ADDRESS | bit(63), R, &l) == SGN_5_ADDRESS);
	w.c.mgaw = 39;
	CHECK(w.go() == SGN_5_ADDRESS);
	w = plain(false);
	CHECK(w.go(ADDRESS | bit(48), R, &l) == LGN_1_ADDRESS);
	w = plain_first();
	CHECK(w.go(ADDRESS | bit(47), R, &l) == SGN_1_CANONICAL);
	CHECK(w.go(ADDRESS | bit(60), R, &l) == SGN_1_CANONICAL);
	CHECK(w.go(ADDRESS | mask(63, 47), R, &l) == SFS_2_NOT_PRESENT);
	/* The interrupt range. */
	for (int s = 0; s < 2; s++) {
		w = plain(s);
		w.second(1) = 0xfee00000 | RW;
		CHECK(w.go() == (s ? SGN_8_INTERRUPT : LGN_4_INTERRUPT));
		w.second(1) = 0xfed00000 | RW;
		CHECK(w.go() == OK);
	}
	w = plain_first();
	w.first(1) = 0xfeeff000 | 7;
	CHECK(w.go() == SGN_8_INTERRUPT);
}

static void accessed_dirty_second()
{
	for (int ad = 0; ad < 2; ad++) {
		world w = plain(true);

		w.pasid_entry(0) |= (u64)ad << 9;
		CHECK(w.go(R) == OK);
		CHECK(w.ad_set == (ad ? 4u : 0u));
		for (unsigned level = 1; level <= 4; level++)
			CHECK((w.second(level) & mask(9, 8)) == (ad ? bit(8) : 0), "level %u", level);
		CHECK(w.go(W) == OK);
		CHECK(w.ad_set == (ad ? 5u : 0u));
		CHECK((w.second(1) & mask(9, 8)) == (ad ? mask(9, 8) : 0));
		CHECK((w.second(2) & bit(9)) == 0);
	}
	/* A refused write sets neither in the leaf. */
	world w = plain(true);

	w.pasid_entry(0) |= bit(9);
	w.second(1) &= ~(u64)W;
	CHECK(w.go(W) == SGN_6_WRITE);
	CHECK((w.second(1) & mask(9, 8)) == 0);
	/* Walks that are not snooped can't set them; nor can memory that is not written. */
	w = plain(true);
	w.pasid_entry(0) |= bit(9);
	w.pasid_entry(1) &= ~bit(23);
	CHECK(w.go(R) == SSS_5_SNOOP);
	w = plain(true);
	w.pasid_entry(0) |= bit(9);
	w.m.read_only = true;
	CHECK(w.go(R) == SSS_6_UPDATE);
}

static void accessed_dirty_first()
{
	world w = plain_first();

	CHECK(w.go(R) == OK);
	for (unsigned level = 1; level <= 4; level++)
		CHECK((w.first(level) & mask(6, 5)) == bit(5), "level %u", level);
	CHECK(w.go(W) == OK);
	CHECK((w.first(1) & mask(6, 5)) == mask(6, 5));
	CHECK((w.first(2) & bit(6)) == 0);
	w = plain_first();
	w.pasid_entry(1) &= ~bit(23);
	CHECK(w.go(R) == SFS_9_SNOOP);
	w = plain_first();
	w.m.read_only = true;
	CHECK(w.go(R) == SFS_10_UPDATE);
	/* Nested: setting A in a first-stage table dirties the page that holds it. */
	w = nested_world(1, 1, true);
	CHECK(w.go(R) == OK);
	for (unsigned level = 1; level <= 4; level++)
		CHECK((w.entry(SECOND, 1, FIRST + level * 0x1000) & mask(9, 8)) == mask(9, 8));
	CHECK((w.m.words[SECOND + 0x9000 + index_of(0x140000000ull + 0, 1) * 8] & mask(9, 8)) == bit(8));
	CHECK(w.go(W) == OK);
	CHECK((w.m.words[SECOND + 0x9000 + index_of(0x140000000ull + 0, 1) * 8] & mask(9, 8)) ==
	      mask(9, 8));
}

int main()
{
	tap_case("second stage: 4K, 2M, 1G, with 3, 4 and 5 levels", sizes_second);
	tap_case("first stage: 4K, 2M, 1G", sizes_first);
	tap_case("nested: each size over each", sizes_nested);
	tap_case("second stage: what each level forbids", permissions_second);
	tap_case("first stage: what each level forbids", permissions_first);
	tap_case("nested: what the second stage forbids the first", permissions_nested);
	tap_case("second stage: reserved and ignored bits, 9.8", bits_second);
	tap_case("large leaves: reserved and ignored bits", bits_large);
	tap_case("leaves of a size that the unit has not", sizes_that_are_not);
	tap_case("first stage: reserved and ignored bits, 9.7", bits_first);
	tap_case("legacy mode: reserved and ignored bits, 9.1, 9.3", bits_legacy);
	tap_case("legacy mode: what is not valid", invalid_legacy);
	tap_case("scalable mode: reserved and ignored bits, 9.2, 9.4 to 9.6", bits_scalable);
	tap_case("scalable mode: what is not valid", invalid_scalable);
	tap_case("addresses beyond a width, and in the interrupt range", addresses);
	tap_case("second stage: A and D", accessed_dirty_second);
	tap_case("first stage and nested: A and D", accessed_dirty_first);
	return tap_end();
}
