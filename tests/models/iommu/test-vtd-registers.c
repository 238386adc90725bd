/* SPDX-License-Identifier: Apache-2.0 */
/* The register page of the vt-d kind: what can be written, what reads back, who clears what. */
#include "tests/models/iommu/vtd-bench.h"

static struct vtd_bench vtd;

static void set_up(void)
{
    vtd_bench_init(&vtd, NULL);
}

static void tear_down(void)
{
    vtd_bench_free(&vtd);
}

TestSuite(vtd_registers, .init = set_up, .fini = tear_down);

Test(vtd_registers, reset_leaves_nothing_but_the_capabilities)
{
    uint64_t capabilities;

    vtd_bench_start(&vtd);
    capabilities = reg_read_wide(&vtd, VTD_CAP);
    translation_on(&vtd);
    cr_assert(ne(int, dma_read(&vtd, 0x40000000), IOV_STATUS_OK));
    cr_assert(ne(u32, reg_read(&vtd, VTD_FSTS), 0));
    iov_model_reset(vtd.unit);
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_CAP), capabilities));
    cr_assert(eq(u32, reg_read(&vtd, VTD_GSTS), 0));
    cr_assert(eq(u32, reg_read(&vtd, VTD_FSTS), 0));
    cr_assert(eq(u32, reg_read(&vtd, VTD_FECTL), VTD_EVENT_IM));
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_FRCD + 8), 0));
    cr_assert(eq(int, dma_read(&vtd, 0x1000), IOV_STATUS_OK));
}

Test(vtd_registers, capabilities_follow_the_properties)
{
    bench_number(vtd.unit, "aw-bits", 39);
    bench_number(vtd.unit, "caching-mode", 1);
    bench_number(vtd.unit, "fault-records", 4);
    bench_number(vtd.unit, "posting", 1);
    vtd_bench_start(&vtd);
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_CAP), 0x08d2038c22260286));
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_ECAP), 0xf00f4a));
}

Test(vtd_registers, a_width_of_neither_39_nor_48_is_refused)
{
    GError *error = NULL;

    bench_number(vtd.unit, "aw-bits", 42);
    cr_assert(not(iov_model_prepare(vtd.unit, &error)));
    g_error_free(error);
}

Test(vtd_registers, cache_shapes_that_do_not_divide_are_refused)
{
    GError *error = NULL;

    bench_number(vtd.unit, "iotlb-entries", 60);
    cr_assert(not(iov_model_prepare(vtd.unit, &error)));
    g_error_free(error);
}

Test(vtd_registers, read_only_registers_do_not_change)
{
    static const uint32_t offsets[] = { VTD_VER,  VTD_CAP,      VTD_ECAP,     VTD_GSTS,
                                        VTD_IQH,  VTD_AFLOG,    VTD_PMEN,     VTD_PLMBASE,
                                        VTD_FRCD, VTD_FRCD + 8, VTD_PLMLIMIT, VTD_PHMBASE };

    vtd_bench_start(&vtd);
    for (unsigned i = 0; i < G_N_ELEMENTS(offsets); i++) {
        uint32_t before = reg_read(&vtd, offsets[i]);

        reg_write(&vtd, offsets[i], ~before);
        cr_expect(eq(u32, reg_read(&vtd, offsets[i]), before), "%#x", offsets[i]);
    }
}

Test(vtd_registers, halves_of_a_wide_register_are_independent)
{
    vtd_bench_start(&vtd);
    reg_write(&vtd, VTD_RTADDR, 0xabcde3ff);
    reg_write(&vtd, VTD_RTADDR + 4, 0x12);
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_RTADDR), 0x12abcde000));
    reg_write(&vtd, VTD_RTADDR, 0);
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_RTADDR), 0x1200000000));
}

