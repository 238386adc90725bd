/* SPDX-License-Identifier: Apache-2.0 */
/* The e1000 driver makes the accesses of Linux's driver, in its order and number. */
#include <stdio.h>

#include "tests/models/guest/fake-net.h"

#include "models/guest/driver-e1000-private.h"
#include "models/nic/e1000-regs.h"

/* An adapter that answers: what is sent comes back with addresses and ports exchanged, at once or
 * after `delay`. */
struct adapter {
    struct iov_event reply;
    iov_time delay;
    struct machine *machine;
    uint32_t regs[0x8000];
    uint16_t phy[32];
    uint16_t eeprom[E1000_EEPROM_WORDS];
    uint32_t eecd;
    uint32_t shift;
    unsigned bits;
    uint16_t out;
    uint32_t tdh;
    uint32_t rdh;
    uint8_t frame[2048];
    uint32_t size;
    struct iov_span *span;
};

static void update_line(struct adapter *self)
{
    uint32_t causes = self->regs[E1000_ICR / 4] & self->regs[E1000_IMS / 4];

    self->machine->line_level = causes != 0;
    machine_sense_line(self->machine);
}

static void raise_causes(struct adapter *self, uint32_t causes)
{
    self->regs[E1000_ICR / 4] |= causes;
    update_line(self);
}

static void eeprom_write(struct adapter *self, uint32_t value)
{
    bool rises = value & E1000_EECD_SK && !(self->eecd & E1000_EECD_SK);

    value = (value & ~E1000_EECD_DO) | (self->eecd & E1000_EECD_DO);
    if (!(value & E1000_EECD_CS)) {
        self->bits = 0;
        self->shift = 0;
    } else if (rises && self->bits < 9) {
        self->shift = self->shift << 1 | (value & E1000_EECD_DI ? 1 : 0);
        if (++self->bits == 9)
            self->out = self->eeprom[self->shift & 0x3f];
    } else if (rises) {
        value = (value & ~E1000_EECD_DO) | (self->out & 0x8000 ? E1000_EECD_DO : 0);
        self->out = (uint16_t)(self->out << 1);
    }
    self->eecd = value;
}

static void phy_access(struct adapter *self, uint32_t value)
{
    uint32_t reg = value >> E1000_MDIC_REGISTER_SHIFT & 31;

    if (value & E1000_MDIC_WRITE && reg != E1000_PHY_STATUS)
        self->phy[reg] = (uint16_t)value;
    self->regs[E1000_MDIC / 4] = (value & ~0xffffu) | self->phy[reg] | E1000_MDIC_READY;
}

static void exchange(uint8_t *a, uint8_t *b, size_t size)
{
    uint8_t kept[8];

    memcpy(kept, a, size);
    memcpy(a, b, size);
    memcpy(b, kept, size);
}

static void store_reply(struct adapter *self)
{
    struct machine *machine = self->machine;
    uint64_t at = self->regs[E1000_RDBAL / 4] + 16 * self->rdh;
    struct e1000_rx_descriptor descriptor;

    exchange(self->frame, self->frame + 6, 6);
    exchange(self->frame + 26, self->frame + 30, 4);
    exchange(self->frame + 34, self->frame + 36, 2);
    memcpy(&descriptor, machine->ram + at, sizeof descriptor);
    memcpy(machine->ram + descriptor.address, self->frame, self->size);
    *machine_tag(machine, descriptor.address) = self->span;
    descriptor.length = (uint16_t)self->size;
    descriptor.status = E1000_RXD_STATUS_DD | E1000_RXD_STATUS_EOP | E1000_RXD_STATUS_TCPCS;
    memcpy(machine->ram + at, &descriptor, sizeof descriptor);
    self->rdh = (self->rdh + 1) % E1000_RING;
}

static void on_reply(struct iov_event *event)
{
    struct adapter *self = iov_container_of(event, struct adapter, reply);

    store_reply(self);
    raise_causes(self, E1000_ICR_RXT0);
}

static void send_frame(struct adapter *self, const struct e1000_tx_descriptor *descriptor)
{
    struct machine *machine = self->machine;

    self->size = descriptor->lower & 0xffff;
    memcpy(self->frame, machine->ram + descriptor->address, self->size);
    self->span = *machine_tag(machine, descriptor->address);
    if (self->delay == 0)
        store_reply(self);
    else if (!iov_event_armed(&self->reply))
        iov_event_in(&self->reply, self->delay);
}

