// SPDX-License-Identifier: GPL-2.0-only
/*
 * A unit: its caches, its queue and its fault log, without Bochs.
 *
 * 1. What is not invalidated is used on; what is, is walked anew. Exactly: by
 *    domain, address and mask, PASID, and with IH the tables above stay known.
 * 2. What is not present is not cached, but with CM=1.
 * 3. Descriptors: each reserved bit stops the queue, and so does a type that is
 *    none; a wait descriptor writes its status and interrupts.
 * 4. Faults are logged up to the overflow, with an interrupt when it is not masked.
 * 5. Knobs are what CAP and ECAP say.
 */
#include "test_rig.hh"

static void fill(rig &r)
{
	for (int i = 0; i < 16; i++)
		CHECK(r.store(A(i)) == P(i), "page %d", i);
}

/* Which of the 16 pages are in the IOTLB, as a mask. */
static unsigned cached(rig &r)
{
	unsigned m = 0;

	for (int i = 0; i < 16; i++)
		m |= (r.find(A(i)) != 0) << i;
	return m;
}

static void keeps()
{
	for (int s = 0; s < 2; s++) {
		rig r(pages(s));

		fill(r);
		CHECK(cached(r) == 0xffff);
		for (int i = 0; i < 16; i++)
			r.w.entry(SECOND, 1, A(i)) = 0;
		fill(r);
		CHECK(r.reg(VTDT_WALKS) == 16);
		CHECK(r.reg(VTDT_IOTLB_HITS) == 16);
		r.queue(IOTLB_DOMAIN_D(DID));
		CHECK(!r.error());
		CHECK(r.store(A(0)) == 0);
		CHECK(r.reg(VTDT_FAULT_REASON) == (s ? SSS_2_NOT_PRESENT : LGN_2_WRITE));
	}
}

static void page_ranges()
{
	for (int s = 0; s < 2; s++)
		for (unsigned am = 0; am <= 4; am++) {
			rig r(pages(s));
			unsigned n = 1u << am, at = 8 & ~(n - 1);
			unsigned gone = am == 4 ? 0xffff : ((1u << n) - 1) << at;

			fill(r);
			r.queue(IOTLB_PAGE_D(DID + 1), A(8) | am);
			CHECK(cached(r) == 0xffff, "another domain's");
			r.queue(IOTLB_PAGE_D(DID), A(8) | am);
			CHECK(cached(r) == (0xffffu & ~gone), "am %u: %x", am, cached(r));
			u64 n_records = r.reg(VTDT_INV_COUNT);
			CHECK(n_records == 2);
			r.set(VTDT_INV_INDEX, 1);
			u64 what = r.reg(VTDT_INV_WHAT);
			CHECK(VTDT_INV_KIND(what) == VTDT_KIND_IOTLB_PAGE);
			CHECK(VTDT_INV_DID(what) == DID);
			CHECK(VTDT_INV_MASK(what) == am);
			CHECK(!VTDT_INV_IH(what));
			CHECK(r.reg(VTDT_INV_ADDR) == A(at));
			CHECK(r.reg(VTDT_INV_SIZE) == n * 0x1000ull);
		}
}

/* Another second stage for one function: with A and D where the mode has them. */
static void own_roots()
{
	for (int s = 0; s < 2; s++) {
		rig r(pages(s));
		u64 other = 0x200000;

		CHECK(r.store(A(0)) == P(0));
		r.w.m.words[other + index_of(A0, 4) * 8] = (other + 0x1000) | RW;
		r.w.m.words[other + 0x1000] = (other + 0x2000) | RW;
		r.w.m.words[other + 0x2000] = (other + 0x3000) | RW;
		r.w.m.words[other + 0x3000] = P(7) | RW;
		r.set(VTDT_ROOT, other);
		CHECK(r.store(A(0)) == P(7));
		CHECK((r.w.m.words[other + 0x3000] & mask(9, 8)) == (s ? mask(9, 8) : 0));
		CHECK(r.store(A(1)) == 0);
		CHECK(r.reg(VTDT_FAULT_REASON) == (s ? SSS_2_NOT_PRESENT : LGN_2_WRITE));
		/* Cached until it is flushed; the domain's invalidations are not about it. */
		r.w.m.words[other + 0x3000] = 0;
		r.queue(IOTLB_DOMAIN_D(DID));
		CHECK(r.store(A(0)) == P(7));
		r.set(VTDT_ROOT_FLUSH, 1);
		CHECK(r.store(A(0)) == 0);
		r.set(VTDT_ROOT, 0);
		CHECK(r.store(A(0)) == P(0));
	}
}

