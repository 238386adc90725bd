/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rtc - the real-time clock of a PC (MC146818A) with 128 bytes of battery-backed memory.
 *
 * The clock starts at `base` and is a function of time: seconds since the anchor, at which a second
 * began. An event is armed for each second (update, alarm) and one for the periodic interrupt while
 * it is enabled. The update bit is set for the last 8 ticks of 32768 Hz of each second.
 *
 * SPEC: MC146818A data sheet. LIMIT: the update itself takes no time; the periodic flag is raised
 * only while its interrupt is enabled, and its phase begins with that; no daylight saving; a time
 * that is no time is carried over (61 seconds are a minute and one). The memory has what firmware
 * would have left there of memory sizes and processors.
 */
#include "core/object/model.h"
#include "models/legacy/ports-private.h"
#include "models/legacy/rtc-regs.h"

#define CRYSTAL 32768u /* Hz */
#define UPDATE_TICKS 8u
#define DAY 86400

#define IOV_TYPE_RTC (iov_rtc_get_type())
G_DECLARE_FINAL_TYPE(IovRtc, iov_rtc, IOV, RTC, IovModel)

struct _IovRtc {
    IovModel parent_instance;
    char *base;                      /* property */
    uint64_t memory;                 /* property */
    uint64_t memory_high;            /* property */
    uint64_t processors;             /* property */
    struct iov_count_list contents;  /* property */
    struct iov_mem_target registers; /* port */
    struct iov_irq_source interrupt; /* port */
    struct iov_event second;         /* armed for the next update */
    struct iov_event periodic;       /* armed while its interrupt is enabled */
    uint8_t index;
    uint8_t bytes[RTC_SIZE];
    int64_t seconds;   /* since 1970 at `anchor` */
    iov_time anchor;   /* a second began */
    iov_time phase;    /* how far the second was when the clock stopped */
    uint8_t week_turn; /* weekday that was set, less the calendar's */
    uint64_t periodic_tick;
    uint64_t updates, alarms, interrupts; /* statistics */
};

G_DEFINE_FINAL_TYPE(IovRtc, iov_rtc, IOV_TYPE_MODEL)

/* ---- Calendar (proleptic Gregorian) ---- */

struct date {
    int64_t year;
    int month; /* 1 to 12 */
    int day;
};

/* Days since 1970-01-01; a month is counted from March, so that the leap day comes last. */
static int64_t days_of(int64_t year, int month, int day)
{
    int64_t y = year - (month <= 2), cycle = (y >= 0 ? y : y - 399) / 400;
    int64_t in_cycle = y - cycle * 400;
    int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return cycle * 146097 + in_cycle * 365 + in_cycle / 4 - in_cycle / 100 + in_year - 719468;
}

static struct date date_of(int64_t days)
{
    int64_t shifted = days + 719468;
    int64_t cycle = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t in_cycle = shifted - cycle * 146097;
    int64_t year = (in_cycle - in_cycle / 1460 + in_cycle / 36524 - in_cycle / 146096) / 365;
    int64_t in_year = in_cycle - (365 * year + year / 4 - year / 100);
    int month = (int)((5 * in_year + 2) / 153);

    return (struct date){ .year = year + cycle * 400 + (month >= 10),
                          .month = month < 10 ? month + 3 : month - 9,
                          .day = (int)(in_year - (153 * month + 2) / 5 + 1) };
}

/* ---- Bytes of the clock ---- */

static bool counting(const IovRtc *self)
{
    return !(self->bytes[RTC_B] & RTC_B_SET) &&
           (self->bytes[RTC_A] & RTC_A_DIVIDER) <= RTC_A_DIVIDER_32K;
}

static uint8_t encode(const IovRtc *self, int64_t value)
{
    unsigned number = (unsigned)value % 100;

    return (uint8_t)(self->bytes[RTC_B] & RTC_B_BINARY ? number : number / 10 << 4 | number % 10);
}

