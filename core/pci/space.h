/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration space of a PCI function, made from rows: a header, base address registers, and
 * capabilities in the order of their list. Each capability knows its registers' reset values, which
 * bits software may write or clear, and what such a write does; the function hears of it by
 * `changed`.
 *
 *     static const struct iov_pci_capability capabilities[] = {
 *         IOV_PCI_POWER(.at = 0x40),
 *         IOV_PCI_MSIX(.at = 0x70, .vectors = 10, .bar = 3, .table = 0, .pending = 0x2000),
 *         IOV_PCI_EXPRESS(.at = 0xa0, .type = PCI_EXP_TYPE_ENDPOINT, .max_payload = 512),
 *         IOV_PCI_ERROR_REPORTING(.at = 0x100),
 *         ...
 *     };
 *
 * Names of registers and bits are those of <linux/pci_regs.h>, which every Debian has.
 * SPEC: PCI Local Bus 3.0, 6 (header, BARs, MSI, MSI-X); PCI Express Base 5.0, 7.5 to 7.9
 * (capabilities), 9.3 (SR-IOV).
 */
#ifndef IOV_PCI_SPACE_H
#define IOV_PCI_SPACE_H

#include <linux/pci_regs.h>

#include "core/port/pci.h"

IOV_BEGIN_DECLS

#define IOV_PCI_BARS 7u /* six and the expansion ROM (index 6) */
#define IOV_PCI_ROM 6u

struct iov_pci_header {
    uint16_t vendor, device, subsystem_vendor, subsystem;
    uint32_t class_code; /* base class, subclass, interface: 24 bits */
    uint8_t revision;
    uint8_t type;          /* 0: endpoint; 1: bridge */
    uint8_t interrupt_pin; /* 0: none; 1: INTA */
    bool multifunction;
    bool virtual_function; /* of SR-IOV: IDs read as ones, BARs and memory enable are the PF's */
    bool scratch; /* bytes behind the header that are of no capability keep what software writes, as
                     in virtual machines' devices */
    bool conventional; /* 256 bytes of configuration space: PCI, or PCIe without extended
                          capabilities */
};

enum {
    IOV_PCI_BAR_IO = 1 << 0,
    IOV_PCI_BAR_64 = 1 << 1, /* takes the next index, too */
    IOV_PCI_BAR_PREFETCH = 1 << 2,
};

struct iov_pci_bar {
    uint8_t index; /* 0 to 5, or IOV_PCI_ROM */
    uint8_t flags;
    uint64_t size; /* a power of two */
    struct iov_mem_target *target;
};

/* One row of a capability; the macros below name the fields that each kind uses. */
struct iov_pci_capability {
    uint16_t id;
    bool extended;
    uint16_t at;          /* offset; 0: behind the one before */
    uint16_t size;        /* 0: what the kind needs */
    const uint8_t *bytes; /* of a vendor-specific one: its content behind the 2 bytes of the list */
    const uint8_t *writable; /* and which bits of that software may write */
    uint8_t version;         /* 0: the newest that the kind knows (Express: 2, power: 3) */
    /* MSI, MSI-X */
    uint16_t vectors;
    bool wide, maskable;      /* MSI: 64-bit address, per-vector masks */
    uint8_t bar, pending_bar; /* MSI-X; pending_bar 0: the same as `bar` */
    uint32_t table, pending;  /* MSI-X: offsets in these BARs */
    /* PCI Express */
    uint8_t type;
    uint16_t max_payload, max_read_request; /* supported; reset value (0: 512) */
    uint8_t generation, lanes;
    uint8_t port_number;
    bool flr, slot, ari_forwarding;
    /* AER, ACS, ATS, PRI, PASID, SR-IOV, DSN, ARI, PM */
    uint64_t serial;
    uint16_t acs;        /* capability bits */
    uint8_t queue_depth; /* ATS */
    uint32_t requests;   /* PRI: outstanding capacity */
    uint8_t pasid_bits;
    uint8_t next_function; /* ARI */
    uint16_t vfs, vf_offset, vf_stride, vf_device;
    uint16_t vf_offset_flat;       /* the offset without ARI hierarchy; 0: the same */
    struct iov_pci_bar vf_bars[6]; /* size of one VF's; target NULL: the VFs have their own */
    bool no_soft_reset;
    uint16_t pm;      /* PM: bits of PMC beside the version, such as PCI_PM_CAP_PME_D0 */
    uint32_t device2; /* PCI Express: further bits of Device Capabilities 2 */
};

