// SPDX-License-Identifier: GPL-2.0-only
/* The walkers. Bits of entries are those of 9.7 (first stage) and 9.8 (second). */
#include "walk.hh"

static unsigned level_shift(unsigned level)
{
	return 12 + 9 * (level - 1);
}

static u64 entry_address(u64 table, u64 addr, unsigned level)
{
	return table + ((addr >> level_shift(level)) & 511) * 8;
}

/* ---- second stage */

/*
 * 9.8. Reserved: address bits from HAW on; bit 7 where no leaf may be (levels 5
 * and 4, and below according to CAP.SSLPS); address bits within a large page;
 * bit 11 but for SNP, which leaves have if ECAP.SC; bit 62 (TM, in no use).
 * Ignored: 63, 61:52, X, the memory type; A and D unless SSADE.
 */
u64 walker::second_reserved(u64 e, unsigned level, bool is_leaf) const
{
	u64 r = c.beyond_haw() | bit(62);

	if (c.unchecked & UNCHECKED_SECOND)
		return 0;
	if (level > 3 || level > c.leaf)
		r |= level > 1 ? bit(7) : 0;
	if (is_leaf && level > 1)
		r |= mask(level_shift(level) - 1, 12);
	if (!is_leaf || !c.sc)
		r |= bit(11);
	return e & r;
}

fault walker::second_stage(const translation &t, u64 gpa, int need, leaf *out)
{
	const psc_tag tag = { t.did, NO_PASID, false };
	unsigned level = t.levels, width = 12 + 9 * t.levels;
	u64 table = t.second;
	bool root = true;
	int perm = RW;

	/* LGN.1, SGN.5: above what AW, or MGAW, reaches. */
	if (width > c.mgaw)
		width = c.mgaw;
	if (width < 64 && gpa >> width)
		return t.scalable ? SGN_5_ADDRESS : LGN_1_ADDRESS;
	if (psc && psc->find(tag, gpa, &level, &table, &perm))
		root = false;

	for (;; level--, root = false) {
		u64 at = entry_address(table, gpa, level), e;

		/* LCT.4.3, SSS.4: what the context points to; else LSL.1, SSS.1. */
		if (!m.read64(at, &e)) {
			if (root)
				return t.scalable ? SSS_4_ROOT_ACCESS : LCT_4_INVALID;
			return t.scalable ? SSS_1_ACCESS : LSL_1_ACCESS;
		}
		/* SSS.2; in legacy mode it is the permission that is missing. */
		if (!(e & RW)) {
			if (t.scalable)
				return SSS_2_NOT_PRESENT;
			return need & W ? LGN_2_WRITE : LGN_3_READ;
		}

		bool is_leaf = level == 1 || (level <= 3 && (e & bit(7)));

		/* LSL.2, SSS.3: in an entry with R or W. */
		if (second_reserved(e, level, is_leaf))
			return t.scalable ? SSS_3_RESERVED : LSL_2_RESERVED;
		perm &= e & RW;

		/* 3.7: each entry on the way must permit it. LGN.2, LGN.3, SGN.6, SGN.7. */
		if (is_leaf && (need & ~perm & W))
			return t.scalable ? SGN_6_WRITE : LGN_2_WRITE;
		if (is_leaf && (need & ~perm & R))
			return t.scalable ? SGN_7_READ : LGN_3_READ;

		u64 size = 1ull << level_shift(level);
		u64 pa = (e & ADDR_MASK & ~(size - 1)) | (gpa & (size - 1));

		/* LGN.4, SGN.8. */
		if (is_leaf && in_interrupt_range(pa))
			return t.scalable ? SGN_8_INTERRUPT : LGN_4_INTERRUPT;

		/* 3.7: A in each entry that is used, D in the leaf of a write. */
		if (t.ad) {
			u64 want = e | bit(8) | (is_leaf && (need & W) ? bit(9) : 0);

			if (want != e) {
				/* SSS.5: A and D want walks that are snooped. */
				if (!t.pwsnp)
					return SSS_5_SNOOP;
				if (!m.write64(at, want))
					return SSS_6_UPDATE;
				ad_set++;
				e = want;
			}
		}
		if (is_leaf) {
			out->pa = pa;
			out->size = size;
			out->perm = perm;
			out->dirty = !t.ad || (e & bit(9));
			out->snoop = t.pgsnp || (c.sc && (e & bit(11)));
			return OK;
		}
		table = e & ADDR_MASK;
		if (psc)
			psc->add(tag, gpa, level - 1, table, perm);
	}
}

/* ---- first stage */

/*
 * 9.7. Reserved: address bits from HAW on (of a guest-physical address when
 * nested: from the second stage's width on, which its walk checks); bit 7 in
 * levels 5 and 4, and in level 3 without CAP.FS1GP; address bits within a large
 * page but for 12, PAT. XD is ignored unless NXE.
 */
