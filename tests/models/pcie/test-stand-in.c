/* SPDX-License-Identifier: Apache-2.0 */
/* The stand-in: a true configuration space with nothing behind it but the MSI-X structures. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <linux/pci_regs.h>

#include "core/harness/harness.h"
#include "core/pci/space.h"

static struct iov_harness *bench;
static struct iov_pci_function *function;

static void start(const char *text)
{
    bench = iov_harness_new(text);
    iov_harness_start(bench);
    function = iov_model_port(bench->model, "pci", 0);
}

static void finish(void)
{
    iov_harness_free(bench);
}

TestSuite(stand_in, .fini = finish);

static uint32_t config(uint64_t at, uint32_t value, bool write)
{
    struct iov_mem_req req = { .address = at, .data = &value, .size = 4, .pasid = IOV_NO_PASID };

    cr_assert(eq(int,
                 write ? function->ops->config_write(function, &req)
                       : function->ops->config_read(function, &req),
                 IOV_STATUS_OK));
    return value;
}

static uint32_t bar_access(uint64_t at, uint32_t value, bool write)
{
    struct iov_pci_window windows[IOV_PCI_WINDOWS_MAX];
    struct iov_mem_req req = { .address = at, .data = &value, .size = 4, .pasid = IOV_NO_PASID };

    cr_assert(eq(uint, function->ops->windows(function, windows), 1));
    cr_assert(eq(int,
                 write ? windows[0].target->ops->write(windows[0].target, &req)
                       : windows[0].target->ops->read(windows[0].target, &req),
                 IOV_STATUS_OK));
    return value;
}

Test(stand_in, has_the_identity_and_capabilities_of_an_nvme_controller)
{
    start("kind: stand-in\nidentity: nvme\n");
    cr_assert(eq(u32, config(PCI_VENDOR_ID, 0, false), 0x00101b36));
    cr_assert(eq(u32, config(PCI_CLASS_REVISION, 0, false), 0x01080202));
    cr_assert(eq(u32, config(PCI_CAPABILITY_LIST, 0, false), 0x40));
    cr_assert(eq(u32, config(0x40, 0, false), 0x00408011));
    cr_assert(eq(u32, config(0x80, 0, false), 0x00926010));
    cr_assert(eq(u32, config(0x60, 0, false), 0x00030001));
}

Test(stand_in, sizes_its_bar)
{
    start("kind: stand-in\nidentity: nvme\n");
    config(PCI_BASE_ADDRESS_0, UINT32_MAX, true);
    cr_assert(eq(u32, config(PCI_BASE_ADDRESS_0, 0, false), 0xffffc004));
}

Test(stand_in, keeps_its_msix_table_and_nothing_else)
{
    start("kind: stand-in\nidentity: nvme\n");
    config(PCI_BASE_ADDRESS_0, 0xf0000000, true);
    config(PCI_COMMAND, PCI_COMMAND_MEMORY, true);
    cr_assert(eq(u32, bar_access(0x200c, 0, false), 1)); /* vector 0 is masked */
    bar_access(0x2000, 0xfee01000, true);
    cr_assert(eq(u32, bar_access(0x2000, 0, false), 0xfee01000));
    cr_assert(eq(u32, bar_access(0x3000, 0, false), 0));
    bar_access(0x14, 1, true);
    cr_assert(eq(u32, bar_access(0x14, 0, false), 0));
    iov_model_reset(bench->model);
    config(PCI_BASE_ADDRESS_0, 0xf0000000, true);
    config(PCI_COMMAND, PCI_COMMAND_MEMORY, true);
    cr_assert(eq(u32, bar_access(0x200c, 0, false), 1));
}

Test(stand_in, refuses_an_address_that_is_none)
{
    IovModel *model;
    struct iov_run run = { .kernel = iov_kernel_new() };
    GError *error = NULL;

    start("kind: stand-in\n");
    model = iov_model_new("stand-in", "x", &run, &error);
    cr_assert(iov_model_set_string(model, "mac", "here", NULL));
    cr_assert(not(iov_model_prepare(model, &error)));
    cr_assert_not_null(strstr(error->message, "no Ethernet address"));
    g_error_free(error);
    g_object_unref(model);
    iov_kernel_free(run.kernel);
}
