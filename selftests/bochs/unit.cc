// SPDX-License-Identifier: GPL-2.0-only
/* Translates requests: context, PASID, IOTLB, walk. Chapters 3 and 4. */
#include <string.h>

#include "unit.hh"

unit::unit(int number, const caps &c, platform &p) : c(c), number(number), p(p)
{
	reset();
}

iotlb_tag unit::tag_of(const translation &t, const request &q)
{
	bool first = t.pgtt == PGTT_FIRST || t.pgtt == PGTT_NESTED;

	return { t.did, first ? t.pasid : NO_PASID, t.pgtt, first && q.priv };
}

/* The context and translation for a request, by way of their caches. */
fault unit::lookup(const request &q, context *x, translation *t, bool *fpd)
{
	unsigned ttm = field(root_table, 11, 10);
	const context *known = contexts.find(q.sid);
	fault f;

	*fpd = false;
	/* RTA.2: a request with PASID, and the tables are of legacy mode. */
	if (ttm == TTM_LEGACY && q.pasid != NO_PASID)
		return RTA_2_PASID;
	if (known) {
		*x = *known;
		*fpd = x->fpd;
	} else {
		f = read_context(c, p, root_table, q.sid, x, fpd);
		if (f)
			return f;
		x->fpd = *fpd;
		contexts.add(*x);
		p.trace("unit %d: context of %04x, directory %llx", number, q.sid,
			(unsigned long long)x->directory);
	}
	if (!x->scalable) {
		legacy_translation(*x, t);
		return OK;
	}
	/* SCT.6 */
	if (q.pasid != NO_PASID && !x->paside)
		return SCT_6_PASIDE;

	u32 pasid = q.pasid == NO_PASID ? x->rid_pasid : q.pasid;
	const translation *cached = contexts.find(q.sid, pasid);

	if (cached) {
		*t = *cached;
		*fpd |= t->fpd;
		return OK;
	}
	f = read_pasid_entry(c, p, *x, pasid, t, fpd);
	if (f)
		return f;
	contexts.add(*t);
	p.trace("unit %d: %04x PASID %x: domain %u, type %d, second %llx, first %llx, AD %d",
		number, q.sid, pasid, t->did, t->pgtt, (unsigned long long)t->second,
		(unsigned long long)t->first, t->ad);
	return OK;
}

/* What the context says about this kind of request at all. */
fault unit::check(const context &x, address_type at)
{
	/* LCT.5, SCT.5: ATS needs TT=01, or DTE. */
	if (at != AT_UNTRANSLATED && !x.dte)
		return x.scalable ? SCT_5_DTE : LCT_5_BLOCKED;
	return OK;
}

/* By the IOTLB, or by a walk that fills it. */
fault unit::translate(const request &q, const translation &t, u64 addr, int need, leaf *out)
{
	iotlb_tag tag = tag_of(t, q);
	const iotlb_entry *e = NULL;
	fault f;

	/* SPT.5, SPT.6: of the first stage's own rights. */
	if (t.pgtt == PGTT_FIRST || t.pgtt == PGTT_NESTED) {
		if (q.exec && !t.ere)
			return SPT_5_ERE;
		if (q.priv && !t.sre)
			return SPT_6_SRE;
	}
	if (t.pgtt != PGTT_PASS)
		e = tlb.find(tag, addr);
	if (e && e->refused) {
		n.hits++;
		return e->refused;
	}
	/* An entry that does not permit it, or has D to be set, is walked anew. */
	if (e && !(need & ~e->perm) && (!(need & W) || e->dirty) &&
	    (!q.exec || (e->perm & EXEC))) {
		n.hits++;
		out->pa = e->pa + (addr - e->addr);
		out->size = e->size;
		out->perm = e->perm;
		out->dirty = e->dirty;
		out->snoop = e->snoop;
		return OK;
	}

	walker w(c, p, &structures);
	requester who = { q.priv, q.exec };

	if (t.pgtt != PGTT_PASS)
		n.walks++;
	f = w.walk(t, addr, need, who, out);
	n.ad_set += w.ad_set;
	if (!f && t.pgtt != PGTT_PASS)
		tlb.add(tag, addr, *out);
	/* 6.1: with CM what is not there is cached too. */
	if (f && c.cm && t.pgtt != PGTT_PASS)
		tlb.add_refused(tag, addr, f);
	return f;
}

/* A test's own second stage in place of what the tables say. */
static void own_root(const request &q, const caps &c, bool scalable, translation *t)
{
	memset(t, 0, sizeof(*t));
	t->sid = q.sid;
	t->pasid = NO_PASID;
	t->scalable = scalable;
	t->did = ROOT_DID;
	t->pgtt = PGTT_SECOND;
	t->levels = 4;
	t->second = q.root & ADDR_MASK;
	t->ad = scalable && c.ssads;
	t->pwsnp = true;
}

fault unit::access(request q, u64 addr, int need, address_type at, u64 *pa)
{
	translation t;
	context x;
	bool fpd;
	leaf l;
	fault f;

	if (!enabled()) {
		*pa = addr;
		return OK;
	}
	f = lookup(q, &x, &t, &fpd);
	if (!f)
		f = check(x, at);
	if (!f && q.pasid == NO_PASID)
		q.priv |= x.rid_priv;
	if (!f && at == AT_TRANSLATED) {
		/* 4.2: a translated request goes where it says, within what the host has. */
		if (addr >> c.haw)
			f = x.scalable ? SGN_4_HOST_ADDRESS : LGN_1_ADDRESS;
		else if (in_interrupt_range(addr))
			f = x.scalable ? SGN_8_INTERRUPT : LGN_4_INTERRUPT;
		l.pa = addr;
	} else if (!f) {
		if (q.root)
			own_root(q, c, scalable(), &t);
		f = translate(q, t, addr, need, &l);
	}
	if (f) {
		if (!fpd)
			record_fault(q, addr, need, at, f);
		return f;
	}
	*pa = l.pa;
	return OK;
}

