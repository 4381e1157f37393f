#include <stdio.h>
#include <string.h>
#include <time.h>

#include "rfc3339.h"

#define FIRST (-30610224000000000) /* 1000-01-01 */
#define LAST 253402300799999999	   /* the last microsecond of 9999 */

struct scan {
	const char *p, *end;
};

/* n digits from min to max, followed by the character next (0: whatever). */
static bool
number(struct scan *s, int n, int min, int max, char next, int *out)
{
	int v = 0;

	for (; n > 0; n--, s->p++) {
		if (s->p == s->end || *s->p < '0' || *s->p > '9')
			return false;
		v = v * 10 + (*s->p - '0');
	}
	if (v < min || v > max)
		return false;
	if (next != 0 && (s->p == s->end || *s->p++ != next))
		return false;
	*out = v;
	return true;
}

/* Microseconds of a fraction, rounded up. */
static bool
fraction(struct scan *s, int64_t *us)
{
	int64_t unit = 100000;
	bool more = false;

	*us = 0;
	if (s->p == s->end || *s->p != '.')
		return true;
	s->p++;
	if (s->p == s->end || *s->p < '0' || *s->p > '9')
		return false;
	for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++, unit /= 10) {
		*us += (*s->p - '0') * unit;
		more = more || (unit == 0 && *s->p != '0');
	}
	*us += more;
	return true;
}

static bool
offset(struct scan *s, int64_t *minutes)
{
	int h, m, sign;

	if (s->p == s->end)
		return false;
	if (*s->p == 'Z' || *s->p == 'z') {
		s->p++;
		*minutes = 0;
		return s->p == s->end;
	}
	if (*s->p != '+' && *s->p != '-')
		return false;
	sign = *s->p++ == '+' ? 1 : -1;
	if (!number(s, 2, 0, 23, ':', &h) || !number(s, 2, 0, 59, 0, &m))
		return false;
	*minutes = sign * (h * 60 + m);
	return s->p == s->end;
}

bool
rfc3339_read(const char *text, size_t len, int64_t *out)
{
	static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	struct scan s = {text, text + len};
	struct tm tm = {0};
	int64_t us, minutes;
	bool leap;

	if (!number(&s, 4, 0, 9999, '-', &tm.tm_year) || !number(&s, 2, 1, 12, '-', &tm.tm_mon)
	    || !number(&s, 2, 1, days[tm.tm_mon - 1], 0, &tm.tm_mday) || s.p == s.end
	    || (*s.p != 'T' && *s.p != 't'))
		return false;
	s.p++;
	leap = tm.tm_year % 4 == 0 && (tm.tm_year % 100 != 0 || tm.tm_year % 400 == 0);
	if (tm.tm_mon == 2 && tm.tm_mday == 29 && !leap)
		return false;
	if (!number(&s, 2, 0, 23, ':', &tm.tm_hour) || !number(&s, 2, 0, 59, ':', &tm.tm_min)
	    || !number(&s, 2, 0, 60, 0, &tm.tm_sec) || !fraction(&s, &us) || !offset(&s, &minutes))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	*out = ((int64_t)timegm(&tm) - minutes * 60) * 1000000 + us;
	return true;
}

void
rfc3339_sql(char *out, int64_t us)
{
	struct tm tm;
	time_t t;
	char rest[8];

	us = us < FIRST ? FIRST : us > LAST ? LAST : us;
	t = (time_t)((us - FIRST) / 1000000 + FIRST / 1000000);
	gmtime_r(&t, &tm);
	strftime(out, RFC3339_SQL + 1, "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(rest, sizeof(rest), ".%06d", (int)((us - FIRST) % 1000000));
	memcpy(out + RFC3339_SQL - 7, rest, sizeof(rest));
}
