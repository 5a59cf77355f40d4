/* SPDX-License-Identifier: GPL-2.0-only */
/* Starts and ends an unmodified QEMU with a Linux guest, on the emulated host. */
#ifndef TDP_SELFTEST_VMM_H
#define TDP_SELFTEST_VMM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <linux/types.h>

#include "vmm_text.h"

#define VMM_BOOT_SECONDS	180
#define VMM_DIR_LEN		32

/* Each may be left out. */
struct vmm_options {
	const char *machine;	/* -machine; default: q35 */
	const char *memory;	/* -m; default: 512M */
	const char *append;	/* more parameters of the guest's kernel */
	const char * const *args;	/* more of QEMU's, ends with NULL */
};

struct vmm {
	pid_t pid;
	char dir[VMM_DIR_LEN];	/* its logs */
	struct vmm_text qmp;
	struct vmm_text console;
	struct vmm_text events;	/* QMP's, that nobody has waited for yet */
	unsigned int orders;	/* so far, of vmm_guest_run() */
	__u64 iommu_mark;
	int kmsg;		/* the host's log */
	struct vmm *next;
};

/* Ends the program as skipped unless QEMU, guest and KVM are there. */
void vmm_require(void);

/*
 * Returns when QEMU answers; the guest boots meanwhile. When the case ends with
 * QEMU still there, what both are at and their logs are printed, and it is
 * killed.
 */
void vmm_start(struct vmm *v, const struct vmm_options *options);

/*
 * Asks it to quit, or kills it; then waits, and ends the case if the IOMMU
 * logged an event since vmm_start().
 */
void vmm_quit(struct vmm *v);
void vmm_kill(struct vmm *v);

/* Ends the case if the IOMMU logged an event since vmm_start(). */
void vmm_expect_no_iommu_events(struct vmm *v);

/*
 * Ends the case if there is a complaint in the log of the guest's kernel: a
 * bug, an I/O error, a device that did not answer in time.
 */
void vmm_expect_clean_guest_log(struct vmm *v);

/* Whether the log of the guest's kernel has @needle. */
bool vmm_guest_log_has(struct vmm *v, const char *needle);

#endif
