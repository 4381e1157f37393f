#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "check.h"

/* --wrap=realloc: where set, memory has run out. */
static bool no_memory;
void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);

void *
__wrap_realloc(void *p, size_t n)
{
	return no_memory ? NULL : __real_realloc(p, n);
}

static void
buf_zeroed_is_empty_and_valid(void)
{
	struct buf b = {0};

	buf_reset(&b);
	CHECK(b.len == 0 && !b.failed, "reset of nothing");
	buf_add(&b, NULL, 0);
	CHECK(b.len == 0 && b.p == NULL && !b.failed, "nothing appended to nothing");
	buf_free(&b);
	buf_free(&b);
	CHECK(b.p == NULL && b.cap == 0, "freed twice");
}

static void
buf_appends_in_order(void)
{
	struct buf b = {0};

	buf_str(&b, "a");
	buf_str(&b, "");
	buf_add(&b, "b\0c", 3);
	buf_int(&b, -9223372036854775807LL - 1);
	buf_str(&b, ",");
	buf_int(&b, 9223372036854775807LL);
	buf_int(&b, 0);
	CHECK(b.len == 1 + 3 + 20 + 1 + 19 + 1, "length is %zu", b.len);
	CHECK(memcmp(b.p, "ab\0c-9223372036854775808,92233720368547758070", b.len) == 0, "bytes");
	buf_free(&b);
}

static void
buf_grows_and_keeps_every_byte(void)
{
	struct buf b = {0};
	size_t i, bad = 0;

	for (i = 0; i < 100000; i++) {
		char c = (char)(i % 251);

		buf_add(&b, &c, 1);
	}
	for (i = 0; i < b.len; i++)
		bad += b.p[i] != (char)(i % 251);
	CHECK(b.len == 100000 && bad == 0 && b.cap >= b.len, "%zu bytes, %zu wrong", b.len, bad);
	buf_free(&b);
}

static void
buf_reserve_makes_room_exactly_where_asked(void)
{
	struct buf b = {0};
	char *p;

	CHECK(buf_reserve(&b, 5000) && b.cap - b.len >= 5000, "5000 bytes");
	buf_str(&b, "abc");
	p = b.p;
	CHECK(buf_reserve(&b, b.cap - b.len), "what is there already");
	CHECK(b.p == p && b.len == 3, "nothing moved");
	CHECK(buf_reserve(&b, b.cap - b.len + 1) && memcmp(b.p, "abc", 3) == 0, "one more");
	buf_free(&b);
}

static void
buf_reset_keeps_the_memory(void)
{
	struct buf b = {0};
	size_t cap;
	char *p;

	buf_reserve(&b, 3000);
	p = b.p;
	cap = b.cap;
	buf_str(&b, "abc");
	buf_reset(&b);
	CHECK(b.len == 0 && b.p == p && b.cap == cap, "reset");
	buf_free(&b);
}

static void
buf_without_memory_fails_until_reset(void)
{
	struct buf b = {0};
	size_t cap;

	buf_str(&b, "abc");
	cap = b.cap;
	no_memory = true;
	CHECK(!buf_reserve(&b, cap), "no room could be had");
	no_memory = false;
	CHECK(b.failed && b.len == 3 && b.cap == cap, "failed is set, the rest is as it was");
	buf_str(&b, "d");
	CHECK(b.len == 3 && b.failed, "what comes after is lost, even where it would fit");
	buf_reset(&b);
	buf_str(&b, "d");
	CHECK(b.len == 1 && !b.failed, "reset heals");
	buf_free(&b);
}

static void
buf_refuses_sizes_that_wrap_around(void)
{
	struct buf b = {0};

	CHECK(!buf_reserve(&b, SIZE_MAX) && b.failed, "SIZE_MAX of nothing");
	buf_reset(&b);
	buf_str(&b, "abc");
	CHECK(!buf_reserve(&b, SIZE_MAX - 1) && b.failed, "SIZE_MAX - 1 behind three bytes");
	buf_free(&b);
}

CU_TestInfo tests_buf[] = {
    TEST(buf_zeroed_is_empty_and_valid),
    TEST(buf_appends_in_order),
    TEST(buf_grows_and_keeps_every_byte),
    TEST(buf_reserve_makes_room_exactly_where_asked),
    TEST(buf_reset_keeps_the_memory),
    TEST(buf_without_memory_fails_until_reset),
    TEST(buf_refuses_sizes_that_wrap_around),
    CU_TEST_INFO_NULL,
};
