/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The igb's virtual functions: they come onto the bus when VF Enable is set, each with its register
 * BAR and its MSI-X BAR, two queue pairs, three vectors and a mailbox to the physical function.
 *
 * Virtual function n has pool n: queues n and n + pools. While it is off the bus, its queues are
 * the physical function's.
 * SPEC: 82576, 7.8.2 (SR-IOV), 8.26, 8.27 (registers), 9.7 (configuration space); PCI Express Base
 * 5.0, 9.
 * LIMIT: a virtual function needs the physical one's bus; queue statistics of a function wrap and
 * do not clear.
 */
#include "models/nic/igb-private.h"

/* ---- Resets ---- */

/* SPEC: 82576, 4.2.2.3: its queues, vectors and rights; the physical function hears of it. */
static void function_reset(struct igb_function *function)
{
    IovIgb *self = function->nic;
    struct igb_pool *pool = &self->pools[function->pool];
    uint64_t bit = UINT64_C(1) << function->pool;

    igb_causes_reset(function);
    for (unsigned i = 0; i < IGB_VF_QUEUES; i++) {
        igb_rx_reset(igb_pool_queue(self, function->pool, i));
        igb_tx_reset(igb_pool_queue(self, function->pool, i));
    }
    pool->vf_owns = pool->pf_sent = pool->pf_acked = false;
    pool->psrtype = 0;
    self->vfre &= ~bit;
    self->vfte &= ~bit;
    igb_vt_event(self, &self->vflre, function->pool);
}

static void virtual_pci_reset(struct iov_pci_function *pci, enum iov_pci_reset kind)
{
    struct igb_function *function = iov_container_of(pci, struct igb_function, slot);

    iov_pci_space_reset(&function->space, kind);
    function_reset(function);
}

/* ---- Mailbox ---- */

static uint32_t mailbox_read(struct igb_function *function, bool peek)
{
    struct igb_pool *pool = &function->nic->pools[function->pool];
    uint32_t value = (pool->vf_owns ? IGB_V2P_VFU : 0) | (pool->pf_owns ? IGB_V2P_PFU : 0) |
                     (pool->pf_sent ? IGB_V2P_PFSTS : 0) | (pool->pf_acked ? IGB_V2P_PFACK : 0) |
                     (pool->reset_done ? IGB_V2P_RSTD : 0);

    if (!(function->nic->ctrl_ext & IGB_CTRL_EXT_PFRSTD))
        value |= IGB_V2P_RSTI;
    if (!peek)
        pool->pf_sent = pool->pf_acked = pool->reset_done = false;
    return value;
}

static void mailbox_write(struct igb_function *function, uint32_t value)
{
    IovIgb *self = function->nic;
    struct igb_pool *pool = &self->pools[function->pool];

    pool->vf_owns = value & IGB_V2P_VFU && !pool->pf_owns;
    if (value & IGB_V2P_REQ) {
        self->mailbox_messages++;
        igb_vt_event(self, &self->requests, function->pool);
    }
    if (value & IGB_V2P_ACK)
        igb_vt_event(self, &self->acks, function->pool);
}

/* ---- Registers ---- */

static uint32_t statistic_read(const struct igb_function *function, uint32_t offset)
{
    switch (offset) {
    case IGB_VF_GPRC:
        return function->received;
    case IGB_VF_GPTC:
        return function->sent;
    case IGB_VF_GORC:
        return (uint32_t)function->received_bytes;
    case IGB_VF_GOTC:
        return (uint32_t)function->sent_bytes;
    case IGB_VF_MPRC:
        return function->multicast;
    case IGB_VF_GPRLBC:
        return function->received_loop;
    case IGB_VF_GPTLBC:
        return function->sent_loop;
    case IGB_VF_GORLBC:
        return (uint32_t)function->received_loop_bytes;
    case IGB_VF_GOTLBC:
        return (uint32_t)function->sent_loop_bytes;
    default:
        return 0;
    }
}

/* The queue of a function that an offset belongs to, or NULL. */
static struct igb_queue *queue_find(struct igb_function *function, uint32_t offset,
                                    bool *ret_transmit, uint32_t *ret_reg)
{
    uint32_t base = offset >= IGB_TX_OLD ? IGB_TX_OLD : IGB_RX_OLD;
    uint32_t number = (offset - base) >> 8;

    *ret_transmit = base == IGB_TX_OLD;
    *ret_reg = offset & 0xff;
    if (offset < IGB_RX_OLD || number >= IGB_VF_QUEUES || *ret_reg >= 0x40)
        return NULL;
    return igb_pool_queue(function->nic, function->pool, number);
}

