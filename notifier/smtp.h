#ifndef NOTIFIER_SMTP_H
#define NOTIFIER_SMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail.h"

/*
 * Mails over one SMTP connection, by libesmtp.  What became of each mail is
 * told at once, so that it can be recorded before the next one goes out.
 */

#define SMTP_REPLY 600 /* bytes of a reason: printable ASCII, with its NUL */

enum smtp_tls {
	SMTP_TLS_OFF,	   /* plain text */
	SMTP_TLS_STARTTLS, /* STARTTLS or nothing */
	SMTP_TLS_IMPLICIT, /* TLS from the first byte (RFC 8314) or nothing */
};

struct smtp_conf {
	const char *host;   /* a name or an IPv4 address: what the certificate has to be for */
	const char *server; /* host:port */
	int port;
	enum smtp_tls tls;
	const char *ca;		     /* PEM file of the only CAs to trust, or NULL: the system's */
	const char *user, *password; /* NULL: no AUTH; else AUTH or nothing */
	const char *ehlo; /* our name in EHLO; NULL: the address literal of each connection */
	const struct mail_conf *mail;
};

/* A mail, and whom it goes to: bit k of skip takes out mail_conf.to[k]. */
struct smtp_job {
	struct mail *mail; /* may be recoded */
	uint32_t skip;	   /* not all of them */
	bool reached;	   /* somebody got it at an earlier try */
};

enum smtp_outcome {
	SMTP_SENT,    /* 250 after the final dot: the server has it */
	SMTP_LATER,   /* 4xx: not this time */
	SMTP_REFUSED, /* 5xx: never */
	SMTP_UNKNOWN, /* its text was on its way when the connection ended */
};

/*
 * What became of a mail, recipient by recipient; each who was not skipped is
 * in one of the three sets; in none where MAIL was refused.  Where nobody is
 * accepted outcome is SMTP_LATER if anybody may be tried again, else SMTP_REFUSED.
 */
struct smtp_result {
	enum smtp_outcome outcome; /* of those in accepted */
	const char *reply;	   /* the server's to the text, or the reason */
	uint32_t accepted, later, never;
	const char (*refusals)[SMTP_REPLY]; /* [k]: the reply to RCPT of one in later or never */
};

enum smtp_end {
	SMTP_DONE,    /* every mail had its outcome */
	SMTP_STOPPED, /* a callback said so */
	SMTP_DOWN,    /* no server, 421, connection lost: likely to pass by itself */
	SMTP_WRONG,   /* TLS, AUTH, EHLO, MAIL or all recipients refused: somebody has to change
			 something */
};

struct smtp_calls {
	/* The server waits for the text of mail i: may it go out?  false ends
	 * the connection before the first byte. */
	bool (*may_send)(void *arg, size_t i);
	/* Mail i is through.  false ends the connection. */
	bool (*outcome)(void *arg, size_t i, const struct smtp_result *result);
};

/*
 * Once, before anything else and before threads: SIGPIPE is ignored from here
 * on, and HOME leads nowhere, so that libesmtp finds no certificates there.
 */
void smtp_init(void);
void smtp_exit(void);

/*
 * Send n mails, in order.  Each gets its outcome or stays untried; it goes to
 * those recipients whom the server accepts.  Why it ended is in why, unless
 * SMTP_DONE; *tried is false where no mail came as far as MAIL.  Blocks for as
 * long as RFC 5321, 4.5.3.2 lets a server take.
 */
enum smtp_end smtp_send(const struct smtp_conf *c, const struct smtp_job *jobs, size_t n,
    const struct smtp_calls *calls, void *arg, bool *tried, char why[SMTP_REPLY]);

/* Break off the connection at hand, if any.  For signal handlers. */
void smtp_interrupt(void);

#endif
