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

#define CHECK 8
#define CURSOR_BYTES (16 + CHECK)
#define CURSOR_TEXT (CURSOR_BYTES / 3 * 4)

static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static bool
is_filter(const struct query_value *q)
{
	return strcmp(q->name, "limit") != 0 && strcmp(q->name, "cursor") != 0;
}

/* Over path, filters (by name, as read_query sorts them) and position. */
static void
check_of(const struct req *rq, const unsigned char id[16], uint8_t out[CHECK])
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
	buf_add(&b, id, 16);
	hash_sha256(h, b.p, b.len);
	memcpy(out, h, CHECK);
	buf_free(&b);
}

static bool
decode(const char *s, size_t len, uint8_t out[CURSOR_BYTES])
{
	size_t i;

	if (len != CURSOR_TEXT)
		return false;
	for (i = 0; i < CURSOR_TEXT; i += 4) {
		uint32_t v = 0;
		int k;

		for (k = 0; k < 4; k++) {
			const char *at = memchr(base64url, s[i + (size_t)k], 64);

			if (at == NULL)
				return false;
			v = v << 6 | (uint32_t)(at - base64url);
		}
		*out++ = (uint8_t)(v >> 16);
		*out++ = (uint8_t)(v >> 8);
		*out++ = (uint8_t)v;
	}
	return true;
}

static void
encode(char out[CURSOR_TEXT + 1], const uint8_t in[CURSOR_BYTES])
{
	size_t i;

	for (i = 0; i < CURSOR_BYTES; i += 3) {
		uint32_t v = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];

		*out++ = base64url[v >> 18];
		*out++ = base64url[v >> 12 & 63];
		*out++ = base64url[v >> 6 & 63];
		*out++ = base64url[v & 63];
	}
	*out = '\0';
}

void
page_read(struct req *rq, struct page *page)
{
	const char *limit = query_get(&rq->query, "limit", NULL), *cursor;
	uint8_t raw[CURSOR_BYTES], check[CHECK];
	size_t len;

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
	if (decode(cursor, len, raw)) {
		check_of(rq, raw, check);
		if (memcmp(check, raw + 16, CHECK) == 0) {
			page->first = false;
			memcpy(page->id, raw, 16);
			return;
		}
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
page_next(
    const struct req *rq, struct resp *rs, const struct page *page, const unsigned char last[16])
{
	uint8_t raw[CURSOR_BYTES];
	char cursor[CURSOR_TEXT + 1];
	struct buf *b = &rs->head;
	size_t i;

	memcpy(raw, last, 16);
	check_of(rq, last, raw + 16);
	encode(cursor, raw);
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
	buf_str(b, cursor);
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
