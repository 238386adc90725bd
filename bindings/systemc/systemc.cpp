/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SystemC as the owner of time. One SC_METHOD serves the kernel: it is woken at the kernel's next
 * event and lets it run ahead as far as nothing can happen in SystemC, so that SystemC orders
 * nothing of ours and costs one activation a stretch. Fibers always return to this method. As a
 * guest in the user's simulation the kernel does not know how far time will go, and runs ahead by
 * the quantum only.
 */
#include "bindings/systemc/systemc.h"

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <string>
#define SC_INCLUDE_DYNAMIC_PROCESSES
#pragma GCC visibility push(default) /* what is thrown across libraries is one type */
#include <systemc>
#pragma GCC visibility pop

#include "core/object/model.h"

#if defined(__SANITIZE_ADDRESS__)
#include <pthread.h>
#include <sanitizer/common_interface_defs.h>
#endif

using sc_core::sc_event;
using sc_core::sc_simcontext;
using sc_core::sc_time;

/* libsystemc.so wants it; the user's own, if there is one, wins. */
extern "C" __attribute__((weak, visibility("default"))) int sc_main(int, char **)
{
    return 0;
}

struct iov_systemc {
    struct iov_backend backend; /* first */
    struct iov_kernel *kernel;
    sc_simcontext *context;
    sc_simcontext *outer;          /* the one before, if `context` is ours */
    sc_event *due;                 /* the kernel wants to be served */
    bool guest;                    /* the user lets time pass: iov_systemc_follow() */
    bool serving;                  /* the kernel is running events */
    bool stopped;                  /* by iov_kernel_stop(), sc_pause() or iov_systemc_stop() */
    iov_time quantum;              /* how far the kernel may always run ahead */
    void (*on_end)(void *context); /* of a guest */
    void *end_context;
    iov_time until;  /* of the run that is going on */
    iov_time offset; /* SystemC's time of the kernel's time 0, modulo 2^64 */
    std::string failure;
};

/* SystemC's context is a global, so this is one too. */
static struct iov_systemc *the_simulation;

/* ---- Errors ---- */

static std::string text_of(const sc_core::sc_report &report)
{
    std::string text = report.get_msg_type();

    if (report.get_msg() != nullptr && report.get_msg()[0] != '\0')
        text += std::string(": ") + report.get_msg();
    if (report.get_process_name() != nullptr)
        text += std::string(", in process ") + report.get_process_name();
    return text + " (" + report.get_file_name() + ":" + std::to_string(report.get_line_number()) +
           ")";
}

/* Runs `body`; what it throws becomes text. True if nothing was thrown. */
template <typename Body> static bool guarded(std::string &ret_failure, Body body)
{
    try {
        body();
        return true;
    } catch (const sc_core::sc_report &report) {
        ret_failure = "SystemC: " + text_of(report);
    } catch (const std::exception &exception) {
        ret_failure = std::string("SystemC: exception: ") + exception.what();
    } catch (const char *text) {
        ret_failure = std::string("SystemC: exception: ") + text;
    } catch (...) {
        ret_failure = "SystemC: an exception of unknown type";
    }
    return false;
}

static void set_error(GError **error, const std::string &text)
{
    g_set_error_literal(error, IOV_ERROR, IOV_ERROR_RUN, text.c_str());
}

/* ---- Serving the kernel ---- */

static iov_time present(void)
{
    return sc_core::sc_time_stamp().value();
}

static iov_time add(iov_time a, iov_time b)
{
    return a + b < a ? IOV_TIME_MAX : a + b;
}

/* How far the kernel may go in SystemC's time before anything else can happen there, or a
 * quantum. */
static iov_time horizon(const struct iov_systemc *self)
{
    iov_time last = self->until, now = present(), lead = add(now, self->quantum);

    if (self->guest && self->until <= now) /* nobody says how far time will go */
        return lead;
    if (sc_core::sc_pending_activity_at_current_time(self->context)) {
        last = now;
    } else if (sc_core::sc_pending_activity_at_future_time(self->context)) {
        iov_time next = now + sc_core::sc_time_to_pending_activity(self->context).value();

        if (next - 1 < last)
            last = next - 1;
    }
    return self->guest ? std::max(last, lead) : std::min(std::max(last, lead), self->until);
}

/* Asks SystemC to call serve() at the kernel's next event. */
static void plan(struct iov_systemc *self)
{
    iov_time next, now = present();

    if (!iov_kernel_next(self->kernel, &next))
        return;
    next += self->offset;
    if (next <= now)
        self->due->notify(sc_core::SC_ZERO_TIME);
    else if (self->guest || next <= self->until)
        self->due->notify(sc_time::from_value(next - now));
}

