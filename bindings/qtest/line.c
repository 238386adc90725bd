/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line protocol: words separated by spaces, numbers as in C, one answer a command. A table maps
 * commands to functions; whatever is not understood is answered with FAIL and changes nothing.
 */
#include <inttypes.h>
#include <string.h>

#include "bindings/qtest/session.h"

#define READ_MAX (UINT64_C(64) << 20) /* bytes of one answer */
#define FILL_MAX (UINT64_C(1) << 30)
#define WORDS_MAX 5

struct command {
    struct session *session;
    const char *words[WORDS_MAX];
    unsigned count;
    guint64 numbers[WORDS_MAX]; /* of words that are numbers */
    unsigned size;              /* of the access */
};

typedef void command_fn(struct command *command);

static void answer(const struct command *command, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void answer(const struct command *command, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_string_append_vprintf(command->session->lines, format, arguments);
    va_end(arguments);
    g_string_append_c(command->session->lines, '\n');
}

/* ---- Accesses ---- */

static void do_in(struct command *command)
{
    guint64 value = machine_read(command->session->machine, SPACE_IO, command->numbers[1] & 0xffff,
                                 command->size);

    machine_settle(command->session->machine);
    answer(command, "OK 0x%04" PRIx64, value);
}

static void do_out(struct command *command)
{
    machine_write(command->session->machine, SPACE_IO, command->numbers[1] & 0xffff, command->size,
                  command->numbers[2]);
    machine_settle(command->session->machine);
    answer(command, "OK");
}

static void do_read_value(struct command *command)
{
    guint64 value =
        machine_read(command->session->machine, SPACE_MEMORY, command->numbers[1], command->size);

    machine_settle(command->session->machine);
    answer(command, "OK 0x%016" PRIx64, value);
}

static void do_write_value(struct command *command)
{
    machine_write(command->session->machine, SPACE_MEMORY, command->numbers[1], command->size,
                  command->numbers[2]);
    machine_settle(command->session->machine);
    answer(command, "OK");
}

/* The bytes that a command asks for, or NULL with an answer. */
static guint8 *bytes_read(struct command *command)
{
    guint64 count = command->numbers[2];
    guint8 *bytes;

    if (count > READ_MAX) {
        answer(command, "FAIL Too many bytes '%s'", command->words[2]);
        return NULL;
    }
    bytes = g_malloc(count + 1);
    machine_read_bytes(command->session->machine, command->numbers[1], bytes, count);
    machine_settle(command->session->machine);
    return bytes;
}

static void do_read(struct command *command)
{
    static const char digits[] = "0123456789abcdef";
    GString *out = command->session->lines;
    g_autofree guint8 *bytes = bytes_read(command);

    if (bytes == NULL)
        return;
    g_string_append(out, "OK 0x");
    for (guint64 i = 0; i < command->numbers[2]; i++) {
        g_string_append_c(out, digits[bytes[i] >> 4]);
        g_string_append_c(out, digits[bytes[i] & 15]);
    }
    g_string_append_c(out, '\n');
}

static void do_b64read(struct command *command)
{
    g_autofree guint8 *bytes = bytes_read(command);

    if (bytes == NULL)
        return;
    if (command->numbers[2] == 0) {
        answer(command, "OK ");
    } else {
        g_autofree char *text = g_base64_encode(bytes, command->numbers[2]);

        answer(command, "OK %s", text);
    }
}

/* Hexadecimal digits behind 0x; what is missing is zero, as an odd digit's other half. */
static void do_write(struct command *command)
{
    const char *text = command->words[3];
    bool prefixed = g_str_has_prefix(text, "0x");
    gsize digits = prefixed ? strlen(text + 2) : 0;
    guint64 count = command->numbers[2];
    g_autofree guint8 *bytes = NULL;

    if (!prefixed || strspn(text + 2, "0123456789abcdefABCDEF") != digits) {
        answer(command, "FAIL Invalid data");
        return;
    }
    if (count > READ_MAX) {
        answer(command, "FAIL Too many bytes '%s'", command->words[2]);
        return;
    }
    bytes = g_malloc0(count + 1);
    for (gsize i = 0; i < digits && i / 2 < count; i++)
        bytes[i / 2] = (guint8)(bytes[i / 2] << 4 | g_ascii_xdigit_value(text[2 + i]));
    machine_write_bytes(command->session->machine, command->numbers[1], bytes, count);
    machine_settle(command->session->machine);
    answer(command, "OK");
}

static void do_b64write(struct command *command)
{
    gsize size;
    g_autofree guchar *bytes = g_base64_decode(command->words[3], &size);

    if (size != command->numbers[2]) {
        answer(command, "FAIL b64 data has %" G_GSIZE_FORMAT " bytes", size);
        return;
    }
    machine_write_bytes(command->session->machine, command->numbers[1], bytes, size);
    machine_settle(command->session->machine);
    answer(command, "OK");
}

static void do_memset(struct command *command)
{
    guint8 piece[4096];
    guint64 address = command->numbers[1], left = command->numbers[2];

    if (left > FILL_MAX) {
        answer(command, "FAIL Too many bytes '%s'", command->words[2]);
        return;
    }
    memset(piece, (int)command->numbers[3], sizeof piece);
    while (left > 0) {
        gsize count = MIN(left, sizeof piece);

        machine_write_bytes(command->session->machine, address, piece, count);
        address += count;
        left -= count;
    }
    machine_settle(command->session->machine);
    answer(command, "OK");
}

/* ---- Clock ---- */

static void clock_answer(struct command *command)
{
    answer(command, "OK %" PRIu64, machine_now(command->session->machine));
}

/* Numbers of the clock have a sign, and time does not go back. */
static guint64 ahead(guint64 number)
{
    return (gint64)number > 0 ? number : 0;
}

static void do_clock_step(struct command *command)
{
    struct machine *machine = command->session->machine;

    machine_run_to(machine, command->count > 1 ? machine_now(machine) + ahead(command->numbers[1])
                                               : machine_next(machine));
    clock_answer(command);
}

static void do_clock_set(struct command *command)
{
    machine_run_to(command->session->machine, ahead(command->numbers[1]));
    clock_answer(command);
}

/* ---- Interrupts ---- */

static void do_intercept(struct command *command)
{
    bool outputs = strcmp(command->words[0], "irq_intercept_out") == 0;
    const char *problem = intercept_begin(command->session->intercept, command->words[1], outputs);

    if (problem != NULL)
        answer(command, "FAIL %s", problem);
    else
        answer(command, "OK");
}

/* set_irq_in PART PORT NUMBER LEVEL */
static void do_set_irq(struct command *command)
{
    IovModel *model = machine_find(command->session->machine, command->words[1]);
    const struct iov_port *port =
        model != NULL ? iov_model_find_port(model, command->words[2]) : NULL;
    struct iov_irq_sink *sink;

    if (port == NULL || port->type != IOV_PORT_IRQ || port->role != IOV_PORT_TARGET ||
        command->numbers[3] >= port->count) {
        answer(command, "FAIL Unknown input '%s.%s[%s]'", command->words[1], command->words[2],
               command->words[3]);
        return;
    }
    sink = iov_model_port(model, port->name, (unsigned)command->numbers[3]);
    sink->ops->set(sink, command->numbers[4] != 0, NULL);
    machine_settle(command->session->machine);
    answer(command, "OK");
}

static void do_endianness(struct command *command)
{
    answer(command, "OK little");
}

/* ---- The table ---- */

static const struct line_row {
    const char *name;
    const char *arguments; /* n: a number; w: a word; behind ? they may be missing */
    unsigned size;
    command_fn *run;
} rows[] = {
    { "endianness", "", 0, do_endianness },
    { "inb", "n", 1, do_in },
    { "inw", "n", 2, do_in },
    { "inl", "n", 4, do_in },
    { "outb", "nn", 1, do_out },
    { "outw", "nn", 2, do_out },
    { "outl", "nn", 4, do_out },
    { "readb", "n", 1, do_read_value },
    { "readw", "n", 2, do_read_value },
    { "readl", "n", 4, do_read_value },
    { "readq", "n", 8, do_read_value },
    { "writeb", "nn", 1, do_write_value },
    { "writew", "nn", 2, do_write_value },
    { "writel", "nn", 4, do_write_value },
    { "writeq", "nn", 8, do_write_value },
    { "read", "nn", 0, do_read },
    { "write", "nnw", 0, do_write },
    { "b64read", "nn", 0, do_b64read },
    { "b64write", "nnw", 0, do_b64write },
    { "memset", "nnn", 0, do_memset },
    { "clock_step", "?n", 0, do_clock_step },
    { "clock_set", "n", 0, do_clock_set },
    { "irq_intercept_in", "w", 0, do_intercept },
    { "irq_intercept_out", "w", 0, do_intercept },
    { "set_irq_in", "wwnn", 0, do_set_irq },
};

static bool number_parse(const char *text, guint64 *ret_value)
{
    bool negative = text[0] == '-';
    char *end;

    if (!g_ascii_isdigit(text[negative]))
        return false;
    *ret_value = g_ascii_strtoull(text + negative, &end, 0);
    if (negative)
        *ret_value = -*ret_value;
    return *end == '\0';
}

/* Checks the words behind the name against the row; false after an answer. */
static bool arguments_read(struct command *command, const struct line_row *row)
{
    const char *want = row->arguments;
    bool optional = *want == '?';

    want += optional;
    if (command->count - 1 > strlen(want) || (command->count - 1 < strlen(want) && !optional)) {
        answer(command, "FAIL Wrong number of arguments of '%s'", row->name);
        return false;
    }
    for (unsigned i = 1; i < command->count; i++) {
        if (want[i - 1] == 'n' && !number_parse(command->words[i], &command->numbers[i])) {
            answer(command, "FAIL Invalid number '%.64s'", command->words[i]);
            return false;
        }
    }
    return true;
}

void line_execute(struct session *session, const char *line)
{
    struct command command = { .session = session };
    g_auto(GStrv) words = g_strsplit(line, " ", -1);

    for (char **word = words; *word != NULL; word++) {
        if (**word == '\0')
            continue;
        if (command.count == WORDS_MAX) {
            answer(&command, "FAIL Too many words");
            return;
        }
        command.words[command.count++] = *word;
    }
    for (unsigned i = 0; command.count > 0 && i < G_N_ELEMENTS(rows); i++) {
        if (strcmp(rows[i].name, command.words[0]) != 0)
            continue;
        command.size = rows[i].size;
        if (arguments_read(&command, &rows[i]))
            rows[i].run(&command);
        session_attend(session);
        return;
    }
    answer(&command, "FAIL Unknown command '%.64s'", command.count > 0 ? command.words[0] : "");
}