static void transmit(struct adapter *self)
{
    while (self->tdh != self->regs[E1000_TDT / 4]) {
        uint8_t *at = self->machine->ram + self->regs[E1000_TDBAL / 4] + 16 * self->tdh;
        struct e1000_tx_descriptor descriptor;

        memcpy(&descriptor, at, sizeof descriptor);
        if (descriptor.lower & E1000_TXD_EOP) {
            send_frame(self, &descriptor);
            descriptor.upper |= E1000_TXD_STATUS_DD;
            memcpy(at, &descriptor, sizeof descriptor);
        }
        self->tdh = (self->tdh + 1) % E1000_RING;
    }
    raise_causes(self, E1000_ICR_TXDW | E1000_ICR_TXQE | (self->delay == 0 ? E1000_ICR_RXT0 : 0));
}

static uint64_t adapter_read(struct machine *machine, uint64_t address, uint32_t size)
{
    struct adapter *self = machine->device;
    uint32_t reg = (uint32_t)(address - MACHINE_REGISTERS);
    uint32_t value = self->regs[reg / 4];

    cr_assert(eq(u32, size, 4));
    if (reg == E1000_EECD)
        return self->eecd | E1000_EECD_PRES | (self->eecd & E1000_EECD_REQ ? E1000_EECD_GNT : 0);
    if (reg == E1000_ICR) {
        self->regs[E1000_ICR / 4] = 0;
        update_line(self);
    }
    return value;
}

static void adapter_write(struct machine *machine, uint64_t address, uint32_t size, uint64_t value)
{
    struct adapter *self = machine->device;
    uint32_t reg = (uint32_t)(address - MACHINE_REGISTERS);
    uint32_t *mask = &self->regs[E1000_IMS / 4];

    (void)size;
    switch (reg) {
    case E1000_STATUS:
        break;
    case E1000_IMS:
        *mask |= (uint32_t)value;
        update_line(self);
        break;
    case E1000_IMC:
        *mask &= ~(uint32_t)value;
        update_line(self);
        break;
    case E1000_ICS:
        raise_causes(self, (uint32_t)value);
        break;
    case E1000_EECD:
        eeprom_write(self, (uint32_t)value);
        break;
    case E1000_MDIC:
        phy_access(self, (uint32_t)value);
        break;
    default:
        self->regs[reg / 4] = (uint32_t)value;
        if (reg == E1000_TDT && value != self->tdh)
            transmit(self);
    }
}

static struct adapter *adapter_new(struct machine *machine)
{
    struct adapter *self = g_new0(struct adapter, 1);
    uint16_t sum = 0;

    self->machine = machine;
    self->eeprom[0] = 0x5452;
    self->eeprom[2] = 0x5634;
    for (unsigned i = 0; i < E1000_EEPROM_CHECKSUM; i++)
        sum = (uint16_t)(sum + self->eeprom[i]);
    self->eeprom[E1000_EEPROM_CHECKSUM] = (uint16_t)(E1000_EEPROM_SUM - sum);
    self->regs[E1000_STATUS / 4] = E1000_STATUS_RESET;
    self->phy[E1000_PHY_STATUS] = 0x796d;
    iov_event_init(&self->reply, machine->kernel, on_reply, IOV_PRIORITY_DEFAULT);
    machine->device = self;
    machine->device_read = adapter_read;
    machine->device_write = adapter_write;
    machine_choose(machine->guest, "driver", "e1000");
    machine_set(machine->guest, "registers", MACHINE_REGISTERS);
    return self;
}

static void run_udp_rr(struct machine *machine, uint64_t operations, uint64_t warmup)
{
    machine_set_workload(machine, "udp-rr");
    machine_set(machine->workload, "operations", operations);
    machine_set(machine->workload, "warmup", warmup);
    machine_start(machine);
    iov_kernel_run_until(machine->kernel, 100 * IOV_SEC);
}

