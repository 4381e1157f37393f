#include <string.h>

#include "jsonw.h"
#include "shape.h"

static unsigned char
nibble(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned char)(c - '0');
	return (unsigned char)(((c | 0x20) - 'a' + 10) & 15);
}

void
shape_id(const struct field *f, unsigned char out[16])
{
	size_t i;

	memset(out, 0, 16);
	if (f->len == 16)
		memcpy(out, f->s, 16);
	else if (f->len == 32)
		for (i = 0; i < 16; i++)
			out[i] =
			    (unsigned char)(nibble(f->s[2 * i]) << 4 | nibble(f->s[2 * i + 1]));
}

static void
id(struct jsonw *w, const char *name, const struct field *f)
{
	unsigned char b[16];

	shape_id(f, b);
	jsonw_name(w, name);
	jsonw_uuid(w, b);
}

static void
text(struct jsonw *w, const char *name, const struct field *f)
{
	jsonw_name(w, name);
	jsonw_text(w, f->s, f->len);
}

static void
number(struct jsonw *w, const char *name, const struct field *f)
{
	jsonw_name(w, name);
	jsonw_digits(w, f->s, f->len);
}

void
shape_room(struct jsonw *w, const struct field *f)
{
	jsonw_object(w);
	id(w, "id", &f[0]);
	text(w, "name", &f[1]);
	number(w, "available_amount", &f[2]);
	number(w, "required_points", &f[3]);
	jsonw_close(w);
}

void
shape_user(struct jsonw *w, const struct field *f)
{
	jsonw_object(w);
	id(w, "id", &f[0]);
	text(w, "name", &f[1]);
	text(w, "role", &f[2]);
	jsonw_close(w);
}

void
shape_reservation(struct jsonw *w, const struct field *f)
{
	jsonw_object(w);
	id(w, "id", &f[0]);
	text(w, "status", &f[1]);
	number(w, "points", &f[2]);
	jsonw_name(w, "room");
	shape_room(w, &f[3]);
	jsonw_name(w, "user");
	shape_user(w, &f[7]);
	text(w, "created_at", &f[10]);
	text(w, "updated_at", &f[11]);
	jsonw_close(w);
}
