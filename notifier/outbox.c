#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "log.h"
#include "log_count.h"
#include "outbox.h"
#include "retry.h"
#include "shape.h"

#define PAUSE_MS 1000	      /* after the first failure of the channel */
#define DOWN_PAUSE_MS 60000   /* at most, so that a relay which is back finds us soon */
#define WRONG_PAUSE_MS 300000 /* at most: wrong passwords lock accounts */
#define REQUEST_ID 65
#define REASON 1000	/* outbox.last_error, with a NUL */
#define RECIPIENTS 6000 /* outbox.recipients */
#define CHANNEL_TRIES 3 /* no mail dies of a channel that failed less often, however old it is */

enum fate {
	FATE_NONE, /* not decided: to be given back */
	FATE_SENT,
	FATE_RETRY,
	FATE_DEAD,
};

static const char *const fate_name[] = {"", "SENT", "RETRY", "DEAD"};

/* A claimed row. */
struct item {
	long long id;
	long long attempts; /* before this one */
	long long age_s;    /* at the claim */
	char request_id[REQUEST_ID];
	struct mail mail;
	/* Who needs it no more, from earlier tries and this one: bit k is mail_conf.to[k]. */
	uint32_t got, gave_up;
	bool reached;	       /* somebody got it, in today's configuration or not */
	struct buf recipients; /* the same for the row: +who-got-it -who-was-given-up */
	enum fate fate;
	bool settled;
	int delay_s;
	char reason[REASON];
};

struct outbox {
	const struct outbox_conf *conf;
	struct db *db;
	const struct uuid *owner;
	const volatile sig_atomic_t *stop;
	struct item *items; /* conf->batch of them, n in use */
	size_t n;
	struct item *settling; /* the one whose settlement the database is busy with, or NULL */
	int64_t claimed_ms;
	struct smtp_job *jobs; /* what smtp_send gets */
	size_t *of_job;	       /* and whose they are */
	int64_t failures;      /* of the channel, in a row */
	bool lost_database;
	long long dropped; /* log lines of which the database knows */
	bool stray;	   /* a claim may have come to pass that we never heard of */
};

struct outbox *
outbox_new(const struct outbox_conf *conf, struct db *db, const struct uuid *owner,
    const volatile sig_atomic_t *stop)
{
	struct outbox *o = calloc(1, sizeof(*o));
	size_t batch = (size_t)conf->batch;

	if (o == NULL)
		return NULL;
	o->conf = conf;
	o->db = db;
	o->owner = owner;
	o->stop = stop;
	o->items = calloc(batch, sizeof(*o->items));
	o->jobs = calloc(batch, sizeof(*o->jobs));
	o->of_job = calloc(batch, sizeof(*o->of_job));
	if (o->items != NULL && o->jobs != NULL && o->of_job != NULL)
		return o;
	outbox_free(o);
	return NULL;
}

static void
forget_items(struct outbox *o)
{
	size_t i;

	for (i = 0; i < o->n; i++) {
		mail_free(&o->items[i].mail);
		buf_free(&o->items[i].recipients);
	}
	o->n = 0;
}

void
outbox_free(struct outbox *o)
{
	if (o == NULL)
		return;
	forget_items(o);
	free(o->items);
	free(o->jobs);
	free(o->of_job);
	free(o);
}

static uint32_t
random_number(void)
{
	uint32_t r = 0;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != (ssize_t)sizeof(r))
		r = (uint32_t)db_now_ms();
	return r;
}

/* ---- calls ---- */

/* Say it once per change that the database is gone, or back. */
static bool
is_fine(struct outbox *o, enum db_status status)
{
	bool ok = status == DB_OK;

	if (!ok && !o->lost_database)
		log_line(LOG_ERROR, NULL, "database unavailable, retrying: %s", db_reason(o->db));
	else if (ok && o->lost_database)
		log_line(LOG_INFO, NULL, "database available again");
	o->lost_database = !ok;
	return ok;
}

/* For procedures that answer with one number: what db_exec or db_receive came to. */
static bool
answered(struct outbox *o, enum db_status status, long long *number)
{
	bool ok = is_fine(o, status);

	if (ok)
		*number = db_row(o->db) ? db_number(o->db, 0) : 0;
	db_done(o->db);
	return ok;
}

/*
 * Wait for what settle began.  true: there was nothing, or it is recorded, or
 * somebody else's by now, which is no fault: the lease ran out and a repeat bears
 * the same Message-ID.  Comes before every other call.
 */
