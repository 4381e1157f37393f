#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "jsonw.h"
#include "uuid.h"

#define DEPTH 16

struct jsonw
jsonw_begin(struct buf *b)
{
	return (struct jsonw){.b = b};
}

bool
jsonw_end(const struct jsonw *w)
{
	return w->done && !w->broken && !w->b->failed;
}

static bool
in_array(const struct jsonw *w)
{
	return (w->arrays >> w->depth & 1) != 0;
}

/* May a value stand here?  Writes the comma that is due before it. */
static bool
value(struct jsonw *w)
{
	if (w->done || (w->depth > 0 && !in_array(w) && !w->named))
		w->broken = true;
	if (w->broken)
		return false;
	if (w->more && !w->named)
		buf_add(w->b, ",", 1);
	w->named = false;
	w->more = true;
	w->done = w->depth == 0;
	return true;
}

static void
open(struct jsonw *w, const char *bracket, unsigned array)
{
	if (w->depth == DEPTH)
		w->broken = true;
	if (!value(w))
		return;
	buf_add(w->b, bracket, 1);
	w->depth++;
	w->arrays = (w->arrays & ~(1U << w->depth)) | array << w->depth;
	w->more = w->done = false;
}

void
jsonw_object(struct jsonw *w)
{
	open(w, "{", 0);
}

void
jsonw_array(struct jsonw *w)
{
	open(w, "[", 1);
}

void
jsonw_close(struct jsonw *w)
{
	if (w->depth == 0 || w->named)
		w->broken = true;
	if (w->broken)
		return;
	buf_add(w->b, in_array(w) ? "]" : "}", 1);
	w->depth--;
	w->more = true;
	w->done = w->depth == 0;
}

void
jsonw_name(struct jsonw *w, const char *name)
{
	if (w->depth == 0 || in_array(w) || w->named)
		w->broken = true;
	if (w->broken)
		return;
	buf_str(w->b, w->more ? ",\"" : "\"");
	buf_str(w->b, name);
	buf_add(w->b, "\":", 2);
	w->named = true;
}

void
jsonw_text(struct jsonw *w, const char *s, size_t n)
{
	size_t i, from = 0;

	if (!value(w))
		return;
	buf_add(w->b, "\"", 1);
	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];
		char esc[8];

		if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
			continue;
		buf_add(w->b, s + from, i - from);
		from = i + 1;
		if (c == '"' || c == '\\')
			snprintf(esc, sizeof(esc), "\\%c", c);
		else if (c == '\n')
			snprintf(esc, sizeof(esc), "\\n");
		else
			snprintf(esc, sizeof(esc), "\\u%04x", c);
		buf_str(w->b, esc);
	}
	buf_add(w->b, s + from, n - from);
	buf_add(w->b, "\"", 1);
}

void
jsonw_str(struct jsonw *w, const char *s)
{
	jsonw_text(w, s, strlen(s));
}

void
jsonw_uuid(struct jsonw *w, const unsigned char id[16])
{
	char s[UUID_TEXT + 2];

	if (!value(w))
		return;
	s[0] = s[UUID_TEXT + 1] = '"';
	uuid_text(s + 1, id);
	buf_add(w->b, s, sizeof(s));
}

void
jsonw_int(struct jsonw *w, long long n)
{
	if (value(w))
		buf_int(w->b, n);
}

void
jsonw_bool(struct jsonw *w, bool v)
{
	if (value(w))
		buf_str(w->b, v ? "true" : "false");
}

void
jsonw_null(struct jsonw *w)
{
	if (value(w))
		buf_str(w->b, "null");
}

void
jsonw_digits(struct jsonw *w, const char *s, size_t n)
{
	size_t i = n > 0 && s[0] == '-';

	if (i == n || (s[i] == '0' && n > i + 1))
		w->broken = true;
	for (; i < n; i++)
		if (s[i] < '0' || s[i] > '9')
			w->broken = true;
	if (value(w))
		buf_add(w->b, s, n);
}
