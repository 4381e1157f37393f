#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conf.h"
#include "db.h"
#include "fcgi.h"
#include "log.h"
#include "metrics.h"
#include "version.h"
#include "service.h"

#define LISTEN_FD 0
#define GRACE_MS 8000
#define TICK_MS 3000	      /* how old the metrics may be */
#define TICK_DEADLINE_MS 1000 /* short: the end must not wait for it */
#define OWN_SETTING_SIZE 64   /* LOYALTY_ROOMS_DEADLINE_MS */

struct service {
	const char *name;
	const struct route *routes;
	size_t nroutes;
	struct db_conf db;
	struct db_shared shared;
	int threads, own_socket, log_level;
	struct metrics *metrics;
	struct db_conf tick_db;
	struct db *tick;
};

/* What a thread keeps from one request to the next: a connection, and memory. */
struct context {
	struct service *s;
	struct db *db;
	struct req rq;
	struct resp rs;
};

static void
end_thread(void *arg)
{
	struct context *c = arg;

	if (c == NULL)
		return;
	db_free(c->db);
	db_thread_end();
	resp_free(&c->rs);
	free(c);
}

static void *
begin_thread(void *arg)
{
	struct context *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	db_thread_begin();
	c->s = arg;
	if ((c->db = db_new(&c->s->db, &c->s->shared)) == NULL) {
		end_thread(c);
		return NULL;
	}
	return c;
}

/*
 * How long ago nginx passed the request on, in ms: it may have waited for a
 * free thread.  0 where nginx does not say, or clocks disagree.
 */
