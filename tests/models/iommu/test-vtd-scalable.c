/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scalable mode of the vt-d kind: from function and PASID to a second stage, a first stage or
 * nothing at all; every reason to fault on the way; what is cached, and what makes it forgotten.
 */
#include "tests/models/iommu/vtd-bench.h"

#define DIRECTORY 0x120000u
#define PASIDS 0x130000u   /* the table of PASIDs 0 to 63 */
#define SECOND_A 0x140000u /* three tables of a second stage each */
#define SECOND_B 0x150000u
#define FIRST 0x160000u /* four tables */
#define PAGE_A 0x200000u
#define PAGE_B 0x300000u
#define IOVA 0x40001000u
#define PASID_A 5u
#define PASID_B 6u
#define DOMAIN_A 0xaau
#define DOMAIN_B 0xbbu

static struct vtd_bench vtd;

static void set_up(void)
{
    vtd_bench_init(&vtd, NULL);
    bench_number(vtd.unit, "scalable-mode", 1);
    bench_number(vtd.unit, "pasid-mode", 1);
    bench_number(vtd.unit, "pasid-bits", 16);
    bench_number(vtd.unit, "first-stage", 1);
}

static void tear_down(void)
{
    vtd_bench_free(&vtd);
}

TestSuite(vtd_scalable, .init = set_up, .fini = tear_down);

/* ---- Tables ---- */

static uint64_t context_address(uint16_t source)
{
    return CONTEXTS + (source & 0x7fu) * VTD_SM_CONTEXT_SIZE;
}

static uint64_t entry_of(uint32_t pasid)
{
    return PASIDS + pasid * VTD_SM_PASID_SIZE;
}

static void second_stage_map(uint64_t table, uint64_t iova, uint64_t entry)
{
    memory_write(&vtd, table + 8 * (iova >> 30 & 0x1ff), (table + 0x1000) | VTD_PAGE_RW);
    memory_write(&vtd, table + 0x1000 + 8 * (iova >> 21 & 0x1ff), (table + 0x2000) | VTD_PAGE_RW);
    memory_write(&vtd, table + 0x2000 + 8 * (iova >> 12 & 0x1ff), entry);
}

static void pasid_set(uint32_t pasid, uint64_t low, uint64_t domain, uint64_t third)
{
    memory_write(&vtd, entry_of(pasid) + 8, domain);
    memory_write(&vtd, entry_of(pasid) + 16, third);
    memory_write(&vtd, entry_of(pasid), low);
}

static void root_set(uint64_t entry)
{
    memory_write(&vtd, ROOT + 16u * (DEVICE >> 8), entry);
}

static void context_set_low(uint64_t low)
{
    memory_write(&vtd, context_address(DEVICE), low);
}

/* Two PASIDs of one function, each with a page of its own at the same device address. */
static void start(void)
{
    vtd_bench_start(&vtd);
    root_set(CONTEXTS | VTD_ROOT_P);
    context_set_low(DIRECTORY | VTD_SM_CONTEXT_PASIDE | VTD_SM_ENTRY_P);
    memory_write(&vtd, DIRECTORY, PASIDS | VTD_SM_ENTRY_P);
    pasid_set(PASID_A, vtd_pasid_second(SECOND_A, 3), DOMAIN_A, 0);
    pasid_set(PASID_B, vtd_pasid_second(SECOND_B, 3), DOMAIN_B, 0);
    second_stage_map(SECOND_A, IOVA, PAGE_A | VTD_PAGE_RW);
    second_stage_map(SECOND_B, IOVA, PAGE_B | VTD_PAGE_RW);
    reg_write_wide(&vtd, VTD_RTADDR, ROOT | VTD_RTADDR_SCALABLE);
    command(&vtd, VTD_G_SRTP);
    command(&vtd, VTD_G_TE);
}

/* ---- Requests ---- */

static enum iov_status access_by(uint32_t pasid, uint64_t address, bool write)
{
    uint32_t data = 0xfeedbeef;
    struct iov_mem_req req = bench_req(address, &data, sizeof data);

    req.requester = DEVICE;
    req.pasid = pasid;
    return write ? vtd.upstream->ops->write(vtd.upstream, &req)
                 : vtd.upstream->ops->read(vtd.upstream, &req);
}

