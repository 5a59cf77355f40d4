// SPDX-License-Identifier: GPL-2.0-only
/* Reads root, context and PASID entries, and checks them as chapter 9 says. */
#include <string.h>

#include "tables.hh"

/* Legacy root entry, 9.1, and context entry, 9.3. */
static fault legacy_context(const caps &c, memory &m, u64 root, u16 sid, context *x, bool *fpd)
{
	u64 lo, hi;

	/* 9.1: bits 11:1, 63:HAW and 127:64 are reserved. */
	if (!m.read64(root + (sid >> 8) * 16, &lo) || !m.read64(root + (sid >> 8) * 16 + 8, &hi))
		return LRT_1_ACCESS;
	if (!(lo & 1))
		return LRT_2_NOT_PRESENT;
	if (!(c.unchecked & UNCHECKED_ROOT) &&
	    ((lo & (mask(11, 1) | mask(63, c.haw))) || hi))
		return LRT_3_RESERVED;

	u64 at = (lo & ADDR_MASK) + (sid & 0xff) * 16;

	if (!m.read64(at, &lo) || !m.read64(at + 8, &hi))
		return LCT_1_ACCESS;
	*fpd = lo & bit(1);
	if (!(lo & 1))
		return LCT_2_NOT_PRESENT;
	/* 9.3: bits 11:4 and 63:HAW; of the upper half 7 and 63:24. 6:3 are ignored. */
	if (!(c.unchecked & UNCHECKED_CONTEXT) &&
	    ((lo & (mask(11, 4) | mask(63, c.haw))) || (hi & (bit(7) | mask(63, 24)))))
		return LCT_3_RESERVED;

	unsigned tt = field(lo, 3, 2), aw = field(hi, 2, 0);

	/*
	 * 9.3, TT: 00 untranslated requests only, 01 ATS as well (reserved unless
	 * ECAP.DT), 10 pass-through (reserved unless ECAP.PT), 11 reserved.
	 */
	if (tt == 3 || (tt == 1 && !c.ats) || (tt == 2 && !c.pt))
		return LCT_4_INVALID;
	/* AW must be among SAGAW; with pass-through it must be the largest. */
	if (aw < 1 || aw > 3 || !(c.levels & bit(aw + 2)))
		return LCT_4_INVALID;
	if (tt == 2 && c.levels >> (aw + 3))
		return LCT_4_INVALID;

	x->dte = tt == 1;
	x->pgtt = tt == 2 ? PGTT_PASS : PGTT_SECOND;
	x->levels = aw + 2;
	x->did = field(hi, 23, 8);
	x->second = lo & ADDR_MASK;
	return OK;
}

/* Scalable-mode root entry, 9.2, and context entry, 9.4. */
static fault scalable_context(const caps &c, memory &m, u64 root, u16 sid, context *x, bool *fpd)
{
	bool upper = sid & 0x80;
	u64 q[4];

	/* 9.2: in either half bits 11:1 and 63:HAW are reserved. */
	if (!m.read64(root + (sid >> 8) * 16 + (upper ? 8 : 0), &q[0]))
		return SRT_1_ACCESS;
	if (!(q[0] & 1))
		return SRT_2_NOT_PRESENT;
	if (!(c.unchecked & UNCHECKED_ROOT) && (q[0] & (mask(11, 1) | mask(63, c.haw))))
		return SRT_3_RESERVED;

	u64 at = (q[0] & ADDR_MASK) + (sid & 0x7f) * 32;

	for (int i = 0; i < 4; i++)
		if (!m.read64(at + 8 * i, &q[i]))
			return SCT_1_ACCESS;
	*fpd = q[0] & bit(1);
	if (!(q[0] & 1))
		return SCT_2_NOT_PRESENT;
	/*
	 * 9.4: bits 8:5 and 63:HAW of the first quarter, 63:21 of the second, and
	 * the rest are reserved; so is DTE without ECAP.DT, PASIDE without
	 * ECAP.PASID, PRE without ECAP.PRS.
	 */
	u64 reserved = mask(8, 5) | mask(63, c.haw);

	if (!c.ats)
		reserved |= bit(2);
	if (!c.pasid)
		reserved |= bit(3);
	if (!c.pri)
		reserved |= bit(4);
	if (!(c.unchecked & UNCHECKED_CONTEXT) &&
	    ((q[0] & reserved) || (q[1] & mask(63, 21)) || q[2] || q[3]))
		return SCT_3_RESERVED;
	/* PRE says that ATS is in use. */
	if ((q[0] & bit(4)) && !(q[0] & bit(2)))
		return SCT_4_INVALID;

	x->scalable = true;
	x->dte = q[0] & bit(2);
	x->paside = q[0] & bit(3);
	x->pre = q[0] & bit(4);
	x->pdts = field(q[0], 11, 9);
	x->directory = q[0] & ADDR_MASK;
	/* ECAP.RPS: without it PASID 0 is used, whatever is there. */
	x->rid_pasid = c.rps ? field(q[1], 19, 0) : 0;
	x->rid_priv = q[1] & bit(20);
	/* SCT.9: RID_PASID does not fit the directory: each entry has 64 PASIDs. */
	if (x->rid_pasid >> (x->pdts + 7 + 6))
		return SCT_9_RID_PASID;
	return OK;
}

