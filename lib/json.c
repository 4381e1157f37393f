#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "hex.h"
#include "json.h"
#include "text.h"

/*
 * The scanner checks the grammar and counts members; json-c then builds the
 * tree.  A duplicate name, however it was spelled, is one that json-c has
 * merged: the tree has fewer members than were counted.
 */
struct scan {
	const char *p, *end;
	const char *fault;
	size_t members;
	int depth;
};

static bool scan_value(struct scan *s);

static bool
fail(struct scan *s, const char *why)
{
	if (s->fault == NULL)
		s->fault = why;
	return false;
}

static void
skip_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

static bool
next_is(struct scan *s, char c)
{
	skip_space(s);
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

static bool
scan_hex4(struct scan *s, uint32_t *v)
{
	int i, digit;

	*v = 0;
	for (i = 0; i < 4; i++, s->p++) {
		if (s->p == s->end)
			return fail(s, "the text ends inside a string");
		if ((digit = hex_value(*s->p)) < 0)
			return fail(s, "\\u needs four hexadecimal digits");
		*v = *v << 4 | (uint32_t)digit;
	}
	return true;
}

static bool
scan_escape(struct scan *s)
{
	uint32_t hi, lo;

	if (s->p == s->end)
		return fail(s, "the text ends inside a string");
	if (*s->p != 'u') {
		if (strchr("\"\\/bfnrt", *s->p) == NULL || *s->p == '\0')
			return fail(s, "there is no such escape");
		s->p++;
		return true;
	}
	s->p++;
	if (!scan_hex4(s, &hi))
		return false;
	if (hi == 0)
		return fail(s, "NUL is not accepted");
	if (hi >= 0xdc00 && hi <= 0xdfff)
		return fail(s, "a surrogate stands alone");
	if (hi >= 0xd800 && hi <= 0xdbff) {
		if (s->end - s->p < 2 || s->p[0] != '\\' || s->p[1] != 'u')
			return fail(s, "a surrogate stands alone");
		s->p += 2;
		if (!scan_hex4(s, &lo))
			return false;
		if (lo < 0xdc00 || lo > 0xdfff)
			return fail(s, "a surrogate stands alone");
	}
	return true;
}

static bool
scan_string(struct scan *s)
{
	if (!next_is(s, '"'))
		return fail(s, "a string is expected");
	while (s->p < s->end && *s->p != '"') {
		uint32_t c;
		size_t n;

		if (*s->p == '\\') {
			s->p++;
			if (!scan_escape(s))
				return false;
			continue;
		}
		if ((unsigned char)*s->p < 0x20)
			return fail(s, "a control character stands in a string");
		if ((n = text_char(s->p, (size_t)(s->end - s->p), &c)) == 0)
			return fail(s, "the text is not UTF-8");
		s->p += n;
	}
	if (s->p == s->end)
		return fail(s, "the text ends inside a string");
	s->p++;
	return true;
}

static bool
scan_digits(struct scan *s)
{
	if (s->p == s->end || *s->p < '0' || *s->p > '9')
		return fail(s, "a number is ill-formed");
	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return true;
}

static bool
scan_number(struct scan *s)
{
	if (*s->p == '-')
		s->p++;
	if (s->p < s->end && *s->p == '0')
		s->p++;
	else if (!scan_digits(s))
		return false;
	if (s->p < s->end && *s->p == '.') {
		s->p++;
		if (!scan_digits(s))
			return false;
	}
	if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
		s->p++;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		return scan_digits(s);
	}
	return true;
}

static bool
scan_word(struct scan *s, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
		return fail(s, "a value is expected");
	s->p += n;
	return true;
}

static bool
scan_object(struct scan *s)
{
	if (next_is(s, '}'))
		return true;
	do {
		if (!scan_string(s))
			return false;
		s->members++;
		if (!next_is(s, ':'))
			return fail(s, "':' is expected after a name");
		if (!scan_value(s))
			return false;
	} while (next_is(s, ','));
	return next_is(s, '}') || fail(s, "',' or '}' is expected");
}

static bool
scan_array(struct scan *s)
{
	if (next_is(s, ']'))
		return true;
	do {
		if (!scan_value(s))
			return false;
	} while (next_is(s, ','));
	return next_is(s, ']') || fail(s, "',' or ']' is expected");
}

static bool
scan_value(struct scan *s)
{
	bool fine;

	skip_space(s);
	if (s->p == s->end)
		return fail(s, "the text ends where a value is expected");
	switch (*s->p) {
	case '{':
	case '[':
		if (s->depth == JSON_DEPTH)
			return fail(s, "the nesting is deeper than 16 levels");
		s->depth++;
		fine = *s->p++ == '{' ? scan_object(s) : scan_array(s);
		s->depth--;
		return fine;
	case '"':
		return scan_string(s);
	case 't':
		return scan_word(s, "true");
	case 'f':
		return scan_word(s, "false");
	case 'n':
		return scan_word(s, "null");
	case '-':
	case '0':
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
	case '7':
	case '8':
	case '9':
		return scan_number(s);
	default:
		return fail(s, "a value is expected");
	}
}

/* Members of all objects in the tree.  Its depth is known to be small. */
static size_t
count_members(struct json_object *o)
{
	size_t i, n = 0;

	if (json_object_is_type(o, json_type_array)) {
		for (i = 0; i < json_object_array_length(o); i++)
			n += count_members(json_object_array_get_idx(o, i));
	} else if (json_object_is_type(o, json_type_object)) {
		json_object_object_foreach(o, key, value)
		{
			(void)key;
			n += 1 + count_members(value);
		}
	}
	return n;
}

const char *
json_read(const char *text, size_t len, struct json_object **out)
{
	struct scan s = {.p = text, .end = text + len};
	struct json_tokener *tok;
	struct json_object *o;

	if (len == 0)
		return "the text is empty";
	if (!scan_value(&s))
		return s.fault;
	skip_space(&s);
	if (s.p != s.end)
		return "something follows the JSON text";
	if (len > INT32_MAX || (tok = json_tokener_new_ex(JSON_DEPTH + 1)) == NULL)
		return "out of memory";
	/* strict off: it refuses nothing that the scan let pass, but numbers
	 * such as -0 need no second opinion */
	o = json_tokener_parse_ex(tok, text, (int)len);
	if (json_tokener_get_error(tok) == json_tokener_continue)
		o = json_tokener_parse_ex(tok, "", -1); /* a bare number ends here */
	if (json_tokener_get_error(tok) != json_tokener_success) {
		const char *why = json_tokener_error_desc(json_tokener_get_error(tok));

		json_tokener_free(tok);
		json_object_put(o);
		return why;
	}
	json_tokener_free(tok);
	if (count_members(o) != s.members) {
		json_object_put(o);
		return "a name is given twice";
	}
	*out = o;
	return NULL;
}
