#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "check.h"
#include "uuid.h"

#define THREADS 4
#define PER_THREAD 5000

/* --wrap: a clock that can be set, random bytes that can be missing. */
static int64_t clock_ms; /* 0: the real one */
static bool no_random;
int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
ssize_t __real_getrandom(void *p, size_t n, unsigned flags);
ssize_t __wrap_getrandom(void *p, size_t n, unsigned flags);

int
__wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	if (clock_ms == 0 || id != CLOCK_REALTIME)
		return __real_clock_gettime(id, ts);
	*ts = (struct timespec){.tv_sec = clock_ms / 1000, .tv_nsec = clock_ms % 1000 * 1000000};
	return 0;
}

ssize_t
__wrap_getrandom(void *p, size_t n, unsigned flags)
{
	return no_random ? -1 : __real_getrandom(p, n, flags);
}

static const char good[] = "0192f4a1-7b3c-7def-8123-456789abcdef";

static void
uuid_parse_takes_any_version_and_case(void)
{
	static const char *const fine[] = {good, "0192F4A1-7B3C-7DEF-8123-456789ABCDEF",
	    "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
	    "f47ac10b-58cc-4372-a567-0e02b2c3d479", "C232AB00-9414-11EC-B3C8-9F6BDECED846"};
	char text[UUID_TEXT], lower[UUID_TEXT];
	struct uuid u;
	size_t i, k;

	for (i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		if (!CHECK(uuid_parse(&u, fine[i], UUID_TEXT), "%s is refused", fine[i]))
			continue;
		uuid_text(text, u.b);
		for (k = 0; k < UUID_TEXT; k++)
			lower[k] = (char)(fine[i][k] | (fine[i][k] >= 'A' ? 0x20 : 0));
		CHECK(memcmp(text, lower, UUID_TEXT) == 0, "%s comes out as %.36s", fine[i], text);
	}
}

static void
uuid_parse_reads_the_bytes_in_order(void)
{
	static const uint8_t want[16] = {0x01, 0x92, 0xf4, 0xa1, 0x7b, 0x3c, 0x7d, 0xef, 0x81, 0x23,
	    0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};
	struct uuid u;

	CHECK(uuid_parse(&u, good, UUID_TEXT) && memcmp(u.b, want, 16) == 0, "bytes of %s", good);
}

static void
refuses(const char *s, size_t len)
{
	struct uuid u, before;

	memset(&u, 0x5a, sizeof(u));
	before = u;
	CHECK(!uuid_parse(&u, s, len), "'%.*s' is taken", (int)len, s);
	CHECK(memcmp(&u, &before, sizeof(u)) == 0, "'%.*s': the id has changed", (int)len, s);
}

static void
uuid_parse_refuses_other_forms(void)
{
	static const char *const bad[] = {"", "-", "{0192f4a1-7b3c-7def-8123-456789abcdef}",
	    "urn:uuid:0192f4a1-7b3c-7def-8123-456789abcdef", "0192f4a17b3c7def8123456789abcdef",
	    "0192f4a1-7b3c-7def-8123-456789abcde", "0192f4a1-7b3c-7def-8123-456789abcdef0",
	    "0192f4a1-7b3c-7def-8123-456789abcdef00", "0192f4a1-7b3c-7def-8123-456789abcdeg",
	    "0192f4a1-7b3c-7def-8123_456789abcdef", "0192f4a17-b3c-7def-8123-456789abcdef",
	    " 192f4a1-7b3c-7def-8123-456789abcdef", "0192f4a1-7b3c-7def-8123-456789abcde ",
	    "+192f4a1-7b3c-7def-8123-456789abcdef", "0x92f4a1-7b3c-7def-8123-456789abcdef",
	    "------------------------------------", "0192f4a1-7b3c-7def-8123-456789abcd\xc3\xa9"};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses(bad[i], strlen(bad[i]));
}

/* Every position, every byte: digits stand where digits belong, '-' elsewhere. */
static void
uuid_parse_refuses_every_wrong_byte(void)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	size_t at, wrong = 0;
	int c;

	for (at = 0; at < UUID_TEXT; at++) {
		for (c = 0; c < 256; c++) {
			char s[UUID_TEXT + 1];
			bool hyphen = at == 8 || at == 13 || at == 18 || at == 23;
			bool want = hyphen ? c == '-' : c != 0 && strchr(digits, c) != NULL;
			struct uuid u;

			memcpy(s, good, sizeof(s));
			s[at] = (char)c;
			wrong += uuid_parse(&u, s, UUID_TEXT) != want;
		}
	}
	CHECK(wrong == 0, "%zu of %d strings", wrong, UUID_TEXT * 256);
}

static void
uuid_text_writes_no_nul(void)
{
	char out[UUID_TEXT + 1];
	struct uuid u;

	out[UUID_TEXT] = 'x';
	CHECK(uuid_parse(&u, good, UUID_TEXT), "parse");
	uuid_text(out, u.b);
	CHECK(memcmp(out, good, UUID_TEXT) == 0 && out[UUID_TEXT] == 'x', "36 characters");
}

