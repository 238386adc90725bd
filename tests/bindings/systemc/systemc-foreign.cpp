/* SPDX-License-Identifier: Apache-2.0 */
/* Foreign modules in a platform of ours, as its YAML file describes it. Each test is a process of
 * its own. */
#include <criterion/criterion.h>
#include <functional>
#include <string>
#include <vector>

#include "bindings/systemc/platform.hpp"
#include "models/iommu/vtd-regs.h"
#include "tests/bindings/systemc/scene.hpp"

#define WINDOW UINT64_C(0x10000000)

/* ---- What a target answers ---- */

static void answer_ok(tlm::tlm_generic_payload &trans)
{
    if (trans.is_read())
        memset(trans.get_data_ptr(), 0x5a, trans.get_data_length());
    trans.set_response_status(tlm::TLM_OK_RESPONSE);
}

static void expect_good_run(scene &scene)
{
    std::string text = scene.run();

    cr_assert(text.empty(), "%s", text.c_str());
}

Test(target, takes_the_time_that_it_annotates)
{
    scene scene("foreign.yaml", {},
                [](foreign_device &, tlm::tlm_generic_payload &trans, sc_core::sc_time &delay) {
                    cr_assert_eq(sc_core::sc_time_stamp().value(), 300 * IOV_NS);
                    cr_assert_eq(delay.value(), 7 * IOV_NS, "the way there");
                    cr_assert_eq(trans.get_address(), 0x10u, "relative to the window");
                    delay += sc_core::sc_time(40, sc_core::SC_NS);
                    answer_ok(trans);
                });
    bus_access reading = { scene, WINDOW + 0x10, 4, false, 300 * IOV_NS };

    reading.delay = 7 * IOV_NS;
    expect_good_run(scene);
    cr_assert_eq(reading.status, IOV_STATUS_OK);
    cr_assert_eq(reading.bytes[3], 0x5a);
    cr_assert_eq(reading.delay, 47 * IOV_NS);
    cr_assert_eq(scene.statistic("device", "reads"), 1u);
}

/* Runs one read against such a target; the text that ends the run, or "". */
static std::string text_of(const std::vector<std::string> &sets, foreign_device::answer_fn answer,
                           enum iov_status wanted)
{
    scene scene("foreign.yaml", sets, answer);
    bus_access reading = { scene, WINDOW + 0x10, 4, false, 300 * IOV_NS };
    std::string text = scene.run();

    cr_assert_eq(reading.status, wanted);
    if (wanted != IOV_STATUS_OK)
        cr_assert_eq(reading.bytes[0], 0xff, "ones");
    if (!text.empty())
        cr_assert_eq(scene.now(), 300 * IOV_NS, "nothing runs any more");
    return text;
}

static void expect_in(const std::string &text, const char *wanted)
{
    cr_assert(text.find(wanted) != std::string::npos, "'%s' is not in '%s'", wanted, text.c_str());
}

Test(target, that_answers_with_an_error_ends_the_run)
{
    std::string text = text_of(
        {},
        [](foreign_device &, tlm::tlm_generic_payload &trans, sc_core::sc_time &) {
            trans.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
        },
        IOV_STATUS_UNSUPPORTED);

    expect_in(text, "device: the target answered a read of 4 bytes at 0x10 with "
                    "TLM_ADDRESS_ERROR_RESPONSE");
}

Test(target, may_answer_the_guest_with_an_error)
{
    scene scene("foreign.yaml", { "parts.device.errors=answer" },
                [](foreign_device &, tlm::tlm_generic_payload &trans, sc_core::sc_time &) {
                    trans.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
                });
    bus_access reading = { scene, WINDOW, 4, false, 300 * IOV_NS };

    expect_good_run(scene);
    cr_assert_eq(reading.status, IOV_STATUS_ABORT);
    cr_assert_eq(reading.bytes[0], 0xff);
    cr_assert_eq(scene.statistic("device", "error-responses"), 1u);
}

Test(target, that_leaves_the_response_open_ends_the_run)
{
    std::string text = text_of(
        { "parts.device.errors=answer" },
        [](foreign_device &, tlm::tlm_generic_payload &, sc_core::sc_time &) {}, IOV_STATUS_ABORT);

    expect_in(text, "device: the target did not answer a read of 4 bytes at 0x10: it left "
                    "TLM_INCOMPLETE_RESPONSE");
}

