/* SPDX-License-Identifier: Apache-2.0 */
/* Event channels between two domains: which bits are set where, and when the receiver hears of
 * it. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "models/hypervisor/xen-regs.h"
#include "models/hypervisor/xen.h"

static struct iov_xen_domain front, back;
static uint8_t page[XEN_PAGE];
static unsigned told;

static void on_notify(struct iov_xen_domain *domain, struct iov_exec *exec, struct iov_span *span)
{
    (void)exec;
    (void)span;
    cr_assert(eq(ptr, domain, &back));
    told++;
}

static void set_up(void)
{
    unsigned from = iov_xen_port_alloc(&front), to;

    iov_xen_port_alloc(&back); /* so that the ends have different numbers */
    to = iov_xen_port_alloc(&back);
    back.shared = page;
    back.notify = on_notify;
    front.channels[from].remote = &back;
    front.channels[from].remote_port = (uint16_t)to;
    cr_assert(eq(uint, from, 1));
    cr_assert(eq(uint, to, 2));
}

TestSuite(xen_event, .init = set_up);

/* What the receiver's kernel does first, and what it does with a channel. */
static void take(void)
{
    page[XEN_VCPU_UPCALL_PENDING] = 0;
    memset(page + XEN_VCPU_PENDING_SELECT, 0, 8);
    memset(page + XEN_EVTCHN_PENDING, 0, 512);
}

Test(xen_event, sets_the_bit_of_its_port_its_word_and_the_upcall)
{
    cr_assert(iov_xen_send(&front, 1, NULL, NULL));
    cr_assert(eq(u8, page[XEN_EVTCHN_PENDING], 1 << 2));
    cr_assert(eq(u8, page[XEN_VCPU_PENDING_SELECT], 1));
    cr_assert(eq(u8, page[XEN_VCPU_UPCALL_PENDING], 1));
    cr_assert(eq(uint, told, 1));
}

Test(xen_event, merges_until_the_receiver_looks)
{
    iov_xen_send(&front, 1, NULL, NULL);
    iov_xen_send(&front, 1, NULL, NULL);
    cr_assert(eq(uint, told, 1));
    take();
    iov_xen_send(&front, 1, NULL, NULL);
    cr_assert(eq(uint, told, 2));
}

Test(xen_event, of_a_masked_port_is_pending_and_tells_nobody)
{
    page[XEN_EVTCHN_MASK] = 1 << 2;
    cr_assert(iov_xen_send(&front, 1, NULL, NULL));
    cr_assert(eq(u8, page[XEN_EVTCHN_PENDING], 1 << 2));
    cr_assert(eq(u8, page[XEN_VCPU_UPCALL_PENDING], 0));
    cr_assert(eq(uint, told, 0));
}

Test(xen_event, while_an_upcall_is_on_its_way_adds_only_its_bit)
{
    iov_xen_event(&back, 1, NULL, NULL);
    iov_xen_event(&back, 2, NULL, NULL);
    cr_assert(eq(u8, page[XEN_EVTCHN_PENDING], 1 << 1 | 1 << 2));
    cr_assert(eq(uint, told, 1));
}

Test(xen_event, through_a_port_that_is_no_channel_is_refused)
{
    cr_assert(not(iov_xen_send(&front, 2, NULL, NULL)));
    cr_assert(not(iov_xen_send(&front, IOV_XEN_PORTS, NULL, NULL)));
    cr_assert(not(iov_xen_send(&front, UINT32_MAX, NULL, NULL)));
    cr_assert(eq(uint, told, 0));
}

Test(xen_event, before_the_receiver_has_a_page_is_lost)
{
    back.shared = NULL;
    cr_assert(iov_xen_send(&front, 1, NULL, NULL));
    cr_assert(eq(uint, told, 0));
}

Test(xen_event, ports_end_before_the_table_does)
{
    unsigned last = 0, port;

    while ((port = iov_xen_port_alloc(&front)) != 0)
        last = port;
    cr_assert(eq(uint, last, IOV_XEN_PORTS - 1));
}