Test(driver_e1000, a_local_echo_costs_seven_accesses_and_one_interrupt)
{
    struct machine *machine = machine_new(100 * IOV_NS);
    struct adapter *adapter = adapter_new(machine);

    run_udp_rr(machine, 1000, 100);
    cr_assert(eq(u64, machine->measure->operations, 1000));
    cr_assert(eq(u64, machine->measure->mismatches, 0));
    cr_assert(eq(u64, machine->measure->counters.device_accesses, 7000));
    cr_assert(eq(u64, machine->measure->counters.interrupts, 1000));
    cr_assert(eq(u64, machine->measure->counters.kicks, 1000));
    g_free(adapter);
    machine_free(machine);
}

Test(driver_e1000, a_remote_echo_costs_twelve_accesses_and_two_interrupts)
{
    struct machine *machine = machine_new(100 * IOV_NS);
    struct adapter *adapter = adapter_new(machine);

    adapter->delay = 50 * IOV_US;
    run_udp_rr(machine, 1000, 100);
    cr_assert(eq(u64, machine->measure->operations, 1000));
    cr_assert(eq(u64, machine->measure->mismatches, 0));
    cr_assert(eq(u64, machine->measure->counters.device_accesses, 12000));
    cr_assert(eq(u64, machine->measure->counters.interrupts, 2000));
    g_free(adapter);
    machine_free(machine);
}

/* ---- Against the recorded driver ---- */

#define PORTS 0xc000u

static void write_port(struct machine *machine, uint32_t port, uint32_t size, uint64_t value)
{
    if (port >= PORTS && port < PORTS + E1000_IO_SIZE)
        fake_net_access(machine->device, "io", port - PORTS, size, value, true);
}

/* The next recorded access of a file; false at its end. */
static bool next_recorded(FILE *file, struct machine_access *ret_access)
{
    char line[128];
    char kind[4];
    unsigned long long first, second;

    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "%3s %llx %llx", kind, &first, &second) != 3 ||
            strchr("rwp", kind[0]) == NULL)
            continue;
        bool port = kind[0] == 'p';

        ret_access->direction = port ? kind[1] : kind[0];
        ret_access->address = first + (port ? PORTS : MACHINE_REGISTERS);
        ret_access->value = second;
        return true;
    }
    return false;
}

static bool is_device_access(const struct machine_access *access)
{
    bool register_access = access->address >= MACHINE_REGISTERS &&
                           access->address < MACHINE_REGISTERS + E1000_BAR_SIZE;

    return (access->direction == 'r' || access->direction == 'w') &&
           (register_access || access->address >> 8 == PORTS >> 8);
}

/* Where rings lie is the kernel's choice. */
static bool same(const struct machine_access *a, const struct machine_access *b)
{
    uint64_t reg = a->address - MACHINE_REGISTERS;
    bool base = reg == E1000_TDBAL || reg == E1000_RDBAL;

    return a->direction == b->direction && a->address == b->address &&
           (base || a->value == b->value);
}

Test(driver_e1000, loading_and_opening_make_the_recorded_accesses_in_order)
{
    struct machine *machine = machine_new(0);
    struct fake_net *net = fake_net_new(machine, "e1000");
    FILE *file = fopen(IOV_SOURCE_DIR "/tests/data/e1000-open.txt", "r");
    struct machine_access recorded;
    unsigned compared = 0;
    unsigned i = 0;

    cr_assert(ne(ptr, file, NULL));
    machine_choose(net->nic, "placement", "software");
    machine->port_write = write_port;
    machine_set_workload(machine, "udp-rr");
    machine_set(machine->workload, "operations", 1);
    machine_set(machine->workload, "warmup", 0);
    machine_choose(machine->guest, "tick", "none");
    fake_net_start(net);
    iov_kernel_run_until(machine->kernel, 10 * IOV_SEC);
    while (next_recorded(file, &recorded)) {
        while (i < machine->logged && !is_device_access(&machine->log[i]))
            i++;
        if (i == machine->logged || !same(&machine->log[i], &recorded))
            break;
        i++;
        compared++;
    }
    fclose(file);
    /* Up to the first interrupt after the driver asked for one: then the recorded kernel joins
     * multicast groups. */
    cr_assert(ge(uint, compared, 12171),
              "%u accesses are the same; then recorded %c %lx %lx, done %c %lx %lx", compared,
              recorded.direction, (unsigned long)recorded.address, (unsigned long)recorded.value,
              machine->log[i].direction, (unsigned long)machine->log[i].address,
              (unsigned long)machine->log[i].value);
    fake_net_free(net);
    machine_free(machine);
}

