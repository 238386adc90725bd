/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Selected signals of an iovsim platform in a VCD file, by sc_trace: finished requests, VM exits,
 * and whether the guest's processor sleeps, sampled by a clock. Usage: waves net-rr.yaml FILE
 * [KEY=VALUE...]; the suffix .vcd is added.
 */
#include <cstdio>

#include "bindings/systemc/platform.hpp"

struct probe : sc_core::sc_module {
    sc_core::sc_in<bool> clock;
    sc_core::sc_out<unsigned> requests, exits;
    sc_core::sc_out<bool> working;
    const struct iov_measure &measure;
    const struct iov_processor *processor;

    SC_HAS_PROCESS(probe);
    probe(sc_core::sc_module_name, const iovsim::platform &machine)
        : measure(machine.measure()),
          processor(static_cast<const struct iov_processor *>(
              iov_model_port(iov_platform_find(machine.parts(), "cpu0"), "processor", 0)))
    {
        SC_METHOD(sample);
        sensitive << clock.pos();
        dont_initialize();
    }
    void sample()
    {
        uint64_t sum = 0;

        for (uint64_t count : measure.counters.exits)
            sum += count;
        requests.write((unsigned)measure.operations);
        exits.write((unsigned)sum);
        working.write(processor->running != nullptr && !processor->running->halted);
    }
};

int sc_main(int count, char **arguments)
{
    if (count < 3)
        return 2;
    try {
        iovsim::platform machine("machine", arguments[1], { arguments + 3, arguments + count });
        sc_core::sc_clock clock("clock", 1, sc_core::SC_US);
        sc_core::sc_signal<unsigned> requests("requests"), exits("exits");
        sc_core::sc_signal<bool> working("working");
        probe probe("probe", machine);
        sc_core::sc_trace_file *file = sc_core::sc_create_vcd_trace_file(arguments[2]);

        probe.clock(clock);
        probe.requests(requests);
        probe.exits(exits);
        probe.working(working);
        file->set_time_unit(1, sc_core::SC_PS);
        sc_core::sc_trace(file, requests, "requests");
        sc_core::sc_trace(file, exits, "exits");
        sc_core::sc_trace(file, working, "working");
        sc_core::sc_start(3, sc_core::SC_MS);
        sc_core::sc_close_vcd_trace_file(file);
        std::printf("%u requests, %u exits\n", requests.read(), exits.read());
        return 0;
    } catch (const std::exception &exception) {
        std::fprintf(stderr, "waves: %s\n", exception.what());
        return 1;
    }
}
