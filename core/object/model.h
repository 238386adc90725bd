/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IovModel: one part of a platform. A subclass is a kind; it describes itself in class_init with
 * one row for each property, cost, port and statistic, and everything else is derived from the
 * rows: YAML checking, `iovsim inspect`, the JSON Schema, the tables of the documentation, the
 * statistics of a run.
 *
 * Life: new → properties and costs set → prepare (sizes of ports are known afterwards) → wired →
 * realize (may fail) → start (fibers begin) → run → unrealize → free. Rows address plain struct
 * fields by offset: event handlers read the fields.
 *
 * This is the slow plane. Nothing here is called from an event handler.
 */
#ifndef IOV_OBJECT_MODEL_H
#define IOV_OBJECT_MODEL_H

#include <glib-object.h>
#include <stdbool.h>

#include "core/kernel/kernel.h"
#include "core/kernel/random.h"
#include "core/port/apic.h"
#include "core/port/block.h"
#include "core/port/exec.h"
#include "core/port/foreign.h"
#include "core/port/irq.h"
#include "core/port/map.h"
#include "core/port/mem.h"
#include "core/port/notify.h"
#include "core/port/packet.h"
#include "core/port/pci.h"

IOV_BEGIN_DECLS

/* Errors of the library that are the user's: GError domain and codes. */
#define IOV_ERROR (iov_error_quark())
IOV_API GQuark iov_error_quark(void);
enum iov_error {
    IOV_ERROR_CONFIG, /* the description of the platform or the options are wrong */
    IOV_ERROR_FILE,   /* reading or writing a file failed */
    IOV_ERROR_RUN,    /* the run could not go on */
};

/* What all models of one run share. Owned by the platform. */
struct iov_measure;
struct iov_run {
    struct iov_kernel *kernel;
    uint64_t seed;
    struct iov_measure *measure; /* core/trace/measure.h */
    struct iov_cost_table *costs;
};

/* Where costs come from: core/config provides one from the run's cost file; tests provide their
 * own. */
struct iov_cost_table {
    /* The cost `name` in ps; `kind` needs it (for the message). GError IOV_ERROR_CONFIG if there is
     * none. */
    bool (*lookup)(struct iov_cost_table *table, const char *name, const char *kind,
                   iov_time *ret_cost, GError **error);
};

#define IOV_TYPE_MODEL (iov_model_get_type())
IOV_API GType iov_model_get_type(void);
typedef struct _IovModel IovModel;
typedef struct _IovModelClass IovModelClass;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IovModel, g_object_unref)
#define IOV_MODEL(object) ((IovModel *)(void *)(object))
#define IOV_MODEL_CLASS(klass) ((IovModelClass *)(void *)(klass))
#define IOV_MODEL_GET_CLASS(object) \
    ((IovModelClass *)(void *)((GTypeInstance *)(void *)(object))->g_class)
#define IOV_IS_MODEL(object) G_TYPE_CHECK_INSTANCE_TYPE((object), IOV_TYPE_MODEL)

struct _IovModel {
    GObject parent_instance;
    struct iov_run *run;
    struct iov_kernel *kernel; /* = run->kernel */
    char *path;                /* "vm0/nic" */
    struct iov_random random;  /* seeded by run->seed and path */
    bool prepared;
    bool realized;
    GPtrArray *children; /* models made by this one: iov_model_new_child() */
};

/* What a machine at the far end of a network may do for guests. */
enum iov_service {
    IOV_SERVICE_NONE,
    IOV_SERVICE_PING,       /* answers ICMP echo requests */
    IOV_SERVICE_ECHO,       /* answers datagrams */
    IOV_SERVICE_TCP,        /* takes connections, and what comes over them */
    IOV_SERVICE_TCP_ECHO,   /* and sends it back */
    IOV_SERVICE_SOURCE,     /* sends datagrams */
    IOV_SERVICE_TCP_SOURCE, /* sends over a connection */
    IOV_SERVICE_CLIENTS,    /* asks servers in guests */
};