static void check_reaches(uint32_t pasid, uint64_t address, uint64_t memory)
{
    bench_write(vtd.memory, memory, 4, 0);
    cr_expect(eq(int, access_by(pasid, address, true), IOV_STATUS_OK));
    cr_expect(eq(u64, bench_read(vtd.memory, memory, 4), 0xfeedbeef));
}

static void check_faults(uint32_t pasid, uint64_t address, bool write, unsigned reason)
{
    cr_expect(eq(int, access_by(pasid, address, write), IOV_STATUS_FAULT));
    cr_expect(eq(uint, fault_take(&vtd), reason));
}

/* ---- The queue, with descriptors of 256 bits ---- */

static void queue_on(uint64_t bits)
{
    reg_write_wide(&vtd, VTD_IQA, QUEUE | bits);
    command(&vtd, VTD_G_QIE);
}

static void descriptor_do(uint64_t low, uint64_t high)
{
    uint64_t at = reg_read_wide(&vtd, VTD_IQT);

    memory_write(&vtd, QUEUE + at, low);
    memory_write(&vtd, QUEUE + at + 8, high);
    reg_write_wide(&vtd, VTD_IQT, at + 32);
}

static bool queue_stopped(void)
{
    return reg_read(&vtd, VTD_FSTS) & VTD_FSTS_IQE;
}

/* ---- Capabilities ---- */

Test(vtd_scalable, the_extended_capabilities_say_what_is_there)
{
    uint64_t ecap;

    vtd_bench_start(&vtd);
    ecap = reg_read_wide(&vtd, VTD_ECAP);
    cr_assert(ecap & VTD_ECAP_SMTS && ecap & VTD_ECAP_SSTS && ecap & VTD_ECAP_FSTS);
    cr_assert(ecap & VTD_ECAP_PASID && ecap & VTD_ECAP_RPS && ecap & VTD_ECAP_SMPWC);
    cr_assert(eq(u64, ecap >> VTD_ECAP_PSS_SHIFT & 0x1f, 15));
    cr_assert(ne(u64, reg_read_wide(&vtd, VTD_CAP) & VTD_CAP_FS1GP, 0));
}

/* ---- Second stages ---- */

Test(vtd_scalable, a_pasid_leads_to_its_own_second_stage)
{
    start();
    check_reaches(PASID_A, IOVA + 0x234, PAGE_A + 0x234);
    check_reaches(PASID_B, IOVA + 0x234, PAGE_B + 0x234);
    cr_assert(eq(u64, bench_stat(vtd.unit, "blocked"), 0));
}

Test(vtd_scalable, what_one_pasid_has_cached_is_not_for_another)
{
    start();
    check_reaches(PASID_A, IOVA, PAGE_A);
    memory_write(&vtd, SECOND_B + 0x2000 + 8 * (IOVA >> 12 & 0x1ff), 0);
    check_faults(PASID_B, IOVA, true, VTD_FAULT_SM_NO_RIGHTS);
    cr_assert(eq(u64, bench_read(vtd.memory, PAGE_B, 4), 0));
}

Test(vtd_scalable, functions_above_127_have_the_upper_half_of_the_root_entry)
{
    uint32_t data = 1;
    struct iov_mem_req req = bench_req(IOVA, &data, 4);

    start();
    memory_write(&vtd, ROOT + 8, 0x180000 | VTD_ROOT_P);
    memory_write(&vtd, 0x180000 + 0x10 * VTD_SM_CONTEXT_SIZE,
                 DIRECTORY | VTD_SM_CONTEXT_PASIDE | VTD_SM_ENTRY_P);
    req.requester = 0x90;
    req.pasid = PASID_B;
    cr_assert(eq(int, vtd.upstream->ops->write(vtd.upstream, &req), IOV_STATUS_OK));
    cr_assert(eq(u64, bench_read(vtd.memory, PAGE_B, 4), 1));
}

Test(vtd_scalable, a_request_without_a_pasid_has_that_of_its_context)
{
    start();
    memory_write(&vtd, context_address(DEVICE) + 8, PASID_B);
    check_reaches(IOV_NO_PASID, IOVA, PAGE_B);
}

