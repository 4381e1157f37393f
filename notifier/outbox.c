#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "log.h"
#include "outbox.h"
#include "retry.h"

#define PAUSE_MS 1000	      /* after the first failure of the channel */
#define DOWN_PAUSE_MS 60000   /* at most, so that a relay which is back finds us soon */
#define WRONG_PAUSE_MS 300000 /* at most: wrong passwords lock accounts */
#define REQUEST_ID 65
#define CHANNEL_TRIES 3 /* no mail dies of a channel that failed less often, however old it is */

enum fate {
	FATE_NONE, /* not decided: to be released */
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
	enum fate fate;
	bool settled;
	int delay_s;
	char reason[SMTP_REPLY];
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
	struct mail **mails; /* what smtp_send gets */
	size_t *of_mail;     /* and whose they are */
	int64_t failures;    /* of the channel, in a row */
	bool lost_database;
	bool stray; /* a claim may have come to pass that we never heard of */
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
	o->mails = calloc(batch, sizeof(*o->mails));
	o->of_mail = calloc(batch, sizeof(*o->of_mail));
	if (o->items != NULL && o->mails != NULL && o->of_mail != NULL)
		return o;
	outbox_free(o);
	return NULL;
}

void
outbox_free(struct outbox *o)
{
	size_t i;

	if (o == NULL)
		return;
	for (i = 0; i < o->n; i++)
		mail_free(&o->items[i].mail);
	free(o->items);
	free(o->mails);
	free(o->of_mail);
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
		log_line(
		    LOG_ERROR, NULL, "the database can't be used, trying on: %s", db_reason(o->db));
	else if (ok && o->lost_database)
		log_line(LOG_INFO, NULL, "the database is back");
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
		    "mail %lld: %s, but the lease was not ours any more", it->id,
		    fate_name[it->fate]);
	else if (it->fate == FATE_SENT)
		log_line(LOG_DEBUG, it->request_id, "mail %lld: SENT", it->id);
	else
		log_line(it->fate == FATE_DEAD ? LOG_ERROR : LOG_WARN, it->request_id,
		    "mail %lld: %s: %s", it->id, fate_name[it->fate], it->reason);
	return true;
}

bool
outbox_release(struct outbox *o)
{
	long long released;

	if (!settled(o))
		return false;
	db_call(o->db, "outbox_release");
	db_bytes(o->db, o->owner->b, sizeof(o->owner->b));
	if (!answered(o, db_exec(o->db, DB_KEYED, NULL), &released))
		return false;
	if (released > 0)
		log_line(LOG_INFO, NULL, "released %lld mails", released);
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
	if (it->fate == FATE_SENT)
		db_null(o->db);
	else
		db_utf8(o->db, it->reason, strlen(it->reason));
	db_int(o->db, it->delay_s);
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

/* A mail that failed for now, and is tried again unless it is too old and was tried so often. */
static void
decide_later(struct outbox *o, struct item *it, int64_t tries, int64_t delay_s, const char *reason)
{
	int64_t age_s = it->age_s + (db_now_ms() - o->claimed_ms) / 1000;
	bool give_up = age_s >= o->conf->give_up_s && it->attempts + 1 >= tries;

	decide(it, give_up ? FATE_DEAD : FATE_RETRY, (int)delay_s, reason);
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
	if (!settled(o) || (release && !outbox_release(o)))
		return false;
	for (i = 0; i < o->n; i++)
		mail_free(&o->items[i].mail);
	o->n = 0;
	o->stray = false;
	return true;
}

/* ---- claim ---- */

static const char *
id_text(const struct db *db, unsigned col, char out[UUID_TEXT + 1])
{
	size_t len;
	const char *b = db_text(db, col, &len);

	if (b == NULL || len != 16)
		return NULL;
	uuid_text(out, (const uint8_t *)b);
	out[UUID_TEXT] = '\0';
	return out;
}

static int64_t
number_or_null(const struct db *db, unsigned col)
{
	return db_text(db, col, NULL) == NULL ? MAIL_NULL : db_number(db, col);
}

/* The row at hand becomes a mail, or DEAD if it can't. */
static void
take_row(struct outbox *o, struct item *it)
{
	char reservation[UUID_TEXT + 1], room[UUID_TEXT + 1], user[UUID_TEXT + 1];
	const struct db *db = o->db;
	const char *fault, *request_id = db_text(db, 18, NULL);
	char reason[SMTP_REPLY];
	struct mail_row row = {
	    .id = db_number(db, 0),
	    .event = db_text(db, 1, NULL),
	    .reservation_id = id_text(db, 2, reservation),
	    .room_id = id_text(db, 3, room),
	    .room_name = db_text(db, 4, NULL),
	    .room_total = number_or_null(db, 5),
	    .room_available = number_or_null(db, 6),
	    .room_points = number_or_null(db, 7),
	    .room_archived = number_or_null(db, 8),
	    .user_id = id_text(db, 9, user),
	    .user_name = db_text(db, 10, NULL),
	    .user_points = number_or_null(db, 11),
	    .from_status = db_text(db, 12, NULL),
	    .to_status = db_text(db, 13, NULL),
	    .points = number_or_null(db, 14),
	    .subject = db_text(db, 15, NULL),
	    .detail = db_text(db, 16, NULL),
	    .actor = db_text(db, 17, NULL),
	    .request_id = request_id,
	    .created_at = db_text(db, 19, NULL),
	};

	memset(it, 0, sizeof(*it));
	it->id = row.id;
	snprintf(
	    it->request_id, sizeof(it->request_id), "%s", request_id != NULL ? request_id : "");
	it->attempts = db_number(db, 20);
	it->age_s = db_number(db, 21);
	if ((fault = mail_build(&it->mail, &row, o->conf->mail)) == NULL)
		return;
	snprintf(reason, sizeof(reason), "can't be made into a mail: %s", fault);
	decide(it, FATE_DEAD, 0, reason);
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
	struct item *it = &o->items[o->of_mail[i]];
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
		    "mail %lld: its lease ran out before its turn: not sent by us", it->id);
	return held == 1;
}

