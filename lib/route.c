#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "body.h"
#include "etag.h"
#include "jsonw.h"
#include "log.h"
#include "ready.h"
#include "route.h"
#include "text.h"

static const char *const method_names[] = {
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

static enum method
method_of(const char *s)
{
	int m;

	for (m = METHOD_GET; m < METHOD_OTHER; m++)
		if (strcmp(s, method_names[m]) == 0)
			break;
	return (enum method)m;
}

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

/* ---- who is it? ---- */

/* nginx has mapped the key to a role.  Counted again here: nginx before 1.23
 * shows its map only the first of several headers. */
static enum role
role_of(struct req *rq)
{
	const char *role = req_param(rq, "LOYALTY_ROLE", NULL), *auth, *key;
	int keys, auths;

	key = req_param(rq, "HTTP_X_API_KEY", &keys);
	auth = req_param(rq, "HTTP_AUTHORIZATION", &auths);
	if (role == NULL || keys > 1 || auths > 1 || keys + auths == 0)
		return ROLE_NONE;
	if (auth != NULL && strncasecmp(auth, "Bearer ", 7) != 0)
		return ROLE_NONE;
	if (key == NULL)
		key = auth + 7 + strspn(auth + 7, " ");
	rq->api_key = key;
	rq->api_key_len = strlen(key);
	if (strcmp(role, "public") == 0)
		return ROLE_PUBLIC;
	if (strcmp(role, "restricted") == 0)
		return ROLE_RESTRICTED;
	if (strcmp(role, "forbidden") == 0)
		return ROLE_FORBIDDEN;
	return ROLE_NONE;
}

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
	const char *id = req_param(rq, "LOYALTY_REQUEST_ID", NULL);
	size_t n;

	if (id != NULL && (n = strlen(id)) >= 1 && n < sizeof(rq->request_id)
	    && strspn(id, fine) == n) {
		memcpy(rq->request_id, id, n + 1);
		return;
	}
	make_request_id(rq);
}

/* Who did it, for the history: the key's role, or the person that X-Actor names. */
static void
read_actor(struct req *rq)
{
	const char *given, *why;
	size_t len;
	long n;
	int count;

	strcpy(rq->actor, rq->role == ROLE_RESTRICTED ? "restricted" : "public");
	if (rq->role != ROLE_RESTRICTED || (given = req_param(rq, "HTTP_X_ACTOR", &count)) == NULL)
		return; /* with the public key the header is ignored */
	len = strlen(given);
	/* nginx joins what is given twice with commas (from 1.23 on) */
	if (count > 1 || memchr(given, ',', len) != NULL) {
		req_fault_header(rq, "X-Actor", "must be given once, and a comma in it as %%2C");
	} else if (len > 3 * REQ_ACTOR_MAX) {
		req_fault_header(rq, "X-Actor", "must have at most 100 characters");
	} else {
		char raw[3 * REQ_ACTOR_MAX + 1];
		size_t i;

		for (i = 0; i < len && given[i] >= 0x20 && given[i] < 0x7f; i++)
			;
		if (i < len || (n = text_unpercent(raw, given, len)) < 0)
			req_fault_header(rq, "X-Actor", "must be UTF-8, percent-encoded");
		else if ((why = text_fault(TEXT_NAME, raw, (size_t)n, 100)) != NULL)
			req_fault_header(rq, "X-Actor", "must %s", why);
		else if (req_tells_key(rq, raw, (size_t)n))
			req_fault_header(rq, "X-Actor", REQ_TELLS_KEY);
		else {
			memcpy(rq->actor, raw, (size_t)n);
			rq->actor[n] = '\0';
		}
	}
}

/* ---- the query ---- */

/* The name in the route's list that equals s, as it was sent, or NULL. */
static const char *
known_parameter(const char *list, const char *s, size_t len, char *store, size_t size)
{
	while (*list != '\0') {
		size_t n = strcspn(list, " ");

		if (n == len && memcmp(list, s, n) == 0 && n < size) {
			memcpy(store, list, n);
			store[n] = '\0';
			return store;
		}
		list += n + (list[n] == ' ');
	}
	return NULL;
}

static void
fault_in_query(struct req *rq, const char *name, size_t len, const char *why)
{
	char at[40];
	size_t i;

	for (i = 0; i < len && i < sizeof(at) - 1; i++)
		at[i] = name[i] > 0x20 && name[i] < 0x7f ? name[i] : '?';
	at[i] = '\0';
	req_fault_query(rq, at, "%s", why);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct query_value *)a)->name, ((const struct query_value *)b)->name);
}

/* A fault of whichever parameter takes the most room. */
static void
query_too_long(struct req *rq, const char *raw)
{
	const char *longest = raw;
	size_t most = 0, n;

	for (; *raw != '\0'; raw += n + (raw[n] == '&'))
		if ((n = strcspn(raw, "&")) > most) {
			longest = raw;
			most = n;
		}
	fault_in_query(rq, longest, strcspn(longest, "=&"), "is too long");
}

