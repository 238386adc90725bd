/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A platform of iovsim as a guest in a test's simulation, with a foreign device at its tlm-target `device`, accesses
 * of its software, and other modules beside it. A run takes 1 ms unless something ends it.
 */
#ifndef TESTS_BINDINGS_SYSTEMC_SCENE_HPP
#define TESTS_BINDINGS_SYSTEMC_SCENE_HPP

#include <functional>
#include <string>
#include <vector>

#include <tlm_utils/peq_with_get.h>

#include "bindings/systemc/platform.hpp"

/* A target that answers as a test says; without an answer it speaks nb_transport only. */
struct foreign_device : sc_core::sc_module {
    using answer_fn =
        std::function<void(foreign_device &, tlm::tlm_generic_payload &, sc_core::sc_time &)>;

    tlm_utils::simple_target_socket<foreign_device> socket;
    answer_fn answer;
    sc_core::sc_event never, takes_back;
    unsigned char direct[256] = {}; /* at 0x100 */
    bool grants = false, read_only = false;
    unsigned calls = 0, asked = 0;
    tlm::tlm_generic_payload *pending = nullptr;
    sc_core::sc_event answered;

    SC_HAS_PROCESS(foreign_device);
    foreign_device(sc_core::sc_module_name, answer_fn what) : socket("socket"), answer(what)
    {
        if (answer != nullptr)
            socket.register_b_transport(this, &foreign_device::b_transport);
        else
            socket.register_nb_transport_fw(this, &foreign_device::nb_transport_fw);
        socket.register_get_direct_mem_ptr(this, &foreign_device::get_direct_mem_ptr);
        SC_METHOD(take_back);
        sensitive << takes_back;
        dont_initialize();
        SC_METHOD(respond);
        sensitive << answered;
        dont_initialize();
    }
    void b_transport(tlm::tlm_generic_payload &trans, sc_core::sc_time &delay)
    {
        calls++;
        answer(*this, trans, delay);
    }
    bool get_direct_mem_ptr(tlm::tlm_generic_payload &, tlm::tlm_dmi &dmi)
    {
        asked++;
        dmi.set_start_address(0x100);
        dmi.set_end_address(0x1ff);
        dmi.set_dmi_ptr(direct);
        dmi.set_read_latency(sc_core::sc_time(3, sc_core::SC_NS));
        dmi.set_write_latency(sc_core::sc_time(5, sc_core::SC_NS));
        if (read_only)
            dmi.allow_read();
        else
            dmi.allow_read_write();
        return grants;
    }
    void take_back()
    {
        socket->invalidate_direct_mem_ptr(0x180, 0x190);
    }
    /* 10 ns to the end of the request, 20 more to the response. */
    tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload &trans, tlm::tlm_phase &phase,
                                       sc_core::sc_time &delay)
    {
        if (phase == tlm::END_RESP)
            return tlm::TLM_COMPLETED;
        pending = &trans;
        phase = tlm::END_REQ;
        delay += sc_core::sc_time(10, sc_core::SC_NS);
        answered.notify(delay + sc_core::sc_time(20, sc_core::SC_NS));
        return tlm::TLM_UPDATED;
    }
    void respond()
    {
        tlm::tlm_phase phase = tlm::BEGIN_RESP;
        sc_core::sc_time delay;

        memset(pending->get_data_ptr(), 0x77, pending->get_data_length());
        pending->set_response_status(tlm::TLM_OK_RESPONSE);
        socket->nb_transport_bw(*pending, phase, delay);
    }
};

struct scene {
    iovsim::platform machine;
    foreign_device device;

    scene(const char *file, const std::vector<std::string> &sets, foreign_device::answer_fn answer)
        : machine("machine", std::string(IOV_SOURCE_DIR "/tests/bindings/systemc/") + file, sets),
          device("device", answer)
    {
        machine.initiator_socket("device.port").bind(device.socket);
    }
    /* The text that ended it early, or "". */
    std::string run()
    {
        try {
            sc_core::sc_start(1, sc_core::SC_MS);
        } catch (const std::exception &exception) {
            return exception.what();
        }
        return "";
    }
    struct iov_kernel *kernel()
    {
        return iov_platform_run(machine.parts())->kernel;
    }
    iov_time now()
    {
        return iov_now(kernel());
    }
    struct iov_mem_target *bus()
    {
        return static_cast<struct iov_mem_target *>(
            iov_model_port(iov_platform_find(machine.parts(), "bus"), "port", 0));
    }
    uint64_t statistic(const char *part, const char *name)
    {
        IovModel *model = iov_platform_find(machine.parts(), part);
        const GArray *rows = IOV_MODEL_GET_CLASS(model)->info->stats;

        for (unsigned i = 0; i < rows->len; i++) {
            const struct iov_stat *row = &g_array_index(rows, struct iov_stat, i);

            if (strcmp(row->name, name) == 0)
                return *reinterpret_cast<uint64_t *>(reinterpret_cast<char *>(model) + row->offset);
        }
        cr_assert(false, "there is no statistic %s", name);
        return 0;
    }
    /* Software's accesses that take no time. */
    void move(bool is_write, uint64_t address, void *data, uint32_t size)
    {
        struct iov_mem_initiator port = { bus() };
        struct iov_mem_req req = {};

        req.address = address;
        req.data = data;
        req.size = size;
        req.pasid = IOV_NO_PASID;
        cr_assert_eq(is_write ? iov_mem_write_req(&port, &req) : iov_mem_read_req(&port, &req),
                     IOV_STATUS_OK);
    }
    void put(uint64_t address, uint64_t value, uint32_t size = 8)
    {
        move(true, address, &value, size);
    }
    uint64_t get(uint64_t address)
    {
        uint64_t value = 0;

        move(false, address, &value, 8);
        return value;
    }
    std::vector<unsigned char> dump(uint64_t address, uint32_t size)
    {
        std::vector<unsigned char> bytes(size);

        move(false, address, bytes.data(), size);
        return bytes;
    }
};

