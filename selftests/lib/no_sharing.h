/* SPDX-License-Identifier: GPL-2.0-only */
/* What holds in every boot that can't share: the flag is refused, no more. */
#ifndef TDP_SELFTEST_NO_SHARING_H
#define TDP_SELFTEST_NO_SHARING_H

#include "share_vm.h"

/* Makes @s without a HWPT; asking for a shared one gives @err. */
void no_sharing_refused(struct share_vm *s, int err);

/* Control: DMA between vCPUs through a HWPT with a table of its own. */
void no_sharing_ordinary_works(void);

#endif
