/* SPDX-License-Identifier: Apache-2.0 */
/* A fuzz target's input as a stream of numbers. Every target that is a list of operations reads it
 * so. */
#ifndef IOV_TESTS_FUZZ_INPUT_H
#define IOV_TESTS_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is left of the input; reads zeros behind its end. */
struct input {
    const uint8_t *data;
    size_t size;
};

/* The next `bytes` bytes, the lowest first. */
static inline uint64_t take(struct input *input, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes && input->size > 0; i++) {
        value |= (uint64_t)*input->data++ << (8 * i);
        input->size--;
    }
    return value;
}

#endif
