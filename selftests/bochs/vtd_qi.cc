// SPDX-License-Identifier: GPL-2.0-only
/* Invalidations (6.5), the queue that they come by, and page requests (7.4). */
#include "unit.hh"

/* What IQERCD says. */
enum { IQEI_TAIL = 1, IQEI_FETCH = 2, IQEI_TYPE = 3, IQEI_RESERVED = 4, IQEI_WIDTH = 5,
       IQEI_ALIGN = 6 };

/* Granularities, as descriptors and registers have them. */
enum { CC_GLOBAL = 1, CC_DOMAIN = 2, CC_DEVICE = 3 };
enum { IOTLB_GLOBAL = 1, IOTLB_DOMAIN = 2, IOTLB_PAGE = 3 };
enum { PIOTLB_PASID = 2, PIOTLB_PAGE = 3 };
enum { PC_DOMAIN = 0, PC_PASID = 1, PC_GLOBAL = 3 };

/* Keeps a record. True if the invalidation is to be lost. */
bool unit::note(unsigned kind, unsigned gran, bool by_reg, u16 did, u16 sid, u32 pasid,
		u64 addr, unsigned am, bool ih, u64 size)
{
	bool lost = dropped & VTDT_DROP_KIND(kind);
	record r = {
		kind | gran << 8 | (u64)ih << 16 | (u64)lost << 17 | (u64)by_reg << 18 |
			(u64)am << 24 | (u64)did << 32 | (u64)sid << 48,
		pasid, addr, size,
	};

	if (kept.size() < VTDT_INV_KEPT)
		kept.push_back(r);
	else
		kept[nrecords % VTDT_INV_KEPT] = r;
	nrecords++;
	p.trace("unit %d: invalidate kind %u gran %u did %u sid %04x pasid %x addr %llx size %llx ih %d%s",
		number, kind, gran, did, sid, pasid, (unsigned long long)addr,
		(unsigned long long)size, ih, lost ? " LOST" : "");
	return lost;
}

/* 6.5.2.1. FM says which bits of the function number are not looked at. */
void unit::invalidate_context(unsigned gran, u16 did, u16 sid, unsigned fm, bool by_reg)
{
	static const u16 masks[] = { 0, 4, 6, 7 };

	n.context++;
	if (note(VTDT_KIND_CONTEXT, gran, by_reg, did, sid, 0, 0, 0, false, 0))
		return;
	if (gran == CC_GLOBAL)
		contexts.drop_contexts();
	else if (gran == CC_DOMAIN)
		contexts.drop_contexts_of_domain(did);
	else if (gran == CC_DEVICE)
		contexts.drop_context(did, sid, masks[fm]);
}

/* 6.5.2.3. addr has the mask AM in 5:0 and IH in 6. */
void unit::invalidate_iotlb(unsigned gran, u16 did, u64 addr, bool by_reg)
{
	unsigned am = addr & 0x3f;
	bool ih = addr & bit(6);
	u64 size = PAGE_SIZE << am;

	/* A mask beyond MAMV, or no PSI: the unit may do more, and does. */
	if (gran == IOTLB_PAGE && (!c.psi || am > c.mamv))
		gran = IOTLB_DOMAIN;
	switch (gran) {
	case IOTLB_GLOBAL:
		n.global++;
		if (note(VTDT_KIND_IOTLB_GLOBAL, gran, by_reg, 0, 0, 0, 0, 0, false, 0))
			return;
		tlb.drop_all();
		structures.drop_all();
		return;
	case IOTLB_DOMAIN:
		n.domain++;
		if (note(VTDT_KIND_IOTLB_DOMAIN, gran, by_reg, did, 0, 0, 0, 0, false, 0))
			return;
		tlb.drop_domain(did);
		structures.drop_domain(did);
		return;
	case IOTLB_PAGE:
		addr &= ~(size - 1);
		n.page++;
		if (note(VTDT_KIND_IOTLB_PAGE, gran, by_reg, did, 0, 0, addr, am, ih, size))
			return;
		tlb.drop_pages(did, addr, size);
		/* IH: only leaves have changed, what leads to them stays. */
		if (!ih && !(dropped & VTDT_DROP_KIND(VTDT_KIND_PSC)))
			structures.drop_pages(did, addr, size);
		return;
	}
}

/* 6.5.2.2 */
void unit::invalidate_pasid(unsigned gran, u16 did, u32 pasid)
{
	n.pasid++;
	if (note(VTDT_KIND_PASID, gran, false, did, 0, pasid, 0, 0, false, 0))
		return;
	if (gran == PC_GLOBAL)
		contexts.drop_pasids();
	else if (gran == PC_DOMAIN)
		contexts.drop_pasids_of_domain(did);
	else if (gran == PC_PASID)
		contexts.drop_pasid(did, pasid);
}

