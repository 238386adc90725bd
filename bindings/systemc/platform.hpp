/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole iovsim platform, as its YAML file describes it, as a module in the user's own simulation: the user calls sc_start(),
 * and the platform's events happen when SystemC comes to their time. Ports are reached by their names in the file:
 *
 *     iovsim::platform machine("machine", "configs/net-rr.yaml", { "workload.operations=100" });
 *     watcher.socket.bind(machine.target_socket("dram.port", 0x0100));
 *     machine.initiator_socket("timer.port").bind(device.registers);
 *     machine.interrupt_in("timer.interrupt").bind(line);
 *     sc_core::sc_start(10, sc_core::SC_MS);
 *
 * All sockets and lines must be asked for before the simulation begins. What is wrong with the file or a name is thrown as
 * std::runtime_error; what ends the run later is an SC_REPORT_ERROR of the type "iovsim", as an exception of sc_start().
 * LIMIT: one platform a simulation.
 */
#ifndef IOV_SYSTEMC_PLATFORM_HPP
#define IOV_SYSTEMC_PLATFORM_HPP

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "bindings/systemc/tlm.hpp"
#include "core/config/experiment.h"
#include "core/trace/measure.h"

namespace iovsim
{

class platform : public sc_core::sc_module
{
  public:
    sc_core::sc_event finished; /* the workload is done */

    SC_HAS_PROCESS(platform);
    /* `sets`: "key=value", as --set on the command line. */
    platform(sc_core::sc_module_name module_name, const std::string &file,
             const std::vector<std::string> &sets = {})
        : sc_core::sc_module(module_name), experiment(open(file, sets)), systemc(join())
    {
        choose_quantum();
        SC_METHOD(begin);
    }
    ~platform() override
    {
        end();
    }

    /* A socket for an initiator outside that masters `port`: a mem target of a part, or the `dma` of a tlm-target, which has its own
     * requester ID. */
    tlm_utils::simple_target_socket<target> &target_socket(const std::string &port,
                                                           uint16_t requester = 0)
    {
        return find(targets, port,
                    [&](const char *module, const place &at) {
                        uint16_t id = at.foreign != nullptr ? at.foreign->requester : requester;

                        return std::make_unique<target>(module, systemc.get(), mastered(at), id);
                    })
            .socket;
    }
    /* A socket for a target outside that answers `port`: the `port` of a tlm-target, or a mem initiator that is not wired. */
    tlm_utils::simple_initiator_socket<initiator> &initiator_socket(const std::string &port)
    {
        return find(initiators, port,
                    [&](const char *module, const place &at) { return answered(module, at); })
            .socket;
    }
    /* An irq source that is not wired, as a signal. */
    sc_core::sc_out<bool> &interrupt_out(const std::string &port)
    {
        return find(outs, port,
                    [&](const char *module, const place &at) {
                        auto *source = static_cast<struct iov_irq_source *>(at.field);

                        require(at, at.is(IOV_PORT_IRQ, IOV_PORT_INITIATOR), "is no irq source");
                        require(at, source->peer == nullptr, "is wired");
                        auto wire = std::make_unique<iovsim::interrupt_out>(module, systemc.get());
                        source->peer = &wire->sink();
                        return wire;
                    })
            .line;
    }
    /* A signal that drives an irq sink, or what the `interrupt` of a tlm-target is wired to. */
    sc_core::sc_in<bool> &interrupt_in(const std::string &port)
    {
        return find(ins, port,
                    [&](const char *module, const place &at) {
                        return std::make_unique<iovsim::interrupt_in>(module, systemc.get(),
                                                                      driven(at));
                    })
            .line;
    }

    /* How far the platform may run ahead of SystemC. By default the smallest `quantum` of its tlm-target parts; without
     * such parts TLM-2.0's global quantum. */
    void quantum(const sc_core::sc_time &time)
    {
        iov_systemc_set_quantum(systemc.get(), time.value());
    }
    /* sc_start(time), of which the platform knows the end: it runs ahead where nothing else can happen, which is several times as fast. */
    void start(const sc_core::sc_time &time)
    {
        iov_systemc_promise(systemc.get(), sc_core::sc_time_stamp().value() + time.value());
        sc_core::sc_start(time);
    }
    void start(double time, sc_core::sc_time_unit unit)
    {
        start(sc_core::sc_time(time, unit));
    }
    bool is_finished() const
    {
        return stopped;
    }
    const struct iov_measure &measure() const
    {
        return *iov_experiment_measure(experiment.get());
    }
    struct iov_platform *parts() const
    {
        return iov_experiment_platform(experiment.get());
    }
    /* Ends the measurement, if the workload has not, and writes the run folder. */
    void write(const std::string &folder)
    {
        GError *error = nullptr;

        end();
        check(iov_experiment_write(experiment.get(), folder.c_str(), nullptr, &error), error);
    }

