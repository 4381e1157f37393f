#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "json.h"
#include "req.h"
#include "resp.h"

/* What the tests work with; render begins with a fresh request. */
static struct req rq;
static struct resp rs;
static struct buf out;
static char match[3000];
static char *env[2];

static void
begin(enum method method)
{
	memset(&rq, 0, sizeof(rq));
	rq.wire.env = env;
	env[0] = NULL;
	rq.wire.method = method;
	strcpy(rq.request_id, "req-1");
	resp_reset(&rs);
}

static void
render(void)
{
	buf_reset(&out);
	resp_render(&rs, &rq.wire, &out);
	buf_add(&out, "", 1);
	out.len--;
}

static void
done(void)
{
	resp_free(&rs);
	buf_free(&out);
}

static void
render_writes_header_then_body(void)
{
	begin(METHOD_GET);
	buf_str(&rs.body, "{\"a\":1}");
	resp_header(&rs, "X-Test", "yes");
	render();
	CHECK_TEXT("the answer", out.p, out.len,
	    "Status: 200\r\nContent-Type: application/json\r\nContent-Length: 7\r\nX-Test: "
	    "yes\r\n\r\n{\"a\":1}");
	begin(METHOD_HEAD);
	buf_str(&rs.body, "{\"a\":1}");
	render();
	CHECK_TEXT("HEAD's", out.p, out.len,
	    "Status: 200\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n");
	begin(METHOD_OPTIONS);
	rs.status = 204;
	rs.allow = "GET, HEAD, OPTIONS";
	render();
	CHECK_TEXT("OPTIONS'", out.p, out.len, "Status: 204\r\nAllow: GET, HEAD, OPTIONS\r\n\r\n");
	begin(METHOD_GET);
	rs.redirect = "/next";
	render();
	CHECK_TEXT("a redirect", out.p, out.len, "Status: 200\r\nX-Accel-Redirect: /next\r\n\r\n");
	done();
}

static void
render_keeps_nothing_of_the_last_answer(void)
{
	begin(METHOD_GET);
	buf_str(&rs.body, "{\"secret\":1}");
	resp_header(&rs, "X-Secret", "yes");
	rs.has_etag = rs.personal = true;
	rs.status = 201;
	rs.allow = rs.redirect = "x";
	render();
	begin(METHOD_GET);
	buf_str(&rs.body, "1");
	render();
	CHECK_TEXT("the second", out.p, out.len,
	    "Status: 200\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n1");
	done();
}

/* The ETag of a GET that answers with this body and these header lines; its text in tag. */
static void
tag_given(enum method method, const char *body, const char *link, char tag[64])
{
	const char *at;

	begin(method);
	buf_str(&rs.body, body);
	if (link != NULL)
		resp_header(&rs, "Link", link);
	rs.has_etag = true;
	render();
	at = strstr(out.p, "\r\nETag: ");
	*tag = '\0';
	if (CHECK(at != NULL, "no ETag: %s", out.p))
		snprintf(tag, 64, "%.*s", (int)strcspn(at + 8, "\r"), at + 8);
}

static void
etag_is_strong_and_of_body_and_link(void)
{
	char a[64], b[64];

	tag_given(METHOD_GET, "[1]", NULL, a);
	CHECK(strlen(a) == 34 && a[0] == '"' && a[33] == '"'
		  && strspn(a + 1, "0123456789abcdef") == 32,
	    "%s", a);
	tag_given(METHOD_GET, "[1]", NULL, b);
	CHECK(strcmp(a, b) == 0, "the same for the same");
	tag_given(METHOD_HEAD, "[1]", NULL, b);
	CHECK(strcmp(a, b) == 0, "the same for HEAD");
	tag_given(METHOD_GET, "[2]", NULL, b);
	CHECK(strcmp(a, b) != 0, "another for another body");
	tag_given(METHOD_GET, "[1]", "<x>; rel=\"next\"", b);
	CHECK(strcmp(a, b) != 0, "another for another Link");
	CHECK(strstr(out.p, "Content-Length: 3\r\n") != NULL
		  && strcmp(out.p + out.len - 3, "[1]") == 0,
	    "%s", out.p);
	done();
}

static void
etag_is_for_200_only(void)
{
	begin(METHOD_GET);
	rs.status = 201;
	rs.has_etag = true;
	buf_str(&rs.body, "1");
	env[0] = match;
	env[1] = NULL;
	strcpy(match, "HTTP_IF_NONE_MATCH=*");
	render();
	CHECK(strstr(out.p, "ETag") == NULL && strstr(out.p, "Status: 201") != NULL, "%s", out.p);
	done();
}