Test(target, that_throws_ends_the_run)
{
    std::string text = text_of(
        {},
        [](foreign_device &, tlm::tlm_generic_payload &, sc_core::sc_time &) {
            throw std::out_of_range("no such register");
        },
        IOV_STATUS_ABORT);

    expect_in(text, "device: no such register");
}

Test(target, that_reports_a_fatal_error_ends_the_run)
{
    std::string text = text_of(
        {},
        [](foreign_device &, tlm::tlm_generic_payload &, sc_core::sc_time &) {
            SC_REPORT_FATAL("timer", "it is broken");
        },
        IOV_STATUS_ABORT);

    expect_in(text, "device: Fatal: timer: it is broken");
}

Test(target, that_waits_unasked_ends_the_run)
{
    std::string text = text_of(
        {},
        [](foreign_device &, tlm::tlm_generic_payload &, sc_core::sc_time &) {
            sc_core::wait(1, sc_core::SC_NS);
        },
        IOV_STATUS_ABORT);

    expect_in(text, "wait() is only allowed in SC_THREADs");
    expect_in(text, "a target that waits needs 'waits: on'");
}

/* ---- Targets that wait ---- */

static const std::vector<std::string> waits = { "parts.device.waits=on" };

Test(waiting, is_served_while_everything_else_goes_on)
{
    scene scene("foreign.yaml", waits,
                [](foreign_device &, tlm::tlm_generic_payload &trans, sc_core::sc_time &delay) {
                    sc_core::wait(delay + sc_core::sc_time(500, sc_core::SC_NS));
                    delay = sc_core::sc_time(20, sc_core::SC_NS);
                    answer_ok(trans);
                });
    bus_access first = { scene, WINDOW, 4, false, 300 * IOV_NS };
    bus_access second = { scene, WINDOW + 8, 8, true, 400 * IOV_NS };
    bus_access memory = { scene, 0, 4, true, 450 * IOV_NS };

    expect_good_run(scene);
    cr_assert_eq(first.status, IOV_STATUS_OK);
    cr_assert_eq(first.bytes[0], 0x5a);
    cr_assert_eq(first.ended, 800 * IOV_NS);
    cr_assert_eq(first.delay, 20 * IOV_NS, "what is left to wait for");
    cr_assert_eq(second.ended, 900 * IOV_NS, "two are in the target at once");
    cr_assert_eq(memory.ended, 450 * IOV_NS, "and nobody else waits");
    cr_assert_eq(scene.statistic("device", "waited"), 2u);
}

Test(waiting, is_in_the_order_of_coming_when_the_threads_are_used_up)
{
    std::vector<std::string> one = waits;

    one.push_back("parts.device.outstanding=1");
    scene scene("foreign.yaml", one,
                [](foreign_device &, tlm::tlm_generic_payload &trans, sc_core::sc_time &) {
                    sc_core::wait(100, sc_core::SC_NS);
                    answer_ok(trans);
                });
    bus_access first = { scene, WINDOW, 4, false, 300 * IOV_NS };
    bus_access second = { scene, WINDOW, 4, false, 300 * IOV_NS };

    expect_good_run(scene);
    cr_assert_eq(first.ended, 400 * IOV_NS);
    cr_assert_eq(second.ended, 500 * IOV_NS);
}

Test(waiting, for_ever_ends_the_run_when_the_time_is_over)
{
    std::vector<std::string> sets = waits;

    sets.push_back("parts.device.timeout=10us");
    scene scene("foreign.yaml", sets,
                [](foreign_device &device, tlm::tlm_generic_payload &, sc_core::sc_time &) {
                    sc_core::wait(device.never);
                });
    bus_access reading = { scene, WINDOW + 0x20, 4, false, 300 * IOV_NS };

    expect_in(scene.run(), "device: the target did not answer a read of 4 bytes at 0x20 within "
                           "the timeout of 10 us");
    cr_assert_eq(reading.status, IOV_STATUS_ABORT);
    cr_assert_eq(scene.now(), 10300 * IOV_NS);
}

Test(waiting, cannot_be_asked_of_a_device)
{
    scene scene("foreign.yaml", waits,
                [](foreign_device &, tlm::tlm_generic_payload &trans, sc_core::sc_time &) {
                    answer_ok(trans);
                });
    bus_access reading = { scene, WINDOW, 4, false, 300 * IOV_NS, bus_access::by_device };

    expect_in(scene.run(), "device: a device's access cannot wait for the target");
}