/* Split, decode and check a raw query against the names that the route knows. */
static void
read_query(struct req *rq, const char *raw, const char *names)
{
	char *store = rq->query_store, *end = store + sizeof(rq->query_store);

	if (strlen(raw) > sizeof(rq->query_store) - 2 * REQ_QUERY_MAX * 16) {
		query_too_long(rq, raw);
		return;
	}
	while (*raw != '\0') {
		size_t len = strcspn(raw, "&"), nlen;
		const char *eq = memchr(raw, '=', len), *name;
		long vlen;

		nlen = eq != NULL ? (size_t)(eq - raw) : len;
		name = known_parameter(names, raw, nlen, store, (size_t)(end - store));
		if (name == NULL) {
			fault_in_query(rq, raw, nlen, "is not a known parameter");
		} else if (req_query(rq, name, NULL) != NULL) {
			fault_in_query(rq, raw, nlen, "is given twice");
		} else if (eq == NULL || rq->nquery == REQ_QUERY_MAX) {
			fault_in_query(rq, raw, nlen, "has no value");
		} else {
			struct query_value *q = &rq->query[rq->nquery];

			store += nlen + 1;
			vlen = text_unform(store, eq + 1, len - nlen - 1);
			if (vlen < 0 || memchr(store, '\0', (size_t)vlen) != NULL) {
				fault_in_query(rq, raw, nlen, "is ill-formed");
			} else if (req_tells_key(rq, store, (size_t)vlen)) {
				fault_in_query(rq, raw, nlen, REQ_TELLS_KEY);
			} else {
				*q = (struct query_value){name, store, (size_t)vlen};
				store[vlen] = '\0';
				store += vlen + 1;
				rq->nquery++;
			}
		}
		raw += len + (raw[len] == '&');
	}
	/* one order for all, so that a cursor fits however the client sorts them */
	qsort(rq->query, rq->nquery, sizeof(rq->query[0]), by_name);
}

/* ---- other headers ---- */

/* Scope: the key's role, the method, the path.  NUL can't be part of any of them. */
static void
read_idempotency_key(struct req *rq)
{
	const char *key;
	struct buf b = {0};
	size_t i, n;
	int count;

	if ((key = req_param(rq, "HTTP_IDEMPOTENCY_KEY", &count)) == NULL)
		return;
	n = strlen(key);
	for (i = 0; i < n && key[i] > 0x20 && key[i] < 0x7f; i++)
		;
	if (count > 1 || n < 1 || n > 128 || i < n) {
		req_fault_header(rq, "Idempotency-Key",
		    "must be given once, as 1 to 128 visible ASCII characters");
		return;
	}
	if (req_tells_key(rq, key, n)) {
		req_fault_header(rq, "Idempotency-Key", REQ_TELLS_KEY);
		return;
	}
	buf_str(&b, rq->role == ROLE_RESTRICTED ? "restricted" : "public");
	buf_add(&b, "", 1);
	buf_str(&b, method_names[rq->method]);
	buf_add(&b, "", 1);
	buf_add(&b, rq->path, strlen(rq->path) + 1);
	buf_str(&b, key);
	if (b.failed) {
		req_fault_header(rq, "Idempotency-Key", "could not be read: out of memory");
	} else {
		hash_sha256(rq->key, b.p, b.len);
		hash_sha256(rq->body_hash, rq->body, rq->body_len);
		rq->keyed = true;
	}
	buf_free(&b);
}

/* If-Match, If-None-Match: PUT and PATCH hold them against the state (answer_change); a POST has
 * none that they could be about. */
static void
check_conditions(struct req *rq)
{
	static const char *const headers[][2] = {
	    {"HTTP_IF_MATCH", "If-Match"}, {"HTTP_IF_NONE_MATCH", "If-None-Match"}};
	size_t i;

	for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		enum etag_list list = etag_list(rq, headers[i][0]);

		if (list == ETAG_NONE)
			continue;
		if (rq->method == METHOD_POST)
			req_fault_header(
			    rq, headers[i][1], "must not be sent with POST, which has no state");
		else if (list == ETAG_BROKEN)
			req_fault_header(
			    rq, headers[i][1], "must be \"*\" or a list of entity tags");
		else
			rq->conditional = true;
	}
}

/* ---- dispatch ---- */

/* Is this service able to work?  nginx asks one after the other. */
static enum prob
answer_ready(struct req *rq, struct resp *rs, const char *service)
{
	const char *next = req_param(rq, "LOYALTY_READY_NEXT", NULL);
	struct jsonw w = jsonw_begin(&rs->body);
	char why[200];
	enum db_status st = ready_ask(rq->db, rq->request_id, why, sizeof(why));

	if (st != DB_OK) {
		/* anybody may ask: no addresses, no names of the library's making */
		log_line(LOG_WARN, rq->request_id, "not ready: %s", why);
		snprintf(rq->detail, sizeof(rq->detail), "%s is not ready: %s.", service,
		    st == DB_VERSION ? why : "the database is out of reach or takes no writes");
		return PROB_UNAVAILABLE;
	}
	if (next != NULL && *next != '\0') {
		rs->redirect = next; /* nginx keeps our headers: the last one sets them */
		return PROB_NONE;
	}
	resp_header(rs, "Cache-Control", "no-store");
	jsonw_object(&w);
	jsonw_name(&w, "status");
	jsonw_str(&w, "ready");
	jsonw_close(&w);
	return jsonw_end(&w) ? PROB_NONE : PROB_INTERNAL;
}