struct _IovModelClass {
    GObjectClass parent_class;
    struct iov_model_info *info;
    /* Properties are set: fix the sizes of ports. May be NULL. */
    bool (*prepare)(IovModel *self, GError **error);
    /* Everything is wired: check, resolve, allocate. Errors: IOV_ERROR_CONFIG. May be NULL. */
    bool (*realize)(IovModel *self, GError **error);
    /* Everything is realized: start fibers, arm first events. May be NULL. */
    void (*start)(IovModel *self);
    /* The warm-up is over: forget what was counted outside of statistics rows. May be NULL. */
    void (*reset_statistics)(IovModel *self);
    /* Bring statistics rows up to date before they are read (derived figures). May be NULL. */
    void (*update_statistics)(IovModel *self);
    void (*unrealize)(IovModel *self);
    /* The machine's reset line: registers as after power-on. Memory, wires, what a battery keeps,
     * and time stay. May be NULL. */
    void (*reset)(IovModel *self);
    /*
     * Properties are set, wires made: of a far end, whether it does `wanted`; if not, *ret_property
     * is what of it would have to be different, and *ret_remedy how it is written ("role: echo").
     * NULL: it is no far end.
     */
    bool (*serves)(const IovModel *self, enum iov_service wanted, const char **ret_property,
                   const char **ret_remedy);
    /* The service that it cannot do without. NULL: none. */
    enum iov_service (*needs)(const IovModel *self);
    /* Of TCP: how many it makes, or as a far end takes. NULL: one, or any number. */
    uint64_t (*connections)(const IovModel *self);
};

/* ---- Rows ---- */

enum iov_value_type {
    IOV_VALUE_TIME,      /* iov_time, ps */
    IOV_VALUE_SIZE,      /* bytes */
    IOV_VALUE_FREQUENCY, /* Hz */
    IOV_VALUE_RATE,      /* bit/s */
    IOV_VALUE_COUNT,
    IOV_VALUE_BOOL,
    IOV_VALUE_ENUM,       /* int: index into choices */
    IOV_VALUE_STRING,     /* char *, owned by the model */
    IOV_VALUE_REF,        /* IovModel *, borrowed: the platform outlives it */
    IOV_VALUE_REF_LIST,   /* struct iov_model_list */
    IOV_VALUE_COUNT_LIST, /* struct iov_count_list */
};

struct iov_model_list {
    IovModel **items;
    unsigned count;
};

struct iov_count_list {
    uint64_t *items;
    unsigned count;
};

struct iov_property {
    const char *name;
    enum iov_value_type type;
    uint16_t offset;
    uint8_t width; /* of the field, bytes */
    bool required; /* no default: must be given (references, strings) */
    uint64_t lowest;
    uint64_t highest;
    uint64_t standard;          /* the default */
    const char *standard_text;  /* of strings */
    const char *const *choices; /* of enums, NULL-terminated */
    const char *word;           /* of numbers: stands for 0, which is outside the range; or NULL */
    const char *kind;           /* of references: the kind it must be, or NULL */
    const char *text;
    GParamSpec *pspec;
};

struct iov_cost {
    const char *name; /* in the cost table */
    uint16_t offset;  /* iov_time field */
    const char *text;
};

enum iov_port_type {
    IOV_PORT_MEM,
    IOV_PORT_IRQ,
    IOV_PORT_PACKET,
    IOV_PORT_BLOCK,
    IOV_PORT_NOTIFY,
    IOV_PORT_PCI, /* target: a function; initiator: a bus */
    /* Not wired: contracts that are looked up through a reference to the part, by
     * iov_model_port(). */
    IOV_PORT_PROCESSOR, /* struct iov_processor */
    IOV_PORT_APIC,      /* struct iov_apic */
    IOV_PORT_PROGRAM,   /* struct iov_program */
    IOV_PORT_FOREIGN,   /* struct iov_foreign */
};
enum iov_port_role { IOV_PORT_TARGET, IOV_PORT_INITIATOR, IOV_PORT_EQUAL };
enum {
    /* Must be wired. */
    IOV_PORT_REQUIRED = 1 << 0,
    /* Any number of wires, each with `at`: the base address in a struct iov_mem_map, the device and
     * function number on a struct iov_pci_bus. */
    IOV_PORT_MAP = 1 << 1,
    /* A target that several initiators may be wired to (mem, notify, irq sinks that or), or an
     * array of sources with one meaning: a wire takes the next free place, and `at` is the other
     * end's. */
    IOV_PORT_SHARED = 1 << 2,
};