/* SNP in a leaf, and PGSNP of the PASID entry. */
static void snoop()
{
	for (int pgsnp = 0; pgsnp < 2; pgsnp++) {
		world w = pages(true);

		w.entry(SECOND, 1, A(1)) |= bit(11);
		w.pasid_entry(1) |= (u64)pgsnp << 24;
		rig r(w);

		CHECK(r.store(A(0)) == P(0) && r.store(A(1)) == P(1));
		CHECK(!!(r.find(A(0)) & VTDT_FOUND_SNOOP) == pgsnp);
		CHECK(r.find(A(1)) & VTDT_FOUND_SNOOP);
	}
}

/* A leaf of 2M goes with any page in it. */
static void large_pages()
{
	world w;

	w.legacy();
	w.map_second(4, 2, A0, PAGE);
	rig r(w);

	CHECK(r.store(A0 + 0x12345) == PAGE + 0x12345);
	CHECK(r.reg(VTDT_IOTLB_ENTRIES) == 1);
	CHECK(r.find(A0 + 0x1ff000) & VTDT_FOUND_2M);
	r.queue(IOTLB_PAGE_D(DID), A0 + 0x200000);
	CHECK(r.reg(VTDT_IOTLB_ENTRIES) == 1);
	r.queue(IOTLB_PAGE_D(DID), A0 + 0x1ff000);
	CHECK(r.reg(VTDT_IOTLB_ENTRIES) == 0);
}

static void ih()
{
	rig r(pages(true));
	u64 table = SECOND + 0x1000;

	fill(r);
	CHECK(r.level(A0) == 1);
	/* The table moves; with IH=1 the old one is used on. */
	r.w.entry(SECOND, 2, A0) = (SECOND + 0x9000) | RW;
	r.w.m.words[SECOND + 0x9000] = P(5) | RW;
	r.queue(IOTLB_PAGE_D(DID), A(0) | IH);
	CHECK(r.level(A0) == 1);
	CHECK(r.store(A(0)) == P(0));
	r.queue(IOTLB_PAGE_D(DID), A(0));
	CHECK(r.level(A0) == 0);
	CHECK(r.store(A(0)) == P(5));
	CHECK(r.w.m.words[table] == (P(0) | RW));
	/* And of another range nothing above is forgotten. */
	r.queue(IOTLB_PAGE_D(DID), A0 + bit(40));
	CHECK(r.level(A0) == 1);
}

static void negative()
{
	for (int cm = 0; cm < 2; cm++) {
		world w = pages(true);

		w.c.cm = cm;
		w.entry(SECOND, 1, A(3)) = 0;
		rig r(w);

		CHECK(r.store(A(3)) == 0);
		r.w.entry(SECOND, 1, A(3)) = P(3) | RW;
		CHECK(r.store(A(3)) == (cm ? 0 : P(3)), "CM %d", cm);
		r.queue(IOTLB_PAGE_D(DID), A(3));
		CHECK(r.store(A(3)) == P(3));
		/* Contexts and PASID entries that were not there: used when they are. */
		rig q(pages(true));

		q.w.pasid_entry(0) &= ~1ull;
		CHECK(q.store(A(0)) == 0);
		CHECK(q.reg(VTDT_FAULT_REASON) == SPT_2_NOT_PRESENT);
		q.w.pasid_entry(0) |= 1;
		CHECK(q.store(A(0)) == P(0));
		/* Present ones stay until they are invalidated. */
		q.w.pasid_entry(0) &= ~1ull;
		q.queue(IOTLB_GLOBAL_D);
		CHECK(q.store(A(0)) == P(0));
		q.queue(PC_PASID_D(DID, 1));
		CHECK(q.store(A(0)) == P(0));
		q.queue(PC_PASID_D(DID + 1, 0));
		CHECK(q.store(A(0)) == P(0));
		q.queue(PC_PASID_D(DID, 0));
		CHECK(q.store(A(0)) == 0);
	}
}

