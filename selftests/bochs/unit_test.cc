// SPDX-License-Identifier: GPL-2.0-only
/*
 * A unit and its functions, without Bochs.
 *
 * 1. What is not invalidated is used on; what is, is walked anew. Exactly: by
 *    domain, address and mask, PASID, and with IH the tables above stay known.
 * 2. What is not present is not cached, but with CM=1.
 * 3. Descriptors: each reserved bit stops the queue, and so does a type that is
 *    none; a wait descriptor writes its status and interrupts.
 * 4. Faults are logged up to the overflow, with an interrupt when it is not masked.
 * 5. A device TLB keeps what ATS said until it is invalidated; page requests are
 *    queued, answered, and lost when the queue is full.
 * 6. A function-level reset ends all that.
 */
#include <string.h>

#include "edu.hh"
#include "test_world.hh"

class fake_alarm : public alarm_clock {
public:
	explicit fake_alarm(sleeper *who) : who(who) {}
	void set(unsigned) override { on = true; }
	void run()
	{
		while (on) {
			on = false;
			who->ring();
		}
	}
	bool on = false;

private:
	sleeper *who;
};

/* Memory of the tables is world's; pages of DMA are not kept, but for their count. */
class fake_platform : public platform {
public:
	fake_memory *m = NULL;
	std::vector<fake_alarm *> alarms;
	u64 msis = 0, last_msi = 0, writes = 0, last_write = 0, last_read = 0;

	bool read64(u64 pa, u64 *v) override { return m->read64(pa, v); }
	bool write64(u64 pa, u64 v) override { return m->write64(pa, v); }
	bool read(u64 pa, void *buf, size_t len) override
	{
		last_read = pa;
		memset(buf, 0x5a, len);
		return true;
	}
	bool write(u64 pa, const void *buf, size_t len) override
	{
		last_write = pa;
		writes++;
		if (len == 4 && pa < m->top) {
			u32 v;

			memcpy(&v, buf, 4);
			m->words[pa] = v;
		}
		return true;
	}
	void msi(u64, u32 data) override
	{
		msis++;
		last_msi = data;
	}
	void intx(u8, bool) override {}
	u64 ept_pointer(unsigned) override { return 0; }
	alarm_clock *new_alarm(sleeper *who) override
	{
		alarms.push_back(new fake_alarm(who));
		return alarms.back();
	}
	void trace(const char *, ...) override {}
	void run()
	{
		for (auto a : alarms)
			a->run();
	}
};

enum { QUEUE = 0x100000, PRQ = 0x110000, STATUS = 0x120000, EDU_SID = 0x80 };

/* A unit that is switched on, and an edu behind it, in a world of tables. */
struct rig {
	world w;
	fake_platform p;
	bench b;
	unit *u;
	edu *e;
	u64 tail = 0;

	explicit rig(const world &from) : w(from)
	{
		p.m = &w.m;
		/* The functions are on bus 0. */
		w.m.words[ROOT] = w.root(0);
		w.m.words[ROOT + 8] = w.root(1);
		if (w.c.scalable)
			for (int q = 0; q < 4; q++)
				w.m.words[CONTEXTS + (EDU_SID & 0x7f) * 32 + 8 * q] = w.context_scalable(q);
		else
			for (int q = 0; q < 2; q++)
				w.m.words[CONTEXTS + EDU_SID * 16 + 8 * q] = w.context_legacy(q);
		u = new unit(0, w.c, p);
		b.p = &p;
		b.units.push_back(u);
		e = new edu(p, *u, EDU_SID, b, 0);
		b.functions.push_back(e);
		on();
	}
	~rig()
	{
		delete e;
		delete u;
		for (auto a : p.alarms)
			delete a;
	}
	void on()
	{
		e->config_write(4, 2, 6);
		u->write(RTADDR, 8, w.rtaddr);
		u->write(GCMD, 4, GCMD_SRTP);
		u->write(IQA, 8, QUEUE | (w.c.scalable ? bit(11) : 0));
		u->write(IQT, 8, 0);
		u->write(GCMD, 4, GCMD_QIE);
		u->write(GCMD, 4, GCMD_QIE | GCMD_TE);
		u->write(PQA, 8, PRQ);
		tail = 0;
	}
	unsigned step() const { return w.c.scalable ? 32 : 16; }
	void queue(u64 lo, u64 hi = 0)
	{
		w.m.words[QUEUE + tail] = lo;
		w.m.words[QUEUE + tail + 8] = hi;
		tail = (tail + step()) % 0x1000;
		u->write(IQT, 8, tail);
	}
	bool error() { return u->read(FSTS, 4) & FSTS_IQE; }
	void clear_error()
	{
		/* Over what was not understood, as a driver does: a wait in its place. */
		u64 head = u->read(IQH, 8);

		w.m.words[QUEUE + head] = 5;
		w.m.words[QUEUE + head + 8] = 0;
		u->write(FSTS, 4, FSTS_IQE);
	}

