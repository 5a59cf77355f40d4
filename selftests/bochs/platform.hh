/* SPDX-License-Identifier: GPL-2.0-only */
/* What units and functions need of the machine. platform.cc has Bochs's. */
#ifndef BOCHS_PLATFORM_H
#define BOCHS_PLATFORM_H

#include <stddef.h>
#include "words.hh"

class alarm_clock {
public:
	virtual ~alarm_clock() {}
	virtual void set(unsigned us) = 0;	/* rings once, us from now */
};

/* Who is told when it rings. */
class sleeper {
public:
	virtual ~sleeper() {}
	virtual void ring() = 0;
};

class platform : public memory {
public:
	/* DMA by physical address; false where the host has no such address. */
	virtual bool read(u64 pa, void *buf, size_t len) = 0;
	virtual bool write(u64 pa, const void *buf, size_t len) = 0;
	virtual void msi(u64 addr, u32 data) = 0;
	virtual void intx(u8 devfn, bool level) = 0;
	virtual u64 ept_pointer(unsigned cpu) = 0;
	virtual alarm_clock *new_alarm(sleeper *who) = 0;
	virtual void trace(const char *format, ...) __attribute__((format(printf, 2, 3))) = 0;
};

#endif /* BOCHS_PLATFORM_H */