  private:
    template <typename Type, void (*give)(Type *)> struct giver {
        void operator()(Type *pointer) const
        {
            give(pointer);
        }
    };
    using experiment_pointer =
        std::unique_ptr<struct iov_experiment, giver<struct iov_experiment, iov_experiment_free>>;
    using systemc_pointer =
        std::unique_ptr<struct iov_systemc, giver<struct iov_systemc, iov_systemc_free>>;

    /* A port of a part. */
    struct place {
        std::string name;
        IovModel *model;
        const struct iov_port *row;
        void *field;
        struct iov_foreign *foreign; /* of a tlm-target */

        bool is(enum iov_port_type type, enum iov_port_role role) const
        {
            return row->type == type && row->role == role && !(row->flags & IOV_PORT_MAP);
        }
    };

    experiment_pointer experiment; /* its kernel outlives what is attached to it */
    systemc_pointer systemc;
    std::map<std::string, std::unique_ptr<target>> targets;
    std::map<std::string, std::unique_ptr<initiator>> initiators;
    std::map<std::string, std::unique_ptr<iovsim::interrupt_out>> outs;
    std::map<std::string, std::unique_ptr<iovsim::interrupt_in>> ins;
    bool begun = false, ended = false, stopped = false;

    /* ---- Mistakes ---- */

    static void check(bool is_good, GError *error)
    {
        if (is_good)
            return;
        std::string text = error != nullptr ? error->message : "it failed";
        g_clear_error(&error);
        throw std::runtime_error("iovsim: " + text);
    }

    static void require(const place &at, bool holds, const char *otherwise)
    {
        if (!holds)
            throw std::runtime_error("iovsim: '" + at.name + "' " + otherwise);
    }

    /* ---- Opening ---- */

    static struct iov_experiment *open(const std::string &file,
                                       const std::vector<std::string> &sets)
    {
        std::vector<const char *> texts;
        char **path = iov_data_path(file.c_str());
        GError *error = nullptr;

        for (const std::string &set : sets)
            texts.push_back(set.c_str());
        texts.push_back(nullptr);
        struct iov_config_options options = { path, texts.data() };
        struct iov_experiment *opened = iov_experiment_open(file.c_str(), &options, &error);
        g_strfreev(path);
        check(opened != nullptr, error);
        return opened;
    }

    static struct iov_systemc *join()
    {
        GError *error = nullptr;
        struct iov_systemc *joined = iov_systemc_new(&error);

        check(joined != nullptr, error);
        return joined;
    }

    static struct iov_foreign *foreign_of(IovModel *model)
    {
        const struct iov_port *row = iov_model_find_port(model, "foreign");

        return row != nullptr && row->type == IOV_PORT_FOREIGN
                   ? static_cast<struct iov_foreign *>(iov_model_port(model, "foreign", 0))
                   : nullptr;
    }

    void choose_quantum()
    {
        iov_time smallest = IOV_TIME_MAX;

        for (unsigned i = 0; i < iov_platform_count(parts()); i++) {
            const struct iov_foreign *foreign = foreign_of(iov_platform_at(parts(), i));

            if (foreign != nullptr && foreign->quantum < smallest)
                smallest = foreign->quantum;
        }
        if (smallest == IOV_TIME_MAX)
            smallest = tlm::tlm_global_quantum::instance().get().value();
        iov_systemc_set_quantum(systemc.get(), smallest);
    }

    /* ---- Ports by name ---- */

