/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of `iovsim compare`. Columns without any value are left out; where frames were dropped
 * there is a block of its own, and the knee if the key is a rate. */
#include <stdio.h>
#include <string.h>

#include "bindings/cli/compare-private.h"

enum { TEXT_SIZE = 32 }; /* of a number */

/* ---- Blocks of the table ---- */

static const struct row *row_at(const GPtrArray *rows, unsigned index)
{
    return g_ptr_array_index(rows, index);
}

static int name_width(const GPtrArray *rows, const char *title)
{
    size_t width = strlen(title);

    for (unsigned i = 0; i < rows->len; i++)
        width = MAX(width, strlen(row_at(rows, i)->name));
    return (int)width;
}

/* What each row has one of, in the order of the columns; in the CSV all, in the table those that
 * have a name there. */
static const struct {
    const char *name;
    const char *heading; /* of the CSV */
    size_t offset;       /* of a double in struct row */
    int digits, csv_digits;
} figures[] = {
#define FIGURE(name, heading, member, digits, csv_digits) \
    { \
        name, heading, G_STRUCT_OFFSET(struct row, member), digits, csv_digits \
    }
    FIGURE("exits", "exits_per_op", exits_total, 2, 4),
    FIGURE(NULL, "device_accesses_per_op", device_accesses, 0, 4),
    FIGURE("device", "device_exits_per_op", device_exits, 2, 4),
    FIGURE("to user", "user_exits_per_op", user_exits, 2, 4),
    FIGURE("irqs", "interrupts_per_op", interrupts, 2, 4),
    FIGURE("switches", "context_switches_per_op", switches, 2, 4),
    FIGURE("copies", "copies_per_op", copies, 2, 4),
    FIGURE("p50 us", "p50_us", figures.p50_us, 2, 3),
    FIGURE("p99 us", "p99_us", p99_us, 2, 3),
    FIGURE("p99.9 us", "p999_us", p999_us, 2, 3),
    FIGURE(NULL, "mean_us", mean_us, 0, 3),
    FIGURE("ops/s", "ops_per_s", figures.rate, 0, 1),
    FIGURE("Gb/s", "gbps", gbps, 2, 4),
    FIGURE("CPU us", "host_cpu_us_per_op", figures.cpu_us, 2, 3),
    FIGURE("full", "dedicated_cores", dedicated, 0, 0),
    FIGURE(NULL, "drops_per_op", drops, 0, 4),
    FIGURE(NULL, "dropped_share", drop_share, 0, 4),
#undef FIGURE
};

static double figure_of(const struct row *row, unsigned figure)
{
    return G_STRUCT_MEMBER(double, row, figures[figure].offset);
}

static const char *figure_text(const struct row *row, const char *column, char *buffer)
{
    unsigned figure = 0;

    while (g_strcmp0(figures[figure].name, column) != 0)
        figure++;
    g_snprintf(buffer, TEXT_SIZE, "%.*f", figures[figure].digits, figure_of(row, figure));
    return buffer;
}

/* The columns of a block: each as wide as what stands in it, and not narrower than most. */
static void add_block(GString *out, const GPtrArray *rows, const char *title, int width,
                      const GPtrArray *columns,
                      const char *(*text)(const struct row *row, const char *column, char *buffer))
{
    g_autofree int *widths = g_new(int, columns->len);
    char buffer[TEXT_SIZE];

    if (out->len > 0)
        g_string_append_c(out, '\n');
    g_string_append_printf(out, "%-*s", width, title);
    for (unsigned column = 0; column < columns->len; column++) {
        const char *name = g_ptr_array_index(columns, column);
        size_t widest = MAX(strlen(name), 6);

        for (unsigned i = 0; i < rows->len; i++)
            widest = MAX(widest, strlen(text(row_at(rows, i), name, buffer)));
        widths[column] = (int)widest;
        g_string_append_printf(out, "  %*s", widths[column], name);
    }
    g_string_append_c(out, '\n');
    for (unsigned i = 0; i < rows->len; i++) {
        g_string_append_printf(out, "%-*s", width, row_at(rows, i)->name);
        for (unsigned column = 0; column < columns->len; column++)
            g_string_append_printf(
                out, "  %*s", widths[column],
                text(row_at(rows, i), g_ptr_array_index(columns, column), buffer));
        g_string_append_c(out, '\n');
    }
}

