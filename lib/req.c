#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "db.h"
#include "req.h"

#define API_KEY_MIN 16 /* as nginx/keys has it */

const char *
req_param(const struct req *rq, const char *name, int *count)
{
	size_t n = strlen(name);
	const char *found = NULL;
	char **e;
	int seen = 0;

	for (e = rq->env; *e != NULL; e++) {
		if (strncmp(*e, name, n) != 0 || (*e)[n] != '=')
			continue;
		if (seen++ == 0)
			found = *e + n + 1;
		if (count == NULL)
			break;
	}
	if (count != NULL)
		*count = seen;
	return found;
}

const char *
req_query(const struct req *rq, const char *name, size_t *len)
{
	size_t i;

	for (i = 0; i < rq->nquery; i++) {
		if (strcmp(rq->query[i].name, name) != 0)
			continue;
		if (len != NULL)
			*len = rq->query[i].len;
		return rq->query[i].value;
	}
	return NULL;
}

static void
note(struct req *rq, enum fault_in in, const char *at, const char *fmt, va_list ap)
{
	struct fault *f;

	if (rq->nfaults == REQ_FAULTS_MAX)
		return;
	f = &rq->faults[rq->nfaults++];
	f->in = in;
	snprintf(f->at, sizeof(f->at), "%s", at);
	vsnprintf(f->detail, sizeof(f->detail), fmt, ap);
}

void
req_fault(struct req *rq, const char *pointer, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(rq, FAULT_BODY, pointer, fmt, ap);
	va_end(ap);
}

void
req_fault_query(struct req *rq, const char *name, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(rq, FAULT_QUERY, name, fmt, ap);
	va_end(ap);
}

void
req_fault_header(struct req *rq, const char *name, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(rq, FAULT_HEADER, name, fmt, ap);
	va_end(ap);
}

bool
req_tells_key(const struct req *rq, const char *s, size_t len)
{
	return rq->api_key_len >= API_KEY_MIN
	       && memmem(s, len, rq->api_key, rq->api_key_len) != NULL;
}

void
req_call(struct req *rq, const char *procedure)
{
	db_call(rq->db, procedure);
	db_utf8(rq->db, rq->actor, strlen(rq->actor));
	db_utf8(rq->db, rq->request_id, strlen(rq->request_id));
	if (rq->keyed) {
		db_bytes(rq->db, rq->key, HASH_SIZE);
		db_bytes(rq->db, rq->body_hash, HASH_SIZE);
	} else {
		db_null(rq->db);
		db_null(rq->db);
	}
}
