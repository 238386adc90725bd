/* SPDX-License-Identifier: Apache-2.0 */
/* What `iovsim explain` tells of one request adds up to its latency, for every strategy that there
 * is. */
#include "tests/bindings/cli/command.h"

#define NET_RR IOV_SOURCE_DIR "/configs/net-rr.yaml"

TestSuite(cli_explain, .init = make_folder, .fini = remove_folder, .timeout = 120);

/* The number before `word` in the output. */
static double figure_before(const char *word)
{
    const char *end = strstr(out, word), *begin;

    cr_assert(end != NULL, "no '%s' in:\n%s", word, out);
    for (begin = end; begin > out && begin[-1] != '\n'; begin--)
        continue;
    return g_ascii_strtod(begin, NULL);
}

Test(cli_explain, lines_touch_and_add_up_to_the_latency)
{
    g_auto(GStrv) lines = NULL;
    double end = 0, sum = 0;

    iovsim("explain", NET_RR, "--set", "strategy=virtio-net", "--set", "workload.operations=200");
    ended_with(0);
    lines = g_strsplit(out, "\n", -1);
    for (unsigned i = 3; lines[i] != NULL && lines[i][0] != '\0'; i++) {
        char *rest;
        double at = g_ascii_strtod(lines[i], &rest) * 1000, takes = g_ascii_strtod(rest, NULL);

        cr_assert_float_eq(at, end, 2, "a gap before: %s",
                           lines[i]); /* us are printed to the nanosecond */
        if (strstr(lines[i], " -- ") != NULL)
            continue;
        end = at + takes;
        sum += takes;
    }
    cr_assert_float_eq(sum, figure_before("  ns from request"), 10);
}

/* The adapter's interrupt for it is taken with the next one, 20 ms later; the answer was found
 * before. */
Test(cli_explain, what_comes_after_the_answer_is_not_told)
{
    iovsim("explain", IOV_SOURCE_DIR "/configs/ping.yaml", "--set", "strategy=assigned-e1000",
           "--set", "workload.operations=200");
    ended_with(0);
    cr_assert(lt(dbl, figure_before("  ns from request"), 30000));
}

/* Of each line that begins with a time, that time: they never fall. */
Test(cli_explain, tells_it_in_the_order_of_time)
{
    double last = 0;

    iovsim("explain", IOV_SOURCE_DIR "/configs/net-rr.yaml", "--set", "strategy=emulated-e1000",
           "--set", "workload.operations=200");
    ended_with(0);
    says(out, "vm0/emulator/io     interrupt ");
    g_auto(GStrv) lines = g_strsplit(strstr(out, "at us"), "\n", -1);
    for (unsigned i = 1; lines[i][0] != '\0'; i++) {
        double since = g_ascii_strtod(lines[i], NULL);

        cr_assert(le(dbl, last, since), "%s", lines[i]);
        last = since;
    }
}

Test(cli_explain, marks_exits_doorbells_and_interrupts)
{
    iovsim("explain", NET_RR, "--set", "strategy=virtio-net", "--set", "workload.operations=200");
    says(out, "-- doorbell");
    says(out, "-- VM exit: EPT_MISCONFIG");
    says(out, "-- interrupt handler");
    says(out, "request 100 of udp-rr over virtio-net");
}

Test(cli_explain, names_a_program_of_the_host)
{
    iovsim("explain", IOV_SOURCE_DIR "/configs/tcp-host.yaml", "--set", "workload.kind=tcp-rr",
           "--set", "parts.server.role=echo", "--set", "workload.operations=200");
    says(out, "  server              peer ");
    says(out, "  server              copy ");
}

/* A datagram of a stream is done when it was sent: its receiver's time is not its own. */
Test(cli_explain, ends_the_story_of_a_datagram_where_it_was_sent)
{
    static const char *const between[] = { "strategy=vhost-user", "strategy=vdpa" };

    for (unsigned i = 0; i < G_N_ELEMENTS(between); i++) {
        iovsim("explain", IOV_SOURCE_DIR "/configs/guest-to-guest.yaml", "--set", between[i],
               "--set", "workload.kind=udp-stream", "--set", "vms[0].workload.role=sink", "--set",
               "workload.operations=200");
        ended_with(0);
        cr_assert(eq(ptr, strstr(out, " server/"), NULL), "%s", out);
    }
}

Test(cli_explain, draws_a_sequence_diagram)
{
    iovsim("explain", NET_RR, "--set", "workload.operations=10", "-n", "3", "--mermaid");
    ended_with(0);
    cr_assert(g_str_has_prefix(out, "sequenceDiagram\n    participant p0 as guest\n"));
    says(out, ": VM exit: EPT_MISCONFIG\n");
    says(out, "    Note over ");
}

Test(cli_explain, operations_without_a_way_have_no_story)
{
    iovsim("explain", IOV_SOURCE_DIR "/configs/replay.yaml");
    ended_with(2);
    says(err, "operations of this workload are no requests");
}

Test(cli_explain, a_request_that_is_not_there_is_told)
{
    iovsim("explain", NET_RR, "--set", "workload.operations=10", "--request", "11");
    ended_with(2);
    says(err, "there is no request 11: 10 were measured");
    iovsim("explain", NET_RR, "--request", "0");
    ended_with(2);
    says(err, "counted from 1");
}
