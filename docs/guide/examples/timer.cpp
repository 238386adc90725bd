/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A timer with DMA, in TLM-2.0, that a guest of iovsim owns: timer.yaml gives it to the guest as an
 * assigned device. When the time is over it writes a number into the guest's buffer and interrupts.
 * Usage: timer timer.yaml [KEY=VALUE...]
 */
#include <cstdio>

#include "bindings/systemc/platform.hpp"

struct timer : sc_core::sc_module {
    enum { CONTROL = 0x00, STATUS = 0x04, NANOSECONDS = 0x08, BUFFER = 0x10, END = 0x14 };

    tlm_utils::simple_target_socket<timer> registers;
    tlm_utils::simple_initiator_socket<timer> memory;
    sc_core::sc_out<bool> interrupt;
    uint32_t values[END / 4] = {};
    uint64_t written = 0, refused = 0;
    sc_core::sc_event started, changed;

    SC_CTOR(timer) : registers("registers"), memory("memory"), interrupt("interrupt")
    {
        registers.register_b_transport(this, &timer::access);
        SC_THREAD(run);
        SC_METHOD(drive);
        sensitive << changed;
        dont_initialize();
    }
    /* A register access; what it causes happens when the annotated delay is over. */
    void access(tlm::tlm_generic_payload &trans, sc_core::sc_time &delay)
    {
        uint64_t address = trans.get_address();

        if (address >= END || address % 4 != 0 || trans.get_data_length() != 4) {
            trans.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
            return;
        }
        uint32_t *value = &values[address / 4], data = 0;
        if (trans.is_read()) {
            memcpy(trans.get_data_ptr(), value, 4);
        } else {
            memcpy(&data, trans.get_data_ptr(), 4);
            *value = address == STATUS ? *value & ~data : data;
        }
        if (trans.is_write() && address == STATUS)
            changed.notify(delay);
        if (trans.is_write() && address == CONTROL)
            started.notify(delay);
        delay += sc_core::sc_time(10, sc_core::SC_NS);
        trans.set_response_status(tlm::TLM_OK_RESPONSE);
    }
    void run()
    {
        for (;;) {
            wait(started);
            wait(values[NANOSECONDS / 4], sc_core::SC_NS);
            write_buffer();
            values[STATUS / 4] = 1;
            changed.notify();
        }
    }
    void write_buffer()
    {
        tlm::tlm_generic_payload trans;
        sc_core::sc_time delay;
        uint64_t number = written + refused;

        trans.set_command(tlm::TLM_WRITE_COMMAND);
        trans.set_address(values[BUFFER / 4]);
        trans.set_data_ptr(reinterpret_cast<unsigned char *>(&number));
        trans.set_data_length(sizeof number);
        trans.set_streaming_width(sizeof number);
        memory->b_transport(trans, delay);
        wait(delay);
        (trans.is_response_ok() ? written : refused)++;
    }
    void drive()
    {
        interrupt.write(values[STATUS / 4] & 1);
    }
};

int sc_main(int count, char **arguments)
{
    if (count < 2)
        return 2;
    try {
        iovsim::platform machine("machine", arguments[1], { arguments + 2, arguments + count });
        timer timer("timer");
        sc_core::sc_signal<bool> line("line");

        machine.initiator_socket("timer.port").bind(timer.registers);
        timer.memory.bind(machine.target_socket("timer.dma"));
        timer.interrupt(line);
        machine.interrupt_in("timer.interrupt")(line);
        for (unsigned i = 0; i < 100 && !machine.is_finished(); i++)
            machine.start(1, sc_core::SC_MS);
        machine.write("timer-results");
        std::printf("%llu operations, %llu DMA writes, %llu refused\n",
                    (unsigned long long)machine.measure().operations,
                    (unsigned long long)timer.written, (unsigned long long)timer.refused);
        return machine.is_finished() ? 0 : 1;
    } catch (const std::exception &exception) {
        std::fprintf(stderr, "timer: %s\n", exception.what());
        return 1;
    }
}
