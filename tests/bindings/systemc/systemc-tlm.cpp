/* SPDX-License-Identifier: Apache-2.0 */
/* TLM-2.0 both ways, and interrupts as signals. Each test is a process of its own. */
#include <criterion/criterion.h>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "bindings/systemc/tlm.hpp"
#include "core/kernel/fiber.h"

/* SystemC keeps the threads that its sockets made for nb_transport. */
extern "C" __attribute__((visibility("default"))) const char *__lsan_default_suppressions(void)
{
    return "leak:sc_core::sc_spawn\nleak:libsystemc\n";
}

static struct iov_systemc *systemc;
static struct iov_kernel *kernel;

static void open_both(void)
{
    systemc = iov_systemc_new(nullptr);
    cr_assert(systemc != nullptr);
    kernel = iov_kernel_new();
    iov_systemc_attach(systemc, kernel);
}

static void close_both(void)
{
    iov_systemc_free(systemc);
    iov_kernel_free(kernel);
}

/* Runs 1 us; the error, or "". */
static std::string advance(void)
{
    GError *error = nullptr;
    std::string text;

    if (!iov_systemc_advance(systemc, iov_now(kernel) + IOV_US, &error))
        text = error->message;
    g_clear_error(&error);
    return text;
}

static void expect_good_advance(void)
{
    std::string text = advance();

    cr_assert(text.empty(), "%s", text.c_str());
}

/* ---- Ours: a memory of 64 bytes that takes 50 ns ---- */

struct memory {
    struct iov_mem_target target;
    unsigned char bytes[64];
    uint16_t requester;
    iov_time seen_at;
    enum iov_status answer;
};

static enum iov_status memory_access(struct iov_mem_target *target, struct iov_mem_req *req,
                                     bool is_write)
{
    struct memory *self = reinterpret_cast<struct memory *>(target);

    if (self->answer != IOV_STATUS_OK)
        return self->answer;
    if (req->address > sizeof self->bytes || req->size > sizeof self->bytes - req->address)
        return IOV_STATUS_UNSUPPORTED;
    if (is_write)
        memcpy(self->bytes + req->address, req->data, req->size);
    else
        memcpy(req->data, self->bytes + req->address, req->size);
    self->requester = req->requester;
    self->seen_at = iov_now(kernel);
    if ((req->flags & IOV_MEM_DEBUG) == 0)
        req->delay += 50 * IOV_NS;
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops memory_ops = {
    [](struct iov_mem_target *target, struct iov_mem_req *req) {
        return memory_access(target, req, false);
    },
    [](struct iov_mem_target *target, struct iov_mem_req *req) {
        return memory_access(target, req, true);
    },
    nullptr,
};

static struct memory memory = { { &memory_ops, 64 }, {}, 0, 0, IOV_STATUS_OK };

/* ---- Theirs: a thread that does what a test says, with a socket ---- */

struct foreign_initiator : sc_core::sc_module {
    tlm_utils::simple_initiator_socket<foreign_initiator> socket;
    std::function<void(foreign_initiator &)> act;
    bool done = false;
    std::vector<int> phases;
    sc_core::sc_event answered;

    SC_HAS_PROCESS(foreign_initiator);
    foreign_initiator(sc_core::sc_module_name, std::function<void(foreign_initiator &)> what)
        : socket("socket"), act(what)
    {
        socket.register_nb_transport_bw(this, &foreign_initiator::nb_transport_bw);
        SC_THREAD(live);
    }
    void live()
    {
        wait(sc_core::sc_time(100, sc_core::SC_NS));
        act(*this);
        done = true;
    }
    tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload &, tlm::tlm_phase &phase,
                                       sc_core::sc_time &)
    {
        phases.push_back((int)(unsigned)phase);
        if (phase == tlm::BEGIN_RESP)
            answered.notify();
        return tlm::TLM_ACCEPTED;
    }
    /* A blocking access; the time it takes comes back. */
    iov_time transport(tlm::tlm_generic_payload &trans, tlm::tlm_command command, uint64_t address,
                       void *data, unsigned size)
    {
        sc_core::sc_time delay;

        trans.set_command(command);
        trans.set_address(address);
        trans.set_data_ptr(static_cast<unsigned char *>(data));
        trans.set_data_length(size);
        if (trans.get_streaming_width() == 0)
            trans.set_streaming_width(size);
        trans.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
        socket->b_transport(trans, delay);
        return delay.value();
    }
};