/* The route of path and method; *allow: methods of the path, "" if it has none. */
static const struct route *
find(const struct route *routes, size_t n, struct req *rq, char *allow, size_t size)
{
	enum method wanted = rq->method == METHOD_HEAD ? METHOD_GET : rq->method;
	const struct route *found = NULL;
	struct place at;
	size_t i;

	*allow = '\0';
	for (i = 0; i < n; i++) {
		const struct route *r = &routes[i];

		if (!path_fits(r->path, rq->path, &at))
			continue;
		snprintf(allow + strlen(allow), size - strlen(allow), "%s%s, ",
		    method_names[r->method], r->method == METHOD_GET ? ", HEAD" : "");
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
	const char *query = req_param(rq, "QUERY_STRING", NULL);
	enum prob pr;

	if (rq->method == METHOD_OPTIONS && *allow != '\0') {
		rs->status = 204;
		rs->allow = allow;
		return PROB_NONE;
	}
	if (rq->method != METHOD_OPTIONS && (rq->role = role_of(rq)) == ROLE_NONE)
		return PROB_UNAUTHORIZED;
	if (rq->role != ROLE_NONE && req_tells_key(rq, rq->request_id, strlen(rq->request_id))) {
		make_request_id(rq);
		req_fault_header(rq, "X-Request-Id", REQ_TELLS_KEY);
	}
	if (rq->role == ROLE_FORBIDDEN)
		return PROB_FORBIDDEN;
	if (*allow == '\0')
		return PROB_NOT_FOUND;
	if (r == NULL && rq->role == ROLE_PUBLIC && all_restricted(routes, n, rq->path))
		return PROB_FORBIDDEN;
	if (r == NULL) {
		rs->allow = allow;
		return PROB_METHOD_NOT_ALLOWED;
	}
	if (r->scope == SCOPE_RESTRICTED && rq->role != ROLE_RESTRICTED)
		return PROB_FORBIDDEN;
	if (rq->body == NULL)
		return PROB_PAYLOAD_TOO_LARGE;
	read_actor(rq);
	read_query(rq, query != NULL ? query : "", r->query);
	if (rq->method == METHOD_POST)
		read_idempotency_key(rq);
	if (rq->method == METHOD_POST || rq->method == METHOD_PUT || rq->method == METHOD_PATCH)
		check_conditions(rq);
	/* a handler with parameters of its own adds what is wrong with them, so
	 * that the client hears of everything at once */
	if (rq->nfaults > 0 && *r->query == '\0')
		return PROB_BAD_QUERY;
	if (rq->method != METHOD_GET && rq->method != METHOD_HEAD
	    && (pr = body_read(rq)) != PROB_NONE)
		return pr;
	return rq->missing != PROB_NONE ? rq->missing : r->handler(rq, rs);
}

void
route_dispatch(
    const struct route *routes, size_t n, const char *service, struct req *rq, struct resp *rs)
{
	const char *method = req_param(rq, "REQUEST_METHOD", NULL),
		   *path = req_param(rq, "REQUEST_PATH", NULL);
	enum prob pr;

	rq->method = method_of(method != NULL ? method : "");
	rq->path = path != NULL ? path : "";
	read_request_id(rq);
	if (strcmp(rq->path, "/readyz") == 0
	    && (rq->method == METHOD_GET || rq->method == METHOD_HEAD))
		pr = answer_ready(rq, rs, service);
	else
		pr = handle(routes, n, rq, rs, rq->allow, sizeof(rq->allow));
	if (pr != PROB_NONE) {
		resp_problem(rs, rq, pr, rq->detail, rq->request_id);
		if (pr == PROB_INTERNAL)
			log_line(LOG_ERROR, rq->request_id, "%s %s: internal error",
			    method_names[rq->method % METHOD_OTHER], rq->path);
	}
	json_object_put(rq->json);
	rq->json = NULL;
}

const char *
route_method_name(enum method m)
{
	return m < METHOD_OTHER ? method_names[m] : "";
}

void
route_print(const struct route *routes, size_t n, FILE *out)
{
	char path[80];
	size_t i;

	for (i = 0; i < n; i++) {
		route_template(&routes[i], path, sizeof(path));
		fprintf(out, "%s %s %s %s\n", method_names[routes[i].method], path,
		    routes[i].scope == SCOPE_ANY ? "ANY" : "RESTRICTED", routes[i].handler_name);
	}
}
