/* SPDX-License-Identifier: Apache-2.0 */
/* Costs in doubt: how far each may be off, and runs under other costs than the file's. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bindings/cli/doubt-private.h"
#include "core/config/diagnostics.h"

static double *level_of(struct doubt *doubt, const char *confidence)
{
    const struct {
        const char *name;
        double *factor;
    } levels[] = { { "high", &doubt->high }, { "medium", &doubt->medium }, { "low", &doubt->low } };

    for (unsigned i = 0; i < G_N_ELEMENTS(levels); i++) {
        if (strcmp(levels[i].name, confidence) == 0)
            return levels[i].factor;
    }
    return NULL;
}

static bool parse_level(char *text, struct doubt *doubt, GError **error)
{
    char *value = strchr(text, '='), *end = NULL;
    double factor = value != NULL ? g_ascii_strtod(value + 1, &end) : 0;
    double *level;

    if (value == NULL || end == value + 1 || *end != '\0' || !(factor >= 1 && factor <= 1000)) {
        g_set_error(error, IOV_ERROR, IOV_ERROR_CONFIG,
                    "--doubt: '%s' is no LEVEL=FACTOR with a factor from 1 to 1000, such as low=2",
                    text);
        return false;
    }
    *value = '\0';
    level = level_of(doubt, text);
    if (level == NULL) {
        g_set_error(error, IOV_ERROR, IOV_ERROR_CONFIG,
                    "--doubt: '%s' is no level of confidence: high, medium, low", text);
        return false;
    }
    *level = factor;
    return true;
}

static bool parse_levels(const char *text, struct doubt *doubt, GError **error)
{
    g_auto(GStrv) levels = g_strsplit(text, ",", -1);

    for (unsigned i = 0; levels[i] != NULL; i++) {
        if (!parse_level(levels[i], doubt, error))
            return false;
    }
    return true;
}

bool doubt_parse(const char *text, struct doubt *ret_doubt, GError **error)
{
    return parse_levels(DOUBT_DEFAULT, ret_doubt, error) &&
           (text == NULL || parse_levels(text, ret_doubt, error));
}

static void doubtful_free(void *data)
{
    struct doubtful_cost *cost = data;

    g_free(cost->name);
    g_free(cost->text);
    g_free(cost->confidence);
    g_free(cost);
}

GPtrArray *doubtful_costs(struct iov_experiment *experiment, const struct doubt *doubt)
{
    struct iov_platform *platform = iov_experiment_platform(experiment);
    GPtrArray *costs = g_ptr_array_new_with_free_func(doubtful_free);
    struct doubt levels = *doubt;

    for (unsigned i = 0; i < iov_platform_cost_count(platform); i++) {
        const struct iov_cost_use *use = iov_platform_cost_at(platform, i);
        const double *factor = level_of(&levels, use->confidence);
        struct doubtful_cost *cost;

        if (!use->used || use->value == 0 || factor == NULL)
            continue;
        cost = g_new0(struct doubtful_cost, 1);
        cost->name = g_strdup(use->name);
        cost->text = g_strdup(use->text);
        cost->confidence = g_strdup(use->confidence);
        cost->value = use->value;
        cost->factor = *factor;
        iov_random_init(&cost->random, 0, use->name);
        g_ptr_array_add(costs, cost);
    }
    return costs;
}

double doubtful_draw(struct doubtful_cost *cost)
{
    double at = 2 * iov_random_real(&cost->random) - 1;
    double factor = 1 + ABS(at) * (cost->factor - 1);

    return at < 0 ? 1 / factor : factor;
}

char *doubtful_set(const struct doubtful_cost *cost, double factor)
{
    return g_strdup_printf("costs.%s=%" G_GUINT64_FORMAT "ps", cost->name,
                           (uint64_t)((double)cost->value * factor + 0.5));
}

struct figures figures_of(const struct iov_measure *measure)
{
    iov_time span = measure->end - measure->begin;
    uint64_t operations = measure->operations;
    struct figures figures = {
        .p50_us = (double)iov_histogram_quantile(measure->latency, 500000) / (double)IOV_US,
    };

    if (operations != 0)
        figures.cpu_us = (double)measure->use.busy / (double)operations / (double)IOV_US;
    if (span != 0)
        figures.rate =
            (double)iov_delivered(operations, &measure->delivery) * (double)IOV_SEC / (double)span;
    return figures;
}

bool run_figures(const char *file, char **sets, const GPtrArray *more, struct kernel_owner *owner,
                 struct figures *ret_figures, GError **error)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    struct iov_experiment *experiment;
    bool is_good;

    for (unsigned i = 0; sets[i] != NULL; i++)
        g_ptr_array_add(all, sets[i]);
    for (unsigned i = 0; i < more->len; i++)
        g_ptr_array_add(all, more->pdata[i]);
    g_ptr_array_add(all, NULL);
    experiment = open_leniently(file, (char **)all->pdata, error);
    is_good = experiment != NULL && run_experiment(experiment, owner, TRUE, error);
    if (is_good)
        *ret_figures = figures_of(iov_experiment_measure(experiment));
    iov_experiment_free(experiment);
    return is_good;
}

void print_runs(unsigned done, unsigned all, gboolean quiet)
{
    if (quiet || !isatty(STDERR_FILENO))
        return;
    if (done < all)
        fprintf(stderr, "\r%u of %u runs\033[K", done, all);
    else
        fputs("\r\033[K", stderr);
}

GArray *run_draws(const char *file, char **sets, const GPtrArray *costs, unsigned draws,
                  struct kernel_owner *owner, gboolean quiet, GError **error)
{
    GArray *all = g_array_sized_new(FALSE, FALSE, sizeof(struct figures), draws);
    bool is_good = true;

    for (unsigned draw = 0; draw < draws && is_good && !was_interrupted(); draw++) {
        g_autoptr(GPtrArray) drawn = g_ptr_array_new_with_free_func(g_free);
        struct figures figures;

        print_runs(draw, draws, quiet);
        for (unsigned i = 0; i < costs->len; i++)
            g_ptr_array_add(drawn, doubtful_set(costs->pdata[i], doubtful_draw(costs->pdata[i])));
        is_good = run_figures(file, sets, drawn, owner, &figures, error);
        g_array_append_val(all, figures);
    }
    print_runs(draws, draws, quiet);
    if (is_good)
        return all;
    g_array_unref(all);
    return NULL;
}
