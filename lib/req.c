#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "db.h"
#include "req.h"
#include "text.h"

#define API_KEY_MIN 16 /* as nginx/keys has it */

const char *
req_param(const struct req *rq, const char *name, int *count)
{
	size_t n = strlen(name);
	const char *found = NULL;
	char **e;
	int seen = 0;

	for (e = rq->env; *e != NULL; e++) {
		if (strncmp(*e, name, n) != 0 || (*e)[n] != '=')
			continue;
		if (seen++ == 0)
			found = *e + n + 1;
		if (count == NULL)
			break;
	}
	if (count != NULL)
		*count = seen;
	return found;
}

const char *
req_query(const struct req *rq, const char *name, size_t *len)
{
	size_t i;

	for (i = 0; i < rq->nquery; i++) {
		if (strcmp(rq->query[i].name, name) != 0)
			continue;
		if (len != NULL)
			*len = rq->query[i].len;
		return rq->query[i].value;
	}
	return NULL;
}

static void
note(struct req *rq, enum fault_in in, const char *at, const char *fmt, va_list ap)
{
	struct fault *f;

	if (rq->nfaults == REQ_FAULTS_MAX)
		return;
	f = &rq->faults[rq->nfaults++];
	f->in = in;
	snprintf(f->at, sizeof(f->at), "%s", at);
	vsnprintf(f->detail, sizeof(f->detail), fmt, ap);
}

void
req_fault(struct req *rq, const char *pointer, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(rq, FAULT_BODY, pointer, fmt, ap);
	va_end(ap);
}

void
req_fault_query(struct req *rq, const char *name, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(rq, FAULT_QUERY, name, fmt, ap);
	va_end(ap);
}

void
req_fault_header(struct req *rq, const char *name, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(rq, FAULT_HEADER, name, fmt, ap);
	va_end(ap);
}

bool
req_tells_key(const struct req *rq, const char *s, size_t len)
{
	return rq->api_key_len >= API_KEY_MIN
	       && memmem(s, len, rq->api_key, rq->api_key_len) != NULL;
}

/* The member; NULL, with a fault noted, where it is missing or of another type. */
static struct json_object *
member(struct req *rq, struct json_object *in, const char *name, const char *pointer,
    enum json_type type, const char *what)
{
	struct json_object *o;

	if (!json_object_object_get_ex(in, name, &o)) {
		req_fault(rq, pointer, "is missing");
		return NULL;
	}
	if (!json_object_is_type(o, type)) {
		req_fault(rq, pointer, "must be %s", what);
		return NULL;
	}
	return o;
}

void
req_json_uuid(
    struct req *rq, struct json_object *in, const char *name, const char *pointer, struct uuid *out)
{
	struct json_object *o = member(rq, in, name, pointer, json_type_string, "a string: a UUID");

	if (o != NULL
	    && !uuid_parse(out, json_object_get_string(o), (size_t)json_object_get_string_len(o)))
		req_fault(rq, pointer, "must be a UUID");
}

void
req_json_int(struct req *rq, struct json_object *in, const char *name, const char *pointer,
    int64_t min, int64_t max, int64_t *out)
{
	struct json_object *o =
	    member(rq, in, name, pointer, json_type_int, "an integer without fraction or exponent");
	int64_t v;

	if (o == NULL)
		return;
	v = json_object_get_int64(
	    o); /* json-c clamps what does not fit, which is out of any range here */
	if (v < min || v > max)
		req_fault(rq, pointer, "must be from %lld to %lld", (long long)min, (long long)max);
	else
		*out = v;
}

void
req_json_text(struct req *rq, struct json_object *in, const char *name, const char *pointer,
    int kind, const char **out, size_t *len)
{
	struct json_object *o = member(rq, in, name, pointer, json_type_string, "a string");
	const char *s, *why;
	size_t n;

	if (o == NULL)
		return;
	s = json_object_get_string(o);
	n = (size_t)json_object_get_string_len(o);
	if ((why = text_fault((enum text_kind)kind, s, n, 200)) != NULL) {
		req_fault(rq, pointer, "must %s", why);
		return;
	}
	if (req_tells_key(rq, s, n)) {
		req_fault(rq, pointer, REQ_TELLS_KEY);
		return;
	}
	*out = s;
	*len = n;
}

