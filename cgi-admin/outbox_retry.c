#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "outbox.h"
#include "routes.h"

/* The number in the path: 1 to 18 digits, no leading zero.  0: it is none. */
static long long
mail_id(const struct req *rq)
{
	size_t n = strspn(rq->segment, "0123456789");

	if (n != rq->segment_len || n < 1 || n > 18 || rq->segment[0] == '0')
		return 0;
	return strtoll(rq->segment, NULL, 10);
}

/* A DEAD mail is due again.  200; 404; 409 invalid-transition of any other. */
enum prob
outbox_retry(struct req *rq, struct resp *rs)
{
	static const char *const names[] = {NULL};
	long long id = mail_id(rq);
	struct json_object *in;
	enum prob pr;

	if (id == 0)
		return PROB_NOT_FOUND;
	if ((pr = req_json_object(rq, false, &in)) != PROB_NONE)
		return pr;
	if (in != NULL)
		req_json_only(rq, in, "", names);
	if (rq->nfaults > 0)
		return PROB_VALIDATION;
	req_call(rq, "outbox_retry");
	db_int(rq->db, id);
	return answer_write(rq, rs, outbox_shape, SHAPE_OUTBOX, NULL);
}
