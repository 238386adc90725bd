/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large TCP segments over every strategy: what is on the wire is the same whoever cuts (tshark is
 * the judge), no link carries more than it can, and what the keys of ethtool change is what they
 * say.
 */
#include <glib/gstdio.h>
#include <stdio.h>

#include "core/net/ethernet-regs.h"
#include "core/net/internet.h"
#include "core/net/segment.h"
#include "core/net/tcp.h"
#include "tests/platforms/platform.h"

#define WRITE 16384u

/* ---- On the wire ---- */

static char *capture(const char *strategy, const char *key, const char *direction)
{
    g_autofree char *of = g_strconcat("strategy=", strategy, NULL);
    g_autofree char *way = g_strconcat("workload.direction=", direction, NULL);
    g_autofree char *path = NULL;
    g_autofree char *set = NULL;
    int file = g_file_open_tmp("iovsim-XXXXXX.pcap", &path, NULL);
    bool receive = strcmp(direction, "rx") == 0;

    cr_assert(ge(int, file, 0));
    cr_assert(g_close(file, NULL));
    set = g_strconcat("parts.wire.capture=", path, NULL);
    iov_experiment_free(RUN("tcp-stream.yaml", of, key, way, set, "workload.operations=60",
                            "workload.warmup=10",
                            receive ? "parts.peer.role=source" : "parts.peer.role=sink"));
    return g_steal_pointer(&path);
}

static const char *const wires[][2] = {
    { "vhost-net", "guest.tso=on" },
    { "vhost-net", "guest.tso=off" },
    { "vhost-net", "guest.gso=off" },
    { "vhost-net", "guest.tx-checksum=off" },
    { "vhost-net", "parts.bridge.tso=off" },
    { "virtio-packed", "guest.tso=on" },
    { "vhost-user", "parameters.segmentation=on" },
    { "vdpa", "guest.tso=on" },
    { "vmdq", "guest.tso=on" },
    { "assigned-nic", "guest.tso=on" },
    { "assigned-nic", "guest.tso=off" },
    { "sriov-vf", "guest.tso=on" },
    { "bare-metal", "guest.tso=on" },
    { "emulated-e1000", "guest.tso=on" },
    { "emulated-e1000", "guest.tx-checksum=off" },
    { "emulated-e1000e", "guest.tso=on" },
    { "esxi-vmxnet", "guest.tso=on" },
    { "esxi-e1000", "guest.tso=on" },
    { "xen-pv", "guest.tso=on" },
    { "xen-pv", "parameters.grant=map" },
};

Test(offloads, a_foreign_judge_finds_nothing_wrong_on_the_wire_whoever_cuts)
{
    g_autofree char *tshark = g_find_program_in_path("tshark");

    if (tshark == NULL)
        cr_skip("tshark is not installed");
    for (unsigned i = 0; i < G_N_ELEMENTS(wires); i++) {
        g_autofree char *path = capture(wires[i][0], wires[i][1], "tx"), *out = NULL;
        g_autofree char *command = g_strdup_printf(
            "%s -r %s -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -T fields -e "
            "tcp.checksum.status -e ip.checksum.status -e tcp.analysis.flags",
            tshark, path);
        g_autofree char *warnings = NULL;
        g_auto(GStrv) lines = NULL;
        unsigned frames = 0;

        cr_assert(g_spawn_command_line_sync(command, &out, &warnings, NULL, NULL));
        lines = g_strsplit(out, "\n", -1);
        for (; lines[frames] != NULL && lines[frames][0] != '\0'; frames++)
            cr_assert(zero(int, strcmp(lines[frames], "1\t1\t")), "%s, %s: frame %u: %s",
                      wires[i][0], wires[i][1], frames + 1, lines[frames]);
        cr_assert(gt(uint, frames, 60 * WRITE / IOV_TCP_MSS));
        cr_assert(zero(int, remove(path)));
    }
}

/* The payload that stands at a sequence number, as the guest's stack sends it. */
static uint8_t byte_at(uint32_t sequence)
{
    return (uint8_t)(sequence % 65536 * 2654435761u >> 24);
}

static void check_segment(const char *name, const uint8_t *frame, uint32_t size, uint32_t *next)
{
    const uint8_t *ip = frame + ETHERNET_HEADER, *tcp = ip + IPV4_HEADER;
    uint32_t payload = iov_net_get16(ip + IPV4_LENGTH) - IPV4_HEADER - TCP_HEADER;
    uint32_t sequence = iov_net_get32(tcp + TCP_SEQUENCE);

    cr_assert(le(u32, size, ETHERNET_MAX), "%s", name);
    cr_assert(iov_segment_verify(frame, size), "%s", name);
    if (iov_net_get16(tcp + TCP_DESTINATION) != 7 || tcp[TCP_FLAGS] & TCP_FLAG_SYN || payload == 0)
        return;
    if (*next != 0)
        cr_assert(eq(u32, sequence, *next), "%s", name);
    *next = sequence + payload;
    for (uint32_t i = 0; i < payload; i++)
        cr_assert(eq(u8, frame[IOV_TCP_PAYLOAD_AT + i], byte_at(sequence + i)), "%s", name);
    /* A write's last segment is the short one, and the only one that is pushed. */
    cr_assert(eq(int, (tcp[TCP_FLAGS] & TCP_FLAG_PSH) != 0, payload != IOV_TCP_MSS), "%s", name);
    if (payload != IOV_TCP_MSS)
        cr_assert(eq(u32, payload, WRITE % IOV_TCP_MSS), "%s", name);
}

