/* SPDX-License-Identifier: Apache-2.0 */
/* The router takes a message to the local APICs it addresses. */
#include "models/irq/ioapic-regs.h"
#include "tests/models/bench.h"

/* A part with a processor whose local APIC records what it accepts. */
#define IOV_TYPE_FAKE_CPU (iov_fake_cpu_get_type())
G_DECLARE_FINAL_TYPE(IovFakeCpu, iov_fake_cpu, IOV, FAKE_CPU, IovModel)

struct _IovFakeCpu {
    IovModel parent_instance;
    struct iov_processor processor;
    struct iov_apic apic;
    uint32_t logical;
    uint64_t tpr;
    unsigned accepted;
    uint8_t vector;
    bool level;
    iov_time when;
};

G_DEFINE_FINAL_TYPE(IovFakeCpu, iov_fake_cpu, IOV_TYPE_MODEL)

static bool fake_accept(struct iov_apic *apic, uint8_t vector, bool level, struct iov_span *span)
{
    IovFakeCpu *self = iov_container_of(apic, IovFakeCpu, apic);
    bool was_pending = self->accepted != 0 && self->vector == vector;

    self->accepted++;
    self->vector = vector;
    self->level = level;
    self->when = iov_now(self->parent_instance.kernel);
    apic->span = span;
    return !was_pending;
}

static bool fake_addressed(const struct iov_apic *apic, uint32_t destination, bool logical)
{
    const IovFakeCpu *self =
        (const IovFakeCpu *)(const void *)((const char *)apic - offsetof(IovFakeCpu, apic));

    return logical ? destination & self->logical : destination == apic->id || destination == 0xff;
}

static bool fake_read(struct iov_apic *apic, uint32_t offset, uint64_t *ret_value)
{
    *ret_value = iov_container_of(apic, IovFakeCpu, apic)->tpr;
    return offset == 0x80;
}

static const struct iov_apic_ops fake_ops = {
    .accept = fake_accept,
    .addressed = fake_addressed,
    .read = fake_read,
};

static void iov_fake_cpu_class_init(IovFakeCpuClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "fake-cpu", "A processor for tests");
    IOV_PORT_CONTRACT(mc, IovFakeCpu, processor, IOV_PORT_PROCESSOR, "A processor");
}

static void iov_fake_cpu_init(IovFakeCpu *self)
{
    self->apic.ops = &fake_ops;
    self->processor.apic = &self->apic;
}

static struct bench *bench;
static IovModel *router;
static IovFakeCpu *cpus[3];
static struct iov_mem_target *port;

static const struct bench_cost costs[] = { { "interrupt-message", 100 * IOV_NS }, { NULL, 0 } };

static void setup(void)
{
    IovModel *list[3];

    bench = bench_new(costs);
    for (unsigned i = 0; i < 3; i++) {
        cpus[i] = g_object_new(IOV_TYPE_FAKE_CPU, NULL);
        cpus[i]->parent_instance.run = &bench->run;
        cpus[i]->parent_instance.kernel = bench->run.kernel;
        cpus[i]->apic.id = i == 2 ? 0x12305 : i;
        cpus[i]->logical = 1u << i;
        list[i] = IOV_MODEL(cpus[i]);
    }
    router = bench_add(bench, "msi-router", "router");
    cr_assert(iov_model_set_refs(router, "cpus", list, 3, NULL));
    bench_prepare(bench);
    bench_start(bench);
    port = iov_model_port(router, "port", 0);
}

static void teardown(void)
{
    bench_free(bench);
    for (unsigned i = 0; i < 3; i++)
        g_object_unref(cpus[i]);
}

TestSuite(msi_router, .init = setup, .fini = teardown);

Test(msi_router, a_physical_message_reaches_its_processor_after_the_latency)
{
    bench_write(port, 0x1000, 4, 0x41);
    cr_assert(eq(uint, cpus[1]->accepted, 0));
    iov_kernel_run(bench->run.kernel);
    cr_assert(eq(uint, cpus[0]->accepted, 0));
    cr_assert(eq(uint, cpus[1]->accepted, 1));
    cr_assert(eq(u8, cpus[1]->vector, 0x41));
    cr_assert(eq(u64, cpus[1]->when, 100 * IOV_NS));
}

