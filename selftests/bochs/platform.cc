// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bochs's side: the plugin's entry and its options, memory, interrupts, timers,
 * where registers and functions are on the bus, and the timer that mends what
 * Bochs does with interrupts at a VM entry.
 */
#define BX_PLUGGABLE
#define LOG_THIS genlog->
/*
 * Debian's Bochs has both; configure leaves them out where there is no GTK. Without
 * them SIM's table of functions is another one than Debian's.
 */
#include "config.h"
#undef BX_DEBUGGER_GUI
#define BX_DEBUGGER_GUI 1
#undef BX_USB_DEBUGGER
#define BX_USB_DEBUGGER 1
#include "iodev.h"
#include "cpu/cpu.h"

#include <stdarg.h>

/* Bochs's cpu.h has macros of such names. */
#undef R
#undef W

#include "edu.hh"

extern bool apic_bus_deliver_interrupt(Bit8u vector, Bit32u dest, Bit8u delivery_mode,
				       bool logical_dest, bool level, bool trig_mode);

#define PLUGIN_NAME	"vtd"
#define DMA_LIMIT	bit(40)		/* Bochs checks no DMA address */

static knobs options;

/* ---- what the model needs of the machine */

class bochs_alarm : public alarm_clock {
public:
	explicit bochs_alarm(sleeper *who) : who(who)
	{
		id = bx_pc_system.register_timer(this, rings, 1, 0, 0, "vtd-function");
	}
	void set(unsigned us) override { bx_pc_system.activate_timer(id, us, 0); }

private:
	sleeper *who;
	int id;

	static void rings(void *me) { ((bochs_alarm *)me)->who->ring(); }
};

class bochs_platform : public platform {
public:
	FILE *log = NULL;
	u64 ram = 0;

	/* Tables are in RAM; elsewhere is nothing to be read. */
	bool read64(u64 pa, u64 *v) override
	{
		if (pa + 8 > ram || pa + 8 < pa)
			return false;
		DEV_MEM_READ_PHYSICAL_DMA(pa, 8, (Bit8u *)v);
		return true;
	}
	bool write64(u64 pa, u64 v) override
	{
		if (pa + 8 > ram || pa + 8 < pa)
			return false;
		DEV_MEM_WRITE_PHYSICAL_DMA(pa, 8, (Bit8u *)&v);
		return true;
	}
	bool read(u64 pa, void *buf, size_t len) override
	{
		if (pa >= DMA_LIMIT)
			return false;
		DEV_MEM_READ_PHYSICAL_DMA(pa, len, (Bit8u *)buf);
		return true;
	}
	bool write(u64 pa, const void *buf, size_t len) override
	{
		if (pa >= DMA_LIMIT)
			return false;
		DEV_MEM_WRITE_PHYSICAL_DMA(pa, len, (Bit8u *)buf);
		return true;
	}
	void msi(u64 addr, u32 data) override
	{
		apic_bus_deliver_interrupt(data & 0xff, field(addr, 19, 12), field(data, 10, 8),
					   addr & bit(2), data & bit(14), data & bit(15));
	}
	void intx(u8 devfn, bool level) override
	{
		DEV_pci_set_irq(devfn, 1, level);
	}
	u64 ept_pointer(unsigned cpu) override
	{
		return cpu < BX_SMP_PROCESSORS ? BX_CPU(cpu)->vmcs.eptptr : 0;
	}
	alarm_clock *new_alarm(sleeper *who) override { return new bochs_alarm(who); }
	void trace(const char *format, ...) override
	{
		va_list args;

		if (!log)
			return;
		fprintf(log, "%llu ", (unsigned long long)bx_pc_system.time_ticks());
		va_start(args, format);
		vfprintf(log, format, args);
		va_end(args);
		fputc('\n', log);
		fflush(log);
	}
};

/* ---- a function, as a PCI device of Bochs, which keeps the BARs */

class bochs_function : public bx_pci_device_c {
public:
	pci_function *const f;