static int64_t
waited_ms(const struct req *rq)
{
	const char *s = wire_param(&rq->wire, "LOYALTY_MSEC", NULL);
	struct timespec ts;
	int64_t waited;

	if (s == NULL)
		return 0;
	clock_gettime(CLOCK_REALTIME, &ts);
	waited =
	    (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 - (int64_t)(strtod(s, NULL) * 1000.0);
	return waited > 0 && waited < 60000 ? waited : 0;
}

static bool
send(void *out)
{
	return fcgi_send(out);
}

static void
serve(void *arg, char **env, const char *body, size_t body_len, struct fcgi_out *out)
{
	struct context *c = arg;
	struct req *rq = &c->rq;
	struct timespec from, to;
	int64_t left;

	clock_gettime(CLOCK_MONOTONIC, &from);
	req_begin(rq, c->db, env, body, body_len);
	resp_reset(&c->rs);
	c->rs.out = &out->buf;
	c->rs.send = send;
	c->rs.send_arg = out;
	left = c->s->db.deadline_ms - waited_ms(rq);
	db_until(c->db, db_now_ms() + left);
	route_dispatch(c->s->routes, c->s->nroutes, c->s->name, rq, &c->rs);
	if (c->rs.begun)
		buf_add(&out->buf, c->rs.body.p, c->rs.body.len);
	else
		resp_render(&c->rs, &rq->wire, &out->buf);
	clock_gettime(CLOCK_MONOTONIC, &to);
	metrics_count(c->s->metrics, rq->route, c->rs.status,
	    (int64_t)(to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000);
	if (out->buf.failed || c->rs.body.failed || c->rs.head.failed) {
		buf_reset(&out->buf);
		if ((out->cut = c->rs.begun))
			return;
		buf_str(&out->buf, "Status: 500\r\n\r\n");
	}
}

static void
tick(void *arg)
{
	struct service *s = arg;

	log_catch_up();
	if (s->tick != NULL)
		metrics_flush(s->metrics, s->tick, &s->shared);
}

/* FastCGI until the end, metrics on the side. */
static int
run(struct service *s)
{
	struct fcgi f = {.listen_fd = LISTEN_FD,
	    .threads = s->threads,
	    .own_socket = s->own_socket != 0,
	    .body_max = WIRE_BODY_MAX,
	    .grace_ms = GRACE_MS,
	    .thread_begin = begin_thread,
	    .thread_end = end_thread,
	    .serve = serve,
	    .tick = tick,
	    .tick_ms = TICK_MS,
	    .arg = s};
	int rc = -1;

	s->tick_db = s->db;
	s->tick_db.deadline_ms = TICK_DEADLINE_MS;
	s->metrics = metrics_new(s->name, s->routes, s->nroutes);
	s->tick = db_new(&s->tick_db, NULL);
	if (s->metrics != NULL && s->tick != NULL) {
		log_line(LOG_INFO, NULL, "ready: %d threads, schema compatibility number %d",
		    s->threads, LOYALTY_COMPATIBILITY);
		rc = fcgi_run(&f);
		tick(s);
	}
	db_free(s->tick);
	metrics_free(s->metrics);
	log_line(LOG_INFO, NULL, "ended");
	return rc == 0 ? 0 : 1;
}

/* -t: can the database be used, for writing, too? */
static int
test(struct service *s)
{
	struct db *db = db_new(&s->db, NULL);
	enum db_status st = DB_FAILED;

	if (db != NULL) {
		db_call(db, "ready");
		st = db_exec(db, DB_READ, NULL);
		if (st != DB_OK)
			fprintf(stderr, "%s: database: %s\n", s->name, db_reason(db));
	}
	db_free(db);
	if (st == DB_OK)
		printf("%s: configuration and database are fine, schema compatibility number %d\n",
		    s->name, LOYALTY_COMPATIBILITY);
	return st == DB_OK ? 0 : 1;
}

static bool
is_mode(const char *s)
{
	return strcmp(s, "-h") == 0 || strcmp(s, "-r") == 0 || strcmp(s, "-t") == 0
	       || strcmp(s, "-V") == 0;
}

/* The setting of one program: cgi-rooms's threads are LOYALTY_ROOMS_THREADS. */
static const char *
own_setting(char out[OWN_SETTING_SIZE], const char *program, const char *what)
{
	char *c;

	snprintf(out, OWN_SETTING_SIZE, "LOYALTY_%s_%s", program + strlen("cgi-"), what);
	for (c = out; *c != '\0'; c++)
		*c = (char)toupper((unsigned char)*c);
	return out;
}

int
service_main(int argc, char **argv, const char *name, const char *db_user,
    const struct route *routes, size_t n, const struct conf_row *own)
{
	struct service s = {.name = name, .routes = routes, .nroutes = n};
	char threads[OWN_SETTING_SIZE], deadline[OWN_SETTING_SIZE], own_socket[OWN_SETTING_SIZE];
	char processes[OWN_SETTING_SIZE];
	int started;
	struct conf_row rows[DB_SETTINGS + 6] = {
	    [DB_SETTINGS] = {own_setting(threads, name, "THREADS"), CONF_INT, 1, 64, NULL, "8",
		"requests at a time, each with a database connection", &s.threads},
	    {own_setting(deadline, name, "DEADLINE_MS"), CONF_INT, 500, 60000, NULL, "4500",
		"maximum time for a request, queueing included", &s.db.deadline_ms},
	    {own_setting(own_socket, name, "SOCKET"), CONF_CHOICE, 0, 0, "shared|own", "shared",
		"own: no other process takes connections from it, so that at the end it is closed",
		&s.own_socket},
	    {own_setting(processes, name, "PROCESSES"), CONF_INT, 1, 99, NULL, "1",
		"processes of it that native/stack starts; threads are the better way", &started},
	    {"LOYALTY_LOG_LEVEL", CONF_CHOICE, 0, 0, "error|warn|info|debug", "info",
		"minimum log level", &s.log_level},
	};
	const size_t nrows = DB_SETTINGS + 5 + (own != NULL);
	const char *mode = argc > 1 ? argv[1] : "";
	int rc;

	db_settings(rows, &s.db, db_user);
	if (own != NULL)
		rows[nrows - 1] = *own;
	if (argc > 2 || (argc == 2 && !is_mode(mode))) {
		fprintf(stderr, "usage: %s [-h | -r | -t | -V]\n", name);
		return 2;
	}
	if (strcmp(mode, "-V") == 0) {
		printf("%s %s\n", name, LOYALTY_VERSION);
		return 0;
	}
	if (strcmp(mode, "-r") == 0) {
		route_print(routes, n, stdout);
		return 0;
	}
	if (strcmp(mode, "-h") == 0) {
		printf("usage: %s [-h | -r | -t | -V]\nFastCGI on descriptor 0.  -r: routes.  -t: "
		       "test.  -V: "
		       "version.  Settings, from the environment:\n",
		    name);
		conf_print(rows, nrows, stdout);
		return 0;
	}
	if (conf_load(rows, nrows, stderr) != 0 || !db_conf_fits(&s.db, stderr)
	    || !db_library_begin()) {
		conf_free(rows, nrows);
		return 2;
	}
	log_init(name, (enum log_level)s.log_level);
	log_open();
	rc = strcmp(mode, "-t") == 0 ? test(&s) : run(&s);
	db_library_end();
	conf_free(rows, nrows);
	return rc;
}