/* Two PASIDs in a domain, with the same first-stage tables. */
static void pasids()
{
	world w = pages(true, PGTT_FIRST);

	w.m.words[PASIDS + 64] = w.pasid_entry(0);
	w.m.words[PASIDS + 72] = w.pasid_entry(1);
	w.m.words[PASIDS + 80] = w.pasid_entry(2);
	rig r(w);

	for (u32 pasid = 0; pasid < 2; pasid++) {
		r.set(VTDT_PASID, VTDT_WITH_PASID(pasid));
		fill(r);
	}
	r.queue(PIOTLB_PAGE_D(DID, 1), A(4) | 2);
	CHECK(cached(r) == 0xff0f, "%x", cached(r));
	r.set(VTDT_PASID, VTDT_WITH_PASID(0));
	CHECK(cached(r) == 0xffff);
	r.queue(PIOTLB_D(DID, 0));
	CHECK(cached(r) == 0);
	CHECK(r.level(A0) == 0);
	r.set(VTDT_PASID, VTDT_WITH_PASID(1));
	CHECK(cached(r) == 0xff0f);
	CHECK(r.level(A0) == 0);	/* IH was 0 */
	fill(r);
	r.queue(PIOTLB_PAGE_D(DID, 1), A(4) | IH);
	CHECK(cached(r) == 0xffef);
	CHECK(r.level(A0) == 1);
	/* A range of the domain: which pages these are, first-stage entries can't say. */
	r.queue(IOTLB_PAGE_D(DID), A(0));
	CHECK(cached(r) == 0);

	/* Second-stage entries have no PASID to go by. */
	rig q(pages(true));

	fill(q);
	q.queue(PIOTLB_D(DID, 0));
	q.queue(PIOTLB_PAGE_D(DID, 0), A(0));
	CHECK(cached(q) == 0xffff);
}

static void lost()
{
	rig r(pages(true));

	fill(r);
	r.set(VTDT_DROP, VTDT_DROP_KIND(VTDT_KIND_IOTLB_PAGE));
	r.queue(IOTLB_PAGE_D(DID), A(0));
	CHECK(cached(r) == 0xffff);
	r.set(VTDT_INV_INDEX, 0);
	CHECK(VTDT_INV_DROPPED(r.reg(VTDT_INV_WHAT)));
	r.queue(IOTLB_DOMAIN_D(DID));
	CHECK(cached(r) == 0);
	fill(r);
	r.set(VTDT_DROP, VTDT_DROP_KIND(VTDT_KIND_PSC));
	r.queue(IOTLB_PAGE_D(DID), A(0));
	CHECK(cached(r) == 0xfffe);
	CHECK(r.level(A0) == 1);
}

static void descriptors()
{
	static const struct { u64 lo, hi, reserved_lo, reserved_hi; } d[] = {
		{ 1 | 1 << 4, 0, mask(63, 50) | mask(15, 12) | mask(8, 6), ~0ull },
		{ IOTLB_GLOBAL_D, 0, mask(63, 32) | mask(15, 12) | bit(8), mask(11, 7) },
		{ DEVTLB_D(EDU_SID), 0, mask(51, 48) | mask(31, 21) | mask(8, 4), mask(11, 1) },
		{ 5, 0, mask(31, 12) | bit(8), mask(1, 0) },
		{ PIOTLB_D(DID, 0), 0, mask(63, 52) | mask(15, 12) | mask(8, 6), mask(11, 7) },
		{ PC_PASID_D(DID, 0), 0, mask(63, 52) | mask(15, 12) | mask(8, 6), ~0ull },
		{ PDEVTLB_D(EDU_SID, 0), 0, 0, mask(10, 1) },
		{ 9, 0, mask(63, 52) | mask(8, 6), mask(63, 12) | mask(1, 0) },
	};
	rig r(pages(true));

	for (auto &x : d) {
		r.queue(x.lo, x.hi);
		CHECK(!r.error(), "type %u", (unsigned)(x.lo & 15));
		for (unsigned b = 0; b < 128; b++) {
			bool lo = b < 64;
			u64 flip = bit(b & 63);

			if (!((lo ? x.reserved_lo : x.reserved_hi) & flip))
				continue;
			r.queue(x.lo ^ (lo ? flip : 0), x.hi ^ (lo ? 0 : flip));
			CHECK(r.error(), "type %u bit %u", (unsigned)(x.lo & 15), b);
			CHECK(r.u->read(IQERCD, 4) == 4);
			r.clear_error();
			CHECK(!r.error());
		}
	}
	for (unsigned type : { 0, 10, 15, 16, 31 }) {
		r.queue((type & 15) | (type >> 4) << 9);
		CHECK(r.error(), "type %u", type);
		CHECK(r.u->read(IQERCD, 4) == 3);
		r.clear_error();
	}
	/* What follows an error waits until that is cleared. */
	fill(r);
	r.queue(0);
	r.queue(IOTLB_GLOBAL_D);
	CHECK(cached(r) == 0xffff);
	r.clear_error();
	CHECK(cached(r) == 0);
	/* A tail beyond the queue, and one that is not aligned. */
	r.u->write(IQT, 8, 0x2000);
	CHECK(r.error() && r.u->read(IQERCD, 4) == 1);
	r.u->write(IQT, 8, r.tail);
	r.u->write(FSTS, 4, FSTS_IQE);
	r.u->write(IQT, 8, r.tail + 16);
	CHECK(r.error() && r.u->read(IQERCD, 4) == 6);
	/* No PASID in legacy mode. */
	rig q(pages(false));

	q.queue(PIOTLB_D(DID, 0));
	CHECK(q.error());
}