Test(vtd_scalable, a_pasid_may_pass_through)
{
    start();
    pasid_set(7, VTD_SM_PASS_THROUGH << VTD_SM_PASID_TYPE_SHIFT | 1, DOMAIN_A, 0);
    check_reaches(7, 0x250000, 0x250000);
    check_faults(7, 1ull << 50, true, VTD_FAULT_SM_BEYOND_HOST);
    check_faults(7, MSI_BASE, true, VTD_FAULT_SM_INTERRUPT_RANGE);
}

Test(vtd_scalable, with_a_pasid_the_interrupt_range_is_translated_like_any_other)
{
    start();
    check_faults(PASID_A, MSI_BASE + 0x1000, true, VTD_FAULT_SM_NO_RIGHTS);
    second_stage_map(SECOND_A, MSI_BASE, PAGE_A | VTD_PAGE_RW);
    check_reaches(PASID_A, MSI_BASE, PAGE_A);
    cr_assert(eq(uint, vtd.messages.count, 0));
}

Test(vtd_scalable, a_message_of_the_function_is_not_a_request_with_pasid)
{
    start();
    cr_assert(eq(int, access_by(IOV_NO_PASID, MSI_BASE, true), IOV_STATUS_OK));
    cr_assert(eq(uint, vtd.messages.count, 1));
}

/* ---- Faults ---- */

Test(vtd_scalable, a_fault_is_recorded_with_its_pasid)
{
    uint64_t high;

    start();
    cr_assert(eq(int, access_by(PASID_B, IOVA + 0x1234, true), IOV_STATUS_FAULT));
    high = reg_read_wide(&vtd, VTD_FRCD + 8);
    cr_assert(high & VTD_FRCD_F && high & VTD_FRCD_PP);
    cr_assert(eq(u64, high & (VTD_FRCD_EXE | VTD_FRCD_PRIV | VTD_FRCD_READ), 0));
    cr_assert(eq(u64, high >> VTD_FRCD_PV_SHIFT & 0xfffff, PASID_B));
    cr_assert(eq(u64, high & 0xffff, DEVICE));
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_FRCD), IOVA + 0x1000));
    cr_assert(eq(u64, bench_stat(vtd.unit, "faults-read"), 1));
}

Test(vtd_scalable, faults_of_two_pasids_of_a_function_are_two)
{
    bench_number(vtd.unit, "fault-records", 4);
    start();
    access_by(PASID_A, 0x1000, true);
    access_by(PASID_A, 0x2000, true);
    access_by(PASID_B, 0x1000, true);
    cr_assert(eq(u64, bench_stat(vtd.unit, "faults-recorded"), 2));
    cr_assert(eq(u64, bench_stat(vtd.unit, "faults-lost"), 1));
}

Test(vtd_scalable, root_entries_that_do_not_lead_on)
{
    start();
    root_set(0);
    check_faults(PASID_A, IOVA, true, VTD_FAULT_SM_ROOT_ABSENT);
    root_set(CONTEXTS | 0x801);
    check_faults(PASID_A, IOVA, true, VTD_FAULT_SM_ROOT_RESERVED);
    root_set(0xe0000001);
    check_faults(PASID_A, IOVA, true, VTD_FAULT_SM_CONTEXT_TABLE);
    reg_write_wide(&vtd, VTD_RTADDR, 0xe0000000 | VTD_RTADDR_SCALABLE);
    command(&vtd, VTD_G_SRTP);
    check_faults(PASID_A, IOVA, true, VTD_FAULT_SM_ROOT_TABLE);
    reg_write_wide(&vtd, VTD_RTADDR, ROOT | 0x800);
    command(&vtd, VTD_G_SRTP);
    check_faults(PASID_A, IOVA, true, VTD_FAULT_MODE);
}

Test(vtd_scalable, context_entries_that_do_not_lead_on)
{
    uint64_t good = DIRECTORY | VTD_SM_CONTEXT_PASIDE | VTD_SM_ENTRY_P;

    start();
    context_set_low(0);
    check_faults(PASID_A, IOVA, true, VTD_FAULT_SM_CONTEXT_ABSENT);
    context_set_low(good | 0x80);
    check_faults(PASID_A, IOVA, true, VTD_FAULT_SM_CONTEXT_RESERVED);
    context_set_low(good | VTD_SM_CONTEXT_DTE); /* the unit knows no device TLBs */
    check_faults(PASID_A, IOVA, true, VTD_FAULT_SM_CONTEXT_RESERVED);
    context_set_low(good);
    memory_write(&vtd, context_address(DEVICE) + 16, 1);
    check_faults(PASID_A, IOVA, true, VTD_FAULT_SM_CONTEXT_RESERVED);
    memory_write(&vtd, context_address(DEVICE) + 16, 0);
    memory_write(&vtd, context_address(DEVICE) + 8, 0x2000); /* a directory of 128 has 8192 */
    check_faults(PASID_A, IOVA, true, VTD_FAULT_SM_CONTEXT_INVALID);
}

