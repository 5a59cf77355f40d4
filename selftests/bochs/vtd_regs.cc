// SPDX-License-Identifier: GPL-2.0-only
/* A unit's registers (11.4), its fault log and its events (chapter 7). */
#include <string.h>

#include "unit.hh"

u64 unit::r64(unsigned o) const
{
	u64 v;

	memcpy(&v, regs + o, 8);
	return v;
}

u32 unit::r32(unsigned o) const
{
	u32 v;

	memcpy(&v, regs + o, 4);
	return v;
}

void unit::w64(unsigned o, u64 v)
{
	memcpy(regs + o, &v, 8);
}

void unit::w32(unsigned o, u32 v)
{
	memcpy(regs + o, &v, 4);
}

void unit::reset()
{
	memset(regs, 0, sizeof(regs));
	memset(&n, 0, sizeof(n));
	memset(&last, 0, sizeof(last));
	tlb.drop_all();
	structures.drop_all();
	contexts.drop_contexts();
	contexts.drop_pasids();
	kept.clear();
	nrecords = 0;
	root_table = 0;
	dropped = 0;
	w32(VER, c.version());
	w64(CAP, c.cap());
	w64(ECAP, c.ecap());
	w32(FECTL, EVENT_MASKED);
	w32(IECTL, EVENT_MASKED);
	w32(PECTL, EVENT_MASKED);
}

u64 unit::read(unsigned o, unsigned len) const
{
	u64 v = 0;

	if (o + len <= sizeof(regs) && len <= 8)
		memcpy(&v, regs + o, len);
	return v;
}

/* An interrupt, or if it is masked a pending one. */
void unit::event(unsigned ctl)
{
	if (r32(ctl) & EVENT_MASKED)
		w32(ctl, r32(ctl) | EVENT_PENDING);
	else
		p.msi((u64)r32(ctl + 12) << 32 | r32(ctl + 8), r32(ctl + 4));
}

/* Primary fault logging, chapter 7. */
void unit::record_fault(const request &q, u64 addr, int need, address_type at, fault f)
{
	u32 status = r32(FSTS);
	bool write = need & W, first = !(status & FSTS_PPF);
	unsigned next = field(status, 15, 8);
	int slot = -1;

	n.faults++;
	last.reason = f;
	last.addr = addr;
	last.sid = q.sid;
	last.pasid = q.pasid == NO_PASID ? 0 : VTDT_WITH_PASID(q.pasid);
	last.write = write;
	p.trace("unit %d: FAULT %#x of %04x at %llx %s", number, f, q.sid,
		(unsigned long long)addr, write ? "write" : "read");

	/* Nothing is recorded after an overflow until software clears it. */
	if (status & FSTS_PFO)
		return;
	/* The oldest stays: FRI says where software begins to read. */
	for (unsigned i = 0; i < c.faults && slot < 0; i++) {
		unsigned k = (next + i) % c.faults;

		if (!(r64(FRCD + 16 * k + 8) & bit(63)))
			slot = k;
	}
	if (slot < 0) {
		w32(FSTS, status | FSTS_PFO);
		return;
	}
	w64(FRCD + 16 * slot, addr & ~0xfffull);
	w64(FRCD + 16 * slot + 8,
	    bit(63) | (write ? 0 : bit(62)) | (u64)at << 60 | (u64)f << 32 |
	    (q.pasid == NO_PASID ? 0 :
	     (u64)q.pasid << 40 | bit(31) | (u64)q.exec << 30 | (u64)q.priv << 29) |
	    q.sid);
	status |= FSTS_PPF;
	if (first)
		status = (status & ~0xff00u) | slot << 8;
	w32(FSTS, status);
	if (first)
		event(FECTL);
}

/* PPF is set while a record has F set. */
void unit::clear_ppf()
{
	for (unsigned i = 0; i < c.faults; i++)
		if (r64(FRCD + 16 * i + 8) & bit(63))
			return;
	w32(FSTS, r32(FSTS) & ~FSTS_PPF);
}

