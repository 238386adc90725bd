/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A foreign TLM-2.0 target as a mem target of ours. An access calls b_transport at once, with the time that the kernel is
 * ahead of SystemC as the annotated delay. What the target grants as direct memory is used without a call. A target that
 * waits is served by threads of SystemC, while the fiber that made the access waits too.
 *
 * LIMIT: an access that is made by an event of a model, not by software on a fiber, cannot wait.
 */
#ifndef IOV_SYSTEMC_INITIATOR_HPP
#define IOV_SYSTEMC_INITIATOR_HPP

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <deque>
#include <exception>
#include <list>
#include <string>
#include <vector>
#define SC_INCLUDE_DYNAMIC_PROCESSES
#include <sysc/kernel/sc_spawn.h>
#include <systemc>
#include <tlm>
#include <tlm_utils/simple_initiator_socket.h>

#include "bindings/systemc/systemc.h"
#include "core/kernel/fiber.h"
#include "core/port/foreign.h"
#include "core/port/mem.h"

namespace iovsim
{

inline enum iov_status status_of(tlm::tlm_response_status response)
{
    switch (response) {
    case tlm::TLM_OK_RESPONSE:
        return IOV_STATUS_OK;
    case tlm::TLM_ADDRESS_ERROR_RESPONSE:
    case tlm::TLM_COMMAND_ERROR_RESPONSE:
    case tlm::TLM_BURST_ERROR_RESPONSE:
    case tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE:
        return IOV_STATUS_UNSUPPORTED;
    default:
        return IOV_STATUS_ABORT; /* also the one that never gave an answer */
    }
}

/* A C struct of ours that knows the module it belongs to. */
template <typename Struct, typename Module> struct owned {
    Struct base; /* first */
    Module *module;

    static Module *of(Struct *pointer)
    {
        return reinterpret_cast<owned *>(pointer)->module;
    }
};

/* Give a model's mem initiator &memory() as its peer, or make it the outside of a part of kind tlm-target. */
class initiator : public sc_core::sc_module
{
  public:
    tlm_utils::simple_initiator_socket<initiator> socket;

    /* `size`: bytes of address space, from 0, that the foreign target answers. Errors are statuses; no direct memory, no waiting. */
    initiator(sc_core::sc_module_name module_name, struct iov_systemc *owner, uint64_t size)
        : sc_core::sc_module(module_name), socket("socket"),
          systemc(owner), port{ { ops(), size }, this }, title(name())
    {
    }
    /* For a part of a platform, which `called` names in messages. The part outlives the module's last access. */
    initiator(sc_core::sc_module_name module_name, struct iov_systemc *owner,
              struct iov_foreign *foreign, const std::string &called)
        : sc_core::sc_module(module_name), socket("socket"),
          systemc(owner), port{ { ops(), foreign->size }, this }, part(foreign), title(called)
    {
        socket.register_invalidate_direct_mem_ptr(this, &initiator::invalidate);
        for (unsigned i = 0; part->waits && i < part->outstanding; i++)
            sc_core::sc_spawn([this] { work(); }, sc_core::sc_gen_unique_name("worker"));
        part->outside = &port.base;
    }
    struct iov_mem_target &memory()
    {
        return port.base;
    }

  private:
    using memory_port = owned<struct iov_mem_target, initiator>;

    /* Direct memory that was granted; addresses from first to last. */
    struct region {
        uint64_t first, last;
        unsigned char *bytes;
        bool may[2];         /* read, write */
        iov_time latency[2]; /* of each 4 bytes */
    };

    /* An access on its way through a thread. The module owns it: a fiber may be dropped where it waits. */
    struct call {
        tlm::tlm_generic_payload trans;
        std::vector<unsigned char> data;
        sc_core::sc_time begin, delay;
        struct iov_fiber *fiber;
        bool done, abandoned;
    };

    struct iov_systemc *systemc;
    memory_port port;
    struct iov_foreign none = {};
    struct iov_foreign *part = &none;
    std::string title;
    std::vector<region> regions;
    std::list<call> calls;    /* all */
    std::deque<call *> queue; /* that no thread has taken yet */
    sc_core::sc_event more;

    static const struct iov_mem_target_ops *ops()
    {
        static const struct iov_mem_target_ops table = {
            [](struct iov_mem_target *target, struct iov_mem_req *req) {
                return memory_port::of(target)->access(tlm::TLM_READ_COMMAND, req);
            },
            [](struct iov_mem_target *target, struct iov_mem_req *req) {
                return memory_port::of(target)->access(tlm::TLM_WRITE_COMMAND, req);
            },
            nullptr,
        };
        return &table;
    }