/*
 * 4.2. Where an entry is not present or lacks the permission, the answer is
 * R=W=0 and no fault is recorded; all else is recorded and not answered.
 */
static bool recoverable(fault f)
{
	switch (f) {
	case LGN_2_WRITE:
	case LGN_3_READ:
	case SFS_2_NOT_PRESENT:
	case SSS_2_NOT_PRESENT:
	case SFS_6_ROOT_READ:
	case SFS_7_READ:
	case SFS_8_WRITE:
	case SGN_2_SUPERVISOR:
	case SGN_6_WRITE:
	case SGN_7_READ:
		return true;
	default:
		return false;
	}
}

ats_answer unit::ats(request q, u64 addr, int want)
{
	ats_answer a = {};
	translation t;
	context x;
	bool fpd = false;
	leaf l;
	fault f;

	/* 4.2: without translation there are no answers. */
	if (!enabled() || !c.ats)
		return a;
	f = lookup(q, &x, &t, &fpd);
	if (!f)
		f = check(x, AT_REQUEST);
	if (!f) {
		if (q.pasid == NO_PASID)
			q.priv |= x.rid_priv;
		if (q.root)
			own_root(q, c, scalable(), &t);
		/* Write permission is asked for only if it is wanted (NW=0). */
		f = translate(q, t, addr, want & W ? RW : R, &l);
		if ((want & W) && recoverable(f)) {
			fault again = translate(q, t, addr, R, &l);

			if (!again) {
				l.perm &= ~W;
				f = OK;
				a.reason = SGN_6_WRITE;
			}
		}
		if (!f && !(want & W) && !l.dirty)
			l.perm &= ~W;
	}
	if (f) {
		a.reason = f;
		a.completed = recoverable(f);
		if (!a.completed && !fpd)
			record_fault(q, addr, want, AT_REQUEST, f);
		return a;
	}
	a.completed = true;
	a.size = l.size;
	a.pa = l.pa & ~(l.size - 1);
	a.perm = l.perm & RW;
	return a;
}

/* ---- for tests */

bool unit::find_translation(const request &q, translation *t)
{
	context x;
	bool fpd;

	if (!q.root)
		return !lookup(q, &x, t, &fpd);
	own_root(q, c, scalable(), t);
	return true;
}

u64 unit::find_iotlb(const request &q, u64 addr)
{
	translation t;

	if (!find_translation(q, &t))
		return 0;

	const iotlb_entry *e = tlb.find(tag_of(t, q), addr);

	if (!e || e->refused)
		return 0;
	return e->pa | VTDT_FOUND | (e->perm & R ? VTDT_FOUND_READ : 0) |
	       (e->perm & W ? VTDT_FOUND_WRITE : 0) | (e->snoop ? VTDT_FOUND_SNOOP : 0) |
	       (e->size == bit(21) ? VTDT_FOUND_2M : 0) | (e->size == bit(30) ? VTDT_FOUND_1G : 0);
}

u64 unit::find_psc(const request &q, u64 addr)
{
	translation t;

	if (!find_translation(q, &t))
		return 0;

	bool first = t.pgtt == PGTT_FIRST || t.pgtt == PGTT_NESTED;

	return structures.deepest({ t.did, first ? t.pasid : NO_PASID, t.pgtt == PGTT_NESTED },
				  addr);
}

void unit::drop_root()
{
	tlb.drop_domain(ROOT_DID);
	structures.drop_domain(ROOT_DID);
}

const record *unit::find_record(u64 i) const
{
	if (i >= nrecords || nrecords - i > VTDT_INV_KEPT)
		return NULL;
	return &kept[i % VTDT_INV_KEPT];
}

u64 unit::counter(unsigned reg) const
{
	switch (reg) {
	case VTDT_FAULTS: return n.faults;
	case VTDT_WALKS: return n.walks;
	case VTDT_IOTLB_HITS: return n.hits;
	case VTDT_INV_GLOBAL: return n.global;
	case VTDT_INV_DOMAIN: return n.domain;
	case VTDT_INV_PAGE: return n.page;
	case VTDT_AD_SET: return n.ad_set;
	case VTDT_IOTLB_ENTRIES: return tlb.size();
	case VTDT_PSC_HITS: return structures.hits;
	case VTDT_PSC_ENTRIES: return structures.size();
	case VTDT_INV_PIOTLB: return n.piotlb_pasid + n.piotlb_page;
	case VTDT_INV_PIOTLB_PASID: return n.piotlb_pasid;
	case VTDT_INV_PIOTLB_PAGE: return n.piotlb_page;
	case VTDT_INV_CONTEXT: return n.context;
	case VTDT_INV_PASID: return n.pasid;
	case VTDT_INV_DEVTLB: return n.devtlb;
	case VTDT_INV_PDEVTLB: return n.pdevtlb;
	case VTDT_INV_WAIT: return n.wait;
	case VTDT_CONTEXT_ENTRIES: return contexts.size();
	case VTDT_IQ_ERRORS: return n.iq_errors;
	case VTDT_FAULT_REASON: return last.reason;
	case VTDT_FAULT_ADDR: return last.addr;
	case VTDT_FAULT_SID: return last.sid;
	case VTDT_FAULT_PASID: return last.pasid;
	case VTDT_FAULT_WRITE: return last.write;
	case VTDT_CAPS: return c.cap();
	case VTDT_ECAPS: return c.ecap();
	}
	return ~0ull;
}
