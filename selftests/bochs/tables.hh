/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a source-id, and maybe a PASID, to the paging structures: root, context,
 * PASID directory and PASID table. Pure functions of memory; no caches.
 */
#ifndef BOCHS_TABLES_H
#define BOCHS_TABLES_H

#include "caps.hh"

enum { TTM_LEGACY = 0, TTM_SCALABLE = 1, TTM_ABORT = 3 };

/* PASID-granular translation type, of legacy contexts as well. */
enum { PGTT_FIRST = 1, PGTT_SECOND = 2, PGTT_NESTED = 3, PGTT_PASS = 4 };

/* Of a context entry, what is kept in the context cache. */
struct context {
	u16 sid;
	bool scalable;
	bool fpd;			/* fault processing disabled */
	bool dte;			/* ATS is allowed */
	bool pre;			/* page requests are */
	bool paside;			/* requests with PASID are */
	u32 rid_pasid;			/* PASID of requests without */
	bool rid_priv;
	u64 directory;			/* of PASIDs */
	unsigned pdts;			/* 2^(pdts + 7) entries in it */
	/* Legacy mode: all there is, as a PASID entry would say it. */
	u16 did;
	int pgtt;
	unsigned levels;
	u64 second;
};

/* What says how to translate: a PASID-table entry, or a legacy context. */
struct translation {
	u16 sid;
	u32 pasid;			/* NO_PASID in legacy mode */
	bool scalable;
	bool fpd;
	u16 did;
	int pgtt;
	unsigned levels;		/* of the second stage */
	unsigned levels1;		/* of the first */
	u64 second, first;
	bool ad;			/* A and D in the second stage */
	bool pgsnp, pwsnp;
	bool sre, ere, wpe, nxe;
};

/* Each fills *out if it returns OK. *fpd is set as far as known in any case. */
fault read_context(const caps &c, memory &m, u64 rtaddr, u16 sid, context *out, bool *fpd);
fault read_pasid_entry(const caps &c, memory &m, const context &ctx, u32 pasid,
		       translation *out, bool *fpd);
/* A legacy context as a translation. */
void legacy_translation(const context &ctx, translation *out);

#endif /* BOCHS_TABLES_H */
