#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "page.h"
#include "req.h"
#include "resp.h"

static const unsigned char last[16] = {
    0x01, 0x92, 0xf4, 0xa1, 0x7b, 0x3c, 0x7d, 0xef, 0x81, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};
static struct req rq;
static struct resp rs;
static struct page page;

static void
begin(const char *path)
{
	memset(&rq, 0, sizeof(rq));
	rq.wire.path = path;
}

static void
query(const char *name, const char *value, size_t len)
{
	rq.query.v[rq.query.n++] = (struct query_value){name, (char *)(uintptr_t)value, len};
}

/* The cursor that a list gives behind this row; the Link line whole in link. */
static void
next_cursor(const unsigned char id[16], char cursor[64], char *link, size_t size)
{
	const char *at;

	resp_reset(&rs);
	page_next(&rq, &rs, &page, id, NULL);
	snprintf(link, size, "%.*s", (int)rs.head.len, rs.head.p);
	at = strstr(link, "cursor=");
	*cursor = '\0';
	if (CHECK(at != NULL, "no cursor in '%s'", link))
		snprintf(cursor, 64, "%.*s", (int)strcspn(at + 7, ">&"), at + 7);
	resp_free(&rs);
}

/* Is this cursor taken, for the request at hand?  It must come last of its query. */
static bool
takes(const char *cursor, size_t len)
{
	size_t faults = rq.faults.n;

	query("cursor", cursor, len);
	memset(&page, 0x77, sizeof(page));
	page_read(&rq, &page);
	rq.query.n--;
	if (rq.faults.n == faults)
		return !page.first;
	CHECK(rq.faults.n == faults + 1 && rq.faults.list[faults].in == FAULT_QUERY
		  && strcmp(rq.faults.list[faults].at, "cursor") == 0,
	    "one fault, of the cursor");
	CHECK(page.first, "a refused cursor is none");
	rq.faults.n = faults;
	return false;
}

static void
limit(const char *value, int want)
{
	begin("/v1/rooms");
	query("limit", value, strlen(value));
	page_read(&rq, &page);
	CHECK((rq.faults.n == 0) == (want > 0), "limit=%s: %zu faults", value, rq.faults.n);
	CHECK(page.limit == (want > 0 ? want : PAGE_DEFAULT), "limit=%s is %d", value, page.limit);
	if (rq.faults.n > 0)
		CHECK(rq.faults.list[0].in == FAULT_QUERY
			  && strcmp(rq.faults.list[0].at, "limit") == 0,
		    "at %s", rq.faults.list[0].at);
}

static void
page_without_parameters_is_the_first_50(void)
{
	static const unsigned char zero[16];

	begin("/v1/rooms");
	page_read(&rq, &page);
	CHECK(page.limit == 50 && page.first && rq.faults.n == 0, "limit %d", page.limit);
	CHECK(memcmp(page.id, zero, 16) == 0, "begins at the least id");
}

static void
page_limit_is_1_to_200(void)
{
	static const char *const bad[] = {"0", "-1", "abc", "201", "", "1000", "01", "+1", " 1",
	    "1 ", "1.0", "1e2", "0x1", "99999999999999999999", "\xd9\xa1", "00", "200a"};
	size_t i;

	limit("1", 1);
	limit("50", 50);
	limit("200", 200);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		limit(bad[i], 0);
}

