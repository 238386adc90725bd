/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and writing values with units. A number is a mantissa and a count of decimal places; the
 * unit is a factor; the product is taken in 128 bits and must divide by the power of ten.
 */
#include "core/config/quantity.h"

#include <string.h>

#include "core/config/diagnostics.h"

#define KILO UINT64_C(1000)
#define KIBI UINT64_C(1024)
#define PLACES_MAX 18

__extension__ typedef unsigned __int128 wide;

static const struct unit {
    const char *name;
    enum iov_dimension dimension;
    uint64_t factor;
    bool canonical; /* iov_quantity_format() may use it */
} units[] = {
    { "", IOV_DIMENSION_COUNT, 1, true },
    { "ps", IOV_DIMENSION_TIME, IOV_PS, true },
    { "ns", IOV_DIMENSION_TIME, IOV_NS, true },
    { "us", IOV_DIMENSION_TIME, IOV_US, true },
    { "\302\265s", IOV_DIMENSION_TIME, IOV_US, false }, /* micro sign */
    { "\316\274s", IOV_DIMENSION_TIME, IOV_US, false }, /* Greek mu */
    { "ms", IOV_DIMENSION_TIME, IOV_MS, true },
    { "s", IOV_DIMENSION_TIME, IOV_SEC, true },
    { "B", IOV_DIMENSION_SIZE, 1, true },
    { "KiB", IOV_DIMENSION_SIZE, KIBI, true },
    { "MiB", IOV_DIMENSION_SIZE, KIBI *KIBI, true },
    { "GiB", IOV_DIMENSION_SIZE, KIBI *KIBI *KIBI, true },
    { "TiB", IOV_DIMENSION_SIZE, KIBI *KIBI *KIBI *KIBI, true },
    { "kB", IOV_DIMENSION_SIZE, KILO, false },
    { "MB", IOV_DIMENSION_SIZE, KILO *KILO, false },
    { "GB", IOV_DIMENSION_SIZE, KILO *KILO *KILO, false },
    { "TB", IOV_DIMENSION_SIZE, KILO *KILO *KILO *KILO, false },
    { "Hz", IOV_DIMENSION_FREQUENCY, 1, true },
    { "kHz", IOV_DIMENSION_FREQUENCY, KILO, true },
    { "MHz", IOV_DIMENSION_FREQUENCY, KILO *KILO, true },
    { "GHz", IOV_DIMENSION_FREQUENCY, KILO *KILO *KILO, true },
    { "bps", IOV_DIMENSION_RATE, 1, true },
    { "kbps", IOV_DIMENSION_RATE, KILO, true },
    { "Mbps", IOV_DIMENSION_RATE, KILO *KILO, true },
    { "Gbps", IOV_DIMENSION_RATE, KILO *KILO *KILO, true },
    { "Tbps", IOV_DIMENSION_RATE, KILO *KILO *KILO *KILO, true },
    { "B/s", IOV_DIMENSION_RATE, 8, false },
    { "kB/s", IOV_DIMENSION_RATE, 8 * KILO, false },
    { "MB/s", IOV_DIMENSION_RATE, 8 * KILO *KILO, false },
    { "GB/s", IOV_DIMENSION_RATE, 8 * KILO *KILO *KILO, false },
    { "cycles", IOV_DIMENSION_CYCLES, 1, true },
    { "cycle", IOV_DIMENSION_CYCLES, 1, false },
    { "%", IOV_DIMENSION_SHARE, 10000, true },
    { "ppm", IOV_DIMENSION_SHARE, 1, true },
};

static const struct {
    const char *is;    /* "'4KiB' is a size" */
    const char *wants; /* "wants a time such as 250ns" */
} words[IOV_DIMENSION_TOTAL] = {
    [IOV_DIMENSION_COUNT] = { "a plain number", "a plain number such as 256" },
    [IOV_DIMENSION_TIME] = { "a time", "a time such as 250ns" },
    [IOV_DIMENSION_SIZE] = { "a size", "a size such as 4KiB" },
    [IOV_DIMENSION_FREQUENCY] = { "a frequency", "a frequency such as 2.4GHz" },
    [IOV_DIMENSION_RATE] = { "a rate", "a rate such as 10Gbps" },
    [IOV_DIMENSION_CYCLES] = { "a number of cycles", "a number of cycles such as 1300cycles" },
    [IOV_DIMENSION_SHARE] = { "a share", "a share such as 10%" },
};

const char *iov_dimension_wants(enum iov_dimension dimension)
{
    g_return_val_if_fail(dimension < IOV_DIMENSION_TOTAL, NULL);
    return words[dimension].wants;
}

G_GNUC_PRINTF(2, 3)
static bool fail(GError **error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (error != NULL)
        *error = g_error_new_valist(IOV_ERROR, IOV_ERROR_CONFIG, format, arguments);
    va_end(arguments);
    return false;
}