struct iov_port {
    const char *name;
    enum iov_port_type type;
    enum iov_port_role role;
    unsigned flags;
    uint16_t offset;
    uint16_t count; /* 1, or the length of an array: a wire names the element with `at` */
    uint16_t stride;
    const void *ops; /* of targets and packet ends */
    const char *text;
};

enum iov_stat_type {
    IOV_STAT_TYPE_COUNT,
    IOV_STAT_TYPE_TIME,
    IOV_STAT_TYPE_BYTES,
    IOV_STAT_TYPE_HISTOGRAM
};

struct iov_stat {
    const char *name;
    enum iov_stat_type type;
    uint16_t offset; /* uint64_t field; for histograms a struct iov_histogram * */
    const char *text;
};

/* What a kind says of itself; rows of a parent kind come first. */
struct iov_model_info {
    const char *kind; /* NULL: not a kind of its own */
    const char *text;
    GArray *properties; /* struct iov_property */
    GArray *costs;      /* struct iov_cost */
    GArray *ports;      /* struct iov_port */
    GArray *stats;      /* struct iov_stat */
};

/* First call of a class_init: the kind's name and one sentence. Begins a copy of the parent's
 * rows. */
IOV_API void iov_model_class_describe(IovModelClass *klass, const char *kind, const char *text);
IOV_API void iov_model_class_add_property(IovModelClass *klass, const struct iov_property *row);
/* A property of the parent kind that means nothing to this one: it keeps its default, and nobody is
 * offered it. */
IOV_API void iov_model_class_drop_property(IovModelClass *klass, const char *name);
IOV_API void iov_model_class_add_cost(IovModelClass *klass, const struct iov_cost *row);
IOV_API void iov_model_class_add_port(IovModelClass *klass, const struct iov_port *row);
IOV_API void iov_model_class_add_stat(IovModelClass *klass, const struct iov_stat *row);

/* A field name as it is written in YAML: '_' becomes '-', and "_ref" at its end is left out.
 * Interned. */
IOV_API const char *iov_row_name(const char *field);

