#include <stdio.h>
#include <string.h>

#include "db.h"
#include "fuzz.h"
#include "log.h"
#include "target.h"

#define ID "0192f4a1-7b3c-7def-8123-456789abcdef"
#define KEY "LOYALTY_ROLE=restricted\nHTTP_X_API_KEY=k\n"

/* Parameters, a line each; after an empty line the body. */
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("REQUEST_METHOD=GET\nREQUEST_PATH=/v1/things\n" KEY
	      "QUERY_STRING=available=true&q=%20x&limit=5&cursor=AZL0oXs8fe-"
	      "BI0VniavN7wAAAAAAAAAA\nHTTP_X_ACTOR=Anna%20M%c3%bcller\n"),
    FUZZ_SEED("REQUEST_METHOD=GET\nREQUEST_PATH=/v1/things/" ID "\n" KEY
	      "HTTP_IF_NONE_MATCH=\"a\", W/\"b\", *\nLOYALTY_REQUEST_ID=req-1\n"),
    FUZZ_SEED("REQUEST_METHOD=GET\nREQUEST_PATH=/v1/things\n" KEY "QUERY_STRING=ids=" ID
	      ",11111111-2222-4333-8444-555555555555\n"),
    FUZZ_SEED("REQUEST_METHOD=HEAD\nREQUEST_PATH=/v1/things\n" KEY "QUERY_STRING=limit=200\n"),
    FUZZ_SEED(
	"REQUEST_METHOD=POST\nREQUEST_PATH=/v1/things\n" KEY
	"CONTENT_TYPE=application/json; charset=utf-8\nHTTP_IDEMPOTENCY_KEY=k-1\nQUERY_STRING=\n\n"
	"{\"room_id\":\"" ID "\",\"user\":{\"id\":\"" ID
	"\",\"name\":\"n\",\"role\":\"USER\"},\"amount\":-1,\"reason\":\"r\"}"),
    FUZZ_SEED(
	"REQUEST_METHOD=POST\nREQUEST_PATH=/v1/things\n" KEY "CONTENT_TYPE=application/json\n\n"
	"{\"m~n/o\":1,\"user\":{\"role\":1,\"x\":2},\"amount\":1e3}"),
    FUZZ_SEED("REQUEST_METHOD=POST\nREQUEST_PATH=/v1/things/" ID "/act\n" KEY
	      "HTTP_CONTENT_ENCODING=identity\nCONTENT_TYPE=application/json\n\n{}"),
    FUZZ_SEED("REQUEST_METHOD=PUT\nREQUEST_PATH=/v1/things/" ID
	      "\nLOYALTY_ROLE=public\nHTTP_AUTHORIZATION=Bearer k\n\n{}"),
    FUZZ_SEED("REQUEST_METHOD=OPTIONS\nREQUEST_PATH=/v1/things/x/act\n"),
    FUZZ_SEED("REQUEST_METHOD=GET\nREQUEST_PATH=/readyz\nLOYALTY_READY_NEXT=/x\n"),
    FUZZ_SEED("REQUEST_METHOD=POST\nREQUEST_PATH=/v1/stored\n" KEY "HTTP_IDEMPOTENCY_KEY=k\n"),
    FUZZ_SEED("REQUEST_METHOD=PUT\nREQUEST_PATH=/v1/stored/" ID "\n" KEY
	      "HTTP_IF_MATCH=\"a\", W/\"b\"\nHTTP_IF_NONE_MATCH=*\n"),
    {NULL, 0},
};