static void add_figures(GString *out, const GPtrArray *rows, const char *title, int width)
{
    g_autoptr(GPtrArray) columns = g_ptr_array_new();

    for (unsigned i = 0; i < G_N_ELEMENTS(figures); i++) {
        if (figures[i].name != NULL)
            g_ptr_array_add(columns, (char *)(uintptr_t)figures[i].name);
    }
    add_block(out, rows, title, width, columns, figure_text);
    g_string_append_printf(
        out,
        "%-*s  exits, device (of its registers), to user, irqs, switches, "
        "copies, CPU: for each operation; full: threads that never let their processor go\n",
        width, "");
}

static const char *part_column(unsigned column)
{
    return iov_part_name((enum iov_part)column);
}

static const char *number_text(char *buffer, double value)
{
    g_snprintf(buffer, TEXT_SIZE, "%.2f", value);
    return buffer;
}

static double exits_of(const struct row *row, const char *reason)
{
    for (unsigned i = 0; i < IOV_MEASURE_REASONS; i++) {
        if (g_strcmp0(iov_exit_reason_name(i), reason) == 0)
            return row->exits[i];
    }
    return 0;
}

static const char *exit_text(const struct row *row, const char *column, char *buffer)
{
    return number_text(buffer, exits_of(row, column));
}

/* A reader looks for this block: it says so if there is nothing in it. */
static void add_exits(GString *out, const GPtrArray *rows, int width, const GPtrArray *reasons)
{
    const char *title = "exits/op by reason";

    if (reasons->len > 0)
        add_block(out, rows, title, width, reasons, exit_text);
    else
        g_string_append_printf(out, "\n%-*s  none for any reason\n", width, title);
}

static const char *part_text(const struct row *row, const char *column, char *buffer)
{
    for (unsigned i = 0; i < IOV_PART_COUNT; i++) {
        if (strcmp(part_column(i), column) == 0)
            return number_text(buffer, row->parts_us[i]);
    }
    return "";
}

static const char *drops_text(const struct row *row, const char *column, char *buffer)
{
    bool share = column[0] == '%';

    return number_text(buffer, share ? 100 * row->drop_share : row->drops);
}

static const char *cell_text(const GArray *cells, const char *column)
{
    for (unsigned i = 0; i < cells->len; i++) {
        if (strcmp(g_array_index(cells, struct cell, i).column, column) == 0)
            return g_array_index(cells, struct cell, i).text;
    }
    return "-";
}

static const char *thread_text(const struct row *row, const char *column, char *buffer)
{
    (void)buffer;
    return cell_text(row->threads, column);
}

static const char *guest_text(const struct row *row, const char *column, char *buffer)
{
    (void)buffer;
    return cell_text(row->guests, column);
}

static const char *doubt_text(const struct row *row, const char *column, char *buffer)
{
    (void)buffer;
    return cell_text(row->doubt, column);
}

static const char *fact_text(const struct row *row, const char *column, char *buffer)
{
    (void)buffer;
    return cell_text(row->facts, column);
}

/* The names of those columns of an array of doubles that any row has something in. */
static GPtrArray *used_columns(const GPtrArray *rows, size_t offset, unsigned count,
                               const char *(*name)(unsigned column))
{
    GPtrArray *columns = g_ptr_array_new();

    for (unsigned column = 0; column < count; column++) {
        bool used = false;

        for (unsigned i = 0; i < rows->len; i++) {
            double value;

            memcpy(&value, (const char *)row_at(rows, i) + offset + column * sizeof value,
                   sizeof value);
            used |= value >= 0.005;
        }
        if (used && name(column) != NULL)
            g_ptr_array_add(columns, (char *)(uintptr_t)name(column));
    }
    return columns;
}

/* The columns of all rows' cells, in the order of their coming. */
static GPtrArray *cell_columns(const GPtrArray *rows, size_t offset)
{
    GPtrArray *columns = g_ptr_array_new();

    for (unsigned i = 0; i < rows->len; i++) {
        const char *row = (const char *)row_at(rows, i);
        const GArray *cells = *(GArray *const *)(const void *)(row + offset);

        for (unsigned k = 0; k < cells->len; k++) {
            char *column = g_array_index(cells, struct cell, k).column;

            if (!g_ptr_array_find_with_equal_func(columns, column, g_str_equal, NULL))
                g_ptr_array_add(columns, column);
        }
    }
    return columns;
}