/* Lets a foreign initiator do something to the memory. */
static void with_initiator(std::function<void(foreign_initiator &)> act)
{
    open_both();
    {
        foreign_initiator foreign("foreign", act);
        iovsim::target target("target", systemc, &memory.target, 0x2a8);

        foreign.socket.bind(target.socket);
        expect_good_advance();
        cr_assert(foreign.done);
    }
    close_both();
}

Test(target, moves_the_bytes_and_says_how_long_it_takes)
{
    with_initiator([](foreign_initiator &self) {
        tlm::tlm_generic_payload trans;
        uint64_t value = 0x1122334455667788, back = 0;

        iov_time took = self.transport(trans, tlm::TLM_WRITE_COMMAND, 8, &value, 8);
        cr_assert(trans.is_response_ok());
        cr_assert_eq(took, 50 * IOV_NS);
        cr_assert_eq(memory.requester, 0x2a8);
        cr_assert_eq(memory.seen_at, 100 * IOV_NS, "the kernel's clock is SystemC's");
        self.transport(trans, tlm::TLM_READ_COMMAND, 8, &back, 8);
        cr_assert_eq(back, value);
    });
}

Test(target, heeds_byte_enables)
{
    with_initiator([](foreign_initiator &self) {
        tlm::tlm_generic_payload trans;
        unsigned char enables[4] = { 0, 0xff, 0xff, 0 }, data[8] = "ABCDEFG";

        memset(memory.bytes, '.', 8);
        trans.set_byte_enable_ptr(enables);
        trans.set_byte_enable_length(4);
        self.transport(trans, tlm::TLM_WRITE_COMMAND, 0, data, 8);
        cr_assert(trans.is_response_ok());
        cr_assert_eq(memcmp(memory.bytes, ".BC..FG.", 8), 0);
    });
}

