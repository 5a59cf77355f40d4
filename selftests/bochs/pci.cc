// SPDX-License-Identifier: GPL-2.0-only
/* Configuration space, reset, interrupts and DMA of a function. */
#include <string.h>

#include "pci.hh"

/* Where capabilities are; extended ones are reached by ECAM only. */
enum { PCIE = 0x40, MSI = 0x80, ATS = 0x100, PRI = 0x110, PASID = 0x120 };

static u16 get16(const u8 *at)
{
	u16 v;

	memcpy(&v, at, 2);
	return v;
}

static u32 get32(const u8 *at)
{
	u32 v;

	memcpy(&v, at, 4);
	return v;
}

static void put16(u8 *at, u16 v)
{
	memcpy(at, &v, 2);
}

static void put32(u8 *at, u32 v)
{
	memcpy(at, &v, 4);
}

pci_function::pci_function(platform &p, unit &u, u8 devfn, u16 vendor, u16 device, u32 bar_size)
	: devfn(devfn), bar_size(bar_size), u(u), p(p)
{
	memset(conf, 0, sizeof(conf));
	put16(conf, vendor);
	put16(conf + 2, device);
	put32(conf + 8, 0x00ff0010);		/* unclassified, revision 0x10 */
	conf[0x3d] = 1;				/* INTA */
	u.add(this);
	flrs = 0;
	capabilities();
}

void pci_function::capabilities()
{
	const caps &c = u.c;

	memset(writable, 0, sizeof(writable));
	memset(conf + 0x40, 0, sizeof(conf) - 0x40);
	put16(conf + 4, 0);
	put16(conf + 6, 0x0010);		/* there are capabilities */
	conf[0x34] = PCIE;
	put16(writable + 4, 0x0546);		/* memory, master, parity, SERR, no INTx */
	conf[0x0c] = conf[0x3c] = 0;
	writable[0x0c] = writable[0x3c] = 0xff;

	/* PCI Express, version 2, endpoint integrated in the root complex. */
	put16(conf + PCIE, MSI << 8 | 0x10);
	put16(conf + PCIE + 2, 0x0092);
	put32(conf + PCIE + 4, 0x10008000);	/* FLR, role-based errors */
	put16(writable + PCIE + 8, 0x78ff);

	/* MSI, 64-bit address, one vector. */
	put16(conf + MSI, 0x0005);
	put16(conf + MSI + 2, 0x0080);
	put16(writable + MSI + 2, 0x0001);
	put32(writable + MSI + 4, 0xfffffffc);
	put32(writable + MSI + 8, 0xffffffff);
	put16(writable + MSI + 12, 0xffff);

	if (!c.ats)
		return;
	put32(conf + ATS, (c.pri ? PRI : c.pasid ? PASID : 0) << 20 | 0x1000f);
	put16(conf + ATS + 4, 0x0020);		/* page-aligned requests */
	put16(writable + ATS + 6, 0x801f);
	if (c.pri) {
		put32(conf + PRI, (c.pasid ? PASID : 0) << 20 | 0x10013);
		/* Stopped; responses have a PASID if requests can have one. */
		put16(conf + PRI + 6, c.pasid ? 0x8100 : 0x0100);
		put32(conf + PRI + 8, 32);
		put16(writable + PRI + 4, 0x0001);
		put32(writable + PRI + 12, 0xffffffff);
	}
	if (c.pasid) {
		put32(conf + PASID, 0x1001b);
		put16(conf + PASID + 4, c.pss << 8 | 0x0006);	/* execute, privileged */
		put16(writable + PASID + 6, 0x0007);
	}
}

bool pci_function::ats_on() const
{
	return u.c.ats && (conf[ATS + 7] & 0x80);
}

bool pci_function::pri_on() const
{
	return u.c.pri && (conf[PRI + 4] & 1);
}

u32 pci_function::config_read(unsigned o, unsigned len) const
{
	u32 v = 0;

	if (o + len <= sizeof(conf) && len <= 4)
		memcpy(&v, conf + o, len);
	return v;
}

void pci_function::config_write(unsigned o, unsigned len, u32 v)
{
	if (o + len > sizeof(conf) || len > 4)
		return;
	for (unsigned i = 0; i < len; i++) {
		u8 m = writable[o + i];

		conf[o + i] = (conf[o + i] & ~m) | ((v >> (8 * i)) & m);
	}
	/* PCIe 7.5.3.4: Initiate Function Level Reset, which reads as 0. */
	if (o <= PCIE + 9 && PCIE + 9 < o + len && ((v >> (8 * (PCIE + 9 - o))) & 0x80))
		flr();
	/* PRI: Stopped follows Enable, and without ATS nothing is cached. */
	if (u.c.pri)
		conf[PRI + 7] = (conf[PRI + 7] & ~1) | !(conf[PRI + 4] & 1);
	if (!ats_on())
		dtlb.drop_all();
	if (o >= 0x40)
		p.trace("%04x: configuration %x = %x (%u)", devfn, o, v, len);
}

