#ifndef LOYALTY_RESP_H
#define LOYALTY_RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "problem.h"

struct faults;
struct wire;

/* An answer in the making.  The buffers keep their memory from one request to the next, nothing
 * else. */
struct resp {
	int status;
	struct buf body;
	struct buf head;      /* header lines of this answer, each ending in CRLF */
	const char *type;     /* Content-Type */
	bool has_etag;	      /* a GET that answers If-None-Match */
	bool personal;	      /* about people: not for shared caches */
	const char *allow;    /* Allow, for 405 and OPTIONS */
	const char *redirect; /* X-Accel-Redirect: nginx goes on there */
	bool streamed;	      /* its length is not known when it begins */
	bool begun;	      /* resp_flush has sent a part */
	/* Where resp_flush appends to, and what sends that on. */
	struct buf *out;
	bool (*send)(void *arg);
	void *send_arg;
};

void resp_reset(struct resp *rs);
void resp_free(struct resp *rs);

/* Append a header line.  value must not come from outside unchecked: CR and LF would end it. */
void resp_header(struct resp *rs, const char *name, const char *value);

/* Replace whatever was made by the problem document (RFC 9457) of p. */
void resp_problem(struct resp *rs, const struct faults *faults, enum prob p, const char *detail,
    const char *request_id);

/*
 * Of an answer that is too large for memory: send what the body has so far, the
 * header before its first part, and empty it.  From then on status and headers
 * are settled; a problem ends the connection in mid-answer.  false: nobody
 * takes it any more.
 */
bool resp_flush(struct resp *rs, const struct wire *wire);

/* Everything to send, CGI header first, to out.  head_only: without the body.
 * Computes the ETag and turns a match of If-None-Match into a 304. */
void resp_render(struct resp *rs, const struct wire *wire, struct buf *out);

#endif
