/* SPDX-License-Identifier: Apache-2.0 */
/* QMP: negotiation, lists, running and resetting, devices that come and go, and rubbish. */
#include "tests/bindings/qtest/driver.h"

static void setup(void)
{
    begin("-M q35 -m 16 -drive if=none,id=d0,file=null-co://,size=1M -device "
          "virtio-blk-pci,id=disk0,drive=d0,addr=4 -device edu,id=one,addr=5");
    command_good("{\"execute\": \"qmp_capabilities\"}");
}

TestSuite(qtest_qmp, .init = setup, .fini = end);

static void expect_error(const char *text, const char *class)
{
    g_autoptr(JsonObject) answer = command(text);

    cr_assert(json_object_has_member(answer, "error"), "%s", machine->messages->str);
    cr_assert_str_eq(
        json_object_get_string_member(json_object_get_object_member(answer, "error"), "class"),
        class);
}

static bool told(const char *words)
{
    return strstr(machine->messages->str, words) != NULL;
}

Test(qtest_qmp, an_answer_carries_the_id_of_its_command)
{
    command_good("{\"execute\": \"query-status\", \"id\": 7}");
    cr_assert(told("\"id\":7"));
    expect_error("{\"execute\": \"nothing\", \"id\": {\"a\": 1}}", "CommandNotFound");
    cr_assert(told("\"id\":{\"a\":1}"));
}

Test(qtest_qmp, machines_have_the_members_that_programs_know_and_no_others)
{
    static const char *const known[] = { "name",
                                         "alias",
                                         "is-default",
                                         "cpu-max",
                                         "hotpluggable-cpus",
                                         "numa-mem-supported",
                                         "deprecated",
                                         "default-cpu-type",
                                         "default-ram-id",
                                         NULL };
    g_autoptr(JsonObject) answer = command("{\"execute\": \"query-machines\"}");
    JsonArray *machines = json_object_get_array_member(answer, "return");

    cr_assert(eq(uint, json_array_get_length(machines), 3));
    for (unsigned i = 0; i < 3; i++) {
        g_autoptr(GList) members =
            json_object_get_members(json_array_get_object_element(machines, i));

        for (GList *member = members; member != NULL; member = member->next)
            cr_assert(g_strv_contains(known, member->data), "%s", (char *)member->data);
    }
}

Test(qtest_qmp, types_are_listed_below_what_they_implement)
{
    command_good("{\"execute\": \"qom-list-types\", \"arguments\": {\"implements\": \"device\", "
                 "\"abstract\": false}}");
    cr_assert(told("\"virtio-blk-pci\""));
    cr_assert(not(told("\"name\":\"pci-device\"")));
    command_good("{\"execute\": \"qom-list-types\", \"arguments\": {\"implements\": "
                 "\"pci-host-bridge\"}}");
    cr_assert(told("\"q35-pcihost\""));
    cr_assert(not(told("\"edu\"")));
}

Test(qtest_qmp, reset_takes_registers_back_and_leaves_memory_and_time)
{
    writel(0x1000, 0x12345678);
    config_enable(5 << 3);
    number(say("outb 0x21 0xa5"));
    writel(0xfec00000, 0x18);
    writel(0xfec00010, 0x44);
    step(1000);
    command_good("{\"execute\": \"system_reset\"}");
    cr_assert(told("\"event\":\"RESET\""));
    cr_assert(eq(u32, readl(0x1000), 0x12345678));
    cr_assert(eq(u32, config_read(5 << 3, PCI_COMMAND) & 0xffff, 0));
    cr_assert(eq(u64, number(say("inb 0x21")), 0));
    writel(0xfec00000, 0x18);
    cr_assert(eq(u32, readl(0xfec00010), 0x10000));
    expect("clock_step 0", "OK 1000");
}

Test(qtest_qmp, software_resets_the_machine_as_well)
{
    config_enable(5 << 3);
    number(say("outb 0xcf9 0x2"));
    number(say("outb 0xcf9 0x6"));
    cr_assert(told("\"event\":\"RESET\""));
    cr_assert(told("\"guest\":true"));
    cr_assert(eq(u32, config_read(5 << 3, PCI_COMMAND) & 0xffff, 0));
    g_string_truncate(machine->messages, 0);
    number(say("outb 0x64 0xfe"));
    cr_assert(told("guest-reset"));
}

Test(qtest_qmp, reset_reaches_the_chipset_and_bars)
{
    config_write(0xf8, 0x60, 0x0a0a0a0a);
    config_write(5 << 3, PCI_BASE_ADDRESS_0, 0xe0000000);
    ecam_enable();
    command_good("{\"execute\": \"system_reset\"}");
    cr_assert(eq(u32, config_read(0xf8, 0x60), 0x80808080));
    cr_assert(eq(u32, config_read(5 << 3, PCI_BASE_ADDRESS_0), 0));
    cr_assert(eq(u32, config_read(0, 0x60), 0xb0000000));
}

