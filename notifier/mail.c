#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mail.h"
#include "text.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define BODY_BYTES 900		   /* of a value in one line; RFC 5322 allows 998 for the whole */
#define HEADER_COLUMNS 76	   /* of a line with encoded words; RFC 2047, 2 */
#define QP_COLUMNS 76
#define LABEL_COLUMNS 15
#define ATEXT "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~"
#define WORD_OPEN "=?UTF-8?Q?"
#define WORD_CLOSE "?="

/* For short texts of our own making and checked addresses; values go through put_clean. */
__attribute__((format(printf, 2, 3))) static void
put(struct buf *b, const char *fmt, ...)
{
	char s[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(s, sizeof(s), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(s))
		b->failed = true;
	else
		buf_add(b, s, (size_t)n);
}

/*
 * Append s as sound UTF-8 in which nothing ends a line or turns the reading
 * direction; a reason keeps its line feeds.
 */
static void
put_clean(struct buf *b, const char *s, enum text_kind kind)
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

/* Whether a clean value can stand in a header line as it is. */
static bool
header_plain(const struct buf *v, size_t column)
{
	size_t i;

	if (v->len == 0 || column + v->len > HEADER_COLUMNS || v->p[0] == ' '
	    || v->p[v->len - 1] == ' ' || memmem(v->p, v->len, "=?", 2) != NULL)
		return false;
	for (i = 0; i < v->len; i++)
		if ((unsigned char)v->p[i] > 0x7e)
			return false;
	return true;
}

/* What stands for itself in an encoded word of text, and of a phrase (RFC 2047, 5). */
static bool
text_plain(uint32_t c)
{
	return c >= 0x20 && c < 0x7f && c != '=' && c != '?' && c != '_';
}

static bool
phrase_plain(uint32_t c)
{
	return c < 0x7f && c >= 0x20
	       && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!*+-/ ",
		      (int)c)
		      != NULL;
}

/*
 * A clean value as encoded words (RFC 2047) of at most 75 characters, each of
 * whole characters.
 */
static void
put_words(struct buf *b, const struct buf *v, size_t column, bool (*plain)(uint32_t))
{
	size_t cost, i, k, n = 0;
	uint32_t c;

	buf_str(b, WORD_OPEN);
	column += strlen(WORD_OPEN);
	for (i = 0; i < v->len && (n = text_char(v->p + i, v->len - i, &c)) > 0; i += n) {
		cost = plain(c) ? 1 : 3 * n;
		if (column + cost + strlen(WORD_CLOSE) > HEADER_COLUMNS) {
			buf_str(b, WORD_CLOSE "\r\n " WORD_OPEN);
			column = 1 + strlen(WORD_OPEN);
		}
		column += cost;
		for (k = i; cost > 1 && k < i + n; k++)
			put(b, "=%02X", (unsigned char)v->p[k]);
		if (cost == 1)
			buf_str(b, c == ' ' ? "_" : (char[]){(char)c, '\0'});
	}
	buf_str(b, WORD_CLOSE);
}

/* An unstructured header: as it is where it is short plain ASCII, else encoded words. */
static void
header_text(struct buf *b, const char *name, const char *value)
{
	size_t column = strlen(name) + 2;
	struct buf v = {0};

	put(b, "%s: ", name);
	put_clean(&v, value, TEXT_NAME);
	if (header_plain(&v, column))
		buf_add(b, v.p, v.len);
	else
		put_words(b, &v, column, text_plain);
	buf_str(b, "\r\n");
	b->failed |= v.failed;
	buf_free(&v);
}

/* The words of a name that need no quotes (RFC 5322, 3.2.3), one blank between them. */
static bool
is_atoms(const struct buf *v)
{
	size_t i;

	for (i = 0; i < v->len; i++)
		if (v->p[i] == ' ' ? v->p[i + 1] == ' ' : strchr(ATEXT, v->p[i]) == NULL)
			return false;
	return true;
}