const struct fuzz_seed fuzz_words[] = {FUZZ_SEED("\n"), FUZZ_SEED("\r\n"), FUZZ_SEED("="),
    FUZZ_SEED("&"), FUZZ_SEED("%"), FUZZ_SEED("%00"), FUZZ_SEED("%0d%0a"), FUZZ_SEED("%ff"),
    FUZZ_SEED("%e2%80%ae"), FUZZ_SEED("/"), FUZZ_SEED("{id}"), FUZZ_SEED("\""), FUZZ_SEED("\\"),
    FUZZ_SEED(","), FUZZ_SEED("*"), FUZZ_SEED("W/"), FUZZ_SEED(";"), FUZZ_SEED("charset="),
    FUZZ_SEED("\x1b"), FUZZ_SEED("\xff"), FUZZ_SEED("\xf0\x9f\x98\x80"), FUZZ_SEED("limit=5&"),
    FUZZ_SEED("q=1&"), FUZZ_SEED("ids="), FUZZ_SEED(ID ","), FUZZ_SEED("cursor="),
    FUZZ_SEED("available=1"), FUZZ_SEED("QUERY_STRING="), FUZZ_SEED("HTTP_X_API_KEY=k\n"),
    FUZZ_SEED("LOYALTY_ROLE=public\n"), FUZZ_SEED("HTTP_X_ACTOR="),
    FUZZ_SEED("HTTP_IDEMPOTENCY_KEY="), FUZZ_SEED("HTTP_IF_NONE_MATCH="),
    FUZZ_SEED("HTTP_IF_MATCH="), FUZZ_SEED("HTTP_AUTHORIZATION="), FUZZ_SEED("LOYALTY_REQUEST_ID="),
    FUZZ_SEED("CONTENT_TYPE="), FUZZ_SEED("\"a\":1,"), FUZZ_SEED("\"user\":"), FUZZ_SEED("[[[["),
    FUZZ_SEED("]"), {NULL, 0}};

/* Cut the input into parameters and body. */
static void
fill(struct exchange *x, char *s, char *end)
{
	while (s < end && *s != '\n') {
		char *eol = memchr(s, '\n', (size_t)(end - s));

		if (eol == NULL)
			eol = end;
		*eol = '\0';
		exchange_add(x, "%s", s);
		s = eol + 1;
	}
	if (s < end)
		s++;
	x->rq.wire.body = s < end ? s : "";
	x->rq.wire.body_len = s < end ? (size_t)(end - s) : 0;
	if (x->rq.wire.body_len > WIRE_BODY_MAX)
		x->rq.wire.body = NULL;
}

/* No handler sees a request without a key, nor one that was refused. */
static const char *
call_fault(const struct exchange *x)
{
	int keys, auths;

	wire_param(&x->rq.wire, "HTTP_X_API_KEY", &keys);
	wire_param(&x->rq.wire, "HTTP_AUTHORIZATION", &auths);
	if (target_calls > 1)
		return "two handlers were called";
	if (target_calls == 1
	    && (x->rq.caller.role == ROLE_NONE || keys > 1 || auths > 1 || keys + auths == 0))
		return "a handler was called without a key";
	if (target_calls == 1
	    && (x->rs.status == 401 || x->rs.status == 403 || x->rs.status == 405
		|| x->rs.status == 415))
		return "a handler was called for a request that was refused";
	if (x->rq.query.n > QUERY_MAX || x->rq.faults.n > FAULTS_MAX)
		return "a table is over-full";
	return NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct db_conf conf = {
	    .hosts = "/nonexistent/sock", .user = "u", .name = "n", .deadline_ms = 1000};
	static struct exchange x;
	static struct db *db;
	char *copy = malloc(size + 1);
	const char *why;

	if (db == NULL) {
		log_init("fuzz", LOG_ERROR);
		db = db_new(&conf, NULL);
	}
	memcpy(copy, data, size);
	copy[size] = '\0';
	target_calls = 0;
	exchange_begin(&x, NULL, NULL);
	fill(&x, copy, copy + size);
	x.rq.db = db;
	exchange_run(&x);
	if ((why = exchange_fault(&x)) != NULL || (why = call_fault(&x)) != NULL)
		fuzz_fail(why, x.out.p, x.out.len);
	free(copy);
	return 0;
}
