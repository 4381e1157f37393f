#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "hash.h"
#include "page.h"
#include "req.h"
#include "resp.h"
#include "shape.h"

/*
 * A cursor's bytes: the id; in another order than that of the ids a count of
 * zeros, the mark (8 bytes, big end first), the key and so many zeros, 0 to 2,
 * as make the whole a multiple of three; the check.
 */
#define CHECK 8
#define PLAIN (16 + CHECK)
#define ORDERED (16 + 1 + 8 + CHECK) /* and key and zeros */
#define CURSOR_BYTES (ORDERED + sizeof(((struct page_order *)0)->key))

static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static bool
is_filter(const struct query_value *q)
{
	return strcmp(q->name, "limit") != 0 && strcmp(q->name, "cursor") != 0;
}

/* Over path, filters (by name, as read_query sorts them) and position. */
static void
check_of(const struct req *rq, const uint8_t *at, size_t n, uint8_t out[CHECK])
{
	struct buf b = {0};
	uint8_t h[HASH_SIZE] = {0};
	size_t i;

	buf_add(&b, rq->wire.path, strlen(rq->wire.path) + 1);
	for (i = 0; i < rq->query.n; i++) {
		if (!is_filter(&rq->query.v[i]))
			continue;
		buf_add(&b, rq->query.v[i].name, strlen(rq->query.v[i].name) + 1);
		buf_add(&b, rq->query.v[i].value, rq->query.v[i].len + 1);
	}
	buf_add(&b, at, n);
	hash_sha256(h, b.p, b.len);
	memcpy(out, h, CHECK);
	buf_free(&b);
}

/* The number of bytes, or 0. */
static size_t
decode(const char *s, size_t len, uint8_t out[CURSOR_BYTES])
{
	size_t i;

	if (len % 4 != 0 || len / 4 * 3 > CURSOR_BYTES)
		return 0;
	for (i = 0; i < len; i += 4) {
		uint32_t v = 0;
		int k;

		for (k = 0; k < 4; k++) {
			const char *at = memchr(base64url, s[i + (size_t)k], 64);

			if (at == NULL)
				return 0;
			v = v << 6 | (uint32_t)(at - base64url);
		}
		*out++ = (uint8_t)(v >> 16);
		*out++ = (uint8_t)(v >> 8);
		*out++ = (uint8_t)v;
	}
	return len / 4 * 3;
}

static void
encode(struct buf *b, const uint8_t *in, size_t n)
{
	size_t i;

	for (i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];
		char four[] = {base64url[v >> 18], base64url[v >> 12 & 63], base64url[v >> 6 & 63],
		    base64url[v & 63]};

		buf_add(b, four, sizeof(four));
	}
}

/* The position that a cursor's bytes tell; false: they are not of that form. */
static bool
position(struct page *page, const uint8_t *raw, size_t n)
{
	unsigned long long mark = 0;
	size_t i;

	if (n != PLAIN && (n < ORDERED || raw[16] > 2 || n < ORDERED + (size_t)raw[16]))
		return false;
	memcpy(page->id, raw, 16);
	page->first = false;
	if (n == PLAIN)
		return true;
	for (i = 17; i < 25; i++)
		mark = mark << 8 | raw[i];
	page->order.mark = (long long)(mark & INT64_MAX);
	page->order.len = n - ORDERED - raw[16];
	memcpy(page->order.key, raw + 25, page->order.len);
	return true;
}

void
page_read(struct req *rq, struct page *page)
{
	const char *limit = query_get(&rq->query, "limit", NULL), *cursor;
	uint8_t raw[CURSOR_BYTES], check[CHECK];
	size_t len, n;

	*page = (struct page){.limit = PAGE_DEFAULT, .first = true};
	if (limit != NULL) {
		len = strlen(limit);
		if (len < 1 || len > 3 || strspn(limit, "0123456789") != len || limit[0] == '0'
		    || atoi(limit) > PAGE_MAX)
			faults_add(&rq->faults, FAULT_QUERY, "limit",
			    "must be an integer from 1 to %d", PAGE_MAX);
		else
			page->limit = atoi(limit);
	}
	if ((cursor = query_get(&rq->query, "cursor", &len)) == NULL)
		return;
	if ((n = decode(cursor, len, raw)) >= PLAIN) {
		check_of(rq, raw, n - CHECK, check);
		if (memcmp(check, raw + n - CHECK, CHECK) == 0 && position(page, raw, n))
			return;
	}
	faults_add(
	    &rq->faults, FAULT_QUERY, "cursor", "is not a cursor of this list with these filters");
}

/* Percent-encode what is not unreserved (RFC 3986, 2.3). */
static void
add_encoded(struct buf *b, const char *s, size_t len)
{
	char esc[4];

	for (; len > 0; s++, len--) {
		if (memchr(base64url, *s, 64) != NULL || *s == '.' || *s == '~') {
			buf_add(b, s, 1);
		} else {
			snprintf(esc, sizeof(esc), "%%%02X", (unsigned char)*s);
			buf_add(b, esc, 3);
		}
	}
}

void
page_next(const struct req *rq, struct resp *rs, const struct page *page,
    const unsigned char last[16], const struct page_order *order)
{
	uint8_t raw[CURSOR_BYTES] = {0};
	struct buf *b = &rs->head;
	size_t n = 16, i;

	memcpy(raw, last, 16);
	if (order != NULL) {
		raw[n++] = (uint8_t)((3 - order->len % 3) % 3);
		for (i = 0; i < 8; i++)
			raw[n++] = (uint8_t)(order->mark >> (56 - 8 * i));
		memcpy(raw + n, order->key, order->len);
		n += order->len + raw[16];
	}
	check_of(rq, raw, n, raw + n);
	buf_str(b, "Link: <");
	buf_str(b, rq->wire.path);
	buf_str(b, "?");
	for (i = 0; i < rq->query.n; i++) {
		if (!is_filter(&rq->query.v[i]))
			continue;
		buf_str(b, rq->query.v[i].name);
		buf_str(b, "=");
		add_encoded(b, rq->query.v[i].value, rq->query.v[i].len);
		buf_str(b, "&");
	}
	buf_str(b, "limit=");
	buf_int(b, page->limit);
	buf_str(b, "&cursor=");
	encode(b, raw, n + CHECK);
	buf_str(b, ">; rel=\"next\"\r\n");
}

void
page_key(const struct field *id, unsigned char key[16])
{
	unsigned long long n = 0;
	size_t i;

	if (shape_id(id, key))
		return;
	for (i = 0; i < id->len; i++)
		n = n * 10 + (unsigned long long)(id->s[i] - '0');
	memset(key, 0, 16);
	for (i = 16; i > 8; i--, n >>= 8)
		key[i - 1] = (unsigned char)n;
}

long long
page_number(const struct page *page)
{
	unsigned long long n = 0;
	size_t i;

	for (i = 8; i < 16 && !page->first; i++)
		n = n << 8 | page->id[i];
	return (long long)(n & INT64_MAX);
}