static int decode(const IovRtc *self, uint8_t byte)
{
    return self->bytes[RTC_B] & RTC_B_BINARY ? byte : (byte >> 4) * 10 + (byte & 15);
}

static uint8_t encode_hours(const IovRtc *self, int hours)
{
    if (self->bytes[RTC_B] & RTC_B_24H)
        return encode(self, hours);
    return encode(self, hours % 12 != 0 ? hours % 12 : 12) | (hours >= 12 ? RTC_HOURS_PM : 0);
}

static int decode_hours(const IovRtc *self, uint8_t byte)
{
    if (self->bytes[RTC_B] & RTC_B_24H)
        return decode(self, byte);
    return decode(self, byte & (uint8_t)~RTC_HOURS_PM) % 12 + (byte & RTC_HOURS_PM ? 12 : 0);
}

static iov_time now_of(const IovRtc *self)
{
    return iov_now(self->parent_instance.kernel);
}

/* Moves the anchor to the present second, and shows the time in the bytes. */
static void time_show(IovRtc *self)
{
    uint64_t passed = (now_of(self) - self->anchor) / IOV_SEC;
    int64_t days, rest;
    struct date date;

    if (!counting(self))
        return;
    self->seconds += (int64_t)passed;
    self->anchor += passed * IOV_SEC;
    rest = (self->seconds % DAY + DAY) % DAY;
    days = (self->seconds - rest) / DAY;
    date = date_of(days);
    self->bytes[RTC_SECONDS] = encode(self, rest % 60);
    self->bytes[RTC_MINUTES] = encode(self, rest / 60 % 60);
    self->bytes[RTC_HOURS] = encode_hours(self, (int)(rest / 3600));
    self->bytes[RTC_WEEKDAY] = encode(self, ((days + 4) % 7 + 7 + self->week_turn) % 7 + 1);
    self->bytes[RTC_DAY] = encode(self, date.day);
    self->bytes[RTC_MONTH] = encode(self, date.month);
    self->bytes[RTC_YEAR] = encode(self, date.year % 100);
    self->bytes[CMOS_CENTURY] = encode(self, date.year / 100);
}

/* The other way round. */
static void time_take(IovRtc *self)
{
    int64_t year =
        decode(self, self->bytes[CMOS_CENTURY]) * 100 + decode(self, self->bytes[RTC_YEAR]);
    int month = decode(self, self->bytes[RTC_MONTH]) - 1;
    int64_t days;

    if (month < 0)
        month = 0;
    days = days_of(year + month / 12, month % 12 + 1, 1) + decode(self, self->bytes[RTC_DAY]) - 1;
    self->seconds = days * DAY + decode_hours(self, self->bytes[RTC_HOURS]) * 3600 +
                    decode(self, self->bytes[RTC_MINUTES]) * 60 +
                    decode(self, self->bytes[RTC_SECONDS]);
    days = (self->seconds - (self->seconds % DAY + DAY) % DAY) / DAY;
    self->week_turn =
        (uint8_t)(((decode(self, self->bytes[RTC_WEEKDAY]) - 1 - (days + 4)) % 7 + 7) % 7);
}

/* ---- Interrupts ---- */

/* SPEC: a flag and its enable together are the request. */
static void request_update(IovRtc *self)
{
    bool request = self->bytes[RTC_C] & self->bytes[RTC_B] & RTC_C_FLAGS;

    self->bytes[RTC_C] = (self->bytes[RTC_C] & RTC_C_FLAGS) | (request ? RTC_C_REQUEST : 0);
    self->interrupts += request && !self->interrupt.level;
    iov_irq_set(&self->interrupt, request, NULL);
}

static bool alarm_fits(const IovRtc *self, unsigned place, int value)
{
    uint8_t byte = self->bytes[place];
    int wanted = place == RTC_HOURS_ALARM ? decode_hours(self, byte) : decode(self, byte);

    return (byte & RTC_ALARM_ANY) == RTC_ALARM_ANY || wanted == value;
}

