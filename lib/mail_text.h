#ifndef LOYALTY_MAIL_TEXT_H
#define LOYALTY_MAIL_TEXT_H

#include <stdint.h>

#include "buf.h"
#include "text.h"
#include "uuid.h"

struct field;

/*
 * What a mail says: the notifier sends it, staff read it.  A pure function of a
 * row and of words_language; addresses and headers are the notifier's.
 */

/* A number that is NULL in the row. */
#define MAIL_NULL INT64_MIN

/*
 * A claimed row: the change as it was, room_total to room_archived and
 * user_points as they are now.  Text is UTF-8 or NULL; nothing is trusted: what is broken
 * becomes U+FFFD, what could end a line becomes a blank.
 */
struct mail_row {
	int64_t id;
	const char *event;				/* "reservation" or "room" */
	const char *reservation_id, *room_id, *user_id; /* canonical text */
	const char *room_name;
	int64_t room_total, room_available, room_points, room_archived;
	const char *user_name;
	int64_t user_points;
	const char *from_status; /* NULL at the creation */
	const char *to_status;
	int64_t points;
	const char *reason; /* may be NULL; may hold line feeds */
	/* What was done to a room; from_total MAIL_NULL: it was made. */
	int64_t from_total, to_total, from_archived, to_archived;
	const char *actor, *request_id;
	const char *created_at; /* 2026-11-23T21:07:00.123456Z */
	/* Names when the reservation was made, for the subject; NULL: those above. */
	const char *subject_room, *subject_user;
};

/* The canonical text of a row's ids. */
struct mail_ids {
	char reservation[UUID_TEXT + 1], room[UUID_TEXT + 1], user[UUID_TEXT + 1];
};

#define MAIL_ROW 23

/* The row from MAIL_ROW columns, in the order of procs/outbox_claim.sql.  It points into f and ids.
 */
void mail_row_read(struct mail_row *row, struct mail_ids *ids, const struct field *f);

/* What keeps the row from being a mail, a constant text, or NULL: it can be one. */
const char *mail_row_fault(const struct mail_row *row);

/* Append the body of a row without a fault: UTF-8, CRLF, no line over 998 bytes (RFC 5322, 2.1.1).
 */
void mail_text(struct buf *b, const struct mail_row *row);

/* Append the subject, the same for all mails of a reservation.  Not clean. */
void mail_subject(struct buf *b, const struct mail_row *row);

/* What the subject is made of, and no more: the event, and what the lists of mails end with: the
 * names of room and guest, the room's total before and after, whether it was archived. */
#define MAIL_SUBJECT 6
void mail_subject_read(struct mail_row *row, const char *event, const struct field *f);

/*
 * Append s as sound UTF-8 in which nothing ends a line or turns the reading
 * direction; a reason keeps its line feeds.
 */
void mail_clean(struct buf *b, const char *s, enum text_kind kind);

#endif
