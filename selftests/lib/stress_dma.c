// SPDX-License-Identifier: GPL-2.0-only
/* Random DMA, each access checked against the model. */
#include "history.h"
#include "iommu_hw.h"
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
static void make_fresh(struct stress *s, unsigned int base, size_t page)
{
	__u64 value = stress_value(s), *word = stress_hva(s, page);
	struct model *m = &s->model;
	size_t i;

	if (m->pages[page].readonly || model_is_apart(m, base, page))
		return;
	for (i = 0; i < SIZE_4K / sizeof(*word); i++)
		WRITE_ONCE(word[i], value);
	model_process_wrote(m, page, value);
}

/* What lies apart only a device can read: stress_op_copy() does. */
static void check_device_page(struct stress *s, unsigned int base, size_t page)
{
	if (!model_is_apart(&s->model, base, page))
		stress_check_process(s, page);
}

void stress_dma(struct stress *s, unsigned int dev, struct model_area r)
{
	bool reach[DMA_MAX_PAGES], all = true, ok;
	__u64 mark;
	size_t i;

	for (i = 0; i < r.n; i++) {
		reach[i] = model_device_reaches(&s->model, dev, r.base,
						r.first + i, true);
		all &= reach[i];
	}
	history_step("writer %u (%s) writes %zu+%zu at base %u: %s",
		     dev - STRESS_WRITER, attached_name(s, dev), r.first, r.n,
		     r.base, all ? "arrives" : "must be stopped");

	mark = iommu_events_mark();
	ok = testdev_write(&s->writers[dev - STRESS_WRITER],
			   stress_gpa_at(r.base, r.first), r.n * SIZE_4K);
	TEST_ASSERT(ok || !all, "the device lost memory that is mapped");
	TEST_ASSERT(!ok || all,
		    "the device reaches what is not mapped for its writes");

	if (ok)
		TEST_ASSERT(!event_came(mark), "an IOMMU event");
	else if (s->model.dev[dev] != DEV_DETACHED)
		count_stopped(s, mark);

	/* Of several pages one may have been stopped, the others were not. */
	for (i = 0; i < r.n; i++) {
		if (reach[i])
			model_device_wrote(&s->model, r.base, r.first + i,
					   DMA_VALUE);
		s->arrived += reach[i];
		check_device_page(s, r.base, r.first + i);
	}
}

bool stress_op_dma(struct stress *s)
{
	struct model_area r = stress_range(s, 1, DMA_MAX_PAGES);
	size_t i;

	if (stress_random(&s->random, 2))
		for (i = r.first; i < r.first + r.n; i++)
			make_fresh(s, r.base, i);
	stress_dma(s, stress_writer(s), r);
	return true;
}

/* Where neither the memslot nor a mapping ever was. */
bool stress_op_dma_astray(struct stress *s)
{
	size_t page = stress_random(&s->random, s->model.nr);
	unsigned int dev = stress_writer(s);

	history_step("writer %u (%s) writes %zu, where nothing ever was",
		     dev - STRESS_WRITER, attached_name(s, dev), page);
	TEST_ASSERT(!testdev_write(&s->writers[dev - STRESS_WRITER],
				   stress_gpa_at(MODEL_BASES, page), SIZE_4K),
		    "the device reaches an address without memory");
	return true;
}

/* A page that is mapped, for a device's writes if @write; false: found none. */
static bool random_mapped_page(struct stress *s, bool write,
			       struct model_area *page)
{
	struct model *m = &s->model;
	struct model_area *a;

	if (!m->nr_areas)
		return false;
	a = &m->areas[stress_random(&s->random, m->nr_areas)];
	page->base = a->base;
	page->first = a->first + stress_random(&s->random, a->n);
	page->n = 1;
	return !write || m->pages[page->first].pins[a->base].writable;
}

static void edu_copy_page(struct stress *s, const struct model_area *dst,
			  const struct model_area *src)
{
	edu_copy(&s->vm.edu, stress_gpa_at(dst->base, dst->first),
		 stress_gpa_at(src->base, src->first), SIZE_4K);
}

/* Also to itself at the other address, and from memory that lies apart. */
bool stress_op_copy(struct stress *s)
{
	struct model_area src, dst;
	struct model *m = &s->model;
	__u64 mark;

	if (m->dev[STRESS_EDU] == DEV_DETACHED ||
	    !random_mapped_page(s, true, &dst) ||
	    !random_mapped_page(s, false, &src))
		return false;
	history_step("edu (%s) copies %zu at base %u to %zu at base %u",
		     attached_name(s, STRESS_EDU), src.first, src.base,
		     dst.first, dst.base);
	mark = iommu_events_mark();
	edu_copy_page(s, &dst, &src);
	TEST_ASSERT(!event_came(mark), "an IOMMU event");
	model_device_wrote(m, dst.base, dst.first,
			   model_device_sees(m, src.base, src.first));
	check_device_page(s, dst.base, dst.first);
	return true;
}

/*
 * What the device may not read must not come out of it again. What comes out
 * instead is the device's own affair, so the page is written anew.
 */
bool stress_op_steal(struct stress *s)
{
	struct model_area src = stress_range(s, 1, 1), dst;
	struct model *m = &s->model;
	__u64 *word, secret, mark;
	size_t i;

	if (m->dev[STRESS_EDU] == DEV_DETACHED ||
	    !random_mapped_page(s, true, &dst) ||
	    model_is_apart(m, dst.base, dst.first) ||
	    m->pages[dst.first].readonly || m->pages[src.first].readonly ||
	    dst.first == src.first ||
	    model_device_reaches(m, STRESS_EDU, src.base, src.first, false))
		return false;
	make_fresh(s, src.base, src.first);
	secret = model_process_sees(m, src.first);
	history_step("edu (%s) may not copy %zu at base %u to %zu at base %u",
		     attached_name(s, STRESS_EDU), src.first, src.base,
		     dst.first, dst.base);
	mark = iommu_events_mark();
	edu_copy_page(s, &dst, &src);
	count_stopped(s, mark);
	word = stress_hva(s, dst.first);
	for (i = 0; i < SIZE_4K / sizeof(*word); i++)
		TEST_ASSERT(READ_ONCE(word[i]) != secret,
			    "the device read what was taken from it");
	make_fresh(s, dst.base, dst.first);
	check_device_page(s, dst.base, dst.first);
	return true;
}