static void second_arm(IovRtc *self)
{
    iov_event_disarm(&self->second);
    if (counting(self))
        iov_event_at(&self->second,
                     self->anchor + ((now_of(self) - self->anchor) / IOV_SEC + 1) * IOV_SEC);
}

static void on_second(struct iov_event *event)
{
    IovRtc *self = iov_container_of(event, IovRtc, second);
    int rest;

    time_show(self);
    rest = (int)((self->seconds % DAY + DAY) % DAY);
    self->updates++;
    self->bytes[RTC_C] |= RTC_C_UPDATE;
    if (alarm_fits(self, RTC_SECONDS_ALARM, rest % 60) &&
        alarm_fits(self, RTC_MINUTES_ALARM, rest / 60 % 60) &&
        alarm_fits(self, RTC_HOURS_ALARM, rest / 3600)) {
        self->alarms++;
        self->bytes[RTC_C] |= RTC_C_ALARM;
    }
    request_update(self);
    second_arm(self);
}

/* Ticks of the crystal between two periodic interrupts, 0: none. SPEC: table of rates. */
static uint64_t periodic_ticks(const IovRtc *self)
{
    unsigned rate = self->bytes[RTC_A] & RTC_A_RATE;

    if (rate == 0 || !(self->bytes[RTC_B] & RTC_B_PERIODIC) ||
        (self->bytes[RTC_A] & RTC_A_DIVIDER_RESET) == RTC_A_DIVIDER_RESET)
        return 0;
    return UINT64_C(1) << (rate <= 2 ? rate + 6 : rate - 1);
}

static iov_time tick_time(uint64_t tick)
{
    return (iov_time)(((unsigned __int128)tick * IOV_SEC + CRYSTAL - 1) / CRYSTAL);
}

static void periodic_begin(IovRtc *self)
{
    uint64_t ticks = periodic_ticks(self);

    iov_event_disarm(&self->periodic);
    if (ticks == 0)
        return;
    self->periodic_tick = (uint64_t)((unsigned __int128)now_of(self) * CRYSTAL / IOV_SEC) + ticks;
    iov_event_at(&self->periodic, tick_time(self->periodic_tick));
}

static void on_periodic(struct iov_event *event)
{
    IovRtc *self = iov_container_of(event, IovRtc, periodic);

    self->bytes[RTC_C] |= RTC_C_PERIODIC;
    request_update(self);
    self->periodic_tick += periodic_ticks(self);
    iov_event_at(&self->periodic, tick_time(self->periodic_tick));
}

/* ---- Registers ---- */

static uint8_t place_of(uint8_t index)
{
    return index == CMOS_CENTURY_2 ? CMOS_CENTURY : index;
}

static bool is_time(uint8_t place)
{
    return place == CMOS_CENTURY || place >= RTC_WEEKDAY
               ? place == CMOS_CENTURY || place <= RTC_YEAR
               : place % 2 == 0;
}

/* What a change of A or B means for the clock: it stops, it goes on, or it begins its second
 * anew. */
static void control_write(IovRtc *self, uint8_t a, uint8_t b)
{
    uint8_t old_a = self->bytes[RTC_A], old_b = self->bytes[RTC_B];
    bool was_reset = (old_a & RTC_A_DIVIDER_RESET) == RTC_A_DIVIDER_RESET;
    bool was_counting = counting(self);

    time_show(self);
    if (was_counting)
        self->phase = now_of(self) - self->anchor;
    if (b & RTC_B_SET) /* SPEC: setting SET clears the update interrupt's enable */
        b &= (uint8_t)~RTC_B_UPDATE;
    self->bytes[RTC_A] = a & (uint8_t)~RTC_A_UPDATE;
    self->bytes[RTC_B] = b;
    if (was_reset) /* SPEC: the first update comes half a second after the divider is let go */
        self->phase = IOV_SEC / 2;
    if (!was_counting && counting(self)) {
        time_take(self);
        self->anchor = now_of(self) - self->phase; /* maybe before time 0: differences hold */
    }
    second_arm(self);
    if ((old_a ^ a) & (RTC_A_RATE | RTC_A_DIVIDER) || (old_b ^ b) & RTC_B_PERIODIC)
        periodic_begin(self);
    request_update(self);
}

