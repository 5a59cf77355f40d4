// SPDX-License-Identifier: GPL-2.0-only
/* What process, vCPUs and devices must see of a memslot: a model, no access. */
#include <stdlib.h>

#include "stress_model.h"
#include "test_util.h"

/* The process has one of a page's frames, each pin may have another. */
#define PAGE_FRAMES	(1 + MODEL_BASES)

static struct model_frame *frame_hold(struct model_frame *frame)
{
	frame->users++;
	return frame;
}

/* Of those that belong to @page one is free, whatever its users did before. */
static struct model_frame *frame_new(struct model *m, size_t page)
{
	struct model_frame *frame = &m->frames[page * PAGE_FRAMES];

	while (frame->users)
		frame++;
	frame->value = 0;
	return frame_hold(frame);
}

void model_init(struct model *m, size_t pages)
{
	size_t i;

	memset(m, 0, sizeof(*m));
	m->pages = calloc(pages, sizeof(*m->pages));
	m->frames = calloc(pages * PAGE_FRAMES, sizeof(*m->frames));
	TEST_ASSERT(m->pages && m->frames, "calloc");
	m->nr = pages;
	for (i = 0; i < pages; i++)
		m->pages[i].frame = frame_new(m, i);
}

void model_free(struct model *m)
{
	free(m->frames);
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

__u64 model_process_sees(struct model *m, size_t page)
{
	return m->pages[page].frame->value;
}

__u64 model_device_sees(struct model *m, unsigned int base, size_t page)
{
	return m->pages[page].pins[base].frame->value;
}

bool model_is_mapped(struct model *m, unsigned int base, size_t page)
{
	return m->pages[page].pins[base].frame;
}

bool model_is_apart(struct model *m, unsigned int base, size_t page)
{
	const struct model_page *p = &m->pages[page];

	return p->pins[base].frame && p->pins[base].frame != p->frame;
}

bool model_in_conflict(struct model *m, size_t page)
{
	return m->slot && model_is_apart(m, m->base, page);
}

/*
 * Where an entry has one right for both the device has the page by its own, and a
 * vCPU with that right alone.
 */
static bool rights_differ(struct model *m, size_t page, bool write)
{
	const struct model_page *p = &m->pages[page];
	const struct model_pin *pin = &p->pins[m->base];

	if (!m->rights_are_one || !pin->frame)
		return false;
	return pin->writable ? p->readonly : write;
}

bool model_any_conflict(struct model *m)
{
	size_t i;

	for (i = 0; i < m->nr; i++)
		if (model_in_conflict(m, i))
			return true;
	return false;
}

/*
 * A vCPU sees what the process sees. Where the device's page is another one in
 * KVM's table, or its rights are, the vCPU gets neither: user space has asked for
 * that very table.
 */
enum model_vcpu model_vcpu_meets(struct model *m, size_t page, bool write)
{
	if (!m->slot)
		return VCPU_MMIO;
	if (m->shared && (model_in_conflict(m, page) ||
			  rights_differ(m, page, write)))
		return VCPU_REFUSED;
	return write && m->pages[page].readonly ? VCPU_REFUSED : VCPU_DONE;
}

/* What the IOAS maps, as it maps it: no more, no less, in either table. */
bool model_device_reaches(struct model *m, unsigned int dev, unsigned int base,
			  size_t page, bool write)
{
	const struct model_pin *pin = &m->pages[page].pins[base];

	if (m->dev[dev] == DEV_DETACHED || !pin->frame)
		return false;
	return pin->writable || !write;
}

size_t model_mapped_pages(struct model *m)
{
	size_t i, sum = 0;

	for (i = 0; i < m->nr; i++)
		sum += model_is_mapped(m, 0, i) + model_is_mapped(m, 1, i);
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
	m->pages[page].frame->value = value;
}

void model_vcpu_touched(struct model *m, size_t page)
{
	m->pages[page].touched = true;
}

void model_vcpu_wrote(struct model *m, size_t page, __u64 value)
{
	m->pages[page].written = true;
	model_process_wrote(m, page, value);
}

void model_device_wrote(struct model *m, unsigned int base, size_t page,
			__u64 value)
{
	m->pages[page].pins[base].frame->value = value;
}

/* The process has another page from now on, pins keep what they had. */
void model_discarded(struct model *m, size_t first, size_t n)
{
	size_t i;

	for (i = first; i < first + n; i++) {
		m->pages[i].frame->users--;
		m->pages[i].frame = frame_new(m, i);
	}
}

void model_protected(struct model *m, size_t first, size_t n, bool readonly)
{
	size_t i;

	for (i = first; i < first + n; i++)
		m->pages[i].readonly = readonly;
}

void model_mapped(struct model *m, struct model_area r, bool writable)
{
	size_t i;

	for (i = r.first; i < r.first + r.n; i++) {
		struct model_pin *pin = &m->pages[i].pins[r.base];

		pin->frame = frame_hold(m->pages[i].frame);
		pin->writable = writable;
	}
	m->areas[m->nr_areas++] = r;
}

/* Of all areas in the range, which has none in part only. */
void model_unmapped(struct model *m, struct model_area r)
{
	size_t i;

	for (i = r.first; i < r.first + r.n; i++) {
		struct model_pin *pin = &m->pages[i].pins[r.base];

		/* A gap between two areas is as it was. */
		if (!pin->frame)
			continue;
		pin->frame->users--;
		pin->frame = NULL;
	}
	for (i = 0; i < m->nr_areas;) {
		if (m->areas[i].base == r.base && m->areas[i].first >= r.first &&
		    m->areas[i].first < r.first + r.n)
			m->areas[i] = m->areas[--m->nr_areas];
		else
			i++;
	}
}

void model_slot_came(struct model *m, unsigned int base)
{
	m->slot = true;
	for (size_t i = 0; i < m->nr; i++)
		m->pages[i].touched = true;
	m->base = base;
}

void model_slot_went(struct model *m)
{
	m->slot = false;
	m->logging = false;
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