u64 walker::first_reserved(u64 e, unsigned level, bool is_leaf, const translation &t) const
{
	u64 r = t.pgtt == PGTT_NESTED ? 0 : c.beyond_haw();

	if (c.unchecked & UNCHECKED_FIRST)
		return 0;
	if (level > 3 || (level == 3 && !c.first1g))
		r |= bit(7);
	if (is_leaf && level > 1)
		r |= mask(level_shift(level) - 1, 13);
	return e & r;
}

/* Of a first-stage entry: itself, or when nested through the second stage. */
fault walker::table_address(const translation &t, u64 gpa, int need, bool root, u64 *pa)
{
	leaf l;
	fault f;

	if (t.pgtt != PGTT_NESTED) {
		*pa = gpa;
		return OK;
	}
	f = second_stage(t, gpa, need, &l);
	switch (f) {
	case OK:
		*pa = l.pa;
		return OK;
	case SGN_5_ADDRESS:
		return SFS_5_ADDRESS;
	case SGN_6_WRITE:
		return SFS_8_WRITE;
	case SGN_7_READ:
		return root ? SFS_6_ROOT_READ : SFS_7_READ;
	default:
		return f;
	}
}

fault walker::first_stage(const translation &t, u64 va, int need, const requester &who, leaf *out)
{
	const psc_tag tag = { t.did, t.pasid, t.pgtt == PGTT_NESTED };
	unsigned level = t.levels1, width = 12 + 9 * t.levels1;
	int64_t top = (int64_t)va >> (width - 1);
	u64 table = t.first;
	int perm = RW | USER | EXEC;
	bool root = true;
	fault f;

	/* SGN.1: bits above the width are copies of the highest one. */
	if (top != 0 && top != -1)
		return SGN_1_CANONICAL;
	if (psc && psc->find(tag, va, &level, &table, &perm))
		root = false;

	for (;; level--, root = false) {
		u64 at = entry_address(table, va, level), pa, e;

		f = table_address(t, at, R, root, &pa);
		if (f)
			return f;
		if (!m.read64(pa, &e))
			return root ? SFS_4_ROOT_ACCESS : SFS_1_ACCESS;
		if (!(e & 1))
			return SFS_2_NOT_PRESENT;

		bool is_leaf = level == 1 || (level <= 3 && (e & bit(7)));

		if (first_reserved(e, level, is_leaf, t))
			return SFS_3_RESERVED;
		if (!(e & bit(1)))
			perm &= ~W;
		if (!(e & bit(2)))
			perm &= ~USER;
		if (t.nxe && (e & bit(63)))
			perm &= ~EXEC;

		if (is_leaf) {
			/* 3.6: a user's request wants U/S in all of them. */
			if (!who.priv && !(perm & USER))
				return SGN_2_SUPERVISOR;
			if (who.exec && !(perm & EXEC))
				return SGN_3_EXECUTE;
			/* A supervisor may write what is read-only unless WPE. */
			if (who.priv && !t.wpe)
				perm |= W;
			if ((need & W) && !(perm & W))
				return SGN_6_WRITE;
		}

		/* 3.6: A in each entry that is used, D in the leaf of a write. */
		u64 want = e | bit(5) | (is_leaf && (need & W) ? bit(6) : 0);

		if (want != e) {
			if (!t.pwsnp)
				return SFS_9_SNOOP;
			f = table_address(t, at, RW, root, &pa);
			if (f)
				return f;
			if (!m.write64(pa, want))
				return SFS_10_UPDATE;
			ad_set++;
			e = want;
		}
		if (!is_leaf) {
			table = e & ADDR_MASK;
			if (psc)
				psc->add(tag, va, level - 1, table, perm);
			continue;
		}

		u64 size = 1ull << level_shift(level);

		out->size = size;
		out->pa = (e & ADDR_MASK & ~(size - 1)) | (va & (size - 1));
		out->perm = perm;
		out->dirty = e & bit(6);
		out->snoop = t.pgsnp;
		if (t.pgtt != PGTT_NESTED)
			return in_interrupt_range(out->pa) ? SGN_8_INTERRUPT : OK;

		leaf l;

		f = second_stage(t, out->pa, need, &l);
		if (f)
			return f;
		out->pa = l.pa;
		if (l.size < out->size)
			out->size = l.size;
		out->perm &= l.perm | USER | EXEC;
		out->dirty &= l.dirty;
		out->snoop = l.snoop;
		return OK;
	}
}

fault walker::walk(const translation &t, u64 va, int need, const requester &who, leaf *out)
{
	switch (t.pgtt) {
	case PGTT_FIRST:
	case PGTT_NESTED:
		return first_stage(t, va, need, who, out);
	case PGTT_SECOND:
		return second_stage(t, va, need, out);
	}
	/* Pass-through. SGN.4, LGN.1.3: beyond the host's addresses. */
	if (va >> c.haw)
		return t.scalable ? SGN_4_HOST_ADDRESS : LGN_1_ADDRESS;
	out->pa = va;
	out->size = PAGE_SIZE;
	out->perm = RW | USER | EXEC;
	out->dirty = true;
	out->snoop = t.pgsnp;
	return OK;
}