Test(waiting, ends_with_the_run_if_the_target_throws_then)
{
    scene scene("foreign.yaml", waits,
                [](foreign_device &, tlm::tlm_generic_payload &, sc_core::sc_time &) {
                    sc_core::wait(100, sc_core::SC_NS);
                    throw std::runtime_error("the water is gone");
                });
    bus_access reading = { scene, WINDOW, 4, false, 300 * IOV_NS };

    expect_in(scene.run(), "the water is gone");
    cr_assert_eq(reading.ended, 0u, "the software never came back");
}

Test(waiting, serves_targets_that_know_nb_transport_only)
{
    scene scene("foreign.yaml", waits, nullptr);
    bus_access reading = { scene, WINDOW, 4, false, 300 * IOV_NS };

    expect_good_run(scene);
    cr_assert_eq(reading.status, IOV_STATUS_OK);
    cr_assert_eq(reading.bytes[1], 0x77);
    cr_assert_eq(reading.ended, 330 * IOV_NS, "the target's phases take 30 ns");
}

/* ---- Direct memory ---- */

static void grant(foreign_device &, tlm::tlm_generic_payload &trans, sc_core::sc_time &delay)
{
    delay += sc_core::sc_time(40, sc_core::SC_NS);
    trans.set_dmi_allowed(true);
    answer_ok(trans);
}

Test(dmi, is_used_with_its_latency_once_it_is_granted)
{
    scene scene("foreign.yaml", {}, grant);
    bus_access first = { scene, WINDOW + 0x100, 8, false, 300 * IOV_NS };
    bus_access write = { scene, WINDOW + 0x104, 8, true, 400 * IOV_NS };
    bus_access outside = { scene, WINDOW + 0x1fe, 4, false, 500 * IOV_NS };

    scene.device.grants = true;
    memset(write.bytes, 0x33, 8);
    expect_good_run(scene);
    cr_assert_eq(first.delay, 40 * IOV_NS, "the first comes by b_transport");
    cr_assert_eq(write.delay, 10 * IOV_NS, "5 ns for each 4 bytes");
    cr_assert_eq(scene.device.direct[4], 0x33);
    cr_assert_eq(scene.device.direct[3], 0);
    cr_assert_eq(scene.device.calls, 2u, "an access over the end of the region is not direct");
    cr_assert_eq(scene.statistic("device", "dmi-accesses"), 1u);
}

Test(dmi, is_not_used_for_what_was_not_granted)
{
    scene scene("foreign.yaml", {}, grant);
    bus_access reading = { scene, WINDOW + 0x100, 4, false, 300 * IOV_NS };
    bus_access again = { scene, WINDOW + 0x100, 4, false, 400 * IOV_NS };
    bus_access write = { scene, WINDOW + 0x100, 4, true, 500 * IOV_NS };

    scene.device.grants = true;
    scene.device.read_only = true;
    expect_good_run(scene);
    cr_assert_eq(scene.device.calls, 2u, "the second read was direct, the write was not");
}

Test(dmi, ends_when_the_target_takes_it_back)
{
    scene scene("foreign.yaml", {}, grant);
    bus_access first = { scene, WINDOW + 0x100, 4, false, 300 * IOV_NS };
    bus_access second = { scene, WINDOW + 0x100, 4, false, 400 * IOV_NS };
    bus_access third = { scene, WINDOW + 0x100, 4, false, 600 * IOV_NS };

    scene.device.grants = true;
    scene.device.takes_back.notify(sc_core::sc_time(500, sc_core::SC_NS));
    expect_good_run(scene);
    cr_assert_eq(scene.device.calls, 2u);
    cr_assert_eq(scene.statistic("device", "dmi-invalidations"), 1u);
}

Test(dmi, is_not_asked_for_if_the_file_says_no)
{
    scene scene("foreign.yaml", { "parts.device.dmi=off" }, grant);
    bus_access first = { scene, WINDOW + 0x100, 4, false, 300 * IOV_NS };
    bus_access second = { scene, WINDOW + 0x100, 4, false, 400 * IOV_NS };

    scene.device.grants = true;
    expect_good_run(scene);
    cr_assert_eq(scene.device.calls, 2u);
    cr_assert_eq(scene.device.asked, 0u);
}

