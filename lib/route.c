#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "etag.h"
#include "idempotency.h"
#include "log.h"
#include "ready.h"
#include "route.h"

/* ---- the path ---- */

/* What may stand in a path instead of a name, and what its absence is. */
static const struct segment {
	const char *name;
	enum prob missing;
} segments[] = {
    {"{room}", PROB_ROOM_NOT_FOUND},
    {"{user}", PROB_USER_NOT_FOUND},
    {"{reservation}", PROB_RESERVATION_NOT_FOUND},
    {"{mail}", PROB_NOT_FOUND},
};

/* A place in the path: its kind and what stands there. */
struct place {
	const struct segment *kind; /* NULL: the path has none */
	const char *s;
	size_t len;
};

static const struct segment *
segment_named(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(segments) / sizeof(segments[0]); i++)
		if (strncmp(segments[i].name, name, strlen(segments[i].name)) == 0)
			return &segments[i];
	return NULL;
}

/* Does the path fit the template? */
static bool
path_fits(const char *template, const char *path, struct place *at)
{
	*at = (struct place){0};
	while (*template != '\0' && *path != '\0') {
		if (*template != '{') {
			if (*template ++ != *path++)
				return false;
			continue;
		}
		if ((at->len = strcspn(path, "/")) == 0)
			return false;
		at->kind = segment_named(template);
		at->s = path;
		path += at->len;
		template += strcspn(template, "}") + 1;
	}
	return *template == *path;
}

/* A number of 1 to 18 digits, no leading zero. */
static bool
read_number(long long *out, const char *s, size_t len)
{
	if (len < 1 || len > 18 || strspn(s, "0123456789") < len || *s == '0')
		return false;
	*out = strtoll(s, NULL, 10);
	return true;
}

static void
read_place(struct req *rq, const struct place *at)
{
	bool fine = true;

	if (at->kind != NULL && at->kind->missing == PROB_NOT_FOUND)
		fine = read_number(&rq->number, at->s, at->len);
	else if (at->kind != NULL)
		fine = uuid_parse(&rq->id, at->s, at->len);
	rq->missing = fine ? PROB_NONE : at->kind->missing;
}

void
route_template(const struct route *r, char *out, size_t size)
{
	const char *open = strchr(r->path, '{');

	if (open == NULL)
		snprintf(out, size, "%s", r->path);
	else
		snprintf(
		    out, size, "%.*s{id}%s", (int)(open - r->path), r->path, strchr(open, '}') + 1);
}

/* ---- the request id ---- */

static void
make_request_id(struct req *rq)
{
	struct uuid u = {{0}};

	uuid_v7(&u);
	uuid_text(rq->request_id, u.b);
	rq->request_id[UUID_TEXT] = '\0';
}

