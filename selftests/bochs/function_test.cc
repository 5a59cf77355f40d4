// SPDX-License-Identifier: GPL-2.0-only
/*
 * A function and its unit, without Bochs.
 *
 * 1. A device TLB keeps what ATS said until it is invalidated: that page, that
 *    function, with or without PASID. Without DTE there is neither ATS nor
 *    translated DMA.
 * 2. ATS gives the permissions that were asked for and are there, and sets D when
 *    writing was asked for.
 * 3. Page requests are queued, and answered; what waited goes on. Lost when the
 *    queue is full, and refused of what is not present.
 * 4. A function-level reset ends all that. MSI by register and by DMA.
 */
#include "test_rig.hh"

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

int main()
{
	tap_case("device TLB", device_tlb_and_ats);
	tap_case("ATS: permissions, D", ats_permissions);
	tap_case("page requests, responses, a full queue", page_requests);
	tap_case("function-level reset, MSI", reset);
	return tap_end();
}
