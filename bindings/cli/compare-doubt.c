/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a comparison if costs are off: the spread of each row's figures over the draws,
 * and of its place among the rows. */
#include "bindings/cli/compare-private.h"

/* Columns of the block: a figure of the draws, and whether more of it is better. */
static const struct drawn_figure {
    const char *name;
    size_t offset;
    int decimals;
    bool more_is_better;
} drawn_figures[] = {
    { "p50", G_STRUCT_OFFSET(struct figures, p50_us), 2, false },
    { "CPU", G_STRUCT_OFFSET(struct figures, cpu_us), 2, false },
    { "ops", G_STRUCT_OFFSET(struct figures, rate), 0, true },
};

static double drawn(const struct row *row, const struct drawn_figure *figure, unsigned draw)
{
    const struct figures *figures = &g_array_index(row->draws, struct figures, draw);

    return G_STRUCT_MEMBER(double, figures, figure->offset);
}

/* Of all rows in one draw; equals share it. */
static unsigned rank_of(const GPtrArray *rows, const struct row *row,
                        const struct drawn_figure *figure, unsigned draw)
{
    double own = drawn(row, figure, draw);
    unsigned rank = 1;

    for (unsigned i = 0; i < rows->len; i++) {
        double other = drawn(rows->pdata[i], figure, draw);

        rank += figure->more_is_better ? other > own : other < own;
    }
    return rank;
}

static int compare_doubles(const void *left, const void *right)
{
    const double *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

/* Sorts; that which `percent` of all are not above. */
static double percentile(GArray *values, unsigned percent)
{
    g_array_sort(values, compare_doubles);
    return g_array_index(values, double, (values->len * percent + 99) / 100 - 1);
}

/* Takes `text`. */
static void add_cell(GArray *cells, const struct drawn_figure *figure, const char *what, char *text)
{
    struct cell cell = { g_strdup_printf("%s %s", figure->name, what), text };

    g_array_append_val(cells, cell);
}

static void add_drawn(const GPtrArray *rows, struct row *row, const struct drawn_figure *figure)
{
    g_autoptr(GArray) values = g_array_new(FALSE, FALSE, sizeof(double));
    g_autoptr(GArray) ranks = g_array_new(FALSE, FALSE, sizeof(double));

    for (unsigned draw = 0; draw < row->draws->len; draw++) {
        double value = drawn(row, figure, draw), rank = rank_of(rows, row, figure, draw);

        g_array_append_val(values, value);
        g_array_append_val(ranks, rank);
    }
    add_cell(row->doubt, figure, "low",
             g_strdup_printf("%.*f", figure->decimals, percentile(values, 5)));
    add_cell(row->doubt, figure, "high",
             g_strdup_printf("%.*f", figure->decimals, percentile(values, 95)));
    add_cell(row->doubt, figure, "rank",
             g_strdup_printf("%.0f..%.0f", percentile(ranks, 5), percentile(ranks, 95)));
}

void compare_add_doubt(const GPtrArray *rows)
{
    for (unsigned i = 0; i < rows->len; i++) {
        for (unsigned k = 0; k < G_N_ELEMENTS(drawn_figures); k++)
            add_drawn(rows, rows->pdata[i], &drawn_figures[k]);
    }
}