    /* ---- What goes wrong ---- */

    static std::string describe(const tlm::tlm_generic_payload &trans)
    {
        char text[80];

        std::snprintf(text, sizeof text, "a %s of %u bytes at 0x%llx",
                      trans.is_write() ? "write" : "read", trans.get_data_length(),
                      (unsigned long long)trans.get_address());
        return text;
    }

    void fail(const std::string &text)
    {
        iov_systemc_fail(systemc, (title + ": " + text).c_str());
    }

    void fail_by(const std::string &what)
    {
        bool waited = what.find("wait() is only allowed") != std::string::npos;

        fail(what + (waited && part != &none ? "; a target that waits needs 'waits: on'" : ""));
    }

    /* A part's target must answer, and if the part is strict, well. */
    enum iov_status judge(const tlm::tlm_generic_payload &trans)
    {
        if (trans.is_response_ok() || part == &none)
            return status_of(trans.get_response_status());
        part->errors++;
        if (trans.get_response_status() == tlm::TLM_INCOMPLETE_RESPONSE)
            fail("the target did not answer " + describe(trans) +
                 ": it left TLM_INCOMPLETE_RESPONSE");
        else if (part->strict)
            fail("the target answered " + describe(trans) + " with " + trans.get_response_string() +
                 "; with 'errors: answer' the guest would see it");
        return status_of(trans.get_response_status());
    }

    /* ---- Direct memory ---- */

    bool move_direct(bool is_write, struct iov_mem_req *req)
    {
        for (const region &r : regions) {
            if (!r.may[is_write] || req->address < r.first || req->address > r.last ||
                req->size - 1 > r.last - req->address)
                continue;
            unsigned char *bytes = r.bytes + (req->address - r.first);

            if (is_write)
                iov_mem_copy(bytes, req->data, req->size);
            else
                iov_mem_copy(req->data, bytes, req->size);
            req->delay += r.latency[is_write] * ((req->size + 3) / 4);
            part->dmi_accesses++;
            return true;
        }
        return false;
    }

    /* The target says that it has direct memory here. */
    void ask_for_memory(tlm::tlm_generic_payload &trans, uint64_t address)
    {
        tlm::tlm_dmi dmi;

        trans.set_address(address); /* interconnects may have changed it */
        dmi.init();
        if (!socket->get_direct_mem_ptr(trans, dmi) || dmi.is_none_allowed() ||
            dmi.get_dmi_ptr() == nullptr)
            return;
        if (regions.size() == 64) /* a target with so many had better grant larger ones */
            regions.erase(regions.begin());
        regions.push_back({ dmi.get_start_address(),
                            dmi.get_end_address(),
                            dmi.get_dmi_ptr(),
                            { dmi.is_read_allowed(), dmi.is_write_allowed() },
                            { dmi.get_read_latency().value(), dmi.get_write_latency().value() } });
        part->dmi_grants++;
    }

    void invalidate(sc_dt::uint64 first, sc_dt::uint64 last)
    {
        for (size_t i = regions.size(); i > 0; i--) {
            if (regions[i - 1].first <= last && first <= regions[i - 1].last) {
                regions.erase(regions.begin() + (std::ptrdiff_t)(i - 1));
                part->dmi_invalidations++;
            }
        }
    }

    /* ---- Calls that return at once ---- */

    static void fill(tlm::tlm_generic_payload &trans, tlm::tlm_command command,
                     const struct iov_mem_req *req, unsigned char *data)
    {
        trans.set_command(command);
        trans.set_address(req->address);
        trans.set_data_ptr(data);
        trans.set_data_length(req->size);
        trans.set_streaming_width(req->size);
    }

    void transport(tlm::tlm_generic_payload &trans, struct iov_mem_req *req)
    {
        iov_time ahead = iov_systemc_ahead(systemc) + req->delay;
        sc_core::sc_time delay = sc_core::sc_time::from_value(ahead);

        socket->b_transport(trans, delay);
        if (delay.value() > ahead)
            req->delay += delay.value() - ahead;
        if (part->dmi && trans.is_response_ok() && trans.is_dmi_allowed())
            ask_for_memory(trans, req->address);
        iov_systemc_yield(systemc);
    }

