/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The time of one PCIe link: what a transfer costs in bytes, when a direction of the link has
 * carried them, and what holds a transfer back: flow-control credits of the receiver and tags of
 * the requester. No bytes move here and nothing is waited for; callers add up times and wait
 * themselves.
 *
 * Each direction carries its rate and no more. A transfer that starts in the future leaves the time
 * until then to others. Several functions take turns: before each transfer of one, every other that
 * has something to send sends as much.
 *
 * SPEC: PCI Express Base 5.0: 2.2 (headers), 2.2.2 (MPS), 2.2.7 (MRRS), 2.3.1.1 (RCB), 2.6.1
 * (credits), 2.2.6.2 (tags), 3.6.3.1 and 2.6.1.2 (when Ack and UpdateFC are due), 4.2.1 and 4.2.2
 * (encodings), 4.2.7 (SKP ordered sets).
 * LIMIT: no replay; a transfer that has been given its time is not delayed by one that another
 * function asks for later.
 */
#ifndef IOV_PCIE_LINK_PRIVATE_H
#define IOV_PCIE_LINK_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/kernel/time.h"

#define PCIE_FLOWS_MAX 64u

struct pcie_link_settings {
    unsigned generation, lanes;
    uint32_t max_payload, max_read_request, completion_boundary; /* powers of two */
    unsigned tags;                        /* reads of the device at the same time */
    unsigned posted_headers, posted_data; /* credits of the root port; data in units of 16 bytes */
    unsigned nonposted_headers;
};

/* What one function has promised to send. */
struct pcie_flow {
    iov_time busy;
    uint16_t requester;
};

struct pcie_direction {
    struct pcie_flow flows[PCIE_FLOWS_MAX];
    unsigned flow_count;
    uint64_t bytes; /* carried so far */
};

/* Credits that are out: given back in order. */
struct pcie_credits {
    struct {
        iov_time when;
        uint32_t data;
    } * out; /* a ring of `headers` places */
    unsigned headers, data;
    unsigned first, count, data_out;
};

/* Reads that are out: a binary heap of the times they end. */
struct pcie_tags {
    iov_time *ends;
    unsigned tags, count;
};

struct pcie_link {
    struct pcie_link_settings settings;
    uint64_t rate;     /* bit/s that are left for TLPs */
    uint64_t per_byte; /* of a TLP: ps * 2^20 */
    struct pcie_direction up, down;
    struct pcie_credits posted, nonposted;
    struct pcie_tags tags;
};

/* False if a number is not a power of two, or zero, where it must be. */
bool pcie_link_init(struct pcie_link *link, const struct pcie_link_settings *settings);
void pcie_link_clear(struct pcie_link *link);

/* ---- Bytes ---- */

/* A request's header with framing, sequence number and LCRC: 3 DW below 4 GiB, 4 DW above. */
uint32_t pcie_request_header(uint64_t address);
#define PCIE_COMPLETION_HEADER 20u
#define PCIE_MESSAGE_BYTES 24u
/* A posted write, cut at MPS and at multiples of it. */
uint64_t pcie_write_bytes(const struct pcie_link *link, uint64_t address, uint32_t size);
/* What a PASID adds to such a write: a prefix of a DWORD to each TLP. */
#define PCIE_PASID_PREFIX 4u
uint64_t pcie_write_prefixes(const struct pcie_link *link, uint64_t address, uint32_t size);
/* The completions of one read request: cut at RCB first, then at MPS. */
uint64_t pcie_completion_bytes(const struct pcie_link *link, uint64_t address, uint32_t size);
/* Bytes of the first read request for [address, address + size): up to MRRS, not across a multiple
 * of it. */
uint32_t pcie_read_piece(const struct pcie_link *link, uint64_t address, uint32_t size);

/* ---- Time ---- */

/* Puts `bytes` on a direction at `at`, not before `now`: when the last of them has left. */
iov_time pcie_send(struct pcie_link *link, struct pcie_direction *direction, uint16_t requester,
                   uint64_t bytes, iov_time now, iov_time at);
/* The first time, not before `at`, at which the receiver has room for one header and `size` bytes;
 * takes the credits. */
iov_time pcie_credits_take(struct pcie_credits *credits, uint32_t size, iov_time at);
/* The transfer that took credits last gives them back at `when`. */
void pcie_credits_return(struct pcie_credits *credits, uint32_t size, iov_time when);
/* The first time, not before `at`, at which a tag is free; it is taken until pcie_tag_return() says
 * when it ends. */
iov_time pcie_tag_take(struct pcie_tags *tags, iov_time at);
void pcie_tag_return(struct pcie_tags *tags, iov_time when);

#endif
