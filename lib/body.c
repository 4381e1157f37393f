#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "body.h"
#include "json.h"
#include "req.h"

/* ---- as it came ---- */

/* The name of a charset, quoted or not, of which a JSON text in UTF-8 may say that it is in. */
static bool
is_utf8(const char *s, size_t len)
{
	static const char *const names[] = {"utf-8", "utf8", "us-ascii"};
	size_t i;

	if (len >= 2 && s[0] == '"' && s[len - 1] == '"') {
		s++;
		len -= 2;
	}
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == len && strncasecmp(s, names[i], len) == 0)
			return true;
	return false;
}

/* The end of a parameter's value, a token or a quoted string (RFC 9110, 5.6.4); NULL: it has none.
 */
static const char *
value_end(const char *s)
{
	if (*s != '"')
		return s + strcspn(s, "; \t");
	for (s++; *s != '\0' && *s != '"'; s++)
		if (*s == '\\' && s[1] != '\0')
			s++;
	return *s == '"' ? s + 1 : NULL;
}

/* application/json, in UTF-8; what other parameters say is ignored (RFC 9110, 8.3). */
static bool
is_json(const char *type)
{
	static const char json[] = "application/json";
	const char *p, *name, *end;
	size_t n;

	if (type == NULL || strncasecmp(type, json, sizeof(json) - 1) != 0)
		return false;
	for (p = type + sizeof(json) - 1; *(p += strspn(p, " \t")) != '\0'; p = end) {
		if (*p++ != ';')
			return false;
		name = p += strspn(p, " \t");
		n = strcspn(p, "=; \t");
		end = p += n;
		if (*p == '=' && (end = value_end(p + 1)) == NULL)
			return false;
		if (n == 7 && strncasecmp(name, "charset", n) == 0
		    && (*p != '=' || !is_utf8(p + 1, (size_t)(end - p - 1))))
			return false;
	}
	return true;
}

enum prob
body_read(struct req *rq)
{
	const char *encoding = wire_param(&rq->wire, "HTTP_CONTENT_ENCODING", NULL), *why;

	if (rq->wire.body_len == 0)
		return PROB_NONE;
	if (!is_json(wire_param(&rq->wire, "CONTENT_TYPE", NULL))
	    || (encoding != NULL && *encoding != '\0' && strcasecmp(encoding, "identity") != 0))
		return PROB_UNSUPPORTED_MEDIA_TYPE;
	if ((why = json_read(rq->wire.body, rq->wire.body_len, &rq->wire.json)) != NULL) {
		snprintf(rq->faults.detail, sizeof(rq->faults.detail),
		    "The body is not valid JSON: %s.", why);
		return PROB_MALFORMED_JSON;
	}
	return PROB_NONE;
}

/* ---- its members ---- */

enum prob
body_begin(struct body *b, struct req *rq, bool required)
{
	*b = (struct body){.rq = rq, .in = rq->wire.json, .at = "", .optional = !required};
	if (rq->wire.body_len == 0) {
		if (!required)
			return PROB_NONE;
		snprintf(rq->faults.detail, sizeof(rq->faults.detail), "The body is empty.");
		return PROB_MALFORMED_JSON;
	}
	if (!json_object_is_type(rq->wire.json, json_type_object)) {
		faults_add(&rq->faults, FAULT_BODY, "", "must be an object");
		return PROB_VALIDATION;
	}
	return PROB_NONE;
}

void
body_fault(struct body *b, const char *fmt, ...)
{
	char at[80], detail[120];
	va_list ap;

	snprintf(at, sizeof(at), "%s/%s", b->at, b->known[b->n - 1]);
	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	faults_add(&b->rq->faults, FAULT_BODY, at, "%s", detail);
}

/* The member; NULL, with a fault noted, where it is of another type, or missing though it must not.
 */
static struct json_object *
member(struct body *b, const char *name, enum json_type type, const char *what)
{
	struct json_object *o;

	b->known[b->n++] = name;
	if (!json_object_object_get_ex(b->in, name, &o)) {
		if (!b->optional)
			body_fault(b, "is missing");
		return NULL;
	}
	if (json_object_is_type(o, type))
		return o;
	body_fault(b, "must be %s", what);
	return NULL;
}

