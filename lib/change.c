#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "change.h"
#include "etag.h"
#include "jsonw.h"
#include "req.h"
#include "resp.h"

#define SEEN_MAX 2000 /* bytes: a name and some numbers */
#define ROUNDS_MAX 10

/* The state that the conditions were held against, as the writing procedure compares it. */
struct seen {
	bool any;   /* they would hold for any other as well */
	bool there; /* else: there was a row, of these columns */
	size_t len[ANSWER_COLUMNS_MAX];
	char s[SEEN_MAX];
};

static bool
remember(struct seen *seen, const struct field *f, unsigned columns)
{
	size_t used = 0;
	unsigned i;

	for (i = 1; i < columns; i++) {
		if (f[i].s == NULL || used + f[i].len > sizeof(seen->s))
			return false;
		memcpy(seen->s + used, f[i].s, f[i].len);
		used += seen->len[i] = f[i].len;
	}
	return true;
}

/* The last arguments of the writing call. */
static void
send_seen(struct db *db, const struct seen *seen, unsigned columns)
{
	const char *s = seen->s;
	unsigned i;

	for (i = 1; i < columns; i++) {
		if (seen->any || (!seen->there && i > 1)) {
			db_null(db);
			continue;
		}
		db_utf8(db, s, seen->there ? seen->len[i] : 0);
		s += seen->len[i];
	}
}

/* Read the state; PROB_NONE where the conditions hold for it.  rs is used, and left empty. */
static enum prob
look(struct req *rq, struct resp *rs, const struct change *c, struct seen *seen)
{
	struct field f[ANSWER_COLUMNS_MAX];
	struct jsonw w = jsonw_begin(&rs->body);
	char etag[ETAG_SIZE];
	enum prob pr;
	bool fine = true, gone = false;

	c->read(rq);
	if ((pr = call_read(rq)) != PROB_NONE)
		return pr;
	if ((seen->there = db_row(rq->db))) {
		gone = c->gone != PROB_NONE && db_number(rq->db, c->columns) != 0;
		answer_fields(rq->db, f, 0, c->columns);
		c->shape(&w, f);
		fine = jsonw_end(&w) && remember(seen, f, c->columns);
		etag_of(etag, rs->body.p, rs->body.len);
	}
	db_done(rq->db);
	resp_reset(rs);
	if (!fine)
		return answer_unexpected(rq);
	if (!seen->there && c->missing != PROB_NONE)
		return c->missing;
	if (gone)
		return c->gone;
	/* of "*" all that counts is that there is a row; none ever goes away */
	seen->any = seen->there && etag_list(&rq->wire, "HTTP_IF_MATCH") != ETAG_TAGS
		    && etag_list(&rq->wire, "HTTP_IF_NONE_MATCH") != ETAG_TAGS;
	return etag_conditions_hold(&rq->wire, seen->there ? etag : NULL)
		   ? PROB_NONE
		   : PROB_PRECONDITION_FAILED;
}

enum prob
change_answer(struct req *rq, struct resp *rs, const struct change *c, const void *in)
{
	struct seen seen = {.any = true};
	enum prob pr;
	int round = 0;

	do {
		if (rq->wire.conditional && (pr = look(rq, rs, c, &seen)) != PROB_NONE)
			return pr;
		c->call(rq, in);
		send_seen(rq->db, &seen, c->columns);
		pr = answer_write(rq, rs, call_write(rq), c->shape, c->columns, 200, NULL);
	} while (pr == PROB_PRECONDITION_FAILED && ++round < ROUNDS_MAX);
	if (pr != PROB_PRECONDITION_FAILED)
		return pr;
	snprintf(rq->faults.detail, sizeof(rq->faults.detail),
	    "Others keep changing it. Nothing was changed by this request; try again.");
	return PROB_UNAVAILABLE;
}
