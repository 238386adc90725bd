/* SPDX-License-Identifier: Apache-2.0 */
/* `iovsim run --pci-dump FILE`: the configuration space of every function, as `lspci -F` reads
 * it. */
#include "bindings/cli/run-private.h"
#include "core/pci/dump.h"

/* A root bus of the model, or NULL: its port on a bus that no bridge leads to. */
static const struct iov_pci_bus *root_bus(IovModel *model)
{
    const GArray *ports = IOV_MODEL_GET_CLASS(model)->info->ports;

    for (guint i = 0; i < ports->len; i++) {
        const struct iov_port *row = &g_array_index(ports, struct iov_port, i);
        const struct iov_pci_bus *bus;

        if (row->type != IOV_PORT_PCI || row->role != IOV_PORT_INITIATOR)
            continue;
        bus = iov_model_port(model, row->name, 0);
        if (bus->bridge == NULL)
            return bus;
    }
    return NULL;
}

bool write_pci_dump(struct iov_experiment *experiment, const char *path, GError **error)
{
    const struct iov_platform *platform = iov_experiment_platform(experiment);
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    unsigned domain = 0, functions = 0;
    GError *problem = NULL;

    for (unsigned i = 0; i < iov_platform_count(platform); i++) {
        const struct iov_pci_bus *bus = root_bus(iov_platform_at(platform, i));

        if (bus != NULL)
            functions += iov_pci_dump(file, domain++, bus);
    }
    fclose(file);
    if (functions == 0)
        g_set_error(error, IOV_ERROR, IOV_ERROR_CONFIG,
                    "--pci-dump: no PCI function of this platform is in a slot");
    else if (!g_file_set_contents(path, text, (gssize)size, &problem))
        g_set_error(error, IOV_ERROR, IOV_ERROR_FILE, "cannot write '%s': %s", path,
                    problem->message);
    g_clear_error(&problem);
    free(text);
    return error == NULL || *error == NULL;
}