Test(offloads, every_byte_is_in_its_place_and_the_last_segment_of_a_write_is_short)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(wires); i++) {
        g_autofree char *path = capture(wires[i][0], wires[i][1], "tx"), *bytes = NULL;
        uint32_t next = 0;
        gsize size;

        cr_assert(g_file_get_contents(path, &bytes, &size, NULL));
        cr_assert(zero(int, remove(path)));
        for (gsize at = 24; at + 16 <= size;) {
            uint32_t kept;

            memcpy(&kept, bytes + at + 8, 4);
            check_segment(wires[i][0], (const uint8_t *)bytes + at + 16, kept, &next);
            at += 16 + kept;
        }
        cr_assert(gt(u32, next, 60 * WRITE));
    }
}

/* ---- Figures ---- */

Test(offloads, no_strategy_carries_more_payload_than_its_link)
{
    g_autofree char *file = g_build_filename(IOV_SOURCE_DIR, "configs", "tcp-stream.yaml", NULL);
    g_auto(GStrv) path = iov_data_path(file);
    g_auto(GStrv) list = iov_strategy_list((const char *const *)path);

    for (unsigned i = 0; list[i] != NULL; i++) {
        g_autofree char *of = g_strconcat("strategy=", list[i], NULL);

        for (unsigned gigabits = 1; gigabits <= 40; gigabits *= 10) {
            g_autofree char *rate = g_strdup_printf("parts.wire.rate=%uGbps", gigabits);
            struct iov_experiment *run =
                RUN("tcp-stream.yaml", of, rate, "workload.operations=300", "workload.warmup=100");

            /* 1460 of 1538 bytes, and the frames that were on their way when the measurement
             * began. */
            cr_assert(le(dbl, gbps(run), gigabits * 1460.0 / 1538 * 1.03), "%s at %u Gb/s: %.2f",
                      list[i], gigabits, gbps(run));
            iov_experiment_free(run);
        }
    }
}

Test(offloads, large_segments_bring_paravirtual_and_assigned_nics_to_what_the_slot_carries)
{
    static const char *const names[] = { "strategy=virtio-net", "strategy=vhost-net",
                                         "strategy=assigned-nic", "strategy=sriov-vf",
                                         "strategy=xen-pv" };

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        struct iov_experiment *tso = RUN("tcp-stream.yaml", names[i]);
        struct iov_experiment *gso = RUN("tcp-stream.yaml", names[i], "guest.tso=off");
        struct iov_experiment *none = RUN("tcp-stream.yaml", names[i], "guest.gso=off");

        cr_assert(gt(dbl, gbps(tso), 1.4 * gbps(gso)), "%s", names[i]);
        cr_assert(gt(dbl, gbps(gso), 1.05 * gbps(none)), "%s", names[i]);
        cr_assert(gt(dbl, gbps(tso), 6.0), "%s", names[i]); /* a slot of 6.4 Gb/s */
        cr_assert(eq(u64, stat_of(tso, "vm0/guest", "gso-segments"), 0));
        cr_assert(gt(u64, stat_of(gso, "vm0/guest", "gso-segments"), 1000 * 11));
        cr_assert(zero(u64, stat_of(none, "vm0/guest", "large-segments")));
        iov_experiment_free(tso);
        iov_experiment_free(gso);
        iov_experiment_free(none);
    }
}

Test(offloads, gro_passes_the_stack_less_often_and_acknowledges_what_it_put_together_once)
{
    const char *rx = "workload.direction=rx", *source = "parts.peer.role=source";
    struct iov_experiment *on = RUN("tcp-stream.yaml", rx, source, "strategy=assigned-nic");
    struct iov_experiment *off =
        RUN("tcp-stream.yaml", rx, source, "strategy=assigned-nic", "guest.gro=off");
    uint64_t merged = stat_of(on, "vm0/guest", "gro-segments");

    cr_assert(gt(u64, merged, iov_experiment_measure(on)->operations));
    cr_assert(zero(u64, stat_of(off, "vm0/guest", "gro-segments")));
    /* One acknowledgement for each large segment, and one for each two that stayed alone. */
    cr_assert(lt(u64, stat_of(on, "vm0/guest", "frames-sent"),
                 2 * iov_experiment_measure(on)->operations));
    cr_assert(gt(dbl, gbps(on), 1.1 * gbps(off)));
    iov_experiment_free(on);
    iov_experiment_free(off);
}

