/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random streams (xoshiro256**). Each model owns one, seeded by the run's seed and the model's
 * path: adding a model does not change another's numbers. Results are the same on every machine:
 * only integer arithmetic and IEEE operations that are exactly rounded are used.
 */
#ifndef IOV_KERNEL_RANDOM_H
#define IOV_KERNEL_RANDOM_H

#include "core/kernel/macros.h"
#include "core/kernel/time.h"

IOV_BEGIN_DECLS

struct iov_random {
    uint64_t state[4];
};

IOV_API void iov_random_init(struct iov_random *random, uint64_t seed, const char *path);
IOV_API uint64_t iov_random_u64(struct iov_random *random);
/* Evenly spread over lowest..highest, both included, without modulo bias. */
IOV_API uint64_t iov_random_uniform(struct iov_random *random, uint64_t lowest, uint64_t highest);
/* In [0, 1), 53 bits. */
IOV_API double iov_random_real(struct iov_random *random);

/* How a duration or a size varies from draw to draw. */
enum iov_distribution { IOV_CONSTANT, IOV_UNIFORM, IOV_EXPONENTIAL, IOV_PARETO };
/* A draw with the given mean, at most 2^63 unless it is uniform or constant: uniform over
 * 0..2*mean, Pareto with shape 2.5 (mean kept). */
IOV_API uint64_t iov_random_draw(struct iov_random *random, enum iov_distribution distribution,
                                 uint64_t mean);
/* Pareto with scale `lowest` and shape > 1. */
IOV_API uint64_t iov_random_pareto(struct iov_random *random, uint64_t lowest, double shape);

IOV_END_DECLS

#endif