Test(vtd_scalable, pasids_that_a_context_does_not_take)
{
    start();
    check_faults(0x2000, IOVA, true, VTD_FAULT_SM_PASID_BEYOND);
    check_faults(0x10000, IOVA, true, VTD_FAULT_SM_PASID_SIZE);
    check_faults(0, IOVA, true, VTD_FAULT_SM_PASID_OF_RID);
    invalidate_all(&vtd);
    context_set_low(DIRECTORY | VTD_SM_ENTRY_P);
    check_faults(PASID_A, IOVA, true, VTD_FAULT_SM_PASID_OFF);
}

Test(vtd_scalable, translated_requests_need_a_device_tlb)
{
    uint32_t data = 0;
    struct iov_mem_req req = bench_req(PAGE_A, &data, 4);

    bench_number(vtd.unit, "device-iotlb", 1);
    start();
    req.requester = DEVICE;
    req.flags = IOV_MEM_TRANSLATED;
    cr_assert(eq(int, vtd.upstream->ops->read(vtd.upstream, &req), IOV_STATUS_FAULT));
    cr_assert(eq(uint, fault_take(&vtd), VTD_FAULT_SM_TRANSLATED));
    context_set_low(DIRECTORY | VTD_SM_CONTEXT_PASIDE | VTD_SM_CONTEXT_DTE | VTD_SM_ENTRY_P);
    invalidate_all(&vtd);
    cr_assert(eq(int, vtd.upstream->ops->read(vtd.upstream, &req), IOV_STATUS_OK));
    req.pasid = PASID_A;
    cr_assert(eq(int, vtd.upstream->ops->read(vtd.upstream, &req), IOV_STATUS_FAULT));
    cr_assert(eq(uint, fault_take(&vtd), VTD_FAULT_SM_TRANSLATED_PASID));
}

Test(vtd_scalable, directory_entries_that_do_not_lead_on)
{
    start();
    check_faults(64, IOVA, true, VTD_FAULT_SM_DIRECTORY_ABSENT);
    memory_write(&vtd, DIRECTORY + 8, PASIDS | 5);
    check_faults(64, IOVA, true, VTD_FAULT_SM_DIRECTORY_RESERVED);
    memory_write(&vtd, DIRECTORY + 8, 0xe0000001);
    check_faults(64, IOVA, true, VTD_FAULT_SM_PASID_TABLE);
    context_set_low(0xe0000000 | VTD_SM_CONTEXT_PASIDE | VTD_SM_ENTRY_P);
    invalidate_all(&vtd);
    check_faults(64, IOVA, true, VTD_FAULT_SM_DIRECTORY_TABLE);
}

Test(vtd_scalable, entries_of_pasids_that_do_not_lead_on)
{
    uint64_t good = vtd_pasid_second(SECOND_A, 3), type = 7ull << VTD_SM_PASID_TYPE_SHIFT;

    start();
    check_faults(7, IOVA, true, VTD_FAULT_SM_PASID_ABSENT);
    pasid_set(7, good | 0x20, DOMAIN_A, 0);
    check_faults(7, IOVA, true, VTD_FAULT_SM_PASID_RESERVED);
    pasid_set(7, good, DOMAIN_A | 1 << 16, 0);
    check_faults(7, IOVA, true, VTD_FAULT_SM_PASID_RESERVED);
    pasid_set(7, good, DOMAIN_A, 2);
    check_faults(7, IOVA, true, VTD_FAULT_SM_PASID_RESERVED);
    pasid_set(7, good & ~type, DOMAIN_A, 0);
    check_faults(7, IOVA, true, VTD_FAULT_SM_PASID_INVALID);
    pasid_set(7, good | VTD_SM_NESTED << VTD_SM_PASID_TYPE_SHIFT, DOMAIN_A, 0);
    check_faults(7, IOVA, true, VTD_FAULT_SM_PASID_INVALID);
    pasid_set(7, good & ~VTD_SM_PASID_AW, DOMAIN_A, 0); /* no such width */
    check_faults(7, IOVA, true, VTD_FAULT_SM_PASID_INVALID);
    cr_assert(eq(u64, bench_stat(vtd.unit, "faults-pasid"), 7));
}

