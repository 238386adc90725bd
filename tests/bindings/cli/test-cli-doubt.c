/* SPDX-License-Identifier: Apache-2.0 */
/* What the command says of costs that may be off: `sensitivity`, and `compare --draws`. */
#include "tests/bindings/cli/command.h"

TestSuite(cli_doubt, .init = make_folder, .fini = remove_folder, .timeout = 120);

#define PCIE_BENCH IOV_SOURCE_DIR "/configs/pcie-bench.yaml"

/* A request takes `latency` (1 us if nothing is said) and one cost, which is `confidence` sure. */
static void put_ticker(const char *confidence)
{
    g_autofree char *text =
        g_strdup_printf("iovsim: 1\n"
                        "vms: [{name: vm0, kind: ticker-vm}]\n"
                        "workload: {kind: ticker, operations: 100, jitter: 0ns}\n"
                        "costs: {ticker-turn: {value: 100ns, source: estimate, confidence: %s}}\n",
                        confidence);

    put_file("sure.yaml", text);
}

/* A cell of a CSV file by row (0: below the headings) and heading. */
static char *cell(const char *file, unsigned row, const char *heading)
{
    g_autofree char *csv = get_file(file);
    g_auto(GStrv) lines = g_strsplit(csv, "\n", -1);
    g_auto(GStrv) names = g_strsplit(lines[0], ",", -1);
    g_auto(GStrv) cells = NULL;

    cr_assert(lt(uint, row + 1, g_strv_length(lines) - 1), "%s", csv);
    cells = g_strsplit(lines[row + 1], ",", -1);
    for (unsigned i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], heading) == 0)
            return g_strdup(cells[i]);
    }
    cr_assert(false, "no column '%s' in %s", heading, lines[0]);
    return NULL;
}

static double number(const char *file, unsigned row, const char *heading)
{
    g_autofree char *text = cell(file, row, heading);

    return g_ascii_strtod(text, NULL);
}

/* A quantile lies in the middle of a slot, at most 1/2048 beside what it is of. */
static void is_about(double value, double wanted)
{
    cr_assert(epsilon_eq(dbl, value, wanted, wanted / 1000));
}

/* ---- sensitivity ---- */

Test(cli_doubt, a_cost_of_low_confidence_is_tried_at_half_and_at_twice_its_value)
{
    put_ticker("low");
    iovsim("sensitivity", "sure.yaml", "-o", "out");
    ended_with(0);
    says(out, "ticker-turn");
    says(out, "low, x 2");
    says(out, "1.05 ..   1.20");
    is_about(number("out/sensitivity.csv", 0, "p50_us_low"), 1.1);
    is_about(number("out/sensitivity.csv", 1, "p50_us_low"), 1.05);
    is_about(number("out/sensitivity.csv", 1, "p50_us_high"), 1.2);
    is_about(number("out/sensitivity.csv", 1, "ops_per_s_high"), 1e6 / 1.2);
}

Test(cli_doubt, how_far_a_cost_may_be_off_is_a_matter_of_its_confidence)
{
    static const struct {
        const char *confidence;
        double high;
    } levels[] = { { "high", 1.11 }, { "medium", 1.13 }, { "low", 1.2 } };

    for (unsigned i = 0; i < G_N_ELEMENTS(levels); i++) {
        put_ticker(levels[i].confidence);
        iovsim("sensitivity", "sure.yaml", "-o", "out");
        ended_with(0);
        is_about(number("out/sensitivity.csv", 1, "p50_us_high"), levels[i].high);
        iovsim("sensitivity", "sure.yaml", "-o", "out", "--doubt", "high=3,low=3,medium=3");
        is_about(number("out/sensitivity.csv", 1, "p50_us_high"), 1.3);
    }
}

Test(cli_doubt, what_no_table_rates_and_what_is_set_by_hand_is_not_in_doubt)
{
    iovsim("sensitivity", "ticker.yaml", "-o", "out"); /* says nothing of its confidence */
    ended_with(0);
    cr_assert(strstr(out, "ticker-turn") == NULL, "%s", out);
    put_ticker("low");
    iovsim("sensitivity", "sure.yaml", "--set", "costs.ticker-turn=300ns");
    ended_with(0);
    cr_assert(strstr(out, "ticker-turn") == NULL, "%s", out);
    says(out, "1.30");
}

Test(cli_doubt, the_cost_that_moves_the_result_most_comes_first)
{
    double before = G_MAXDOUBLE;
    g_autofree char *csv = NULL;

    iovsim("sensitivity", PCIE_BENCH, "-o", "out", "--top", "2");
    ended_with(0);
    cr_assert(eq(uint, count_lines(out), 5), "%s", out); /* headings, the file's, two, the rest */
    csv = get_file("out/sensitivity.csv");
    for (unsigned row = 1; row + 1 < count_lines(csv); row++) {
        double swing = number("out/sensitivity.csv", row, "p50_us_high") -
                       number("out/sensitivity.csv", row, "p50_us_low");

        swing = swing < 0 ? -swing : swing;
        cr_assert(le(dbl, swing, before));
        before = swing;
    }
}

