#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mail.h"
#include "text.h"

#define HEADER_COLUMNS 76 /* of a line with encoded words; RFC 2047, 2 */
#define QP_COLUMNS 76
#define ATEXT "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~"
#define WORD_OPEN "=?UTF-8?Q?"
#define WORD_CLOSE "?="

/* For short texts of our own making and checked addresses; values go through mail_clean. */
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
	mail_clean(&v, value, TEXT_NAME);
	if (header_plain(&v, column))
		buf_add(b, v.p, v.len);
	else
		put_words(b, &v, column, text_plain);
	buf_str(b, "\r\n");
	b->failed |= v.failed;
	buf_free(&v);
}

static void
header_subject(struct buf *b, const struct mail_row *r)
{
	struct buf subject = {0};

	mail_subject(&subject, r);
	buf_add(&subject, "", 1);
	if (!subject.failed)
		header_text(b, "Subject", subject.p);
	b->failed |= subject.failed;
	buf_free(&subject);
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
	mail_clean(&v, name, TEXT_NAME);
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
	header_subject(b, r);
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

const char *
mail_build(struct mail *m, const struct mail_row *row, const struct mail_conf *conf)
{
	const char *fault;
	struct tm tm;
	int64_t us;
	size_t i;

	memset(m, 0, sizeof(*m));
	if ((fault = mail_row_fault(row)) != NULL)
		return fault;
	if (!time_read(row->created_at, &tm, &us))
		return "created_at is no time";
	head_build(&m->head, row, conf, &tm, us);
	mail_text(&m->body, row);
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
			i++; /* mail_text writes no CR without LF */
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
