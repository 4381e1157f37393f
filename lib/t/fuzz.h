#ifndef LOYALTY_FUZZ_H
#define LOYALTY_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/*
 * A harness: LLVMFuzzerTestOneInput, as libFuzzer calls it (make fuzz), which
 * aborts where something is wrong, and inputs to begin with.  fuzz_driver.c
 * calls it with mutations of these, always the same ones (make check).
 */
struct fuzz_seed {
	const char *s;
	size_t len;
};
#define FUZZ_SEED(s)                                                                               \
	{                                                                                          \
		s, sizeof(s) - 1                                                                   \
	}

extern const struct fuzz_seed fuzz_seeds[]; /* the last has s NULL */
extern const struct fuzz_seed fuzz_words[]; /* what mutations put in, the same */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Say what is wrong, and abort. */
void fuzz_fail(const char *why, const void *data, size_t len) __attribute__((noreturn));

#endif