#define IOV_PCI_POWER(...) \
    { \
        .id = PCI_CAP_ID_PM, __VA_ARGS__ \
    }
#define IOV_PCI_MSI(...) \
    { \
        .id = PCI_CAP_ID_MSI, __VA_ARGS__ \
    }
#define IOV_PCI_MSIX(...) \
    { \
        .id = PCI_CAP_ID_MSIX, __VA_ARGS__ \
    }
#define IOV_PCI_EXPRESS(...) \
    { \
        .id = PCI_CAP_ID_EXP, __VA_ARGS__ \
    }
#define IOV_PCI_VENDOR(...) \
    { \
        .id = PCI_CAP_ID_VNDR, __VA_ARGS__ \
    }
#define IOV_PCI_ERROR_REPORTING(...) \
    { \
        .id = PCI_EXT_CAP_ID_ERR, .extended = true, __VA_ARGS__ \
    }
#define IOV_PCI_SERIAL(...) \
    { \
        .id = PCI_EXT_CAP_ID_DSN, .extended = true, __VA_ARGS__ \
    }
#define IOV_PCI_ARI(...) \
    { \
        .id = PCI_EXT_CAP_ID_ARI, .extended = true, __VA_ARGS__ \
    }
#define IOV_PCI_ACCESS_CONTROL(...) \
    { \
        .id = PCI_EXT_CAP_ID_ACS, .extended = true, __VA_ARGS__ \
    }
#define IOV_PCI_ATS(...) \
    { \
        .id = PCI_EXT_CAP_ID_ATS, .extended = true, __VA_ARGS__ \
    }
#define IOV_PCI_PAGE_REQUEST(...) \
    { \
        .id = PCI_EXT_CAP_ID_PRI, .extended = true, __VA_ARGS__ \
    }
#define IOV_PCI_PASID(...) \
    { \
        .id = PCI_EXT_CAP_ID_PASID, .extended = true, __VA_ARGS__ \
    }
#define IOV_PCI_SRIOV(...) \
    { \
        .id = PCI_EXT_CAP_ID_SRIOV, .extended = true, __VA_ARGS__ \
    }

/* What a configuration write did, beside storing bits; told to the function after the write. */
enum {
    IOV_PCI_CHANGED_DECODE = 1 << 0, /* BARs, command: the library has told the bus */
    IOV_PCI_CHANGED_MASTER = 1 << 1, /* bus master enable */
    IOV_PCI_CHANGED_INTX = 1 << 2,   /* interrupt disable */
    IOV_PCI_CHANGED_MSI = 1 << 3,    /* enable, masks: pending ones have been sent */
    /* Initiate function level reset: call iov_pci_space_reset(), then reset yourself. */
    IOV_PCI_CHANGED_FLR = 1 << 4,
    IOV_PCI_CHANGED_POWER = 1 << 5, /* PM power state */
    IOV_PCI_CHANGED_SRIOV = 1 << 6, /* VF enable, VF MSE, NumVFs */
    IOV_PCI_CHANGED_OTHER = 1 << 7,
};

#define IOV_PCI_VECTORS_MAX 2048u

struct iov_pci_space {
    struct iov_pci_function *function;
    void (*changed)(struct iov_pci_function *function, unsigned what, uint16_t offset,
                    uint16_t size);                /* or NULL */
    uint16_t size;                                 /* 256 or 4096 */
    uint8_t *bytes, *reset, *writable, *clearable; /* `size` bytes each */
    uint8_t *sticky;                               /* bits that only a COLD reset touches */
    struct iov_pci_bar bars[IOV_PCI_BARS];
    struct iov_pci_capability *capabilities; /* a copy of the rows, `at` filled in */
    unsigned capability_count;
    uint16_t power, msi, msix, express, sriov, ari, ats, pasid; /* offsets; 0: not there */
    uint16_t error, page_request, access_control;
    bool conventional, virtual_function; /* of the header */
    /* MSI-X: the table as the function's BAR shows it, and the pending bits. */
    uint16_t vectors;
    uint8_t *table; /* 16 bytes a vector */
    uint64_t *pending;
    struct iov_mem_target msix_table,
        msix_pending; /* for the BAR of the function: addresses relative to table and PBA */
    uint64_t interrupts, interrupts_pending; /* sent; marked while masked */
    bool sending; /* a message is on its way: what it makes the function send waits */
};

