#include <string.h>

#include "etag.h"
#include "faults.h"
#include "hash.h"
#include "hex.h"
#include "wire.h"

#define IF_MATCH "HTTP_IF_MATCH"
#define IF_NONE_MATCH "HTTP_IF_NONE_MATCH"

void
etag_of(char out[ETAG_SIZE], const void *p, size_t len)
{
	uint8_t h[HASH_SIZE];

	hash_sha256(h, p, len);
	*out++ = '"';
	out = hex_text(out, h, (ETAG_SIZE - 3) / 2);
	*out++ = '"';
	*out = '\0';
}

/* The value of the header in this parameter, or NULL: it is another's. */
static const char *
value_of(const char *param, const char *header)
{
	size_t n = strlen(header);

	return strncmp(param, header, n) == 0 && param[n] == '=' ? param + n + 1 : NULL;
}

/* Length of the entity tag that s begins with, W/ included; 0: none. */
static size_t
tag_len(const char *s)
{
	const char *p = s + (strncmp(s, "W/", 2) == 0 ? 2 : 0);

	if (*p++ != '"')
		return 0;
	for (; *p != '"'; p++)
		if ((unsigned char)*p <= 0x20 || *p == 0x7f)
			return 0;
	return (size_t)(p + 1 - s);
}

/* Step over an element of a list; the next one, or NULL: this was none. */
static const char *
next_tag(const char *s)
{
	size_t n = tag_len(s);

	if (n == 0)
		return NULL;
	s += n + strspn(s + n, " \t");
	if (*s != ',' && *s != '\0')
		return NULL;
	return s + strspn(s, " \t,"); /* empty elements are allowed: RFC 9110, 5.6.1.2 */
}

static enum etag_list
form_of(const char *s)
{
	s += strspn(s, " \t,");
	if (*s == '*')
		return s[1 + strspn(s + 1, " \t")] == '\0' ? ETAG_ANY : ETAG_BROKEN;
	if (*s == '\0')
		return ETAG_BROKEN;
	while (s != NULL && *s != '\0')
		s = next_tag(s);
	return s != NULL ? ETAG_TAGS : ETAG_BROKEN;
}

enum etag_list
etag_list(const struct wire *w, const char *header)
{
	enum etag_list found = ETAG_NONE, one;
	const char *s;
	char **e;

	for (e = w->env; *e != NULL; e++) {
		if ((s = value_of(*e, header)) == NULL)
			continue;
		one = form_of(s);
		/* "*" stands alone */
		found = found == ETAG_NONE || (found == ETAG_TAGS && one == ETAG_TAGS)
			    ? one
			    : ETAG_BROKEN;
	}
	return found;
}

bool
etag_listed(const struct wire *w, const char *header, const char *tag, bool weak)
{
	size_t n = strlen(tag);
	const char *s;
	char **e;

	for (e = w->env; *e != NULL; e++) {
		if ((s = value_of(*e, header)) == NULL)
			continue;
		for (s += strspn(s, " \t,"); s != NULL && *s != '\0'; s = next_tag(s)) {
			const char *opaque = weak && strncmp(s, "W/", 2) == 0 ? s + 2 : s;

			if (*s == '*' || (strncmp(opaque, tag, n) == 0))
				return true;
		}
	}
	return false;
}

bool
etag_conditions_hold(const struct wire *w, const char *tag)
{
	if (etag_list(w, IF_MATCH) != ETAG_NONE
	    && (tag == NULL || !etag_listed(w, IF_MATCH, tag, false)))
		return false;
	return etag_list(w, IF_NONE_MATCH) == ETAG_NONE || tag == NULL
	       || !etag_listed(w, IF_NONE_MATCH, tag, true);
}

void
etag_check(struct wire *w, struct faults *faults)
{
	static const char *const headers[][2] = {
	    {IF_MATCH, "If-Match"}, {IF_NONE_MATCH, "If-None-Match"}};
	size_t i;

	for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		enum etag_list list = etag_list(w, headers[i][0]);

		if (list == ETAG_NONE)
			continue;
		if (w->method == METHOD_POST)
			faults_add(faults, FAULT_HEADER, headers[i][1],
			    "must not be sent with POST, which has no state");
		else if (list == ETAG_BROKEN)
			faults_add(faults, FAULT_HEADER, headers[i][1],
			    "must be \"*\" or a list of entity tags");
		else
			w->conditional = true;
	}
}
