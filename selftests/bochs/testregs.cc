// SPDX-License-Identifier: GPL-2.0-only
/* The test registers, regs.h, in edu's BAR. */
#include "edu.hh"

void test_registers::reset()
{
	unit_reg = function_reg = cpu = gpa = inv_index = found = 0;
}

unit &test_registers::about_unit()
{
	if (unit_reg && unit_reg <= b.units.size())
		return *b.units[unit_reg - 1];
	return own.u;
}

pci_function &test_registers::about()
{
	if (function_reg && function_reg <= b.functions.size())
		return *b.functions[function_reg - 1];
	return own;
}

u64 test_registers::record_field(unsigned o)
{
	const record *r = about_unit().find_record(inv_index);

	if (!r)
		return 0;
	switch (o) {
	case VTDT_INV_WHAT: return r->what;
	case VTDT_INV_PASID_OF: return r->pasid;
	case VTDT_INV_ADDR: return r->addr;
	}
	return r->size;
}

u64 test_registers::result()
{
	const ats_answer &a = about().answer;

	if (!a.completed || !a.perm)
		return 0;
	return a.pa | VTDT_FOUND | (a.perm & R ? VTDT_FOUND_READ : 0) |
	       (a.perm & W ? VTDT_FOUND_WRITE : 0);
}

u64 test_registers::read(unsigned o)
{
	pci_function &f = about();

	switch (o) {
	case VTDT_DEVTLB_ENTRIES: return f.dtlb.size();
	case VTDT_DEVTLB_HITS: return f.dtlb_hits;
	case VTDT_ATS_REQUESTS: return f.ats_requests;
	case VTDT_DMA_FAILED: return f.dma_failed;
	case VTDT_PRQ_SENT: return f.prq_sent;
	case VTDT_PRQ_LOST: return f.prq_lost;
	case VTDT_FLRS: return f.flrs;
	case VTDT_EPTP: return b.p->ept_pointer(cpu);
	case VTDT_ROOT: return f.root;
	case VTDT_DROP: return about_unit().dropped;
	case VTDT_CPU: return cpu;
	case VTDT_GPA: return gpa;
	case VTDT_PRG: return f.prg;
	case VTDT_RESPONSES: return f.responses;
	case VTDT_RESPONSE_CODE: return f.response_code;
	case VTDT_RESPONSE_PRG: return f.response_prg;
	case VTDT_PASID: return f.pasid_reg;
	case VTDT_DMA_MODE: return f.dma_mode;
	case VTDT_ATS_RESULT: return result();
	case VTDT_ATS_SIZE: return f.answer.size;
	case VTDT_ATS_REASON: return f.answer.reason;
	case VTDT_FIND_IOTLB: case VTDT_FIND_DEVTLB: case VTDT_FIND_PSC: return found;
	case VTDT_UNIT: return unit_reg;
	case VTDT_FUNCTION: return function_reg;
	case VTDT_INV_COUNT: return about_unit().records();
	case VTDT_INV_INDEX: return inv_index;
	case VTDT_INV_WHAT: case VTDT_INV_PASID_OF: case VTDT_INV_ADDR: case VTDT_INV_SIZE:
		return record_field(o);
	}
	return about_unit().counter(o);
}

void test_registers::write(unsigned o, u64 v)
{
	pci_function &f = about();
	const device_tlb::entry *e;

	switch (o) {
	case VTDT_ROOT: f.root = v; break;
	case VTDT_DROP: about_unit().dropped = v; break;
	case VTDT_ROOT_FLUSH: f.u.drop_root(); break;
	case VTDT_CPU: cpu = v; break;
	case VTDT_GPA: gpa = v; break;
	case VTDT_SWAP: swap(v); break;
	case VTDT_PRQ: f.send_page_request(v, v & RW); break;
	case VTDT_PRG: f.prg = v & 0x1ff; break;
	case VTDT_PASID: f.pasid_reg = v; break;
	case VTDT_DMA_MODE: f.dma_mode = v; break;
	case VTDT_ATS_REQUEST: f.ats_by_hand(v & ~0xfffull, v & RW, v & VTDT_ATS_KEEP); break;
	case VTDT_FIND_IOTLB: found = f.u.find_iotlb(f.who(), v); break;
	case VTDT_FIND_PSC: found = f.u.find_psc(f.who(), v); break;
	case VTDT_FIND_DEVTLB:
		e = f.dtlb.find(f.who().pasid, v);
		found = !e ? 0 : e->pa | VTDT_FOUND |
			(e->perm & R ? VTDT_FOUND_READ : 0) | (e->perm & W ? VTDT_FOUND_WRITE : 0) |
			(e->size == bit(21) ? VTDT_FOUND_2M : 0) |
			(e->size == bit(30) ? VTDT_FOUND_1G : 0);
		break;
	case VTDT_UNIT: unit_reg = v; break;
	case VTDT_FUNCTION: function_reg = v; break;
	case VTDT_INV_INDEX: inv_index = v; break;
	}
}

/* The leaf of KVM's EPT for an address. */
bool test_registers::ept_leaf(u64 addr, u64 *at)
{
	u64 table = b.p->ept_pointer(cpu) & ADDR_MASK, e;

	for (unsigned level = 4; table && level; level--) {
		*at = table + ((addr >> (12 + 9 * (level - 1))) & 511) * 8;
		if (!b.p->read64(*at, &e) || !(e & RW))
			return false;
		if (level == 1 || (e & bit(7)))
			return true;
		table = e & ADDR_MASK;
	}
	return false;
}

void test_registers::swap(u64 other)
{
	u64 one, two, a, c;

	if (!ept_leaf(gpa, &one) || !ept_leaf(other, &two) || !b.p->read64(one, &a) ||
	    !b.p->read64(two, &c))
		return;
	b.p->write64(one, (a & ~ADDR_MASK) | (c & ADDR_MASK));
	b.p->write64(two, (c & ~ADDR_MASK) | (a & ADDR_MASK));
	b.p->trace("EPT leaves of %llx and %llx swapped", (unsigned long long)gpa,
		   (unsigned long long)other);
}