Test(driver_e1000, a_request_makes_the_recorded_accesses_in_order)
{
    static const struct {
        char direction;
        uint32_t reg;
    } recorded[] = {
        { 'w', E1000_TDT }, { 'r', E1000_ICR }, { 'w', E1000_IMC },    { 'r', E1000_STATUS },
        { 'w', E1000_RDT }, { 'w', E1000_IMS }, { 'r', E1000_STATUS },
    };
    struct machine *machine = machine_new(100 * IOV_NS);
    struct adapter *adapter = adapter_new(machine);
    unsigned device = 0;

    run_udp_rr(machine, 100, 10);
    unsigned first = machine->logged;

    /* Back to the doorbell of the last request. */
    while (machine->log[first - 1].address != MACHINE_REGISTERS + E1000_TDT)
        first--;
    for (unsigned i = first - 1; i < machine->logged; i++) {
        if (!is_device_access(&machine->log[i]))
            continue;
        cr_assert(lt(uint, device, G_N_ELEMENTS(recorded)));
        cr_expect(eq(chr, machine->log[i].direction, recorded[device].direction), "access %u",
                  device);
        cr_expect(eq(u64, machine->log[i].address, MACHINE_REGISTERS + recorded[device].reg),
                  "access %u", device);
        device++;
    }
    cr_assert(eq(uint, device, G_N_ELEMENTS(recorded)));
    g_free(adapter);
    machine_free(machine);
}

/* ---- Throttling: the values are those of the recorded TCP phases ---- */

Test(driver_e1000, throttling_loosens_at_once_and_tightens_in_quarters)
{
    IovLinuxGuest guest = { .interrupt_throttle_rate = 3 };
    struct e1000_driver driver = { .guest = &guest,
                                   .interrupts_per_second = 20000,
                                   .gigabit = false };
    const uint32_t steps[] = { 9000, 14000, 19000, 20000, 0 };

    cr_assert(eq(u32, iov_e1000_next_rate(&driver), 4000)); /* no gigabit link yet */
    driver.gigabit = true;
    driver.tx_latency = driver.rx_latency = E1000_LOW_LATENCY;
    driver.rx_total = (struct e1000_totals){ .packets = 1, .bytes = 90 };
    for (unsigned i = 0; i < G_N_ELEMENTS(steps); i++)
        cr_assert(eq(u32, iov_e1000_next_rate(&driver), steps[i]));
    driver.rx_total = (struct e1000_totals){ .packets = 40, .bytes = 60000 };
    cr_assert(eq(u32, iov_e1000_next_rate(&driver), 4000)); /* bulk */
    driver.rx_total = (struct e1000_totals){ .packets = 4, .bytes = 360 };
    cr_assert(eq(u32, iov_e1000_next_rate(&driver), 9000));
}

Test(driver_e1000, the_dynamic_mode_allows_the_lowest_latency)
{
    IovLinuxGuest guest = { .interrupt_throttle_rate = 1 };
    struct e1000_driver driver = { .guest = &guest,
                                   .interrupts_per_second = 60000,
                                   .gigabit = true };

    driver.tx_latency = driver.rx_latency = E1000_LOW_LATENCY;
    driver.tx_total = driver.rx_total = (struct e1000_totals){ .packets = 1, .bytes = 90 };
    cr_assert(eq(u32, iov_e1000_next_rate(&driver), 70000));
}

Test(driver_e1000, a_device_that_is_not_there_ends_the_run)
{
    struct machine *machine = machine_new(0);

    machine_choose(machine->guest, "driver", "e1000");
    machine_set(machine->guest, "registers", 0xf0000000);
    machine_set_workload(machine, "udp-rr");
    machine_start(machine);
    iov_kernel_run_until(machine->kernel, IOV_SEC);
    cr_assert(not(machine->measure->complete));
    cr_assert(eq(u64, ((IovLinuxGuest *)(void *)machine->guest)->faults, 1));
    machine_free(machine);
}
