/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A testbench of SystemC with a whole iovsim platform, a virtio guest that sends and receives, beside a clocked module
 * of its own. The module reads host memory over TLM-2.0 at each clock and shows the finished requests as a signal; a
 * VCD file keeps it. Usage: testbench CONFIGURATION VCD
 */
#include <cstdio>

#include "bindings/systemc/tlm.hpp"
#include "core/config/experiment.h"
#include "core/trace/measure.h"

struct watcher : sc_core::sc_module {
    sc_core::sc_in<bool> clock;
    sc_core::sc_out<unsigned> requests;
    tlm_utils::simple_initiator_socket<watcher> socket;
    const struct iov_measure *measure;
    unsigned looks = 0;

    SC_HAS_PROCESS(watcher);
    watcher(sc_core::sc_module_name, const struct iov_measure *run) : socket("socket"), measure(run)
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
        if (trans.is_response_ok() && delay > sc_core::SC_ZERO_TIME)
            looks++;
        requests.write((unsigned)measure->operations);
    }
};

static bool simulate(struct iov_systemc *systemc, struct iov_experiment *experiment,
                     const char *vcd, GError **error)
{
    struct iov_platform *platform = iov_experiment_platform(experiment);
    void *dram = iov_model_port(iov_platform_find(platform, "dram"), "port", 0);

    sc_core::sc_clock clock("clock", 10, sc_core::SC_US);
    sc_core::sc_signal<unsigned> requests("requests");
    watcher watcher("watcher", iov_platform_run(platform)->measure);
    iovsim::target memory("memory", systemc, static_cast<struct iov_mem_target *>(dram), 0x0100);
    sc_core::sc_trace_file *trace = sc_core::sc_create_vcd_trace_file(vcd);

    watcher.clock(clock);
    watcher.requests(requests);
    watcher.socket.bind(memory.socket);
    trace->set_time_unit(1, sc_core::SC_PS);
    sc_core::sc_trace(trace, requests, "requests");
    iov_systemc_attach(systemc, iov_platform_run(platform)->kernel);
    bool is_good = iov_experiment_run(experiment, nullptr, error);
    sc_core::sc_close_vcd_trace_file(trace);
    std::printf("%u requests, %s memory\n",
                (unsigned)iov_experiment_measure(experiment)->operations,
                watcher.looks > 100 ? "watched" : "did not watch");
    return is_good;
}

int main(int count, char **arguments)
{
    GError *error = nullptr;
    char **path = iov_data_path(count > 1 ? arguments[1] : ".");
    struct iov_config_options options = { path, nullptr };
    sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, sc_core::SC_DO_NOTHING);
    struct iov_systemc *systemc = iov_systemc_new(&error);
    struct iov_experiment *experiment = nullptr;
    bool is_good = count == 3 && systemc != nullptr &&
                   (experiment = iov_experiment_open(arguments[1], &options, &error)) != nullptr &&
                   simulate(systemc, experiment, arguments[2], &error);

    if (!is_good)
        std::fprintf(stderr, "testbench: %s\n", error ? error->message : "CONFIGURATION VCD");
    g_clear_error(&error);
    iov_systemc_free(systemc);
    iov_experiment_free(experiment);
    g_strfreev(path);
    return is_good ? 0 : 1;
}
