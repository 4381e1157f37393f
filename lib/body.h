#ifndef LOYALTY_BODY_H
#define LOYALTY_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "problem.h"
#include "text.h"
#include "uuid.h"

struct json_object;
struct req;

#define BODY_MEMBERS_MAX 8

/*
 * An object of the body while its members are read.  Each is named once, where
 * it is read: that makes its JSON pointer, and what nobody has read at the end
 * is an unknown member.
 */
struct body {
	struct req *rq;
	struct json_object *in; /* NULL: no body came */
	const char *at;		/* its JSON pointer */
	bool optional;		/* the members that are read from here on may be missing */
	const char *known[BODY_MEMBERS_MAX];
	size_t n;
};

/* Look at Content-Type and Content-Encoding and read rq->wire.json, which the caller frees.
 * PROB_NONE, also where there is no body. */
enum prob body_read(struct req *rq);

/*
 * Begin with the body: PROB_NONE; PROB_MALFORMED_JSON where there is none
 * though one is required; PROB_VALIDATION where it is no object.  Of one that
 * is not required no member is, either.
 */
enum prob body_begin(struct body *b, struct req *rq, bool required);

/*
 * Read a member.  Its value to *out (true), or *out unchanged (false), and a
 * fault noted unless it is missing and may be.  Handlers read all, then ask
 * body_end, so that a client hears of everything at once.
 */
bool body_uuid(struct body *b, const char *name, struct uuid *out);
bool body_int(struct body *b, const char *name, int64_t min, int64_t max, int64_t *out);
/* UTF-8 text of 1 to 200 characters; *out lives as long as the body. */
void body_text(
    struct body *b, const char *name, enum text_kind kind, const char **out, size_t *len);
bool body_bool(struct body *b, const char *name, bool *out);
/* "USER" or "ADMIN"; *out lives as long as the body. */
void body_role(struct body *b, const char *name, const char **out);
/* {"id","name","role"}: only id is required; name and role are checked for form. */
void body_user(struct body *b, const char *name, struct uuid *out);

/* Note a fault of the member that was read last. */
void body_fault(struct body *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Note unknown members.  PROB_VALIDATION where the request has any fault, else PROB_NONE. */
enum prob body_end(struct body *b);

/* A body that may come, but has no members. */
enum prob body_none(struct req *rq);

/* A body with one member, reason: 1 to 200 characters, which live as long as the body. */
enum prob body_reason(struct req *rq, const char **out, size_t *len);

#endif