#if defined(__SANITIZE_ADDRESS__)
/*
 * SystemC 2.3.4 tells AddressSanitizer that the main stack is empty when it comes back to it from a
 * thread; an exception would then leave poison behind.
 */
static void tell_stack(void)
{
    pthread_attr_t attributes;
    void *stack, *fake = nullptr;
    size_t size;

    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return;
    pthread_attr_getstack(&attributes, &stack, &size);
    pthread_attr_destroy(&attributes);
    __sanitizer_start_switch_fiber(&fake, stack, size);
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
}
#else
static void tell_stack(void)
{
}
#endif

/* Lets the kernel run; false if it stopped. */
static bool serve_kernel(struct iov_systemc *self)
{
    iov_time last = horizon(self), now = iov_now(self->kernel);
    bool goes_on;

    if (last != IOV_TIME_MAX)
        last -= self->offset;
    self->serving = true;
    goes_on =
        iov_kernel_serve(self->kernel, std::max(last, now)); /* a quantum may have led it on */
    self->serving = false;
    return goes_on;
}

static void serve(struct iov_systemc *self)
{
    if (self->kernel == nullptr || self->stopped)
        return;
    if (serve_kernel(self)) {
        plan(self);
        return;
    }
    self->stopped = true;
    tell_stack();
    if (!self->guest)
        sc_core::sc_pause();
    else if (self->on_end != nullptr)
        self->on_end(self->end_context);
}

/* Lets SystemC's time pass up to and including `until`; sc_start() itself leaves out what becomes
 * runnable at its end. */
static void pass(struct iov_systemc *self, iov_time until)
{
    if (until == IOV_TIME_MAX)
        sc_core::sc_start();
    else if (until > present())
        sc_core::sc_start(sc_time::from_value(until - present()));
    while (!self->stopped && sc_core::sc_get_status() != sc_core::SC_STOPPED &&
           (until == IOV_TIME_MAX || present() == until) &&
           sc_core::sc_pending_activity_at_current_time())
        sc_core::sc_start(sc_core::SC_ZERO_TIME);
    if (sc_core::sc_get_status() == sc_core::SC_STOPPED)
        throw std::runtime_error("sc_stop() ended the simulation");
    if (until != IOV_TIME_MAX && present() < until)
        self->stopped = true; /* sc_pause() */
}

/* The kernel may be ahead of SystemC when a run ends; nothing is pending in between. */
static void catch_up(const struct iov_systemc *self)
{
    iov_time now = iov_now(self->kernel) + self->offset;

    if (now > present())
        sc_core::sc_start(sc_time::from_value(now - present()));
}

/* ---- The back end ---- */

static struct iov_systemc *systemc_of(const struct iov_backend *backend)
{
    return reinterpret_cast<struct iov_systemc *>(const_cast<struct iov_backend *>(backend));
}

static bool run(struct iov_backend *backend, struct iov_kernel *, iov_time until)
{
    struct iov_systemc *self = systemc_of(backend);

    if (!self->failure.empty())
        return false;
    self->stopped = false;
    self->until = until == IOV_TIME_MAX ? until : until + self->offset;
    bool is_good = guarded(self->failure, [self] {
        plan(self);
        pass(self, self->until);
        catch_up(self);
    });
    return is_good && !self->stopped;
}

static void on_earlier(struct iov_backend *backend, iov_time)
{
    struct iov_systemc *self = systemc_of(backend);

    /* An earlier notification replaces a later one. */
    guarded(self->failure, [self] { plan(self); });
}

static const char *failure(const struct iov_backend *backend)
{
    const struct iov_systemc *self = systemc_of(backend);

    return self->failure.empty() ? nullptr : self->failure.c_str();
}

static const struct iov_backend_ops backend_ops = { "systemc", run, on_earlier, failure };

/* ---- Life cycle ---- */

/*
 * SystemC makes a context when it is loaded, and something of its own stays in it: it must not be
 * deleted. If the user has put modules there we join them, else we begin afresh beside it.
 */
static void choose_context(struct iov_systemc *self)
{
    self->context = sc_core::sc_get_curr_simcontext();
    if (!sc_core::sc_get_top_level_objects().empty() ||
        sc_core::sc_get_status() != sc_core::SC_ELABORATION)
        return;
    self->outer = self->context;
    self->context = new sc_simcontext();
    sc_core::sc_curr_simcontext = self->context;
}

static void begin(struct iov_systemc *self)
{
    sc_core::sc_spawn_options options;

    choose_context(self);
    sc_core::sc_report_handler::set_actions(sc_core::SC_FATAL, sc_core::SC_THROW);
    if (sc_core::sc_get_time_resolution() != sc_time(1, sc_core::SC_PS))
        throw std::runtime_error("the time resolution must be 1 ps, not " +
                                 sc_core::sc_get_time_resolution().to_string());
    if (sc_core::sc_get_status() == sc_core::SC_STOPPED)
        throw std::runtime_error("sc_stop() has ended the simulation; another cannot begin here");
    self->due = new sc_event(sc_core::sc_gen_unique_name("iovsim_due"));
    options.spawn_method();
    options.dont_initialize();
    options.set_sensitivity(self->due);
    sc_core::sc_spawn([self] { serve(self); }, sc_core::sc_gen_unique_name("iovsim"), &options);
}

