// SPDX-License-Identifier: GPL-2.0-only
/* Random DMA, each access checked against the model. */
#include "amd_iommu.h"
#include "history.h"
#include "stress.h"

#define DMA_VALUE	((__u64)TESTDEV_WORD << 32 | TESTDEV_WORD)
#define DMA_MAX_PAGES	3

static const char *attached_name(struct stress *s, unsigned int dev)
{
	return model_attached_name(s->model.dev[dev]);
}

/*
 * The emulated log takes few events before the kernel must start it again, from
 * the beginning, and drops what comes meanwhile. So an event that is there says
 * much, one that is not says little, and only all of them together are asked
 * for.
 */
static bool event_came(__u64 mark)
{
	return iommu_events_mark() > mark;
}

static void count_stopped(struct stress *s, __u64 mark)
{
	s->stopped++;
	s->events += event_came(mark);
}

unsigned int stress_writer(struct stress *s)
{
	return STRESS_WRITER + stress_random(&s->random, s->crowded ? 1 : 2);
}

/* A page without the device's value shows whether the device was there. */
static void make_fresh(struct stress *s, size_t page)
{
	struct model_page *p = &s->model.pages[page];
	__u64 value = stress_value(s), *word = stress_hva(s, page);
	size_t i;

	if (p->readonly || p->apart)
		return;
	for (i = 0; i < SIZE_4K / sizeof(*word); i++)
		WRITE_ONCE(word[i], value);
	model_process_wrote(&s->model, page, value);
}

/* By the eyes that see what the device has: those of the guest, if apart. */
static void check_device_page(struct stress *s, size_t page)
{
	struct model *m = &s->model;

	if (!m->pages[page].apart)
		stress_check_process(s, page);
	else if (m->shared)
		stress_check_vcpu(s, 0, page);
}

/* @ok is the whole access's: of several pages one may have been stopped. */
static void settle(struct stress *s, size_t page, enum model_reach reach,
		   bool alone, bool ok)
{
	bool arrived = reach == REACH_ARRIVES;

	if (reach == REACH_EITHER)
		arrived = ok || (!alone && READ_ONCE(*(__u64 *)
					stress_hva(s, page)) == DMA_VALUE);
	if (arrived)
		model_device_wrote(&s->model, page, DMA_VALUE);
	s->arrived += arrived;
	check_device_page(s, page);
}

void stress_dma(struct stress *s, unsigned int dev, struct model_area r)
{
	enum model_reach reach[DMA_MAX_PAGES];
	bool arrives = true, blocked = false, ok;
	__u64 mark;
	size_t i;

	for (i = 0; i < r.n; i++) {
		reach[i] = model_device_reaches(&s->model, dev, r.first + i);
		arrives &= reach[i] == REACH_ARRIVES;
		blocked |= reach[i] == REACH_BLOCKED;
	}
	history_step("writer %u (%s) writes %zu+%zu: %s", dev - STRESS_WRITER,
		     attached_name(s, dev), r.first, r.n, arrives ? "arrives" :
		     blocked ? "must be stopped" : "either");

	mark = iommu_events_mark();
	ok = testdev_write(&s->writers[dev - STRESS_WRITER],
			   stress_gpa(s, r.first), r.n * SIZE_4K);
	TEST_ASSERT(ok || !arrives, "the device lost memory that is mapped");
	TEST_ASSERT(!ok || !blocked,
		    "the device still reaches what was taken from it");

	if (ok)
		TEST_ASSERT(!event_came(mark), "an IOMMU event");
	else if (s->model.dev[dev] != DEV_DETACHED)
		count_stopped(s, mark);

	for (i = 0; i < r.n; i++)
		settle(s, r.first + i, reach[i], r.n == 1, ok);
}

bool stress_op_dma(struct stress *s)
{
	struct model_area r = stress_range(s, 1, DMA_MAX_PAGES);
	size_t i;

	if (stress_random(&s->random, 2))
		for (i = r.first; i < r.first + r.n; i++)
			make_fresh(s, i);
	stress_dma(s, stress_writer(s), r);
	return true;
}

void stress_dma_astray(struct stress *s, unsigned int dev, __u64 gpa)
{
	history_step("writer %u (%s) writes %#llx, where nothing is",
		     dev - STRESS_WRITER, attached_name(s, dev), gpa);
	TEST_ASSERT(!testdev_write(&s->writers[dev - STRESS_WRITER], gpa,
				   SIZE_4K),
		    "the device reaches an address without memory");
}

/* Where the memslot is not now, and where none ever was. */
bool stress_op_dma_astray(struct stress *s)
{
	unsigned int base = stress_random(&s->random, 2) ? !s->model.base : 2;
	size_t page = stress_random(&s->random, s->model.nr);

	stress_dma_astray(s, stress_writer(s),
			  GPA_HIGH + base * SIZE_1G + page * SIZE_4K);
	return true;
}

/* False when nothing is mapped. */
static bool random_mapped_page(struct stress *s, size_t *page)
{
	struct model_area *a;

	if (!s->model.nr_areas)
		return false;
	a = &s->model.areas[stress_random(&s->random, s->model.nr_areas)];
	*page = a->first + stress_random(&s->random, a->n);
	return true;
}

static bool edu_pages(struct stress *s, size_t *src, size_t *dst)
{
	return s->model.dev[STRESS_EDU] != DEV_DETACHED &&
	       random_mapped_page(s, dst) && random_mapped_page(s, src) &&
	       *src != *dst;
}

bool stress_op_copy(struct stress *s)
{
	size_t src, dst;
	__u64 mark;

	if (!edu_pages(s, &src, &dst))
		return false;
	history_step("edu (%s) copies %zu to %zu", attached_name(s, STRESS_EDU),
		     src, dst);
	mark = iommu_events_mark();
	edu_copy(&s->vm.edu, stress_gpa(s, dst), stress_gpa(s, src), SIZE_4K);
	TEST_ASSERT(!event_came(mark), "an IOMMU event");
	model_device_wrote(&s->model, dst, model_device_sees(&s->model, src));
	check_device_page(s, dst);
	return true;
}

/*
 * What the device may not read must not come out of it again. What comes out
 * instead is the device's own affair, so the page is written anew.
 */
bool stress_op_steal(struct stress *s)
{
	size_t src = stress_range(s, 1, 1).first, dst, i;
	struct model *m = &s->model;
	__u64 *word, secret, mark;

	if (m->dev[STRESS_EDU] == DEV_DETACHED || !random_mapped_page(s, &dst) ||
	    m->pages[dst].apart || m->pages[dst].readonly ||
	    m->pages[src].readonly ||
	    model_device_reaches(m, STRESS_EDU, src) != REACH_BLOCKED)
		return false;
	make_fresh(s, src);
	secret = m->pages[src].seen;
	history_step("edu (%s) may not copy %zu to %zu",
		     attached_name(s, STRESS_EDU), src, dst);
	mark = iommu_events_mark();
	edu_copy(&s->vm.edu, stress_gpa(s, dst), stress_gpa(s, src), SIZE_4K);
	count_stopped(s, mark);
	word = stress_hva(s, dst);
	for (i = 0; i < SIZE_4K / sizeof(*word); i++)
		TEST_ASSERT(READ_ONCE(word[i]) != secret,
			    "the device read what was taken from it");
	make_fresh(s, dst);
	check_device_page(s, dst);
	return true;
}