static void
read_request_id(struct req *rq)
{
	static const char fine[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	const char *id = wire_param(&rq->wire, "LOYALTY_REQUEST_ID", NULL);
	size_t n;

	if (id != NULL && (n = strlen(id)) >= 1 && n < sizeof(rq->request_id)
	    && strspn(id, fine) == n) {
		memcpy(rq->request_id, id, n + 1);
		return;
	}
	make_request_id(rq);
}

/* ---- dispatch ---- */

/* The route of path and method; *allow: methods of the path, "" if it has none. */
static const struct route *
find(const struct route *routes, size_t n, struct req *rq, char *allow, size_t size)
{
	enum method wanted = rq->wire.method == METHOD_HEAD ? METHOD_GET : rq->wire.method;
	const struct route *found = NULL;
	struct place at;
	size_t i;

	*allow = '\0';
	for (i = 0; i < n; i++) {
		const struct route *r = &routes[i];

		if (!path_fits(r->path, rq->wire.path, &at))
			continue;
		snprintf(allow + strlen(allow), size - strlen(allow), "%s%s, ",
		    wire_method_name(r->method), r->method == METHOD_GET ? ", HEAD" : "");
		if (r->method == wanted) {
			found = rq->route = r;
			read_place(rq, &at);
		}
	}
	if (*allow != '\0')
		strncat(allow, "OPTIONS", size - strlen(allow) - 1);
	return found;
}

/* Is there nothing at this path for the public key, whatever the method? */
static bool
all_restricted(const struct route *routes, size_t n, const char *path)
{
	struct place at;
	size_t i;

	for (i = 0; i < n; i++)
		if (routes[i].scope != SCOPE_RESTRICTED && path_fits(routes[i].path, path, &at))
			return false;
	return true;
}

static enum prob
handle(
    const struct route *routes, size_t n, struct req *rq, struct resp *rs, char *allow, size_t size)
{
	const struct route *r = find(routes, n, rq, allow, size);
	const char *query = wire_param(&rq->wire, "QUERY_STRING", NULL);
	enum prob pr;

	if (rq->wire.method == METHOD_OPTIONS && *allow != '\0') {
		rs->status = 204;
		rs->allow = allow;
		return PROB_NONE;
	}
	if (rq->wire.method != METHOD_OPTIONS) {
		caller_read(&rq->caller, &rq->wire);
		if (rq->caller.role == ROLE_NONE)
			return PROB_UNAUTHORIZED;
	}
	if (rq->caller.role != ROLE_NONE
	    && caller_tells_key(&rq->caller, rq->request_id, strlen(rq->request_id))) {
		make_request_id(rq);
		faults_add(&rq->faults, FAULT_HEADER, "X-Request-Id", CALLER_TELLS_KEY);
	}
	if (rq->caller.role == ROLE_FORBIDDEN)
		return PROB_FORBIDDEN;
	if (*allow == '\0')
		return PROB_NOT_FOUND;
	if (r == NULL && rq->caller.role == ROLE_PUBLIC && all_restricted(routes, n, rq->wire.path))
		return PROB_FORBIDDEN;
	if (r == NULL) {
		rs->allow = allow;
		return PROB_METHOD_NOT_ALLOWED;
	}
	if (r->scope == SCOPE_RESTRICTED && rq->caller.role != ROLE_RESTRICTED)
		return PROB_FORBIDDEN;
	if (rq->wire.body == NULL)
		return PROB_PAYLOAD_TOO_LARGE;
	caller_read_actor(&rq->caller, &rq->wire, &rq->faults);
	query_read(&rq->query, query != NULL ? query : "", r->query, &rq->caller, &rq->faults);
	if (rq->wire.method == METHOD_POST)
		idempotency_read(&rq->wire, &rq->caller, &rq->faults);
	if (rq->wire.method == METHOD_POST || rq->wire.method == METHOD_PUT
	    || rq->wire.method == METHOD_PATCH)
		etag_check(&rq->wire, &rq->faults);
	/* a handler with parameters of its own adds what is wrong with them, so
	 * that the client hears of everything at once */
	if (rq->faults.n > 0 && *r->query == '\0')
		return PROB_BAD_QUERY;
	if (rq->wire.method != METHOD_GET && rq->wire.method != METHOD_HEAD
	    && (pr = body_read(rq)) != PROB_NONE)
		return pr;
	return rq->missing != PROB_NONE ? rq->missing : r->handler(rq, rs);
}

void
route_dispatch(
    const struct route *routes, size_t n, const char *service, struct req *rq, struct resp *rs)
{
	const char *method = wire_param(&rq->wire, "REQUEST_METHOD", NULL),
		   *path = wire_param(&rq->wire, "REQUEST_PATH", NULL);
	enum prob pr;

	rq->wire.method = wire_method(method != NULL ? method : "");
	rq->wire.path = path != NULL ? path : "";
	read_request_id(rq);
	if (strcmp(rq->wire.path, "/readyz") == 0
	    && (rq->wire.method == METHOD_GET || rq->wire.method == METHOD_HEAD))
		pr = ready_get(rq, rs, service);
	else
		pr = handle(routes, n, rq, rs, rq->allow, sizeof(rq->allow));
	if (pr != PROB_NONE) {
		if (rs->begun)
			rs->body.failed = true; /* what has begun can't be ended otherwise */
		else
			resp_problem(rs, &rq->faults, pr, rq->faults.detail, rq->request_id);
		if (pr == PROB_INTERNAL)
			log_line(LOG_ERROR, rq->request_id, "%s %s: internal error",
			    wire_method_name(rq->wire.method), rq->wire.path);
	}
	json_object_put(rq->wire.json);
	rq->wire.json = NULL;
}

void
route_print(const struct route *routes, size_t n, FILE *out)
{
	char path[80];
	size_t i;

	for (i = 0; i < n; i++) {
		route_template(&routes[i], path, sizeof(path));
		fprintf(out, "%s %s %s %s\n", wire_method_name(routes[i].method), path,
		    routes[i].scope == SCOPE_ANY ? "ANY" : "RESTRICTED", routes[i].handler_name);
	}
}