    void look(tlm::tlm_generic_payload &trans, const struct iov_mem_req *req)
    {
        unsigned count = socket->transport_dbg(trans);

        trans.set_response_status(count == req->size ? tlm::TLM_OK_RESPONSE
                                                     : tlm::TLM_GENERIC_ERROR_RESPONSE);
    }

    enum iov_status transport_at_once(tlm::tlm_command command, struct iov_mem_req *req)
    {
        bool is_look = req->flags & IOV_MEM_DEBUG;
        tlm::tlm_generic_payload trans;

        fill(trans, command, req, static_cast<unsigned char *>(req->data));
        try {
            if (is_look)
                look(trans, req);
            else
                transport(trans, req);
        } catch (const std::exception &exception) {
            fail_by(exception.what());
            return IOV_STATUS_ABORT;
        } catch (...) {
            fail("exception");
            return IOV_STATUS_ABORT;
        }
        return is_look ? status_of(trans.get_response_status()) : judge(trans);
    }

    /* ---- Calls that wait ---- */

    void forget(const call *gone)
    {
        calls.remove_if([gone](const call &one) { return &one == gone; });
    }

    /* A thread of SystemC: makes one call after the other. What it throws ends the run. */
    void work()
    {
        for (;;) {
            while (queue.empty())
                sc_core::wait(more);
            call *mine = queue.front();
            uint64_t address = mine->trans.get_address();

            queue.pop_front();
            if (mine->begin > sc_core::sc_time_stamp())
                sc_core::wait(mine->begin - sc_core::sc_time_stamp());
            socket->b_transport(mine->trans, mine->delay);
            if (part->dmi && mine->trans.is_response_ok() && mine->trans.is_dmi_allowed())
                ask_for_memory(mine->trans, address);
            mine->done = true;
            if (mine->abandoned) {
                forget(mine);
                continue;
            }
            iov_systemc_sync(systemc);
            iov_fiber_unpark(mine->fiber);
        }
    }

    call *begin_call(tlm::tlm_command command, const struct iov_mem_req *req,
                     const unsigned char *data)
    {
        sc_core::sc_time ahead = sc_core::sc_time::from_value(iov_systemc_ahead(systemc));

        calls.emplace_back();
        call *made = &calls.back();
        made->data.assign(data, data + req->size);
        fill(made->trans, command, req, made->data.data());
        made->begin = sc_core::sc_time_stamp() + ahead;
        made->delay = sc_core::sc_time::from_value(req->delay);
        made->fiber = iov_fiber_current(iov_systemc_kernel(systemc));
        made->done = made->abandoned = false;
        queue.push_back(made);
        more.notify(sc_core::SC_ZERO_TIME); /* the thread waits for what we are ahead */
        iov_systemc_yield(systemc);
        return made;
    }

    /* The fiber holds nothing but pointers while it waits. */
    enum iov_status transport_by_thread(tlm::tlm_command command, struct iov_mem_req *req)
    {
        struct iov_kernel *kernel = iov_systemc_kernel(systemc);
        iov_time deadline = iov_now(kernel) + part->timeout;
        auto *data = static_cast<unsigned char *>(req->data);
        call *mine = begin_call(command, req, data);

        part->waited++;
        while (!mine->done && iov_now(kernel) < deadline)
            iov_fiber_park_until(kernel, deadline);
        if (!mine->done) {
            mine->abandoned = true;
            part->errors++;
            fail("the target did not answer " + describe(mine->trans) + " within the timeout of " +
                 sc_core::sc_time::from_value(part->timeout).to_string());
            return IOV_STATUS_ABORT;
        }
        enum iov_status status = judge(mine->trans);

        req->delay = mine->delay.value();
        if (command == tlm::TLM_READ_COMMAND)
            iov_mem_copy(data, mine->data.data(), req->size);
        forget(mine);
        return status;
    }

    /* A process of the user that comes by here waits itself, if it has to. */
    enum iov_status access(tlm::tlm_command command, struct iov_mem_req *req)
    {
        bool is_look = req->flags & IOV_MEM_DEBUG;

        if (!is_look && move_direct(command == tlm::TLM_WRITE_COMMAND, req))
            return IOV_STATUS_OK;
        if (!part->waits || is_look || !iov_systemc_serving(systemc))
            return transport_at_once(command, req);
        if (iov_fiber_current(iov_systemc_kernel(systemc)) != nullptr)
            return transport_by_thread(command, req);
        fail("a device's access cannot wait for the target; with 'waits: on' only software's can");
        return IOV_STATUS_ABORT;
    }
};

} // namespace iovsim

#endif