static void wait()
{
	rig r(pages(true));

	r.queue(5 | bit(5) | 0x1234ull << 32, STATUS);
	CHECK(r.w.m.words[STATUS] == 0x1234);
	CHECK(r.p.msis == 0);
	/* The interrupt: masked it is pending, and comes when it no longer is. */
	r.u->write(IEDATA, 4, 0x41);
	r.queue(5 | bit(4));
	CHECK(r.p.msis == 0);
	CHECK(r.u->read(IECTL, 4) == (EVENT_MASKED | EVENT_PENDING));
	r.u->write(IECTL, 4, 0);
	CHECK(r.p.msis == 1 && r.p.last_msi == 0x41);
	r.queue(5 | bit(4));
	CHECK(r.p.msis == 1);		/* IWC is still set */
	r.u->write(ICS, 4, 1);
	r.queue(5 | bit(4));
	CHECK(r.p.msis == 2);
}

static void faults()
{
	world w = pages(true);

	w.c.faults = 4;
	rig r(w);

	r.u->write(FEDATA, 4, 0x42);
	r.u->write(FECTL, 4, 0);
	for (int i = 0; i < 5; i++)
		CHECK(r.store(bit(41) + i * 0x1000) == 0);
	CHECK(r.reg(VTDT_FAULTS) == 5);
	CHECK(r.p.msis == 1 && r.p.last_msi == 0x42);	/* one until software has looked */
	CHECK((r.u->read(FSTS, 4) & 3) == (FSTS_PFO | FSTS_PPF));
	for (int i = 0; i < 4; i++) {
		u64 hi = r.u->read(FRCD + 16 * i + 8, 8);

		CHECK(r.u->read(FRCD + 16 * i, 8) == bit(41) + i * 0x1000);
		CHECK(field(hi, 39, 32) == SSS_2_NOT_PRESENT);
		CHECK((hi & 0xffff) == EDU_SID);
		CHECK((hi & bit(63)) && !(hi & bit(62)) && !(hi & bit(31)));
		r.u->write(FRCD + 16 * i + 12, 4, 0x80000000);
	}
	CHECK((r.u->read(FSTS, 4) & 3) == FSTS_PFO);
	r.u->write(FSTS, 4, FSTS_PFO);
	/* With FPD there is no record, and no DMA either. */
	r.w.pasid_entry(0) |= bit(1);
	r.queue(PC_PASID_D(DID, 0));
	CHECK(r.store(bit(41)) == 0);
	CHECK(r.reg(VTDT_FAULTS) == 5);
	/* A PASID is in the record. */
	rig q(pages(true));

	q.set(VTDT_PASID, VTDT_WITH_PASID(5));
	CHECK(q.store(A(0)) == 0);
	CHECK(q.reg(VTDT_FAULT_REASON) == SPT_2_NOT_PRESENT);
	u64 hi = q.u->read(FRCD + 8, 8);
	CHECK((hi & bit(31)) && field(hi, 59, 40) == 5);
}

