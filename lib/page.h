#ifndef LOYALTY_PAGE_H
#define LOYALTY_PAGE_H

#include <stdbool.h>
#include <stddef.h>

struct field;
struct req;
struct resp;

#define PAGE_DEFAULT 50
#define PAGE_MAX 200

/* Where a row stands in a list that is ordered by something else than the ids. */
struct page_order {
	long long mark; /* of the first page: who has moved since is left out (procs/room_find.sql)
			 */
	size_t len;
	char key[2400]; /* what the row was ordered by; a folded name has no more bytes */
};

/*
 * Where a list goes on.  A cursor is the id of the last row that was seen, in
 * other orders than that of the ids with what it was ordered by, and a check
 * over the list's path and filters, in base64url (RFC 4648, 5): one of another
 * list, of other filters or with a wrong character is refused.  It is no
 * secret: who computes one gets to a position, nothing more.
 */
struct page {
	int limit;		 /* rows on this page */
	bool first;		 /* no cursor came */
	unsigned char id[16];	 /* go on behind this row */
	struct page_order order; /* the same; len 0: none came */
	unsigned order_column; /* what rows are ordered by, their last column is the mark; 0: id */
};

/* Read limit and cursor; faults go to rq. */
void page_read(struct req *rq, struct page *page);

/* Where a page ends, from the id of its last row: a UUID's bytes, or a decimal number in the last
 * eight. */
void page_key(const struct field *id, unsigned char key[16]);

/* The number that page_key has put away; 0 on the first page. */
long long page_number(const struct page *page);

/* Announce the next page (Link, RFC 8288), behind the row last; order NULL: the ids'. */
void page_next(const struct req *rq, struct resp *rs, const struct page *page,
    const unsigned char last[16], const struct page_order *order);

#endif
