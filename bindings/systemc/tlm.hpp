/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLM-2.0 both ways, for modules in C++17. A mem port of a model becomes a target socket, a foreign target a
 * mem target for a model, and interrupt wires become signals:
 *
 *     iovsim::target memory("memory", systemc, iov_model_port(dram, "port", 0));
 *     foreign.socket.bind(memory.socket);
 *
 * A target socket answers b_transport, the 4-phase base protocol of nb_transport (one thread a
 * transaction) and debug accesses. The other way round is in initiator.hpp, a whole platform in
 * platform.hpp. LIMIT: DMI is not granted: direct memory of iovsim is not valid across a wait.
 */
#ifndef IOV_SYSTEMC_TLM_HPP
#define IOV_SYSTEMC_TLM_HPP

#include <systemc>
#include <tlm>
#include <tlm_utils/simple_target_socket.h>

#include "bindings/systemc/initiator.hpp"
#include "bindings/systemc/systemc.h"
#include "core/port/irq.h"
#include "core/port/mem.h"

namespace iovsim
{

/* The longest piece of one access through a target socket. */
constexpr unsigned longest_access = 65536;

inline tlm::tlm_response_status response_of(enum iov_status status)
{
    switch (status) {
    case IOV_STATUS_OK:
        return tlm::TLM_OK_RESPONSE;
    case IOV_STATUS_UNSUPPORTED:
        return tlm::TLM_ADDRESS_ERROR_RESPONSE;
    case IOV_STATUS_ABORT:
        break;
    case IOV_STATUS_FAULT:
        break;
    }
    return tlm::TLM_GENERIC_ERROR_RESPONSE;
}

/* A foreign initiator masters a mem target of ours, with a requester ID of its own. */
class target : public sc_core::sc_module
{
  public:
    tlm_utils::simple_target_socket<target> socket;

    target(sc_core::sc_module_name name, struct iov_systemc *owner, struct iov_mem_target *memory,
           uint16_t requester_id = 0)
        : sc_core::sc_module(name), socket("socket"), systemc(owner), port{ memory },
          requester(requester_id)
    {
        socket.register_b_transport(this, &target::b_transport);
        socket.register_transport_dbg(this, &target::transport_dbg);
    }

  private:
    struct iov_systemc *systemc;
    struct iov_mem_initiator port;
    uint16_t requester;

    /* One run of bytes that are all enabled. */
    enum iov_status move(bool is_write, uint64_t address, unsigned char *data, unsigned size,
                         uint16_t flags, iov_time &delay)
    {
        struct iov_mem_req req = {};

        req.address = address;
        req.data = data;
        req.size = size;
        req.requester = requester;
        req.flags = flags;
        req.pasid = IOV_NO_PASID;
        req.delay = delay;
        enum iov_status status =
            is_write ? iov_mem_write_req(&port, &req) : iov_mem_read_req(&port, &req);
        if (req.delay > delay)
            delay = req.delay;
        return status;
    }

    /* Bytes of the payload from `at` on that go in one piece; `ret_on`: they are enabled. */
    static unsigned piece(const tlm::tlm_generic_payload &trans, unsigned at, bool &ret_on)
    {
        const unsigned char *enables = trans.get_byte_enable_ptr();
        unsigned length = trans.get_data_length(), width = trans.get_streaming_width();
        unsigned end = length - at < width - at % width ? length : at + width - at % width;
        unsigned last = at + 1;

        ret_on = true;
        if (enables == nullptr)
            return end - at;
        auto is_on = [&](unsigned i) {
            return enables[i % trans.get_byte_enable_length()] == TLM_BYTE_ENABLED;
        };
        ret_on = is_on(at);
        while (last < end && is_on(last) == ret_on)
            last++;
        return last - at;
    }