static void by_register()
{
	rig r(pages(false));

	fill(r);
	r.u->write(IVA, 8, A(2) | 1);
	r.u->write(IOTLB, 8, bit(63) | 3ull << 60 | (u64)DID << 32);
	CHECK(cached(r) == 0xfff3, "%x", cached(r));
	CHECK(field(r.u->read(IOTLB, 8), 58, 57) == 3 && !(r.u->read(IOTLB, 8) & bit(63)));
	r.u->write(IOTLB, 8, bit(63) | 1ull << 60);
	CHECK(cached(r) == 0);
	/* The context is still known. */
	r.w.m.words[CONTEXTS + EDU_SID * 16] = 0;
	CHECK(r.store(A(0)) == P(0));
	r.u->write(CCMD, 8, bit(63) | 3ull << 61 | (u64)(EDU_SID + 1) << 16 | DID);
	CHECK(r.store(A(0)) == P(0));
	r.u->write(CCMD, 8, bit(63) | 3ull << 61 | (u64)EDU_SID << 16 | DID);
	CHECK(r.store(A(0)) == 0);
	CHECK(r.reg(VTDT_FAULT_REASON) == LCT_2_NOT_PRESENT);
	/* A root table is used from SRTP on, not from when its register is written. */
	rig q(pages(false));

	q.u->write(RTADDR, 8, 0x200000);
	CHECK(q.store(A(0)) == P(0));
	q.u->write(GCMD, 4, GCMD_SRTP | GCMD_QIE | GCMD_TE);
	CHECK(q.store(A(0)) == P(0));
	q.queue(1 | 1 << 4);
	CHECK(q.store(A(0)) == 0);
	CHECK(q.reg(VTDT_FAULT_REASON) == LRT_2_NOT_PRESENT);
}

/* A function's context is invalidated by its own number, and by masked ones. */
static void context_masks()
{
	static const struct { unsigned fm; u16 sid; bool hit; } cases[] = {
		{ 0, EDU_SID, true }, { 0, EDU_SID | 4, false }, { 1, EDU_SID | 4, true },
		{ 1, EDU_SID | 2, false }, { 2, EDU_SID | 6, true }, { 2, EDU_SID | 1, false },
		{ 3, EDU_SID | 7, true }, { 3, EDU_SID | 8, false },
	};

	for (auto &k : cases) {
		rig r(pages(true));

		CHECK(r.store(A(0)) == P(0));
		r.w.m.words[CONTEXTS + (EDU_SID & 0x7f) * 32] = 0;
		r.queue(1 | 3 << 4 | (u64)k.sid << 32 | (u64)k.fm << 48);
		CHECK((r.store(A(0)) == 0) == k.hit, "FM %u of %04x", k.fm, k.sid);
	}
}

static void knob_names()
{
	knobs k;

	CHECK(!k.set("mode=scalable") && !k.set("units=2") && !k.set("nest=1"));
	CHECK(!k.set("unit=1") && !k.set("sc=0") && !k.set("leaf=2m") && !k.set("levels=34"));
	CHECK(k.set("colour=red") && k.set("sc=2") && k.set("sc") && k.set("leaf=4m") &&
	      k.set("levels=6"));
	CHECK(!k.settle());
	CHECK(k.unit[0].sc && !k.unit[1].sc && k.unit[0].first && k.unit[1].nest);
	CHECK(field(k.unit[1].cap(), 12, 8) == 6 && field(k.unit[0].cap(), 12, 8) == 4);
	CHECK(field(k.unit[1].cap(), 37, 34) == 1 && field(k.unit[0].cap(), 37, 34) == 3);
	CHECK(!(k.unit[1].ecap() & bit(7)) && (k.unit[0].ecap() & bit(7)));
	CHECK(!k.set("mode=legacy"));
	CHECK(k.settle() != NULL);
}

int main()
{
	tap_case("what is not invalidated is used on", keeps);
	tap_case("a range of pages: exactly these, of that domain", page_ranges);
	tap_case("a large page goes with any part of it", large_pages);
	tap_case("a test's own second stage", own_roots);
	tap_case("who asks for snooping", snoop);
	tap_case("IH keeps the tables above", ih);
	tap_case("what is not present is cached with CM=1 alone", negative);
	tap_case("by PASID: that one, and first-stage entries alone", pasids);
	tap_case("invalidations that are to be lost are", lost);
	tap_case("descriptors: reserved bits, types, tails", descriptors);
	tap_case("wait descriptors: status, interrupt", wait);
	tap_case("fault log, its overflow and its event", faults);
	tap_case("invalidation and root table by register", by_register);
	tap_case("context invalidation by function, with masks", context_masks);
	tap_case("knobs", knob_names);
	return tap_end();
}