Test(vtd_scalable, second_stages_fault_with_reasons_of_their_own)
{
    start();
    second_stage_map(SECOND_A, IOVA, PAGE_A | VTD_PAGE_R);
    check_faults(PASID_A, IOVA, true, VTD_FAULT_SM_WRITE);
    second_stage_map(SECOND_A, IOVA + 0x1000, PAGE_A | VTD_PAGE_W);
    check_faults(PASID_A, IOVA + 0x1000, false, VTD_FAULT_SM_READ);
    second_stage_map(SECOND_A, IOVA + 0x2000, PAGE_A | VTD_PAGE_RW | VTD_PAGE_SNP);
    check_faults(PASID_A, IOVA + 0x2000, true, VTD_FAULT_SM_PAGE_RESERVED);
    second_stage_map(SECOND_A, IOVA + 0x3000, MSI_BASE | VTD_PAGE_RW);
    check_faults(PASID_A, IOVA + 0x3000, true, VTD_FAULT_SM_INTERRUPT_RANGE);
    check_faults(PASID_A, 1ull << 39, true, VTD_FAULT_SM_BEYOND_WIDTH);
    memory_write(&vtd, SECOND_A + 8 * 5, 0xe0000003);
    check_faults(PASID_A, 5ull << 30, true, VTD_FAULT_SM_NEXT_TABLE);
    pasid_set(7, vtd_pasid_second(0xe0000000, 3), DOMAIN_A + 1, 0);
    check_faults(7, IOVA, true, VTD_FAULT_SM_ROOT_PAGE);
}

Test(vtd_scalable, faults_are_silent_where_an_entry_says_so)
{
    start();
    memory_write(&vtd, DIRECTORY + 8, VTD_SM_ENTRY_FPD);
    check_faults(64, IOVA, true, 0);
    pasid_set(7, VTD_SM_ENTRY_FPD, 0, 0);
    check_faults(7, IOVA, true, 0);
    pasid_set(8, vtd_pasid_second(SECOND_A, 3) | VTD_SM_ENTRY_FPD, DOMAIN_A, 0);
    check_faults(8, 0x1000, true, 0);
    check_faults(8, 0x1000, true, 0); /* from the cache */
    check_faults(PASID_A, 0x1000, true, VTD_FAULT_SM_NO_RIGHTS);
    invalidate_all(&vtd);
    context_set_low(VTD_SM_ENTRY_FPD);
    check_faults(PASID_A, 0x1000, true, 0);
    cr_assert(eq(u64, bench_stat(vtd.unit, "blocked"), 6));
}

/* ---- First stages ---- */

static void first_stage_map(uint64_t address, uint64_t entry)
{
    for (unsigned level = 4; level > 1; level--)
        memory_write(&vtd, FIRST + 0x1000 * (4 - level) + 8 * (address >> (3 + 9 * level) & 0x1ff),
                     (FIRST + 0x1000 * (5 - level)) | VTD_FIRST_P | VTD_FIRST_W | VTD_FIRST_U);
    memory_write(&vtd, FIRST + 0x3000 + 8 * (address >> 12 & 0x1ff), entry);
}

static uint64_t first_leaf(uint64_t address)
{
    return memory_read(&vtd, FIRST + 0x3000 + 8 * (address >> 12 & 0x1ff));
}

#define USER (VTD_FIRST_P | VTD_FIRST_W | VTD_FIRST_U)

static void first_stage_start(void)
{
    start();
    pasid_set(9, VTD_SM_FIRST << VTD_SM_PASID_TYPE_SHIFT | 1, DOMAIN_A | VTD_SM_PASID_PWSNP, FIRST);
    first_stage_map(0xffff800000005000, PAGE_A | USER);
}

