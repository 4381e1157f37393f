#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "find.h"
#include "page.h"
#include "req.h"
#include "resp.h"
#include "text.h"

#define POINTS_MAX 9007199254740991 /* of a balance */

const char *const find_room_orders[] = {"id", "name", "required_points", NULL};

static void
read_sort(struct req *rq, struct find *f, const char *const *order)
{
	const char *sort = query_get(&rq->query, "sort", NULL);
	char names[80] = "";
	size_t i;

	f->sort = "id";
	if (sort == NULL)
		return;
	if (order[0] == NULL) {
		faults_add(&rq->faults, FAULT_QUERY, "sort", "must not stand beside q");
		return;
	}
	for (i = 0; order[i] != NULL; i++) {
		if (strcmp(sort + (*sort == '-'), order[i]) == 0) {
			f->sort = sort;
			return;
		}
		strcat(strcat(names, i > 0 ? ", " : ""), order[i]);
	}
	faults_add(
	    &rq->faults, FAULT_QUERY, "sort", "must be one of %s, or one with - in front", names);
}

void
find_read(struct req *rq, struct find *f, const char *const *order)
{
	const char *max, *why;
	size_t len;

	*f = (struct find){.max_points = -1};
	f->q = query_get(&rq->query, "q", &f->q_len);
	if (f->q != NULL && (why = text_fault(TEXT_PART, f->q, f->q_len, 200)) != NULL)
		faults_add(&rq->faults, FAULT_QUERY, "q", "must %s", why);
	read_sort(rq, f, order);
	if ((max = query_get(&rq->query, "max_points", &len)) == NULL)
		return;
	if (len >= 1 && len <= 16 && strspn(max, "0123456789") == len && (len == 1 || *max != '0'))
		f->max_points = atoll(max);
	if (f->max_points < 0 || f->max_points > POINTS_MAX)
		faults_add(&rq->faults, FAULT_QUERY, "max_points",
		    "must be an integer from 0 to %lld", (long long)POINTS_MAX);
}

bool
find_asked(const struct find *f)
{
	return f->q != NULL || f->max_points >= 0 || strcmp(f->sort, "id") != 0;
}

void
find_bind_q(struct req *rq, const struct find *f)
{
	if (f->q != NULL)
		db_utf8(rq->db, f->q, f->q_len);
	else
		db_null(rq->db);
}

enum prob
find_call(struct req *rq)
{
	enum prob pr = call_read(rq);
	const char *said;

	if (pr != PROB_NONE || db_columns(rq->db) != 1)
		return pr;
	if (!db_row(rq->db) || (said = db_text(rq->db, 0, NULL)) == NULL)
		pr = answer_unexpected(rq);
	else
		pr = PROB_BAD_QUERY;
	if (pr == PROB_BAD_QUERY)
		faults_add(&rq->faults, FAULT_QUERY, "q", "%s",
		    strcmp(said, "marks") == 0
			? "must have more than combining marks"
			: "is part of more than 200 guests' names: narrow the search");
	db_done(rq->db);
	return pr;
}

/* A key's number, as a list gives it; what somebody made himself has digits up to where it has
 * none, 18 at most. */
static long long
key_number(const struct page_order *order)
{
	long long n = 0;
	size_t i;

	for (i = 0; i < order->len && i < 18 && order->key[i] >= '0' && order->key[i] <= '9'; i++)
		n = n * 10 + (order->key[i] - '0');
	return n;
}

void
find_bind_page(struct req *rq, struct page *page, const struct find *f, unsigned name_column,
    unsigned number_column)
{
	const char *by = f->sort + (*f->sort == '-');

	page->order_column = strcmp(by, "name") == 0 ? name_column
			     : strcmp(by, "id") != 0 ? number_column
						     : 0;
	db_utf8(rq->db, f->sort, strlen(f->sort));
	if (page->first)
		db_null(rq->db);
	else
		db_bytes(rq->db, page->id, sizeof(page->id));
	if (page->first || page->order_column == 0) {
		db_null(rq->db);
		db_null(rq->db);
	} else {
		if (page->order_column == number_column)
			db_int(rq->db, key_number(&page->order));
		else
			db_bytes(rq->db, page->order.key, page->order.len);
		db_int(rq->db, page->order.mark);
	}
	db_int(rq->db, page->limit + 1);
}

enum prob
find_ids(struct req *rq, struct resp *rs, void (*select)(struct db *db), answer_shape *shape,
    unsigned columns)
{
	unsigned char ids[QUERY_IDS * 16];
	size_t n = query_ids(&rq->query, &rq->faults, ids);
	const struct page page = {.limit = QUERY_IDS};

	if (n == 0)
		return PROB_BAD_QUERY;
	rs->personal = true;
	select(rq->db);
	db_int(rq->db, (long long)n);
	db_bytes(rq->db, ids, n * 16);
	return answer_list(rq, rs, call_read(rq), &page, shape, columns);
}

void
find_rooms(struct req *rq, struct page *page, const struct find *f, bool archived, bool available)
{
	db_call(rq->db, "room_find");
	db_int(rq->db, archived);
	db_int(rq->db, available);
	if (f->max_points >= 0)
		db_int(rq->db, f->max_points);
	else
		db_null(rq->db);
	find_bind_q(rq, f);
	find_bind_page(rq, page, f, 6, 3);
}