/* Only where some were: the knee of a load that is offered whatever becomes of it. */
static void add_drops(GString *out, const GPtrArray *rows, int width)
{
    g_autoptr(GPtrArray) columns = g_ptr_array_new();
    double all = 0;

    for (unsigned i = 0; i < rows->len; i++)
        all += row_at(rows, i)->drops;
    g_ptr_array_add(columns, (char *)(uintptr_t) "an op done");
    g_ptr_array_add(columns, (char *)(uintptr_t) "% of all");
    if (all > 0)
        add_block(out, rows, "frames dropped", width, columns, drops_text);
}

static void add_doubt(GString *out, const GPtrArray *rows, int width, const GPtrArray *columns)
{
    g_autofree char *title = g_strdup_printf("%u draws of all costs", row_at(rows, 0)->draws->len);

    add_block(out, rows, title, width, columns, doubt_text);
    g_string_append_printf(
        out,
        "%-*s  low, high: 5 and 95 %% of the draws; in each every cost is off by a factor "
        "of its own, the same in all rows; rank: 1 is best\n",
        width, "");
}

/* The row's value of the key as a number; false for anything else, such as a strategy. */
static bool offered(const struct row *row, double *ret_value)
{
    char *end;

    *ret_value = g_ascii_strtod(row->name, &end);
    return end != row->name && (*end == '\0' || g_ascii_isalpha(*end)); /* a unit */
}

/* Where frames were sent and lost, the figures of a row are not all of the same things. */
static void add_reading(GString *out, const GPtrArray *rows, int width)
{
    for (unsigned i = 0; i < rows->len; i++) {
        if (!row_at(rows, i)->sends || row_at(rows, i)->drops <= 0)
            continue;
        g_string_append_printf(out,
                               "%-*s  an operation is what was sent, lost or not: counts, latency "
                               "and CPU are of it; ops/s and Gb/s are what arrived\n",
                               width, "");
        return;
    }
}

/* Between which two values the drops begin, if the values rise and the first had none. */
static void add_knee(GString *out, const GPtrArray *rows, int width)
{
    double before, value;

    if (rows->len < 2 || row_at(rows, 0)->drops > 0 || !offered(row_at(rows, 0), &before))
        return;
    for (unsigned i = 1; i < rows->len; i++, before = value) {
        if (!offered(row_at(rows, i), &value) || value <= before)
            return;
        if (row_at(rows, i)->drops > 0) {
            g_string_append_printf(out, "%-*s  between %s and %s\n", width, "drops begin",
                                   row_at(rows, i - 1)->name, row_at(rows, i)->name);
            return;
        }
    }
}

char *compare_table(const GPtrArray *rows, const char *key)
{
    GString *out = g_string_new(NULL);
    int width = MAX(name_width(rows, key), name_width(rows, "mean latency by part, us"));
    g_autoptr(GPtrArray) exits = used_columns(rows, G_STRUCT_OFFSET(struct row, exits),
                                              IOV_MEASURE_REASONS, iov_exit_reason_name);
    g_autoptr(GPtrArray) parts =
        used_columns(rows, G_STRUCT_OFFSET(struct row, parts_us), IOV_PART_COUNT, part_column);
    g_autoptr(GPtrArray) threads = cell_columns(rows, G_STRUCT_OFFSET(struct row, threads));
    g_autoptr(GPtrArray) guests = cell_columns(rows, G_STRUCT_OFFSET(struct row, guests));
    g_autoptr(GPtrArray) doubt = cell_columns(rows, G_STRUCT_OFFSET(struct row, doubt));
    g_autoptr(GPtrArray) facts = cell_columns(rows, G_STRUCT_OFFSET(struct row, facts));

    add_figures(out, rows, key, width);
    add_drops(out, rows, width);
    add_knee(out, rows, width);
    add_reading(out, rows, width);
    add_exits(out, rows, width, exits);
    add_block(out, rows, "mean latency by part, us", width, parts, part_text);
    add_block(out, rows, "CPU us/op by thread", width, threads, thread_text);
    if (guests->len > 0)
        add_block(out, rows, "several guests", width, guests, guest_text);
    if (doubt->len > 0)
        add_doubt(out, rows, width, doubt);
    if (facts->len > 0)
        add_block(out, rows, "what it needs and allows", width, facts, fact_text);
    return g_string_free(out, FALSE);
}

/* ---- CSV ---- */

