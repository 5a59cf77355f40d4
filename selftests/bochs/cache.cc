// SPDX-License-Identifier: GPL-2.0-only
/* The caches' entries come and go; see cache.hh for the rules. */
#include <algorithm>

#include "cache.hh"

/* bsize 0: all addresses. */
static bool overlap(u64 a, u64 asize, u64 b, u64 bsize)
{
	return (!bsize || a - b < bsize) || (!asize || b - a < asize);
}

static unsigned shift_of(u64 size)
{
	return size >= bit(30) ? 30 : size >= bit(21) ? 21 : 12;
}

/* ---- IOTLB */

template <class F> void iotlb::drop_if(F f)
{
	for (auto i = entries.begin(); i != entries.end();)
		i = f(i->second) ? entries.erase(i) : std::next(i);
}

const iotlb_entry *iotlb::find(const iotlb_tag &tag, u64 addr) const
{
	for (u8 shift : { 12, 21, 30 }) {
		auto i = entries.find(key{ addr >> shift, tag.pasid, tag.did, shift, tag.priv });

		if (i != entries.end())
			return &i->second;
	}
	return NULL;
}

void iotlb::add(const iotlb_tag &tag, u64 addr, const leaf &l)
{
	u8 shift = shift_of(l.size);
	u64 in = l.size - 1;

	entries[key{ addr >> shift, tag.pasid, tag.did, shift, tag.priv }] =
		iotlb_entry{ tag, addr & ~in, l.size, l.pa & ~in, l.perm, l.dirty,
			     l.snoop, OK };
}

void iotlb::add_refused(const iotlb_tag &tag, u64 addr, fault f)
{
	entries[key{ addr >> 12, tag.pasid, tag.did, 12, tag.priv }] =
		iotlb_entry{ tag, addr & ~(PAGE_SIZE - 1), PAGE_SIZE, 0, 0, false, false, f };
}

void iotlb::drop_domain(u16 did)
{
	drop_if([&](const iotlb_entry &e) { return e.tag.did == did; });
}

/*
 * Page-selective-within-domain: second-stage and pass-through entries by their
 * address. First-stage and nested ones of the domain all go: the range is of
 * guest-physical addresses, which they do not know.
 */
void iotlb::drop_pages(u16 did, u64 addr, u64 size)
{
	drop_if([&](const iotlb_entry &e) {
		if (e.tag.did != did)
			return false;
		if (e.tag.pgtt == PGTT_FIRST || e.tag.pgtt == PGTT_NESTED)
			return true;
		return overlap(e.addr, e.size, addr, size);
	});
}

/* Second-stage and pass-through entries stay. */
void iotlb::drop_pasid(u16 did, u32 pasid)
{
	drop_if([&](const iotlb_entry &e) { return e.tag.did == did && e.tag.pasid == pasid; });
}

void iotlb::drop_pasid_pages(u16 did, u32 pasid, u64 addr, u64 size)
{
	drop_if([&](const iotlb_entry &e) {
		return e.tag.did == did && e.tag.pasid == pasid &&
		       overlap(e.addr, e.size, addr, size);
	});
}

/* ---- paging-structure cache */

template <class F> void psc::drop_if(F f)
{
	entries.erase(std::remove_if(entries.begin(), entries.end(), f), entries.end());
}

const psc::entry *psc::look(const psc_tag &tag, u64 addr, unsigned below) const
{
	const entry *best = NULL;

	for (auto &e : entries)
		if (e.tag.did == tag.did && e.tag.pasid == tag.pasid &&
		    e.tag.nested == tag.nested && addr - e.addr < e.size &&
		    e.level < below && (!best || e.level < best->level))
			best = &e;
	return best;
}

bool psc::find(const psc_tag &tag, u64 addr, unsigned *level, u64 *table, int *perm)
{
	const entry *e = look(tag, addr, *level);

	if (!e)
		return false;
	*level = e->level;
	*table = e->table;
	*perm = e->perm;
	hits++;
	return true;
}

unsigned psc::deepest(const psc_tag &tag, u64 addr) const
{
	const entry *e = look(tag, addr, ~0u);

	return e ? e->level : 0;
}

void psc::add(const psc_tag &tag, u64 addr, unsigned level, u64 table, int perm)
{
	u64 size = 1ull << (12 + 9 * level), at = addr & ~(size - 1);

	for (auto &e : entries)
		if (e.tag.did == tag.did && e.tag.pasid == tag.pasid &&
		    e.tag.nested == tag.nested && e.level == level && e.addr == at) {
			e.table = table;
			e.perm = perm;
			return;
		}
	entries.push_back(entry{ tag, at, size, level, table, perm });
}

void psc::drop_domain(u16 did)
{
	drop_if([&](const entry &e) { return e.tag.did == did; });
}

/* As with the IOTLB: by address in the second stage, all of the first. */
void psc::drop_pages(u16 did, u64 addr, u64 size)
{
	drop_if([&](const entry &e) {
		return e.tag.did == did &&
		       (e.tag.pasid != NO_PASID || overlap(e.addr, e.size, addr, size));
	});
}

void psc::drop_pasid(u16 did, u32 pasid)
{
	drop_if([&](const entry &e) { return e.tag.did == did && e.tag.pasid == pasid; });
}

void psc::drop_pasid_pages(u16 did, u32 pasid, u64 addr, u64 size)
{
	drop_if([&](const entry &e) {
		return e.tag.did == did && e.tag.pasid == pasid &&
		       overlap(e.addr, e.size, addr, size);
	});
}

/* ---- context and PASID cache */

const context *context_cache::find(u16 sid) const
{
	for (auto &x : contexts)
		if (x.sid == sid)
			return &x;
	return NULL;
}

const translation *context_cache::find(u16 sid, u32 pasid) const
{
	for (auto &t : pasids)
		if (t.sid == sid && t.pasid == pasid)
			return &t;
	return NULL;
}

template <class V, class F> static void erase_if(V &v, F f)
{
	v.erase(std::remove_if(v.begin(), v.end(), f), v.end());
}

void context_cache::drop_contexts()
{
	contexts.clear();
}

void context_cache::drop_contexts_of_domain(u16 did)
{
	erase_if(contexts, [&](const context &x) { return x.scalable || x.did == did; });
}

void context_cache::drop_context(u16 did, u16 sid, u16 sid_mask)
{
	erase_if(contexts, [&](const context &x) {
		return (x.scalable || x.did == did) && !((x.sid ^ sid) & ~sid_mask);
	});
}

void context_cache::drop_pasids_of_domain(u16 did)
{
	erase_if(pasids, [&](const translation &t) { return t.did == did; });
}

void context_cache::drop_pasid(u16 did, u32 pasid)
{
	erase_if(pasids, [&](const translation &t) { return t.did == did && t.pasid == pasid; });
}

/* ---- device TLB */

const device_tlb::entry *device_tlb::find(u32 pasid, u64 addr) const
{
	for (auto &e : entries)
		if (e.pasid == pasid && addr - e.addr < e.size)
			return &e;
	return NULL;
}

void device_tlb::add(const entry &n)
{
	for (auto &e : entries)
		if (e.pasid == n.pasid && e.addr == n.addr && e.size == n.size) {
			e = n;
			return;
		}
	entries.push_back(n);
}

void device_tlb::drop(u32 pasid, bool every_pasid, u64 addr, u64 size)
{
	erase_if(entries, [&](const entry &e) {
		if (every_pasid ? e.pasid == NO_PASID : e.pasid != pasid)
			return false;
		return overlap(e.addr, e.size, addr, size);
	});
}