Test(vtd_scalable, a_first_stage_translates_and_marks_what_was_used)
{
    first_stage_start();
    cr_assert(eq(int, access_by(9, 0xffff800000005010, false), IOV_STATUS_OK));
    cr_assert(eq(u64, first_leaf(0xffff800000005000) & 0xff, USER | VTD_FIRST_A));
    check_reaches(9, 0xffff800000005010, PAGE_A + 0x10);
    cr_assert(eq(u64, first_leaf(0xffff800000005000) & 0xff, USER | VTD_FIRST_A | VTD_FIRST_D));
    cr_assert(eq(u64, memory_read(&vtd, FIRST + 8 * 256) & 0xff, USER | VTD_FIRST_A));
    check_reaches(9, 0xffff800000005020, PAGE_A + 0x20);
    cr_assert(eq(u64, bench_stat(vtd.unit, "iotlb-hits"), 1));
}

Test(vtd_scalable, first_stages_have_pages_of_2m_and_1g)
{
    first_stage_start();
    memory_write(&vtd, FIRST, (FIRST + 0x1000) | USER); /* addresses from 0 on */
    memory_write(&vtd, FIRST + 0x1000, (FIRST + 0x2000) | USER);
    memory_write(&vtd, FIRST + 0x1000 + 8, 0 | USER | VTD_FIRST_SUPER);
    memory_write(&vtd, FIRST + 0x2000 + 8,
                 0x200000 | 0x1000 | USER | VTD_FIRST_SUPER); /* with PAT */
    check_reaches(9, 0x2abcd0, 0x2abcd0);
    check_reaches(9, 0x40345678, 0x345678);
    check_reaches(9, 0x40345000, 0x345000);
    cr_assert(eq(u64, bench_stat(vtd.unit, "iotlb-hits"), 1));
    memory_write(&vtd, FIRST + 0x2000 + 16, 0x200000 | 0x2000 | USER | VTD_FIRST_SUPER);
    check_faults(9, 0x400000, true, VTD_FAULT_SM_FIRST_RESERVED);
}

Test(vtd_scalable, requests_without_a_pasid_are_users)
{
    start();
    memory_write(&vtd, context_address(DEVICE) + 8,
                 PASID_B | 1 << 20); /* RID_PRIV is not supported */
    check_faults(IOV_NO_PASID, IOVA, true, VTD_FAULT_SM_CONTEXT_RESERVED);
}

Test(vtd_scalable, first_stages_fault_with_reasons_of_their_own)
{
    first_stage_start();
    check_faults(9, 0x0001000000000000, true, VTD_FAULT_SM_CANONICAL);
    check_faults(9, 0x5000, true, VTD_FAULT_SM_FIRST_ABSENT);
    first_stage_map(0x6000, PAGE_A | USER | 1ull << 50);
    check_faults(9, 0x6000, true, VTD_FAULT_SM_FIRST_RESERVED);
    first_stage_map(0x7000, PAGE_A | VTD_FIRST_P | VTD_FIRST_W);
    check_faults(9, 0x7000, true, VTD_FAULT_SM_SUPERVISOR);
    first_stage_map(0x8000, PAGE_A | VTD_FIRST_P | VTD_FIRST_U);
    check_faults(9, 0x8000, true, VTD_FAULT_SM_WRITE);
    first_stage_map(0x9000, MSI_BASE | USER);
    check_faults(9, 0x9000, true, VTD_FAULT_SM_INTERRUPT_RANGE);
    memory_write(&vtd, FIRST + 8, 0xe0000000 | USER);
    check_faults(9, 1ull << 39, true, VTD_FAULT_SM_FIRST_TABLE);
    pasid_set(10, VTD_SM_FIRST << VTD_SM_PASID_TYPE_SHIFT | 1, DOMAIN_A, 0xe0000000);
    check_faults(10, 0x5000, true, VTD_FAULT_SM_FIRST_ROOT);
    pasid_set(11, VTD_SM_FIRST << VTD_SM_PASID_TYPE_SHIFT | 1, DOMAIN_A, FIRST);
    first_stage_map(0xa000, PAGE_A | USER);
    check_faults(11, 0xa000, true, VTD_FAULT_SM_ACCESSED); /* its walks are not coherent */
}

/* ---- Invalidation ---- */

