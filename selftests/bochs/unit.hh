/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One VT-d unit. unit.cc translates, vtd_regs.cc has the registers and faults,
 * vtd_qi.cc the invalidations and page requests.
 */
#ifndef BOCHS_UNIT_H
#define BOCHS_UNIT_H

#include <vector>

#include "cache.hh"
#include "platform.hh"
#include "regs.h"
#include "vtd_regs.hh"

/* Of a DMA access: translated ones have been through ATS before. */
enum address_type { AT_UNTRANSLATED = 0, AT_REQUEST = 1, AT_TRANSLATED = 2 };

struct request {
	u16 sid;
	u32 pasid;		/* NO_PASID: none */
	bool priv, exec;
	u64 root;		/* for tests: translate by this second stage instead */
};

/* What an ATS translation request comes to. */
struct ats_answer {
	bool completed;		/* else unsupported request, or abort */
	u64 pa, size;
	int perm;		/* 0: neither; the function may send a page request */
	fault reason;		/* why so; only what was recorded is a fault */
};

/* A function, as the unit sees it. */
class endpoint {
public:
	virtual ~endpoint() {}
	virtual u16 source_id() const = 0;
	virtual void invalidate(u32 pasid, bool every_pasid, u64 addr, u64 size) = 0;
	virtual void page_response(unsigned prg, unsigned code) = 0;
};

enum { RESPONSE_SUCCESS = 0, RESPONSE_INVALID = 1, RESPONSE_FAILURE = 15 };

#define ROOT_DID 0xfffe		/* the caches' name for a test's own root */

/* One invalidation that came, as regs.h shows it. */
struct record {
	u64 what, pasid, addr, size;
};

class unit {
public:
	unit(int number, const caps &c, platform &p);
	void reset();

	void add(endpoint *e) { endpoints.push_back(e); }

	/* Registers: 4 or 8 bytes, aligned. */
	u64 read(unsigned offset, unsigned len) const;
	void write(unsigned offset, unsigned len, u64 v);

	/* One access within a page: where it goes, or why it does not. */
	fault access(request q, u64 addr, int need, address_type at, u64 *pa);
	ats_answer ats(request q, u64 addr, int want);
	/* Always the last of its group. False: it was not queued. */
	bool page_request(const request &q, u64 addr, int want, unsigned prg);

	/* For tests. */
	u64 counter(unsigned reg) const;
	const record *find_record(u64 n) const;
	u64 records() const { return nrecords; }
	u64 find_iotlb(const request &q, u64 addr);
	u64 find_psc(const request &q, u64 addr);
	void drop_root();
	u64 dropped = 0;	/* mask of VTDT_DROP_KIND() */
	u64 interrupts = 0;	/* writes to the interrupt range, as MSIs */

	const caps c;

private:
	const int number;
	platform &p;
	std::vector<endpoint *> endpoints;

	u8 regs[0x1000];
	u64 root_table;		/* RTADDR as of the last SRTP */

	iotlb tlb;
	psc structures;
	context_cache contexts;

	struct {
		u64 faults, walks, hits, ad_set, iq_errors, wait;
		u64 global, domain, page, piotlb_pasid, piotlb_page, context, pasid, devtlb, pdevtlb;
	} n;
	struct {
		u64 reason, addr, sid, pasid, write;
	} last;
	std::vector<record> kept;
	u64 nrecords;

	u64 r64(unsigned o) const;
	u32 r32(unsigned o) const;
	void w64(unsigned o, u64 v);
	void w32(unsigned o, u32 v);

	/* vtd_regs.cc */
	void write32(unsigned o, u32 v);
	void command(u32 v);
	void record_fault(const request &q, u64 addr, int need, address_type at, fault f);
	void event(unsigned ctl);
	void clear_ppf();
	void context_command(u64 v);
	void iotlb_command(u64 v);

	/* unit.cc */
	bool enabled() const { return r32(GSTS) & GCMD_TE; }
	bool scalable() const { return field(root_table, 11, 10) == TTM_SCALABLE; }
	fault lookup(const request &q, context *x, translation *t, bool *fpd);
	bool find_translation(const request &q, translation *t);
	static fault check(const context &x, address_type at);
	fault translate(const request &q, const translation &t, u64 addr, int need, leaf *out);
	static iotlb_tag tag_of(const translation &t, const request &q);

	/* vtd_qi.cc */
	bool note(unsigned kind, unsigned gran, bool by_reg, u16 did, u16 sid, u32 pasid,
		  u64 addr, unsigned am, bool ih, u64 size);
	void invalidate_context(unsigned gran, u16 did, u16 sid, unsigned fm, bool by_reg);
	void invalidate_iotlb(unsigned gran, u16 did, u64 addr, bool by_reg);
	void invalidate_pasid(unsigned gran, u16 did, u32 pasid);
	void invalidate_piotlb(unsigned gran, u16 did, u32 pasid, u64 addr);
	void invalidate_device(u16 sid, u32 pasid, bool every_pasid, u64 addr, bool s);
	void wait_descriptor(u64 lo, u64 hi);
	void response(u16 sid, unsigned prg, unsigned code);
	bool descriptor(u64 lo, u64 hi, unsigned *error);
	void run_queue();
	void queue_error(unsigned info);
};

#endif /* BOCHS_UNIT_H */
