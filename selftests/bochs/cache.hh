/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A unit's caches, chapter 6. Nothing leaves them but by an invalidation that
 * the specification says drops it: they never run full. What is not present or
 * not valid is not put there, unless CAP.CM is set.
 */
#ifndef BOCHS_CACHE_H
#define BOCHS_CACHE_H

#include <unordered_map>
#include <vector>

#include "walk.hh"

/* Whose translation, 6.2.1. */
struct iotlb_tag {
	u16 did;
	u32 pasid;		/* NO_PASID: of a second stage alone */
	int pgtt;
	bool priv;
};

struct iotlb_entry {
	iotlb_tag tag;
	u64 addr, size, pa;
	int perm;
	bool dirty, snoop;
	fault refused;		/* with CM: why there is no translation */
};

class iotlb {
public:
	const iotlb_entry *find(const iotlb_tag &tag, u64 addr) const;
	void add(const iotlb_tag &tag, u64 addr, const leaf &l);
	void add_refused(const iotlb_tag &tag, u64 addr, fault f);
	size_t size() const { return entries.size(); }

	/* 6.5.2.3: all, of a domain, and a range of one. */
	void drop_all() { entries.clear(); }
	void drop_domain(u16 did);
	void drop_pages(u16 did, u64 addr, u64 size);
	/* 6.5.2.4: of a PASID in a domain, and a range of that. */
	void drop_pasid(u16 did, u32 pasid);
	void drop_pasid_pages(u16 did, u32 pasid, u64 addr, u64 size);

private:
	struct key {
		u64 page;
		u32 pasid;
		u16 did;
		u8 shift;
		bool priv;
		bool operator==(const key &o) const
		{
			return page == o.page && pasid == o.pasid && did == o.did &&
			       shift == o.shift && priv == o.priv;
		}
	};
	struct hash {
		size_t operator()(const key &k) const
		{
			return (k.page * 0x9e3779b97f4a7c15ull) ^ (u64)k.pasid << 20 ^
			       (u64)k.did << 40 ^ k.shift;
		}
	};
	std::unordered_map<key, iotlb_entry, hash> entries;

	template <class F> void drop_if(F f);
};

class psc : public paging_cache {
public:
	bool find(const psc_tag &tag, u64 addr, unsigned *level, u64 *table, int *perm) override;
	void add(const psc_tag &tag, u64 addr, unsigned level, u64 table, int perm) override;
	size_t size() const { return entries.size(); }
	unsigned deepest(const psc_tag &tag, u64 addr) const;	/* 0: none */

	void drop_all() { entries.clear(); }
	void drop_domain(u16 did);
	void drop_pages(u16 did, u64 addr, u64 size);
	void drop_pasid(u16 did, u32 pasid);
	void drop_pasid_pages(u16 did, u32 pasid, u64 addr, u64 size);

	u64 hits = 0;

private:
	struct entry {
		psc_tag tag;
		u64 addr, size;		/* that this table translates */
		unsigned level;
		u64 table;
		int perm;
	};
	std::vector<entry> entries;

	const entry *look(const psc_tag &tag, u64 addr, unsigned below) const;
	template <class F> void drop_if(F f);
};

/* The context cache, by source-id, and the PASID cache, by source-id and PASID. */
class context_cache {
public:
	const context *find(u16 sid) const;
	const translation *find(u16 sid, u32 pasid) const;
	void add(const context &x) { contexts.push_back(x); }
	void add(const translation &t) { pasids.push_back(t); }
	size_t size() const { return contexts.size() + pasids.size(); }

	/* 6.5.2.1. In scalable mode the domain-id is ignored. */
	void drop_contexts();
	void drop_contexts_of_domain(u16 did);
	void drop_context(u16 did, u16 sid, u16 sid_mask);
	/* 6.5.2.2 */
	void drop_pasids() { pasids.clear(); }
	void drop_pasids_of_domain(u16 did);
	void drop_pasid(u16 did, u32 pasid);

private:
	std::vector<context> contexts;
	std::vector<translation> pasids;
};

/* A function's own cache of ATS answers. */
class device_tlb {
public:
	struct entry {
		u32 pasid;		/* NO_PASID: of requests without */
		u64 addr, size, pa;
		int perm;
	};
	const entry *find(u32 pasid, u64 addr) const;
	void add(const entry &e);
	size_t size() const { return entries.size(); }
	void drop_all() { entries.clear(); }
	/* Of a PASID, of NO_PASID, or of every PASID. */
	void drop(u32 pasid, bool every_pasid, u64 addr, u64 size);

private:
	std::vector<entry> entries;
};

#endif /* BOCHS_CACHE_H */