void
req_json_bool(
    struct req *rq, struct json_object *in, const char *name, const char *pointer, bool *out)
{
	struct json_object *o = member(rq, in, name, pointer, json_type_boolean, "true or false");

	if (o != NULL)
		*out = json_object_get_boolean(o);
}

bool
req_json_has(struct json_object *in, const char *name)
{
	return json_object_object_get_ex(in, name, NULL);
}

void
req_json_role(
    struct req *rq, struct json_object *in, const char *name, const char *pointer, const char **out)
{
	static const char what[] = "\"USER\" or \"ADMIN\"";
	struct json_object *o = member(rq, in, name, pointer, json_type_string, what);
	const char *s;

	if (o == NULL)
		return;
	s = json_object_get_string(o);
	if (strcmp(s, "USER") == 0 || strcmp(s, "ADMIN") == 0)
		*out = s;
	else
		req_fault(rq, pointer, "must be %s", what);
}

void
req_json_user(struct req *rq, struct json_object *in, struct uuid *out)
{
	static const char *const names[] = {"id", "name", "role", NULL};
	struct json_object *user = member(rq, in, "user", "/user", json_type_object, "an object");
	const char *s;
	size_t len;

	if (user == NULL)
		return;
	req_json_uuid(rq, user, "id", "/user/id", out);
	if (req_json_has(user, "name"))
		/* It is kept nowhere: an account of before names had to show may be sent as it is.
		 */
		req_json_text(rq, user, "name", "/user/name", TEXT_PART, &s, &len);
	if (req_json_has(user, "role"))
		req_json_role(rq, user, "role", "/user/role", &s);
	req_json_only(rq, user, "/user", names);
}

/* pointer + "/" + name, with ~ and / of the name escaped (RFC 6901, 3).  false: it does not fit. */
static bool
member_pointer(char *out, size_t size, const char *pointer, const char *name)
{
	size_t n = (size_t)snprintf(out, size, "%s/", pointer), clen;
	uint32_t c;

	for (; *name != '\0' && n + 5 < size; name += clen) {
		if ((clen = text_char(name, strlen(name), &c)) == 0)
			break;
		if (c == '~' || c == '/') {
			out[n++] = '~';
			out[n++] = c == '~' ? '0' : '1';
		} else {
			memcpy(out + n, name, clen);
			n += clen;
		}
	}
	out[n] = '\0';
	return *name == '\0';
}

void
req_json_only(struct req *rq, struct json_object *in, const char *pointer, const char *const *names)
{
	json_object_object_foreach(in, key, value)
	{
		char at[sizeof(rq->faults[0].at)];
		size_t i;

		(void)value;
		for (i = 0; names[i] != NULL && strcmp(names[i], key) != 0; i++)
			;
		if (names[i] != NULL)
			continue;
		if (member_pointer(at, sizeof(at), pointer, key))
			req_fault(rq, at, "is not a known member");
		else
			req_fault(rq, pointer, "has an unknown member, with a name of %zu bytes",
			    strlen(key));
	}
}

enum prob
req_json_object(struct req *rq, bool required, struct json_object **out)
{
	*out = NULL;
	if (rq->body_len == 0) {
		if (!required)
			return PROB_NONE;
		snprintf(rq->detail, sizeof(rq->detail), "The body is empty.");
		return PROB_MALFORMED_JSON;
	}
	if (!json_object_is_type(rq->json, json_type_object)) {
		req_fault(rq, "", "must be an object");
		return PROB_VALIDATION;
	}
	*out = rq->json;
	return PROB_NONE;
}

void
req_call(struct req *rq, const char *procedure)
{
	db_call(rq->db, procedure);
	db_utf8(rq->db, rq->actor, strlen(rq->actor));
	db_utf8(rq->db, rq->request_id, strlen(rq->request_id));
	if (rq->keyed) {
		db_bytes(rq->db, rq->key, HASH_SIZE);
		db_bytes(rq->db, rq->body_hash, HASH_SIZE);
	} else {
		db_null(rq->db);
		db_null(rq->db);
	}
}