/* ---- Temporal decoupling ---- */

/* The longest that a kernel with an event each ns is ahead of a SystemC clock of 1 ns. */
static iov_time longest_lead(const std::vector<std::string> &sets)
{
    scene scene("foreign.yaml", sets,
                [](foreign_device &, tlm::tlm_generic_payload &trans, sc_core::sc_time &) {
                    answer_ok(trans);
                });
    ticker ticker(scene, IOV_NS);
    sc_core::sc_clock clock("clock", 1, sc_core::SC_NS);
    observer observer("observer", scene);

    observer.clock(clock);
    expect_good_run(scene);
    cr_assert_gt(ticker.count, 900u);
    return observer.lead;
}

Test(quantum, of_zero_keeps_the_kernel_at_systemc_time)
{
    cr_assert_eq(longest_lead({}), 0u);
}

Test(quantum, lets_the_kernel_run_ahead_by_that_much)
{
    iov_time lead = longest_lead({ "parts.device.quantum=100ns" });

    cr_assert_gt(lead, 99 * IOV_NS);
    cr_assert_leq(lead, 100 * IOV_NS);
}

Test(quantum, annotates_the_lead_as_delay)
{
    iov_time seen = 0;
    scene scene("foreign.yaml", { "parts.device.quantum=1us" },
                [&](foreign_device &, tlm::tlm_generic_payload &trans, sc_core::sc_time &delay) {
                    seen = sc_core::sc_time_stamp().value() + delay.value();
                    cr_assert_gt(delay, sc_core::SC_ZERO_TIME);
                    answer_ok(trans);
                });
    bus_access reading = { scene, WINDOW, 4, false, 300 * IOV_NS };

    expect_good_run(scene);
    cr_assert_eq(seen, 300 * IOV_NS);
    cr_assert_eq(reading.delay, 0u);
}

/* ---- Interrupts and DMA ---- */

Test(interrupts, go_by_name_through_the_wires_of_the_file)
{
    scene scene("foreign.yaml", {},
                [](foreign_device &, tlm::tlm_generic_payload &trans, sc_core::sc_time &) {
                    answer_ok(trans);
                });
    sc_core::sc_signal<bool> raised("raised"), arrived("arrived");
    flank flank("flank");

    scene.machine.interrupt_in("device.interrupt").bind(raised);
    scene.machine.interrupt_out("link.interrupt").bind(arrived);
    flank.in(arrived);
    flank.out(raised);
    expect_good_run(scene);
    cr_assert_gt(flank.seen, 200 * IOV_NS + 300 * IOV_NS, "200 ns, and the way over the link");
    cr_assert_lt(flank.seen, 200 * IOV_NS + 500 * IOV_NS);
}

Test(dma, of_the_foreign_module_comes_with_its_requester_id)
{
    scene scene("foreign.yaml", {}, nullptr);
    foreign_master master("master", [](foreign_master &self) {
        uint32_t value = 0x12345678, back = 0;

        cr_assert_eq(self.move(true, 0x2000, &value, 4), tlm::TLM_OK_RESPONSE);
        cr_assert_eq(self.move(false, 0x2000, &back, 4), tlm::TLM_OK_RESPONSE);
        cr_assert_eq(back, value);
        cr_assert_eq(self.move(false, UINT64_C(1) << 40, &back, 4),
                     tlm::TLM_ADDRESS_ERROR_RESPONSE);
    });

    master.socket.bind(scene.machine.target_socket("device.dma"));
    expect_good_run(scene);
    cr_assert(master.done);
}

/* Tables for requester 01:00.0 in domain 7: page 0x5000 leads to 0x9000 and may be read and
 * written, 0x6000 to 0xa000 read only. */
