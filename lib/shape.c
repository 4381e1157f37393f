#include <string.h>

#include "jsonw.h"
#include "shape.h"

bool
shape_id(const struct field *f, unsigned char out[16])
{
	if (f->s == NULL || f->len != 16)
		return false;
	memcpy(out, f->s, 16);
	return true;
}

void
shape_member_id(struct jsonw *w, const char *name, const struct field *f)
{
	unsigned char b[16] = {0};

	w->broken = !shape_id(f, b) || w->broken;
	jsonw_name(w, name);
	jsonw_uuid(w, b);
}

void
shape_member_text(struct jsonw *w, const char *name, const struct field *f)
{
	jsonw_name(w, name);
	jsonw_text(w, f->s, f->len);
	w->broken = w->broken || f->s == NULL;
}

void
shape_member_time(struct jsonw *w, const char *name, const struct field *f)
{
	char t[] = "0000-00-00T00:00:00.000000Z";

	jsonw_name(w, name);
	if (f->s != NULL && f->len == sizeof(t) - 2 && f->s[10] == ' ') {
		memcpy(t, f->s, 10);
		memcpy(t + 11, f->s + 11, f->len - 11);
		jsonw_text(w, t, sizeof(t) - 1);
	} else {
		jsonw_text(w, f->s, f->len);
	}
	w->broken = w->broken || f->s == NULL;
}

void
shape_member_number(struct jsonw *w, const char *name, const struct field *f)
{
	jsonw_name(w, name);
	jsonw_digits(w, f->s, f->len); /* NULL has no digits: broken */
}

void
shape_member_bool(struct jsonw *w, const char *name, const struct field *f)
{
	jsonw_name(w, name);
	jsonw_bool(w, f->len == 1 && *f->s == '1');
	w->broken = w->broken || f->s == NULL;
}

static bool
is_null(struct jsonw *w, const char *name, const struct field *f)
{
	if (f->s != NULL)
		return false;
	jsonw_name(w, name);
	jsonw_null(w);
	return true;
}

void
shape_member_id_or_null(struct jsonw *w, const char *name, const struct field *f)
{
	if (!is_null(w, name, f))
		shape_member_id(w, name, f);
}

void
shape_member_text_or_null(struct jsonw *w, const char *name, const struct field *f)
{
	if (!is_null(w, name, f))
		shape_member_text(w, name, f);
}

void
shape_member_number_or_null(struct jsonw *w, const char *name, const struct field *f)
{
	if (!is_null(w, name, f))
		shape_member_number(w, name, f);
}

void
shape_member_time_or_null(struct jsonw *w, const char *name, const struct field *f)
{
	if (!is_null(w, name, f))
		shape_member_time(w, name, f);
}

void
shape_room(struct jsonw *w, const struct field *f)
{
	jsonw_object(w);
	shape_member_id(w, "id", &f[0]);
	shape_member_text(w, "name", &f[1]);
	shape_member_number(w, "available_amount", &f[2]);
	shape_member_number(w, "required_points", &f[3]);
	jsonw_close(w);
}

void
shape_user(struct jsonw *w, const struct field *f)
{
	jsonw_object(w);
	shape_member_id(w, "id", &f[0]);
	shape_member_text(w, "name", &f[1]);
	shape_member_text(w, "role", &f[2]);
	jsonw_close(w);
}

void
shape_reservation(struct jsonw *w, const struct field *f)
{
	jsonw_object(w);
	shape_member_id(w, "id", &f[0]);
	shape_member_text(w, "status", &f[1]);
	shape_member_number(w, "points", &f[2]);
	jsonw_name(w, "room");
	shape_room(w, &f[3]);
	jsonw_name(w, "user");
	shape_user(w, &f[7]);
	shape_member_time(w, "created_at", &f[10]);
	shape_member_time(w, "updated_at", &f[11]);
	jsonw_close(w);
}

void
shape_account(struct jsonw *w, const struct field *f)
{
	jsonw_object(w);
	jsonw_name(w, "user");
	shape_user(w, f);
	shape_member_number(w, "bonus_points", &f[SHAPE_USER]);
	jsonw_close(w);
}