Test(cli_doubt, a_cost_that_each_operation_pays_once_moves_its_latency_by_as_much)
{
    g_autofree char *first = NULL;

    iovsim("sensitivity", PCIE_BENCH, "-o", "out");
    first = cell("out/sensitivity.csv", 1, "cost");
    is_text(first, "dma-engine-latency"); /* 100 ns, of low confidence */
    cr_assert(epsilon_eq(dbl,
                         number("out/sensitivity.csv", 1, "p50_us_high") -
                             number("out/sensitivity.csv", 0, "p50_us_high"),
                         0.1, 0.001));
}

Test(cli_doubt, sensitivity_tells_what_it_cannot_take)
{
    static const struct {
        const char *option, *value, *message;
    } bad[] = {
        { "--by", "latency", "--by: 'latency' is none of p50, cpu, ops" },
        { "--top", "-1", "--top wants a number that is not negative" },
        { "--doubt", "low", "'low' is no LEVEL=FACTOR" },
        { "--doubt", "low=0.5", "'low=0.5' is no LEVEL=FACTOR with a factor from 1 to 1000" },
        { "--doubt", "low=2,great=3", "'great' is no level of confidence: high, medium, low" },
        { "--set", "costs.ticker-trun=1ns", "no kind has a cost 'ticker-trun'" },
    };

    put_ticker("low");
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        iovsim("sensitivity", "sure.yaml", bad[i].option, bad[i].value, "-o", "out");
        ended_with(2);
        says(err, bad[i].message);
        is_text(out, "");
        cr_assert(eq(int, has_file("out/sensitivity.csv"), false));
    }
}

/* ---- compare --draws ---- */

Test(cli_doubt, draws_spread_a_figure_no_further_than_its_costs_are_in_doubt)
{
    put_ticker("low");
    iovsim("compare", "sure.yaml", "--over", "workload.latency=1us,5us", "--draws", "40", "-o",
           "out");
    ended_with(0);
    says(out, "40 draws of all costs");
    for (unsigned row = 0; row < 2; row++) {
        double latency = row == 0 ? 1 : 5, low = number("out/compare.csv", row, "doubt_p50_low"),
               high = number("out/compare.csv", row, "doubt_p50_high");

        cr_assert(ge(dbl, low, latency + 0.05 - 0.005)); /* printed with two decimals */
        cr_assert(lt(dbl, low, latency + 0.1));
        cr_assert(gt(dbl, high, latency + 0.1));
        cr_assert(le(dbl, high, latency + 0.2 + 0.005));
    }
}

Test(cli_doubt, a_draw_is_the_same_in_all_rows_so_that_their_order_can_be_trusted)
{
    g_autofree char *rank = NULL, *twin = NULL;

    put_ticker("low");
    iovsim("compare", "sure.yaml", "--over", "workload.latency=1us,1020ns", "--draws", "40", "-o",
           "out");
    ended_with(0);
    /* The spread is 150 ns, the difference 20 ns: it stands in every single draw. */
    rank = cell("out/compare.csv", 1, "doubt_p50_rank");
    is_text(rank, "2..2");
    iovsim("compare", "sure.yaml", "--over", "title=one,other", "--draws", "40", "-o", "out");
    twin = cell("out/compare.csv", 1, "doubt_ops_rank");
    is_text(twin, "1..1");
}

Test(cli_doubt, draws_are_always_the_same_also_for_rows_of_different_seeds)
{
    g_autofree char *first = NULL;

    put_ticker("low");
    for (unsigned i = 0; i < 2; i++) {
        iovsim("compare", "sure.yaml", "--over", "seed=1,2", "--draws", "3", "-o", "out");
        ended_with(0);
        if (i == 0)
            first = g_strdup(out);
        else
            is_text(out, first);
    }
    cr_assert(eq(dbl, number("out/compare.csv", 0, "doubt_p50_low"),
                 number("out/compare.csv", 1, "doubt_p50_low")));
}

Test(cli_doubt, compare_tells_what_draws_it_cannot_make)
{
    put_ticker("low");
    iovsim("compare", "sure.yaml", "--over", "seed=1,2", "--doubt", "low=3");
    ended_with(2);
    says(err, "--doubt is for --draws N, which is not there");
    iovsim("compare", "sure.yaml", "--over", "seed=1,2", "--draws", "-3");
    ended_with(2);
    says(err, "--draws wants a number from 0 to 100000");
    is_text(out, "");
}
