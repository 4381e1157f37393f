#ifndef LOYALTY_SHAPE_H
#define LOYALTY_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

struct jsonw;

/* A value as the database gave it: text or bytes, not NUL-terminated; s NULL for NULL. */
struct field {
	const char *s;
	size_t len;
};

/*
 * The canonical shapes of the contract, one writer each.  The fields come in
 * the procedures' order; an id is 16 bytes.
 */
#define SHAPE_ROOM 4 /* id, name, available amount, required points */
#define SHAPE_USER 3 /* id, name, role */
#define SHAPE_ACCOUNT 4
#define SHAPE_RESERVATION 12 /* id, status, points, room, user, created, updated */

void shape_room(struct jsonw *w, const struct field *f);
void shape_user(struct jsonw *w, const struct field *f);
void shape_reservation(struct jsonw *w, const struct field *f);
/* {"user":{user},"bonus_points"}: SHAPE_USER fields and the balance */
void shape_account(struct jsonw *w, const struct field *f);

/* One member: its name, and the field as a UUID, a string or an integer.  What is none of these is
 * a broken answer, NULL too but for the _or_null forms. */
void shape_member_id(struct jsonw *w, const char *name, const struct field *f);
void shape_member_text(struct jsonw *w, const char *name, const struct field *f);
/* A time: RFC 3339 as it is; as SQL writes a DATETIME(6), UTC, into RFC 3339. */
void shape_member_time(struct jsonw *w, const char *name, const struct field *f);
void shape_member_number(struct jsonw *w, const char *name, const struct field *f);
void shape_member_bool(struct jsonw *w, const char *name, const struct field *f);
void shape_member_id_or_null(struct jsonw *w, const char *name, const struct field *f);
void shape_member_text_or_null(struct jsonw *w, const char *name, const struct field *f);
void shape_member_time_or_null(struct jsonw *w, const char *name, const struct field *f);
void shape_member_number_or_null(struct jsonw *w, const char *name, const struct field *f);

/* The 16 bytes of an id field to out; false with out unchanged where it is none. */
bool shape_id(const struct field *f, unsigned char out[16]);

#endif
