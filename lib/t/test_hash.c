#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "hash.h"

static void
is(const char *what, const void *p, size_t len, const char *want)
{
	uint8_t h[HASH_SIZE];
	char text[2 * HASH_SIZE + 1];
	size_t i;

	hash_sha256(h, p, len);
	for (i = 0; i < HASH_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", h[i]);
	CHECK_TEXT(what, text, 2 * HASH_SIZE, want);
}

/* FIPS 180-4, as published with its examples. */
static void
hash_gives_the_published_digests(void)
{
	char *million = malloc(1000000);

	is("SHA-256 of nothing", "", 0,
	    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	is("SHA-256 of abc", "abc", 3,
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	is("SHA-256 of two blocks", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
	    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	if (CHECK(million != NULL, "memory")) {
		memset(million, 'a', 1000000);
		is("SHA-256 of a million a", million, 1000000,
		    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	}
	free(million);
}

static void
hash_counts_bytes_behind_a_nul(void)
{
	uint8_t a[HASH_SIZE], b[HASH_SIZE];

	hash_sha256(a, "a\0b", 3);
	hash_sha256(b, "a\0c", 3);
	CHECK(memcmp(a, b, HASH_SIZE) != 0, "bytes behind a NUL count");
}

CU_TestInfo tests_hash[] = {
    TEST(hash_gives_the_published_digests),
    TEST(hash_counts_bytes_behind_a_nul),
    CU_TEST_INFO_NULL,
};