/* An address in a header, at that column; a name in front of it as atoms, as a
 * quoted string, or as encoded words, which end their line. */
static void
put_mailbox(struct buf *b, size_t column, const char *name, const char *mailbox)
{
	struct buf v = {0};
	size_t i;

	if (name == NULL || *name == '\0') {
		put(b, "%s", mailbox);
		return;
	}
	put_clean(&v, name, TEXT_NAME);
	if (!header_plain(&v, column + 2)) {
		put_words(b, &v, column, phrase_plain);
		put(b, "\r\n <%s>", mailbox);
	} else if (is_atoms(&v)) {
		buf_add(b, v.p, v.len);
		put(b, " <%s>", mailbox);
	} else {
		buf_str(b, "\"");
		for (i = 0; i < v.len; i++) {
			if (v.p[i] == '"' || v.p[i] == '\\')
				buf_str(b, "\\");
			buf_add(b, v.p + i, 1);
		}
		put(b, "\" <%s>", mailbox);
	}
	b->failed |= v.failed;
	buf_free(&v);
}

/* RFC 5322, 3.3, in English whatever the locale. */
static void
header_date(struct buf *b, const struct tm *tm)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	put(b, "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d +0000\r\n", days + 3 * tm->tm_wday,
	    tm->tm_mday, months + 3 * tm->tm_mon, tm->tm_year + 1900, tm->tm_hour, tm->tm_min,
	    tm->tm_sec);
}

/*
 * The Message-ID of a reservation's first mail follows from the reservation
 * alone: all later ones name it without looking anything up.
 */
static void
head_build(struct buf *b, const struct mail_row *r, const struct mail_conf *conf,
    const struct tm *tm, int64_t us)
{
	bool follows = r->reservation_id != NULL && r->from_status != NULL;
	size_t i;

	header_date(b, tm);
	buf_str(b, "From: ");
	put_mailbox(b, 6, conf->from_name, conf->from);
	buf_str(b, "\r\n");
	for (i = 0; i < conf->to_n; i++) {
		buf_str(b, i == 0 ? "To: " : ",\r\n ");
		put_mailbox(b, i == 0 ? 4 : 1, conf->to_names != NULL ? conf->to_names[i] : NULL,
		    conf->to[i]);
	}
	buf_str(b, "\r\n");
	header_text(b, "Subject", r->subject);
	if (r->reservation_id != NULL && !follows)
		put(b, "Message-ID: <reservation.%s@%s>\r\n", r->reservation_id, conf->domain);
	else
		put(b, "Message-ID: <outbox.%lld.%lld@%s>\r\n", (long long)r->id, (long long)us,
		    conf->domain);
	if (follows) {
		put(b, "In-Reply-To: <reservation.%s@%s>\r\n", r->reservation_id, conf->domain);
		put(b, "References: <reservation.%s@%s>\r\n", r->reservation_id, conf->domain);
	}
	buf_str(b, "MIME-Version: 1.0\r\n"
		   "Auto-Submitted: auto-generated\r\n"
		   "X-Auto-Response-Suppress: All\r\n"
		   "Content-Type: text/plain; charset=utf-8\r\n");
}

/*
 * "Label:   value", further lines of the value below it.  What would be too
 * long a line is broken between characters.
 */