struct iov_systemc *iov_systemc_new(GError **error)
{
    struct iov_systemc *self;
    std::string why;

    if (the_simulation != nullptr) {
        set_error(error, "SystemC: a simulation is open in this process already, and SystemC knows "
                         "one a process: "
                         "end it first, or use a process for each");
        return nullptr;
    }
    self = new struct iov_systemc();
    self->backend.ops = &backend_ops;
    the_simulation = self;
    if (guarded(why, [self] { begin(self); }))
        return self;
    set_error(error, why);
    iov_systemc_free(self);
    return nullptr;
}

void iov_systemc_free(struct iov_systemc *self)
{
    std::string ignored;

    if (self == nullptr)
        return;
    iov_systemc_attach(self, nullptr);
    guarded(ignored, [self] {
        delete self->due;
        if (self->outer != nullptr) {
            delete self->context;
            sc_core::sc_curr_simcontext = self->outer;
        }
    });
    the_simulation = nullptr;
    delete self;
}

void iov_systemc_attach(struct iov_systemc *self, struct iov_kernel *kernel)
{
    if (self->kernel != nullptr)
        iov_kernel_set_backend(self->kernel, nullptr);
    self->kernel = kernel;
    self->guest = false;
    if (kernel == nullptr)
        return;
    self->offset = present() - iov_now(kernel);
    iov_kernel_set_backend(kernel, &self->backend);
}

void iov_systemc_follow(struct iov_systemc *self, struct iov_kernel *kernel,
                        void (*on_end)(void *context), void *context)
{
    iov_systemc_attach(self, kernel);
    self->guest = true;
    self->stopped = false;
    self->on_end = on_end;
    self->end_context = context;
    self->due->notify(sc_core::SC_ZERO_TIME);
}

void iov_systemc_promise(struct iov_systemc *self, iov_time until)
{
    self->until = until;
}

void iov_systemc_set_quantum(struct iov_systemc *self, iov_time quantum)
{
    self->quantum = quantum;
}

bool iov_systemc_advance(struct iov_systemc *self, iov_time until, GError **error)
{
    if (self->kernel != nullptr) {
        iov_kernel_run_until(self->kernel, until);
    } else if (self->failure.empty()) {
        self->stopped = false;
        guarded(self->failure, [self, until] { pass(self, until); });
    }
    if (iov_systemc_failure(self) == nullptr)
        return true;
    set_error(error, iov_systemc_failure(self));
    return false;
}

void iov_systemc_stop(struct iov_systemc *self)
{
    if (self->kernel != nullptr)
        iov_kernel_stop(self->kernel);
    self->stopped = true;
    sc_core::sc_pause();
}

void iov_systemc_sync(struct iov_systemc *self)
{
    if (self->kernel != nullptr && !self->serving && !(self->guest && self->stopped))
        iov_kernel_skip(self->kernel, present() - self->offset);
}

iov_time iov_systemc_ahead(const struct iov_systemc *self)
{
    iov_time now = self->kernel != nullptr ? iov_now(self->kernel) + self->offset : 0;

    return now > present() ? now - present() : 0;
}

void iov_systemc_yield(struct iov_systemc *self)
{
    iov_time last = horizon(self);

    if (self->kernel != nullptr && last != IOV_TIME_MAX)
        iov_kernel_cut(self->kernel, last - self->offset);
}

void iov_systemc_fail(struct iov_systemc *self, const char *text)
{
    if (self->failure.empty())
        self->failure = text;
    if (self->kernel != nullptr)
        iov_kernel_fail(self->kernel, text);
    if (!self->guest)
        iov_systemc_stop(self);
    else if (!self->serving)
        self->due->notify(sc_core::SC_ZERO_TIME);
}

struct iov_kernel *iov_systemc_kernel(const struct iov_systemc *self)
{
    return self->kernel;
}

bool iov_systemc_serving(const struct iov_systemc *self)
{
    return self->serving;
}

iov_time iov_systemc_now(const struct iov_systemc *)
{
    return present();
}

const char *iov_systemc_failure(const struct iov_systemc *self)
{
    if (self->kernel != nullptr)
        return iov_kernel_failure(self->kernel); /* which asks failure() */
    return self->failure.empty() ? nullptr : self->failure.c_str();
}

const char *iov_systemc_version(void)
{
    return sc_core::sc_version_string.c_str();
}
