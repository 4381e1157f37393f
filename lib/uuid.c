#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "hex.h"
#include "uuid.h"

bool
uuid_parse(struct uuid *u, const char *s, size_t len)
{
	struct uuid v;
	size_t i, n = 0;

	if (len != UUID_TEXT)
		return false;
	for (i = 0; i < len;) {
		int hi, lo;

		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (s[i++] != '-')
				return false;
			continue;
		}
		if ((hi = hex_value(s[i])) < 0 || (lo = hex_value(s[i + 1])) < 0)
			return false;
		v.b[n++] = (uint8_t)(hi << 4 | lo);
		i += 2;
	}
	*u = v;
	return true;
}

void
uuid_text(char *out, const uint8_t b[16])
{
	static const size_t group[] = {4, 2, 2, 2, 6};
	size_t i;

	for (i = 0; i < 5; b += group[i++]) {
		if (i > 0)
			*out++ = '-';
		out = hex_text(out, b, group[i]);
	}
}

/* Milliseconds since the epoch << 12 | fraction of the millisecond in 1/4096. */
static uint64_t
tick(void)
{
	static _Atomic uint64_t last;
	struct timespec ts;
	uint64_t now, prev;

	clock_gettime(CLOCK_REALTIME, &ts);
	now = ((uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000) << 12
	      | ((uint64_t)ts.tv_nsec % 1000000 << 12) / 1000000;
	prev = atomic_load(&last);
	do {
		if (now <= prev)
			now = prev + 1;
	} while (!atomic_compare_exchange_weak(&last, &prev, now));
	return now;
}

/* Eight random bytes, of a thread's store: a system call fills it for 64 ids. */
static bool
draw(uint8_t out[8])
{
	static _Thread_local uint8_t store[512];
	static _Thread_local size_t left;

	if (left == 0) {
		if (getrandom(store, sizeof(store), 0) != (ssize_t)sizeof(store))
			return false;
		left = sizeof(store);
	}
	left -= 8;
	memcpy(out, store + left, 8);
	return true;
}

bool
uuid_v7(struct uuid *u)
{
	struct uuid v;
	uint64_t t;
	int i;

	if (!draw(v.b + 8))
		return false;
	t = tick();
	for (i = 0; i < 6; i++)
		v.b[i] = (uint8_t)(t >> (52 - 8 * i));
	v.b[6] = (uint8_t)(0x70 | (t >> 8 & 0x0f));
	v.b[7] = (uint8_t)t;
	v.b[8] = (uint8_t)(0x80 | (v.b[8] & 0x3f));
	*u = v;
	return true;
}