struct number {
    uint64_t mantissa;
    unsigned places; /* the value is mantissa / 10^places */
};

/* Reads digits in a base onto `mantissa`; false if they do not fit. */
static bool read_digits(const char **text, unsigned base, uint64_t *mantissa, unsigned *ret_count)
{
    unsigned count = 0;

    for (;; (*text)++, count++) {
        int digit = base == 16 ? g_ascii_xdigit_value(**text) : g_ascii_digit_value(**text);
        if (digit < 0)
            break;
        if (__builtin_mul_overflow(*mantissa, (uint64_t)base, mantissa) ||
            __builtin_add_overflow(*mantissa, (uint64_t)digit, mantissa))
            return false;
    }
    *ret_count = count;
    return true;
}

/* Reads the number at the start of `*text` and moves `*text` to its unit. */
static bool read_number(const char **text, struct number *ret_number, GError **error)
{
    const char *whole = *text;
    struct number number = { 0, 0 };
    unsigned digits = 0, places = 0;
    bool hexadecimal = whole[0] == '0' && (whole[1] == 'x' || whole[1] == 'X');

    if (whole[0] == '-')
        return fail(error, "'%s' is negative", whole);
    if (hexadecimal)
        *text += 2;
    bool fits = read_digits(text, hexadecimal ? 16 : 10, &number.mantissa, &digits);
    if (fits && digits > 0 && !hexadecimal && **text == '.') {
        (*text)++;
        fits = read_digits(text, 10, &number.mantissa, &places);
        if (fits && places == 0)
            return fail(error, "'%s' has no digit behind the point", whole);
    }
    if (!fits || places > PLACES_MAX)
        return fail(error, "'%s' has too many digits", whole);
    if (digits == 0)
        return fail(error, "'%s' is not a number", whole);
    number.places = places;
    if (**text == ' ')
        (*text)++;
    *ret_number = number;
    return true;
}

/* The unit of a dimension that begins with this letter, whatever its case: "Gbps". */
static const char *unit_with_letter(enum iov_dimension dimension, char letter)
{
    for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
        if (units[i].dimension == dimension && units[i].canonical &&
            g_ascii_toupper(units[i].name[0]) == g_ascii_toupper(letter))
            return units[i].name;
    }
    return NULL;
}

static bool is_prefix(char letter)
{
    return letter != '\0' && strchr("kKMGT", letter) != NULL;
}

/* The rate that "Gb", "Mbit/s" and the like mean: of bits, while "GB/s" is of bytes. NULL:
 * something else. */
static const char *rate_of_bits(const char *unit)
{
    static const char *const bits[] = { "b", "bit", "bits", "b/s", "bit/s", "bits/s", NULL };

    if (!g_strv_contains(bits, is_prefix(unit[0]) ? unit + 1 : unit))
        return NULL;
    return unit_with_letter(IOV_DIMENSION_RATE, unit[0]);
}

/* What was probably meant, of the units of one dimension or of all (the total). */
static const char *unit_near(const char *unit, enum iov_dimension wanted)
{
    const char *names[G_N_ELEMENTS(units) + 1];
    const char *bits = wanted == IOV_DIMENSION_RATE ? rate_of_bits(unit) : NULL;
    unsigned count = 0;

    if (bits != NULL)
        return bits;
    for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
        if (wanted != IOV_DIMENSION_TOTAL && units[i].dimension != wanted)
            continue;
        if (g_ascii_strcasecmp(units[i].name, unit) == 0)
            return units[i].name;
        names[count++] = units[i].name;
    }
    names[count] = NULL;
    return iov_suggest(unit, names);
}

/* "k", "Ki" and the like: a prefix that lacks its unit, or a unit that is written otherwise. */
static bool fail_unit(const char *text, const char *unit, enum iov_dimension wanted, GError **error)
{
    bool bytes = wanted == IOV_DIMENSION_SIZE || wanted == IOV_DIMENSION_TOTAL;
    const char *near;

    if (strlen(unit) == 1 && is_prefix(unit[0])) {
        char size[] = { unit[0] == 'K' ? 'k' : unit[0], 'B', '\0' };

        near = wanted == IOV_DIMENSION_RATE || wanted == IOV_DIMENSION_FREQUENCY
                   ? unit_with_letter(wanted, unit[0])
                   : size;
        if (near != NULL)
            return fail(error,
                        "'%s' has a prefix but no unit; write the number in full, or with a unit "
                        "such as %s",
                        text, near);
    }
    if (bytes && g_ascii_strcasecmp(unit, "kb") == 0)
        return fail(error, "'%s' has no known unit; write KiB for 1024 or kB for 1000 bytes", text);
    near = unit_near(unit, wanted);
    if (near != NULL)
        return fail(error, "'%s' has no known unit; did you mean '%s'?", text, near);
    return fail(error, "'%s' has no known unit", text);
}

