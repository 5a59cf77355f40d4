/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PCIe function, an endpoint integrated in the root complex: configuration
 * space with MSI, function-level reset, ATS, PRI and PASID; one memory BAR; and
 * DMA through the unit that it is behind.
 */
#ifndef BOCHS_PCI_H
#define BOCHS_PCI_H

#include "unit.hh"

enum dma_result { DMA_DONE, DMA_FAILED, DMA_WAIT };

class pci_function : public endpoint {
public:
	pci_function(platform &p, unit &u, u8 devfn, u16 vendor, u16 device, u32 bar_size);

	const u8 devfn;
	const u32 bar_size;

	/*
	 * Configuration space, without the BARs, which the emulator has. 1, 2 or 4
	 * bytes, aligned.
	 */
	u32 config_read(unsigned o, unsigned len) const;
	void config_write(unsigned o, unsigned len, u32 v);
	void reset();

	/* The BAR, where memory space is enabled. */
	u64 mmio_read(unsigned o, unsigned len);
	void mmio_write(unsigned o, unsigned len, u64 v);

	/* endpoint */
	u16 source_id() const override { return devfn; }
	void invalidate(u32 pasid, bool every_pasid, u64 addr, u64 size) override;
	void page_response(unsigned prg, unsigned code) override;

	/* What tests tell it, and see of it. */
	unsigned dma_mode;
	u32 pasid_reg;			/* VTDT_PASID */
	u64 root;			/* VTDT_ROOT */
	unsigned prg;
	device_tlb dtlb;
	ats_answer answer;		/* to the last ATS request by hand */
	u64 ats_requests, dtlb_hits, dma_failed, prq_sent, prq_lost;
	u64 responses, response_code, response_prg, flrs;

	unit &u;
	request who() const;
	void send_page_request(u64 addr, int want);
	void ats_by_hand(u64 addr, int want, bool keep);

protected:
	platform &p;

	virtual u64 bar_read(unsigned o, unsigned len) = 0;
	virtual void bar_write(unsigned o, unsigned len, u64 v) = 0;
	virtual void function_reset() = 0;
	/* The response to what made an access wait. */
	virtual void go_on(bool success) { (void)success; }

	/*
	 * An access within a page. It waits only when a page request is on its way;
	 * asked: there was one, and there is to be no other.
	 */
	dma_result access(u64 addr, void *buf, size_t len, int need, bool asked);
	/* Of any length, at once: to wait is to fail. */
	bool access_now(u64 addr, void *buf, size_t len, int need);
	void interrupt(bool level);

private:
	u8 conf[0x1000], writable[0x1000];
	bool waiting;
	unsigned waiting_prg;

	void capabilities();
	void flr();
	bool command_bit(unsigned n) const { return conf[4] & bit(n); }
	bool ats_on() const;
	bool pri_on() const;
};

#endif /* BOCHS_PCI_H */