static int64_t
ms_of(const struct uuid *u)
{
	int64_t ms = 0;
	int i;

	for (i = 0; i < 6; i++)
		ms = ms << 8 | u->b[i];
	return ms;
}

static void
v7_has_version_variant_and_time(void)
{
	struct timespec before, after;
	uint8_t zeros = 0xff, ones = 0;
	struct uuid u;
	int i;

	for (i = 0; i < 200; i++) {
		__real_clock_gettime(CLOCK_REALTIME, &before);
		CHECK(uuid_v7(&u), "made");
		__real_clock_gettime(CLOCK_REALTIME, &after);
		CHECK(u.b[6] >> 4 == 7 && u.b[8] >> 6 == 2, "version %d, variant %d", u.b[6] >> 4,
		    u.b[8] >> 6);
		CHECK(
		    ms_of(&u) >= (int64_t)before.tv_sec * 1000 + before.tv_nsec / 1000000
			&& ms_of(&u) <= (int64_t)after.tv_sec * 1000 + after.tv_nsec / 1000000 + 1,
		    "its time is %lld", (long long)ms_of(&u));
		zeros &= u.b[15];
		ones |= u.b[15];
	}
	CHECK(zeros == 0 && ones == 0xff, "the last byte is random");
}

static void
v7_puts_the_fraction_below_the_millisecond(void)
{
	struct uuid u;

	/* far ahead, so that it is greater than all before; the next test's is further yet */
	clock_ms = 4102444800123;
	CHECK(uuid_v7(&u), "made");
	clock_ms = 0;
	CHECK(ms_of(&u) == 4102444800123, "%lld ms", (long long)ms_of(&u));
	CHECK((u.b[6] & 15) == 0 && u.b[7] == 0, "a whole millisecond has no fraction");
}

static void
v7_grows_where_the_clock_is_set_back(void)
{
	struct uuid a, b;
	int i;

	clock_ms = 4102444801000;
	CHECK(uuid_v7(&a), "made");
	clock_ms -= 3600 * 1000;
	for (i = 0; i < 10000; i++) {
		CHECK(uuid_v7(&b), "made");
		if (!CHECK(memcmp(&a, &b, 16) < 0, "id %d is not greater", i))
			break;
		a = b;
	}
	clock_ms = 0;
}

/* In a thread of its own, which has drawn none before. */
static void *
make_of_nothing(void *arg)
{
	struct uuid u, before;
	bool *made = arg;

	memset(&u, 0x5a, sizeof(u));
	before = u;
	*made = uuid_v7(&u) || memcmp(&u, &before, sizeof(u)) != 0;
	return NULL;
}

static void
v7_fails_without_random_bytes(void)
{
	bool made = true;
	pthread_t t;

	no_random = true;
	if (pthread_create(&t, NULL, make_of_nothing, &made) == 0)
		pthread_join(t, NULL);
	no_random = false;
	CHECK(!made, "made of nothing, or the id has changed");
}

static void *
make_many(void *arg)
{
	struct uuid *u = arg;
	int i;

	for (i = 0; i < PER_THREAD; i++)
		if (!uuid_v7(&u[i]))
			return NULL;
	return arg;
}

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

/* 8 bytes each: version, time and tick, without the random part. */
static void
v7_is_unique_and_growing_across_threads(void)
{
	struct uuid *all = calloc(THREADS * PER_THREAD, sizeof(*all));
	pthread_t t[THREADS];
	size_t i, backwards = 0, same = 0;
	void *done;

	if (!CHECK(all != NULL, "memory"))
		return;
	for (i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, make_many, all + i * PER_THREAD);
	for (i = 0; i < THREADS; i++) {
		pthread_join(t[i], &done);
		CHECK(done != NULL, "thread %zu", i);
	}
	for (i = 1; i < THREADS * PER_THREAD; i++)
		if (i % PER_THREAD != 0)
			backwards += compare(&all[i - 1], &all[i]) >= 0;
	CHECK(backwards == 0, "%zu ids are not greater than the thread's one before", backwards);
	qsort(all, THREADS * PER_THREAD, sizeof(*all), compare);
	for (i = 1; i < THREADS * PER_THREAD; i++)
		same += memcmp(&all[i - 1], &all[i], 8) == 0;
	CHECK(same == 0, "%zu ticks were given twice", same);
	free(all);
}

CU_TestInfo tests_uuid[] = {
    NUMBERED("E062", uuid_parse_takes_any_version_and_case),
    TEST(uuid_parse_reads_the_bytes_in_order),
    NUMBERED("E062", uuid_parse_refuses_other_forms),
    TEST(uuid_parse_refuses_every_wrong_byte),
    TEST(uuid_text_writes_no_nul),
    TEST(v7_has_version_variant_and_time),
    TEST(v7_is_unique_and_growing_across_threads),
    TEST(v7_puts_the_fraction_below_the_millisecond),
    NUMBERED("E091", v7_grows_where_the_clock_is_set_back),
    TEST(v7_fails_without_random_bytes),
    CU_TEST_INFO_NULL,
};