Test(target, heeds_the_streaming_width)
{
    with_initiator([](foreign_initiator &self) {
        tlm::tlm_generic_payload trans;
        char data[8] = { 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h' };

        memset(memory.bytes, '.', 8);
        trans.set_streaming_width(4);
        iov_time took = self.transport(trans, tlm::TLM_WRITE_COMMAND, 2, data, 8);
        cr_assert_eq(memcmp(memory.bytes, "..efgh..", 8), 0);
        cr_assert_eq(took, 100 * IOV_NS, "two beats to one address");
    });
}

static tlm::tlm_response_status response_to(foreign_initiator &self, uint64_t address,
                                            unsigned size)
{
    tlm::tlm_generic_payload trans;
    unsigned char data[128] = {};

    trans.set_streaming_width(128);
    self.transport(trans, tlm::TLM_READ_COMMAND, address, data, size);
    return trans.get_response_status();
}

Test(target, maps_errors_to_responses)
{
    with_initiator([](foreign_initiator &self) {
        cr_assert_eq(response_to(self, 60, 8), tlm::TLM_ADDRESS_ERROR_RESPONSE);
        cr_assert_eq(response_to(self, 0, 0), tlm::TLM_BURST_ERROR_RESPONSE);
        memory.answer = IOV_STATUS_ABORT;
        cr_assert_eq(response_to(self, 0, 8), tlm::TLM_GENERIC_ERROR_RESPONSE);
        memory.answer = IOV_STATUS_FAULT;
        cr_assert_eq(response_to(self, 0, 8), tlm::TLM_GENERIC_ERROR_RESPONSE);
    });
}

Test(target, answers_debug_accesses_without_time)
{
    with_initiator([](foreign_initiator &self) {
        tlm::tlm_generic_payload trans;
        unsigned char data[4];

        memcpy(memory.bytes, "look", 4);
        trans.set_command(tlm::TLM_READ_COMMAND);
        trans.set_address(0);
        trans.set_data_ptr(data);
        trans.set_data_length(4);
        trans.set_streaming_width(4);
        cr_assert_eq(self.socket->transport_dbg(trans), 4u);
        cr_assert_eq(memcmp(data, "look", 4), 0);
    });
}

Test(target, speaks_the_four_phases)
{
    with_initiator([](foreign_initiator &self) {
        tlm::tlm_generic_payload trans;
        tlm::tlm_phase phase = tlm::BEGIN_REQ;
        sc_core::sc_time delay;
        unsigned char data[4] = { 1, 2, 3, 4 };

        trans.set_command(tlm::TLM_WRITE_COMMAND);
        trans.set_address(4);
        trans.set_data_ptr(data);
        trans.set_data_length(4);
        trans.set_streaming_width(4);
        tlm::tlm_sync_enum sync = self.socket->nb_transport_fw(trans, phase, delay);
        cr_assert(sync != tlm::TLM_COMPLETED);
        sc_core::wait(self.answered);
        cr_assert_eq(sc_core::sc_time_stamp().value(), 150 * IOV_NS, "50 ns after the request");
        cr_assert_eq(self.phases.back(), (int)(unsigned)tlm::BEGIN_RESP);
        cr_assert(trans.is_response_ok());
        cr_assert_eq(memcmp(memory.bytes + 4, data, 4), 0);
        phase = tlm::END_RESP;
        delay = sc_core::SC_ZERO_TIME;
        cr_assert_eq(self.socket->nb_transport_fw(trans, phase, delay), tlm::TLM_COMPLETED);
    });
}

/* ---- Theirs: a target that does what a test says ---- */

struct foreign_target : sc_core::sc_module {
    tlm_utils::simple_target_socket<foreign_target> socket;
    std::function<void(tlm::tlm_generic_payload &, sc_core::sc_time &)> answer;
    sc_core::sc_event ring;
    std::function<void()> on_ring = [] {};

    SC_HAS_PROCESS(foreign_target);
    explicit foreign_target(sc_core::sc_module_name) : socket("socket")
    {
        socket.register_b_transport(this, &foreign_target::b_transport);
        SC_METHOD(rung);
        sensitive << ring;
        dont_initialize();
    }
    void rung()
    {
        on_ring();
    }
    void b_transport(tlm::tlm_generic_payload &trans, sc_core::sc_time &delay)
    {
        answer(trans, delay);
    }
};

/* Software of ours on a fiber, which reads four bytes of the foreign target at 300 ns. */
struct guest {
    struct iov_mem_initiator port;
    uint32_t value;
    iov_time took;
    enum iov_status status;
    unsigned ticks; /* of an event at each ns from 1 to 1000 */
};

static struct guest guest;

static void run_guest(void *)
{
    struct iov_mem_req req = {};

    iov_fiber_sleep(kernel, 300 * IOV_NS);
    req.address = 0x10;
    req.data = &guest.value;
    req.size = 4;
    req.pasid = IOV_NO_PASID;
    req.delay = 7 * IOV_NS;
    guest.status = iov_mem_read_req(&guest.port, &req);
    guest.took = req.delay;
}

static void on_tick(struct iov_event *event)
{
    if (++guest.ticks < 1000)
        iov_event_in(event, IOV_NS);
}

/* Runs the guest against a target that answers so; the error of the run. */
static std::string with_target(
    std::function<void(foreign_target &, tlm::tlm_generic_payload &, sc_core::sc_time &)> answer,
    std::function<void()> on_ring = [] {})
{
    struct iov_event tick;
    std::string text;

    open_both();
    {
        foreign_target foreign("foreign");
        iovsim::initiator initiator("initiator", systemc, 4096);

        foreign.answer = [&](tlm::tlm_generic_payload &trans, sc_core::sc_time &delay) {
            answer(foreign, trans, delay);
        };
        foreign.on_ring = on_ring;
        initiator.socket.bind(foreign.socket);
        guest.port.peer = &initiator.memory();
        iov_event_init(&tick, kernel, on_tick, IOV_PRIORITY_DEFAULT);
        iov_event_in(&tick, IOV_NS);
        iov_fiber_new(kernel, "guest", run_guest, nullptr);
        text = advance();
    }
    close_both();
    return text;
}

Test(initiator, brings_bytes_and_time_of_a_foreign_target)
{
    iov_time seen = 0;
    std::string text = with_target(
        [&](foreign_target &, tlm::tlm_generic_payload &trans, sc_core::sc_time &delay) {
            cr_assert(trans.is_read());
            cr_assert_eq(trans.get_address(), 0x10u);
            cr_assert_eq(trans.get_data_length(), 4u);
            cr_assert_eq(trans.get_streaming_width(), 4u);
            seen = (sc_core::sc_time_stamp() + delay).value();
            memcpy(trans.get_data_ptr(), "\x78\x56\x34\x12", 4);
            delay += sc_core::sc_time(40, sc_core::SC_NS);
            trans.set_response_status(tlm::TLM_OK_RESPONSE);
        });

    cr_assert_str_eq(text.c_str(), "");
    cr_assert_eq(guest.status, IOV_STATUS_OK);
    cr_assert_eq(guest.value, 0x12345678u);
    cr_assert_eq(guest.took, 47 * IOV_NS);
    cr_assert_eq(seen, 307 * IOV_NS, "it sees the guest's time and the way there");
    cr_assert_eq(guest.ticks, 1000u);
}

static void expect_status(tlm::tlm_response_status response, enum iov_status status)
{
    std::string text =
        with_target([&](foreign_target &, tlm::tlm_generic_payload &trans, sc_core::sc_time &) {
            trans.set_response_status(response);
        });

    cr_assert_str_eq(text.c_str(), "");
    cr_assert_eq(guest.status, status);
    cr_assert_eq(guest.value, UINT32_MAX, "a read that failed gives ones");
}

Test(initiator, maps_an_address_error)
{
    expect_status(tlm::TLM_ADDRESS_ERROR_RESPONSE, IOV_STATUS_UNSUPPORTED);
}

Test(initiator, maps_a_generic_error)
{
    expect_status(tlm::TLM_GENERIC_ERROR_RESPONSE, IOV_STATUS_ABORT);
}

Test(initiator, takes_no_answer_for_an_error)
{
    expect_status(tlm::TLM_INCOMPLETE_RESPONSE, IOV_STATUS_ABORT);
}

Test(initiator, ends_the_run_if_the_target_waits)
{
    std::string text =
        with_target([](foreign_target &, tlm::tlm_generic_payload &, sc_core::sc_time &) {
            sc_core::wait(sc_core::sc_time(1, sc_core::SC_NS));
        });

    cr_assert(text.find("initiator: ") == 0, "%s", text.c_str());
    cr_assert(text.find("wait() is only allowed in SC_THREADs") != std::string::npos, "%s",
              text.c_str());
    cr_assert_lt(guest.ticks, 302u);
}

Test(initiator, ends_the_run_if_the_target_throws)
{
    std::string text = with_target([](foreign_target &, tlm::tlm_generic_payload &,
                                      sc_core::sc_time &) { throw std::runtime_error("smoke"); });

    cr_assert_str_eq(text.c_str(), "initiator: smoke");
}

Test(initiator, does_not_run_ahead_of_what_the_target_starts)
{
    unsigned ticks_then = 0;
    std::string text = with_target(
        [](foreign_target &foreign, tlm::tlm_generic_payload &trans, sc_core::sc_time &delay) {
            foreign.ring.notify(delay + sc_core::sc_time(5500, sc_core::SC_PS)); /* 312.5 ns */
            trans.set_response_status(tlm::TLM_OK_RESPONSE);
        },
        [&] { ticks_then = guest.ticks; });

    cr_assert_str_eq(text.c_str(), "");
    cr_assert_eq(ticks_then, 312u);
    cr_assert_eq(guest.ticks, 1000u);
}

/* ---- Interrupts ---- */

struct wires : sc_core::sc_module {
    sc_core::sc_in<bool> line;
    std::vector<iov_time> changes;

    SC_HAS_PROCESS(wires);
    explicit wires(sc_core::sc_module_name) : line("line")
    {
        SC_METHOD(follow);
        sensitive << line;
        dont_initialize();
    }
    void follow()
    {
        changes.push_back(sc_core::sc_time_stamp().value() + (line.read() ? 0 : 1));
    }
};

static struct iov_irq_source device_line;

static void on_device(struct iov_event *event)
{
    guest.ticks++;
    if (guest.ticks % 100 == 0)
        iov_irq_set(&device_line, guest.ticks == 100 || guest.ticks == 300, nullptr);
    if (guest.ticks < 500)
        iov_event_in(event, IOV_NS);
}

Test(interrupts, of_a_model_drive_a_signal_at_their_time)
{
    open_both();
    {
        struct iov_event event;
        sc_core::sc_signal<bool> signal("signal");
        wires observer("observer");
        iovsim::interrupt_out out("out", systemc);

        observer.line.bind(signal);
        out.line.bind(signal);
        device_line.peer = &out.sink();
        iov_event_init(&event, kernel, on_device, IOV_PRIORITY_DEFAULT);
        iov_event_in(&event, IOV_NS);
        expect_good_advance();
        cr_assert_eq(observer.changes.size(), 4u);
        cr_assert_eq(observer.changes[0], 100 * IOV_NS);
        cr_assert_eq(observer.changes[1], 200 * IOV_NS + 1);
        cr_assert_eq(observer.changes[2], 300 * IOV_NS);
        cr_assert_eq(observer.changes[3], 400 * IOV_NS + 1);
    }
    close_both();
}

struct bell {
    struct iov_irq_sink sink;
    std::vector<iov_time> changes;
};

static struct bell bell;

struct presser : sc_core::sc_module {
    sc_core::sc_out<bool> line;

    SC_HAS_PROCESS(presser);
    explicit presser(sc_core::sc_module_name) : line("line")
    {
        SC_THREAD(live);
    }
    void live()
    {
        wait(sc_core::sc_time(123, sc_core::SC_NS));
        line.write(true);
        wait(sc_core::sc_time(10, sc_core::SC_NS));
        line.write(false);
    }
};

Test(interrupts, of_a_signal_reach_a_model_at_their_time)
{
    static const struct iov_irq_sink_ops ops = {
        [](struct iov_irq_sink *, bool level, struct iov_span *) {
            bell.changes.push_back(iov_now(kernel) + (level ? 0 : 1));
        },
    };

    bell.sink.ops = &ops;
    open_both();
    {
        sc_core::sc_signal<bool> signal("signal");
        presser finger("finger");
        iovsim::interrupt_in in("in", systemc, &bell.sink);

        finger.line.bind(signal);
        in.line.bind(signal);
        expect_good_advance();
        cr_assert_eq(bell.changes.size(), 2u);
        cr_assert_eq(bell.changes[0], 123 * IOV_NS);
        cr_assert_eq(bell.changes[1], 133 * IOV_NS + 1);
    }
    close_both();
}
