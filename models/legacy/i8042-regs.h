/* SPDX-License-Identifier: Apache-2.0 */
/* The keyboard controller of a PC and the commands of controller and keyboard that are answered. */
#ifndef IOV_LEGACY_I8042_REGS_H
#define IOV_LEGACY_I8042_REGS_H

#define I8042_DATA 0x60u    /* RO output buffer, WO input buffer */
#define I8042_COMMAND 0x64u /* RO status, WO command */

#define I8042_STATUS_OUTPUT 0x01u
#define I8042_STATUS_INPUT 0x02u
#define I8042_STATUS_SYSTEM 0x04u /* the self test was passed */
#define I8042_STATUS_COMMAND 0x08u
#define I8042_STATUS_UNLOCKED 0x10u
#define I8042_STATUS_AUX 0x20u

#define I8042_MODE_KEYBOARD_INTERRUPT 0x01u
#define I8042_MODE_AUX_INTERRUPT 0x02u
#define I8042_MODE_KEYBOARD_OFF 0x10u
#define I8042_MODE_AUX_OFF 0x20u
#define I8042_MODE_TRANSLATE 0x40u

#define I8042_OUT_RUN 0x01u /* clear: reset */
#define I8042_OUT_A20 0x02u
#define I8042_OUT_KEYBOARD_FULL 0x10u
#define I8042_OUT_AUX_FULL 0x20u

#define I8042_READ_MODE 0x20u
#define I8042_WRITE_MODE 0x60u
#define I8042_AUX_DISABLE 0xa7u
#define I8042_AUX_ENABLE 0xa8u
#define I8042_AUX_TEST 0xa9u
#define I8042_SELF_TEST 0xaau
#define I8042_KEYBOARD_TEST 0xabu
#define I8042_KEYBOARD_DISABLE 0xadu
#define I8042_KEYBOARD_ENABLE 0xaeu
#define I8042_READ_INPUT 0xc0u
#define I8042_READ_OUTPUT 0xd0u
#define I8042_WRITE_OUTPUT 0xd1u
#define I8042_WRITE_KEYBOARD_BUFFER 0xd2u
#define I8042_WRITE_AUX_BUFFER 0xd3u
#define I8042_WRITE_AUX 0xd4u
#define I8042_A20_OFF 0xddu
#define I8042_A20_ON 0xdfu
#define I8042_PULSE 0xf0u /* bits 3:0 clear: output bits that pulse low */

#define I8042_SELF_TEST_PASSED 0x55u

#define PS2_ACK 0xfau
#define PS2_RESEND 0xfeu
#define PS2_TEST_PASSED 0xaau

#endif