	bochs_function(pci_function *f, const char *name) : f(f), devfunc(f->devfn)
	{
		put("VTD");
		DEV_register_pci_handlers(this, &devfunc, PLUGIN_NAME, name);
		init_pci_conf(f->config_read(0, 2), f->config_read(2, 2), 0x10, 0x00ff00, 0, 1);
		init_bar_mem(0, f->bar_size, mmio_read, mmio_write);
	}
	Bit32u pci_read_handler(Bit8u o, unsigned len) override
	{
		return is_bochs(o) ? bx_pci_device_c::pci_read_handler(o, len) :
				   f->config_read(o, len);
	}
	void pci_write_handler(Bit8u o, Bit32u v, unsigned len) override
	{
		f->config_write(o, len, v);
	}
	void reset(unsigned) override
	{
		memset(pci_conf + 0x10, 0, 0x18);
		f->reset();
	}
	/* By ECAM. */
	u32 config_read(unsigned o, unsigned len)
	{
		return o < 0x100 ? pci_read_handler(o, len) : f->config_read(o, len);
	}
	void config_write(unsigned o, unsigned len, u32 v)
	{
		if (o < 0x100)
			pci_write_handler_common(o, v, len);
		else
			f->config_write(o, len, v);
	}

private:
	Bit8u devfunc;

	/* The BARs and the interrupt line. */
	static bool is_bochs(unsigned o)
	{
		return (o >= 0x10 && o < 0x28) || (o >= 0x30 && o < 0x34) || o == 0x3c;
	}
	static bool mmio_read(bx_phy_address addr, unsigned len, void *data, void *me)
	{
		bochs_function *d = (bochs_function *)me;
		u64 v = d->f->mmio_read(addr - d->pci_bar[0].addr, len);

		memcpy(data, &v, len);
		return true;
	}
	static bool mmio_write(bx_phy_address addr, unsigned len, void *data, void *me)
	{
		bochs_function *d = (bochs_function *)me;
		u64 v = 0;

		memcpy(&v, data, len);
		d->f->mmio_write(addr - d->pci_bar[0].addr, len, v);
		return true;
	}
};

static bochs_platform plat;
static bench machine_bench;
static bochs_function *bus[256];

/* ---- registers of units, and configuration space */

static bool unit_read(bx_phy_address addr, unsigned len, void *data, void *me)
{
	u64 v = len <= 8 ? ((unit *)me)->read(addr & 0xfff, len) : 0;

	memcpy(data, &v, len <= 8 ? len : 8);
	return true;
}

static bool unit_write(bx_phy_address addr, unsigned len, void *data, void *me)
{
	u64 v = 0;

	memcpy(&v, data, len <= 8 ? len : 8);
	((unit *)me)->write(addr & 0xfff, len, v);
	return true;
}

/* What is not ours goes through the ports, as it would from the CPU. */
static bool ecam_read(bx_phy_address addr, unsigned len, void *data, void *)
{
	unsigned devfn = (addr >> 12) & 0xff, o = addr & 0xfff;
	u32 v = ~0u;

	if (len > 4)
		return false;
	if (bus[devfn]) {
		v = bus[devfn]->config_read(o, len);
	} else if (o < 0x100) {
		u32 saved = DEV_pci_get_confAddr();

		bx_devices.outp(0xcf8, 0x80000000u | devfn << 8 | (o & 0xfc), 4);
		v = bx_devices.inp(0xcfc + (o & 3), len);
		bx_devices.outp(0xcf8, saved, 4);
	}
	memcpy(data, &v, len);
	return true;
}

static bool ecam_write(bx_phy_address addr, unsigned len, void *data, void *)
{
	unsigned devfn = (addr >> 12) & 0xff, o = addr & 0xfff;
	u32 v = 0;

	if (len > 4)
		return false;
	memcpy(&v, data, len);
	if (bus[devfn]) {
		bus[devfn]->config_write(o, len, v);
	} else if (o < 0x100) {
		u32 saved = DEV_pci_get_confAddr();

		bx_devices.outp(0xcf8, 0x80000000u | devfn << 8 | (o & 0xfc), 4);
		bx_devices.outp(0xcfc + (o & 3), v, len);
		bx_devices.outp(0xcf8, saved, 4);
	}
	return true;
}

/* ---- the plugin */

class vtd_plugin : public bx_devmodel_c {
public:
	void init(void) override;
	void reset(unsigned type) override;

private:
	void add(pci_function *f, const char *name);
	static void look_again(void *);
};

