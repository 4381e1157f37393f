#ifndef NOTIFIER_OUTBOX_H
#define NOTIFIER_OUTBOX_H

#include <signal.h>
#include <stdint.h>

#include "db.h"
#include "mail.h"
#include "smtp.h"
#include "uuid.h"

/*
 * The outbox's side: claim due rows, send them, settle each.  No transaction
 * is open while a mail server is spoken to; what holds a row is its lease.
 */

struct outbox_conf {
	int batch;   /* rows claimed at once, mails over one connection */
	int lease_s; /* begun anew as each mail starts, so longer than one mail may take */
	int retry_min_s, retry_max_s;
	int give_up_s; /* age at which a mail that would be tried again is DEAD */
	const struct mail_conf *mail;
	const struct smtp_conf *smtp;
};

enum outbox_end {
	OUTBOX_EMPTY,	 /* nothing was due */
	OUTBOX_WORKED,	 /* a batch is through, or given back: look again at once */
	OUTBOX_CHANNEL,	 /* the mail server can't be used; wait for *pause_ms */
	OUTBOX_DATABASE, /* the database can't be used; what is to be recorded is kept for the next
			    call */
};

struct outbox;

/* conf, db and stop are not owned and must outlive it.  owner: whose leases,
 * of this process alone.  NULL: no memory. */
struct outbox *outbox_new(const struct outbox_conf *conf, struct db *db, const struct uuid *owner,
    const volatile sig_atomic_t *stop);
void outbox_free(struct outbox *o); /* accepts NULL; releases no lease */

/*
 * Record what is still to be recorded, then claim, send and settle one batch.
 * Once *stop is set: the current mail, no other; the rest is given back.
 */
enum outbox_end outbox_run(struct outbox *o, int64_t *pause_ms);

/* Record and release what is at hand, without sending.  false: the database
 * can't be used, and there is something. */
bool outbox_finish(struct outbox *o);

/* Give back every lease of the owner: what a predecessor under the same name
 * left behind.  false: the database can't be used. */
bool outbox_give_back(struct outbox *o);

#endif
