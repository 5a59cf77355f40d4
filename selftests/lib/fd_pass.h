/* SPDX-License-Identifier: GPL-2.0-only */
/* Gets a file descriptor from a process that is dead by then. */
#ifndef TDP_SELFTEST_FD_PASS_H
#define TDP_SELFTEST_FD_PASS_H

/* Forks; the child sends the descriptor that @make returns, and exits. */
int fd_from_child(int (*make)(void));

/* For @make: a VM with memory, that no vCPU ever ran in. */
int vm_fd_of_new_vm(void);

#endif
