// SPDX-License-Identifier: GPL-2.0-only
/*
 * iommu-testdev: writes a pattern of any length, at once, when it is armed and
 * its trigger is read. QEMU's reads back at a physical address that it is given;
 * this one does not, so that a write that went well always gives 0.
 */
#include <string.h>

#include "edu.hh"

enum { TRIGGER = 0x00, IOVA_LO = 0x04, IOVA_HI = 0x08, LEN = 0x0c, RESULT = 0x10,
       DOORBELL = 0x14, ATTRS = 0x18, GPA_LO = 0x1c, GPA_HI = 0x20 };

#define PATTERN		0x12345678u
#define RESULT_IDLE	0xffffffffu
#define RESULT_BUSY	0xfffffffeu
#define BAD_LENGTH	0xdead0001u
#define WRITE_FAILED	0xdead0002u
#define NOT_ARMED	0xdead0005u

testdev::testdev(platform &p, unit &u, u8 devfn) : pci_function(p, u, devfn, 0x1b36, 0x0005, 0x1000)
{
	reset();
}

void testdev::function_reset()
{
	iova_lo = iova_hi = len = attrs = gpa_lo = gpa_hi = 0;
	result = RESULT_IDLE;
	armed = false;
}

void testdev::trigger()
{
	u64 iova = (u64)iova_hi << 32 | iova_lo;
	u32 page[PAGE_SIZE / 4];

	if (!armed) {
		result = NOT_ARMED;
		return;
	}
	armed = false;
	if (!len) {
		result = BAD_LENGTH;
		return;
	}
	for (auto &word : page)
		word = PATTERN;
	/* As QEMU's does: one page is refused, the others are written. */
	result = 0;
	for (u32 done = 0, n; done < len; done += n) {
		n = PAGE_SIZE - ((iova + done) & (PAGE_SIZE - 1));
		if (n > len - done)
			n = len - done;
		if (!access_now(iova + done, page, n, W))
			result = WRITE_FAILED;
	}
}

u64 testdev::bar_read(unsigned o, unsigned)
{
	switch (o) {
	case TRIGGER:
		trigger();
		return 0;
	case IOVA_LO: return iova_lo;
	case IOVA_HI: return iova_hi;
	case LEN: return len;
	case RESULT: return result;
	case ATTRS: return attrs;
	case GPA_LO: return gpa_lo;
	case GPA_HI: return gpa_hi;
	}
	return 0;
}

void testdev::bar_write(unsigned o, unsigned, u64 v)
{
	switch (o) {
	case IOVA_LO: iova_lo = v; break;
	case IOVA_HI: iova_hi = v; break;
	case LEN: len = v; break;
	case ATTRS: attrs = v; break;
	case GPA_LO: gpa_lo = v; break;
	case GPA_HI: gpa_hi = v; break;
	case DOORBELL:
		armed = v & 1;
		if (armed)
			result = RESULT_BUSY;
		break;
	}
}
