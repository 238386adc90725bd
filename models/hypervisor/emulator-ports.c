/* SPDX-License-Identifier: Apache-2.0 */
/*
 * emulator: what comes in at its ports. Signals and frames are noted and wake the I/O thread; what
 * the device says is recorded as an effect.
 */
#include <string.h>

#include "models/hypervisor/emulator-private.h"

/* ---- Ports: signals and frames ---- */

static enum iov_status kick_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovEmulator *self = iov_container_of(port, IovEmulator, kick);
    uint64_t slot = req->address / self->kick_stride;
    struct iov_thread *waker = iov_host_current(self->host);

    if (slot >= IOV_EMULATOR_KICKS)
        return IOV_STATUS_UNSUPPORTED;
    self->kicks[slot].value = iov_mem_value(req);
    self->kicks[slot].size = MIN(req->size, 8u);
    if (!(self->kicked >> slot & 1) || req->span != NULL)
        self->kicks[slot].span = req->span;
    self->kicked |= UINT64_C(1) << slot;
    iov_emulator_wake(self, waker != NULL ? &waker->exec : NULL, req->span);
    return IOV_STATUS_OK;
}

static enum iov_status kick_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    (void)port;
    (void)req;
    return IOV_STATUS_UNSUPPORTED;
}

const struct iov_mem_target_ops iov_emulator_kick_ops = { .read = kick_read, .write = kick_write };

/* The device sends. */
static iov_time frames_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    IovEmulator *self = iov_container_of(port, IovEmulator, frames);

    iov_effects_add(&self->player, &(struct iov_effect){ .kind = IOV_EFFECT_FRAME,
                                                         .packet = packet,
                                                         .size = packet->size,
                                                         .span = packet->span });
    return 0;
}

const struct iov_packet_ops iov_emulator_frames_ops = { .receive = frames_receive };

/* The network sends. */
static iov_time netdev_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    IovEmulator *self = iov_container_of(port, IovEmulator, netdev);
    struct iov_thread *current = iov_host_current(self->host);

    if (current != NULL && current == self->sending && !packet->queued &&
        !iov_host_in_interrupt(current)) {
        iov_span_claim(packet->span, current->exec.holder, IOV_PART_PEER,
                       iov_now(self->parent_instance.kernel));
        iov_packet_queue_push(&self->local, packet);
        return 0;
    }
    if (current == NULL)
        iov_span_claim(packet->span, self, IOV_PART_QUEUE, iov_now(self->parent_instance.kernel));
    if (self->received.count >= self->queue_length) {
        iov_measure_drop(self->measure, &self->drops, packet);
        return 0;
    }
    iov_packet_queue_push(&self->received, packet);
    self->full = !iov_emulator_readable(self);
    if (self->full)
        iov_span_claim(packet->span, self, IOV_PART_QUEUE, iov_now(self->parent_instance.kernel));
    else
        iov_emulator_wake(self, current != NULL ? &current->exec : NULL, packet->span);
    return 0;
}

/* The device's. */
static bool netdev_station(struct iov_packet_port *port, uint8_t *ret_address)
{
    return iov_packet_station(&iov_container_of(port, IovEmulator, netdev)->frames, ret_address);
}

const struct iov_packet_ops iov_emulator_netdev_ops = { .receive = netdev_receive,
                                                        .station = netdev_station };

/* ---- Ports: the device's memory, interrupts, registers ---- */

static enum iov_status dma_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovEmulator *self = iov_container_of(port, IovEmulator, dma);

    return iov_effects_read(&self->player, &self->ram, req, self->transmit_copy);
}

static enum iov_status dma_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovEmulator *self = iov_container_of(port, IovEmulator, dma);

    return iov_effects_write(&self->player, &self->ram, req, self->receive_copy);
}

const struct iov_mem_target_ops iov_emulator_dma_ops = { .read = dma_read, .write = dma_write };

static void line_set(struct iov_irq_sink *sink, bool level, struct iov_span *span)
{
    IovEmulator *self = iov_container_of(sink, IovEmulator, line);

    self->line_level = level;
    iov_effects_add(&self->player,
                    &(struct iov_effect){ .kind = IOV_EFFECT_LINE, .level = level, .span = span });
}

const struct iov_irq_sink_ops iov_emulator_line_ops = { .set = line_set };

const struct iov_mem_target_ops iov_emulator_window_ops = { .read = iov_register_window_read,
                                                            .write = iov_register_window_write };

bool iov_emulator_owns(const struct iov_mem_target *target)
{
    return target->ops == &iov_emulator_window_ops;
}

const void *iov_emulator_process(const struct iov_mem_target *target)
{
    return iov_register_window_of(target)->owner;
}

const char *iov_emulator_region(const struct iov_mem_target *target)
{
    const struct iov_register_window *window = iov_register_window_of(target);
    const IovEmulator *self = window->owner;

    return window == &self->windows[1] && self->region_1[0] != '\0' ? self->region_1 : self->region;
}

bool iov_emulator_coalesces(const struct iov_mem_target *target, uint64_t offset, uint32_t size)
{
    const struct iov_register_window *window = iov_register_window_of(target);
    const IovEmulator *self = window->owner;

    if (window != &self->windows[0])
        return false;
    for (unsigned i = 0; i + 1 < self->coalesced.count; i += 2) {
        uint64_t begin = self->coalesced.items[i];

        if (offset >= begin && offset - begin + size <= self->coalesced.items[i + 1])
            return true;
    }
    return false;
}
