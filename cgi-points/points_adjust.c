#include "answer.h"
#include "body.h"
#include "jsonw.h"
#include "routes.h"

#define AMOUNT_MAX 1000000000

enum { NAME, ROLE, BONUS_POINTS, COLUMNS, ID = COLUMNS, AMOUNT, FIELDS };

static void
shape(struct jsonw *w, const struct field *f)
{
	const struct field user[SHAPE_USER] = {f[ID], f[NAME], f[ROLE]};

	jsonw_object(w);
	jsonw_name(w, "user");
	shape_user(w, user);
	shape_member_number(w, "amount", &f[AMOUNT]);
	shape_member_number(w, "bonus_points", &f[BONUS_POINTS]);
	jsonw_close(w);
}

static enum prob
parse(struct req *rq, int64_t *amount, const char **reason, size_t *len)
{
	struct body b;
	enum prob pr;

	if ((pr = body_begin(&b, rq, true)) != PROB_NONE)
		return pr;
	if (body_int(&b, "amount", -AMOUNT_MAX, AMOUNT_MAX, amount) && *amount == 0)
		body_fault(&b, "must not be 0");
	body_text(&b, "reason", TEXT_REASON, reason, len);
	return body_end(&b);
}

/*
 * Add to a balance, or take from it.  201; 404 user-not-found; 409
 * insufficient-points below zero, balance-limit above 2^53 - 1.
 */
enum prob
points_adjust(struct req *rq, struct resp *rs)
{
	const char *reason = "";
	int64_t amount = 0;
	size_t len = 0;
	char digits[32];
	struct field known[FIELDS - COLUMNS];
	enum prob pr;

	if ((pr = parse(rq, &amount, &reason, &len)) != PROB_NONE)
		return pr;
	call_begin(rq, "points_adjust");
	db_bytes(rq->db, rq->id.b, sizeof(rq->id.b));
	db_int(rq->db, amount);
	db_utf8(rq->db, reason, len);
	db_out(rq->db, 1 + COLUMNS);
	known[0] = (struct field){(const char *)rq->id.b, sizeof(rq->id.b)};
	known[1] = (struct field){digits, digits_of(digits, amount)};
	return answer_known(
	    rq, rs, call_write(rq), shape, COLUMNS, known, FIELDS - COLUMNS, 201, NULL);
}