fault read_context(const caps &c, memory &m, u64 rtaddr, u16 sid, context *out, bool *fpd)
{
	unsigned ttm = field(rtaddr, 11, 10);
	fault f;

	memset(out, 0, sizeof(*out));
	out->sid = sid;
	/* RTA.1: reserved bits (9:0 and 63:HAW), and modes that are not there. */
	if (!(c.unchecked & UNCHECKED_ROOT) && (rtaddr & (mask(9, 0) | mask(63, c.haw))))
		return RTA_1_INVALID;
	switch (ttm) {
	case TTM_LEGACY:
		return legacy_context(c, m, rtaddr & ADDR_MASK, sid, out, fpd);
	case TTM_SCALABLE:
		if (!c.scalable)
			return RTA_1_INVALID;
		f = scalable_context(c, m, rtaddr & ADDR_MASK, sid, out, fpd);
		return f;
	case TTM_ABORT:
		return c.scalable ? RTA_4_ABORT : RTA_1_INVALID;
	}
	return RTA_1_INVALID;
}

/* PASID-directory entry, 9.5, and PASID-table entry, 9.6. */
fault read_pasid_entry(const caps &c, memory &m, const context &x, u32 pasid,
		       translation *t, bool *fpd)
{
	u64 d, q[8];

	memset(t, 0, sizeof(*t));
	t->sid = x.sid;
	t->pasid = pasid;
	t->scalable = true;
	/* SCT.7: 2^(PDTS + 7) directory entries. */
	if (pasid >> (x.pdts + 7 + 6))
		return SCT_7_PASID_LARGE;
	if (!m.read64(x.directory + (pasid >> 6) * 8, &d))
		return SPD_1_ACCESS;
	*fpd |= d & bit(1);
	if (!(d & 1))
		return SPD_2_NOT_PRESENT;
	/* 9.5: bits 11:2 and 63:HAW. */
	if (!(c.unchecked & UNCHECKED_PASID) && (d & (mask(11, 2) | mask(63, c.haw))))
		return SPD_3_RESERVED;

	for (int i = 0; i < 8; i++)
		if (!m.read64((d & ADDR_MASK) + (pasid & 63) * 64 + 8 * i, &q[i]))
			return SPT_1_ACCESS;
	*fpd |= q[0] & bit(1);
	if (!(q[0] & 1))
		return SPT_2_NOT_PRESENT;
	/*
	 * 9.6: bits 11:10 and 63:HAW of the first 64; 22:16 of the second; 11:8 and
	 * 63:HAW of the third; all of the rest. Reserved as well are what the unit
	 * has not: SSADE (9), SSEE (5), PWSNP (23), PGSNP (24), EAFE (7), ERE (1).
	 * CD, EMTE, EMT, PWT, PCD and PAT are ignored without ECAP.MTS.
	 */
	u64 rsvd0 = mask(11, 10) | mask(63, c.haw) | bit(5);
	u64 rsvd1 = mask(22, 16);
	u64 rsvd2 = mask(11, 8) | mask(63, c.haw) | bit(7) | bit(1);

	if (!c.ssads)
		rsvd0 |= bit(9);
	if (!c.coherent)
		rsvd1 |= bit(23);
	if (!c.sc)
		rsvd1 |= bit(24);
	if (!(c.unchecked & UNCHECKED_PASID) &&
	    ((q[0] & rsvd0) || (q[1] & rsvd1) || (q[2] & rsvd2) ||
	     q[3] || q[4] || q[5] || q[6] || q[7]))
		return SPT_3_RESERVED;

	unsigned aw = field(q[0], 4, 2), fspm = field(q[2], 3, 2);

	t->pgtt = field(q[0], 8, 6);
	/* SPT.4: a translation type that is reserved, or that the unit has not. */
	switch (t->pgtt) {
	case PGTT_FIRST:
		if (!c.first)
			return SPT_4_INVALID;
		break;
	case PGTT_SECOND:
		break;
	case PGTT_NESTED:
		if (!c.nest)
			return SPT_4_INVALID;
		break;
	case PGTT_PASS:
		if (!c.pt)
			return SPT_4_INVALID;
		break;
	default:
		return SPT_4_INVALID;
	}
	/* SPT.4: AW is among SAGAW; 5-level first-stage tables there are none (FS5LP). */
	if ((t->pgtt == PGTT_SECOND || t->pgtt == PGTT_NESTED) &&
	    (aw < 1 || aw > 3 || !(c.levels & bit(aw + 2))))
		return SPT_4_INVALID;
	if ((t->pgtt == PGTT_FIRST || t->pgtt == PGTT_NESTED) && fspm)
		return SPT_4_INVALID;

	t->levels = aw + 2;
	t->levels1 = 4;
	t->second = q[0] & ADDR_MASK;
	t->ad = q[0] & bit(9);
	t->did = field(q[1], 15, 0);
	t->pwsnp = q[1] & bit(23);
	t->pgsnp = q[1] & bit(24);
	t->first = q[2] & ADDR_MASK;
	t->sre = q[2] & bit(0);
	t->ere = q[2] & bit(1);
	t->wpe = q[2] & bit(4);
	t->nxe = q[2] & bit(5);
	t->fpd = *fpd;
	return OK;
}

void legacy_translation(const context &x, translation *t)
{
	memset(t, 0, sizeof(*t));
	t->sid = x.sid;
	t->pasid = NO_PASID;
	t->fpd = x.fpd;
	t->did = x.did;
	t->pgtt = x.pgtt;
	t->levels = x.levels;
	t->second = x.second;
}
