/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SystemC as the owner of time beside the native kernel, in one program: bench-backend CASE EVENTS.
 *   native-N, systemc-N   the hold model of bench-kernel with N events pending
 *   clocked-N             the same on SystemC beside a method that runs once in 16 events
 *   register              an 8-byte register write and read through a mem port
 *   b_transport           the same between two modules of SystemC
 * Both kinds of register keep one value and take 10 ns.
 */
#include <string>
#include <systemc>
#include <tlm>
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>
#include <vector>

#include "bindings/systemc/systemc.h"
#include "core/port/mem.h"
#include "tests/bench/cases.h"

static struct iov_kernel *kernel;
static const uint64_t *delays;
static unsigned next_delay;
static uint64_t left_over;

/* ---- The hold model ---- */

static void on_hold(struct iov_event *event)
{
    iov_event_in(event, delays[next_delay++ % BENCH_DELAYS]);
    if (--left_over == 0)
        iov_kernel_stop(kernel);
}

struct Clock : sc_core::sc_module {
    sc_core::sc_event due;
    sc_core::sc_time period;

    SC_HAS_PROCESS(Clock);
    Clock(sc_core::sc_module_name, iov_time every) : period(sc_core::sc_time::from_value(every))
    {
        SC_METHOD(tick);
        sensitive << due;
    }
    void tick()
    {
        due.notify(period);
    }
};

static double hold(unsigned pending, bool on_systemc, bool clocked)
{
    std::vector<struct iov_event> events(pending);
    struct iov_systemc *systemc = on_systemc ? iov_systemc_new(nullptr) : nullptr;
    std::vector<Clock *> clocks;

    if (clocked)
        clocks.push_back(new Clock("clock", 16 * (uint64_t)BENCH_MEAN_DELAY / pending));
    kernel = iov_kernel_new();
    delays = bench_delays();
    for (struct iov_event &event : events) {
        iov_event_init(&event, kernel, on_hold, IOV_PRIORITY_DEFAULT);
        iov_event_in(&event, delays[next_delay++ % BENCH_DELAYS]);
    }
    if (systemc != nullptr) {
        iov_systemc_attach(systemc, kernel);
        iov_systemc_advance(systemc, 0, nullptr); /* elaboration is not measured */
    }
    double start = bench_cpu_seconds();
    iov_kernel_run(kernel);
    double took = bench_cpu_seconds() - start;
    for (Clock *clock : clocks)
        delete clock;
    iov_systemc_free(systemc);
    iov_kernel_free(kernel);
    return took;
}

/* ---- Register accesses ---- */

static uint64_t value;

static enum iov_status regs_read(struct iov_mem_target *, struct iov_mem_req *req)
{
    iov_mem_set_value(req, value);
    req->delay += 10 * IOV_NS;
    return IOV_STATUS_OK;
}

static enum iov_status regs_write(struct iov_mem_target *, struct iov_mem_req *req)
{
    value = iov_mem_value(req);
    req->delay += 10 * IOV_NS;
    return IOV_STATUS_OK;
}

static double native_registers(uint64_t accesses)
{
    const struct iov_mem_target_ops ops = { regs_read, regs_write, nullptr };
    struct iov_mem_target target = { &ops, 8 };
    struct iov_mem_initiator port = { &target };
    double start = bench_cpu_seconds();
    iov_time total = 0;

    for (uint64_t i = 0; i < accesses; i++) {
        uint64_t data = i;
        struct iov_mem_req req = {};

        req.data = &data;
        req.size = sizeof data;
        req.pasid = IOV_NO_PASID;
        if ((i % 2 == 0 ? iov_mem_write_req(&port, &req) : iov_mem_read_req(&port, &req)) !=
            IOV_STATUS_OK)
            abort();
        total += req.delay;
    }
    if (total != accesses * 10 * IOV_NS)
        abort();
    return bench_cpu_seconds() - start;
}

struct Registers : sc_core::sc_module {
    tlm_utils::simple_target_socket<Registers> socket;
    const sc_core::sc_time latency = sc_core::sc_time::from_value(10 * IOV_NS);

    explicit Registers(sc_core::sc_module_name) : socket("socket")
    {
        socket.register_b_transport(this, &Registers::b_transport);
    }
    void b_transport(tlm::tlm_generic_payload &trans, sc_core::sc_time &delay)
    {
        if (trans.get_data_length() != sizeof value || trans.get_byte_enable_ptr() != nullptr) {
            trans.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
            return;
        }
        if (trans.is_write())
            memcpy(&value, trans.get_data_ptr(), sizeof value);
        else
            memcpy(trans.get_data_ptr(), &value, sizeof value);
        delay += latency;
        trans.set_response_status(tlm::TLM_OK_RESPONSE);
    }
};

struct Master : sc_core::sc_module {
    tlm_utils::simple_initiator_socket<Master> socket;
    uint64_t accesses;
    double took = 0;

    SC_HAS_PROCESS(Master);
    Master(sc_core::sc_module_name, uint64_t count) : socket("socket"), accesses(count)
    {
        SC_THREAD(live);
    }
    void live()
    {
        double start = bench_cpu_seconds();
        sc_core::sc_time total;
        tlm::tlm_generic_payload trans;

        for (uint64_t i = 0; i < accesses; i++) {
            uint64_t data = i;
            sc_core::sc_time delay;

            trans.set_command(i % 2 == 0 ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
            trans.set_address(0);
            trans.set_data_ptr(reinterpret_cast<unsigned char *>(&data));
            trans.set_data_length(sizeof data);
            trans.set_streaming_width(sizeof data);
            trans.set_byte_enable_ptr(nullptr);
            trans.set_dmi_allowed(false);
            trans.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
            socket->b_transport(trans, delay);
            if (!trans.is_response_ok())
                abort();
            total += delay;
        }
        if (total.value() != accesses * 10 * IOV_NS)
            abort();
        took = bench_cpu_seconds() - start;
    }
};

static double tlm_registers(uint64_t accesses)
{
    struct iov_systemc *systemc = iov_systemc_new(nullptr);
    double took;
    {
        Registers registers("registers");
        Master master("master", accesses);

        master.socket.bind(registers.socket);
        iov_systemc_advance(systemc, 1, nullptr);
        took = master.took;
    }
    iov_systemc_free(systemc);
    return took;
}

int main(int count, char **arguments)
{
    const std::string name = count == 3 ? arguments[1] : "";
    const size_t dash = name.find('-');
    const std::string kind = name.substr(0, dash);
    double took;

    left_over = count == 3 ? strtoull(arguments[2], nullptr, 10) : 0;
    const uint64_t events = left_over;
    if (name == "register") {
        took = native_registers(events);
    } else if (name == "b_transport") {
        took = tlm_registers(events);
    } else if (dash != std::string::npos && events > 0 &&
               (kind == "native" || kind == "systemc" || kind == "clocked")) {
        took =
            hold((unsigned)std::stoul(name.substr(dash + 1)), kind != "native", kind == "clocked");
    } else {
        fprintf(stderr, "usage: bench-backend native-N|systemc-N|clocked-N|register|b_transport "
                        "EVENTS\n");
        return 2;
    }
    bench_report(name.c_str(), took, events);
    return 0;
}
