/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bridge's tracepoints.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM tdp_bridge

#if !defined(_TRACE_TDP_BRIDGE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_TDP_BRIDGE_H

#include <linux/tracepoint.h>

/* The driver's flush op is called next, with just that. */
TRACE_EVENT(tdp_bridge_flush,
	TP_PROTO(u64 gpa, u64 last_gpa, bool tables),
	TP_ARGS(gpa, last_gpa, tables),

	TP_STRUCT__entry(
		__field(u64, gpa)
		__field(u64, last_gpa)
		__field(bool, tables)
	),

	TP_fast_assign(
		__entry->gpa = gpa;
		__entry->last_gpa = last_gpa;
		__entry->tables = tables;
	),

	TP_printk("gpa 0x%llx last_gpa 0x%llx tables %d", __entry->gpa,
		  __entry->last_gpa, __entry->tables)
);

#endif /* _TRACE_TDP_BRIDGE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH ../../drivers/iommu/tdp_bridge
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
