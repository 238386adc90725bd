/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The peer of bench-kernel: the same cases with SystemC's sc_event, SC_METHOD and SC_THREAD. Times
 * are made by sc_time::from_value() from whole picoseconds, which is the cheapest way.
 */
#include <memory>
#include <string>
#include <systemc>
#include <vector>

extern "C" {
#include "tests/bench/cases.h"
}

using sc_core::sc_event;
using sc_core::sc_time;

static const uint64_t *delays;
static unsigned next_delay;
static uint64_t left_over;

static sc_time picoseconds(uint64_t value)
{
    return sc_time::from_value(value);
}

static void count_down()
{
    if (--left_over == 0)
        sc_core::sc_stop();
}

struct Hold : sc_core::sc_module {
    sc_event due;

    SC_HAS_PROCESS(Hold);
    explicit Hold(sc_core::sc_module_name)
    {
        SC_METHOD(on_due);
        sensitive << due;
        dont_initialize();
        due.notify(picoseconds(delays[next_delay++ % BENCH_DELAYS]));
    }
    void on_due()
    {
        due.notify(picoseconds(delays[next_delay++ % BENCH_DELAYS]));
        count_down();
    }
};

struct PingPong : sc_core::sc_module {
    sc_event ping, pong;
    sc_time step = picoseconds(BENCH_STEP);

    SC_HAS_PROCESS(PingPong);
    explicit PingPong(sc_core::sc_module_name)
    {
        SC_METHOD(on_ping);
        sensitive << ping;
        dont_initialize();
        SC_METHOD(on_pong);
        sensitive << pong;
        dont_initialize();
        ping.notify(step);
    }
    void on_ping()
    {
        pong.notify(step);
        count_down();
    }
    void on_pong()
    {
        ping.notify(step);
        count_down();
    }
};

struct Timer : sc_core::sc_module {
    sc_event due;

    SC_HAS_PROCESS(Timer);
    explicit Timer(sc_core::sc_module_name)
    {
        SC_METHOD(on_due);
        sensitive << due;
        dont_initialize();
    }
    void on_due()
    {
    }
};

struct Churn : sc_core::sc_module {
    sc_event due;
    std::vector<std::unique_ptr<Timer>> timers;
    uint64_t ticks = 0;

    SC_HAS_PROCESS(Churn);
    explicit Churn(sc_core::sc_module_name)
    {
        for (unsigned i = 0; i < BENCH_TIMERS; i++)
            timers.push_back(std::make_unique<Timer>(("timer" + std::to_string(i)).c_str()));
        SC_METHOD(on_tick);
        sensitive << due;
        dont_initialize();
        due.notify(picoseconds(BENCH_STEP));
    }
    void on_tick()
    {
        uint64_t tick = ticks++;
        if (tick % 10 != 0)
            timers[(tick + 1) % BENCH_TIMERS]->due.cancel();
        sc_event &timer = timers[tick % BENCH_TIMERS]->due;
        timer.cancel();
        timer.notify(picoseconds(BENCH_TIMERS * (uint64_t)BENCH_STEP - BENCH_STEP / 2));
        due.notify(picoseconds(BENCH_STEP));
        count_down();
    }
};

/* Two threads; `how` says what each of them does in its loop. */
struct Threads : sc_core::sc_module {
    enum How { WAKE, SLEEP };
    How how;
    sc_event events[2];

    SC_HAS_PROCESS(Threads);
    Threads(sc_core::sc_module_name, How how_, int count) : how(how_)
    {
        SC_THREAD(first);
        if (count > 1) {
            SC_THREAD(second);
        }
    }
    void first()
    {
        go(0);
    }
    void second()
    {
        go(1);
    }
    void go(int me)
    {
        for (;;) {
            if (how == WAKE) {
                events[1 - me].notify(sc_core::SC_ZERO_TIME);
                wait(events[me]);
            } else {
                wait(picoseconds(BENCH_STEP));
            }
            count_down();
        }
    }
};

int sc_main(int count, char **arguments)
{
    if (count != 3) {
        fprintf(stderr, "usage: bench-systemc CASE EVENTS\n");
        return 2;
    }
    const std::string name = arguments[1];
    uint64_t events = strtoull(arguments[2], nullptr, 10);
    std::vector<std::unique_ptr<sc_core::sc_module>> modules;

    delays = bench_delays();
    left_over = events;
    sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, sc_core::SC_DO_NOTHING);
    if (name.compare(0, 5, "hold-") == 0) {
        unsigned long pending = std::stoul(name.substr(5));
        for (unsigned long i = 0; i < pending; i++)
            modules.push_back(std::make_unique<Hold>(("hold" + std::to_string(i)).c_str()));
    } else if (name == "ping-pong") {
        modules.push_back(std::make_unique<PingPong>("ping-pong"));
    } else if (name == "chain") {
        modules.push_back(std::make_unique<PingPong>("ping-pong"));
        for (int i = 0; i < 16; i++) {
            auto timer = std::make_unique<Timer>(("timer" + std::to_string(i)).c_str());
            timer->due.notify(sc_time(3600, sc_core::SC_SEC) + picoseconds(delays[i]));
            modules.push_back(std::move(timer));
        }
    } else if (name == "churn") {
        modules.push_back(std::make_unique<Churn>("churn"));
    } else if (name == "fiber") {
        modules.push_back(std::make_unique<Threads>("threads", Threads::WAKE, 2));
    } else if (name == "fiber-sleep") {
        modules.push_back(std::make_unique<Threads>("threads", Threads::SLEEP, 2));
    } else if (name == "fiber-alone") {
        modules.push_back(std::make_unique<Threads>("threads", Threads::SLEEP, 1));
    } else {
        fprintf(stderr, "bench-systemc: unknown case '%s'\n", name.c_str());
        return 2;
    }
    sc_core::sc_start(sc_core::SC_ZERO_TIME); /* elaboration is not measured */
    double start = bench_cpu_seconds();
    sc_core::sc_start();
    bench_report(name.c_str(), bench_cpu_seconds() - start, events);
    return 0;
}