/* 6.5.2.4: first-stage and nested entries; those of the second stage stay. */
void unit::invalidate_piotlb(unsigned gran, u16 did, u32 pasid, u64 addr)
{
	unsigned am = addr & 0x3f;
	bool ih = addr & bit(6);
	u64 size = PAGE_SIZE << am;

	if (gran == PIOTLB_PASID) {
		n.piotlb_pasid++;
		if (note(VTDT_KIND_PIOTLB_PASID, gran, false, did, 0, pasid, 0, 0, false, 0))
			return;
		tlb.drop_pasid(did, pasid);
		structures.drop_pasid(did, pasid);
		return;
	}
	addr &= ~(size - 1);
	n.piotlb_page++;
	if (note(VTDT_KIND_PIOTLB_PAGE, gran, false, did, 0, pasid, addr, am, ih, size))
		return;
	tlb.drop_pasid_pages(did, pasid, addr, size);
	if (!ih && !(dropped & VTDT_DROP_KIND(VTDT_KIND_PSC)))
		structures.drop_pasid_pages(did, pasid, addr, size);
}

/*
 * 6.5.2.5, 6.5.2.6. With S the lowest bit of the address, from 12 on, that is
 * clear says the size: bit 12 two pages, and so on; all but 63 set says all.
 */
void unit::invalidate_device(u16 sid, u32 pasid, bool every_pasid, u64 addr, bool s)
{
	bool with_pasid = pasid != NO_PASID || every_pasid;
	u64 size = PAGE_SIZE;
	unsigned am = 0;

	addr &= ~0xfffull;
	if (s) {
		am = 1;
		while (am < 52 && (addr & bit(11 + am)))
			am++;
		size = am >= 52 ? 0 : PAGE_SIZE << am;
		addr = size ? addr & ~(size - 1) : 0;
	}
	if (with_pasid)
		n.pdevtlb++;
	else
		n.devtlb++;
	if (note(with_pasid ? VTDT_KIND_PDEVTLB : VTDT_KIND_DEVTLB, every_pasid, false, 0, sid,
		 with_pasid ? pasid : 0, addr, am, false, size))
		return;
	for (auto e : endpoints)
		if (e->source_id() == sid)
			e->invalidate(pasid, every_pasid, addr, size);
}

/* 6.5.2.8: all before it is done, as each is by the time that it was read. */
void unit::wait_descriptor(u64 lo, u64 hi)
{
	u32 status = lo >> 32;

	n.wait++;
	if (lo & bit(5))
		p.write(hi & ~3ull, &status, 4);
	if ((lo & bit(4)) && !(r32(ICS) & 1)) {
		w32(ICS, 1);
		event(IECTL);
	}
}

/* A page group response, chapter 7. */
void unit::response(u16 sid, unsigned prg, unsigned code)
{
	p.trace("unit %d: page response to %04x group %u code %u", number, sid, prg, code);
	for (auto e : endpoints)
		if (e->source_id() == sid)
			e->page_response(prg, code);
}

/*
 * One descriptor. Reserved fields are those of 6.5.2 and, of responses,
 * of chapter 7; the type is in bits 11:9 and 3:0.
 */
bool unit::descriptor(u64 lo, u64 hi, unsigned *error)
{
	static const struct { u64 lo, hi; } reserved[] = {
		{ 0, 0 },	/* 0 */
		{ mask(63, 50) | mask(15, 12) | mask(8, 6), ~0ull },	/* 1 */
		{ mask(63, 32) | mask(15, 12) | bit(8), mask(11, 7) },	/* 2 */
		{ mask(51, 48) | mask(31, 21) | mask(8, 4), mask(11, 1) },	/* 3 */
		{ 0, 0 },	/* 4 */
		{ mask(31, 12) | bit(8), mask(1, 0) },	/* 5 */
		{ mask(63, 52) | mask(15, 12) | mask(8, 6), mask(11, 7) },	/* 6 */
		{ mask(63, 52) | mask(15, 12) | mask(8, 6), ~0ull },	/* 7 */
		{ 0, mask(10, 1) },	/* 8 */
		{ mask(63, 52) | mask(8, 6), mask(63, 12) | mask(1, 0) },	/* 9 */
	};
	unsigned type = (lo & 0xf) | field(lo, 11, 9) << 4;
	unsigned gran = field(lo, 5, 4);

	*error = IQEI_TYPE;
	if (type < 1 || type > 9)
		return false;
	/* PASID and responses are of scalable mode. */
	if (type >= 6 && !c.scalable)
		return false;
	*error = IQEI_RESERVED;
	if ((lo & reserved[type].lo) || (hi & reserved[type].hi))
		return false;
	switch (type) {
	case 1:
		if (!gran)
			return false;
		invalidate_context(gran, field(lo, 31, 16), field(lo, 47, 32), field(lo, 49, 48),
				   false);
		return true;
	case 2:
		if (!gran)
			return false;
		invalidate_iotlb(gran, field(lo, 31, 16), hi, false);
		return true;
	case 3:
		invalidate_device(field(lo, 47, 32), NO_PASID, false, hi, hi & 1);
		return true;
	case 4:		/* interrupt entries: there is no interrupt remapping */
		return true;
	case 5:
		wait_descriptor(lo, hi);
		return true;
	case 6:
		if (gran < 2)
			return false;
		invalidate_piotlb(gran, field(lo, 31, 16), field(lo, 51, 32), hi);
		return true;
	case 7:
		if (gran == 2)
			return false;
		invalidate_pasid(gran, field(lo, 31, 16), field(lo, 51, 32));
		return true;
	case 8:
		invalidate_device(field(lo, 31, 16), field(lo, 51, 32), hi & 1, hi, hi & bit(11));
		return true;
	case 9:
		response(field(lo, 31, 16), field(hi, 11, 3), field(lo, 15, 12));
		return true;
	}
	return false;
}

