#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include <fcgios.h>

#include "fcgi_read.h"

#define PARAMS 4 /* the type of a record (FastCGI 1.0, 8) */

/* How far the bytes of a request have been looked over. */
struct reader {
	uint8_t head[8]; /* of the record */
	unsigned head_n; /* bytes of it that have come; 8: all */
	unsigned content, padding;
	uint8_t length[4]; /* of a name or a value */
	unsigned length_n;
	bool is_value; /* the length to come */
	uint32_t skip; /* of a name and its value, still to come */
	uint32_t total;
	bool whole; /* the parameters' end has come */
	bool refused;
};

static _Thread_local struct reader reader;

void
fcgi_read_begin(void)
{
	reader = (struct reader){0};
}

bool
fcgi_read_whole(void)
{
	return reader.whole;
}

/* Bytes of a stream of parameters; false: too many are announced. */
static bool
look_at_params(struct reader *r, const uint8_t *p, size_t n)
{
	uint32_t v;

	while (n > 0) {
		if (!r->is_value && r->length_n == 0 && r->skip > 0) {
			size_t k = n < r->skip ? n : r->skip;

			p += k;
			n -= k;
			r->skip -= (uint32_t)k;
			continue;
		}
		r->length[r->length_n++] = *p++;
		n--;
		if (r->length[0] >= 0x80 && r->length_n < 4)
			continue;
		v = r->length[0];
		if (v >= 0x80)
			v = (v & 0x7f) << 24 | (uint32_t)r->length[1] << 16
			    | (uint32_t)r->length[2] << 8 | r->length[3];
		r->length_n = 0;
		/* each counts, however short: libfcgi keeps a string for every name */
		if (v >= FCGI_PARAMS_MAX - r->total)
			return false;
		r->total += v + 1;
		r->skip += v;
		r->is_value = !r->is_value;
	}
	return true;
}

/* Bytes of the connection. */
static bool
look_at(struct reader *r, const uint8_t *p, size_t n)
{
	size_t k;

	while (n > 0) {
		if (r->head_n < sizeof(r->head)) {
			r->head[r->head_n++] = *p++;
			n--;
			r->content = (unsigned)r->head[4] << 8 | r->head[5];
			r->padding = r->head[6];
			if (r->head_n == sizeof(r->head) && r->head[1] == PARAMS && r->content == 0)
				r->whole = true;
		} else if (r->content > 0) {
			k = n < r->content ? n : r->content;
			if (r->head[1] == PARAMS && !look_at_params(r, p, k))
				return false;
			p += k;
			n -= k;
			r->content -= (unsigned)k;
		} else if (r->padding > 0) {
			k = n < r->padding ? n : r->padding;
			p += k;
			n -= k;
			r->padding -= (unsigned)k;
		}
		if (r->head_n == sizeof(r->head) && r->content == 0 && r->padding == 0)
			r->head_n = 0;
	}
	return true;
}

/*
 * libfcgi's own, which the linker lets the program replace: everything that
 * libfcgi reads comes from here.
 */
int
OS_Read(int fd, char *buf, size_t len)
{
	ssize_t n = read(fd, buf, len);

	if (n > 0 && !reader.refused)
		reader.refused = !look_at(&reader, (const uint8_t *)buf, (size_t)n);
	if (reader.refused) {
		errno = EPROTO;
		return -1;
	}
	return (int)n;
}
