#include <stdbool.h>
#include <string.h>

#include "fuzz.h"
#include "hash.h"
#include "page.h"
#include "req.h"
#include "resp.h"

#define CURSOR 32

/* A cursor; then, a line each, the values of the filters a and b. */
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("AZL0oXs8fe-BI0VniavN7wAAAAAAAAAA\ntrue\nRESERVED"),
    FUZZ_SEED("c2l4dGVlbiBieXRlcy4uLgAAAAAAAAAA"),
    FUZZ_SEED("\nx\n"),
    FUZZ_SEED("abc=\na&b=c>;\r%"),
    {NULL, 0},
};

const struct fuzz_seed fuzz_words[] = {FUZZ_SEED("\n"), FUZZ_SEED("="), FUZZ_SEED("-"),
    FUZZ_SEED("_"), FUZZ_SEED("+"), FUZZ_SEED("/"), FUZZ_SEED("AAAAAAAA"), FUZZ_SEED(">"),
    FUZZ_SEED("\r\n"), FUZZ_SEED("\0"), FUZZ_SEED("%"), FUZZ_SEED("&"), FUZZ_SEED("limit=1"),
    FUZZ_SEED("\xff"), {NULL, 0}};

static struct req rq;
static struct resp rs;
static struct page page;

static bool
takes(const char *cursor, size_t len)
{
	rq.faults.n = 0;
	rq.query.v[rq.query.n++] = (struct query_value){"cursor", (char *)(uintptr_t)cursor, len};
	page_read(&rq, &page);
	rq.query.n--;
	if (page.first != (rq.faults.n > 0))
		fuzz_fail("a fault and a position, or neither", cursor, len);
	return !page.first;
}

/* The cursor that stands for id, and a look at the Link around it. */
static void
make(const unsigned char id[16], char cursor[CURSOR + 1])
{
	char *s, *at;
	size_t i;

	resp_reset(&rs);
	page_next(&rq, &rs, &page, id, NULL);
	buf_add(&rs.head, "", 1);
	s = rs.head.p;
	for (i = 0; i + 3 < rs.head.len; i++)
		if (s[i] <= 0x20 && i != 5 && strncmp(s + i, " rel=", 5) != 0)
			fuzz_fail("a blank or control character in Link", s, rs.head.len);
	if (strcmp(s + rs.head.len - 3, "\r\n") != 0
	    || strcspn(s, ">") != rs.head.len - 3 - strlen(">; rel=\"next\""))
		fuzz_fail("Link is ill-formed", s, rs.head.len);
	at = s + strcspn(s, ">") - CURSOR;
	if (strncmp(at - 8, "&cursor=", 8) != 0)
		fuzz_fail("Link has no cursor", s, rs.head.len);
	memcpy(cursor, at, CURSOR);
	cursor[CURSOR] = '\0';
}

/* The same of a list in an order of its own, whose cursor has any length. */
static void
go_round_ordered(const uint8_t *data, size_t size, const uint8_t id[HASH_SIZE])
{
	static struct page_order order;
	char *at, c;
	size_t len;

	order.len = size < sizeof(order.key) ? size : sizeof(order.key);
	order.mark = (long long)(id[17] << 16 | id[18]);
	memcpy(order.key, data, order.len);
	resp_reset(&rs);
	page_next(&rq, &rs, &page, id, &order);
	at = memmem(rs.head.p, rs.head.len, "cursor=", 7);
	if (at == NULL)
		fuzz_fail("Link has no cursor", rs.head.p, rs.head.len);
	at += 7;
	len = strcspn(at, ">");
	if (!takes(at, len) || memcmp(page.id, id, 16) != 0 || page.order.len != order.len
	    || page.order.mark != order.mark || memcmp(page.order.key, order.key, order.len) != 0)
		fuzz_fail("an ordered cursor of ours is refused", at, len);
	at += id[19] % len;
	c = *at;
	*at = (char)(size > 0 ? data[size - 1] : '*');
	if (*at != c && takes(rs.head.p + (size_t)(at - rs.head.p) - id[19] % len, len))
		fuzz_fail("a changed ordered cursor is taken", at, 1);
}

/* A cursor of ours goes round; with one character changed it is refused. */
static void
go_round(const uint8_t *data, size_t size)
{
	uint8_t id[HASH_SIZE];
	char cursor[CURSOR + 1], c;
	size_t at;

	hash_sha256(id, data, size);
	make(id, cursor);
	if (!takes(cursor, CURSOR) || memcmp(page.id, id, 16) != 0)
		fuzz_fail("a cursor of ours is refused", cursor, CURSOR);
	at = id[16] % CURSOR;
	c = cursor[at];
	cursor[at] = (char)(size > 0 ? data[size - 1] : '*');
	if (cursor[at] != c && takes(cursor, CURSOR))
		fuzz_fail("a changed cursor is taken", cursor, CURSOR);
	go_round_ordered(data, size, id);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"a", "b"};
	char *copy = malloc(size + 1), *s = copy, *end = copy + size, made[CURSOR + 1];
	size_t len, i;

	memcpy(copy, data, size);
	copy[size] = '\0';
	memset(&rq, 0, sizeof(rq));
	rq.wire.path = "/v1/things";
	len = strcspn(s, "\n");
	for (i = 0; i < 2 && s + len < end && s[len] == '\n'; i++) {
		s[len] = '\0';
		s += len + 1;
		len = strcspn(s, "\n");
		rq.query.v[rq.query.n++] = (struct query_value){names[i], s, len};
	}
	s[len] = '\0';
	for (i = 0; i < rq.query.n; i++)
		rq.query.v[i].len = strlen(rq.query.v[i].value);
	if (takes(copy, strlen(copy)) && strlen(copy) == CURSOR) {
		make(page.id, made);
		if (strcmp(made, copy) != 0)
			fuzz_fail("another spelling of a cursor is taken", copy, size);
	}
	go_round(data, size);
	free(copy);
	return 0;
}