Test(msi_router, the_delay_of_the_write_comes_on_top)
{
    uint32_t data = 0x41;
    struct iov_mem_req req = bench_req(0, &data, 4);
    struct iov_span span;

    req.delay = 50 * IOV_NS;
    req.span = &span;
    port->ops->write(port, &req);
    iov_kernel_run(bench->run.kernel);
    cr_assert(eq(u64, cpus[0]->when, 150 * IOV_NS));
    cr_assert(eq(ptr, cpus[0]->apic.span, &span));
}

Test(msi_router, in_software_a_message_arrives_in_the_same_instant)
{
    bench_string(router, "placement", "software");
    bench_write(port, 0, 4, 0x41);
    cr_assert(eq(uint, cpus[0]->accepted, 1));
}

Test(msi_router, a_fixed_logical_message_reaches_all_that_it_addresses)
{
    bench_write(port, 0x3000 | MSI_ADDRESS_LOGICAL, 4, 0x41);
    iov_kernel_run(bench->run.kernel);
    cr_assert(eq(uint, cpus[0]->accepted, 1));
    cr_assert(eq(uint, cpus[1]->accepted, 1));
    cr_assert(eq(uint, cpus[2]->accepted, 0));
}

Test(msi_router, lowest_priority_picks_the_lowest_task_priority_and_takes_turns)
{
    cpus[0]->tpr = 0x20;
    bench_write(port, 0x7000 | MSI_ADDRESS_LOGICAL, 4, IRQ_MODE_LOWEST << 8 | 0x41);
    bench_write(port, 0x7000 | MSI_ADDRESS_LOGICAL | MSI_ADDRESS_REDIRECTION, 4, 0x42);
    iov_kernel_run(bench->run.kernel);
    cr_assert(eq(uint, cpus[0]->accepted, 0));
    cr_assert(eq(uint, cpus[1]->accepted, 1));
    cr_assert(eq(uint, cpus[2]->accepted, 1));
}

Test(msi_router, a_level_message_says_so_and_its_deassertion_is_nothing)
{
    bench_write(port, 0, 4, MSI_DATA_LEVEL | MSI_DATA_ASSERT | 0x41);
    bench_write(port, 0, 4, MSI_DATA_LEVEL | 0x41);
    iov_kernel_run(bench->run.kernel);
    cr_assert(eq(uint, cpus[0]->accepted, 1));
    cr_assert(cpus[0]->level);
}

Test(msi_router, whole_addresses_carry_32_bit_destinations)
{
    struct iov_mem_target *extended = iov_model_port(router, "extended", 0);

    bench_write(extended, UINT64_C(0x0001230000000000) | 0xfee05000, 4, 0x55);
    iov_kernel_run(bench->run.kernel);
    cr_assert(eq(uint, cpus[2]->accepted, 1));
}

Test(msi_router, what_is_no_interrupt_message_is_refused_or_dropped_and_counted)
{
    uint64_t value = 0x41;
    struct iov_mem_req req = bench_req(0, &value, 8);

    cr_assert(eq(int, port->ops->write(port, &req), IOV_STATUS_UNSUPPORTED));
    req.size = 4;
    req.address = 2;
    cr_assert(eq(int, port->ops->write(port, &req), IOV_STATUS_UNSUPPORTED));
    cr_assert(eq(int, port->ops->read(port, &req), IOV_STATUS_UNSUPPORTED));
    bench_write(port, 0, 4, IRQ_MODE_NMI << 8 | 2);
    bench_write(port, 0, 4, 0x0f);
    bench_write(port, 0x99000, 4, 0x41);
    iov_kernel_run(bench->run.kernel);
    cr_assert(eq(u64, bench_stat(router, "unsupported"), 4));
    cr_assert(eq(u64, bench_stat(router, "unaddressed"), 1));
    cr_assert(eq(uint, cpus[0]->accepted, 0));
}

Test(msi_router, messages_on_their_way_do_not_outlive_the_router)
{
    bench_write(port, 0, 4, 0x41);
    bench_write(port, 0x1000, 4, 0x42);
}