static void
cache_control_is_private_for_people(void)
{
	begin(METHOD_GET);
	rs.has_etag = true;
	buf_str(&rs.body, "1");
	render();
	CHECK(strstr(out.p, "Cache-Control: no-cache\r\n") != NULL, "%s", out.p);
	begin(METHOD_GET);
	rs.has_etag = rs.personal = true;
	buf_str(&rs.body, "1");
	render();
	CHECK(strstr(out.p, "Cache-Control: private, no-cache\r\n") != NULL, "%s", out.p);
	done();
}

/* Does If-None-Match (fmt, %s: the tag) match? */
static bool
matches(const char *fmt)
{
	char tag[64];
	size_t n = strlen("HTTP_IF_NONE_MATCH=");

	tag_given(METHOD_GET, "[1]", NULL, tag);
	begin(METHOD_GET);
	strcpy(match, "HTTP_IF_NONE_MATCH=");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(match + n, sizeof(match) - n, fmt, tag, tag);
#pragma GCC diagnostic pop
	env[0] = match;
	env[1] = NULL;
	buf_str(&rs.body, "[1]");
	rs.has_etag = true;
	render();
	if (strstr(out.p, "Status: 304\r\n") == NULL) {
		CHECK(strstr(out.p, "Status: 200\r\n") != NULL && out.p[out.len - 1] == ']', "%s",
		    out.p);
		return false;
	}
	CHECK(strcmp(out.p + out.len - 4, "\r\n\r\n") == 0 && strstr(out.p, "Content-") == NULL,
	    "%s", out.p);
	CHECK(strstr(out.p, tag) != NULL, "304 has the ETag");
	return true;
}

static void
if_none_match_finds_the_tag_in_a_list(void)
{
	static const char *const yes[] = {"%s", "W/%s", "*", " %s ", "\"a\",%s", "\"a\" , %s",
	    "%s, \"b\"", "W/\"a\", W/%s", ",,%s", "\"\", %s", "\"a,b\", %s", "\t%s",
	    "W/\"x\"\t,\t%s", "\"a\\\", %s", "\"a\",,,%s"};
	size_t i;

	for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		CHECK(matches(yes[i]), "'%s' does not match", yes[i]);
	done();
}