Test(vtd_scalable, an_entry_is_cached_until_its_pasid_is_invalidated)
{
    start();
    queue_on(VTD_IQA_DW);
    check_reaches(PASID_A, IOVA, PAGE_A);
    pasid_set(PASID_A, vtd_pasid_second(SECOND_B, 3), DOMAIN_B, 0);
    check_reaches(PASID_A, IOVA, PAGE_A);
    descriptor_do(vtd_inv_pasid_cache(VTD_PASID_CACHE_SELECTIVE, DOMAIN_A, PASID_B), 0);
    check_reaches(PASID_A, IOVA, PAGE_A);
    descriptor_do(vtd_inv_pasid_cache(VTD_PASID_CACHE_SELECTIVE, DOMAIN_A, PASID_A), 0);
    check_reaches(PASID_A, IOVA, PAGE_B);
    pasid_set(PASID_A, 0, 0, 0);
    descriptor_do(vtd_inv_pasid_cache(VTD_PASID_CACHE_DOMAIN, DOMAIN_A, 0), 0);
    check_reaches(PASID_A, IOVA, PAGE_B);
    descriptor_do(vtd_inv_pasid_cache(VTD_PASID_CACHE_DOMAIN, DOMAIN_B, 0), 0);
    check_faults(PASID_A, IOVA, true, VTD_FAULT_SM_PASID_ABSENT);
    check_reaches(PASID_B, IOVA, PAGE_B);
    pasid_set(PASID_B, 0, 0, 0);
    descriptor_do(vtd_inv_pasid_cache(VTD_PASID_CACHE_GLOBAL, 0, 0), 0);
    check_faults(PASID_B, IOVA, true, VTD_FAULT_SM_PASID_ABSENT);
    cr_assert(eq(u64, bench_stat(vtd.unit, "invalidations-pasid"), 5));
}

Test(vtd_scalable, a_page_is_cached_until_its_domain_or_its_pasid_is_invalidated)
{
    start();
    queue_on(VTD_IQA_DW);
    check_reaches(PASID_A, IOVA, PAGE_A);
    second_stage_map(SECOND_A, IOVA, PAGE_B | VTD_PAGE_RW);
    descriptor_do(vtd_inv_pasid_iotlb(VTD_GRANULARITY_DOMAIN, DOMAIN_B, PASID_A), 0);
    check_reaches(PASID_A, IOVA, PAGE_A);
    descriptor_do(vtd_inv_pasid_iotlb(VTD_GRANULARITY_DOMAIN, DOMAIN_A, PASID_A), 0);
    check_reaches(PASID_A, IOVA, PAGE_B);
    second_stage_map(SECOND_A, IOVA, PAGE_A | VTD_PAGE_RW);
    descriptor_do(vtd_inv_iotlb(VTD_GRANULARITY_DOMAIN, DOMAIN_A), 0);
    check_reaches(PASID_A, IOVA, PAGE_A);
}

Test(vtd_scalable, pages_of_a_first_stage_go_one_by_one)
{
    first_stage_start();
    queue_on(VTD_IQA_DW);
    first_stage_map(0xffff800000006000, PAGE_A | USER);
    check_reaches(9, 0xffff800000005000, PAGE_A);
    check_reaches(9, 0xffff800000006000, PAGE_A);
    first_stage_map(0xffff800000005000, PAGE_B | USER);
    first_stage_map(0xffff800000006000, PAGE_B | USER);
    descriptor_do(vtd_inv_pasid_iotlb(VTD_GRANULARITY_SELECTIVE, DOMAIN_A, 9), 0xffff800000005000);
    check_reaches(9, 0xffff800000005000, PAGE_B);
    check_reaches(9, 0xffff800000006000, PAGE_A);
    descriptor_do(vtd_inv_pasid_iotlb(VTD_GRANULARITY_SELECTIVE, DOMAIN_A, 8), 0xffff800000006000);
    check_reaches(9, 0xffff800000006000, PAGE_A);
    descriptor_do(vtd_inv_iotlb(VTD_GRANULARITY_DOMAIN, DOMAIN_A), 0);
    check_reaches(9, 0xffff800000006000, PAGE_B);
}