static void data_write(IovRtc *self, uint8_t value)
{
    uint8_t place = place_of(self->index);

    if (place == RTC_A) {
        control_write(self, value, self->bytes[RTC_B]);
    } else if (place == RTC_B) {
        control_write(self, self->bytes[RTC_A], value);
    } else if (is_time(place)) {
        time_show(self);
        self->bytes[place] = value;
        if (counting(self))
            time_take(self);
    } else if (place != RTC_C && place != RTC_D) {
        self->bytes[place] = value;
    }
}

/* SPEC: set at least 244 us before an update begins. */
static bool update_near(const IovRtc *self)
{
    iov_time within = (now_of(self) - self->anchor) % IOV_SEC;

    return counting(self) && within >= IOV_SEC - tick_time(UPDATE_TICKS);
}

static uint8_t data_read(IovRtc *self)
{
    uint8_t place = place_of(self->index);
    uint8_t value;

    if (is_time(place))
        time_show(self);
    value = self->bytes[place];
    if (place == RTC_A && update_near(self))
        value |= RTC_A_UPDATE;
    if (place == RTC_C) {
        self->bytes[RTC_C] = 0;
        request_update(self);
    }
    return value;
}

static uint8_t port_read(void *device, unsigned port)
{
    return port == RTC_DATA ? data_read(device) : 0xff;
}

static void port_write(void *device, unsigned port, uint8_t value)
{
    IovRtc *self = device;

    if (port == RTC_INDEX)
        self->index = value & (RTC_SIZE - 1);
    else
        data_write(self, value);
}

static enum iov_status registers_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_ports_read(port, req, port_read, iov_container_of(port, IovRtc, registers));
}

static enum iov_status registers_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_ports_write(port, req, port_write, iov_container_of(port, IovRtc, registers));
}

static const struct iov_mem_target_ops registers_ops = { .read = registers_read,
                                                         .write = registers_write };

/* ---- Life ---- */

/* "2006-06-17T16:01:21" */
static bool base_parse(const char *text, int64_t *ret_seconds)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd";
    int64_t field[6] = { 0 };
    unsigned n = 0;
    struct date back;

    if (strlen(text) != sizeof form - 1)
        return false;
    for (unsigned i = 0; i < sizeof form - 1; i++) {
        if (form[i] != 'd') {
            if (text[i] != form[i])
                return false;
            n++;
        } else if (!g_ascii_isdigit(text[i])) {
            return false;
        } else {
            field[n] = field[n] * 10 + (text[i] - '0');
        }
    }
    if (field[1] < 1 || field[1] > 12 || field[3] > 23 || field[4] > 59 || field[5] > 59)
        return false;
    *ret_seconds = days_of(field[0], (int)field[1], (int)field[2]) * DAY + field[3] * 3600 +
                   field[4] * 60 + field[5];
    back = date_of((*ret_seconds - (*ret_seconds % DAY + DAY) % DAY) / DAY);
    return back.month == field[1] && back.day == field[2];
}

static void put_bytes(IovRtc *self, unsigned place, unsigned count, uint64_t value)
{
    if (value >> (8 * count) != 0)
        value = UINT64_MAX;
    for (unsigned i = 0; i < count; i++)
        self->bytes[place + i] = (uint8_t)(value >> 8 * i);
}

static uint64_t above(uint64_t memory, uint64_t start, uint64_t unit)
{
    return memory > start ? (memory - start) / unit : 0;
}