Test(vtd_registers, bytes_words_and_crooked_accesses_read_zero_and_change_nothing)
{
    vtd_bench_start(&vtd);
    bench_write(vtd.registers, VTD_FEDATA, 2, 0xffff);
    bench_write(vtd.registers, VTD_RTADDR + 4, 8, UINT64_MAX);
    cr_assert(eq(u32, reg_read(&vtd, VTD_FEDATA), 0));
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_RTADDR), 0));
    cr_assert(eq(u64, bench_read(vtd.registers, VTD_CAP, 1), 0));
    cr_assert(eq(u64, bench_read(vtd.registers, VTD_CAP + 2, 4), 0));
}

Test(vtd_registers, upper_message_addresses_need_extended_mode)
{
    bench_number(vtd.unit, "eim", 1);
    vtd_bench_start(&vtd);
    reg_write(&vtd, VTD_FEUADDR, 0xff00);
    reg_write(&vtd, VTD_IEUADDR, 0xff00);
    cr_assert(eq(u32, reg_read(&vtd, VTD_FEUADDR), 0xff00));
    cr_assert(eq(u32, reg_read(&vtd, VTD_IEUADDR), 0xff00));
}

Test(vtd_registers, status_follows_commands_bit_by_bit)
{
    vtd_bench_start(&vtd);
    reg_write(&vtd, VTD_GCMD, VTD_G_SRTP);
    cr_assert(eq(u32, reg_read(&vtd, VTD_GSTS), VTD_G_SRTP));
    reg_write(&vtd, VTD_GCMD, VTD_G_TE);
    cr_assert(eq(u32, reg_read(&vtd, VTD_GSTS), VTD_G_TE | VTD_G_SRTP));
    reg_write(&vtd, VTD_GCMD, VTD_G_TE | VTD_G_IRE | VTD_G_CFI);
    cr_assert(eq(u32, reg_read(&vtd, VTD_GSTS), VTD_G_TE | VTD_G_SRTP | VTD_G_IRE | VTD_G_CFI));
    reg_write(&vtd, VTD_GCMD, 0);
    cr_assert(eq(u32, reg_read(&vtd, VTD_GSTS), VTD_G_SRTP));
}

Test(vtd_registers, without_interrupt_remapping_its_commands_do_nothing)
{
    bench_number(vtd.unit, "intremap", 0);
    vtd_bench_start(&vtd);
    reg_write(&vtd, VTD_GCMD, VTD_G_SIRTP | VTD_G_IRE | VTD_G_CFI);
    cr_assert(eq(u32, reg_read(&vtd, VTD_GSTS), 0));
}

Test(vtd_registers, a_root_pointer_counts_when_it_is_set)
{
    vtd_bench_start(&vtd);
    context_set(&vtd, DEVICE, 1 | VTD_TYPE_PASS_THROUGH << 2, 0x101);
    translation_on(&vtd);
    reg_write_wide(&vtd, VTD_RTADDR, 0x700000);
    cr_assert(eq(int, dma_read(&vtd, 0x5000), IOV_STATUS_OK));
    command(&vtd, VTD_G_SRTP);
    cr_assert(eq(int, dma_read(&vtd, 0x5000), IOV_STATUS_FAULT));
}

Test(vtd_registers, an_invalidation_by_register_takes_its_time)
{
    static const struct bench_cost costs[] = { { "vtd-invalidation", 100 * IOV_NS }, { NULL, 0 } };

    tear_down();
    vtd_bench_init(&vtd, costs);
    vtd_bench_start(&vtd);
    invalidate_all(&vtd);
    iov_kernel_run_until(vtd.bench->run.kernel, 99 * IOV_NS);
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_CCMD) >> 63, 1));
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_IOTLB) >> 63, 1));
    iov_kernel_run_until(vtd.bench->run.kernel, 100 * IOV_NS);
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_CCMD), 0x2800000000000000));
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_IOTLB), 0x1200000000000000));
}

Test(vtd_registers, a_granularity_that_is_reserved_is_reported_as_not_done)
{
    vtd_bench_start(&vtd);
    reg_write_wide(&vtd, VTD_CCMD, VTD_CCMD_ICC);
    reg_write_wide(&vtd, VTD_IOTLB, VTD_IOTLB_IVT);
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_CCMD), 0));
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_IOTLB), 0));
}
