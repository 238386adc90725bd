/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Offsets and numbers of Ethernet, ARP, IPv4, ICMP, UDP and TCP as they stand in a frame, without
 * options. Multi-byte fields are big-endian. Offsets of a protocol count from its own header.
 */
#ifndef IOV_NET_ETHERNET_REGS_H
#define IOV_NET_ETHERNET_REGS_H

/* Ethernet II. */
#define ETHERNET_DESTINATION 0
#define ETHERNET_SOURCE 6
#define ETHERNET_TYPE 12
#define ETHERNET_HEADER 14
#define ETHERNET_ADDRESS 6 /* bytes */
#define ETHERNET_TYPE_IPV4 0x0800
#define ETHERNET_TYPE_ARP 0x0806
#define ETHERNET_TYPE_VLAN 0x8100
#define ETHERNET_TYPE_IPV6 0x86dd
#define ETHERNET_VLAN_TAG 4 /* bytes a tag adds after the addresses */
#define ETHERNET_MIN 60     /* shortest frame without FCS */
#define ETHERNET_MAX 1514   /* longest untagged frame without FCS at an MTU of 1500 */
#define ETHERNET_FCS 4
#define ETHERNET_OVERHEAD \
    24 /* preamble and delimiter 8, FCS 4, gap 12: on the wire, not in the frame */

/* IPv4. */
#define IPV4_VERSION 0 /* version 4 and header length in words: 0x45 */
#define IPV4_TOS 1
#define IPV4_LENGTH 2
#define IPV4_ID 4
#define IPV4_FRAGMENT 6
#define IPV4_TTL 8
#define IPV4_PROTOCOL 9
#define IPV4_CHECKSUM 10
#define IPV4_SOURCE 12
#define IPV4_DESTINATION 16
#define IPV4_HEADER 20
#define IPV4_PROTOCOL_ICMP 1
#define IPV4_PROTOCOL_TCP 6
#define IPV4_PROTOCOL_UDP 17

/* IPv6. */
#define IPV6_PAYLOAD 4
#define IPV6_NEXT 6
#define IPV6_SOURCE 8
#define IPV6_HEADER 40

/* ICMP. */
#define ICMP_TYPE 0
#define ICMP_CODE 1
#define ICMP_CHECKSUM 2
#define ICMP_ID 4
#define ICMP_SEQUENCE 6
#define ICMP_HEADER 8
#define ICMP_TYPE_ECHO_REPLY 0
#define ICMP_TYPE_ECHO 8

/* UDP. */
#define UDP_SOURCE 0
#define UDP_DESTINATION 2
#define UDP_LENGTH 4
#define UDP_CHECKSUM 6
#define UDP_HEADER 8

/* TCP. */
#define TCP_SOURCE 0
#define TCP_DESTINATION 2
#define TCP_SEQUENCE 4
#define TCP_ACKNOWLEDGE 8
#define TCP_OFFSET 12 /* header length in words in the high half */
#define TCP_FLAGS 13
#define TCP_FLAG_FIN 0x01
#define TCP_FLAG_SYN 0x02
#define TCP_FLAG_RST 0x04
#define TCP_FLAG_PSH 0x08
#define TCP_FLAG_ACK 0x10
#define TCP_FLAG_CWR 0x80
#define TCP_WINDOW 14
#define TCP_CHECKSUM 16
#define TCP_HEADER 20
#define TCP_OPTION_END 0
#define TCP_OPTION_NOP 1
#define TCP_OPTION_MSS 2
#define TCP_OPTION_SCALE 3

/* ARP for IPv4 over Ethernet. */
#define ARP_HARDWARE 0
#define ARP_PROTOCOL 2
#define ARP_HARDWARE_SIZE 4
#define ARP_PROTOCOL_SIZE 5
#define ARP_OPERATION 6
#define ARP_SENDER_HARDWARE 8
#define ARP_SENDER_PROTOCOL 14
#define ARP_TARGET_HARDWARE 18
#define ARP_TARGET_PROTOCOL 24
#define ARP_SIZE 28
#define ARP_REQUEST 1
#define ARP_REPLY 2

#endif
