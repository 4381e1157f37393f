#include <ctype.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "body.h"
#include "change.h"
#include "db.h"
#include "json.h"
#include "jsonw.h"
#include "page.h"
#include "target.h"

unsigned target_calls;

/* ---- the handlers ---- */

static enum prob
thing_list(struct req *rq, struct resp *rs)
{
	static const unsigned char last[16] = "sixteen bytes...";
	struct jsonw w = jsonw_begin(&rs->body);
	unsigned char ids[QUERY_IDS * 16];
	struct page page;
	size_t i;

	target_calls++;
	page_read(rq, &page);
	if (query_get(&rq->query, "ids", NULL) != NULL)
		query_ids(&rq->query, &rq->faults, ids);
	if (rq->faults.n > 0)
		return PROB_BAD_QUERY;
	jsonw_array(&w);
	for (i = 0; i < rq->query.n; i++) {
		jsonw_object(&w);
		jsonw_name(&w, "name");
		jsonw_str(&w, rq->query.v[i].name);
		jsonw_name(&w, "bytes");
		jsonw_int(&w, (long long)rq->query.v[i].len);
		jsonw_close(&w);
	}
	jsonw_close(&w);
	page_next(rq, rs, &page, last, NULL);
	rs->has_etag = true;
	return jsonw_end(&w) ? PROB_NONE : PROB_INTERNAL;
}

