/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See chipset-private.h. A function's configuration space answers as the board's does after power
 * on and after every write; what the registers behind its BARs do is not modelled: they read zero
 * and take any write.
 */
#include "models/chipset/chipset-private.h"

G_DEFINE_ABSTRACT_TYPE(ChipsetFunction, chipset_function, IOV_TYPE_MODEL)

#define BARS_MAX (IOV_PCI_BARS + 1)

static ChipsetFunctionClass *class_of(ChipsetFunction *self)
{
    return CHIPSET_FUNCTION_CLASS(IOV_MODEL_GET_CLASS(self));
}

/* ---- Registers that nobody models ---- */

static enum iov_status silence_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    (void)port;
    memset(req->data, 0, req->size);
    return IOV_STATUS_OK;
}

static enum iov_status silence_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    (void)port;
    (void)req;
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops silence_ops = { .read = silence_read,
                                                       .write = silence_write };

/* ---- The slot ---- */

static unsigned windows(struct iov_pci_function *function, struct iov_pci_window *list)
{
    ChipsetFunction *self = iov_container_of(function, ChipsetFunction, pci);
    unsigned count = iov_pci_space_windows(function, list);

    if (self->space.bytes != NULL && class_of(self)->windows != NULL)
        count += class_of(self)->windows(self, list + count);
    return count;
}

static void tell(ChipsetFunction *self, unsigned offset, unsigned size)
{
    if (class_of(self)->changed != NULL)
        class_of(self)->changed(self, offset, size);
    iov_pci_decode_changed(&self->pci); /* windows beside the BARs are the kind's own registers */
}

static void reset(struct iov_pci_function *function, enum iov_pci_reset kind)
{
    ChipsetFunction *self = iov_container_of(function, ChipsetFunction, pci);

    iov_pci_space_reset(&self->space, kind);
    tell(self, 0, IOV_PCI_CONFIG_SIZE);
}

static void changed(struct iov_pci_function *function, unsigned what, uint16_t offset,
                    uint16_t size)
{
    ChipsetFunction *self = iov_container_of(function, ChipsetFunction, pci);

    if (what & IOV_PCI_CHANGED_FLR)
        reset(function, IOV_PCI_RESET_FUNCTION);
    else
        tell(self, offset, size);
}

static const struct iov_pci_function_ops pci_ops = {
    .config_read = iov_pci_space_read,
    .config_write = iov_pci_space_write,
    .windows = windows,
    .reset = reset,
};

/* ---- Life ---- */

static void add_register(struct iov_pci_space *space, const struct chipset_register *row)
{
    for (unsigned i = 0; i < row->size; i++) {
        space->bytes[row->at + i] = (uint8_t)(row->reset >> 8 * i);
        space->reset[row->at + i] = (uint8_t)(row->reset >> 8 * i);
        space->writable[row->at + i] = (uint8_t)(row->writable >> 8 * i);
    }
}

static bool chipset_function_prepare(IovModel *model, GError **error)
{
    ChipsetFunction *self = (ChipsetFunction *)(void *)model;
    const ChipsetFunctionClass *klass = class_of(self);
    struct iov_pci_header header = klass->header;
    struct iov_pci_bar bars[BARS_MAX] = { 0 };

    (void)error;
    header.multifunction |= self->multifunction;
    header.scratch = true; /* as a virtual machine's board */
    for (unsigned i = 0; klass->bars != NULL && klass->bars[i].size != 0; i++) {
        bars[i] = klass->bars[i];
        bars[i].target = &self->silence;
    }
    self->space.changed = changed;
    iov_pci_space_init(&self->space, &self->pci, &header, bars, klass->capabilities,
                       klass->capability_count);
    for (const struct chipset_register *row = klass->registers; row != NULL && row->size != 0;
         row++)
        add_register(&self->space, row);
    return true;
}

static void chipset_function_finalize(GObject *object)
{
    ChipsetFunction *self = (ChipsetFunction *)(void *)object;

    G_OBJECT_CLASS(chipset_function_parent_class)->finalize(object);
    iov_pci_space_clear(&self->space);
}

static void chipset_function_class_init(ChipsetFunctionClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, NULL, "A fixed function of a board");
    IOV_PORT_PCI_FUNCTION(mc, ChipsetFunction, pci, &pci_ops, "The slot");
    IOV_PORT_MEM_INITIATOR(mc, ChipsetFunction, dma, "Messages; the slot connects it");
    IOV_PORT_IRQ_SOURCE(mc, ChipsetFunction, interrupt, "INTx; the slot connects it");
    mc->prepare = chipset_function_prepare;
    G_OBJECT_CLASS(klass)->finalize = chipset_function_finalize;
}

static void chipset_function_init(ChipsetFunction *self)
{
    self->pci.dma = &self->dma;
    self->pci.interrupt = &self->interrupt;
    self->silence.ops = &silence_ops;
}