static bool
settled(struct outbox *o)
{
	struct item *it = o->settling;
	long long rows;

	if (it == NULL)
		return true;
	o->settling = NULL;
	if (!answered(o, db_receive(o->db, DB_KEYED, it->request_id), &rows))
		return false;
	it->settled = true;
	if (rows == 0)
		log_line(LOG_WARN, it->request_id,
		    "mail %lld: %s, but another notifier holds its lease; not recorded", it->id,
		    fate_name[it->fate]);
	else if (it->fate == FATE_SENT && it->reason[0] != '\0')
		log_line(LOG_ERROR, it->request_id, "mail %lld: SENT, but not to everyone: %s",
		    it->id, it->reason);
	else if (it->fate == FATE_SENT)
		log_line(LOG_DEBUG, it->request_id, "mail %lld: SENT", it->id);
	else
		log_line(it->fate == FATE_DEAD ? LOG_ERROR : LOG_WARN, it->request_id,
		    "mail %lld: %s: %s", it->id, fate_name[it->fate], it->reason);
	return true;
}

bool
outbox_give_back(struct outbox *o)
{
	long long given_back;

	if (!settled(o))
		return false;
	db_call(o->db, "outbox_give_back");
	db_bytes(o->db, o->owner->b, sizeof(o->owner->b));
	if (!answered(o, db_exec(o->db, DB_KEYED, NULL), &given_back))
		return false;
	if (given_back > 0)
		log_line(LOG_INFO, NULL, "gave back %lld mails", given_back);
	return true;
}

/*
 * Record what became of a mail: at once sent to the database, which has until
 * the next mail's text to do it.  false: the one before is not recorded, and this
 * one is left alone.
 */
static bool
settle(struct outbox *o, struct item *it)
{
	if (!settled(o))
		return false;
	db_call(o->db, "outbox_settle");
	db_int(o->db, it->id);
	db_bytes(o->db, o->owner->b, sizeof(o->owner->b));
	db_utf8(o->db, fate_name[it->fate], strlen(fate_name[it->fate]));
	if (it->reason[0] == '\0')
		db_null(o->db);
	else
		db_utf8(o->db, it->reason, strlen(it->reason));
	db_int(o->db, it->delay_s);
	if (it->recipients.len == 0)
		db_null(o->db);
	else
		db_utf8(o->db, it->recipients.p, it->recipients.len);
	db_send(o->db);
	o->settling = it;
	return true;
}

static void
decide(struct item *it, enum fate fate, int delay_s, const char *reason)
{
	it->fate = fate;
	it->delay_s = delay_s;
	snprintf(it->reason, sizeof(it->reason), "%s", reason);
}

/* A mail that failed for now, and is tried again unless it is too old and was tried so often.
 * Given up, it is SENT where somebody got it, with the reason why not everybody did. */
static void
decide_later(struct outbox *o, struct item *it, int64_t tries, int64_t delay_s, const char *reason)
{
	int64_t age_s = it->age_s + (db_now_ms() - o->claimed_ms) / 1000;
	bool give_up = age_s >= o->conf->give_up_s && it->attempts + 1 >= tries;

	decide(it,
	    !give_up	  ? FATE_RETRY
	    : it->reached ? FATE_SENT
			  : FATE_DEAD,
	    (int)delay_s, reason);
}

/*
 * Twice as long each time, but no longer than the mail has waited already:
 * tries while the whole channel was down don't count against it.
 */
static int64_t
mail_delay_s(const struct outbox *o, const struct item *it)
{
	int64_t most = it->age_s;

	if (most < o->conf->retry_min_s)
		most = o->conf->retry_min_s;
	if (most > o->conf->retry_max_s)
		most = o->conf->retry_max_s;
	return retry_delay(o->conf->retry_min_s, most, it->attempts + 1, random_number());
}

bool
outbox_finish(struct outbox *o)
{
	bool release = o->stray;
	size_t i;

	for (i = 0; i < o->n; i++) {
		if (o->items[i].fate == FATE_NONE)
			release = true;
		else if (!o->items[i].settled && o->settling != &o->items[i]
			 && !settle(o, &o->items[i]))
			return false;
	}
	if (!settled(o) || (release && !outbox_give_back(o)))
		return false;
	forget_items(o);
	o->stray = false;
	return true;
}

/* ---- claim ---- */

/* Which of today's recipients the row names; an address has no blank in it. */
static void
take_recipients(struct outbox *o, struct item *it, const char *s)
{
	const struct mail_conf *mc = o->conf->mail;
	size_t k, len;

	for (; s != NULL && *s != '\0'; s += len + (s[len] == ' ')) {
		len = strcspn(s, " ");
		it->reached |= *s == '+';
		for (k = 0; k < mc->to_n; k++) {
			if (strlen(mc->to[k]) != len - 1 || memcmp(mc->to[k], s + 1, len - 1) != 0)
				continue;
			*(*s == '+' ? &it->got : &it->gave_up) |= (uint32_t)1 << k;
		}
	}
}

static uint32_t
everybody(const struct outbox *o)
{
	return ((uint32_t)1 << o->conf->mail->to_n) - 1;
}