    static tlm::tlm_response_status check(const tlm::tlm_generic_payload &trans)
    {
        if (trans.get_data_length() == 0 || trans.get_data_length() > longest_access ||
            trans.get_streaming_width() == 0 || trans.get_data_ptr() == nullptr)
            return tlm::TLM_BURST_ERROR_RESPONSE;
        if (trans.get_byte_enable_ptr() != nullptr && trans.get_byte_enable_length() == 0)
            return tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE;
        return tlm::TLM_OK_RESPONSE;
    }

    tlm::tlm_response_status transport(tlm::tlm_generic_payload &trans, uint16_t flags,
                                       iov_time &delay)
    {
        tlm::tlm_response_status response = check(trans);
        unsigned width = trans.get_streaming_width();

        if (trans.get_command() == tlm::TLM_IGNORE_COMMAND)
            return tlm::TLM_OK_RESPONSE;
        iov_systemc_sync(systemc);
        for (unsigned at = 0, size;
             response == tlm::TLM_OK_RESPONSE && at < trans.get_data_length(); at += size) {
            bool on;

            size = piece(trans, at, on);
            if (on)
                response = response_of(move(trans.is_write(), trans.get_address() + at % width,
                                            trans.get_data_ptr() + at, size, flags, delay));
        }
        return response;
    }

    void b_transport(tlm::tlm_generic_payload &trans, sc_core::sc_time &delay)
    {
        iov_time total = delay.value();

        trans.set_response_status(transport(trans, 0, total));
        trans.set_dmi_allowed(false);
        delay = sc_core::sc_time::from_value(total);
    }

    unsigned transport_dbg(tlm::tlm_generic_payload &trans)
    {
        iov_time ignored = 0;

        trans.set_response_status(transport(trans, IOV_MEM_DEBUG, ignored));
        return trans.is_response_ok() ? trans.get_data_length() : 0;
    }
};

/* An interrupt wire of a model as a signal: make &sink() the peer of its irq source. LIMIT: a pulse
 * within one instant is not seen, as with any signal. */
class interrupt_out : public sc_core::sc_module
{
  public:
    sc_core::sc_out<bool> line;

    SC_HAS_PROCESS(interrupt_out);
    interrupt_out(sc_core::sc_module_name name, struct iov_systemc *owner)
        : sc_core::sc_module(name), line("line"), systemc(owner), port{ { ops() }, this }
    {
        SC_METHOD(drive);
        sensitive << changed;
    }
    struct iov_irq_sink &sink()
    {
        return port.base;
    }

  private:
    using irq_port = owned<struct iov_irq_sink, interrupt_out>;
    struct iov_systemc *systemc;
    irq_port port;
    sc_core::sc_event changed;
    bool level = false;

    static const struct iov_irq_sink_ops *ops()
    {
        static const struct iov_irq_sink_ops table = {
            [](struct iov_irq_sink *sink, bool level, struct iov_span *) {
                irq_port::of(sink)->set(level);
            },
        };
        return &table;
    }

    /* The kernel goes no further before SystemC has come here, so one level is enough to keep. */
    void set(bool to)
    {
        level = to;
        changed.notify(sc_core::sc_time::from_value(iov_systemc_ahead(systemc)));
        iov_systemc_yield(systemc);
    }

    void drive()
    {
        line.write(level);
    }
};

/* A signal as an interrupt wire that drives a model's sink. */
class interrupt_in : public sc_core::sc_module
{
  public:
    sc_core::sc_in<bool> line;

    SC_HAS_PROCESS(interrupt_in);
    interrupt_in(sc_core::sc_module_name name, struct iov_systemc *owner, struct iov_irq_sink *sink)
        : sc_core::sc_module(name), line("line"), systemc(owner), source{ sink, false }
    {
        SC_METHOD(follow);
        sensitive << line;
        dont_initialize();
    }

  private:
    struct iov_systemc *systemc;
    struct iov_irq_source source;

    void follow()
    {
        iov_systemc_sync(systemc);
        iov_irq_set(&source, line.read(), nullptr);
    }
};

} // namespace iovsim

#endif
