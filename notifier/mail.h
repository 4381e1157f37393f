#ifndef NOTIFIER_MAIL_H
#define NOTIFIER_MAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "mail_text.h"

/*
 * The text of a mail, made from one claimed row: a pure function of the row
 * and the addresses.  A repeat is the same mail but for what is so now: what is
 * available, price, balance.
 */

#define MAIL_TO_MAX 20 /* recipients */

/* Who it is from and to: addresses that mail_address_ok has passed. */
struct mail_conf {
	const char *from;
	const char *from_name; /* UTF-8, or NULL */
	const char *const *to;
	const char *const *to_names; /* NULL, or for each a name or NULL */
	size_t to_n;
	const char *domain; /* right side of the Message-ID */
};

/*
 * A mail ready to go.  head: every header but Content-Transfer-Encoding.
 * body: UTF-8, CRLF, no line over 998 bytes (RFC 5322, 2.1.1).  What is sent
 * is head, the missing header, an empty line, and body, which mail_qp has
 * recoded where the server takes no 8-bit text.
 */
struct mail {
	struct buf head, body;
	bool ascii; /* body fits any transport as it is */
};

/*
 * Make the mail of a row.  Allocates what mail_free frees.
 * NULL, or what keeps this row from ever being a mail (a constant text, *m
 * empty).  Where memory runs out: NULL and m->body.failed.
 */
const char *mail_build(struct mail *m, const struct mail_row *row, const struct mail_conf *conf);

/*
 * Turn the body into quoted-printable (RFC 2045, 6.7) with lines of at most
 * 76 characters; to be called once.  false without memory, *m as it was.
 */
bool mail_qp(struct mail *m);

/* Accepts a zeroed mail; leaves one. */
void mail_free(struct mail *m);

/*
 * Whether s can stand in MAIL FROM, RCPT TO and an address header: dot-atom,
 * one @, domain or address literal, all ASCII, at most 254 bytes (RFC 5321,
 * 4.5.3.1; RFC 5322, 3.4.1, without comments, quotes, blanks and encoded words).
 */
bool mail_address_ok(const char *s);

/* Whether s can be the right side of a Message-ID: labels and dots. */
bool mail_domain_ok(const char *s);

#endif