/* The current row becomes a mail, or DEAD if it can't. */
static void
take_row(struct outbox *o, struct item *it)
{
	const struct db *db = o->db;
	const char *fault, *recipients;
	char reason[SMTP_REPLY];
	struct field f[MAIL_ROW];
	struct mail_ids ids;
	struct mail_row row;
	unsigned i;

	for (i = 0; i < MAIL_ROW; i++)
		f[i].s = db_text(db, i, &f[i].len);
	mail_row_read(&row, &ids, f);
	row.subject_room = db_text(db, MAIL_ROW + 3, NULL);
	row.subject_user = db_text(db, MAIL_ROW + 4, NULL);
	memset(it, 0, sizeof(*it));
	it->id = row.id;
	snprintf(it->request_id, sizeof(it->request_id), "%s",
	    row.request_id != NULL ? row.request_id : "");
	it->attempts = db_number(db, MAIL_ROW);
	it->age_s = db_number(db, MAIL_ROW + 1);
	if ((recipients = db_text(db, MAIL_ROW + 2, NULL)) != NULL)
		buf_str(&it->recipients, recipients);
	take_recipients(o, it, recipients);
	if ((fault = mail_build(&it->mail, &row, o->conf->mail)) != NULL) {
		snprintf(reason, sizeof(reason), "can't be made into a mail: %s", fault);
		decide(it, FATE_DEAD, 0, reason);
	} else if ((it->got | it->gave_up) == everybody(o)) {
		decide(it, it->reached ? FATE_SENT : FATE_DEAD, 0,
		    "the recipients that remained are no longer configured");
	}
}

static bool
claim(struct outbox *o)
{
	bool ok;

	db_call(o->db, "outbox_claim");
	db_bytes(o->db, o->owner->b, sizeof(o->owner->b));
	db_int(o->db, o->conf->batch);
	db_int(o->db, o->conf->lease_s);
	o->claimed_ms = db_now_ms();
	o->stray = !(ok = is_fine(o, db_exec(o->db, DB_ONCE, NULL)));
	while (ok && o->n < (size_t)o->conf->batch && db_row(o->db))
		take_row(o, &o->items[o->n++]);
	db_done(o->db);
	return ok;
}

/* ---- send ---- */

static bool
may_send(void *arg, size_t i)
{
	struct outbox *o = arg;
	struct item *it = &o->items[o->of_job[i]];
	long long held;

	/* None goes out while an earlier one is not recorded: a crash repeats one at most. */
	if (!settled(o) || *o->stop)
		return false;
	/* In the first tenth of its lease it is held, whoever asks: no need to. */
	if (db_now_ms() - o->claimed_ms < (int64_t)o->conf->lease_s * 100)
		return true;
	db_call(o->db, "outbox_renew");
	db_int(o->db, it->id);
	db_bytes(o->db, o->owner->b, sizeof(o->owner->b));
	db_int(o->db, o->conf->lease_s);
	if (!answered(o, db_exec(o->db, DB_KEYED, it->request_id), &held))
		return false;
	if (held == 0)
		log_line(LOG_WARN, it->request_id,
		    "mail %lld: its lease expired before its turn; not sent", it->id);
	return held == 1;
}

/* Add recipients to what the row will say of them. */
static void
note(struct outbox *o, struct item *it, char sign, uint32_t who)
{
	const struct mail_conf *mc = o->conf->mail;
	struct buf *b = &it->recipients;
	size_t k;

	for (k = 0; k < mc->to_n; k++) {
		if ((who >> k & 1) == 0 || b->len + strlen(mc->to[k]) + 2 > RECIPIENTS)
			continue;
		if (b->len > 0)
			buf_add(b, " ", 1);
		buf_add(b, &sign, 1);
		buf_str(b, mc->to[k]);
	}
}

/* Why some recipients didn't get it: a bit of each one's reply. */
static void
why_not(const struct smtp_result *r, char out[REASON])
{
	uint32_t refused = r->later | r->never;
	size_t n = r->outcome != SMTP_SENT && (r->accepted != 0 || refused == 0), len = 0, k;
	int each;

	out[0] = '\0';
	for (k = 0; k < MAIL_TO_MAX; k++)
		n += refused >> k & 1;
	if (n == 0)
		return;
	each = (int)((REASON - 1) / n) - 2;
	for (k = 0; k < MAIL_TO_MAX; k++)
		if (refused >> k & 1)
			len += (size_t)snprintf(out + len, REASON - len, "%s%.*s",
			    len > 0 ? "; " : "", each, r->refusals[k]);
	if (r->outcome != SMTP_SENT && (r->accepted != 0 || refused == 0))
		snprintf(out + len, REASON - len, "%s%.*s", len > 0 ? "; " : "", each, r->reply);
}

