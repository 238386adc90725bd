/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device answers what a recorded one answered to an unmodified Linux driver, from loading to
 * the first link-up: EEPROM bit by bit, PHY, status, causes. tests/data/e1000-open.txt holds the
 * accesses. No answer is excepted.
 */
#include <stdio.h>

#include "models/nic/e1000-regs.h"
#include "tests/models/bench.h"

Test(e1000_trace, it_answers_like_the_recorded_device)
{
    struct bench *bench = bench_new(NULL);
    IovModel *nic = bench_add(bench, "e1000", "nic");
    struct iov_mem_target *registers, *io;
    FILE *file = fopen(IOV_SOURCE_DIR "/tests/data/e1000-open.txt", "r");
    unsigned line_number = 0, reads = 0, different = 0;
    char line[128];

    cr_assert(ne(ptr, file, NULL));
    bench_string(nic, "placement", "software");
    bench_number(
        nic, "negotiation",
        499 * IOV_MS); /* the recorded device counts 500 whole milliseconds, the first one begun */
    bench_prepare(bench);
    bench_start(bench);
    registers = iov_model_port(nic, "registers", 0);
    io = iov_model_port(nic, "io", 0);
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned long long first, second;

        line_number++;
        if (line[0] == 't' && sscanf(line, "t %llu", &first) == 1) {
            iov_kernel_run_until(bench->run.kernel, first * IOV_NS);
        } else if (sscanf(line, "w %llx %llx", &first, &second) == 2) {
            bench_write(registers, first, 4, second);
        } else if (sscanf(line, "pw %llx %llx", &first, &second) == 2) {
            bench_write(io, first, 4, second);
        } else if (sscanf(line, "r %llx %llx", &first, &second) == 2) {
            uint64_t value = bench_read(registers, first, 4);

            reads++;
            if (value != second) {
                different++;
                cr_log_error("line %u: register 0x%llx reads 0x%llx, recorded 0x%llx", line_number,
                             first, (unsigned long long)value, second);
            }
        }
    }
    fclose(file);
    cr_assert(lt(uint, 5000, reads));
    cr_assert(eq(uint, different, 0));
    bench_free(bench);
}
