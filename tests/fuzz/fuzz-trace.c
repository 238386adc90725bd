/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a recorded trace. The first byte says how: even, the rest is a packed file; odd, the
 * rest is text (an unpacker with checksums would keep a fuzzer away from the parser for ever).
 * Whatever happens, the answer is a trace whose rows keep the reader's promises, or an error with a
 * message.
 */
#include <string.h>

#include "core/object/model.h"
#include "models/guest/trace-reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a replay relies on. */
static void check_rows(const struct iov_trace *trace)
{
    for (size_t i = 0; i < trace->count; i++) {
        const struct iov_trace_row *row = &trace->rows[i];
        bool access = row->kind == IOV_TRACE_PIO || row->kind == IOV_TRACE_MMIO;

        if (access && (row->name >= trace->region_count || row->size == 0 || row->size > 8))
            __builtin_trap();
        if (row->kind == IOV_TRACE_IRQ && (row->value < 16 || row->value > 255))
            __builtin_trap();
        if ((row->kind == IOV_TRACE_BEGIN || row->kind == IOV_TRACE_END) &&
            row->name >= trace->phases->len)
            __builtin_trap();
        if (i > 0 && (row->instructions < trace->rows[i - 1].instructions ||
                      row->time_ns < trace->rows[i - 1].time_ns))
            __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    struct iov_trace *trace;

    if (size == 0)
        return 0;
    if (data[0] & 1) {
        g_autofree char *text = g_malloc(size);

        memcpy(text, data + 1, size - 1);
        trace = iov_trace_parse(text, size - 1, "fuzz", &error);
    } else {
        trace = iov_trace_read(data + 1, size - 1, "fuzz", &error);
    }
    if ((trace == NULL) == (error == NULL))
        __builtin_trap();
    if (trace != NULL)
        check_rows(trace);
    iov_trace_free(trace);
    return 0;
}