static void
body_text(struct buf *b, const char *label, const char *value, enum text_kind kind)
{
	struct buf v = {0};
	size_t bytes = 0, i, n = 0;
	uint32_t c;

	put(b, "%-*s", LABEL_COLUMNS, label);
	put_clean(&v, value, kind);
	for (i = 0; i < v.len && (n = text_char(v.p + i, v.len - i, &c)) > 0; i += n) {
		if (c == '\n' || bytes + n > BODY_BYTES) {
			put(b, "\r\n%-*s", LABEL_COLUMNS, "");
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
body_line(struct buf *b, const char *label, const char *value)
{
	body_text(b, label, value, TEXT_NAME);
}

static void
body_number(struct buf *b, const char *label, int64_t n, const char *unit)
{
	char s[64];

	snprintf(s, sizeof(s), "%lld%s", (long long)n, unit);
	body_line(b, label, s);
}

/* What a change of status means: what a list of mails shows behind the subject. */
static const char *
body_sentence(const char *from, const char *to)
{
	static const struct {
		const char *from, *to, *text;
	} said[] = {
	    {"", "RESERVED", "A guest has reserved a room."},
	    {"", "PENDING_APPROVAL",
		"A guest has requested a room but has too few points. No points have been taken."},
	    {"PENDING_APPROVAL", "RESERVED", "The request was approved. The room is reserved."},
	    {"PENDING_APPROVAL", "REJECTED", "The request was rejected. No points were taken."},
	    {"PENDING_APPROVAL", "CANCELLED", "The request was cancelled. No points were taken."},
	    {"RESERVED", "CANCELLED",
		"The reservation was cancelled. The points were refunded, and the room is "
		"available "
		"again."},
	    {"RESERVED", "RELEASED", "The stay has ended. The room is available again."},
	};
	size_t i;

	for (i = 0; i < sizeof(said) / sizeof(said[0]); i++)
		if (strcmp(said[i].from, from) == 0 && strcmp(said[i].to, to) == 0)
			return said[i].text;
	return "The status of the reservation has changed.";
}

static void
body_build(struct buf *b, const struct mail_row *r)
{
	bool reservation = r->reservation_id != NULL;
	char available[64];

	if (reservation) {
		put_clean(b, r->to_status, TEXT_NAME);
		buf_str(b, ": ");
		buf_str(
		    b, body_sentence(r->from_status == NULL ? "" : r->from_status, r->to_status));
	} else {
		buf_str(b, "The rooms that guests can reserve have changed.");
	}
	buf_str(b, "\r\n\r\n");
	snprintf(available, sizeof(available), "%lld of %lld%s", (long long)r->room_available,
	    (long long)r->room_total, r->room_archived != 0 ? ", archived" : "");
	body_line(b, "Room:", r->room_name);
	body_line(b, "Available now:", available);
	body_number(b, "Price now:", r->room_points, " points");
	if (reservation) {
		body_line(b, "User:", r->user_name);
		body_number(b, "Balance now:", r->user_points, " points");
		body_line(b, "Old status:", r->from_status == NULL ? "none" : r->from_status);
		body_line(b, "New status:", r->to_status);
		body_number(b, "Points:", r->points, "");
	}
	if (r->detail != NULL && *r->detail != '\0')
		body_text(b, reservation ? "Reason:" : "Change:", r->detail, TEXT_REASON);
	buf_str(b, "\r\n");
	if (reservation) {
		body_line(b, "Reservation:", r->reservation_id);
		body_line(b, "User id:", r->user_id);
	}
	body_line(b, "Room id:", r->room_id);
	body_line(b, "Time:", r->created_at);
	body_line(b, "Actor:", r->actor);
	body_line(b, "Request id:", r->request_id);
}

/*
 * Read 2026-11-23T21:07:00.123456Z and nothing else: *tm to the second, *us
 * in microseconds since the epoch.  false if it is no time of the calendar.
 */
static bool
time_read(const char *s, struct tm *tm, int64_t *us)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.ddddddZ";
	struct tm in = {0};
	int fraction;
	size_t i;

	if (strlen(s) != strlen(form))
		return false;
	for (i = 0; form[i] != '\0'; i++)
		if (form[i] == 'd' ? s[i] < '0' || s[i] > '9' : s[i] != form[i])
			return false;
	if (sscanf(s, "%4d-%2d-%2dT%2d:%2d:%2d.%6d", &in.tm_year, &in.tm_mon, &in.tm_mday,
		&in.tm_hour, &in.tm_min, &in.tm_sec, &fraction)
	    != 7)
		return false;
	in.tm_year -= 1900;
	in.tm_mon -= 1;
	*tm = in;
	*us = (int64_t)timegm(tm) * 1000000 + fraction;
	/* timegm makes 30 February the 2nd of March. */
	return tm->tm_year == in.tm_year && tm->tm_mon == in.tm_mon && tm->tm_mday == in.tm_mday
	       && tm->tm_hour == in.tm_hour && tm->tm_min == in.tm_min && tm->tm_sec == in.tm_sec;
}

/* Ids stand in headers as they are. */
static bool
id_ok(const char *s)
{
	return s != NULL && strlen(s) == 36 && strspn(s, "0123456789abcdef-") == 36;
}

static const char *
row_fault(const struct mail_row *r)
{
	if (r->event == NULL
	    || (strcmp(r->event, "room") != 0 && strcmp(r->event, "reservation") != 0))
		return "event is neither reservation nor room";
	if ((r->reservation_id != NULL) != (strcmp(r->event, "reservation") == 0))
		return "event and reservation_id don't agree";
	if (r->subject == NULL || *r->subject == '\0')
		return "subject is missing";
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

const char *
mail_build(struct mail *m, const struct mail_row *row, const struct mail_conf *conf)
{
	const char *fault;
	struct tm tm;
	int64_t us;
	size_t i;

	memset(m, 0, sizeof(*m));
	if ((fault = row_fault(row)) != NULL)
		return fault;
	if (!time_read(row->created_at, &tm, &us))
		return "created_at is no time";
	head_build(&m->head, row, conf, &tm, us);
	body_build(&m->body, row);
	m->body.failed |= m->head.failed;
	m->ascii = true;
	for (i = 0; i < m->body.len; i++)
		if ((unsigned char)m->body.p[i] > 0x7e)
			m->ascii = false;
	return NULL;
}

bool
mail_qp(struct mail *m)
{
	const struct buf *in = &m->body;
	struct buf out = {0};
	size_t column = 0, i;
	bool as_is;

	for (i = 0; i < in->len; i++) {
		unsigned char c = (unsigned char)in->p[i];

		if (c == '\r') {
			buf_str(&out, "\r\n");
			i++; /* body_build writes no CR without LF */
			column = 0;
			continue;
		}
		/* A blank at a line's end would be lost on the way. */
		as_is = c >= 0x20 && c < 0x7f && c != '='
			&& !(c == ' ' && i + 1 < in->len && in->p[i + 1] == '\r');
		if (column + (as_is ? 1 : 3) > QP_COLUMNS - 1) {
			buf_str(&out, "=\r\n");
			column = 0;
		}
		if (as_is)
			buf_add(&out, in->p + i, 1);
		else
			put(&out, "=%02X", c);
		column += as_is ? 1 : 3;
	}
	if (out.failed) {
		buf_free(&out);
		return false;
	}
	buf_free(&m->body);
	m->body = out;
	return true;
}

void
mail_free(struct mail *m)
{
	buf_free(&m->head);
	buf_free(&m->body);
	memset(m, 0, sizeof(*m));
}

bool
mail_domain_ok(const char *s)
{
	static const char chars[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
	size_t len = strlen(s);

	return len > 0 && len <= 253 && strspn(s, chars) == len && s[0] != '.' && s[0] != '-'
	       && s[len - 1] != '.' && strstr(s, "..") == NULL;
}

bool
mail_address_ok(const char *s)
{
	size_t local = strspn(s, ATEXT "."), len;
	const char *domain = s + local + 1;

	if (local == 0 || local > 64 || strlen(s) > 254 || s[local] != '@' || s[0] == '.'
	    || s[local - 1] == '.' || memmem(s, local, "..", 2) != NULL
	    || memmem(s, local, "=?", 2) != NULL) /* no encoded word (RFC 2047) */
		return false;
	if (domain[0] != '[')
		return mail_domain_ok(domain);
	len = strspn(domain + 1, "0123456789abcdefABCDEF.:IPv");
	return len > 0 && strcmp(domain + 1 + len, "]") == 0;
}