static void memory_fill(IovRtc *self)
{
    put_bytes(self, CMOS_BASE_MEMORY, 2, MIN(self->memory / 1024, 640));
    put_bytes(self, CMOS_EXTENDED_MEMORY, 2, above(self->memory, 1 << 20, 1024));
    put_bytes(self, CMOS_EXTENDED_MEMORY_2, 2, above(self->memory, 1 << 20, 1024));
    put_bytes(self, CMOS_MEMORY_16M, 2, above(self->memory, 16 << 20, 65536));
    put_bytes(self, CMOS_MEMORY_HIGH, 3, self->memory_high / 65536);
    put_bytes(self, CMOS_PROCESSORS, 1, self->processors - 1);
    for (unsigned i = 0; i < self->contents.count; i++)
        self->bytes[self->contents.items[i] >> 8] = (uint8_t)self->contents.items[i];
}

static bool iov_rtc_realize(IovModel *model, GError **error)
{
    IovRtc *self = (IovRtc *)(void *)model;

    if (!base_parse(self->base, &self->seconds))
        return iov_model_fail(model, error, "base: '%s' is not a time such as 2006-06-17T16:01:21",
                              self->base);
    iov_event_init(&self->second, model->kernel, on_second, IOV_PRIORITY_DEFAULT);
    iov_event_init(&self->periodic, model->kernel, on_periodic, IOV_PRIORITY_DEFAULT);
    memory_fill(self);
    self->bytes[RTC_A] = RTC_A_DIVIDER_32K | 6; /* 1024 Hz */
    self->bytes[RTC_B] = RTC_B_24H;
    self->bytes[RTC_D] = RTC_D_VALID;
    self->anchor = iov_now(model->kernel);
    return true;
}

static void iov_rtc_start(IovModel *model)
{
    second_arm((IovRtc *)(void *)model);
}

/* SPEC: the reset pin clears interrupts and their enables; the battery keeps everything else. */
static void iov_rtc_reset(IovModel *model)
{
    IovRtc *self = (IovRtc *)(void *)model;

    self->index = 0;
    self->bytes[RTC_B] &= (uint8_t) ~(RTC_C_FLAGS | RTC_B_SQUARE_WAVE);
    self->bytes[RTC_C] = 0;
    periodic_begin(self);
    request_update(self);
}

static void iov_rtc_unrealize(IovModel *model)
{
    IovRtc *self = (IovRtc *)(void *)model;

    iov_event_disarm(&self->second);
    iov_event_disarm(&self->periodic);
}

static void iov_rtc_class_init(IovRtcClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "rtc", "Real-time clock and battery-backed memory of a PC");
    IOV_PROP_STRING(mc, IovRtc, base, "2000-01-01T00:00:00",
                    "Date and time at the start of the run");
    IOV_PROP_SIZE(mc, IovRtc, memory, 0, UINT64_C(1) << 32, 0,
                  "Memory below 4 GiB that the battery-backed memory tells of");
    IOV_PROP_SIZE(mc, IovRtc, memory_high, 0, UINT64_C(1) << 40, 0, "The same above 4 GiB");
    IOV_PROP_COUNT(mc, IovRtc, processors, 1, 256, 1, "Number it tells of");
    IOV_PROP_COUNT_LIST(mc, IovRtc, contents, 0x0e00, 0x7fff,
                        "Further bytes: 256 times the place, plus the value");
    IOV_PORT_MEM_TARGET(mc, IovRtc, registers, &registers_ops, "Two ports at 0x70");
    IOV_PORT_IRQ_SOURCE(mc, IovRtc, interrupt, "Interrupt line 8");
    IOV_STAT(mc, IovRtc, updates, "Seconds counted");
    IOV_STAT(mc, IovRtc, alarms, "Of them, those that the alarm fits");
    IOV_STAT(mc, IovRtc, interrupts, "Rising edges of the interrupt");
    mc->realize = iov_rtc_realize;
    mc->start = iov_rtc_start;
    mc->unrealize = iov_rtc_unrealize;
    mc->reset = iov_rtc_reset;
}

static void iov_rtc_init(IovRtc *self)
{
    self->registers.size = 2;
}
