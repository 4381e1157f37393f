#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail_text.h"
#include "shape.h"
#include "words.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define BODY_BYTES 900		   /* of a value in one line; RFC 5322 allows 998 for the whole */
void
mail_clean(struct buf *b, const char *s, enum text_kind kind)
{
	size_t len = strlen(s), n;
	uint32_t c;

	for (; len > 0; s += n, len -= n) {
		if ((n = text_char(s, len, &c)) == 0) {
			n = 1;
			buf_str(b, REPLACEMENT);
		} else if (c == '\n' && kind == TEXT_REASON) {
			buf_str(b, "\n");
		} else if (c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029) {
			buf_str(b, " ");
		} else if ((c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069)) {
			buf_str(b, REPLACEMENT);
		} else {
			buf_add(b, s, n);
		}
	}
}

/* Characters of sound UTF-8. */
static size_t
width(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

/* A label and its colon, and blanks up to the column of the values, which is that of the longest.
 */
static void
pad(struct buf *b, const char *label)
{
	size_t column = 0, n = 0;
	int w;

	for (w = WORD_LABEL_FIRST; w <= WORD_LABEL_LAST; w++)
		if (width(words_text((enum word)w)) + 2 > column)
			column = width(words_text((enum word)w)) + 2;
	if (label != NULL) {
		buf_str(b, label);
		buf_str(b, ":");
		n = width(label) + 1;
	}
	for (; n < column; n++)
		buf_str(b, " ");
}

/*
 * "Label:   value", further lines of the value below it.  What would be too
 * long a line is broken between characters.
 */
static void
body_text(struct buf *b, enum word label, const char *value, enum text_kind kind)
{
	struct buf v = {0};
	size_t bytes = 0, i, n = 0;
	uint32_t c;

	pad(b, words_text(label));
	mail_clean(&v, value, kind);
	for (i = 0; i < v.len && (n = text_char(v.p + i, v.len - i, &c)) > 0; i += n) {
		if (c == '\n' || bytes + n > BODY_BYTES) {
			buf_str(b, "\r\n");
			pad(b, NULL);
			bytes = 0;
		}
		if (c == '\n')
			continue;
		buf_add(b, v.p + i, n);
		bytes += n;
	}
	buf_str(b, "\r\n");
	b->failed |= v.failed;
	buf_free(&v);
}

static void
body_line(struct buf *b, enum word label, const char *value)
{
	body_text(b, label, value, TEXT_NAME);
}

/* The same of a value in the making, which is let go. */
static void
body_value(struct buf *b, enum word label, struct buf *value)
{
	buf_add(value, "", 1);
	if (!value->failed)
		body_line(b, label, value->p);
	b->failed |= value->failed;
	buf_free(value);
}

static void
body_words(struct buf *b, enum word label, enum word w, const struct word_value *values)
{
	struct buf v = {0};

	words_put(&v, w, values);
	body_value(b, label, &v);
}

static void
body_points(struct buf *b, enum word label, int64_t n)
{
	char s[DIGITS_SIZE];

	digits_of(s, n);
	body_words(b, label, WORD_VALUE_POINTS, (struct word_value[]){{"n", s}, {0}});
}

/* What people call a code of the API, and the code. */
static void
body_coded(struct buf *b, enum word label, enum word w, const char *code)
{
	body_words(b, label, WORD_VALUE_CODED,
	    (struct word_value[]){{"word", words_text(w)}, {"code", code}, {0}});
}

static void
body_status(struct buf *b, enum word label, const char *code)
{
	static const struct {
		const char *code;
		enum word w;
	} statuses[] = {{"PENDING_APPROVAL", WORD_STATUS_PENDING_APPROVAL},
	    {"RESERVED", WORD_STATUS_RESERVED}, {"RELEASED", WORD_STATUS_RELEASED},
	    {"CANCELLED", WORD_STATUS_CANCELLED}, {"REJECTED", WORD_STATUS_REJECTED}};
	size_t i;

	if (code == NULL) {
		body_line(b, label, words_text(WORD_STATUS_NONE));
		return;
	}
	for (i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (strcmp(statuses[i].code, code) == 0) {
			body_coded(b, label, statuses[i].w, code);
			return;
		}
	body_line(b, label, code);
}

static void
body_actor(struct buf *b, const char *actor)
{
	if (strcmp(actor, "public") == 0)
		body_coded(b, WORD_LABEL_ACTOR, WORD_ACTOR_PUBLIC, actor);
	else if (strcmp(actor, "restricted") == 0)
		body_coded(b, WORD_LABEL_ACTOR, WORD_ACTOR_RESTRICTED, actor);
	else
		body_line(b, WORD_LABEL_ACTOR, actor);
}

/* What a change of status means: what a list of mails shows behind the subject. */
static enum word
sentence_of(const char *from, const char *to)
{
	static const struct {
		const char *from, *to;
		enum word w;
	} said[] = {
	    {"", "RESERVED", WORD_EVENT_RESERVED},
	    {"", "PENDING_APPROVAL", WORD_EVENT_REQUESTED},
	    {"PENDING_APPROVAL", "RESERVED", WORD_EVENT_APPROVED},
	    {"PENDING_APPROVAL", "REJECTED", WORD_EVENT_REJECTED},
	    {"PENDING_APPROVAL", "CANCELLED", WORD_EVENT_REQUEST_CANCELLED},
	    {"RESERVED", "CANCELLED", WORD_EVENT_CANCELLED},
	    {"RESERVED", "RELEASED", WORD_EVENT_RELEASED},
	};
	size_t i;

	for (i = 0; i < sizeof(said) / sizeof(said[0]); i++)
		if (strcmp(said[i].from, from) == 0 && strcmp(said[i].to, to) == 0)
			return said[i].w;
	return WORD_EVENT_OTHER;
}

/* What was done to a room. */
static void
put_change(struct buf *b, const struct mail_row *r)
{
	char from[DIGITS_SIZE], to[DIGITS_SIZE];

	if (r->from_total == MAIL_NULL) {
		buf_str(b, words_text(WORD_CHANGE_MADE));
		return;
	}
	if (r->from_archived != r->to_archived)
		buf_str(b,
		    words_text(r->to_archived != 0 ? WORD_CHANGE_ARCHIVED : WORD_CHANGE_RESTORED));
	if (r->from_total == r->to_total)
		return;
	if (r->from_archived != r->to_archived)
		buf_str(b, ", ");
	digits_of(from, r->from_total);
	digits_of(to, r->to_total);
	words_put(b, WORD_CHANGE_TOTAL, (struct word_value[]){{"from", from}, {"to", to}, {0}});
}

void
mail_subject(struct buf *b, const struct mail_row *r)
{
	struct buf change = {0};

	if (r->event == NULL || strcmp(r->event, "room") != 0) {
		words_put(b, WORD_SUBJECT_RESERVATION,
		    (struct word_value[]){
			{"room", r->subject_room != NULL ? r->subject_room : r->room_name},
			{"guest", r->subject_user != NULL ? r->subject_user : r->user_name}, {0}});
		return;
	}
	put_change(&change, r);
	buf_add(&change, "", 1);
	if (!change.failed)
		words_put(b, WORD_SUBJECT_ROOM,
		    (struct word_value[]){{"room", r->room_name}, {"change", change.p}, {0}});
	b->failed |= change.failed;
	buf_free(&change);
}

void
mail_text(struct buf *b, const struct mail_row *r)
{
	bool reservation = r->reservation_id != NULL;
	char available[DIGITS_SIZE], total[DIGITS_SIZE];
	struct buf change = {0};

	buf_str(b, words_text(reservation ? sentence_of(
				  r->from_status == NULL ? "" : r->from_status, r->to_status)
					  : WORD_EVENT_ROOM));
	buf_str(b, "\r\n\r\n");
	digits_of(available, r->room_available);
	digits_of(total, r->room_total);
	body_line(b, WORD_LABEL_ROOM, r->room_name);
	body_words(b, WORD_LABEL_AVAILABLE,
	    r->room_archived != 0 ? WORD_VALUE_AVAILABLE_ARCHIVED : WORD_VALUE_AVAILABLE,
	    (struct word_value[]){{"available", available}, {"total", total}, {0}});
	body_points(b, WORD_LABEL_PRICE, r->room_points);
	if (reservation) {
		body_line(b, WORD_LABEL_GUEST, r->user_name);
		body_points(b, WORD_LABEL_BALANCE, r->user_points);
		body_status(b, WORD_LABEL_FROM, r->from_status);
		body_status(b, WORD_LABEL_TO, r->to_status);
		body_points(b, WORD_LABEL_POINTS, r->points);
		if (r->reason != NULL && *r->reason != '\0')
			body_text(b, WORD_LABEL_REASON, r->reason, TEXT_REASON);
	} else {
		put_change(&change, r);
		body_value(b, WORD_LABEL_CHANGE, &change);
	}
	buf_str(b, "\r\n");
	if (reservation) {
		body_line(b, WORD_LABEL_RESERVATION_ID, r->reservation_id);
		body_line(b, WORD_LABEL_USER_ID, r->user_id);
	}
	body_line(b, WORD_LABEL_ROOM_ID, r->room_id);
	body_line(b, WORD_LABEL_TIME, r->created_at);
	body_actor(b, r->actor);
	body_line(b, WORD_LABEL_REQUEST_ID, r->request_id);
}

/* Ids stand in headers as they are. */
static bool
id_ok(const char *s)
{
	return s != NULL && strlen(s) == 36 && strspn(s, "0123456789abcdef-") == 36;
}

const char *
mail_row_fault(const struct mail_row *r)
{
	if (r->event == NULL
	    || (strcmp(r->event, "room") != 0 && strcmp(r->event, "reservation") != 0))
		return "event is neither reservation nor room";
	if ((r->reservation_id != NULL) != (strcmp(r->event, "reservation") == 0))
		return "event and reservation_id don't agree";
	if (r->room_name == NULL || !id_ok(r->room_id) || r->room_total == MAIL_NULL
	    || r->room_available == MAIL_NULL || r->room_points == MAIL_NULL
	    || r->room_archived == MAIL_NULL)
		return "the room is missing";
	if (r->actor == NULL || r->request_id == NULL || r->created_at == NULL)
		return "actor, request_id or created_at is missing";
	if (r->reservation_id == NULL)
		return NULL;
	if (!id_ok(r->reservation_id))
		return "reservation_id is no UUID";
	if (r->user_name == NULL || !id_ok(r->user_id) || r->user_points == MAIL_NULL)
		return "the user is missing";
	if (r->to_status == NULL || r->points == MAIL_NULL)
		return "to_status or points is missing";
	return NULL;
}

/* ---- from the database ---- */

static const char *
id_of(const struct field *f, char out[UUID_TEXT + 1])
{
	unsigned char id[16];

	if (!shape_id(f, id))
		return NULL;
	uuid_text(out, id);
	out[UUID_TEXT] = '\0';
	return out;
}

static int64_t
number_of(const struct field *f)
{
	return f->s == NULL ? MAIL_NULL : strtoll(f->s, NULL, 10);
}

void
mail_row_read(struct mail_row *row, struct mail_ids *ids, const struct field *f)
{
	*row = (struct mail_row){
	    .id = number_of(&f[0]),
	    .event = f[1].s,
	    .reservation_id = id_of(&f[2], ids->reservation),
	    .room_id = id_of(&f[3], ids->room),
	    .room_name = f[4].s,
	    .room_total = number_of(&f[5]),
	    .room_available = number_of(&f[6]),
	    .room_points = number_of(&f[7]),
	    .room_archived = number_of(&f[8]),
	    .user_id = id_of(&f[9], ids->user),
	    .user_name = f[10].s,
	    .user_points = number_of(&f[11]),
	    .from_status = f[12].s,
	    .to_status = f[13].s,
	    .points = number_of(&f[14]),
	    .reason = f[15].s,
	    .from_total = number_of(&f[16]),
	    .to_total = number_of(&f[17]),
	    .from_archived = number_of(&f[18]),
	    .to_archived = number_of(&f[19]),
	    .actor = f[20].s,
	    .request_id = f[21].s,
	    .created_at = f[22].s,
	};
}

void
mail_subject_read(struct mail_row *row, const char *event, const struct field *f)
{
	*row = (struct mail_row){
	    .event = event,
	    .room_name = f[0].s,
	    .user_name = f[1].s,
	    .from_total = number_of(&f[2]),
	    .to_total = number_of(&f[3]),
	    .from_archived = number_of(&f[4]),
	    .to_archived = number_of(&f[5]),
	};
}
