/* SPDX-License-Identifier: GPL-2.0-only */
/* What the host says of a VM's sharing, and the operator's controls of it. */
#ifndef TDP_SELFTEST_VMM_SHARE_H
#define TDP_SELFTEST_VMM_SHARE_H

#include <stdbool.h>
#include <sys/types.h>
#include <linux/types.h>

#define VMM_SHARE_LINE	1024

struct vmm_share_status {
	char line[VMM_SHARE_LINE];	/* as the host gives it */
	bool shared;
	char mode[16];
	char reason[16];
	char last[16];
	__u64 hwpt;
	__u64 devices;
	__u64 error;
	__u64 to_shared;
	__u64 to_private;
	__u64 failed;
	__u64 shared_ns;
	__u64 private_ns;
	__u64 longest_ns;
};

/* Ends the case as skipped when the kernel has no automatic sharing. */
void vmm_share_require(void);

/* False: the VM has no device on iommufd, or there is none. */
bool vmm_share_status(pid_t pid, struct vmm_share_status *st);

/* How often @trigger took it to private. */
__u64 vmm_share_triggers(const struct vmm_share_status *st,
			 const char *trigger);

/* "off", "auto", "share" or "private". 0 or -errno; the second asserts. */
int __vmm_share_control(pid_t pid, const char *command);
void vmm_share_control(pid_t pid, const char *command);

/*
 * Waits until it is shared, or is private for @reason. Ends the case, and says
 * what it is instead, when that does not come in time.
 */
void vmm_wait_shared(pid_t pid, unsigned int seconds);
void vmm_wait_private(pid_t pid, const char *reason, unsigned int seconds);

/* Whether VMs that start from here on share by themselves; the default is on. */
void vmm_share_new_vms(bool on);

struct mmu_share_info;

/* What the VM shares; false: nothing. */
bool vmm_share_info(pid_t pid, struct mmu_share_info *info);

/* Physical address of the top table that the VM shares; 0: it does not. */
__u64 vmm_kvm_root(pid_t pid);

/* Faults in the second-level table that the VM's vCPUs took so far. */
__u64 vmm_tdp_faults(pid_t pid);

#endif
