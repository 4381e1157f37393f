#include <openssl/sha.h>

#include "hash.h"

void
hash_sha256(uint8_t out[HASH_SIZE], const void *p, size_t len)
{
	SHA256(p, len, out);
}