	/* DMA of edu: a physical address, or 0. */
	u64 store(u64 iova, unsigned len = 4)
	{
		u64 before = p.writes;

		e->mmio_write(0x80, 8, EDU_BUFFER);
		e->mmio_write(0x88, 8, iova);
		e->mmio_write(0x90, 8, len);
		e->mmio_write(0x98, 8, 3);
		return p.writes == before ? 0 : p.last_write;
	}
	u64 reg(unsigned o) { return e->mmio_read(o, 8); }
	void set(unsigned o, u64 v) { e->mmio_write(o, 8, v); }
	u64 find(u64 iova)
	{
		set(VTDT_FIND_IOTLB, iova);
		return reg(VTDT_FIND_IOTLB);
	}
	u64 level(u64 iova)
	{
		set(VTDT_FIND_PSC, iova);
		return reg(VTDT_FIND_PSC);
	}
};

#define A0	0x8000000000ull	/* pages next to each other, with one table */
#define A(n)	(A0 + (n) * 0x1000ull)
#define P(n)	(PAGE + (n) * 0x1000ull)

static world pages(bool scalable, int pgtt = PGTT_SECOND)
{
	world w;

	if (scalable)
		w.c.first = w.c.nest = w.c.ats = w.c.pri = w.c.pasid = true;
	if (scalable)
		w.scalable(pgtt);
	else
		w.legacy();
	if (scalable)
		w.context_scalable(0) |= bit(4);
	for (int i = 0; i < 16; i++)
		if (pgtt == PGTT_SECOND)
			w.map_second(4, 1, A(i), P(i));
		else
			w.map_first(1, A(i), P(i));
	return w;
}

/* Descriptors. */
#define IOTLB_GLOBAL_D		(2 | 1 << 4)
#define IOTLB_DOMAIN_D(did)	(2 | 2 << 4 | (u64)(did) << 16)
#define IOTLB_PAGE_D(did)	(2 | 3 << 4 | (u64)(did) << 16)
#define PIOTLB_D(did, pasid)	(6 | 2 << 4 | (u64)(did) << 16 | (u64)(pasid) << 32)
#define PIOTLB_PAGE_D(did, p)	(6 | 3 << 4 | (u64)(did) << 16 | (u64)(p) << 32)
#define PC_PASID_D(did, pasid)	(7 | 1 << 4 | (u64)(did) << 16 | (u64)(pasid) << 32)
#define DEVTLB_D(sid)		(3 | (u64)(sid) << 32)
#define PDEVTLB_D(sid, pasid)	(8 | (u64)(sid) << 16 | (u64)(pasid) << 32)
#define IH			bit(6)

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

#define ATS_CONTROL	0x106
#define PRI_CONTROL	0x114

static void device_tlb_and_ats()
{
	rig r(pages(true));

	/* Not before ATS is on. */
	r.set(VTDT_DMA_MODE, VTDT_DMA_ATS);
	CHECK(r.store(A(0)) == 0);
	r.e->config_write(ATS_CONTROL, 2, 0x8000);
	for (int i = 0; i < 16; i++)
		CHECK(r.store(A(i)) == P(i));
	CHECK(r.reg(VTDT_ATS_REQUESTS) == 16);
	CHECK(r.reg(VTDT_DEVTLB_ENTRIES) == 16);
	/* The unit's own caches may be empty; the function does not ask again. */
	for (int i = 0; i < 16; i++)
		r.w.entry(SECOND, 1, A(i)) = 0;
	r.queue(IOTLB_GLOBAL_D);
	CHECK(r.store(A(3)) == P(3));
	CHECK(r.reg(VTDT_ATS_REQUESTS) == 16);
	/* Another function's, a PASID's, another page: nothing. */
	r.queue(DEVTLB_D(EDU_SID + 8), A(3));
	r.queue(PDEVTLB_D(EDU_SID, 0), A(3));
	r.queue(DEVTLB_D(EDU_SID), A(2));
	CHECK(r.reg(VTDT_DEVTLB_ENTRIES) == 15);
	CHECK(r.store(A(3)) == P(3));
	/* Four pages, from 4: bits 13:12 say 01, the lowest clear one is 13. */
	r.queue(DEVTLB_D(EDU_SID), A(4) | 0x1000 | 1);
	CHECK(r.reg(VTDT_DEVTLB_ENTRIES) == 11);
	CHECK(r.store(A(3)) == P(3) && r.store(A(8)) == P(8));
	CHECK(r.store(A(4)) == 0 && r.store(A(7)) == 0);
	/* All. */
	r.queue(DEVTLB_D(EDU_SID), mask(62, 12) | 1);
	CHECK(r.reg(VTDT_DEVTLB_ENTRIES) == 0);
	CHECK(r.store(A(3)) == 0);
	/* A refused translation request is no fault; translated DMA is not looked at. */
	CHECK(r.reg(VTDT_FAULTS) == 0);
	r.set(VTDT_DMA_MODE, VTDT_DMA_TRANSLATED);
	CHECK(r.store(P(9)) == P(9));
	/* Without DTE both are refused, and that is one. */
	r.w.m.words[CONTEXTS + (EDU_SID & 0x7f) * 32] &= ~(bit(2) | bit(4));
	r.queue(1 | 1 << 4);
	CHECK(r.store(P(9)) == 0);
	CHECK(r.reg(VTDT_FAULT_REASON) == SCT_5_DTE);
	r.set(VTDT_ATS_REQUEST, A(1) | VTDT_WANT_READ);
	CHECK(r.reg(VTDT_ATS_RESULT) == 0 && r.reg(VTDT_ATS_REASON) == SCT_5_DTE);
}