static void
write_digest(struct jsonw *w, const char *name, const uint8_t digest[HASH_SIZE])
{
	char text[2 * HASH_SIZE + 1];
	size_t i;

	for (i = 0; i < HASH_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	jsonw_name(w, name);
	jsonw_str(w, text);
}

static enum prob
write_seen(struct req *rq, struct resp *rs)
{
	struct jsonw w = jsonw_begin(&rs->body);

	jsonw_object(&w);
	jsonw_name(&w, "id");
	jsonw_uuid(&w, rq->id.b);
	jsonw_name(&w, "actor");
	jsonw_str(&w, rq->caller.actor);
	jsonw_name(&w, "role");
	jsonw_str(&w, rq->caller.role == ROLE_RESTRICTED ? "restricted" : "public");
	jsonw_name(&w, "keyed");
	jsonw_bool(&w, rq->wire.keyed);
	if (rq->wire.keyed) {
		write_digest(&w, "key", rq->wire.key);
		write_digest(&w, "body", rq->wire.body_hash);
	}
	jsonw_close(&w);
	return jsonw_end(&w) ? PROB_NONE : PROB_INTERNAL;
}

static enum prob
thing_get(struct req *rq, struct resp *rs)
{
	target_calls++;
	rs->has_etag = rs->personal = true;
	return write_seen(rq, rs);
}

static enum prob
thing_create(struct req *rq, struct resp *rs)
{
	const char *reason;
	struct uuid room, user;
	int64_t amount;
	size_t len;
	struct body b;
	enum prob pr;

	target_calls++;
	if ((pr = body_begin(&b, rq, true)) != PROB_NONE)
		return pr;
	body_uuid(&b, "room_id", &room);
	body_user(&b, "user", &user);
	body_int(&b, "amount", -1000, 1000, &amount);
	body_text(&b, "reason", TEXT_REASON, &reason, &len);
	if ((pr = body_end(&b)) != PROB_NONE)
		return pr;
	rs->status = 201;
	return write_seen(rq, rs);
}

static enum prob
thing_act(struct req *rq, struct resp *rs)
{
	enum prob pr;

	target_calls++;
	return (pr = body_none(rq)) != PROB_NONE ? pr : write_seen(rq, rs);
}

static enum prob
broken_get(struct req *rq, struct resp *rs)
{
	(void)rq;
	target_calls++;
	buf_str(&rs->body, "half an ans");
	resp_header(rs, "X-Half", "yes");
	return PROB_INTERNAL;
}

static enum prob
stored_get(struct req *rq, struct resp *rs)
{
	db_select(rq->db, stored_get, "SELECT id, name, role FROM stored");
	return answer_row(rq, rs, call_read(rq), shape_user, SHAPE_USER, PROB_USER_NOT_FOUND);
}

static enum prob
stored_create(struct req *rq, struct resp *rs)
{
	call_begin(rq, "stored_create");
	return answer_write(rq, rs, call_write(rq), shape_user, SHAPE_USER, 201, "/v1/stored/");
}

static void
shape_known(struct jsonw *w, const struct field *f)
{
	const struct field user[SHAPE_USER] = {f[2], f[0], f[1]};

	shape_user(w, user);
}

static enum prob
known_create(struct req *rq, struct resp *rs)
{
	static const struct field known = {TARGET_ID, 16};

	call_begin(rq, "known_create");
	return answer_known(rq, rs, call_write(rq), shape_known, 2, &known, 1, 201, NULL);
}

static void
stored_call(struct req *rq, const void *in)
{
	(void)in;
	call_begin(rq, "stored_put");
}

static void
stored_read(struct req *rq)
{
	db_select(rq->db, stored_get, "SELECT id, name, role FROM stored WHERE id = ?");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
}

static enum prob
stored_put(struct req *rq, struct resp *rs)
{
	static const struct change change = {
	    stored_read, shape_user, SHAPE_USER, PROB_NONE, PROB_NONE, stored_call};

	return change_answer(rq, rs, &change, NULL);
}

const struct route target_routes[] = {
    {METHOD_GET, "/v1/things", SCOPE_ANY, thing_list, "thing_list", "available q ids limit cursor"},
    {METHOD_POST, "/v1/things", SCOPE_ANY, thing_create, "thing_create", ""},
    {METHOD_GET, "/v1/things/{room}", SCOPE_ANY, thing_get, "thing_get", ""},
    {METHOD_PUT, "/v1/things/{reservation}", SCOPE_RESTRICTED, thing_act, "thing_put", ""},
    {METHOD_POST, "/v1/things/{reservation}/act", SCOPE_RESTRICTED, thing_act, "thing_act", ""},
    {METHOD_GET, "/v1/broken", SCOPE_ANY, broken_get, "broken_get", ""},
    {METHOD_GET, "/v1/stored", SCOPE_ANY, stored_get, "stored_get", ""},
    {METHOD_POST, "/v1/stored", SCOPE_ANY, stored_create, "stored_create", ""},
    {METHOD_POST, "/v1/known", SCOPE_ANY, known_create, "known_create", ""},
    {METHOD_PUT, "/v1/stored/{user}", SCOPE_ANY, stored_put, "stored_put", ""},
};
const size_t target_nroutes = sizeof(target_routes) / sizeof(target_routes[0]);

/* ---- an exchange ---- */

static void
forget(struct exchange *x)
{
	while (x->nenv > 0)
		free(x->env[--x->nenv]);
}

void
exchange_begin(struct exchange *x, const char *method, const char *path)
{
	forget(x);
	req_begin(&x->rq, x->rq.db, x->env, "", 0);
	resp_reset(&x->rs);
	buf_reset(&x->out);
	x->env[0] = NULL;
	if (method != NULL)
		exchange_add(x, "REQUEST_METHOD=%s", method);
	if (path != NULL)
		exchange_add(x, "REQUEST_PATH=%s", path);
}

void
exchange_add(struct exchange *x, const char *fmt, ...)
{
	va_list ap;

	if (x->nenv == TARGET_PARAMS)
		return;
	va_start(ap, fmt);
	if (vasprintf(&x->env[x->nenv], fmt, ap) < 0)
		abort();
	va_end(ap);
	x->env[++x->nenv] = NULL;
}

void
exchange_role(struct exchange *x, const char *role)
{
	exchange_add(x, "LOYALTY_ROLE=%s", role);
	exchange_add(x, "HTTP_X_API_KEY=k");
}

void
exchange_body(struct exchange *x, const char *body, size_t len)
{
	x->rq.wire.body = body;
	x->rq.wire.body_len = len;
	exchange_add(x, "CONTENT_TYPE=application/json");
}

void
exchange_run(struct exchange *x)
{
	char *end;

	route_dispatch(target_routes, target_nroutes, "check", &x->rq, &x->rs);
	resp_render(&x->rs, &x->rq.wire, &x->out);
	end = memmem(x->out.p, x->out.len, "\r\n\r\n", 4);
	x->head_len = end != NULL ? (size_t)(end - x->out.p) + 4 : 0;
}

void
exchange_free(struct exchange *x)
{
	forget(x);
	resp_free(&x->rs);
	buf_free(&x->out);
}

const char *
exchange_header(const struct exchange *x, const char *name, size_t *len, int *count)
{
	const char *p = x->out.p, *end = x->out.p + x->head_len, *found = NULL;
	size_t n = strlen(name), found_len = 0;
	int seen = 0;

	while (p < end) {
		const char *eol = memmem(p, (size_t)(end - p), "\r\n", 2);

		if ((size_t)(eol - p) > n + 1 && memcmp(p, name, n) == 0
		    && memcmp(p + n, ": ", 2) == 0) {
			if (seen++ == 0) {
				found = p + n + 2;
				found_len = (size_t)(eol - found);
			}
		}
		p = eol + 2;
	}
	if (len != NULL)
		*len = found_len;
	if (count != NULL)
		*count = seen;
	return found;
}

/* Lines of Name: value, no control characters, each of these names at most once. */
static const char *
head_fault(const struct exchange *x)
{
	static const char *const once[] = {"Status", "Content-Type", "Content-Length", "ETag",
	    "Cache-Control", "Link", "Location", "Allow", "Retry-After", "WWW-Authenticate",
	    "Idempotency-Replayed"};
	const char *p = x->out.p, *end = x->out.p + x->head_len - 2;
	size_t i;
	int count;

	while (p < end) {
		const char *eol = memmem(p, (size_t)(end + 2 - p), "\r\n", 2),
			   *colon = memchr(p, ':', (size_t)(eol - p));

		if (colon == NULL || colon == p || colon[1] != ' ')
			return "a header line is ill-formed";
		for (; p < eol; p++) {
			if (p < colon && !isalnum((unsigned char)*p) && *p != '-')
				return "a header's name is ill-formed";
			if ((unsigned char)*p < 0x20 || *p == 0x7f)
				return "a control character stands in a header";
		}
		p = eol + 2;
	}
	for (i = 0; i < sizeof(once) / sizeof(once[0]); i++) {
		exchange_header(x, once[i], NULL, &count);
		if (count > 1)
			return "a header is given twice";
	}
	return NULL;
}

/* Each has a detail and says where: in the body, the query or a header. */
static const char *
errors_fault(struct json_object *errors, int status)
{
	struct json_object *e;
	size_t i, n = json_object_array_length(errors);
	int places;

	for (i = 0; i < n; i++) {
		e = json_object_array_get_idx(errors, i);
		if (!json_object_object_get_ex(e, "detail", NULL))
			return "an error has no detail";
		places = json_object_object_get_ex(e, "parameter", NULL)
			 + json_object_object_get_ex(e, "header", NULL);
		if (places + json_object_object_get_ex(e, "pointer", NULL) != 1
		    || places != (status == 400))
			return "an error names no place, or one that its status does not go with";
	}
	return NULL;
}

static const char *
problem_fault(const struct exchange *x, struct json_object *o, int status)
{
	struct json_object *v;
	const char *type;
	size_t len;

	type = exchange_header(x, "Content-Type", &len, NULL);
	if (len != 24 || memcmp(type, "application/problem+json", len) != 0)
		return "a problem is not of type application/problem+json";
	if (!json_object_object_get_ex(o, "type", &v)
	    || strncmp(json_object_get_string(v), "/problems/", 10) != 0)
		return "a problem has no type";
	type = json_object_get_string(v);
	if (!json_object_object_get_ex(o, "status", &v) || json_object_get_int(v) != status)
		return "a problem has another status than its answer";
	if (!json_object_object_get_ex(o, "title", &v) || *json_object_get_string(v) == '\0')
		return "a problem has no title";
	if (!json_object_object_get_ex(o, "detail", &v) || *json_object_get_string(v) == '\0')
		return "a problem has no detail";
	if (!json_object_object_get_ex(o, "request_id", &v) || *json_object_get_string(v) == '\0')
		return "a problem has no request id";
	if (json_object_object_get_ex(o, "errors", &v)
	    != (strcmp(type, "/problems/validation") == 0))
		return "errors without validation, or validation without errors";
	return strcmp(type, "/problems/validation") == 0 ? errors_fault(v, status) : NULL;
}

/*
 * Status is a line and a known one; header lines are well-formed; the body is
 * as long as Content-Length says (0 for HEAD), and JSON; 4xx and 5xx are
 * problem documents with what belongs to them.
 */
const char *
exchange_fault(const struct exchange *x)
{
	static const int known[] = {
	    200, 201, 204, 304, 400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 500, 503};
	const char *why, *s = exchange_header(x, "Status", NULL, NULL), *length;
	size_t i, body_len = x->out.len - x->head_len;
	int status = s != NULL ? atoi(s) : 0;
	struct json_object *o = NULL;

	if (x->head_len == 0)
		return "the header has no end";
	if ((why = head_fault(x)) != NULL)
		return why;
	for (i = 0; i < sizeof(known) / sizeof(known[0]) && known[i] != status; i++)
		;
	if (i == sizeof(known) / sizeof(known[0]))
		return "the status is none of ours";
	length = exchange_header(x, "Content-Length", NULL, NULL);
	if (x->rq.wire.method == METHOD_HEAD || status == 204 || status == 304)
		return body_len == 0 ? NULL : "there is a body where none may be";
	if (length == NULL || strtoull(length, NULL, 10) != body_len)
		return "Content-Length is wrong";
	if ((why = json_read(x->out.p + x->head_len, body_len, &o)) != NULL)
		return why;
	if (status >= 400)
		why = problem_fault(x, o, status);
	json_object_put(o);
	if (why == NULL && status == 401
	    && exchange_header(x, "WWW-Authenticate", NULL, NULL) == NULL)
		why = "401 without WWW-Authenticate";
	if (why == NULL && status == 405 && exchange_header(x, "Allow", NULL, NULL) == NULL)
		why = "405 without Allow";
	if (why == NULL && status == 503 && exchange_header(x, "Retry-After", NULL, NULL) == NULL)
		why = "503 without Retry-After";
	return why;
}