static void write_tables(scene &scene)
{
    scene.put(0x1000 + 16 * 1, 0x2000 | VTD_ROOT_P);
    scene.put(0x2000, 0x3000 | VTD_CONTEXT_P);
    scene.put(0x2008, 7 << VTD_CONTEXT_DID_SHIFT | 2); /* 4 levels */
    scene.put(0x3000, 0x4000 | VTD_PAGE_RW);
    scene.put(0x4000, 0x5000 | VTD_PAGE_RW);
    scene.put(0x5000, 0x6000 | VTD_PAGE_RW);
    scene.put(0x6000 + 8 * 5, 0x9000 | VTD_PAGE_RW);
    scene.put(0x6000 + 8 * 6, 0xa000 | VTD_PAGE_R);
    scene.put(VTD_BASE + VTD_RTADDR, 0x1000);
    scene.put(VTD_BASE + VTD_GCMD, VTD_G_SRTP, 4);
    scene.put(VTD_BASE + VTD_GCMD, VTD_G_TE, 4);
}

/* The fault that was recorded last must be this one; it is cleared. */
static void expect_fault(scene &scene, enum vtd_fault reason, uint64_t page, bool is_read)
{
    uint64_t low = scene.get(VTD_BASE + VTD_FRCD), high = scene.get(VTD_BASE + VTD_FRCD + 8);

    cr_assert_eq(high >> 63, 1u, "a fault is recorded");
    cr_assert_eq(high >> VTD_FRCD_REASON_SHIFT & 0xff, (unsigned)reason);
    cr_assert_eq(high & 0xffff, 0x0100u, "of this requester");
    cr_assert_eq((high & VTD_FRCD_READ) != 0, is_read);
    cr_assert_eq(low & ~UINT64_C(0xfff), page);
    scene.put(VTD_BASE + VTD_FRCD + 8, VTD_FRCD_F);
}

Test(dma, is_blocked_by_the_iommu_outside_its_domain_and_recorded)
{
    scene scene("iommu.yaml", {}, nullptr);
    std::vector<unsigned char> before, after;
    foreign_master master("master", [&](foreign_master &self) {
        unsigned char bytes[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

        cr_assert_eq(self.move(true, 0x5010, bytes, 8), tlm::TLM_OK_RESPONSE, "in its domain");
        cr_assert_eq(scene.get(0x9010), UINT64_C(0x0807060504030201));
        before = scene.dump(0, 0x10000);

        cr_assert_eq(self.move(true, 0x6010, bytes, 8), tlm::TLM_GENERIC_ERROR_RESPONSE);
        expect_fault(scene, VTD_FAULT_WRITE, 0x6000, false);
        cr_assert_eq(self.move(true, 0x7010, bytes, 8), tlm::TLM_GENERIC_ERROR_RESPONSE);
        expect_fault(scene, VTD_FAULT_WRITE, 0x7000, false);
        cr_assert_eq(self.move(false, 0x8000, bytes, 8), tlm::TLM_GENERIC_ERROR_RESPONSE);
        expect_fault(scene, VTD_FAULT_READ, 0x8000, true);
        cr_assert_eq(bytes[0], 0xff, "no byte comes out");
        cr_assert_eq(self.move(true, 0x9010, bytes, 8), tlm::TLM_GENERIC_ERROR_RESPONSE,
                     "memory's own address means nothing to it");
        expect_fault(scene, VTD_FAULT_WRITE, 0x9000, false);
        after = scene.dump(0, 0x10000);
    });

    write_tables(scene);
    master.socket.bind(scene.machine.target_socket("device.dma"));
    expect_good_run(scene);
    cr_assert(master.done);
    cr_assert(before == after, "no byte of memory has changed");
    cr_assert_eq(scene.statistic("iommu", "blocked"), 4u);
    cr_assert_eq(scene.statistic("iommu", "faults-recorded"), 4u);
}

Test(dma, of_a_requester_without_a_context_is_blocked)
{
    scene scene("iommu.yaml", {}, nullptr);
    foreign_master stranger("stranger", [&](foreign_master &self) {
        uint32_t value = 0;

        cr_assert_eq(self.move(true, 0x5010, &value, 4), tlm::TLM_GENERIC_ERROR_RESPONSE);
    });

    write_tables(scene);
    scene.put(0x9010, 0x1111);
    stranger.socket.bind(scene.machine.target_socket("iommu.upstream", 0x0108));
    expect_good_run(scene);
    cr_assert(stranger.done);
    cr_assert_eq(scene.get(VTD_BASE + VTD_FRCD + 8) >> VTD_FRCD_REASON_SHIFT & 0xff,
                 (unsigned)VTD_FAULT_CONTEXT_ABSENT);
    cr_assert_eq(scene.get(0x9010), 0x1111u);
}