static void ats_permissions()
{
	rig r(pages(true));

	r.e->config_write(ATS_CONTROL, 2, 0x8000);
	r.w.entry(SECOND, 1, A(1)) &= ~(u64)W;
	r.set(VTDT_ATS_REQUEST, A(0) | VTDT_WANT_READ | VTDT_WANT_WRITE);
	CHECK(r.reg(VTDT_ATS_RESULT) == (P(0) | VTDT_FOUND | VTDT_FOUND_READ | VTDT_FOUND_WRITE));
	CHECK(r.reg(VTDT_ATS_SIZE) == 0x1000);
	r.set(VTDT_ATS_REQUEST, A(1) | VTDT_WANT_READ | VTDT_WANT_WRITE);
	CHECK(r.reg(VTDT_ATS_RESULT) == (P(1) | VTDT_FOUND | VTDT_FOUND_READ));
	CHECK(r.reg(VTDT_DEVTLB_ENTRIES) == 0);
	r.set(VTDT_ATS_REQUEST, A(0) | VTDT_WANT_READ | VTDT_ATS_KEEP);
	CHECK(r.reg(VTDT_DEVTLB_ENTRIES) == 1);
	/* With D to be set, who does not ask to write is not allowed to. */
	world w = pages(true);

	w.pasid_entry(0) |= bit(9);
	rig q(w);

	q.e->config_write(ATS_CONTROL, 2, 0x8000);
	q.set(VTDT_ATS_REQUEST, A(0) | VTDT_WANT_READ);
	CHECK(q.reg(VTDT_ATS_RESULT) == (P(0) | VTDT_FOUND | VTDT_FOUND_READ));
	CHECK(!(q.w.entry(SECOND, 1, A(0)) & bit(9)));
	q.set(VTDT_ATS_REQUEST, A(0) | VTDT_WANT_READ | VTDT_WANT_WRITE);
	CHECK(q.w.entry(SECOND, 1, A(0)) & bit(9));
}

