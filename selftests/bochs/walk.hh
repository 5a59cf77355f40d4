/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Walks paging structures: second stage (3.7), first stage (3.6), nested (3.8).
 * Pure functions of memory and of a paging-structure cache, which may be none.
 */
#ifndef BOCHS_WALK_H
#define BOCHS_WALK_H

#include "tables.hh"

/* What a walk or a cached entry permits, beside R and W, in the first stage. */
enum { USER = 4, EXEC = 8 };

/* Where a page is. */
struct leaf {
	u64 pa;			/* of the address asked for */
	u64 size;		/* of the page, or the smaller one of two when nested */
	int perm;		/* R, W, USER, EXEC */
	bool dirty;		/* writes need not set D any more */
	bool snoop;		/* SNP of a second-stage leaf, or PGSNP */
};

/* Whose tables: second-stage ones are of a domain, first-stage ones of a PASID in it. */
struct psc_tag {
	u16 did;
	u32 pasid;		/* NO_PASID: second stage */
	bool nested;		/* first stage whose tables are in guest-physical memory */
};

/*
 * The paging-structure caches, 6.2.5: for an address and a level, the table of
 * the level below, and what the entries on the way there permit.
 */
class paging_cache {
public:
	virtual ~paging_cache() {}
	/* The deepest table of a level below *level that is known. */
	virtual bool find(const psc_tag &tag, u64 addr, unsigned *level, u64 *table, int *perm) = 0;
	virtual void add(const psc_tag &tag, u64 addr, unsigned level, u64 table, int perm) = 0;
};

/* Who asks, as far as the first stage wants to know. */
struct requester {
	bool priv, exec;
};

class walker {
public:
	walker(const caps &c, memory &m, paging_cache *p) : c(c), m(m), psc(p) {}

	/* need: R, W or both. */
	fault second_stage(const translation &t, u64 gpa, int need, leaf *out);
	/* By t.pgtt: first stage or nested. */
	fault first_stage(const translation &t, u64 va, int need, const requester &who, leaf *out);
	/* Whatever t.pgtt says. */
	fault walk(const translation &t, u64 va, int need, const requester &who, leaf *out);

	u64 ad_set = 0;			/* entries in which A or D was set */

private:
	const caps &c;
	memory &m;
	paging_cache *psc;

	u64 second_reserved(u64 e, unsigned level, bool is_leaf) const;
	u64 first_reserved(u64 e, unsigned level, bool is_leaf, const translation &t) const;
	fault table_address(const translation &t, u64 gpa, int need, bool root, u64 *pa);
};

#endif /* BOCHS_WALK_H */
