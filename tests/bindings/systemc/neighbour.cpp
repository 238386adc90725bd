/* SPDX-License-Identifier: Apache-2.0 */
/* See neighbour.h. */
#include "tests/bindings/systemc/neighbour.h"

#include <stdexcept>
#include <systemc>

struct neighbour : sc_core::sc_module {
    enum deed deed;
    iov_time when, period;
    void (*call)(void *);
    void *argument;

    SC_HAS_PROCESS(neighbour);
    neighbour(sc_core::sc_module_name, enum deed what, iov_time at, iov_time every,
              void (*function)(void *), void *its_argument)
        : deed(what), when(at), period(every), call(function), argument(its_argument)
    {
        SC_THREAD(live);
    }
    void live()
    {
        for (wait(sc_core::sc_time::from_value(when));;
             wait(sc_core::sc_time::from_value(period))) {
            act();
            if (period == 0)
                return;
        }
    }
    void act()
    {
        switch (deed) {
        case DEED_FATAL:
            SC_REPORT_FATAL("neighbour", "the roof is off");
            break;
        case DEED_ERROR:
            SC_REPORT_ERROR("neighbour", "the door is open");
            break;
        case DEED_EXCEPTION:
            throw std::out_of_range("no such room");
        case DEED_TEXT:
            throw "out of paint";
        case DEED_NUMBER:
            throw 42;
        case DEED_STOP:
            sc_core::sc_stop();
            break;
        case DEED_PAUSE:
            sc_core::sc_pause();
            break;
        case DEED_CALL:
            call(argument);
            break;
        }
    }
};

struct neighbour *neighbour_new(enum deed deed, iov_time when, iov_time period,
                                void (*call)(void *argument), void *argument)
{
    return new neighbour(sc_core::sc_gen_unique_name("neighbour"), deed, when, period, call,
                         argument);
}

void neighbour_free(struct neighbour *neighbour)
{
    delete neighbour;
}
