/* SPDX-License-Identifier: GPL-2.0-only */
/* What process, vCPUs and devices must see of a memslot: a model, no access. */
#ifndef TDP_SELFTEST_STRESS_MODEL_H
#define TDP_SELFTEST_STRESS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#define MODEL_AREAS	48
#define MODEL_DEVICES	3

enum model_attached {
	DEV_DETACHED,
	DEV_ORDINARY,		/* to the HWPT with a table of its own */
	DEV_SHARED,		/* to the one with KVM's table */
};

/* What a vCPU's access comes to. */
enum model_vcpu {
	VCPU_DONE,
	VCPU_MMIO,		/* no memslot: user space is to answer it */
	VCPU_REFUSED,		/* KVM_RUN fails */
};

/* The memslot is at one of them, the IOAS may map its memory at both. */
#define MODEL_BASES	2

/*
 * A page of memory. All its words are alike, so that one stands for its content.
 * Whoever uses the page holds it: the process, and each pin of the IOAS.
 */
struct model_frame {
	__u64 value;
	unsigned int users;
};

/* How the IOAS maps a page at one of the addresses. */
struct model_pin {
	struct model_frame *frame;	/* NULL: not at all */
	bool writable;
};

/*
 * One page of the memslot. When the process discards pinned memory it sees a new
 * page from then on, while devices keep the old one.
 */
struct model_page {
	struct model_frame *frame;	/* the process's */
	struct model_pin pins[MODEL_BASES];
	bool readonly;		/* mprotect()ed, for the process */
	bool written;		/* by a vCPU, since the last harvest */
	/* The same, or read, or before the memslot came: KVM may log that too. */
	bool touched;
};

/* Counted in pages. */
struct model_area {
	size_t first;
	size_t n;
	unsigned int base;	/* for those who go by guest address */
};

struct model {
	struct model_page *pages;
	struct model_frame *frames;
	size_t nr;
	struct model_area areas[MODEL_AREAS];	/* what the IOAS has mapped */
	size_t nr_areas;
	bool slot;		/* the memslot is there ... */
	unsigned int base;	/* ... at one of two addresses */
	bool logging;
	bool shared;		/* that HWPT exists */
	bool rights_are_one;	/* in its table */
	bool ordinary;
	enum model_attached dev[MODEL_DEVICES];
};

void model_init(struct model *m, size_t pages);
void model_free(struct model *m);
const char *model_attached_name(enum model_attached how);

/* What must be true. */
__u64 model_process_sees(struct model *m, size_t page);
__u64 model_device_sees(struct model *m, unsigned int base, size_t page);
enum model_vcpu model_vcpu_meets(struct model *m, size_t page, bool write);
bool model_device_reaches(struct model *m, unsigned int dev, unsigned int base,
			  size_t page, bool write);
bool model_is_mapped(struct model *m, unsigned int base, size_t page);
size_t model_mapped_pages(struct model *m);
bool model_any_readonly(struct model *m, size_t first, size_t n);

/* The IOAS maps another page there than the process. */
bool model_is_apart(struct model *m, unsigned int base, size_t page);

/* The same where the memslot is: what one table can't do for both. */
bool model_in_conflict(struct model *m, size_t page);
bool model_any_conflict(struct model *m);
bool model_all_devices_off(struct model *m, enum model_attached from);

/* What has happened. */
void model_process_wrote(struct model *m, size_t page, __u64 value);
void model_vcpu_touched(struct model *m, size_t page);
void model_vcpu_wrote(struct model *m, size_t page, __u64 value);
void model_device_wrote(struct model *m, unsigned int base, size_t page,
			__u64 value);
void model_discarded(struct model *m, size_t first, size_t n);
void model_protected(struct model *m, size_t first, size_t n, bool readonly);
void model_mapped(struct model *m, struct model_area r, bool writable);
void model_unmapped(struct model *m, struct model_area r);
void model_slot_came(struct model *m, unsigned int base);
void model_slot_went(struct model *m);
void model_logging(struct model *m, bool on);
void model_log_harvested(struct model *m);

#endif