/* Each command is done by the time that the write is. */
void unit::command(u32 v)
{
	u32 s = r32(GSTS);

	if (v & GCMD_SRTP) {
		root_table = r64(RTADDR);
		s |= GCMD_SRTP;			/* RTPS */
	}
	if ((v ^ s) & GCMD_QIE)
		w64(IQH, 0);
	s = (s & ~(GCMD_TE | GCMD_QIE)) | (v & (GCMD_TE | GCMD_QIE));
	p.trace("unit %d: GCMD %08x GSTS %08x root %llx", number, v, s,
		(unsigned long long)root_table);
	w32(GSTS, s);
	run_queue();
}

/* Invalidation by register, of version 5 units and older. */
void unit::context_command(u64 v)
{
	unsigned gran = field(v, 62, 61);

	if ((v & bit(63)) && c.version() < 0x60)
		invalidate_context(gran, v & 0xffff, field(v, 31, 16), field(v, 33, 32), true);
	w64(CCMD, (v & ~(bit(63) | mask(60, 59))) | (u64)gran << 59);
}

void unit::iotlb_command(u64 v)
{
	unsigned gran = field(v, 61, 60);

	if ((v & bit(63)) && c.version() < 0x60)
		invalidate_iotlb(gran, field(v, 47, 32), r64(IVA), true);
	w64(IOTLB, (v & ~(bit(63) | mask(58, 57))) | (u64)gran << 57);
}

void unit::write(unsigned o, unsigned len, u64 v)
{
	if (o + len > sizeof(regs))
		return;
	if (len == 4) {
		write32(o, v);
		return;
	}
	if (len != 8)
		return;
	switch (o) {
	case RTADDR: case IQA: case FEADDR: case IVA: case PQA: case PQH: case PQT:
		w64(o, v);
		return;
	case IQT:
		w64(o, v);
		run_queue();
		return;
	case CCMD:
		context_command(v);
		return;
	case IOTLB:
		iotlb_command(v);
		return;
	}
	write32(o, v);
	write32(o + 4, v >> 32);
}

void unit::write32(unsigned o, u32 v)
{
	switch (o) {
	case GCMD:
		command(v);
		return;
	case FSTS:
		/* Written ones clear; PPF follows the records. */
		w32(FSTS, r32(FSTS) & ~(v & (FSTS_PFO | FSTS_IQE | FSTS_ICE | FSTS_ITE)));
		clear_ppf();
		run_queue();
		return;
	case ICS:
		w32(ICS, r32(ICS) & ~(v & 1));
		return;
	case PRS:
		w32(PRS, r32(PRS) & ~(v & (PRS_PPR | PRS_PRO)));
		return;
	case FECTL: case IECTL: case PECTL:
		if (!(v & EVENT_MASKED) && (r32(o) & EVENT_PENDING)) {
			w32(o, 0);
			event(o);
		} else {
			w32(o, (v & EVENT_MASKED) | (r32(o) & EVENT_PENDING));
		}
		return;
	case FEDATA: case FEADDR: case FEUADDR:
	case IEDATA: case IEADDR: case IEUADDR:
	case PEDATA: case PEADDR: case PEUADDR:
	case PQA: case PQA + 4: case PQH: case PQT:
	case RTADDR: case RTADDR + 4: case IQA: case IQA + 4: case IQT + 4:
	case IVA: case IVA + 4: case CCMD: case IOTLB:
		w32(o, v);
		return;
	case IQT:
		w32(o, v);
		run_queue();
		return;
	case CCMD + 4:
		context_command((u64)v << 32 | r32(CCMD));
		return;
	case IOTLB + 4:
		iotlb_command((u64)v << 32 | r32(IOTLB));
		return;
	}
	/* F is cleared by writing a one to it. */
	if (o >= FRCD && o < FRCD + 16 * c.faults && (o & 0xf) == 0xc) {
		w32(o, r32(o) & ~(v & 0x80000000u));
		clear_ppf();
	}
}
