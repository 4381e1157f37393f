#ifndef LOYALTY_SHAPE_H
#define LOYALTY_SHAPE_H

#include <stddef.h>

struct jsonw;

/* A value as the database gave it: text or bytes, not NUL-terminated. */
struct field {
	const char *s;
	size_t len;
};

/*
 * The canonical shapes of the contract, one writer each.  The fields come in
 * the procedures' order; an id may be 16 bytes or 32 hexadecimal digits.
 */
#define SHAPE_ROOM 4	     /* id, name, available, price */
#define SHAPE_USER 3	     /* id, name, role */
#define SHAPE_RESERVATION 12 /* id, status, points, room, user, created, updated */

void shape_room(struct jsonw *w, const struct field *f);
void shape_user(struct jsonw *w, const struct field *f);
void shape_reservation(struct jsonw *w, const struct field *f);

/* The 16 bytes of an id field to out; all zero where it is none. */
void shape_id(const struct field *f, unsigned char out[16]);

#endif
