/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine under test: a platform made from options, seen from outside: memory and ports as a
 * processor sees them, a clock that moves when it is told to, devices that come and go. The
 * platform is a file of platforms/machines with what the options add to it, loaded like any other.
 *
 * Nothing takes time but what devices themselves wait for, unless a table of costs is given: a
 * command's effects are complete when it is answered, or come when the clock is stepped.
 */
#ifndef IOV_QTEST_MACHINE_H
#define IOV_QTEST_MACHINE_H

#include "bindings/qtest/devices.h"
#include "bindings/qtest/options.h"
#include "core/config/platform.h"

enum space { SPACE_MEMORY, SPACE_IO };

struct device {
    const struct device_row *row;
    char *id;      /* as the user calls it, or NULL */
    char *part;    /* path in the platform; NULL: nothing of it is modelled */
    char *netdev;  /* or NULL */
    char *drive;   /* or NULL */
    char *bus;     /* path of the part whose slot it is in, or NULL */
    guint8 devfn;  /* in its bus */
    IovModel *hot; /* a model that came later: ours */
};

struct machine {
    const struct machine_row *row;
    struct machine_row own; /* of a machine that is a file of the user's */
    char *own_file;
    struct iov_config *config;
    struct iov_platform *platform;
    struct iov_run *run;
    struct iov_kernel *kernel;
    struct iov_mem_initiator spaces[2];
    GPtrArray *drives;  /* struct drive *, drives.h */
    GPtrArray *devices; /* struct device *, in the order in which they came */
    GArray *slots;      /* struct slot: what is taken */
    GPtrArray *globals; /* struct option * of -global, borrowed */
    struct iov_notify_sink reset_sink, sleep_sink;
    bool reset_wanted, sleep_wanted; /* software asked for it */
    unsigned parts;                  /* names given so far */
    guint8 macs;                     /* addresses given so far */
};

/* Makes the machine; it is not realized yet, so that packet ports can be wired. Errors:
 * IOV_ERROR_CONFIG, one line. */
struct machine *machine_new(const struct options *options, GError **error);
bool machine_start(struct machine *machine, GError **error);
void machine_free(struct machine *machine); /* accepts NULL */
/* The configuration that it is made of. g_free() it. */
char *machine_describe(const struct machine *machine);

/* A processor's access; what nobody answers reads as ones in I/O space and as zeros in memory, and
 * swallows writes. */
guint64 machine_read(struct machine *machine, enum space space, guint64 address, unsigned size);
void machine_write(struct machine *machine, enum space space, guint64 address, unsigned size,
                   guint64 value);
/* Any number of bytes of memory space. */
void machine_read_bytes(struct machine *machine, guint64 address, guint8 *bytes, gsize count);
void machine_write_bytes(struct machine *machine, guint64 address, const guint8 *bytes,
                         gsize count);

/* The clock, in ns. */
guint64 machine_now(const struct machine *machine);
/* Runs what is due at the present instant. */
void machine_settle(struct machine *machine);
/* Moves the clock, with everything on the way; as far as time goes. */
void machine_run_to(struct machine *machine, guint64 when);
/* When the next thing happens, rounded up to a whole ns; the present if nothing will. */
guint64 machine_next(const struct machine *machine);

/* All of the machine but memory back to where it was at power-on. */
void machine_reset(struct machine *machine);

struct device *machine_device(const struct machine *machine, const char *id);
IovModel *machine_model(const struct machine *machine, const struct device *device);
/* A part or a device by a path such as `ioapic`, `/machine/peripheral/net0`. NULL if there is
 * none. */
IovModel *machine_find(const struct machine *machine, const char *path);
/* Hot-plug. `option` has the keys of -device. The packet port of the new one is not wired yet:
 * `ready` wires it. */
bool machine_plug(struct machine *machine, const struct option *option,
                  bool (*ready)(void *context, struct device *device, GError **error),
                  void *context, GError **error);
void machine_unplug(struct machine *machine, struct device *device);
/* A disk that comes while the machine runs; a device's block port to the disk that it names;
 * another size. In drives.c. */
bool machine_add_drive(struct machine *machine, const struct option *option, GError **error);
bool machine_join_drive(struct machine *machine, const struct device *device, GError **error);
bool machine_resize_drive(struct machine *machine, const char *name, guint64 size, GError **error);
/* The local APIC of a processor, or NULL. */
struct iov_apic *machine_apic(const struct machine *machine, unsigned index);

#endif