/* One access to the bus, by software on a fiber or by the event of a device. */
struct [[maybe_unused]] bus_access {
    enum who { by_software, by_device };

    struct iov_event event = {};
    struct iov_mem_initiator port;
    struct iov_kernel *kernel;
    uint64_t address;
    uint32_t size;
    bool is_write;
    iov_time when;
    unsigned char bytes[16] = {};
    iov_time delay = 0, ended = 0;
    enum iov_status status = IOV_STATUS_OK;

    bus_access(scene &in, uint64_t at, uint32_t bytes_long, bool write, iov_time begin,
               enum who maker = by_software)
        : port{ in.bus() }, kernel(in.kernel()), address(at), size(bytes_long), is_write(write),
          when(begin)
    {
        if (maker == by_software) {
            iov_fiber_new(kernel, "software", on_fiber, this);
            return;
        }
        iov_event_init(&event, kernel, on_event, IOV_PRIORITY_DEFAULT);
        iov_event_at(&event, when);
    }
    void act()
    {
        struct iov_mem_req req = {};

        req.address = address;
        req.data = bytes;
        req.size = size;
        req.pasid = IOV_NO_PASID;
        req.delay = delay;
        status = is_write ? iov_mem_write_req(&port, &req) : iov_mem_read_req(&port, &req);
        delay = req.delay;
        ended = iov_now(kernel);
    }
    static void on_fiber(void *argument)
    {
        auto *self = static_cast<bus_access *>(argument);

        iov_fiber_sleep(self->kernel, self->when);
        self->act();
    }
    static void on_event(struct iov_event *event)
    {
        reinterpret_cast<bus_access *>(event)->act(); /* its first member */
    }
};

/* An event of the kernel at each period, for 1 us. */
struct ticker {
    struct iov_event event;
    iov_time period;
    unsigned count = 0;

    ticker(scene &in, iov_time every) : period(every)
    {
        iov_event_init(&event, in.kernel(), on_tick, IOV_PRIORITY_DEFAULT);
        iov_event_at(&event, period);
    }
    static void on_tick(struct iov_event *event)
    {
        auto *self = reinterpret_cast<ticker *>(event);

        self->count++;
        if (self->count < 1000)
            iov_event_in(event, self->period);
    }
};

/* Sees at each clock of the first us how far the kernel is ahead. */
struct observer : sc_core::sc_module {
    sc_core::sc_in<bool> clock;
    scene &watched;
    iov_time lead = 0;

    SC_HAS_PROCESS(observer);
    observer(sc_core::sc_module_name, scene &in) : watched(in)
    {
        SC_METHOD(look);
        sensitive << clock.neg(); /* between the events of the kernel */
        dont_initialize();
    }
    void look()
    {
        iov_time now = sc_core::sc_time_stamp().value();

        if (now < 500 * IOV_NS && watched.now() > now && watched.now() - now > lead)
            lead = watched.now() - now;
    }
};

/* Raises a line at 200 ns and sees when it comes out at the other end. */
struct flank : sc_core::sc_module {
    sc_core::sc_in<bool> in;
    sc_core::sc_out<bool> out;
    iov_time seen = 0;

    SC_HAS_PROCESS(flank);
    explicit flank(sc_core::sc_module_name)
    {
        SC_THREAD(live);
        SC_METHOD(look);
        sensitive << in.pos();
        dont_initialize();
    }
    void live()
    {
        wait(200, sc_core::SC_NS);
        out.write(true);
    }
    void look()
    {
        seen = sc_core::sc_time_stamp().value();
    }
};

/* An initiator that does what a test says, at 100 ns. */
struct foreign_master : sc_core::sc_module {
    tlm_utils::simple_initiator_socket<foreign_master> socket;
    std::function<void(foreign_master &)> act;
    bool done = false;

    SC_HAS_PROCESS(foreign_master);
    foreign_master(sc_core::sc_module_name, std::function<void(foreign_master &)> what)
        : socket("socket"), act(what)
    {
        SC_THREAD(live);
    }
    void live()
    {
        wait(100, sc_core::SC_NS);
        act(*this);
        done = true;
    }
    tlm::tlm_response_status move(bool is_write, uint64_t address, void *data, unsigned size)
    {
        tlm::tlm_generic_payload trans;
        sc_core::sc_time delay;

        trans.set_command(is_write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
        trans.set_address(address);
        trans.set_data_ptr(static_cast<unsigned char *>(data));
        trans.set_data_length(size);
        trans.set_streaming_width(size);
        socket->b_transport(trans, delay);
        wait(delay);
        return trans.get_response_status();
    }
};

#endif
