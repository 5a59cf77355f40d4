/* SPDX-License-Identifier: GPL-2.0-only */
/* For the plugin's own tests: memory, tables in it, and TAP. */
#ifndef BOCHS_TEST_WORLD_H
#define BOCHS_TEST_WORLD_H

#include <stdarg.h>
#include <stdio.h>
#include <map>
#include <vector>

#include "walk.hh"

/* ---- TAP */

static int tap_count, tap_bad, tap_failed;

/* Says of a case only what fails first. */
static inline void tap_fail(int line, const char *cond) { printf("# line %d: %s\n", line, cond); }

__attribute__((format(printf, 3, 4)))
static inline void tap_fail(int line, const char *cond, const char *format, ...)
{
	va_list args;

	printf("# line %d: %s: ", line, cond);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

#define CHECK(cond, ...) do { \
	if (!(cond) && !tap_bad++) \
		tap_fail(__LINE__, #cond, ##__VA_ARGS__); \
} while (0)

static inline void tap_case(const char *name, void (*body)())
{
	tap_bad = 0;
	body();
	if (tap_bad)
		tap_failed++;
	printf("%sok %d - %s\n", tap_bad ? "not " : "", ++tap_count, name);
}

static int tap_end()
{
	printf("1..%d\n", tap_count);
	return tap_failed != 0;
}

/* ---- memory: sparse, all zero, and none from top on */

class fake_memory : public memory {
public:
	std::map<u64, u64> words;
	u64 top = bit(32);
	u64 reads = 0;
	bool read_only = false;

	bool read64(u64 pa, u64 *v) override
	{
		reads++;
		if (pa >= top)
			return false;
		auto i = words.find(pa);

		*v = i == words.end() ? 0 : i->second;
		return true;
	}
	bool write64(u64 pa, u64 v) override
	{
		if (pa >= top || read_only)
			return false;
		words[pa] = v;
		return true;
	}
};

/* ---- tables: where each is, and an address with another index at each level */

enum { ROOT = 0x1000, CONTEXTS = 0x2000, DIRECTORY = 0x3000, PASIDS = 0x4000,
       SECOND = 0x10000, FIRST = 0x20000 };
#define PAGE		0x5c0000000ull	/* above top, so that nobody reads it as a table */
#define ADDRESS		(1ull << 39 | 2ull << 30 | 3ull << 21 | 4ull << 12 | 0x123)
#define SID		0x0a90		/* bus 10, in the upper half */
#define DID		7

static unsigned index_of(u64 addr, unsigned level)
{
	return (addr >> (12 + 9 * (level - 1))) & 511;
}

struct world {
	caps c;
	fake_memory m;
	u64 rtaddr = ROOT;
	u32 pasid = NO_PASID;
	requester who = { false, false };
	psc_tag tag = {};
	walker *last = NULL;
	u64 ad_set = 0;
	fault where = OK;

	/* The entry of a table of either stage, for an address. */
	u64 &entry(u64 base, unsigned level, u64 addr = ADDRESS)
	{
		return m.words[base + level * 0x1000 + index_of(addr, level) * 8];
	}
	u64 &second(unsigned level) { return entry(SECOND, level); }
	u64 &first(unsigned level) { return entry(FIRST, level); }
	u64 &root(unsigned q) { return m.words[ROOT + (SID >> 8) * 16 + 8 * q]; }
	u64 &context_legacy(unsigned q) { return m.words[CONTEXTS + (SID & 0xff) * 16 + 8 * q]; }
	u64 &context_scalable(unsigned q) { return m.words[CONTEXTS + (SID & 0x7f) * 32 + 8 * q]; }
	u64 &directory() { return m.words[DIRECTORY + (p() >> 6) * 8]; }
	u64 &pasid_entry(unsigned q) { return m.words[PASIDS + (p() & 63) * 64 + 8 * q]; }
	u32 p() const { return pasid == NO_PASID ? 0 : pasid; }

	/* From a top level to a leaf at a level; the second stage maps page, or a table. */
	void map_second(unsigned top, unsigned leaf, u64 addr, u64 page, u64 flags = RW)
	{
		for (unsigned l = top; l > leaf; l--)
			entry(SECOND, l, addr) = (SECOND + (l - 1) * 0x1000) | RW;
		entry(SECOND, leaf, addr) = page | flags | (leaf > 1 ? bit(7) : 0);
	}
	void map_first(unsigned leaf, u64 addr, u64 page, u64 flags = 7)
	{
		for (unsigned l = 4; l > leaf; l--)
			entry(FIRST, l, addr) = (FIRST + (l - 1) * 0x1000) | 7;
		entry(FIRST, leaf, addr) = page | flags | (leaf > 1 ? bit(7) : 0);
	}
	void legacy(unsigned levels = 4, unsigned tt = 0)
	{
		c.scalable = false;
		rtaddr = ROOT;
		root(0) = CONTEXTS | 1;
		root(1) = 0;
		context_legacy(0) = (SECOND + levels * 0x1000) | tt << 2 | 1;
		context_legacy(1) = DID << 8 | (levels - 2);
	}
	void scalable(int pgtt, unsigned levels = 4, bool ad = false)
	{
		c.scalable = true;
		rtaddr = ROOT | bit(10);
		root(0) = 0;
		root(1) = CONTEXTS | 1;
		context_scalable(0) = DIRECTORY | (c.ats ? bit(2) : 0) | (c.pasid ? bit(3) : 0) | 1;
		context_scalable(1) = 0;
		directory() = PASIDS | 1;
		pasid_entry(0) = (pgtt == PGTT_FIRST ? 0 : SECOND + levels * 0x1000) |
				 (u64)ad << 9 | pgtt << 6 | (levels - 2) << 2 | 1;
		pasid_entry(1) = (c.coherent ? bit(23) : 0) | DID;
		pasid_entry(2) = pgtt == PGTT_FIRST || pgtt == PGTT_NESTED ? FIRST + 0x4000 : 0;
	}
	/* When nested: the first stage's tables are where they are. */
	void map_tables_of_first()
	{
		for (unsigned l = 1; l <= 4; l++)
			map_second(4, 1, FIRST + l * 0x1000, FIRST + l * 0x1000);
	}

	/* All the way from the source-id. */
	fault go(u64 addr, int need, leaf *out, paging_cache *cache = NULL)
	{
		walker w(c, m, cache);
		translation t;
		context x;
		bool fpd;
		fault f = read_context(c, m, rtaddr, SID, &x, &fpd);

		if (f)
			return f;
		if (x.scalable) {
			f = read_pasid_entry(c, m, x, pasid == NO_PASID ? x.rid_pasid : pasid, &t, &fpd);
			if (f)
				return f;
		} else {
			legacy_translation(x, &t);
		}
		f = w.walk(t, addr, need, who, out);
		ad_set += w.ad_set;
		return f;
	}
	fault go(int need = R)
	{
		leaf l;

		return go(ADDRESS, need, &l);
	}
	/* The page that it leads to, or a fault reason. */
	u64 at(int need = R, u64 addr = ADDRESS)
	{
		leaf l = {};
		fault f = go(addr, need, &l);

		return f ? (u64)f : l.pa;
	}
};

#endif /* BOCHS_TEST_WORLD_H */