uint32_t igb_virtual_read(struct igb_function *function, uint32_t offset, bool peek)
{
    IovIgb *self = function->nic;
    struct igb_queue *queue;
    uint32_t value, reg;
    bool transmit;

    if (igb_causes_read(function, offset, peek, &value))
        return value;
    queue = queue_find(function, offset, &transmit, &reg);
    if (queue != NULL)
        return igb_queue_register_read(queue, transmit, reg, peek);
    if (offset >= IGB_VF_MBMEM && offset < IGB_VF_MBMEM + 64)
        return self->pools[function->pool].mailbox[(offset - IGB_VF_MBMEM) / 4];
    switch (offset) {
    case IGB_VF_MBX:
        return mailbox_read(function, peek);
    case IGB_VF_STATUS:
        return igb_register_read(self, IGB_STATUS, true);
    case IGB_VF_FRTIMER: /* microseconds, wraps */
        return (uint32_t)(igb_now(self) / IOV_US);
    case IGB_VF_PSRTYPE:
        return self->pools[function->pool].psrtype;
    default:
        return statistic_read(function, offset);
    }
}

void igb_virtual_write(struct igb_function *function, uint32_t offset, uint32_t value,
                       iov_time arrival)
{
    struct igb_pool *pool = &function->nic->pools[function->pool];
    struct igb_queue *queue;
    bool transmit;
    uint32_t reg;

    queue = queue_find(function, offset, &transmit, &reg);
    if (queue != NULL) {
        igb_queue_register_write(queue, transmit, reg, value, arrival);
        return;
    }
    if (igb_causes_write(function, offset, value))
        return;
    if (offset >= IGB_VF_MBMEM && offset < IGB_VF_MBMEM + 64)
        pool->mailbox[(offset - IGB_VF_MBMEM) / 4] = value;
    else if (offset == IGB_VF_MBX)
        mailbox_write(function, value);
    else if (offset == IGB_VF_PSRTYPE)
        pool->psrtype = value;
    else if (offset == IGB_VF_CTRL && value & IGB_CTRL_RST)
        function_reset(function);
}

/* ---- Coming and going ---- */

static unsigned virtual_windows(struct iov_pci_function *pci, struct iov_pci_window *windows)
{
    struct igb_function *function = iov_container_of(pci, struct igb_function, slot);
    const struct iov_pci_space *above = &function->nic->physical.space;
    uint64_t registers = iov_pci_vf_bar_address(above, 0, function->pool);
    uint64_t msix = iov_pci_vf_bar_address(above, 3, function->pool);
    unsigned count = 0;

    if (registers != UINT64_MAX)
        windows[count++] = (struct iov_pci_window){ .base = registers,
                                                    .size = IGB_VF_BAR_SIZE,
                                                    .target = &function->registers };
    if (msix != UINT64_MAX)
        windows[count++] = (struct iov_pci_window){ .base = msix,
                                                    .size = IGB_MSIX_BAR_SIZE,
                                                    .target = &function->msix };
    return count;
}

static const struct iov_pci_function_ops virtual_ops = { .config_read = iov_pci_space_read,
                                                         .config_write = iov_pci_space_write,
                                                         .windows = virtual_windows,
                                                         .reset = virtual_pci_reset };

static void virtual_changed(struct iov_pci_function *pci, unsigned what, uint16_t offset,
                            uint16_t size)
{
    (void)offset, (void)size;
    if (what & IOV_PCI_CHANGED_FLR)
        virtual_pci_reset(pci, IOV_PCI_RESET_FUNCTION);
    else if (what & IOV_PCI_CHANGED_MASTER)
        for (unsigned i = 0; i < IGB_VF_QUEUES; i++) {
            struct igb_function *function = iov_container_of(pci, struct igb_function, slot);
            struct igb_queue *queue = igb_pool_queue(function->nic, function->pool, i);

            igb_tx_kick(queue, 0);
            igb_rx_kick(queue, 0);
        }
}

static void own_queues(struct igb_function *function, struct igb_function *owner)
{
    for (unsigned i = 0; i < IGB_VF_QUEUES; i++) {
        struct igb_queue *queue = igb_pool_queue(function->nic, function->pool, i);

        igb_rx_reset(queue);
        igb_tx_reset(queue);
        queue->owner = owner;
    }
}

