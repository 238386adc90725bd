/* SPDX-License-Identifier: Apache-2.0 */
/* The real-time clock (MC146818A) of a PC and the places of its battery-backed memory. */
#ifndef IOV_LEGACY_RTC_REGS_H
#define IOV_LEGACY_RTC_REGS_H

#define RTC_BASE 0x70u
#define RTC_INDEX 0 /* WO: register 0 to 127; bit 7 masks NMI */
#define RTC_DATA 1

#define RTC_SIZE 128u

#define RTC_SECONDS 0x00
#define RTC_SECONDS_ALARM 0x01
#define RTC_MINUTES 0x02
#define RTC_MINUTES_ALARM 0x03
#define RTC_HOURS 0x04
#define RTC_HOURS_ALARM 0x05
#define RTC_WEEKDAY 0x06 /* 1 is Sunday */
#define RTC_DAY 0x07
#define RTC_MONTH 0x08
#define RTC_YEAR 0x09
#define RTC_A 0x0a
#define RTC_B 0x0b
#define RTC_C 0x0c /* RO, cleared by reading */
#define RTC_D 0x0d /* RO */

#define RTC_ALARM_ANY 0xc0u /* an alarm byte with both bits set fits everything */
#define RTC_HOURS_PM 0x80u

#define RTC_A_UPDATE 0x80u  /* RO: an update is near */
#define RTC_A_DIVIDER 0x70u /* 0x20: the 32.768 kHz crystal; 0x60, 0x70: held in reset */
#define RTC_A_DIVIDER_32K 0x20u
#define RTC_A_DIVIDER_RESET 0x60u
#define RTC_A_RATE 0x0fu

#define RTC_B_SET 0x80u /* no updates: software sets the time */
#define RTC_B_PERIODIC 0x40u
#define RTC_B_ALARM 0x20u
#define RTC_B_UPDATE 0x10u
#define RTC_B_SQUARE_WAVE 0x08u
#define RTC_B_BINARY 0x04u
#define RTC_B_24H 0x02u

#define RTC_C_REQUEST 0x80u /* a flag and its enable are set */
#define RTC_C_PERIODIC 0x40u
#define RTC_C_ALARM 0x20u
#define RTC_C_UPDATE 0x10u
#define RTC_C_FLAGS 0x70u /* at the places of the enables in B */

#define RTC_D_VALID 0x80u

/* Places of the memory that every PC's firmware uses. */
#define CMOS_EQUIPMENT 0x14
#define CMOS_BASE_MEMORY 0x15     /* KiB, two bytes */
#define CMOS_EXTENDED_MEMORY 0x17 /* KiB above 1 MiB, two bytes */
#define CMOS_EXTENDED_MEMORY_2 0x30
#define CMOS_CENTURY 0x32
#define CMOS_MEMORY_16M 0x34  /* 64 KiB units above 16 MiB, two bytes */
#define CMOS_CENTURY_2 0x37   /* the century again, where PS/2 machines have it */
#define CMOS_MEMORY_HIGH 0x5b /* 64 KiB units above 4 GiB, three bytes */
#define CMOS_PROCESSORS 0x5f  /* less one */

#endif
