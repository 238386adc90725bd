/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recorded traces of real drivers: CSV compressed with zstd, one row an event
 * (docs/guide/traces.md). A trace is read and checked as a whole before anything runs; whatever is
 * wrong is an error that names row and column.
 *
 *     # iotrace v1 name=...          comments first, this one before all others
 *     icount,vns,kind,dir,addr,size,value,region
 *     107,1214,mmio,w,febc3818,4,ff,e1000-mmio
 */
#ifndef IOV_GUEST_TRACE_READER_H
#define IOV_GUEST_TRACE_READER_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define IOV_TRACE_BYTES_MAX (256u << 20) /* unpacked */
#define IOV_TRACE_REGIONS 48             /* different names */

enum iov_trace_kind {
    IOV_TRACE_PIO,
    IOV_TRACE_MMIO,
    IOV_TRACE_MSI,
    IOV_TRACE_IRQ,
    IOV_TRACE_GSI,
    IOV_TRACE_HLT,
    IOV_TRACE_CPUID,
    IOV_TRACE_RDMSR,
    IOV_TRACE_WRMSR,
    IOV_TRACE_DESCRIPTOR, /* of an invalidation queue: its words are in address and value */
    IOV_TRACE_DEVICE,     /* what the device says of itself, and accesses not by the processor */
    IOV_TRACE_BEGIN,      /* of a phase */
    IOV_TRACE_END,
    IOV_TRACE_NOTE,
};

struct iov_trace_row {
    uint64_t instructions; /* executed since the first row */
    uint64_t time_ns;
    uint64_t address;
    uint64_t value;
    uint8_t kind; /* enum iov_trace_kind */
    uint8_t write;
    uint8_t size;
    uint8_t name; /* index into names: region of an access, or of a phase */
};

struct iov_trace {
    struct iov_trace_row *rows;
    size_t count;
    char *regions[IOV_TRACE_REGIONS]; /* without what stands in brackets */
    unsigned region_count;
    GPtrArray *phases; /* names, in order of BEGIN */
};

/* Reads and checks a file. Errors: IOV_ERROR_FILE if it cannot be read, IOV_ERROR_CONFIG if it is
 * damaged. */
struct iov_trace *iov_trace_load(const char *path, GError **error);
/* The same for compressed bytes; `name` is for messages. */
struct iov_trace *iov_trace_read(const void *data, size_t size, const char *name, GError **error);
/* The same for unpacked text, which is changed. */
struct iov_trace *iov_trace_parse(char *text, size_t size, const char *name, GError **error);
void iov_trace_free(struct iov_trace *trace); /* accepts NULL */
/* The operations of a phase, as the number at the end of its name says; 0 if there is none. */
uint64_t iov_trace_phase_units(const char *phase);

#endif
