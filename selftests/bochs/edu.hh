/* SPDX-License-Identifier: GPL-2.0-only */
/* The two functions: registers as QEMU's edu and iommu-testdev have them. */
#ifndef BOCHS_EDU_H
#define BOCHS_EDU_H

#include "pci.hh"

/* What the test registers are about: every unit and every function. */
struct bench {
	platform *p;
	std::vector<unit *> units;
	std::vector<pci_function *> functions;	/* in the order of VTDT_FUNCTION */
};

/* The registers of regs.h, as one edu function has them. */
class test_registers {
public:
	test_registers(bench &b, pci_function &own) : b(b), own(own) { reset(); }
	void reset();
	u64 read(unsigned o);
	void write(unsigned o, u64 v);

private:
	bench &b;
	pci_function &own;
	u64 unit_reg, function_reg, cpu, gpa, inv_index, found;

	unit &about_unit();
	pci_function &about();
	bool ept_leaf(u64 addr, u64 *at);
	void swap(u64 other);
	u64 record_field(unsigned o);
	u64 result();
};

#define EDU_BAR		0x100000
#define EDU_BUFFER	0x40000		/* in its own addresses */
#define EDU_BUFFER_SIZE	4096

class edu : public pci_function, public sleeper {
public:
	edu(platform &p, unit &u, u8 devfn, bench &b, unsigned us);
	void ring() override;

protected:
	u64 bar_read(unsigned o, unsigned len) override;
	void bar_write(unsigned o, unsigned len, u64 v) override;
	void function_reset() override;
	void go_on(bool success) override;

private:
	test_registers tests;
	alarm_clock *clock;
	const unsigned us;
	u64 src, dst, count, command;
	u64 moved;			/* of the transfer that is on */
	bool asked, refused;
	u32 live, factorial, status, irqs;
	u8 buffer[EDU_BUFFER_SIZE];

	void start(u64 v);
	void raise(u32 v);
	void end();
};

class testdev : public pci_function {
public:
	testdev(platform &p, unit &u, u8 devfn);

protected:
	u64 bar_read(unsigned o, unsigned len) override;
	void bar_write(unsigned o, unsigned len, u64 v) override;
	void function_reset() override;

private:
	u32 iova_lo, iova_hi, len, result, attrs, gpa_lo, gpa_hi;
	bool armed;

	void trigger();
};

#endif /* BOCHS_EDU_H */