    /* "part.port", or "part.port[3]" of an array. */
    place locate(const std::string &name) const
    {
        std::string text = name;
        unsigned long index = 0;
        size_t bracket = text.find('['), dot;

        if (bracket != std::string::npos) {
            index = std::strtoul(text.c_str() + bracket + 1, nullptr, 0);
            text.resize(bracket);
        }
        dot = text.rfind('.');
        place at = { name, nullptr, nullptr, nullptr, nullptr };
        require(at, dot != std::string::npos, "is not part.port, such as dram.port");
        at.model = iov_platform_find(parts(), text.substr(0, dot).c_str());
        require(at, at.model != nullptr, "names no part of the platform");
        at.row = iov_model_find_port(at.model, text.substr(dot + 1).c_str());
        require(at, at.row != nullptr, "names no port of the part");
        require(at, index < at.row->count, "has an index that the port does not have");
        at.field = iov_model_port(at.model, at.row->name, (unsigned)index);
        at.foreign = foreign_of(at.model);
        return at;
    }

    /* The module for a port, made the first time as a child of this one. */
    template <typename Module, typename Make>
    Module &find(std::map<std::string, std::unique_ptr<Module>> &modules, const std::string &name,
                 Make make)
    {
        std::unique_ptr<Module> &module = modules[name];
        std::string child = name;

        if (module != nullptr)
            return *module;
        for (char &c : child)
            c = std::isalnum((unsigned char)c) ? c : '_';
        try {
            place at = locate(name);
            scope inside(this);
            module = make(child.c_str(), at);
        } catch (...) {
            modules.erase(name);
            throw;
        }
        return *module;
    }

    /* Modules that are made meanwhile are children of this one. */
    struct scope {
        explicit scope(sc_core::sc_module *parent)
        {
            sc_core::sc_get_curr_simcontext()->hierarchy_push(parent);
        }
        ~scope()
        {
            sc_core::sc_get_curr_simcontext()->hierarchy_pop();
        }
    };

    static struct iov_mem_target *mastered(const place &at)
    {
        if (at.foreign == nullptr) {
            require(at, at.is(IOV_PORT_MEM, IOV_PORT_TARGET), "is no mem target");
            return static_cast<struct iov_mem_target *>(at.field);
        }
        require(at, at.field == at.foreign->dma, "is not the dma port of the tlm-target");
        require(at, at.foreign->dma->peer != nullptr, "is not wired in the platform");
        return at.foreign->dma->peer;
    }

    std::unique_ptr<initiator> answered(const char *module, const place &at)
    {
        if (at.foreign != nullptr) {
            require(at, at.is(IOV_PORT_MEM, IOV_PORT_TARGET),
                    "is not the port of the tlm-target that a target answers");
            return std::make_unique<initiator>(module, systemc.get(), at.foreign, at.model->path);
        }
        auto *port = static_cast<struct iov_mem_initiator *>(at.field);

        require(at, at.is(IOV_PORT_MEM, IOV_PORT_INITIATOR), "is no mem initiator");
        require(at, port->peer == nullptr, "is wired");
        auto made = std::make_unique<initiator>(module, systemc.get(), UINT64_MAX);
        port->peer = &made->memory();
        return made;
    }

    static struct iov_irq_sink *driven(const place &at)
    {
        if (at.foreign == nullptr) {
            require(at, at.is(IOV_PORT_IRQ, IOV_PORT_TARGET), "is no irq sink");
            return static_cast<struct iov_irq_sink *>(at.field);
        }
        require(at, at.field == at.foreign->interrupt,
                "is not the interrupt port of the tlm-target");
        require(at, at.foreign->interrupt->peer != nullptr, "is not wired in the platform");
        return at.foreign->interrupt->peer;
    }

    /* ---- The run ---- */

    void begin()
    {
        begun = true;
        iov_experiment_begin(experiment.get());
        iov_systemc_follow(
            systemc.get(), iov_platform_run(parts())->kernel,
            [](void *self) { static_cast<platform *>(self)->on_end(); }, this);
    }

    void end()
    {
        if (begun && !ended)
            iov_experiment_end(experiment.get());
        ended = true;
    }

    void on_end()
    {
        const char *failure = iov_systemc_failure(systemc.get());

        stopped = true;
        end();
        if (failure != nullptr)
            SC_REPORT_ERROR("iovsim", failure);
        finished.notify(sc_core::sc_time::from_value(iov_systemc_ahead(systemc.get())));
    }
};

} // namespace iovsim

#endif
