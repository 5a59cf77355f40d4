/* SPDX-License-Identifier: GPL-2.0-only */
/* Fails a step of a VM with a shared table once for each fault it can meet. */
#ifndef TDP_SELFTEST_FAIL_SWEEP_H
#define TDP_SELFTEST_FAIL_SWEEP_H

#include "share_vm.h"

#define KEPT_SIZE	SIZE_2M
#define MEM_GPA		(GPA_HIGH + SIZE_1G)
#define MEM_SLOT	(TEST_SLOT + 1)

/*
 * The testdev does the DMA, as it does it at once. The other device is there
 * to be a second one.
 */
struct world {
	struct share_vm s;
	struct vfio_dev testdev;
	__u32 ordinary;		/* HWPT, if setup made one */

	struct guest_mem kept;	/* what the step does not touch */
	struct guest_mem mem;	/* what the step is about, of size 0: nothing */

	/* What the device reaches while the step has not happened. */
	bool kept_reached;
	bool mem_reached;
};

/* prepare and undo may be missing. */
struct step {
	void (*prepare)(struct world *w);	/* before each attempt */
	int (*run)(struct world *w);		/* the step: 0 or -errno */
	void (*verify)(struct world *w);	/* what it brought about */
	void (*undo)(struct world *w);

	/* Not checked if a fault made it do less, but did not make it fail. */
	void (*verify_in_full)(struct world *w);

	/* Tables and leaves that a failed map has made stay, for vCPUs alone. */
	bool vcpus_may_gain;
	bool must_not_fail;	/* whatever fails in it */
	bool no_faults;		/* it allocates nothing by itself */
};

/*
 * Fails the first, the second, ... allocation of @step until there is none.
 * After each failure all must be as it was, and the step must go well if
 * nothing fails. A step without any fault fails the case, unless it says so.
 * @setup is called once, with a VM, an IOAS and devices that are not attached.
 */
void sweep(const struct step *step, void (*setup)(struct world *w));

/* The same for the first, the second, ... call of a function. */
void sweep_function(const struct step *step, void (*setup)(struct world *w),
		    const char *function);

/* By the testdev, see dma_expect_reached(). */
void expect_reached(struct world *w, struct guest_mem *mem, bool reached);

/* One vCPU writes, another reads. */
void expect_guest_works(struct world *w, struct guest_mem *mem);

/* The objects of the bridge go from a work item. */
void wait_until_nothing_shared(void);

#endif
