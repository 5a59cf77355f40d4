// SPDX-License-Identifier: GPL-2.0-only
/* What the two who ask for dirty pages of a shared table must be told. */
#include "dirty_model.h"
#include "iommufd_dirty.h"
#include "tap.h"

static const char * const names[] = {
	[READER_LOG] = "KVM's log",
	[READER_DMA] = "iommufd's bitmap",
};

void dirty_model_init(struct dirty_model *d)
{
	int i;

	d->pages = d->mem.size / SIZE_4K;
	for (i = 0; i < DIRTY_READERS; i++)
		d->written[i] = calloc(d->pages / 64, sizeof(__u64));
	d->got = calloc(d->pages / 64, sizeof(__u64));
	TEST_ASSERT(d->written[READER_LOG] && d->written[READER_DMA] && d->got,
		    "calloc");
}

void dirty_model_create(struct dirty_model *d, enum guest_mem_backing backing,
			size_t size, bool manual)
{
	struct share_vm *s = &d->s;
	int r;

	memset(d, 0, sizeof(*d));
	share_vm_create_detached(s);
	if (!iommufd_can_track(s->iommufd, s->edu.dev_id))
		tap_skip_case("the IOMMU sets no dirty bits");
	d->manual = manual;
	if (manual)
		vm_enable_cap(s->vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
			      KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE);
	r = __iommufd_hwpt_alloc(s->iommufd, s->edu.dev_id, s->ioas,
				 IOMMU_HWPT_ALLOC_KVM_TDP |
				 IOMMU_HWPT_ALLOC_DIRTY_TRACKING, s->vm->fd,
				 &s->hwpt);
	TEST_ASSERT(!r, "a shared HWPT with dirty tracking: %s", strerror(-r));
	vfio_dev_attach(&s->edu, s->hwpt);
	if (!share_vm_add_testdev(s, &d->testdev))
		tap_skip_case("no iommu-testdev");
	share_vm_add_mem(s, &d->mem, backing, GPA_HIGH, size);
	dirty_model_init(d);
}

void dirty_model_destroy(struct dirty_model *d)
{
	vfio_dev_close(&d->testdev);
	share_vm_destroy(&d->s);
	dirty_model_free(d);
}

void dirty_model_free(struct dirty_model *d)
{
	free(d->written[READER_LOG]);
	free(d->written[READER_DMA]);
	free(d->got);
}

void dirty_model_switch(struct dirty_model *d, enum dirty_reader reader, bool on)
{
	if (reader == READER_LOG)
		share_vm_log_dirty(&d->s, d->mem.slot, on);
	else
		TEST_ASSERT(!iommufd_dirty_tracking(d->s.iommufd, d->s.hwpt, on),
			    "tracking %s", on ? "on" : "off");
	if (on)
		memset(d->written[reader], 0, d->pages / 8);
	d->on[reader] = on;
}

/* @side is whose own side has written. */
static void note(struct dirty_model *d, enum dirty_reader side, size_t page)
{
	int i;

	for (i = 0; i < DIRTY_READERS; i++)
		if (d->on[i] && (i == side || !d->apart))
			d->written[i][page / 64] |= 1ULL << page % 64;
}

void dirty_model_vcpu_writes(struct dirty_model *d, size_t page)
{
	guest_fill(d->s.vcpus[0], d->mem.gpa + page * SIZE_4K, 8, 8, page);
	note(d, READER_LOG, page);
}

void dirty_model_device_writes(struct dirty_model *d, size_t page)
{
	TEST_ASSERT(testdev_write(&d->testdev, d->mem.gpa + page * SIZE_4K, 64),
		    "DMA to page %zu", page);
	note(d, READER_DMA, page);
}

static void ask(struct dirty_model *d, enum dirty_reader reader, bool keep)
{
	struct share_vm *s = &d->s;

	memset(d->got, 0, d->pages / 8);
	if (reader == READER_DMA) {
		TEST_ASSERT(!iommufd_dirty_bitmap(s->iommufd, s->hwpt, d->mem.gpa,
						  d->mem.size, SIZE_4K, keep,
						  d->got), "GET_DIRTY_BITMAP");
		return;
	}
	kvm_vm_get_dirty_log(s->vm, d->mem.slot, d->got);
	if (d->manual && !keep)
		kvm_vm_clear_dirty_log(s->vm, d->mem.slot, d->got, 0, d->pages);
}

size_t dirty_model_read(struct dirty_model *d, enum dirty_reader reader, bool keep)
{
	__u64 *written = d->written[reader];
	size_t i, pages = 0;

	/* Upstream's log, without manual protection, can't be kept. */
	keep &= reader == READER_DMA || d->manual;
	ask(d, reader, keep);
	for (i = 0; i < d->pages / 64; i++) {
		TEST_ASSERT(!(written[i] & ~d->got[i]),
			    "%s: pages %zu to %zu: %016llx, written were %016llx",
			    names[reader], i * 64, i * 64 + 63, d->got[i],
			    written[i]);
		pages += __builtin_popcountll(d->got[i]);
		d->too_much += __builtin_popcountll(d->got[i] & ~written[i]);
	}
	d->told += pages;
	if (!keep)
		memset(written, 0, d->pages / 8);
	return pages;
}
