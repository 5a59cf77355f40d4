// SPDX-License-Identifier: GPL-2.0-only
/*
 * edu: a DMA engine with a buffer of a page. A transfer takes some time, and
 * may wait for a page response in the middle of it.
 */
#include <string.h>

#include "edu.hh"

enum { ID = 0x00, LIVE = 0x04, FACTORIAL = 0x08, STATUS = 0x20, IRQ_STATUS = 0x24,
       IRQ_RAISE = 0x60, IRQ_ACK = 0x64, SRC = 0x80, DST = 0x88, COUNT = 0x90, COMMAND = 0x98 };

enum { RUN = 1, TO_MEMORY = 2, IRQ = 4 };
#define STATUS_IRQ	0x80
#define IRQ_FACTORIAL	1
#define IRQ_DMA		0x100

edu::edu(platform &p, unit &u, u8 devfn, bench &b, unsigned us)
	: pci_function(p, u, devfn, 0x1234, 0x11e8, EDU_BAR), tests(b, *this), us(us)
{
	clock = p.new_alarm(this);
	reset();
}

void edu::function_reset()
{
	src = dst = count = command = moved = 0;
	asked = refused = false;
	live = factorial = status = irqs = 0;
	memset(buffer, 0, sizeof(buffer));
	tests.reset();
	interrupt(false);
}

void edu::raise(u32 v)
{
	irqs |= v;
	if (irqs)
		interrupt(true);
}

void edu::end()
{
	bool irq = command & IRQ;

	command &= ~(u64)RUN;
	if (irq)
		raise(IRQ_DMA);
}

/* One side of a transfer is the buffer. */
void edu::ring()
{
	bool to_memory = command & TO_MEMORY;
	u64 in = (to_memory ? src : dst) - EDU_BUFFER, iova = to_memory ? dst : src;

	if (!(command & RUN))
		return;
	if (in > sizeof(buffer) || count > sizeof(buffer) - in || refused) {
		p.trace("%04x: transfer of %llu bytes stops", devfn, (unsigned long long)count);
		dma_failed++;
		return end();
	}
	while (moved < count) {
		u64 at = iova + moved, n = PAGE_SIZE - (at & (PAGE_SIZE - 1));

		if (n > count - moved)
			n = count - moved;
		switch (access(at, buffer + in + moved, n, to_memory ? W : R, asked)) {
		case DMA_WAIT:
			return;
		case DMA_FAILED:
			p.trace("%04x: transfer at %llx refused", devfn, (unsigned long long)at);
			return end();
		case DMA_DONE:
			break;
		}
		asked = false;
		moved += n;
	}
	end();
}

/* Not at once: the response may come from within the request. */
void edu::go_on(bool success)
{
	asked = true;
	refused = !success;
	clock->set(1);
}

void edu::start(u64 v)
{
	if (command & RUN)
		return;
	command = v;
	if (!(v & RUN))
		return;
	moved = 0;
	asked = refused = false;
	if (us)
		clock->set(us);
	else
		ring();
}

u64 edu::bar_read(unsigned o, unsigned)
{
	switch (o) {
	case ID: return 0x010000ed;
	case LIVE: return live;
	case FACTORIAL: return factorial;
	case STATUS: return status;
	case IRQ_STATUS: return irqs;
	case SRC: return src;
	case DST: return dst;
	case COUNT: return count;
	case COMMAND: return command;
	}
	return tests.read(o);
}

void edu::bar_write(unsigned o, unsigned, u64 v)
{
	switch (o) {
	case LIVE:
		live = ~(u32)v;
		return;
	case FACTORIAL:
		factorial = 1;
		for (u32 i = v; i > 1 && factorial; i--)
			factorial *= i;
		if (status & STATUS_IRQ)
			raise(IRQ_FACTORIAL);
		return;
	case STATUS:
		status = v & STATUS_IRQ;
		return;
	case IRQ_RAISE:
		raise(v);
		return;
	case IRQ_ACK:
		irqs &= ~(u32)v;
		if (!irqs)
			interrupt(false);
		return;
	case COMMAND:
		start(v);
		return;
	}
	if (o == SRC || o == DST || o == COUNT) {
		if (!(command & RUN))
			(o == SRC ? src : o == DST ? dst : count) = v;
		return;
	}
	tests.write(o, v);
}