#define IOV_ROW_NUMBER(mc, Type, field, vtype, low, high, def, words) \
    iov_model_class_add_property((mc), \
                                 &(struct iov_property){ .name = iov_row_name(#field), \
                                                         .type = (vtype), \
                                                         .offset = G_STRUCT_OFFSET(Type, field), \
                                                         .width = sizeof(((Type *)0)->field), \
                                                         .lowest = (low), \
                                                         .highest = (high), \
                                                         .standard = (def), \
                                                         .text = (words) })
#define IOV_PROP_TIME(mc, Type, field, low, high, def, words) \
    IOV_ROW_NUMBER(mc, Type, field, IOV_VALUE_TIME, low, high, def, words)
#define IOV_PROP_SIZE(mc, Type, field, low, high, def, words) \
    IOV_ROW_NUMBER(mc, Type, field, IOV_VALUE_SIZE, low, high, def, words)
/* A size, or `word` in its place: then the field is 0. */
#define IOV_PROP_SIZE_OR(mc, Type, field, zero, low, high, def, words) \
    iov_model_class_add_property((mc), \
                                 &(struct iov_property){ .name = iov_row_name(#field), \
                                                         .type = IOV_VALUE_SIZE, \
                                                         .offset = G_STRUCT_OFFSET(Type, field), \
                                                         .width = sizeof(((Type *)0)->field), \
                                                         .lowest = (low), \
                                                         .highest = (high), \
                                                         .standard = (def), \
                                                         .word = (zero), \
                                                         .text = (words) })
#define IOV_PROP_FREQUENCY(mc, Type, field, low, high, def, words) \
    IOV_ROW_NUMBER(mc, Type, field, IOV_VALUE_FREQUENCY, low, high, def, words)
#define IOV_PROP_RATE(mc, Type, field, low, high, def, words) \
    IOV_ROW_NUMBER(mc, Type, field, IOV_VALUE_RATE, low, high, def, words)
#define IOV_PROP_COUNT(mc, Type, field, low, high, def, words) \
    IOV_ROW_NUMBER(mc, Type, field, IOV_VALUE_COUNT, low, high, def, words)
#define IOV_PROP_BOOL(mc, Type, field, def, words) \
    IOV_ROW_NUMBER(mc, Type, field, IOV_VALUE_BOOL, 0, 1, def, words)
/* `names`: static NULL-terminated array of strings; the field is an enum or int that holds the
 * index. */
#define IOV_PROP_ENUM(mc, Type, field, names, def, words) \
    iov_model_class_add_property((mc), \
                                 &(struct iov_property){ .name = iov_row_name(#field), \
                                                         .type = IOV_VALUE_ENUM, \
                                                         .offset = G_STRUCT_OFFSET(Type, field), \
                                                         .width = sizeof(((Type *)0)->field), \
                                                         .choices = (names), \
                                                         .standard = (def), \
                                                         .text = (words) })
/* `def` NULL: required. */
#define IOV_PROP_STRING(mc, Type, field, def, words) \
    iov_model_class_add_property((mc), \
                                 &(struct iov_property){ .name = iov_row_name(#field), \
                                                         .type = IOV_VALUE_STRING, \
                                                         .offset = G_STRUCT_OFFSET(Type, field), \
                                                         .width = sizeof(char *), \
                                                         .standard_text = (def), \
                                                         .required = (def) == NULL, \
                                                         .text = (words) })
/* A reference to a part of kind `of` (NULL: any kind; a parent kind's name accepts its
 * subclasses). The field is an IovModel *, `host_ref` where `host` is the object itself. */
#define IOV_PROP_REF(mc, Type, field, of, must, words) \
    iov_model_class_add_property((mc), \
                                 &(struct iov_property){ .name = iov_row_name(#field), \
                                                         .type = IOV_VALUE_REF, \
                                                         .offset = G_STRUCT_OFFSET(Type, field), \
                                                         .width = sizeof(void *), \
                                                         .kind = (of), \
                                                         .required = (must), \
                                                         .text = (words) })
#define IOV_PROP_REF_LIST(mc, Type, field, of, must, words) \
    iov_model_class_add_property((mc), \
                                 &(struct iov_property){ .name = iov_row_name(#field), \
                                                         .type = IOV_VALUE_REF_LIST, \
                                                         .offset = G_STRUCT_OFFSET(Type, field), \
                                                         .kind = (of), \
                                                         .required = (must), \
                                                         .text = (words) })
#define IOV_PROP_COUNT_LIST(mc, Type, field, low, high, words) \
    iov_model_class_add_property((mc), \
                                 &(struct iov_property){ .name = iov_row_name(#field), \
                                                         .type = IOV_VALUE_COUNT_LIST, \
                                                         .offset = G_STRUCT_OFFSET(Type, field), \
                                                         .lowest = (low), \
                                                         .highest = (high), \
                                                         .text = (words) })

/* An iov_time field filled from the run's cost table before prepare(). */
#define IOV_COST(mc, Type, field, cost, words) \
    iov_model_class_add_cost((mc), &(struct iov_cost){ .name = (cost), \
                                                       .offset = G_STRUCT_OFFSET(Type, field), \
                                                       .text = (words) })

#define IOV_ROW_PORT(mc, Type, field, ptype, prole, pflags, pcount, pstride, pops, words) \
    iov_model_class_add_port((mc), &(struct iov_port){ .name = iov_row_name(#field), \
                                                       .type = (ptype), \
                                                       .role = (prole), \
                                                       .flags = (pflags), \
                                                       .offset = G_STRUCT_OFFSET(Type, field), \
                                                       .count = (pcount), \
                                                       .stride = (pstride), \
                                                       .ops = (pops), \
                                                       .text = (words) })
/* struct iov_mem_target / struct iov_mem_initiator / struct iov_mem_map */
#define IOV_PORT_MEM_TARGET(mc, Type, field, ops, words) \
    IOV_ROW_PORT(mc, Type, field, IOV_PORT_MEM, IOV_PORT_TARGET, IOV_PORT_SHARED, 1, 0, ops, words)
#define IOV_PORT_MEM_INITIATOR(mc, Type, field, words) \
    IOV_ROW_PORT(mc, Type, field, IOV_PORT_MEM, IOV_PORT_INITIATOR, 0, 1, 0, NULL, words)
#define IOV_PORT_MEM_WINDOWS(mc, Type, field, words) \
    IOV_ROW_PORT(mc, Type, field, IOV_PORT_MEM, IOV_PORT_INITIATOR, IOV_PORT_MAP, 1, 0, NULL, words)
/* Arrays of `n`: the wire's `at` is the index. */
#define IOV_PORT_IRQ_SINKS(mc, Type, field, n, ops, words) \
    IOV_ROW_PORT(mc, Type, field, IOV_PORT_IRQ, IOV_PORT_TARGET, 0, n, \
                 sizeof(struct iov_irq_sink), ops, words)
#define IOV_PORT_IRQ_SOURCES(mc, Type, field, n, words) \
    IOV_ROW_PORT(mc, Type, field, IOV_PORT_IRQ, IOV_PORT_INITIATOR, 0, n, \
                 sizeof(struct iov_irq_source), NULL, words)
#define IOV_PORT_IRQ_SINK(mc, Type, field, ops, words) \
    IOV_ROW_PORT(mc, Type, field, IOV_PORT_IRQ, IOV_PORT_TARGET, 0, 1, 0, ops, words)
#define IOV_PORT_IRQ_SOURCE(mc, Type, field, words) \
    IOV_ROW_PORT(mc, Type, field, IOV_PORT_IRQ, IOV_PORT_INITIATOR, 0, 1, 0, NULL, words)
#define IOV_PORT_PACKET_END(mc, Type, field, ops, words) \
    IOV_ROW_PORT(mc, Type, field, IOV_PORT_PACKET, IOV_PORT_EQUAL, 0, 1, 0, ops, words)
/* An array of `n`, whose first member is the end; each wire takes the next free place. */
#define IOV_PORT_PACKET_ENDS_SHARED(mc, Type, field, n, ops, words) \
    IOV_ROW_PORT(mc, Type, field, IOV_PORT_PACKET, IOV_PORT_EQUAL, IOV_PORT_SHARED, n, \
                 sizeof(((Type *)NULL)->field[0]), ops, words)
#define IOV_PORT_NOTIFY_SINKS(mc, Type, field, n, ops, words) \
    IOV_ROW_PORT(mc, Type, field, IOV_PORT_NOTIFY, IOV_PORT_TARGET, IOV_PORT_SHARED, n, \
                 sizeof(struct iov_notify_sink), ops, words)
#define IOV_PORT_NOTIFY_SINK(mc, Type, field, ops, words) \
    IOV_ROW_PORT(mc, Type, field, IOV_PORT_NOTIFY, IOV_PORT_TARGET, IOV_PORT_SHARED, 1, 0, ops, \
                 words)
#define IOV_PORT_NOTIFY_SOURCE(mc, Type, field, words) \
    IOV_ROW_PORT(mc, Type, field, IOV_PORT_NOTIFY, IOV_PORT_INITIATOR, 0, 1, 0, NULL, words)
/* An array of `n`: tells as many sinks, in the order of the wires, by iov_notify_signal_all(). */
#define IOV_PORT_NOTIFY_SOURCE_SHARED(mc, Type, field, n, words) \
    IOV_ROW_PORT(mc, Type, field, IOV_PORT_NOTIFY, IOV_PORT_INITIATOR, IOV_PORT_SHARED, n, \
                 sizeof(struct iov_notify_source), NULL, words)
#define IOV_PORT_BLOCK_TARGET(mc, Type, field, ops, words) \
    IOV_ROW_PORT(mc, Type, field, IOV_PORT_BLOCK, IOV_PORT_TARGET, 0, 1, 0, ops, words)
#define IOV_PORT_BLOCK_INITIATOR(mc, Type, field, words) \
    IOV_ROW_PORT(mc, Type, field, IOV_PORT_BLOCK, IOV_PORT_INITIATOR, 0, 1, 0, NULL, words)
/* struct iov_pci_function: one wire from the bus's slots plugs it in. `ops`: struct
 * iov_pci_function_ops. */
#define IOV_PORT_PCI_FUNCTION(mc, Type, field, ops, words) \
    IOV_ROW_PORT(mc, Type, field, IOV_PORT_PCI, IOV_PORT_TARGET, 0, 1, 0, ops, words)
/* struct iov_pci_bus: the wire's `at` is device << 3 | function; without it the next free one.
 * `ops`: struct iov_pci_bus_ops. */
#define IOV_PORT_PCI_BUS(mc, Type, field, ops, words) \
    IOV_ROW_PORT(mc, Type, field, IOV_PORT_PCI, IOV_PORT_INITIATOR, IOV_PORT_MAP, 1, 0, ops, words)

/* A contract that other parts look up: struct iov_processor, iov_apic, iov_program. */
#define IOV_PORT_CONTRACT(mc, Type, field, ptype, words) \
    IOV_ROW_PORT(mc, Type, field, ptype, IOV_PORT_TARGET, 0, 1, 0, NULL, words)

#define IOV_STAT(mc, Type, field, words) \
    iov_model_class_add_stat((mc), &(struct iov_stat){ .name = iov_row_name(#field), \
                                                       .type = IOV_STAT_TYPE_COUNT, \
                                                       .offset = G_STRUCT_OFFSET(Type, field), \
                                                       .text = (words) })
#define IOV_STAT_TIME(mc, Type, field, words) \
    iov_model_class_add_stat((mc), &(struct iov_stat){ .name = iov_row_name(#field), \
                                                       .type = IOV_STAT_TYPE_TIME, \
                                                       .offset = G_STRUCT_OFFSET(Type, field), \
                                                       .text = (words) })
#define IOV_STAT_BYTES(mc, Type, field, words) \
    iov_model_class_add_stat((mc), &(struct iov_stat){ .name = iov_row_name(#field), \
                                                       .type = IOV_STAT_TYPE_BYTES, \
                                                       .offset = G_STRUCT_OFFSET(Type, field), \
                                                       .text = (words) })
#define IOV_STAT_HISTOGRAM(mc, Type, field, words) \
    iov_model_class_add_stat((mc), &(struct iov_stat){ .name = iov_row_name(#field), \
                                                       .type = IOV_STAT_TYPE_HISTOGRAM, \
                                                       .offset = G_STRUCT_OFFSET(Type, field), \
                                                       .text = (words) })

/* ---- Kinds ---- */

/* The type of a kind, or G_TYPE_INVALID. */
IOV_API GType iov_kind_find(const char *kind);
/* Names of all kinds, sorted; free with g_strfreev(). */
IOV_API char **iov_kind_list(void);
/* A class to read rows from; the caller keeps it referenced with the type system (never freed).
 * NULL if there is no such kind. */
IOV_API const struct iov_model_info *iov_kind_info(const char *kind);
/*
 * Loads every *.so of the folders in `search_path` (separated by ':'; NULL: none). A plug-in
 * exports `bool iov_plugin_init(GTypeModule *module)` and registers its kinds there. Errors:
 * IOV_ERROR_FILE.
 */
IOV_API bool iov_plugins_load(const char *search_path, GError **error);

/* ---- Instances ---- */

/*
 * A new part with default properties and its costs filled from run->costs (left 0 if that is NULL).
 * Unref it. Errors: IOV_ERROR_CONFIG for an unknown kind or a missing cost.
 */
IOV_API IovModel *iov_model_new(const char *kind, const char *path, struct iov_run *run,
                                GError **error);
/* The same for a model that is part of another; path = parent's path + "/" + name. Owned by the
 * parent, which realizes and starts it. */
IOV_API IovModel *iov_model_new_child(IovModel *parent, const char *kind, const char *name,
                                      GError **error);

/* Rows by name, or NULL. */
IOV_API const struct iov_property *iov_model_find_property(IovModel *model, const char *name);
IOV_API const struct iov_port *iov_model_find_port(IovModel *model, const char *name);
/* The address of the port's field (element `at` of an array). */
IOV_API void *iov_model_port(IovModel *model, const char *name, unsigned at);

/* Sets a number (in the base unit), a string or enum choice, a reference, a list. Checks type,
 * range, choices. Errors: IOV_ERROR_CONFIG. */
IOV_API bool iov_model_set_number(IovModel *model, const char *name, uint64_t value,
                                  GError **error);
IOV_API bool iov_model_set_string(IovModel *model, const char *name, const char *value,
                                  GError **error);
IOV_API bool iov_model_set_ref(IovModel *model, const char *name, IovModel *value, GError **error);
IOV_API bool iov_model_set_refs(IovModel *model, const char *name, IovModel *const *values,
                                unsigned count, GError **error);
IOV_API bool iov_model_set_counts(IovModel *model, const char *name, const uint64_t *values,
                                  unsigned count, GError **error);
/* Is the model of this kind, or of a kind derived from it? */
IOV_API bool iov_model_is_kind(IovModel *model, const char *kind);

/*
 * Connects two ports. `at`: base address for a map, index for an array, ignored otherwise; `has_at`
 * says whether the user gave one. Without it two arrays of one length are joined place by place.
 * Errors (IOV_ERROR_CONFIG): unknown port, different types, two initiators or two targets, already
 * wired, windows that overlap, index out of range, `at` missing.
 */
IOV_API bool iov_model_wire(IovModel *a, const char *port_a, IovModel *b, const char *port_b,
                            bool has_at, uint64_t at, GError **error);
/* Whether nothing is wired to a port (targets cannot tell: never). For arrays, the first
 * element. */
IOV_API bool iov_model_port_is_open(IovModel *model, const struct iov_port *row);
/* False with a message if a required port is open or a required property is unset. */
IOV_API bool iov_model_check_complete(IovModel *model, GError **error);

/*
 * Life-cycle steps; children follow their parent. A second call does nothing, so a parent that
 * needs its child's contracts in its own realize() may prepare and realize the child there.
 */
IOV_API bool iov_model_prepare(IovModel *model, GError **error);
IOV_API bool iov_model_realize(IovModel *model, GError **error);
IOV_API void iov_model_start(IovModel *model);
IOV_API void iov_model_unrealize(IovModel *model);
/* Pulls the reset line of a realized model: the class's hook, then the children. From outside of
 * events. */
IOV_API void iov_model_reset(IovModel *model);
/* Statistics rows to zero (histograms emptied), then the class's hook. */
IOV_API void iov_model_reset_statistics(IovModel *model);

/* Sets `error` to IOV_ERROR_CONFIG with "path: message"; returns false, so that realize can end
 * with it. */
IOV_API bool iov_model_fail(IovModel *model, GError **error, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

IOV_END_DECLS

#endif