/* 6.5.2.10: the queue stops at what it could not read, until IQE is cleared. */
void unit::queue_error(unsigned info)
{
	n.iq_errors++;
	p.trace("unit %d: queue error %u at %llx", number, info, (unsigned long long)r64(IQH));
	w64(IQERCD, info);
	w32(FSTS, r32(FSTS) | FSTS_IQE);
	event(FECTL);
}

void unit::run_queue()
{
	u64 iqa = r64(IQA), base = iqa & ADDR_MASK, bytes = PAGE_SIZE << field(iqa, 2, 0);
	bool wide = iqa & bit(11);
	unsigned step = wide ? 32 : 16, error;

	if (!(r32(GSTS) & GCMD_QIE) || (r32(FSTS) & FSTS_IQE))
		return;

	u64 head = r64(IQH), tail = r64(IQT) & mask(18, 4);

	if (wide && !c.scalable)
		return queue_error(IQEI_WIDTH);
	if (tail % step)
		return queue_error(IQEI_ALIGN);
	if (tail >= bytes)
		return queue_error(IQEI_TAIL);
	while (head != tail) {
		u64 q[4] = {};

		for (unsigned i = 0; i < step / 8; i++)
			if (!p.read64(base + head + 8 * i, &q[i]))
				return queue_error(IQEI_FETCH);
		/* Private data of page responses is not in use. */
		if (q[2] || q[3])
			return queue_error(IQEI_RESERVED);
		if (!descriptor(q[0], q[1], &error)) {
			p.trace("unit %d: descriptor %llx %llx", number,
				(unsigned long long)q[0], (unsigned long long)q[1]);
			return queue_error(error);
		}
		head = (head + step) % bytes;
		w64(IQH, head);
	}
}

/* 7.4: into the page request queue, in descriptors of 32 bytes. */
bool unit::page_request(const request &q, u64 addr, int want, unsigned prg)
{
	u64 pqa = r64(PQA), bytes = PAGE_SIZE << field(pqa, 2, 0);
	u64 tail = r64(PQT) & mask(18, 5), next = (tail + 32) % bytes, at = (pqa & ADDR_MASK) + tail;
	translation t;
	context x;
	bool fpd = false;
	fault f;

	if (!c.pri || !enabled())
		return false;
	f = field(root_table, 11, 10) == TTM_LEGACY ? RTA_3_PAGE_REQUEST : lookup(q, &x, &t, &fpd);
	/* SCT.8 */
	if (!f && !x.pre)
		f = SCT_8_PRE;
	/* 7.4.1: a fault, and the function is told that its request is not valid. */
	if (f) {
		if (!fpd)
			record_fault(q, addr, want, AT_UNTRANSLATED, f);
		response(q.sid, prg, RESPONSE_INVALID);
		return false;
	}
	/* Full, or overflown before: lost, and answered as done (7.4.1). */
	if ((r32(PRS) & PRS_PRO) || next == (r64(PQH) & mask(18, 5))) {
		w32(PRS, r32(PRS) | PRS_PRO);
		p.trace("unit %d: page request of %04x lost", number, q.sid);
		event(PECTL);
		response(q.sid, prg, RESPONSE_SUCCESS);
		return false;
	}
	p.write64(at, 1 | (u64)q.sid << 16 |
		  (q.pasid == NO_PASID ? 0 :
		   bit(8) | (u64)q.pasid << 32 | (u64)q.exec << 52 | (u64)q.priv << 53));
	p.write64(at + 8, (u64)!!(want & R) | (u64)!!(want & W) << 1 | bit(2) |
		  (u64)(prg & 0x1ff) << 3 | (addr & ~0xfffull));
	p.write64(at + 16, 0);
	p.write64(at + 24, 0);
	w64(PQT, next);
	p.trace("unit %d: page request of %04x at %llx group %u", number, q.sid,
		(unsigned long long)addr, prg);
	if (!(r32(PRS) & PRS_PPR)) {
		w32(PRS, r32(PRS) | PRS_PPR);
		event(PECTL);
	}
	return true;
}
