#ifndef LOYALTY_ETAG_H
#define LOYALTY_ETAG_H

#include <stdbool.h>
#include <stddef.h>

struct faults;
struct wire;

#define ETAG_SIZE 36 /* of a tag of ours: quotes and NUL included */

/* The strong entity tag (RFC 9110, 8.8.3) of len bytes of a representation. */
void etag_of(char out[ETAG_SIZE], const void *p, size_t len);

/*
 * The conditions If-Match and If-None-Match (RFC 9110, 13.1).  `header` is the
 * FastCGI parameter, HTTP_IF_MATCH; a header given several times is one list.
 */
enum etag_list {
	ETAG_NONE,   /* it did not come */
	ETAG_ANY,    /* "*" */
	ETAG_TAGS,   /* a list of entity tags */
	ETAG_BROKEN, /* neither */
};
enum etag_list etag_list(const struct wire *w, const char *header);

/*
 * Is the tag (strong, as etag_of makes it) in the list, or the list "*"?
 * weak: by weak comparison, W/"x" is "x"; else a weak one never fits (8.8.3.2).
 */
bool etag_listed(const struct wire *w, const char *header, const char *tag, bool weak);

/*
 * Do the conditions of a write hold?  tag: of the current state, NULL where there is none.
 * By 13.2.2: If-Match by strong comparison first, then If-None-Match by weak comparison.
 */
bool etag_conditions_hold(const struct wire *w, const char *tag);

/* Look over both: PUT and PATCH hold them against the state (change_answer), w->conditional; a POST
 * has none that they could be about. */
void etag_check(struct wire *w, struct faults *faults);

#endif
