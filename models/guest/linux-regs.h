/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Constants of Linux 6.1's kernel, which a guest and a host follow alike: how long softirqs may go
 * on before ksoftirqd has them, how many frames one of them takes and a device's queue holds.
 */
#ifndef IOV_GUEST_LINUX_REGS_H
#define IOV_GUEST_LINUX_REGS_H

#include "core/kernel/time.h"

/* kernel/softirq.c */
#define LINUX_MAX_SOFTIRQ_RESTART 10
#define LINUX_MAX_SOFTIRQ_TIME (2 * IOV_MS)

/* net/core: frames of one softirq over all devices, and of one device's turn in it */
#define LINUX_NETDEV_BUDGET 300
#define LINUX_NAPI_POLL_WEIGHT 64
/* and in the queue of a device (a tap, a vif) that was not told another length */
#define LINUX_TX_QUEUE_LENGTH 1000

/* net/core/sock.c: small datagrams that fill a socket's receive buffer of 212,992 bytes */
#define LINUX_RECEIVE_DATAGRAMS 278
/* net/ipv4/tcp.c: tcp_wmem, the most that a connection's send buffer grows to */
#define LINUX_TCP_WMEM_MAX (4u << 20)

#endif