static void function_come(struct igb_function *function)
{
    IovIgb *self = function->nic;
    unsigned devfn = iov_pci_vf_devfn(&self->physical.space, function->pool);

    if (self->pci.bus == NULL || devfn >= IOV_PCI_FUNCTIONS)
        return;
    iov_pci_space_reset(&function->space, IOV_PCI_RESET_COLD);
    own_queues(function, function);
    igb_causes_reset(function);
    function->plugged = iov_pci_plug(self->pci.bus, &function->slot, (uint8_t)devfn);
}

static void function_go(struct igb_function *function)
{
    if (function->plugged)
        iov_pci_unplug(&function->slot);
    function->plugged = false;
    igb_causes_reset(function);
    own_queues(function, &function->nic->physical);
}

void igb_virtual_changed(IovIgb *self)
{
    unsigned wanted;

    if (self->variant->message != NULL)
        return; /* assignable interfaces are always there */
    wanted = MIN(iov_pci_vfs_enabled(&self->physical.space), (unsigned)self->vfs);

    for (; self->enabled > wanted; self->enabled--)
        function_go(&self->virtual[self->enabled - 1]);
    for (; self->enabled < wanted; self->enabled++)
        function_come(&self->virtual[self->enabled]);
    for (unsigned i = 0; i < self->enabled; i++) {
        if (self->virtual[i].plugged)
            iov_pci_decode_changed(&self->virtual[i].slot);
    }
}

/* ---- Life ---- */

static void function_init(IovIgb *self, unsigned index)
{
    static const struct iov_pci_header header = { .vendor = IGB_VENDOR_ID,
                                                  .device = IGB_VF_DEVICE_ID,
                                                  .subsystem_vendor = IGB_VENDOR_ID,
                                                  .subsystem = IGB_DEVICE_ID,
                                                  .class_code = 0x020000,
                                                  .revision = IGB_REVISION,
                                                  .virtual_function = true };
    const struct iov_pci_capability capabilities[] = {
        IOV_PCI_MSIX(.at = 0x70, .vectors = IGB_VF_VECTORS, .bar = 3, .table = 0,
                     .pending = IGB_MSIX_PENDING),
        IOV_PCI_EXPRESS(.at = 0xa0, .type = PCI_EXP_TYPE_ENDPOINT, .max_payload = 512,
                        .generation = 1, .lanes = 4, .flr = true),
        IOV_PCI_ERROR_REPORTING(.at = 0x100, .size = 0x40),
        IOV_PCI_ARI(.at = 0x150),
        IOV_PCI_ATS(.at = 0x160, .queue_depth = 32),
    };
    struct igb_function *function = &self->virtual[index];

    function->nic = self;
    function->pool = (uint8_t)index;
    function->pasid = IOV_NO_PASID;
    igb_causes_init(function, IGB_VF_VECTORS);
    if (self->variant->message != NULL) {
        function->assignable = true;
        function->pci = &self->pci;
        own_queues(function, function);
        return;
    }
    function->pci = &function->slot;
    function->slot.ops = &virtual_ops;
    function->slot.dma = &function->dma;
    function->space.changed = virtual_changed;
    function->registers = (struct iov_mem_target){ &igb_virtual_registers_ops, IGB_VF_BAR_SIZE };
    function->msix = (struct iov_mem_target){ &igb_virtual_msix_ops, IGB_MSIX_BAR_SIZE };
    iov_pci_space_init(&function->space, &function->slot, &header, NULL, capabilities,
                       G_N_ELEMENTS(capabilities) - (self->ats ? 0 : 1));
}

void igb_virtual_init(IovIgb *self)
{
    self->virtual = g_new0(struct igb_function, MAX(self->vfs, 1));
    for (unsigned i = 0; i < self->vfs; i++)
        function_init(self, i);
    if (self->variant->message != NULL)
        self->enabled = (unsigned)self->vfs;
}

void igb_virtual_finish(IovIgb *self)
{
    for (unsigned i = 0; self->virtual != NULL && i < self->vfs; i++) {
        struct igb_function *function = &self->virtual[i];

        if (function->plugged)
            iov_pci_unplug(&function->slot);
        igb_causes_reset(function);
        iov_pci_space_clear(&function->space);
    }
    self->enabled = 0;
    g_clear_pointer(&self->virtual, g_free);
}