void vtd_plugin::add(pci_function *f, const char *name)
{
	machine_bench.functions.push_back(f);
	bus[f->devfn] = new bochs_function(f, name);
}

void vtd_plugin::init(void)
{
	const machine &m = options.mach;

	put("VTD");
	if (m.log[0]) {
		plat.log = fopen(m.log, "w");
		if (!plat.log)
			BX_PANIC(("cannot write %s", m.log));
	}
	plat.ram = (u64)SIM->get_param_num(BXPN_MEM_SIZE)->get() << 20;
	machine_bench.p = &plat;
	for (unsigned i = 0; i < m.units; i++) {
		unit *u = new unit(i, options.unit[i], plat);

		machine_bench.units.push_back(u);
		/* Bochs has one handler in each 64 KiB at most. */
		if (!DEV_register_memory_handlers(u, unit_read, unit_write, VTDT_UNIT_BASE(i),
						  VTDT_UNIT_BASE(i) + 0xfff))
			BX_PANIC(("no room for a unit at %#x", VTDT_UNIT_BASE(i)));
	}
	for (unsigned i = 0; i < 2; i++) {
		unit &u = *machine_bench.units[i < m.units ? i : 0];

		add(new edu(plat, u, VTDT_EDU_DEVFN(i), machine_bench, m.dma_us), "edu");
		add(new testdev(plat, u, VTDT_TESTDEV_DEVFN(i)), "iommu-testdev");
	}
	if (!DEV_register_memory_handlers(bus, ecam_read, ecam_write, VTDT_ECAM_BASE,
					  VTDT_ECAM_BASE + 0xfffff))
		BX_PANIC(("no room for ECAM"));
	if (m.vmentry_us)
		bx_pc_system.register_timer(this, look_again, m.vmentry_us, 1, 1, "vtd-vmentry");
	for (auto u : machine_bench.units)
		BX_INFO(("CAP %llx ECAP %llx", (unsigned long long)u->c.cap(),
			 (unsigned long long)u->c.ecap()));
}

void vtd_plugin::reset(unsigned type)
{
	for (auto u : machine_bench.units)
		u->reset();
	for (auto f : machine_bench.functions)
		bus[f->devfn]->reset(type);
}

/*
 * At a VM entry Bochs 3.0 computes which interrupts are masked before it is in
 * the guest, so that with the guest's IF=0 an external interrupt causes no exit,
 * whatever the controls say. Compute it again while a guest runs.
 */
void vtd_plugin::look_again(void *)
{
	for (unsigned i = 0; i < BX_SMP_PROCESSORS; i++)
		if (BX_CPU(i)->in_vmx_guest && !BX_CPU(i)->get_IF())
			BX_CPU(i)->handleInterruptMaskChange();
}

static vtd_plugin *plugin_instance;

static Bit32s parse(const char *context, int count, char *params[])
{
	const char *wrong;

	for (int i = 1; i < count; i++) {
		wrong = options.set(params[i]);
		if (wrong)
			BX_PANIC(("%s: vtd: '%s' %s", context, params[i], wrong));
	}
	wrong = options.settle();
	if (wrong)
		BX_PANIC(("%s: vtd: %s", context, wrong));
	return 0;
}

static Bit32s save(FILE *)
{
	return 0;
}

PLUGIN_ENTRY_FOR_MODULE(vtd)
{
	switch (mode) {
	case PLUGIN_INIT:
		plugin_instance = new vtd_plugin();
		BX_REGISTER_DEVICE_DEVMODEL(plugin, type, plugin_instance, PLUGIN_NAME);
		SIM->register_addon_option(PLUGIN_NAME, parse, save);
		if (!SIM->is_addon_option(PLUGIN_NAME))
			BX_PANIC(("the plugin was built with headers of another Bochs"));
		break;
	case PLUGIN_FINI:
		SIM->unregister_addon_option(PLUGIN_NAME);
		delete plugin_instance;
		break;
	case PLUGIN_PROBE:
		return (int)PLUGTYPE_OPTIONAL;
	case PLUGIN_FLAGS:
		return PLUGFLAG_PCI;
	}
	return 0;
}