/* SPEC: RFC 4180, 2: a field with a comma or a quote in it is quoted. */
static void add_field(GString *out, const char *text)
{
    g_string_append_c(out, ',');
    if (strpbrk(text, ",\"\n") == NULL) {
        g_string_append(out, text);
        return;
    }
    g_string_append_c(out, '"');
    for (; *text != '\0'; text++)
        g_string_append_printf(out, *text == '"' ? "\"\"" : "%c", *text);
    g_string_append_c(out, '"');
}

/* "irq, idle exit" as the end of a column's name: "irq_idle_exit". */
static void add_heading(GString *out, const char *prefix, const char *column)
{
    g_string_append_printf(out, ",%s", prefix);
    for (; *column != '\0'; column++) {
        if (g_ascii_isalnum(*column) || *column == '/')
            g_string_append_c(out, *column);
        else if (out->str[out->len - 1] != '_')
            g_string_append_c(out, '_');
    }
}

/* The blocks of the table that are not in every comparison. */
struct csv_blocks {
    GPtrArray *exits, *threads, *guests, *doubt, *facts;
};

static void add_headings(GString *out, const struct csv_blocks *blocks)
{
    const struct {
        const char *prefix;
        const GPtrArray *columns;
    } all[] = { { "exits_per_op_", blocks->exits },
                { "cpu_us_per_op_", blocks->threads },
                { "", blocks->guests },
                { "doubt_", blocks->doubt },
                { "describe_", blocks->facts } };

    for (unsigned i = 0; i < G_N_ELEMENTS(all); i++) {
        for (unsigned column = 0; column < all[i].columns->len; column++)
            add_heading(out, all[i].prefix, g_ptr_array_index(all[i].columns, column));
    }
}

/* A thread that a row does not have used nothing; what else it does not have is empty. */
static void add_cells(GString *out, const GArray *cells, const GPtrArray *columns,
                      const char *missing)
{
    for (unsigned i = 0; i < columns->len; i++) {
        const char *text = cell_text(cells, g_ptr_array_index(columns, i));

        add_field(out, strcmp(text, "-") == 0 ? missing : text);
    }
}

static void add_row(GString *out, const struct row *row, const struct csv_blocks *blocks)
{
    g_string_append_printf(out, "%s,%" G_GUINT64_FORMAT, row->name, row->operations);
    for (unsigned i = 0; i < G_N_ELEMENTS(figures); i++)
        g_string_append_printf(out, ",%.*f", figures[i].csv_digits, figure_of(row, i));
    for (unsigned part = 0; part < IOV_PART_COUNT; part++)
        g_string_append_printf(out, ",%.4f", row->parts_us[part]);
    for (unsigned i = 0; i < blocks->exits->len; i++)
        g_string_append_printf(out, ",%.4f", exits_of(row, g_ptr_array_index(blocks->exits, i)));
    add_cells(out, row->threads, blocks->threads, "0.00");
    add_cells(out, row->guests, blocks->guests, "");
    add_cells(out, row->doubt, blocks->doubt, "");
    add_cells(out, row->facts, blocks->facts, "");
    g_string_append_c(out, '\n');
}

char *compare_csv(const GPtrArray *rows, const char *key)
{
    GString *out = g_string_new(key);
    g_autoptr(GPtrArray) exits = used_columns(rows, G_STRUCT_OFFSET(struct row, exits),
                                              IOV_MEASURE_REASONS, iov_exit_reason_name);
    g_autoptr(GPtrArray) threads = cell_columns(rows, G_STRUCT_OFFSET(struct row, threads));
    g_autoptr(GPtrArray) guests = cell_columns(rows, G_STRUCT_OFFSET(struct row, guests));
    g_autoptr(GPtrArray) doubt = cell_columns(rows, G_STRUCT_OFFSET(struct row, doubt));
    g_autoptr(GPtrArray) facts = cell_columns(rows, G_STRUCT_OFFSET(struct row, facts));
    const struct csv_blocks blocks = { exits, threads, guests, doubt, facts };

    g_string_append(out, ",operations");
    for (unsigned i = 0; i < G_N_ELEMENTS(figures); i++)
        g_string_append_printf(out, ",%s", figures[i].heading);
    for (unsigned part = 0; part < IOV_PART_COUNT; part++)
        g_string_append_printf(out, ",%s_us", part_column(part));
    add_headings(out, &blocks);
    g_string_append_c(out, '\n');
    for (unsigned i = 0; i < rows->len; i++)
        add_row(out, row_at(rows, i), &blocks);
    return g_string_free(out, FALSE);
}