bool
body_uuid(struct body *b, const char *name, struct uuid *out)
{
	struct json_object *o = member(b, name, json_type_string, "a string: a UUID");

	if (o == NULL)
		return false;
	if (uuid_parse(out, json_object_get_string(o), (size_t)json_object_get_string_len(o)))
		return true;
	body_fault(b, "must be a UUID");
	return false;
}

bool
body_int(struct body *b, const char *name, int64_t min, int64_t max, int64_t *out)
{
	struct json_object *o =
	    member(b, name, json_type_int, "an integer without fraction or exponent");
	int64_t v;

	if (o == NULL)
		return false;
	/* json-c clamps what does not fit, which is out of any range here */
	v = json_object_get_int64(o);
	if (v >= min && v <= max) {
		*out = v;
		return true;
	}
	body_fault(b, "must be from %lld to %lld", (long long)min, (long long)max);
	return false;
}

void
body_text(struct body *b, const char *name, enum text_kind kind, const char **out, size_t *len)
{
	struct json_object *o = member(b, name, json_type_string, "a string");
	const char *s, *why;
	size_t n;

	if (o == NULL)
		return;
	s = json_object_get_string(o);
	n = (size_t)json_object_get_string_len(o);
	if ((why = text_fault(kind, s, n, 200)) != NULL) {
		body_fault(b, "must %s", why);
	} else if (caller_tells_key(&b->rq->caller, s, n)) {
		body_fault(b, CALLER_TELLS_KEY);
	} else {
		*out = s;
		*len = n;
	}
}

bool
body_bool(struct body *b, const char *name, bool *out)
{
	struct json_object *o = member(b, name, json_type_boolean, "true or false");

	if (o != NULL)
		*out = json_object_get_boolean(o);
	return o != NULL;
}

void
body_role(struct body *b, const char *name, const char **out)
{
	static const char what[] = "\"USER\" or \"ADMIN\"";
	struct json_object *o = member(b, name, json_type_string, what);
	const char *s = json_object_get_string(o);

	if (o != NULL && strcmp(s, "USER") != 0 && strcmp(s, "ADMIN") != 0)
		body_fault(b, "must be %s", what);
	else if (o != NULL)
		*out = s;
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

/* Faults for members that were not asked for. */
static void
unknown_members(struct body *b)
{
	json_object_object_foreach(b->in, key, value)
	{
		char at[sizeof(b->rq->faults.list[0].at)];
		size_t i;

		(void)value;
		for (i = 0; i < b->n && strcmp(b->known[i], key) != 0; i++)
			;
		if (i < b->n)
			continue;
		if (member_pointer(at, sizeof(at), b->at, key))
			faults_add(&b->rq->faults, FAULT_BODY, at, "is not a known member");
		else
			faults_add(&b->rq->faults, FAULT_BODY, b->at,
			    "has an unknown member, with a name of %zu bytes", strlen(key));
	}
}

enum prob
body_end(struct body *b)
{
	if (b->in != NULL)
		unknown_members(b);
	return b->rq->faults.n > 0 ? PROB_VALIDATION : PROB_NONE;
}

enum prob
body_none(struct req *rq)
{
	struct body b;
	enum prob pr = body_begin(&b, rq, false);

	return pr == PROB_NONE ? body_end(&b) : pr;
}

void
body_user(struct body *b, const char *name, struct uuid *out)
{
	struct body user = {.rq = b->rq, .in = member(b, name, json_type_object, "an object")};
	const char *s;
	char at[80];
	size_t len;

	if (user.in == NULL)
		return;
	snprintf(at, sizeof(at), "%s/%s", b->at, name);
	user.at = at;
	body_uuid(&user, "id", out);
	user.optional = true;
	/* It is kept nowhere: an account of before names had to show may be sent as it is. */
	body_text(&user, "name", TEXT_PART, &s, &len);
	body_role(&user, "role", &s);
	unknown_members(&user);
}

enum prob
body_reason(struct req *rq, const char **out, size_t *len)
{
	struct body b;
	enum prob pr;

	if ((pr = body_begin(&b, rq, true)) != PROB_NONE)
		return pr;
	body_text(&b, "reason", TEXT_REASON, out, len);
	return body_end(&b);
}