static bool
on_outcome(void *arg, size_t i, const struct smtp_result *r)
{
	struct outbox *o = arg;
	struct item *it = &o->items[o->of_job[i]];
	uint32_t got = r->outcome == SMTP_SENT ? r->accepted : 0;
	uint32_t gave_up = r->never | (r->outcome == SMTP_REFUSED ? r->accepted : 0);
	char reason[REASON];

	it->got |= got;
	it->gave_up |= gave_up;
	it->reached |= got != 0;
	if (got != 0)
		o->failures = 0;
	why_not(r, reason);
	if ((it->got | it->gave_up) == everybody(o)) {
		decide(it, it->reached ? FATE_SENT : FATE_DEAD, 0, reason);
	} else {
		note(o, it, '+', got);
		note(o, it, '-', gave_up);
		decide_later(o, it, r->outcome == SMTP_UNKNOWN ? CHANNEL_TRIES : 1,
		    mail_delay_s(o, it), reason);
	}
	return settle(o, it) && !*o->stop;
}

/*
 * The channel failed.  A mail server that can't be reached is an attempt for
 * all at hand, at the channel's own pace, until they are too old.  One that
 * went away between mails is none for those that it hadn't come to, nor is a
 * configuration that has to be mended: they stay as they are.
 */
static void
decide_untried(struct outbox *o, enum smtp_end end, bool tried, int64_t pause_ms, const char *why)
{
	struct item *it;
	size_t i;

	for (i = 0; end == SMTP_DOWN && i < o->n; i++) {
		it = &o->items[i];
		if (it->fate != FATE_NONE)
			continue;
		decide_later(o, it, CHANNEL_TRIES, (pause_ms + 999) / 1000, why);
		if (tried && it->fate == FATE_RETRY)
			it->fate = FATE_NONE;
	}
}

static enum outbox_end
send_batch(struct outbox *o, int64_t *pause_ms)
{
	static const struct smtp_calls calls = {.may_send = may_send, .outcome = on_outcome};
	char why[SMTP_REPLY];
	enum smtp_end end;
	size_t i, n = 0;
	bool tried, failed, no_memory = false;

	for (i = 0; i < o->n; i++) {
		failed = o->items[i].mail.body.failed || o->items[i].recipients.failed;
		no_memory |= failed;
		if (o->items[i].fate != FATE_NONE || failed)
			continue;
		o->jobs[n] = (struct smtp_job){.mail = &o->items[i].mail,
		    .skip = o->items[i].got | o->items[i].gave_up,
		    .reached = o->items[i].reached};
		o->of_job[n++] = i;
	}
	if (n == 0 && no_memory) {
		log_line(LOG_ERROR, NULL, "out of memory");
		*pause_ms = DOWN_PAUSE_MS;
		return OUTBOX_CHANNEL;
	}
	if (n == 0)
		return OUTBOX_WORKED;
	end = smtp_send(o->conf->smtp, o->jobs, n, &calls, o, &tried, why);
	if (end == SMTP_DONE || end == SMTP_STOPPED) {
		o->failures = 0;
		return OUTBOX_WORKED;
	}
	*pause_ms = retry_delay(PAUSE_MS, end == SMTP_WRONG ? WRONG_PAUSE_MS : DOWN_PAUSE_MS,
	    ++o->failures, random_number());
	if (end == SMTP_WRONG)
		log_line(LOG_ERROR, NULL,
		    "mail delivery suspended until this is fixed: %s: %s (all mails are kept; "
		    "next try in %lld ms)",
		    o->conf->smtp->server, why, (long long)*pause_ms);
	else
		log_line(LOG_WARN, NULL, "mail server unavailable: %s: %s (next try in %lld ms)",
		    o->conf->smtp->server, why, (long long)*pause_ms);
	decide_untried(o, end, tried, *pause_ms, why);
	return OUTBOX_CHANNEL;
}

static void
log_batch(const struct outbox *o)
{
	size_t count[4] = {0}, i;

	for (i = 0; i < o->n; i++)
		count[o->items[i].fate]++;
	log_line(LOG_INFO, NULL, "batch of %zu: %zu sent, %zu to retry, %zu dead, %zu given back",
	    o->n, count[FATE_SENT], count[FATE_RETRY], count[FATE_DEAD], count[FATE_NONE]);
}

enum outbox_end
outbox_run(struct outbox *o, int64_t *pause_ms)
{
	enum outbox_end end;

	if (!outbox_finish(o))
		return OUTBOX_DATABASE;
	log_catch_up();
	log_count(o->db, &o->dropped);
	if (!claim(o))
		return OUTBOX_DATABASE;
	if (o->n == 0)
		return OUTBOX_EMPTY;
	end = send_batch(o, pause_ms);
	log_batch(o);
	return outbox_finish(o) ? end : OUTBOX_DATABASE;
}