static bool
on_outcome(void *arg, size_t i, enum smtp_outcome outcome, const char *reply)
{
	struct outbox *o = arg;
	struct item *it = &o->items[o->of_mail[i]];

	switch (outcome) {
	case SMTP_SENT:
		decide(it, FATE_SENT, 0, "");
		o->failures = 0;
		break;
	case SMTP_REFUSED:
		decide(it, FATE_DEAD, 0, reply);
		break;
	case SMTP_LATER:
		decide_later(o, it, 1, mail_delay_s(o, it), reply);
		break;
	case SMTP_UNKNOWN:
		decide_later(o, it, CHANNEL_TRIES, mail_delay_s(o, it), reply);
		break;
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
	bool tried, no_memory = false;

	for (i = 0; i < o->n; i++) {
		no_memory |= o->items[i].mail.body.failed;
		if (o->items[i].fate != FATE_NONE || o->items[i].mail.body.failed)
			continue;
		o->mails[n] = &o->items[i].mail;
		o->of_mail[n++] = i;
	}
	if (n == 0 && no_memory) {
		log_line(LOG_ERROR, NULL, "out of memory");
		*pause_ms = DOWN_PAUSE_MS;
		return OUTBOX_CHANNEL;
	}
	if (n == 0)
		return OUTBOX_WORKED;
	end = smtp_send(o->conf->smtp, o->mails, n, &calls, o, &tried, why);
	if (end == SMTP_DONE || end == SMTP_STOPPED) {
		o->failures = 0;
		return OUTBOX_WORKED;
	}
	*pause_ms = retry_delay(PAUSE_MS, end == SMTP_WRONG ? WRONG_PAUSE_MS : DOWN_PAUSE_MS,
	    ++o->failures, random_number());
	if (end == SMTP_WRONG)
		log_line(LOG_ERROR, NULL,
		    "NO MAIL GOES OUT until this is mended: %s: %s (all mails are kept; next try "
		    "in %lld ms)",
		    o->conf->smtp->server, why, (long long)*pause_ms);
	else
		log_line(LOG_WARN, NULL,
		    "the mail server can't be used: %s: %s (next try in %lld ms)",
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
	log_line(LOG_INFO, NULL,
	    "batch of %zu: %zu sent, %zu to be tried again, %zu dead, %zu released", o->n,
	    count[FATE_SENT], count[FATE_RETRY], count[FATE_DEAD], count[FATE_NONE]);
}

enum outbox_end
outbox_run(struct outbox *o, int64_t *pause_ms)
{
	enum outbox_end end;

	if (!outbox_finish(o))
		return OUTBOX_DATABASE;
	if (!claim(o))
		return OUTBOX_DATABASE;
	if (o->n == 0)
		return OUTBOX_EMPTY;
	end = send_batch(o, pause_ms);
	log_batch(o);
	return outbox_finish(o) ? end : OUTBOX_DATABASE;
}
