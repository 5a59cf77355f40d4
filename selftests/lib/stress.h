/* SPDX-License-Identifier: GPL-2.0-only */
/* Random operations on one VM, each checked against the model. */
#ifndef TDP_SELFTEST_STRESS_H
#define TDP_SELFTEST_STRESS_H

#include "canary.h"
#include "share_vm.h"
#include "stress_guest.h"
#include "stress_model.h"

#define STRESS_CANARIES	8
#define STRESS_RECENT	4U

/* The devices in the order of model.dev. */
enum stress_device {
	STRESS_EDU,		/* copies, slowly */
	STRESS_WRITER,		/* writes at once */
	STRESS_WRITER_2,
};

struct stress {
	struct share_vm vm;
	struct guest_mem mem;
	struct model model;
	struct stress_vcpu vcpus[SHARE_VM_VCPUS];
	struct vfio_dev writers[2];
	struct canary canaries[STRESS_CANARIES];
	unsigned long *bitmap;
	__u32 ordinary;		/* that HWPT; the shared one is vm.hwpt */

	__u64 seed;
	__u64 random;		/* state of the generator */
	struct model_area recent[STRESS_RECENT];	/* where it happens */
	unsigned int nr_recent;
	unsigned long arrived;	/* pages that devices wrote */
	unsigned long conflicts;	/* pages that a vCPU could not have */
	unsigned long stopped;	/* accesses that did not get through ... */
	unsigned long events;	/* ... and those seen in the IOMMU's log */

	size_t host_pages;	/* what the host maps and unmaps as one */
	bool thp;		/* the host may make larger ones of them */
	bool crowded;		/* others use vCPU 1, a writer and the IOAS */
};

/* A VM, its memory in a memslot of that size, all devices attached. */
void stress_create(struct stress *s, enum guest_mem_backing backing,
		   size_t size, __u64 seed);

/* For @seconds, and until each kind of operation was done at least once. */
void stress_run(struct stress *s, unsigned int seconds);
void stress_destroy(struct stress *s);

/* A pseudo-random number below @n. */
__u64 stress_random(__u64 *state, __u64 n);

/* In stress_ops.c. An operation returns false where it had nothing to do. */
struct stress_op {
	const char *name;
	bool (*run)(struct stress *s);
	unsigned int weight;
	bool alone;		/* not while others use the VM */
};

extern const struct stress_op stress_ops[];
extern const unsigned int stress_nr_ops;

__u64 stress_gpa(struct stress *s, size_t page);	/* where the memslot is */
__u64 stress_gpa_at(unsigned int base, size_t page);
void *stress_hva(struct stress *s, size_t page);
void stress_check_process(struct stress *s, size_t page);
void stress_check_vcpu(struct stress *s, unsigned int vcpu, size_t page);

/*
 * A range of up to @max pages in whole multiples of @unit, near recent ones, and
 * mostly where the memslot is.
 */
struct model_area stress_range(struct stress *s, size_t unit, size_t max);
__u64 stress_value(struct stress *s);

/* In stress_dma.c: what devices do, by way of the same model. */
bool stress_op_dma(struct stress *s);
bool stress_op_dma_astray(struct stress *s);
bool stress_op_copy(struct stress *s);
bool stress_op_steal(struct stress *s);
unsigned int stress_writer(struct stress *s);	/* any */
void stress_dma(struct stress *s, unsigned int dev, struct model_area r);

#endif