/*
 * Makes the space. `bars` ends with a row of size 0, may be NULL. Rows that contradict each other
 * (overlapping capabilities, an MSI-X table outside its BAR) are a mistake of the model:
 * IOV_REQUIRE.
 */
IOV_API void iov_pci_space_init(struct iov_pci_space *space, struct iov_pci_function *function,
                                const struct iov_pci_header *header, const struct iov_pci_bar *bars,
                                const struct iov_pci_capability *capabilities, unsigned count);
IOV_API void iov_pci_space_clear(struct iov_pci_space *space);
/* Registers to their reset values; sticky ones stay unless the reset is COLD. HwInit stays. */
IOV_API void iov_pci_space_reset(struct iov_pci_space *space, enum iov_pci_reset kind);

/* Ready to be the ops of a function whose space is iov_pci_function.space and that has nothing to
 * add. */
IOV_API enum iov_status iov_pci_space_read(struct iov_pci_function *function,
                                           struct iov_mem_req *req);
IOV_API enum iov_status iov_pci_space_write(struct iov_pci_function *function,
                                            struct iov_mem_req *req);
IOV_API unsigned iov_pci_space_windows(struct iov_pci_function *function,
                                       struct iov_pci_window *windows);

/* Offset of a capability, 0 if there is none. */
IOV_API uint16_t iov_pci_space_find(const struct iov_pci_space *space, uint16_t id, bool extended);

static inline uint16_t iov_pci_get16(const struct iov_pci_space *space, uint16_t at)
{
    return (uint16_t)(space->bytes[at] | space->bytes[at + 1] << 8);
}

static inline uint32_t iov_pci_get32(const struct iov_pci_space *space, uint16_t at)
{
    return iov_pci_get16(space, at) | (uint32_t)iov_pci_get16(space, (uint16_t)(at + 2)) << 16;
}

/* May it send requests? Not without bus mastering, and not in D3hot. */
static inline bool iov_pci_master(const struct iov_pci_space *space)
{
    return (space->bytes[PCI_COMMAND] & PCI_COMMAND_MASTER) != 0 &&
           (space->power == 0 ||
            (space->bytes[space->power + PCI_PM_CTRL] & PCI_PM_CTRL_STATE_MASK) == 0);
}

/* Where BAR `index` is decoded now, or UINT64_MAX. */
IOV_API uint64_t iov_pci_bar_address(const struct iov_pci_space *space, unsigned index);

/* ---- SR-IOV: of a physical function ---- */

/* How many VFs are enabled; which function number VF `vf` (from 0) has: it belongs on the PF's
 * bus. */
IOV_API unsigned iov_pci_vfs_enabled(const struct iov_pci_space *space);
IOV_API unsigned iov_pci_vf_devfn(const struct iov_pci_space *space, unsigned vf);
/* What one VF takes of VF BAR `index`: a power of two, at least the system page size; 0: no such
 * BAR. */
IOV_API uint64_t iov_pci_vf_bar_size(const struct iov_pci_space *space, unsigned index);
/* Where BAR `index` of VF `vf` is decoded now (VF enable and MSE are set), or UINT64_MAX. */
IOV_API uint64_t iov_pci_vf_bar_address(const struct iov_pci_space *space, unsigned index,
                                        unsigned vf);

/* ---- Errors (AER) ---- */

/*
 * Notes an error that the function has found: `bit` of PCI_ERR_UNCOR_STATUS or PCI_ERR_COR_STATUS.
 * Device status, AER status, the first error pointer and the header log follow; a reported one goes
 * to the root port above. `header`: four DWORDs of the TLP, or NULL.
 */
IOV_API void iov_pci_error(struct iov_pci_space *space, bool correctable, uint32_t bit,
                           const uint32_t *header);

/* ---- Interrupts ---- */

/* Whether software has switched it on. False if the function has no such capability. */
IOV_API bool iov_pci_msix_enabled(const struct iov_pci_space *space);
IOV_API bool iov_pci_msi_enabled(const struct iov_pci_space *space);
/*
 * Vector `vector` of MSI-X, or of MSI (modulo the vectors granted): writes the message through
 * function->dma, `delay` from now, or marks it pending if masked. `span` is the request that it
 * announces. Without bus mastering nothing happens.
 */
IOV_API void iov_pci_message(struct iov_pci_space *space, unsigned vector, iov_time delay,
                             struct iov_span *span);
/* Sends what is pending and not masked any more. Called by the library after writes; a function may
 * call it later itself. */
IOV_API void iov_pci_message_flush(struct iov_pci_space *space);

IOV_END_DECLS

#endif
