// SPDX-License-Identifier: GPL-2.0-only
/* What process, vCPUs and devices must see of a memslot: a model, no access. */
#include <stdlib.h>

#include "stress_model.h"
#include "test_util.h"

void model_init(struct model *m, size_t pages, size_t fault_pages)
{
	memset(m, 0, sizeof(*m));
	m->pages = calloc(pages, sizeof(*m->pages));
	TEST_ASSERT(m->pages, "calloc");
	m->nr = pages;
	m->fault_pages = fault_pages;
}

void model_free(struct model *m)
{
	free(m->pages);
}

const char *model_attached_name(enum model_attached how)
{
	static const char * const names[] = {
		[DEV_DETACHED] = "detached",
		[DEV_ORDINARY] = "ordinary",
		[DEV_SHARED] = "shared",
	};

	return names[how];
}

/* The shared table has a pinned leaf for it, which stays as it is. */
static bool has_pinned_leaf(struct model *m, size_t page)
{
	return m->shared && m->pages[page].mapped;
}

static __u64 pinned_value(const struct model_page *p)
{
	return p->apart ? p->held : p->seen;
}

__u64 model_vcpu_sees(struct model *m, size_t page)
{
	const struct model_page *p = &m->pages[page];

	return has_pinned_leaf(m, page) ? pinned_value(p) : p->seen;
}

__u64 model_device_sees(struct model *m, size_t page)
{
	return pinned_value(&m->pages[page]);
}

enum model_reach model_device_reaches(struct model *m, unsigned int dev,
				      size_t page)
{
	const struct model_page *p = &m->pages[page];

	if (m->dev[dev] == DEV_DETACHED)
		return REACH_BLOCKED;
	if (p->mapped)
		return REACH_ARRIVES;

	/* In a shared table what vCPUs faulted in may be there as well. */
	if (m->dev[dev] == DEV_SHARED && m->slot && p->faulted_in &&
	    !p->readonly)
		return REACH_EITHER;
	return REACH_BLOCKED;
}

size_t model_mapped_pages(struct model *m)
{
	size_t i, sum = 0;

	for (i = 0; i < m->nr; i++)
		sum += m->pages[i].mapped;
	return sum;
}

bool model_any_readonly(struct model *m, size_t first, size_t n)
{
	size_t i;

	for (i = first; i < first + n; i++)
		if (m->pages[i].readonly)
			return true;
	return false;
}

bool model_can_share(struct model *m)
{
	size_t i;

	for (i = 0; i < m->nr; i++) {
		const struct model_page *p = &m->pages[i];

		if (p->mapped && (!m->slot || p->apart || p->readonly))
			return false;
	}
	return true;
}

bool model_all_devices_off(struct model *m, enum model_attached from)
{
	int i;

	for (i = 0; i < MODEL_DEVICES; i++)
		if (m->dev[i] == from)
			return false;
	return true;
}

void model_process_wrote(struct model *m, size_t page, __u64 value)
{
	m->pages[page].seen = value;
}

/*
 * A fault may map more than the page that faulted. It does no harm to say so of
 * pages that are pinned: their unmapping takes the leaf with it.
 */
void model_vcpu_touched(struct model *m, size_t page)
{
	size_t first = page - page % m->fault_pages, i;

	m->pages[page].touched = true;
	if (!m->shared)
		return;
	for (i = first; i < first + m->fault_pages; i++)
		m->pages[i].faulted_in = true;
}

static void write_pinned(struct model_page *p, __u64 value)
{
	if (p->apart)
		p->held = value;
	else
		p->seen = value;
}

void model_vcpu_wrote(struct model *m, size_t page, __u64 value)
{
	struct model_page *p = &m->pages[page];

	p->written = true;
	if (has_pinned_leaf(m, page))
		write_pinned(p, value);
	else
		p->seen = value;
}

void model_device_wrote(struct model *m, size_t page, __u64 value)
{
	write_pinned(&m->pages[page], value);
}

void model_discarded(struct model *m, size_t first, size_t n)
{
	size_t i;

	for (i = first; i < first + n; i++) {
		struct model_page *p = &m->pages[i];

		if (p->mapped && !p->apart) {
			p->held = p->seen;
			p->apart = true;
		}
		p->seen = 0;
		p->faulted_in = false;
	}
}

void model_protected(struct model *m, size_t first, size_t n, bool readonly)
{
	size_t i;

	for (i = first; i < first + n; i++) {
		struct model_page *p = &m->pages[i];

		/* mprotect() touches nothing where nothing changes. */
		if (p->readonly == readonly)
			continue;
		p->readonly = readonly;
		p->faulted_in = false;
	}
}

void model_mapped(struct model *m, size_t first, size_t n)
{
	size_t i;

	for (i = first; i < first + n; i++)
		m->pages[i].mapped = true;
	m->areas[m->nr_areas++] = (struct model_area) { first, n };
}

/* Of all areas in the range, which has none in part only. */
void model_unmapped(struct model *m, size_t first, size_t n)
{
	size_t i;

	for (i = first; i < first + n; i++) {
		struct model_page *p = &m->pages[i];

		/* A gap between two areas is as it was. */
		if (!p->mapped)
			continue;
		p->mapped = false;
		p->apart = false;
		p->faulted_in = false;
	}
	for (i = 0; i < m->nr_areas;) {
		if (m->areas[i].first >= first &&
		    m->areas[i].first < first + n)
			m->areas[i] = m->areas[--m->nr_areas];
		else
			i++;
	}
}

static void forget_faults(struct model *m)
{
	size_t i;

	for (i = 0; i < m->nr; i++)
		m->pages[i].faulted_in = false;
}

void model_slot_came(struct model *m, unsigned int base)
{
	m->slot = true;
	m->base = base;
	forget_faults(m);
}

void model_slot_went(struct model *m)
{
	m->slot = false;
	m->logging = false;
	forget_faults(m);
}

void model_logging(struct model *m, bool on)
{
	m->logging = on;
	model_log_harvested(m);
}

void model_log_harvested(struct model *m)
{
	size_t i;

	for (i = 0; i < m->nr; i++) {
		m->pages[i].written = false;
		m->pages[i].touched = false;
	}
}

/* Its table is a new one, with what the IOAS has mapped and nothing else. */
void model_share_came(struct model *m)
{
	m->shared = true;
	forget_faults(m);
}

void model_share_went(struct model *m)
{
	m->shared = false;
	forget_faults(m);
}
