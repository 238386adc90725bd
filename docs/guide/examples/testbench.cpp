/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A testbench of SystemC with a whole iovsim platform, a virtio guest that sends and receives,
 * beside a clocked module of its own, which reads host memory over TLM-2.0 at each clock. The
 * testbench owns time. Usage: testbench net-rr.yaml [KEY=VALUE...]
 */
#include <cstdio>

#include "bindings/systemc/platform.hpp"

struct watcher : sc_core::sc_module {
    sc_core::sc_in<bool> clock;
    tlm_utils::simple_initiator_socket<watcher> socket;
    unsigned looks = 0, failures = 0;
    sc_core::sc_time longest;

    SC_CTOR(watcher) : clock("clock"), socket("socket")
    {
        SC_METHOD(look);
        sensitive << clock.pos();
        dont_initialize();
    }
    void look()
    {
        unsigned char data[64];
        tlm::tlm_generic_payload trans;
        sc_core::sc_time delay;

        trans.set_command(tlm::TLM_READ_COMMAND);
        trans.set_address(0x1000);
        trans.set_data_ptr(data);
        trans.set_data_length(sizeof data);
        trans.set_streaming_width(sizeof data);
        socket->b_transport(trans, delay);
        (trans.is_response_ok() ? looks : failures)++;
        longest = std::max(longest, delay);
    }
};

int sc_main(int count, char **arguments)
{
    if (count < 2)
        return 2;
    try {
        iovsim::platform machine("machine", arguments[1], { arguments + 2, arguments + count });
        sc_core::sc_clock clock("clock", 10, sc_core::SC_US);
        watcher watcher("watcher");

        watcher.clock(clock);
        watcher.socket.bind(machine.target_socket("dram.port", 0x0100)); /* as 01:00.0 */
        while (!machine.is_finished() &&
               sc_core::sc_time_stamp() < sc_core::sc_time(10, sc_core::SC_SEC))
            machine.start(1, sc_core::SC_MS); /* an sc_start() that the platform knows the end of */
        std::printf("%llu requests, %u looks at memory, %u failed, the longest took %s\n",
                    (unsigned long long)machine.measure().operations, watcher.looks,
                    watcher.failures, watcher.longest.to_string().c_str());
        machine.write("testbench-results");
        return machine.is_finished() ? 0 : 1;
    } catch (const std::exception &exception) {
        std::fprintf(stderr, "testbench: %s\n", exception.what());
        return 1;
    }
}
