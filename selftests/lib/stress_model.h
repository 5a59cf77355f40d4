/* SPDX-License-Identifier: GPL-2.0-only */
/* What process, vCPUs and devices must see of a memslot: a model, no access. */
#ifndef TDP_SELFTEST_STRESS_MODEL_H
#define TDP_SELFTEST_STRESS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#define MODEL_AREAS	48
#define MODEL_DEVICES	3

/* What becomes of a device's access. */
enum model_reach {
	REACH_BLOCKED,		/* must be stopped */
	REACH_EITHER,		/* may go through, then to what the process sees */
	REACH_ARRIVES,		/* must go through */
};

enum model_attached {
	DEV_DETACHED,
	DEV_ORDINARY,		/* to the HWPT with a table of its own */
	DEV_SHARED,		/* to the one with KVM's table */
};

/*
 * One page of the memslot. All words of a page are alike, so that one word
 * stands for its content. Pinned memory that the process discards is two pages:
 * the process sees a new one, guest and devices keep the old one.
 */
struct model_page {
	__u64 seen;		/* by the process */
	__u64 held;		/* by the pin, once that is another page */
	bool apart;		/* it is */
	bool mapped;		/* in the IOAS, hence pinned */
	bool readonly;		/* mprotect()ed, for the process */
	bool faulted_in;	/* the shared table may have a leaf, unpinned */
	bool written;		/* by a vCPU, since the last harvest */
	bool touched;		/* the same, or read: KVM may log that too */
};

/* Counted in pages. */
struct model_area {
	size_t first;
	size_t n;
};

struct model {
	struct model_page *pages;
	size_t nr;
	size_t fault_pages;	/* as much as one fault may map */
	struct model_area areas[MODEL_AREAS];	/* what the IOAS has mapped */
	size_t nr_areas;
	bool slot;		/* the memslot is there ... */
	unsigned int base;	/* ... at one of two addresses */
	bool logging;
	bool shared;		/* that HWPT exists */
	bool ordinary;
	enum model_attached dev[MODEL_DEVICES];
};

void model_init(struct model *m, size_t pages, size_t fault_pages);
void model_free(struct model *m);
const char *model_attached_name(enum model_attached how);

/* What must be true. */
__u64 model_vcpu_sees(struct model *m, size_t page);
__u64 model_device_sees(struct model *m, size_t page);
enum model_reach model_device_reaches(struct model *m, unsigned int dev,
				      size_t page);
size_t model_mapped_pages(struct model *m);
bool model_any_readonly(struct model *m, size_t first, size_t n);

/* Whether a shared HWPT could serve what the IOAS has mapped. */
bool model_can_share(struct model *m);
bool model_all_devices_off(struct model *m, enum model_attached from);

/* What has happened. */
void model_process_wrote(struct model *m, size_t page, __u64 value);
void model_vcpu_touched(struct model *m, size_t page);
void model_vcpu_wrote(struct model *m, size_t page, __u64 value);
void model_device_wrote(struct model *m, size_t page, __u64 value);
void model_discarded(struct model *m, size_t first, size_t n);
void model_protected(struct model *m, size_t first, size_t n, bool readonly);
void model_mapped(struct model *m, size_t first, size_t n);
void model_unmapped(struct model *m, size_t first, size_t n);
void model_slot_came(struct model *m, unsigned int base);
void model_slot_went(struct model *m);
void model_logging(struct model *m, bool on);
void model_log_harvested(struct model *m);
void model_share_came(struct model *m);
void model_share_went(struct model *m);

#endif