static void page_requests()
{
	rig r(pages(true));
	u64 d;

	r.u->write(PEDATA, 4, 0x43);
	r.u->write(PECTL, 4, 0);
	r.w.entry(SECOND, 1, A(2)) = 0;
	r.set(VTDT_DMA_MODE, VTDT_DMA_ATS);
	r.e->config_write(ATS_CONTROL, 2, 0x8000);
	r.set(VTDT_PRG, 9);
	/* PRI is off: refused. */
	CHECK(r.store(A(2)) == 0);
	CHECK(!(r.reg(0x98) & 1));
	/* On: it waits, with a request in the queue. */
	r.e->config_write(PRI_CONTROL, 2, 1);
	r.store(A(2));
	CHECK(r.reg(0x98) & 1);
	CHECK(r.u->read(PQT, 8) == 32 && r.p.last_msi == 0x43);
	d = r.w.m.words[PRQ];
	CHECK((d & 0xff) == 1 && field(d, 31, 16) == EDU_SID && !(d & bit(8)));
	d = r.w.m.words[PRQ + 8];
	CHECK((d & ~0xfffull) == A(2) && (d & 7) == 6 && field(d, 11, 3) == 9);
	/* Mapped and answered: it goes on. */
	r.w.entry(SECOND, 1, A(2)) = P(2) | RW;
	r.queue(9 | (u64)EDU_SID << 16, 9 << 3);
	CHECK(r.reg(VTDT_RESPONSES) == 1 && r.reg(VTDT_RESPONSE_PRG) == 9);
	r.p.run();
	CHECK(!(r.reg(0x98) & 1));
	CHECK(r.p.last_write == P(2));
	/* Refused: it ends, mapped or not. Not mapped in spite of the answer: it ends too. */
	for (u64 code : { 15, 0 }) {
		u64 failed = r.reg(VTDT_DMA_FAILED), writes;

		r.w.entry(SECOND, 1, A(2)) = 0;
		r.queue(IOTLB_GLOBAL_D);
		r.queue(DEVTLB_D(EDU_SID), mask(62, 12) | 1);
		r.store(A(2));
		CHECK(r.reg(0x98) & 1);
		if (code)
			r.w.entry(SECOND, 1, A(2)) = P(2) | RW;
		writes = r.p.writes;
		r.queue(9 | (u64)EDU_SID << 16 | code << 12, 9 << 3);
		r.p.run();
		CHECK(r.p.writes == writes);
		CHECK(!(r.reg(0x98) & 1));
		CHECK(r.reg(VTDT_DMA_FAILED) > failed);
	}
	/* Full: lost, and answered. */
	u64 sent = r.reg(VTDT_PRQ_SENT);
	for (int i = 0; i < 128; i++)
		r.set(VTDT_PRQ, A(3) | VTDT_WANT_READ);
	CHECK(r.reg(VTDT_PRQ_SENT) == sent + 128);
	CHECK(r.reg(VTDT_PRQ_LOST) == sent + 1);
	CHECK(r.u->read(PRS, 4) & PRS_PRO);
	/* Without PRE a request is a fault. */
	rig q(pages(true));

	q.w.m.words[CONTEXTS + (EDU_SID & 0x7f) * 32] &= ~bit(4);
	q.e->config_write(PRI_CONTROL, 2, 1);
	q.set(VTDT_PRQ, A(3) | VTDT_WANT_READ);
	CHECK(q.reg(VTDT_FAULT_REASON) == SCT_8_PRE);
	CHECK(q.u->read(PQT, 8) == 0);
	CHECK(q.reg(VTDT_RESPONSES) == 1 && q.reg(VTDT_RESPONSE_CODE) == 1);
	/* So it is of a PASID that is not present. */
	q.set(VTDT_PASID, VTDT_WITH_PASID(9));
	q.w.m.words[CONTEXTS + (EDU_SID & 0x7f) * 32] |= bit(4);
	q.queue(1 | 1 << 4);
	q.set(VTDT_PRQ, A(3) | VTDT_WANT_READ);
	CHECK(q.reg(VTDT_FAULT_REASON) == SPT_2_NOT_PRESENT);
	CHECK(q.u->read(PQT, 8) == 0 && q.reg(VTDT_RESPONSES) == 2);
	q.set(VTDT_PASID, 0);
	q.set(VTDT_PRQ, A(3) | VTDT_WANT_READ);
	CHECK(q.u->read(PQT, 8) == 32);
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

static void reset()
{
	rig r(pages(true));

	r.e->config_write(ATS_CONTROL, 2, 0x8000);
	r.set(VTDT_DMA_MODE, VTDT_DMA_ATS);
	CHECK(r.store(A(0)) == P(0));
	CHECK(r.e->config_read(4, 2) == 6);
	r.e->config_write(0x48, 2, 0x8000);
	CHECK(r.e->config_read(0x48, 2) == 0);
	CHECK(r.e->config_read(4, 2) == 0);
	CHECK(r.e->config_read(ATS_CONTROL, 2) == 0);
	CHECK(r.reg(VTDT_FLRS) == ~0ull);	/* memory space is off */
	r.e->config_write(4, 2, 2);
	CHECK(r.reg(VTDT_FLRS) == 1);
	CHECK(r.reg(VTDT_DEVTLB_ENTRIES) == 0);
	CHECK(r.store(A(0)) == 0);		/* not a bus master */
	r.e->config_write(4, 2, 6);
	CHECK(r.store(A(0)) == P(0));
	CHECK(r.reg(VTDT_DMA_MODE) == 0);
	/* MSI, from edu's own register and from a DMA write to the interrupt range. */
	r.e->config_write(0x84, 4, 0xfee00000);
	r.e->config_write(0x8c, 2, 0x44);
	r.e->config_write(0x82, 2, 1);
	r.e->mmio_write(0x60, 4, 1);
	CHECK(r.p.msis == 1 && r.p.last_msi == 0x44);
	CHECK(r.store(0xfee00000, 4) == 0);
	CHECK(r.p.msis == 2);
	CHECK(r.store(0xfee00000, 8) == 0);
	CHECK(r.p.msis == 2);
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
	tap_case("device TLB", device_tlb_and_ats);
	tap_case("ATS: permissions, D", ats_permissions);
	tap_case("page requests, responses, a full queue", page_requests);
	tap_case("invalidation and root table by register", by_register);
	tap_case("context invalidation by function, with masks", context_masks);
	tap_case("function-level reset, MSI", reset);
	tap_case("knobs", knob_names);
	return tap_end();
}