static void
page_cursor_goes_round(void)
{
	char cursor[64], link[300];
	unsigned char id[16];
	int i;

	begin("/v1/rooms");
	page.limit = 7;
	next_cursor(last, cursor, link, sizeof(link));
	CHECK(strlen(cursor) == 32, "%s", cursor);
	CHECK(strspn(cursor, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
		  == 32,
	    "%s", cursor);
	CHECK(takes(cursor, strlen(cursor)), "it is refused");
	CHECK(memcmp(page.id, last, 16) == 0 && !page.first && page.limit == 50, "it comes back");
	for (i = 0; i < 256; i++) {
		memset(id, i, 16);
		next_cursor(id, cursor, link, sizeof(link));
		CHECK(takes(cursor, strlen(cursor)) && memcmp(page.id, id, 16) == 0, "id of %d", i);
	}
}

/* In an order of its own a cursor holds what the row was ordered by, of any length, and the mark.
 */
static void
page_cursor_of_another_order_goes_round(void)
{
	static struct page_order order;
	const char *at, *cursor;
	char forged[64];
	size_t len, i;

	begin("/v1/rooms");
	for (i = 0; i < sizeof(order.key); i++)
		order.key[i] = (char)(i * 7);
	for (i = 0; i <= sizeof(order.key); i += i < 20 ? 1 : 119) {
		order.len = i;
		order.mark = i % 2 == 0 ? INT64_MAX - (long long)i : (long long)i;
		resp_reset(&rs);
		page_next(&rq, &rs, &page, last, &order);
		at = rs.head.len > 0 ? memmem(rs.head.p, rs.head.len, "cursor=", 7) : NULL;
		if (!CHECK(at != NULL, "no cursor"))
			return;
		cursor = at + 7;
		len = strcspn(cursor, ">");
		CHECK(takes(cursor, len) && memcmp(page.id, last, 16) == 0, "%zu bytes", i);
		CHECK(page.order.len == i && memcmp(page.order.key, order.key, i) == 0
			  && page.order.mark == order.mark,
		    "%zu bytes come back as %zu", i, page.order.len);
		CHECK(!takes(cursor, len - 4) && !takes(cursor, len - 1)
			  && !takes(cursor + 4, len - 4),
		    "a part of it");
		if (i > 0)
			continue;
		memcpy(forged, cursor, len);
		for (i = 0; i < len; i++) {
			forged[i] = forged[i] == 'A' ? 'B' : 'A';
			CHECK(!takes(forged, len), "character %zu changed", i);
			forged[i] = cursor[i];
		}
		i = 0;
	}
	resp_free(&rs);
}

static void
page_link_has_the_form_of_rfc_8288(void)
{
	char cursor[64], link[600], want[600];

	begin("/v1/rooms");
	page.limit = 7;
	next_cursor(last, cursor, link, sizeof(link));
	snprintf(
	    want, sizeof(want), "Link: </v1/rooms?limit=7&cursor=%s>; rel=\"next\"\r\n", cursor);
	CHECK_TEXT("Link", link, strlen(link), want);
}

static void
page_link_keeps_and_encodes_the_filters(void)
{
	static const char q[] = "a&b=c>;\r\n%\"\xc3\xa9 +~._-#/?";
	char cursor[64], link[600], want[600];

	begin("/v1/rooms");
	query("available", "true", 4);
	query("cursor", "old", 3);
	query("limit", "3", 1);
	query("q", q, sizeof(q) - 1);
	page.limit = 3;
	next_cursor(last, cursor, link, sizeof(link));
	snprintf(want, sizeof(want),
	    "Link: "
	    "</v1/"
	    "rooms?available=true&q=a%%26b%%3Dc%%3E%%3B%%0D%%0A%%25%%22%%C3%%A9%%20%%2B~._-%%23%%"
	    "2F%%3F&limit=3"
	    "&cursor=%s>; rel=\"next\"\r\n",
	    cursor);
	CHECK_TEXT("Link", link, strlen(link), want);
	rq.query.n = 0;
	query("available", "true", 4);
	query("q", q, sizeof(q) - 1);
	CHECK(takes(cursor, strlen(cursor)), "its own filters are refused");
}

static void
page_cursor_of_another_list_or_filters_is_refused(void)
{
	char cursor[64], link[300];

	begin("/v1/reservations");
	query("status", "RESERVED", 8);
	next_cursor(last, cursor, link, sizeof(link));
	CHECK(takes(cursor, 32), "its own");
	query("limit", "9", 1);
	CHECK(takes(cursor, 32), "another limit is no other list");
	begin("/v1/rooms");
	query("status", "RESERVED", 8);
	CHECK(!takes(cursor, 32), "another path");
	begin("/v1/reservations");
	CHECK(!takes(cursor, 32), "no filter");
	query("status", "RELEASED", 8);
	CHECK(!takes(cursor, 32), "another value");
	rq.query.n = 0;
	query("user_id", "RESERVED", 8);
	CHECK(!takes(cursor, 32), "another filter");
	rq.query.n = 0;
	query("status", "RESERVED", 8);
	query("user_id", "", 0);
	CHECK(!takes(cursor, 32), "one filter more");
}

/* Filters whose bytes would be the same if they were only written one after another. */
static void
page_cursor_tells_filters_apart(void)
{
	char cursor[64], link[300];

	begin("/v1/x");
	query("a", "bc", 2);
	next_cursor(last, cursor, link, sizeof(link));
	rq.query.n = 0;
	query("ab", "c", 1);
	CHECK(!takes(cursor, 32), "a=bc, ab=c");
	rq.query.n = 0;
	query("a", "b", 1);
	query("c", "", 0);
	CHECK(!takes(cursor, 32), "a=bc, a=b&c=");
	rq.query.n = 0;
	query("a", "x", 1);
	query("bc", "y", 1);
	next_cursor(last, cursor, link, sizeof(link));
	rq.query.n = 0;
	query("a", "xb", 2);
	query("c", "y", 1);
	CHECK(!takes(cursor, 32), "a=x&bc=y, a=xb&c=y");
	rq.query.n = 0;
	query("a", "bc", 2);
	next_cursor(last, cursor, link, sizeof(link));
	rq.query.n = 0;
	begin("/v1/xa");
	query("", "bc", 2);
	CHECK(!takes(cursor, 32), "/v1/x?a, /v1/xa?");
}

static void
page_cursor_with_any_bit_flipped_is_refused(void)
{
	char cursor[64], link[300], forged[64];
	size_t at, taken = 0;
	int c;

	begin("/v1/rooms");
	next_cursor(last, cursor, link, sizeof(link));
	for (at = 0; at < 32; at++) {
		for (c = 0; c < 256; c++) {
			memcpy(forged, cursor, sizeof(forged));
			forged[at] = (char)c;
			taken += forged[at] != cursor[at] && takes(forged, 32);
		}
	}
	CHECK(taken == 0, "%zu of %d forged cursors are taken", taken, 32 * 255);
}

static void
page_cursor_of_another_form_is_refused(void)
{
	static const char *const bad[] = {"", "A", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "abcd",
	    "================================", "../../etc/passwd",
	    "0192f4a1-7b3c-7def-8123-456789abcdef", "                                "};
	char cursor[64], link[300], other[130];
	size_t i;

	begin("/v1/rooms");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(!takes(bad[i], strlen(bad[i])), "'%s' is taken", bad[i]);
	next_cursor(last, cursor, link, sizeof(link));
	for (i = 0; i < 32; i++)
		CHECK(!takes(cursor, i), "%zu characters of it are taken", i);
	snprintf(other, sizeof(other), "%s=", cursor);
	CHECK(!takes(other, 33), "padded it is taken");
	snprintf(other, sizeof(other), "%s%s", cursor, cursor);
	CHECK(!takes(other, 64), "twice it is taken");
}

static void
page_tells_of_both_faults(void)
{
	begin("/v1/rooms");
	query("cursor", "x", 1);
	query("limit", "x", 1);
	page_read(&rq, &page);
	CHECK(rq.faults.n == 2, "%zu faults", rq.faults.n);
}

CU_TestInfo tests_page[] = {
    TEST(page_without_parameters_is_the_first_50),
    NUMBERED("E065", page_limit_is_1_to_200),
    TEST(page_cursor_goes_round),
    TEST(page_cursor_of_another_order_goes_round),
    TEST(page_link_has_the_form_of_rfc_8288),
    TEST(page_link_keeps_and_encodes_the_filters),
    NUMBERED("E066", page_cursor_of_another_list_or_filters_is_refused),
    NUMBERED("E066", page_cursor_tells_filters_apart),
    NUMBERED("E066", page_cursor_with_any_bit_flipped_is_refused),
    NUMBERED("E066", page_cursor_of_another_form_is_refused),
    TEST(page_tells_of_both_faults),
    CU_TEST_INFO_NULL,
};
