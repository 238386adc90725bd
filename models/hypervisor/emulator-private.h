/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the emulator, shared by its files: emulator.c (who runs the device, and life),
 * emulator-ports.c (what comes in). */
#ifndef IOV_HYPERVISOR_EMULATOR_PRIVATE_H
#define IOV_HYPERVISOR_EMULATOR_PRIVATE_H

#include "core/trace/measure.h"
#include "models/hypervisor/effects.h"
#include "models/hypervisor/emulator.h"
#include "models/hypervisor/register-window.h"
#include "models/hypervisor/xen.h"

enum { IOV_EMULATOR_KICKS = 64 };

struct _IovEmulator {
    IovModel parent_instance;
    /* properties */
    IovModel *host_ref;
    IovModel *domain_ref;
    struct iov_count_list cpus;
    bool io_thread;
    bool transmit_copy;
    bool receive_copy;
    struct iov_count_list coalesced; /* pairs of offset and size in `registers` */
    uint64_t queue_length;
    uint64_t kick_register;
    uint64_t kick_stride;
    uint64_t kick_size;
    char *region;
    char *region_1;
    /* costs */
    iov_time dispatch_cost, device_cost, poll_cost, kick_cost, frame_cost, read_cost, line_cost,
        message_cost;
    iov_time copy_fixed, copy_kib;
    /* ports */
    struct iov_register_window windows[IOV_REGISTER_WINDOWS];
    struct iov_mem_target kick;
    struct iov_mem_target dma;
    struct iov_mem_initiator ram;
    struct iov_mem_initiator msi;
    struct iov_packet_port frames;
    struct iov_packet_port netdev;
    struct iov_irq_sink line;
    struct iov_irq_source interrupt;
    /* state */
    IovLinuxHost *host;
    struct iov_measure *measure;
    struct iov_thread *thread;
    struct iov_xen_work work; /* of the I/O thread, in a domain */
    struct iov_host_lock lock;
    struct iov_effect_player player;
    uint64_t kicked; /* ioeventfds that are set */
    struct {
        uint64_t value;
        uint32_t size;
        struct iov_span *span;
    } kicks[IOV_EMULATOR_KICKS];
    struct iov_packet_queue received; /* by the host, to be read by the I/O thread */
    bool full;                        /* the device has no room for what was received */
    struct iov_packet_queue local;    /* replies of a peer inside the call that sends */
    struct iov_thread *sending;
    bool line_level;
    /* statistics */
    uint64_t accesses, kicks_handled, frames_sent, frames_received, interrupts, lock_waits,
        io_rounds, drops, faults;
    iov_time io_thread_time;
};

/* The I/O thread is to look; `waker` as in iov_thread_wake(). */
void iov_emulator_wake(IovEmulator *emulator, struct iov_exec *waker, struct iov_span *span);
/* Does a frame wait that the device would take? Without room the tap is not polled. */
bool iov_emulator_readable(const IovEmulator *emulator);

/* What the ports do: emulator-ports.c. */
extern const struct iov_mem_target_ops iov_emulator_window_ops;
extern const struct iov_mem_target_ops iov_emulator_kick_ops;
extern const struct iov_mem_target_ops iov_emulator_dma_ops;
extern const struct iov_packet_ops iov_emulator_frames_ops;
extern const struct iov_packet_ops iov_emulator_netdev_ops;
extern const struct iov_irq_sink_ops iov_emulator_line_ops;

#endif
