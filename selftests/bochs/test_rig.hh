/* SPDX-License-Identifier: GPL-2.0-only */
/* For the plugin's own tests: a unit that is switched on, and an edu behind it. */
#ifndef BOCHS_TEST_RIG_HH
#define BOCHS_TEST_RIG_HH

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

static inline world pages(bool scalable, int pgtt = PGTT_SECOND)
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

#endif /* BOCHS_TEST_RIG_HH */
