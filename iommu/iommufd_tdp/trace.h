/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tracepoint of automatic sharing.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM iommufd_tdp

#if !defined(_TRACE_IOMMUFD_TDP_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_IOMMUFD_TDP_H

#include <linux/tracepoint.h>

/* So that perf and others can tell the names from the event's format. */
TRACE_DEFINE_ENUM(TDP_BY_QUIET);
TRACE_DEFINE_ENUM(TDP_BY_MAP);
TRACE_DEFINE_ENUM(TDP_BY_CONFLICT);
TRACE_DEFINE_ENUM(TDP_BY_ATTACH);
TRACE_DEFINE_ENUM(TDP_BY_DIRTY);
TRACE_DEFINE_ENUM(TDP_BY_CLAIM);
TRACE_DEFINE_ENUM(TDP_BY_OFF);
TRACE_DEFINE_ENUM(TDP_BY_FORCE);

#define show_tdp_trigger(trigger)		\
	__print_symbolic(trigger,		\
		{ TDP_BY_QUIET,   "quiet" },	\
		{ TDP_BY_MAP,     "map" },	\
		{ TDP_BY_CONFLICT, "conflict" },	\
		{ TDP_BY_ATTACH,  "attach" },	\
		{ TDP_BY_DIRTY,   "dirty" },	\
		{ TDP_BY_CLAIM,   "claim" },	\
		{ TDP_BY_OFF,     "off" },	\
		{ TDP_BY_FORCE,   "forced" })

/* An HWPT has changed its domain, or could not. */
TRACE_EVENT(iommufd_tdp_convert,
	TP_PROTO(pid_t pid, u32 hwpt, bool to_shared, u8 trigger, int error,
		 u64 ns),
	TP_ARGS(pid, hwpt, to_shared, trigger, error, ns),

	TP_STRUCT__entry(
		__field(pid_t, pid)
		__field(u32, hwpt)
		__field(bool, to_shared)
		__field(u8, trigger)
		__field(int, error)
		__field(u64, ns)
	),

	TP_fast_assign(
		__entry->pid = pid;
		__entry->hwpt = hwpt;
		__entry->to_shared = to_shared;
		__entry->trigger = trigger;
		__entry->error = error;
		__entry->ns = ns;
	),

	TP_printk("pid %d hwpt %u to %s by %s error %d ns %llu", __entry->pid,
		  __entry->hwpt, __entry->to_shared ? "shared" : "private",
		  show_tdp_trigger(__entry->trigger), __entry->error,
		  __entry->ns)
);

#endif /* _TRACE_IOMMUFD_TDP_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH ../../drivers/iommu/iommufd/tdp
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