Test(offloads, a_host_that_puts_segments_together_fills_merged_buffers)
{
    struct iov_experiment *run =
        RUN("tcp-stream.yaml", "workload.direction=rx", "parts.peer.role=source",
            "strategy=vhost-net", "parts.bridge.rx-usecs=50us");
    uint64_t large = stat_of(run, "vm0/nic", "rx-large");

    cr_assert(gt(u64, large, 100));
    cr_assert(gt(u64, stat_of(run, "vm0/nic", "rx-buffers"),
                 stat_of(run, "vm0/nic", "rx-frames") + large));
    cr_assert(zero(u64, stat_of(run, "vm0/guest", "device-errors")));
    iov_experiment_free(run);
}

/* Linux's e1000 goes to bulk latency, 4000 interrupts a second, for large frames, and back to low
 * latency when more than 35 of them were sent: so many are in two segments of 64 KiB. */
Test(offloads, the_e1000_driver_counts_the_frames_that_large_segments_become)
{
    struct iov_experiment *run =
        RUN("tcp-stream.yaml", "strategy=bare-metal", "guest.interrupt-throttle-rate=3",
            "workload.write=64KiB", "workload.operations=500");

    cr_assert(lt(dbl, 5000, (double)counters_of(run)->interrupts / seconds(run)));
    iov_experiment_free(run);
}

Test(offloads, what_an_answer_waits_for_a_moderated_interrupt_is_nobody_s_work)
{
    static const char *const ways[][2] = {
        { "strategy=vhost-net", "parts.bridge.rx-usecs=100us" },
        { "strategy=xen-pv", "parts.bridge.rx-usecs=100us" },
        { "strategy=esxi-vmxnet", "parts.vswitch.rx-usecs=100us" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(ways); i++) {
        struct iov_experiment *plain = RUN("net-rr.yaml", ways[i][0]);
        struct iov_experiment *moderated = RUN("net-rr.yaml", ways[i][0], ways[i][1]);

        cr_assert_about(per_op(moderated, iov_experiment_measure(moderated)->end -
                                              iov_experiment_measure(moderated)->begin) /
                            IOV_US,
                        100);
        cr_assert(lt(dbl, part_ns(moderated, IOV_PART_HOST), 1.1 * part_ns(plain, IOV_PART_HOST)));
        cr_assert(lt(dbl, 0.8 * (double)(median_of(moderated) - median_of(plain)) / IOV_NS,
                     part_ns(moderated, IOV_PART_IDLE)));
        iov_experiment_free(plain);
        iov_experiment_free(moderated);
    }
}

Test(offloads, a_request_and_its_answer_are_the_same_with_and_without)
{
    static const char *const keys[] = { "guest.tso=off", "guest.gso=off", "guest.gro=off",
                                        "parts.bridge.tso=off", "parts.bridge.gro=off" };
    struct iov_experiment *plain =
        RUN("tcp-rr.yaml", "strategy=vhost-net", "workload.operations=500");

    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
        struct iov_experiment *run =
            RUN("tcp-rr.yaml", "strategy=vhost-net", "workload.operations=500", keys[i]);

        cr_assert(eq(u64, iov_experiment_measure(run)->end, iov_experiment_measure(plain)->end),
                  "%s", keys[i]);
        iov_experiment_free(run);
    }
    iov_experiment_free(plain);
}

/* ---- Where the time goes ---- */

/* Runs a workload over every strategy with each key and wants parts that add up; gives how many
 * ran. */
static unsigned check_sums(const char *config, const char *operations)
{
    static const char *const keys[] = { "guest.tx-checksum=off", "guest.scatter-gather=off",
                                        "guest.tso=off", "guest.gso=off", "guest.gro=off" };
    g_autofree char *file = g_build_filename(IOV_SOURCE_DIR, "configs", config, NULL);
    g_auto(GStrv) path = iov_data_path(file);
    g_auto(GStrv) list = iov_strategy_list((const char *const *)path);
    unsigned count = 0;

    for (unsigned i = 0; list[i] != NULL; i++) {
        g_autofree char *of = g_strconcat("strategy=", list[i], NULL);

        for (unsigned key = 0; key < G_N_ELEMENTS(keys); key++) {
            struct iov_experiment *run =
                RUN(config, of, keys[key], operations, "workload.warmup=20");

            cr_expect(zero(u64, iov_experiment_measure(run)->mismatches), "%s: %s, %s", config,
                      list[i], keys[key]);
            iov_experiment_free(run);
            count++;
        }
    }
    return count;
}

Test(offloads, the_parts_of_datagrams_that_are_sent_add_up_whatever_is_off)
{
    cr_assert(gt(uint, check_sums("udp-stream.yaml", "workload.operations=300"), 100));
}

Test(offloads, the_parts_of_datagrams_that_are_received_add_up_whatever_is_off)
{
    cr_assert(gt(uint, check_sums("udp-stream-rx.yaml", "workload.operations=100"), 100));
}

Test(offloads, the_parts_of_tcp_writes_add_up_whatever_is_off)
{
    cr_assert(gt(uint, check_sums("tcp-stream.yaml", "workload.operations=60"), 100));
}

Test(offloads, the_parts_of_requests_and_answers_add_up_whatever_is_off)
{
    cr_assert(gt(uint, check_sums("net-rr.yaml", "workload.operations=60"), 100));
}