static void
if_none_match_does_not_match_others(void)
{
	static const char *const no[] = {"", " ", ",", "\"a\"", "W/\"a\"", "\"", "\"\"", "W/",
	    "W/W/%s", "w/%s", "\"a", "\"a, %s", "x%s", "\"x%s\"", "abc",
	    "\"00000000000000000000000000000000\"", "\"*\"", "W/\"*\"", "\"a\" \"b\""};
	char big[2000];
	size_t i;

	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		CHECK(!matches(no[i]), "'%s' matches", no[i]);
	memset(big, ',', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	CHECK(!matches(big), "many commas match");
	memset(big, '"', sizeof(big) - 1);
	CHECK(!matches(big), "many quotes match");
	done();
}

/* The document, to be put back by the caller. */
static struct json_object *
document(const char *type)
{
	struct json_object *o = NULL;
	const char *body, *why;

	render();
	CHECK(strstr(out.p, type) != NULL, "%s", out.p);
	body = strstr(out.p, "\r\n\r\n") + 4;
	why = json_read(body, strlen(body), &o);
	CHECK(why == NULL, "%s: %s", body, why != NULL ? why : "");
	return o;
}

static void
member_is(struct json_object *o, const char *name, const char *want)
{
	struct json_object *v = NULL;
	const char *s;

	CHECK(json_object_object_get_ex(o, name, &v), "no %s", name);
	s = json_object_to_json_string_ext(
	    v, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	CHECK_TEXT(name, s, strlen(s), want);
}

static void
problem_has_the_form_of_rfc_9457(void)
{
	struct json_object *o;

	begin(METHOD_GET);
	buf_str(&rs.body, "half");
	resp_header(&rs, "X-Half", "yes");
	resp_problem(&rs, &rq.faults, PROB_SOLD_OUT, NULL, "first-id");
	o = document("Content-Type: application/problem+json\r\n");
	member_is(o, "type", "\"/problems/sold-out\"");
	member_is(o, "title", "\"Sold out\"");
	member_is(o, "status", "409");
	member_is(o, "detail", "\"No unit of this room is left.\"");
	member_is(o, "request_id", "\"first-id\"");
	CHECK(json_object_object_length(o) == 5, "%d members", json_object_object_length(o));
	CHECK(strstr(out.p, "X-Half") == NULL && strstr(out.p, "half") == NULL,
	    "what was made before stays");
	CHECK(strstr(out.p, "Status: 409\r\n") != NULL
		  && strstr(out.p, "Cache-Control: no-store\r\n") != NULL,
	    "%s", out.p);
	json_object_put(o);
	done();
}

static void
problem_takes_a_detail_that_knows_better(void)
{
	struct json_object *o;

	begin(METHOD_GET);
	resp_problem(
	    &rs, &rq.faults, PROB_INSUFFICIENT_POINTS, "\"250\" points\n are missing", "r");
	o = document("problem+json");
	member_is(o, "detail", "\"\\\"250\\\" points\\n are missing\"");
	json_object_put(o);
	begin(METHOD_GET);
	resp_problem(&rs, &rq.faults, PROB_INSUFFICIENT_POINTS, "", "r");
	o = document("problem+json");
	member_is(o, "detail", "\"The balance is too low.\"");
	json_object_put(o);
	done();
}

static void
problem_of_validation_lists_every_error(void)
{
	static const enum prob both[] = {PROB_VALIDATION, PROB_BAD_QUERY};
	struct json_object *o;
	size_t i;

	for (i = 0; i < 2; i++) {
		begin(METHOD_POST);
		faults_add(&rq.faults, FAULT_BODY, "/user/id", "is missing");
		faults_add(&rq.faults, FAULT_BODY, "/a\"b", "must be %d", 1);
		faults_add(&rq.faults, FAULT_QUERY, "limit", "must be %d", 2);
		faults_add(&rq.faults, FAULT_HEADER, "X-Actor", "must be %d", 3);
		resp_problem(&rs, &rq.faults, both[i], NULL, "r");
		o = document("problem+json");
		member_is(o, "errors",
		    "[{\"pointer\":\"/user/id\",\"detail\":\"is "
		    "missing\"},{\"pointer\":\"/a\\\"b\",\"detail\":\"must be 1\"},"
		    "{\"parameter\":\"limit\",\"detail\":\"must be 2\"},"
		    "{\"header\":\"X-Actor\",\"detail\":\"must be 3\"}]");
		member_is(o, "status", i == 0 ? "422" : "400");
		json_object_put(o);
	}
	begin(METHOD_POST);
	faults_add(&rq.faults, FAULT_BODY, "/x", "y");
	resp_problem(&rs, &rq.faults, PROB_NOT_FOUND, NULL, "r");
	o = document("problem+json");
	CHECK(!json_object_object_get_ex(o, "errors", NULL), "errors of another problem");
	json_object_put(o);
	done();
}

static void
problem_brings_the_headers_that_belong_to_it(void)
{
	begin(METHOD_GET);
	resp_problem(&rs, &rq.faults, PROB_UNAUTHORIZED, NULL, "r");
	render();
	CHECK(
	    strstr(out.p, "\r\nWWW-Authenticate: ") != NULL && strstr(out.p, "Retry-After") == NULL,
	    "%s", out.p);
	begin(METHOD_GET);
	resp_problem(&rs, &rq.faults, PROB_UNAVAILABLE, NULL, "r");
	render();
	CHECK(strstr(out.p, "\r\nRetry-After: ") != NULL && strstr(out.p, "WWW-Auth") == NULL, "%s",
	    out.p);
	begin(METHOD_PUT);
	rs.allow = "GET, HEAD, OPTIONS";
	resp_problem(&rs, &rq.faults, PROB_METHOD_NOT_ALLOWED, NULL, "r");
	render();
	CHECK(strstr(out.p, "\r\nAllow: GET, HEAD, OPTIONS\r\n") != NULL, "%s", out.p);
	done();
}

static void
problem_is_never_a_304(void)
{
	begin(METHOD_GET);
	rs.has_etag = true;
	strcpy(match, "HTTP_IF_NONE_MATCH=*");
	env[0] = match;
	env[1] = NULL;
	resp_problem(&rs, &rq.faults, PROB_NOT_FOUND, NULL, "r");
	render();
	CHECK(
	    strstr(out.p, "Status: 404\r\n") != NULL && strstr(out.p, "ETag") == NULL, "%s", out.p);
	done();
}

CU_TestInfo tests_resp[] = {
    NUMBERED("E057", render_writes_header_then_body),
    TEST(render_keeps_nothing_of_the_last_answer),
    TEST(etag_is_strong_and_of_body_and_link),
    TEST(etag_is_for_200_only),
    TEST(cache_control_is_private_for_people),
    TEST(if_none_match_finds_the_tag_in_a_list),
    TEST(if_none_match_does_not_match_others),
    TEST(problem_has_the_form_of_rfc_9457),
    TEST(problem_takes_a_detail_that_knows_better),
    TEST(problem_of_validation_lists_every_error),
    TEST(problem_brings_the_headers_that_belong_to_it),
    TEST(problem_is_never_a_304),
    CU_TEST_INFO_NULL,
};