static const struct unit *find_unit(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
        if (strcmp(units[i].name, name) == 0)
            return &units[i];
    }
    return NULL;
}

/* A quantity of any dimension; `wanted` serves the message only. */
static bool parse(const char *text, enum iov_dimension wanted, struct iov_quantity *ret_quantity,
                  GError **error)
{
    const char *rest = text;
    struct number number = { 0, 0 };

    if (!read_number(&rest, &number, error))
        return false;
    const struct unit *unit = find_unit(rest);
    if (unit == NULL)
        return fail_unit(text, rest, wanted, error);

    wide product = (wide)number.mantissa * unit->factor;
    for (unsigned i = 0; i < number.places; i++) {
        if (product % 10 != 0)
            return fail(error, "'%s' is not a whole number of %s", text,
                        unit->dimension == IOV_DIMENSION_COUNT    ? "units"
                        : unit->dimension == IOV_DIMENSION_TIME   ? "picoseconds"
                        : unit->dimension == IOV_DIMENSION_SIZE   ? "bytes"
                        : unit->dimension == IOV_DIMENSION_CYCLES ? "cycles"
                                                                  : "base units");
        product /= 10;
    }
    if (product > UINT64_MAX)
        return fail(error, "'%s' is too large", text);
    ret_quantity->dimension = unit->dimension;
    ret_quantity->value = (uint64_t)product;
    return true;
}

bool iov_quantity_parse_any(const char *text, struct iov_quantity *ret_quantity, GError **error)
{
    return parse(text, IOV_DIMENSION_TOTAL, ret_quantity, error);
}

bool iov_quantity_parse(const char *text, enum iov_dimension wanted, const char *name,
                        uint64_t *ret_value, GError **error)
{
    struct iov_quantity quantity;
    GError *problem = NULL;

    g_return_val_if_fail(wanted < IOV_DIMENSION_TOTAL, false);
    if (!parse(text, wanted, &quantity, &problem)) {
        bool helped = strchr(problem->message, ';') != NULL;
        if (helped)
            fail(error, "%s", problem->message);
        else
            fail(error, "%s; '%s' wants %s", problem->message, name, words[wanted].wants);
        g_error_free(problem);
        return false;
    }
    bool bare_zero = quantity.dimension == IOV_DIMENSION_COUNT && quantity.value == 0;
    if (quantity.dimension != wanted && !bare_zero)
        return fail(error, "'%s' is %s; '%s' wants %s", text, words[quantity.dimension].is, name,
                    words[wanted].wants);
    *ret_value = quantity.value;
    return true;
}

/* The value as a decimal number of units, or NULL if it takes too many digits. */
static char *format_in(uint64_t value, const struct unit *unit)
{
    uint64_t whole = value / unit->factor;
    uint64_t rest = value % unit->factor;
    GString *text = g_string_new(NULL);

    g_string_append_printf(text, "%" G_GUINT64_FORMAT, whole);
    if (rest != 0)
        g_string_append_c(text, '.');
    for (unsigned places = 0; rest != 0; places++) {
        if (places == PLACES_MAX) {
            g_string_free(text, TRUE);
            return NULL;
        }
        wide next = (wide)rest * 10;
        g_string_append_c(text, (char)('0' + (int)(next / unit->factor)));
        rest = (uint64_t)(next % unit->factor);
    }
    g_string_append(text, unit->name);
    return g_string_free(text, FALSE);
}

char *iov_quantity_format(enum iov_dimension dimension, uint64_t value)
{
    char *best = NULL;

    g_return_val_if_fail(dimension < IOV_DIMENSION_TOTAL, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
        if (units[i].dimension != dimension || !units[i].canonical)
            continue;
        char *text = value == 0 && best != NULL ? NULL : format_in(value, &units[i]);
        struct iov_quantity back;
        bool better = text != NULL && (best == NULL || strlen(text) < strlen(best));
        if (better && iov_quantity_parse_any(text, &back, NULL)) {
            g_free(best);
            best = text;
        } else {
            g_free(text);
        }
    }
    return best;
}

bool iov_boolean_parse(const char *text, bool *ret_value)
{
    static const char *const yes[] = { "on", "yes", "true", NULL };
    static const char *const no[] = { "off", "no", "false", NULL };

    if (!g_strv_contains(yes, text) && !g_strv_contains(no, text))
        return false;
    *ret_value = g_strv_contains(yes, text);
    return true;
}

bool iov_cycles_to_time(uint64_t cycles, uint64_t frequency_hz, iov_time *ret_time)
{
    if (frequency_hz == 0)
        return false;
    wide time = ((wide)cycles * IOV_SEC + frequency_hz / 2) / frequency_hz;
    if (time > IOV_TIME_MAX)
        return false;
    *ret_time = (iov_time)time;
    return true;
}
