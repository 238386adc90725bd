/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: how values are taken apart, what becomes of them, and one clear line for each
 * mistake. */
#include <sys/wait.h>

#include "tests/bindings/qtest/driver.h"

TestSuite(qtest_options, .fini = end);

Test(qtest_options, a_value_is_taken_apart_at_single_commas)
{
    struct option *option = option_new("device", "edu,addr=4,,5,flag,x=a=b", NULL);

    cr_assert_str_eq(option->head, "edu");
    cr_assert_str_eq(option_get(option, "addr"), "4,5");
    cr_assert_str_eq(option_get(option, "flag"), "on");
    cr_assert_str_eq(option_get(option, "x"), "a=b");
    cr_assert_null(option_get(option, "y"));
    option_free(option);
}

Test(qtest_options, json_says_the_same)
{
    struct option *option = option_new(
        "netdev", "{\"type\": \"dgram\", \"local\": {\"path\": \"p\"}, \"n\": 3, \"b\": true}",
        NULL);

    cr_assert_str_eq(option_get(option, "type"), "dgram");
    cr_assert_str_eq(option_get(option, "local.path"), "p");
    cr_assert_str_eq(option_get(option, "n"), "3");
    cr_assert_str_eq(option_get(option, "b"), "on");
    option_free(option);
}

Test(qtest_options, sizes_have_units)
{
    uint64_t bytes;

    cr_assert(option_size("256", 1 << 20, &bytes));
    cr_assert(eq(u64, bytes, 256u << 20));
    cr_assert(option_size("1G", 1 << 20, &bytes));
    cr_assert(eq(u64, bytes, 1u << 30));
    cr_assert(not(option_size("1X", 1, &bytes)));
    cr_assert(not(option_size("-1", 1, &bytes)));
    cr_assert(not(option_size("99999999999G", 1, &bytes)));
}

Test(qtest_options, devices_take_the_slots_that_are_free)
{
    begin("-M q35 -device edu -device edu,addr=3 -device edu -device edu,addr=0x1e.7 -device edu");
    cr_assert(eq(u32, config_read(1 << 3, 0), 0x11e81234));
    cr_assert(eq(u32, config_read(2 << 3, 0), 0x11e81234));
    cr_assert(eq(u32, config_read(3 << 3, 0), 0x11e81234));
    cr_assert(eq(u32, config_read(4 << 3, 0), 0x11e81234));
    cr_assert(eq(u32, config_read(5 << 3, 0), UINT32_MAX));
}

Test(qtest_options, every_device_of_the_table_starts_with_every_option_that_it_has)
{
    const struct device_row *row;

    for (unsigned i = 0; (row = device_row_at(i)) != NULL; i++) {
        g_autofree char *text = NULL;

        if (row->flags & DEVICE_LISTED || row->kind == NULL)
            continue;
        for (guint j = 0; j < iov_kind_info(row->kind)->ports->len; j++) {
            const struct iov_port *port =
                &g_array_index(iov_kind_info(row->kind)->ports, struct iov_port, j);

            if (port->type == IOV_PORT_PACKET)
                cr_assert_str_eq(port->name, row->packet != NULL ? row->packet : "none", "%s",
                                 row->name);
        }
        for (const struct key_row *key = row->keys; key != NULL && key->key != NULL; key++) {
            const struct iov_model_info *info = iov_kind_info(row->kind);
            bool found = key->property == NULL;

            for (guint j = 0; j < info->properties->len && !found; j++)
                found = strcmp(g_array_index(info->properties, struct iov_property, j).name,
                               key->property) == 0;
            cr_assert(found, "%s: %s", row->name, key->property);
        }
        text = g_strdup_printf("-M q35 -drive if=none,id=d,file=null-co:// -device %s%s", row->name,
                               row->block != NULL ? ",drive=d" : "");
        begin(text);
        if (row->flags & DEVICE_PCI)
            cr_assert(ne(u32, config_read(1 << 3, 0), UINT32_MAX), "%s", row->name);
        end();
    }
}

Test(qtest_options, global_values_give_way_to_a_device_s_own)
{
    begin("-M q35 -global intel-iommu.caching-mode=on -global intel-iommu.aw-bits=48 -device "
          "intel-iommu,aw-bits=39");
    cr_assert(eq(u64, readq(0xfed90008), 0x00d2008c22260286));
}

Test(qtest_options, a_drive_may_come_with_its_controller)
{
    begin("-M q35 -nic none -drive file=null-co://,if=virtio");
    cr_assert(eq(u32, config_read(1 << 3, 0), 0x10011af4));
}

Test(qtest_options, memory_above_the_hole_begins_at_4_gib)
{
    begin("-M q35 -m 4G");
    writel(0x7ffffffc, 1);
    writel(0x17ffffffc, 2);
    cr_assert(eq(u32, readl(0x7ffffffc), 1));
    cr_assert(eq(u32, readl(0x17ffffffc), 2));
    writel(0x180000000, 3);
    cr_assert(eq(u32, readl(0x180000000), 0));
}

