/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One stack switch, in one place, three ways:
 * - x86-64: a few instructions in line. No call is left without its return, so the processor goes
 *   on predicting returns rightly. Floating-point control words are not switched: whoever changes
 *   the rounding mode restores it before a wait.
 * - elsewhere, or with IOV_BOOST_CONTEXT: Boost.Context's C entry points.
 * - with IOV_UCONTEXT: ucontext, portable and slow.
 * AddressSanitizer and ThreadSanitizer hear of every switch. Internal; not installed.
 */
#ifndef IOV_KERNEL_FIBER_SWITCH_H
#define IOV_KERNEL_FIBER_SWITCH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/kernel/macros.h"
#include "core/kernel/sanitizer-private.h"

struct iov_context;

#if defined(IOV_UCONTEXT)
#include <ucontext.h>
typedef ucontext_t iov_context_stand;
#elif defined(__x86_64__) && defined(__LP64__) && !defined(IOV_BOOST_CONTEXT)
#define IOV_SWITCH_IN_LINE
typedef struct {
    void *sp;
    void *bp;
    void (*pc)(void *, struct iov_context *);
} iov_context_stand;
#else
typedef void *fcontext_t;
typedef fcontext_t iov_context_stand;
typedef struct {
    fcontext_t from;
    void *data;
} transfer_t;
/* In libboost_context; its C++ header declares the same functions. */
extern transfer_t jump_fcontext(fcontext_t to, void *data);
extern fcontext_t make_fcontext(void *stack_top, size_t size, void (*function)(transfer_t));
#endif

#if IOV_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#if IOV_TSAN
extern void *__tsan_get_current_fiber(void);
extern void *__tsan_create_fiber(unsigned flags);
extern void __tsan_destroy_fiber(void *fiber);
extern void __tsan_switch_to_fiber(void *fiber, unsigned flags);
#endif

/* A place where execution stands still. One for each fiber and one for the loop. */
struct iov_context {
    iov_context_stand stands; /* must be first */
    void (*entry)(void *argument);
    void *argument;
    struct iov_context *came_from; /* who switched here last */
#if IOV_ASAN
    const void *stack;
    size_t stack_size;
    void *fake_stack;
#endif
#if IOV_TSAN
    void *tsan;
#endif
};

_Static_assert(offsetof(struct iov_context, stands) == 0, "iov_context_start() relies on it");

static inline void iov_context_leave(struct iov_context *from, struct iov_context *to,
                                     bool for_ever)
{
#if IOV_ASAN
    __sanitizer_start_switch_fiber(for_ever ? NULL : &from->fake_stack, to->stack, to->stack_size);
#endif
#if IOV_TSAN
    from->tsan = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to->tsan, 0);
#endif
    (void)for_ever;
    to->came_from = from;
}

/* The first thing on arrival. The bounds of the loop's stack are learnt here. */
static inline void iov_context_arrive(struct iov_context *here)
{
#if IOV_ASAN
    __sanitizer_finish_switch_fiber(here->fake_stack, &here->came_from->stack,
                                    &here->came_from->stack_size);
#endif
    (void)here;
}

#if defined(IOV_UCONTEXT)
static inline void iov_context_start(unsigned high, unsigned low)
{
    struct iov_context *here = (struct iov_context *)(((uintptr_t)high << 16 << 16) | low);

    iov_context_arrive(here);
    here->entry(here->argument);
    __builtin_unreachable();
}
#elif defined(IOV_SWITCH_IN_LINE)
/* Entered by a jump that leaves the new context in the register of the second argument. */
static inline void iov_context_start(void *unused, struct iov_context *here)
{
    (void)unused;
    iov_context_arrive(here);
    here->entry(here->argument);
    __builtin_unreachable();
}

/*
 * Stack pointer, frame pointer and where to go on are kept; everything else the compiler keeps
 * itself, because the statement claims to change it. Nothing is written to the stack: the red zone
 * stays whole.
 */
static inline __attribute__((always_inline)) void iov_context_jump(iov_context_stand *from,
                                                                   iov_context_stand *to)
{
    __asm__ volatile("movq %%rsp, 0(%0)\n\t"
                     "movq %%rbp, 8(%0)\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "movq %%rax, 16(%0)\n\t"
                     "movq 0(%1), %%rsp\n\t"
                     "movq 8(%1), %%rbp\n\t"
                     "jmpq *16(%1)\n"
                     "1:"
                     : "+D"(from), "+S"(to)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                       "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
#ifdef __AVX512F__
                       "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23",
                       "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1",
                       "k2", "k3", "k4", "k5", "k6", "k7",
#endif
                       "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)",
                       "memory", "cc");
}
#else
static inline void iov_context_start(transfer_t transfer)
{
    struct iov_context *here = transfer.data;

    here->came_from->stands = transfer.from;
    iov_context_arrive(here);
    here->entry(here->argument);
    __builtin_unreachable();
}
#endif

/*
 * Leaves `from` and goes on at `to`; returns when somebody switches back, unless `for_ever`. Once a
 * stack is being left for ever, its locals are gone for AddressSanitizer: what the other side needs
 * lies in the contexts.
 */
static inline void iov_context_switch(struct iov_context *from, struct iov_context *to,
                                      bool for_ever)
{
    iov_context_leave(from, to, for_ever);
#if defined(IOV_UCONTEXT)
    swapcontext(&from->stands, &to->stands);
#elif defined(IOV_SWITCH_IN_LINE)
    iov_context_jump(&from->stands, &to->stands);
#else
    transfer_t transfer = jump_fcontext(to->stands, to);
    from->came_from->stands = transfer.from;
#endif
    iov_context_arrive(from);
}

/* A new context that calls entry(argument), which must not return, on the stack that ends at `stack
 * + size`. */
static inline void iov_context_init(struct iov_context *context, void *stack, size_t size,
                                    void (*entry)(void *argument), void *argument)
{
    context->entry = entry;
    context->argument = argument;
#if IOV_ASAN
    context->stack = stack;
    context->stack_size = size;
    context->fake_stack = NULL;
#endif
#if IOV_TSAN
    context->tsan = __tsan_create_fiber(0);
#endif
#if defined(IOV_UCONTEXT)
    getcontext(&context->stands);
    context->stands.uc_stack.ss_sp = stack;
    context->stands.uc_stack.ss_size = size;
    context->stands.uc_link = NULL;
    makecontext(&context->stands, (void (*)(void))iov_context_start, 2,
                (unsigned)((uintptr_t)context >> 16 >> 16), (unsigned)(uintptr_t)context);
#elif defined(IOV_SWITCH_IN_LINE)
    /* As if called: a return address that ends every backtrace, under an aligned stack. */
    void **sp = (void **)(void *)((char *)stack + (size & ~(size_t)15)) - 1;
    *sp = NULL;
    context->stands = (iov_context_stand){ .sp = sp, .bp = NULL, .pc = iov_context_start };
#else
    context->stands = make_fcontext((char *)stack + size, size, iov_context_start);
#endif
}

/* From another context only. */
static inline void iov_context_finish(struct iov_context *context)
{
#if IOV_TSAN
    __tsan_destroy_fiber(context->tsan);
#endif
    (void)context;
}

#endif
