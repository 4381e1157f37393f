#ifndef LOYALTY_HASH_H
#define LOYALTY_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_SIZE 32

/* SHA-256 (FIPS 180-4) of len bytes, to out. */
void hash_sha256(uint8_t out[HASH_SIZE], const void *p, size_t len);

#endif