Test(qtest_options, the_size_of_memory_may_be_a_backend_s)
{
    begin("-machine q35,memory-backend=m0 -object memory-backend-ram,id=m0,size=8M");
    writel(0x7ffffc, 5);
    cr_assert(eq(u32, readl(0x7ffffc), 5));
    cr_assert(eq(u32, readl(0x800000), 0));
}

Test(qtest_options, each_processor_has_a_local_apic)
{
    begin("-M q35 -smp 2");
    cr_assert_not_null(machine_apic(machine->machine, 1));
    cr_assert_null(machine_apic(machine->machine, 2));
    writel(0xfee01000, 0x41); /* to the second */
    cr_assert(eq(u32,
                 *(const uint32_t *)(const void *)(machine_apic(machine->machine, 1)->page + 0x220),
                 2));
}

Test(qtest_options, a_machine_without_anything_has_memory)
{
    begin("-M none -m 1");
    writel(0xffffc, 7);
    cr_assert(eq(u32, readl(0xffffc), 7));
}

Test(qtest_options, what_is_wrong_is_told_in_one_line)
{
    refused("-M q36", "there is no machine 'q36'");
    refused("-M q35 -device edo", "there is no device 'edo'; did you mean 'edu'?");
    refused("-M q35 -device pci-device", "there is no device 'pci-device'");
    refused("-M q35 -device edu,dma_maks=3", "did you mean 'dma_mask'?");
    refused("-M q35 -device edu,dma_mask=x", "'dma_mask' wants a number");
    refused("-M q35 -device edu,addr=20", "no slot");
    refused("-M q35 -device edu,addr=3 -device edu,addr=3", "is taken");
    refused("-M q35 -device edu,addr=0", "is taken");
    refused("-M q35 -device edu,bus=pci.9", "there is no bus 'pci.9'");
    refused("-M q35 -device edu,id=a -device edu,id=a", "there is a device 'a' already");
    refused("-M q35 -device intel-iommu -device intel-iommu", "there is one 'intel-iommu' already");
    refused("-M q35 -device intel-iommu,aw-bits=40", "aw-bits is 39 or 48");
    refused("-M q35 -device intel-iommu,pt=maybe", "'pt' is on or off");
    refused("-M q35 -device virtio-net-pci,netdev=n0", "there is no netdev 'n0'");
    refused("-M q35 -device virtio-net-pci,mac=1:2", "no Ethernet address");
    refused("-M q35 -device virtio-blk-pci", "a drive is wanted");
    refused("-M q35 -device virtio-blk-pci,drive=d", "there is no drive 'd'");
    refused("-M q35 -drive id=d,file=/nowhere,format=raw", "there is no such file");
    refused("-M q35 -drive id=d,fiel=x", "no option 'fiel'");
    refused("-M q35 -netdev tap,id=n", "there is no netdev 'tap'");
    refused("-M q35 -netdev socket,id=n,fd=777", "fd=777 is no socket");
    refused("-M q35 -object rng,id=r", "no object 'rng'");
    refused("-M q35 -m 0", "-m 0");
    refused("-M q35 -smp 0", "-smp 0");
    refused("-M q35 -rtc base=yesterday", "no date");
    refused("-M q35 -nic user,model=e1000", "write -netdev and -device");
    refused("-M q35 -global x", "DEVICE.OPTION=VALUE");
    refused("-M none -device edu", "no place");
    refused("-M q35 -devcie edu", "did you mean '-device'?");
    refused("-M q35 -device", "wants a value");
}

Test(qtest_options, the_program_ends_with_1_after_a_mistake_and_with_0_without)
{
    static const char program[] = IOV_BINARY_DIR "/bindings/qtest/iovsim-system-x86_64";
    g_autofree char *out = NULL, *err = NULL;
    char *argv[] = { (char *)(uintptr_t)program, (char *)(uintptr_t) "-M",
                     (char *)(uintptr_t) "q36", NULL };
    char *help[] = { (char *)(uintptr_t)program, (char *)(uintptr_t) "--help", NULL };
    int status;

    cr_assert(
        g_spawn_sync(NULL, argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &out, &err, &status, NULL));
    cr_assert(eq(int, WEXITSTATUS(status), 1));
    cr_assert_str_eq(
        err, "iovsim-system-x86_64: there is no machine 'q36'; there are pc, q35 and none\n");
    g_free(out);
    g_free(err);
    cr_assert(
        g_spawn_sync(NULL, help, NULL, G_SPAWN_DEFAULT, NULL, NULL, &out, &err, &status, NULL));
    cr_assert(eq(int, status, 0));
    cr_assert_not_null(strstr(out, "-device"));
}