void pci_function::reset()
{
	dma_mode = VTDT_DMA_UNTRANSLATED;
	pasid_reg = 0;
	root = 0;
	prg = 0;
	answer = {};
	ats_requests = dtlb_hits = dma_failed = prq_sent = prq_lost = 0;
	responses = response_code = response_prg = 0;
	waiting = false;
	dtlb.drop_all();
	capabilities();
	function_reset();
}

/* What tests have set goes too, but for the count of resets. */
void pci_function::flr()
{
	p.trace("%04x: function-level reset", devfn);
	flrs++;
	reset();
}

u64 pci_function::mmio_read(unsigned o, unsigned len)
{
	return command_bit(1) ? bar_read(o, len) : ~0ull;
}

void pci_function::mmio_write(unsigned o, unsigned len, u64 v)
{
	if (command_bit(1))
		bar_write(o, len, v);
}

/* MSI if it is on, else INTA, which stays until it is taken back. */
void pci_function::interrupt(bool level)
{
	if (conf[MSI + 2] & 1) {
		if (level && command_bit(2))
			p.msi((u64)get32(conf + MSI + 8) << 32 | get32(conf + MSI + 4),
			      get16(conf + MSI + 12));
		return;
	}
	conf[6] = (conf[6] & ~8) | (level ? 8 : 0);
	p.intx(devfn, level && !(conf[5] & 4));
}

request pci_function::who() const
{
	request q = {};
	bool with = pasid_reg & VTDT_WITH_PASID(0);

	q.sid = devfn;
	q.pasid = with ? pasid_reg & 0xfffff : NO_PASID;
	q.priv = with && (pasid_reg & VTDT_PASID_PRIV);
	q.exec = with && (pasid_reg & VTDT_PASID_EXEC);
	q.root = root;
	return q;
}

/* ---- DMA */

dma_result pci_function::access(u64 addr, void *buf, size_t len, int need, bool asked)
{
	request q = who();
	address_type at = AT_UNTRANSLATED;
	u64 pa;
	bool done;

	if (!command_bit(2))
		goto fail;
	/* 3.14: a write of a word there is an interrupt, all else is not let through. */
	if (dma_mode == VTDT_DMA_UNTRANSLATED && in_interrupt_range(addr) &&
	    q.pasid == NO_PASID) {
		u32 data;

		if (!(need & W) || len != 4)
			goto fail;
		memcpy(&data, buf, 4);
		p.msi(addr, data);
		return DMA_DONE;
	}
	if (dma_mode == VTDT_DMA_TRANSLATED)
		at = AT_TRANSLATED;
	if (dma_mode == VTDT_DMA_ATS) {
		const device_tlb::entry *e = dtlb.find(q.pasid, addr);

		if (!ats_on())
			goto fail;
		if (e && !(need & ~e->perm)) {
			dtlb_hits++;
			addr = e->pa + (addr - e->addr);
		} else {
			ats_answer a = u.ats(q, addr, need);
			u64 in = a.size - 1;

			ats_requests++;
			if (!a.completed)
				goto fail;
			if (need & ~a.perm) {
				if (asked || !pri_on())
					goto fail;
				waiting = true;
				waiting_prg = prg;
				send_page_request(addr, need);
				return DMA_WAIT;
			}
			dtlb.add({ q.pasid, addr & ~in, a.size, a.pa, a.perm });
			addr = a.pa + (addr & in);
		}
		at = AT_TRANSLATED;
	}
	if (u.access(q, addr, need, at, &pa))
		goto fail;
	done = need & W ? p.write(pa, buf, len) : p.read(pa, buf, len);
	if (done)
		return DMA_DONE;
fail:
	dma_failed++;
	return DMA_FAILED;
}

bool pci_function::access_now(u64 addr, void *buf, size_t len, int need)
{
	u8 *at = (u8 *)buf;

	while (len) {
		size_t n = PAGE_SIZE - (addr & (PAGE_SIZE - 1));

		if (n > len)
			n = len;
		if (access(addr, at, n, need, true) != DMA_DONE)
			return false;
		at += n;
		addr += n;
		len -= n;
	}
	return true;
}

void pci_function::ats_by_hand(u64 addr, int want, bool keep)
{
	u64 in;

	answer = {};
	if (!ats_on())
		return;
	ats_requests++;
	answer = u.ats(who(), addr, want);
	in = answer.size - 1;
	if (keep && answer.completed && answer.perm)
		dtlb.add({ who().pasid, addr & ~in, answer.size, answer.pa, answer.perm });
}

void pci_function::send_page_request(u64 addr, int want)
{
	if (!pri_on()) {
		prq_lost++;
		return;
	}
	prq_sent++;
	if (!u.page_request(who(), addr & ~0xfffull, want, prg))
		prq_lost++;
}

void pci_function::invalidate(u32 pasid, bool every_pasid, u64 addr, u64 size)
{
	dtlb.drop(pasid, every_pasid, addr, size);
}

void pci_function::page_response(unsigned group, unsigned code)
{
	responses++;
	response_code = code;
	response_prg = group;
	if (waiting && group == waiting_prg) {
		waiting = false;
		go_on(code == RESPONSE_SUCCESS);
	}
}