Test(qtest_qmp, a_device_comes_and_goes)
{
    cr_assert(eq(u32, config_read(9 << 3, 0), UINT32_MAX));
    command_good("{\"execute\": \"device_add\", \"arguments\": {\"driver\": \"edu\", \"id\": "
                 "\"new\", \"addr\": \"9\", \"dma_mask\": 4294967295}}");
    cr_assert(eq(u32, config_read(9 << 3, 0), 0x11e81234));
    expect_error("{\"execute\": \"device_add\", \"arguments\": {\"driver\": \"edu\", \"addr\": "
                 "\"9\"}}",
                 "GenericError");
    command_good("{\"execute\": \"device_del\", \"arguments\": {\"id\": \"new\"}}");
    cr_assert(told("\"event\":\"DEVICE_DELETED\""));
    cr_assert(told("\"device\":\"new\""));
    cr_assert(eq(u32, config_read(9 << 3, 0), UINT32_MAX));
    expect_error("{\"execute\": \"device_del\", \"arguments\": {\"id\": \"new\"}}",
                 "DeviceNotFound");
    command_good("{\"execute\": \"device_add\", \"arguments\": {\"driver\": \"edu\", \"id\": "
                 "\"new\", \"addr\": \"9\"}}");
}

Test(qtest_qmp, a_device_of_the_command_line_goes_as_well)
{
    cr_assert(eq(u32, config_read(5 << 3, 0), 0x11e81234));
    command_good("{\"execute\": \"device_del\", \"arguments\": {\"id\": \"one\"}}");
    cr_assert(eq(u32, config_read(5 << 3, 0), UINT32_MAX));
    step(1000);
}

Test(qtest_qmp, a_disk_that_came_later_can_be_used)
{
    command_good("{\"execute\": \"blockdev-add\", \"arguments\": {\"driver\": \"null-co\", "
                 "\"node-name\": \"n0\", \"size\": 4096}}");
    command_good("{\"execute\": \"device_add\", \"arguments\": {\"driver\": \"virtio-blk-pci\", "
                 "\"id\": \"disk1\", \"drive\": \"n0\", \"addr\": \"7\"}}");
    cr_assert(eq(u32, config_read(7 << 3, 0), 0x10011af4));
    expect_error("{\"execute\": \"device_add\", \"arguments\": {\"driver\": \"virtio-blk-pci\", "
                 "\"drive\": \"n0\"}}",
                 "GenericError");
}

Test(qtest_qmp, a_disk_gets_another_size)
{
    config_write(4 << 3, PCI_BASE_ADDRESS_4, 0xe0000000);
    config_enable(4 << 3);
    cr_assert(eq(u32, readl(0xe0002000), 2048));
    command_good("{\"execute\": \"block_resize\", \"arguments\": {\"device\": \"d0\", \"size\": "
                 "2097152}}");
    cr_assert(eq(u32, readl(0xe0002000), 4096));
    expect_error("{\"execute\": \"block_resize\", \"arguments\": {\"device\": \"none\", \"size\": "
                 "512}}",
                 "GenericError");
}

Test(qtest_qmp, the_machine_stops_and_goes_on)
{
    command_good("{\"execute\": \"stop\"}");
    cr_assert(told("\"event\":\"STOP\""));
    command_good("{\"execute\": \"query-status\"}");
    cr_assert(told("\"running\":false"));
    command_good("{\"execute\": \"cont\"}");
    cr_assert(told("\"event\":\"RESUME\""));
}

Test(qtest_qmp, quit_is_answered_and_ends)
{
    command_good("{\"execute\": \"quit\"}");
    cr_assert(told("\"event\":\"SHUTDOWN\""));
    cr_assert(machine->quit);
}

Test(qtest_qmp, the_human_monitor_tells_requested_vectors)
{
    g_autofree char *none = vectors(), *some = NULL;

    cr_assert_str_eq(none, "(none)");
    writel(0xfee00000, 0x41);
    writel(0xfee00000, 0xc055); /* level */
    some = vectors();
    cr_assert_str_eq(some, "65 85(level)");
    command_good("{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": "
                 "\"info lapic\"}}");
    cr_assert(told("IRR\\t 65"));
}

Test(qtest_qmp, rubbish_gets_an_error_and_the_next_command_its_answer)
{
    expect_error("rubbish", "GenericError");
    expect_error("{\"execute\": 3}", "GenericError");
    expect_error("{\"execute\": \"stop\", \"arguments\": []}", "GenericError");
    expect_error("{\"execute\": \"stop\",}", "GenericError");
    command_good("{\"execute\": \"query-status\"}");
}

Test(qtest_qmp, objects_may_come_in_pieces_and_several_at_once)
{
    g_autoptr(GString) input = g_string_new("{\"execute\": \"stop\"");

    g_string_truncate(machine->messages, 0);
    qmp_receive(machine, input);
    cr_assert(eq(uint, (unsigned)machine->messages->len, 0));
    g_string_append(input, "} {\"execute\": \"cont\"}");
    qmp_receive(machine, input);
    cr_assert(told("STOP"));
    cr_assert(told("RESUME"));
    cr_assert(eq(uint, (unsigned)input->len, 0));
}

TestSuite(qtest_qmp_first, .fini = end);

Test(qtest_qmp_first, greets_and_waits_for_the_capabilities)
{
    begin("-M none");
    qmp_greet(machine);
    cr_assert(told("{\"QMP\":{\"version\":"));
    expect_error("{\"execute\": \"query-status\"}", "CommandNotFound");
    command_good("{\"execute\": \"qmp_capabilities\"}");
    expect_error("{\"execute\": \"qmp_capabilities\"}", "CommandNotFound");
}
