/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server in a guest and the clients at the far end say to each other, as UDP payload;
 * big-endian. It stands for memcached's protocol: what counts is who sends how much when.
 */
#ifndef IOV_NET_SERVICE_REGS_H
#define IOV_NET_SERVICE_REGS_H

/* A server tells of itself. */
#define SERVICE_HELLO 0x696f7673u
#define SERVICE_HELLO_MAGIC 0
#define SERVICE_HELLO_GUEST 4 /* its number in the measurement */
#define SERVICE_HELLO_OPERATIONS 8
#define SERVICE_HELLO_WARMUP 12
#define SERVICE_HELLO_SIZE 16

/* A request; its answer begins with the same eight bytes. */
#define SERVICE_NUMBER 0
#define SERVICE_ANSWER 4 /* bytes that are wanted back, these eight included */
#define SERVICE_VERB 6   /* what it is */
#define SERVICE_VERB_GET 1
#define SERVICE_VERB_SET 2
#define SERVICE_HEADER 8

#endif
