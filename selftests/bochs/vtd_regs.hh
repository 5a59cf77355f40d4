/* SPDX-License-Identifier: GPL-2.0-only */
/* A unit's registers, 11.4: offsets, and the bits that the model looks at. */
#ifndef BOCHS_VTD_REGS_H
#define BOCHS_VTD_REGS_H

#include "words.hh"

enum {
	VER = 0x00, CAP = 0x08, ECAP = 0x10, GCMD = 0x18, GSTS = 0x1c,
	RTADDR = 0x20, CCMD = 0x28, FSTS = 0x34,
	/* Control, data, address, upper address of an event, four bytes apart. */
	FECTL = 0x38, FEDATA = 0x3c, FEADDR = 0x40, FEUADDR = 0x44,
	IQH = 0x80, IQT = 0x88, IQA = 0x90, ICS = 0x9c,
	IECTL = 0xa0, IEDATA = 0xa4, IEADDR = 0xa8, IEUADDR = 0xac, IQERCD = 0xb0,
	PQH = 0xc0, PQT = 0xc8, PQA = 0xd0, PRS = 0xdc,
	PECTL = 0xe0, PEDATA = 0xe4, PEADDR = 0xe8, PEUADDR = 0xec,
	IVA = 0xf0, IOTLB = 0xf8,
	FRCD = 0x220,
};
#define MAX_FAULTS	64

#define GCMD_TE		0x80000000u
#define GCMD_SRTP	0x40000000u
#define GCMD_QIE	0x04000000u
#define GCMD_SIRTP	0x01000000u

#define FSTS_PFO	0x01u
#define FSTS_PPF	0x02u
#define FSTS_IQE	0x10u
#define FSTS_ICE	0x20u
#define FSTS_ITE	0x40u

#define EVENT_MASKED	0x80000000u
#define EVENT_PENDING	0x40000000u

#define PRS_PPR		1u
#define PRS_PRO		2u

#endif /* BOCHS_VTD_REGS_H */
