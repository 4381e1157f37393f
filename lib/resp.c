#include <stdio.h>
#include <string.h>

#include "etag.h"
#include "jsonw.h"
#include "faults.h"
#include "resp.h"
#include "wire.h"

#define RETRY_AFTER_S "2"

void
resp_reset(struct resp *rs)
{
	buf_reset(&rs->body);
	buf_reset(&rs->head);
	rs->status = 200;
	rs->type = "application/json";
	rs->has_etag = rs->personal = rs->streamed = rs->begun = false;
	rs->allow = rs->redirect = NULL;
}

void
resp_free(struct resp *rs)
{
	buf_free(&rs->body);
	buf_free(&rs->head);
}

void
resp_header(struct resp *rs, const char *name, const char *value)
{
	buf_str(&rs->head, name);
	buf_str(&rs->head, ": ");
	buf_str(&rs->head, value);
	buf_str(&rs->head, "\r\n");
}

static void
write_faults(struct jsonw *w, const struct faults *f)
{
	static const char *const where[] = {
	    [FAULT_BODY] = "pointer", [FAULT_QUERY] = "parameter", [FAULT_HEADER] = "header"};
	size_t i;

	jsonw_name(w, "errors");
	jsonw_array(w);
	for (i = 0; i < f->n; i++) {
		jsonw_object(w);
		jsonw_name(w, where[f->list[i].in]);
		jsonw_str(w, f->list[i].at);
		jsonw_name(w, "detail");
		jsonw_str(w, f->list[i].detail);
		jsonw_close(w);
	}
	jsonw_close(w);
}

void
resp_problem(struct resp *rs, const struct faults *faults, enum prob p, const char *detail,
    const char *request_id)
{
	const struct problem *pr = problem_of(p);
	const char *allow = rs->allow;
	struct jsonw w;
	char type[64];

	resp_reset(rs);
	rs->status = pr->status;
	rs->type = "application/problem+json";
	rs->allow = allow;
	snprintf(type, sizeof(type), "/problems/%s", pr->name);
	w = jsonw_begin(&rs->body);
	jsonw_object(&w);
	jsonw_name(&w, "type");
	jsonw_str(&w, type);
	jsonw_name(&w, "title");
	jsonw_str(&w, pr->title);
	jsonw_name(&w, "status");
	jsonw_int(&w, pr->status);
	jsonw_name(&w, "detail");
	jsonw_str(&w, detail != NULL && *detail != '\0' ? detail : pr->detail);
	jsonw_name(&w, "request_id");
	jsonw_str(&w, request_id);
	if (p == PROB_BAD_QUERY || p == PROB_VALIDATION)
		write_faults(&w, faults);
	jsonw_close(&w);
	resp_header(rs, "Cache-Control", "no-store");
	if (p == PROB_UNAUTHORIZED)
		resp_header(rs, "WWW-Authenticate", "Bearer realm=\"loyalty\"");
	if (p == PROB_UNAVAILABLE)
		resp_header(rs, "Retry-After", RETRY_AFTER_S);
}

/* Strong: over the body, and the headers that belong to the representation (Link). */
static void
make_etag(struct resp *rs, char out[ETAG_SIZE])
{
	size_t len = rs->body.len;

	buf_add(&rs->body, rs->head.p, rs->head.len);
	etag_of(out, rs->body.p, rs->body.len);
	rs->body.len = len;
}

void
resp_render(struct resp *rs, const struct wire *wire, struct buf *out)
{
	char etag[ETAG_SIZE];
	bool has_body = rs->body.len > 0 || rs->streamed;

	if (rs->has_etag && rs->status == 200) {
		make_etag(rs, etag);
		resp_header(rs, "ETag", etag);
		if (etag_listed(wire, "HTTP_IF_NONE_MATCH", etag, true)) {
			rs->status = 304;
			has_body = false;
		}
		resp_header(rs, "Cache-Control", rs->personal ? "private, no-cache" : "no-cache");
	}
	buf_str(out, "Status: ");
	buf_int(out, rs->status);
	buf_str(out, "\r\n");
	if (rs->redirect != NULL) {
		buf_str(out, "X-Accel-Redirect: ");
		buf_str(out, rs->redirect);
		buf_str(out, "\r\n");
	}
	if (has_body) {
		buf_str(out, "Content-Type: ");
		buf_str(out, rs->type);
		buf_str(out, "\r\n");
	}
	if (has_body && !rs->streamed) {
		buf_str(out, "Content-Length: ");
		buf_int(out, (long long)rs->body.len);
		buf_str(out, "\r\n");
	}
	if (rs->allow != NULL) {
		buf_str(out, "Allow: ");
		buf_str(out, rs->allow);
		buf_str(out, "\r\n");
	}
	buf_add(out, rs->head.p, rs->head.len);
	buf_str(out, "\r\n");
	if (has_body && wire->method != METHOD_HEAD)
		buf_add(out, rs->body.p, rs->body.len);
}

bool
resp_flush(struct resp *rs, const struct wire *wire)
{
	rs->streamed = true;
	if (rs->begun)
		buf_add(rs->out, rs->body.p, rs->body.len);
	else
		resp_render(rs, wire, rs->out);
	rs->begun = true;
	if (rs->body.failed || rs->head.failed || rs->out->failed)
		return false;
	buf_reset(&rs->body);
	return rs->send(rs->send_arg);
}
