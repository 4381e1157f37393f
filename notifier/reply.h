#ifndef NOTIFIER_REPLY_H
#define NOTIFIER_REPLY_H

/*
 * What a server's reply to RCPT, or to DATA before any text, means (RFC 5321,
 * 4.2.3; RFC 3463).  Recipients are configuration, so a refusal that doesn't
 * name the mailbox is about us and not about the mail.
 */
enum reply_kind {
	REPLY_OK,      /* 2xx */
	REPLY_LATER,   /* 4xx; 552 and 5.2.2, a mailbox that is full (RFC 5321, 4.5.3.1.10) */
	REPLY_NEVER,   /* the address or its mailbox: 5.1.x, 5.2.x, 5.6.x; 550, 551, 553, 556 */
	REPLY_CHANNEL, /* anything else: 504, 5.3.x, 5.4.x, 5.5.x, 5.7.x; the sender: 5.1.7, 5.1.8
			*/
};

/* An enhanced status code (RFC 3463); class 0: none. */
struct reply_status {
	int class, subject, detail;
};

/* Read the enhanced code at the start of a reply's text, for servers that send
 * them without saying so in EHLO.  Class 0 where there is none. */
struct reply_status reply_status(const char *text);

/*
 * code: the basic one, three digits.  An enhanced code counts where its class
 * is the basic code's first digit and its subject is not 0 (undefined).
 */
enum reply_kind reply_kind(int code, struct reply_status st);

#endif