Test(vtd_scalable, a_context_is_cached_until_it_is_invalidated)
{
    start();
    queue_on(VTD_IQA_DW);
    check_reaches(PASID_A, IOVA, PAGE_A);
    context_set_low(0);
    check_reaches(PASID_A, IOVA, PAGE_A);
    descriptor_do(VTD_INV_CONTEXT | VTD_GRANULARITY_GLOBAL << VTD_INV_GRANULARITY_SHIFT, 0);
    check_faults(PASID_A, IOVA, true, VTD_FAULT_SM_CONTEXT_ABSENT);
}

Test(vtd_scalable, wait_descriptors_of_256_bits_write_their_status)
{
    start();
    queue_on(VTD_IQA_DW);
    descriptor_do(vtd_inv_wait(0x77), 0x1f0000);
    cr_assert(eq(u64, bench_read(vtd.memory, 0x1f0000, 4), 0x77));
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_IQH), 32));
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_IQA), QUEUE | VTD_IQA_DW));
}

Test(vtd_scalable, scalable_mode_takes_no_descriptor_of_128_bits)
{
    start();
    queue_on(0);
    descriptor_do(vtd_inv_iotlb(VTD_GRANULARITY_GLOBAL, 0), 0);
    cr_assert(queue_stopped());
}

Test(vtd_scalable, malformed_descriptors_stop_the_queue)
{
    static const uint64_t bad[][2] = {
        { VTD_INV_PASID_CACHE | 2 << 4, 0 }, { VTD_INV_PASID_CACHE | 1ull << 52, 0 },
        { VTD_INV_PASID_CACHE, 1 },          { VTD_INV_PASID_IOTLB, 0 },
        { VTD_INV_PASID_IOTLB | 1 << 4, 0 }, { VTD_INV_PASID_IOTLB | 3 << 4, 0x3f },
        { VTD_INV_PASID_DEVICE_TLB, 0 },     { 9, 0 },
    };

    start();
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        command(&vtd, 0);
        reg_write(&vtd, VTD_GCMD, VTD_G_TE); /* queue off and on: it begins anew */
        reg_write_wide(&vtd, VTD_IQT, 0);
        queue_on(VTD_IQA_DW);
        descriptor_do(bad[i][0], bad[i][1]);
        cr_expect(queue_stopped(), "descriptor %u", i);
        reg_write(&vtd, VTD_GCMD, VTD_G_TE);
        reg_write(&vtd, VTD_FSTS, VTD_FSTS_IQE);
    }
}

Test(vtd_scalable, the_upper_half_of_a_shorter_descriptor_is_zero)
{
    start();
    queue_on(VTD_IQA_DW);
    memory_write(&vtd, QUEUE + 16, 1);
    descriptor_do(vtd_inv_iotlb(VTD_GRANULARITY_GLOBAL, 0), 0);
    cr_assert(queue_stopped());
}

Test(vtd_scalable, a_tail_in_the_middle_of_a_descriptor_stops_the_queue)
{
    start();
    queue_on(VTD_IQA_DW);
    reg_write_wide(&vtd, VTD_IQT, 16);
    cr_assert(queue_stopped());
}

Test(vtd_scalable, without_the_mode_its_descriptors_do_not_exist)
{
    vtd_bench_start(&vtd);
    reg_write_wide(&vtd, VTD_RTADDR, ROOT);
    command(&vtd, VTD_G_SRTP);
    queue_on(VTD_IQA_DW);
    descriptor_do(vtd_inv_wait(1), 0x1f0000);
    cr_assert(not(queue_stopped()));
    descriptor_do(vtd_inv_pasid_cache(VTD_PASID_CACHE_GLOBAL, 0, 0), 0);
    cr_assert(queue_stopped());
}

/* ---- Time ---- */

Test(vtd_scalable, entries_cost_reads_once)
{
    start();
    check_reaches(PASID_A, IOVA, PAGE_A);
    cr_assert(eq(u64, bench_stat(vtd.unit, "walk-reads"),
                 4 + 3)); /* root, context, directory, PASID; three levels */
    check_reaches(PASID_A, IOVA + 4, PAGE_A + 4);
    cr_assert(eq(u64, bench_stat(vtd.unit, "walk-reads"), 7));
    check_reaches(PASID_B, IOVA, PAGE_B);
    cr_assert(eq(u64, bench_stat(vtd.unit, "walk-reads"), 7 + 2 + 3)); /* the context is known */
    cr_assert(eq(u64, bench_stat(vtd.unit, "pasid-misses"), 2));
}
