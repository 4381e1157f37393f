#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <mysql.h>
#include <mysqld_error.h>
#include <errmsg.h>

#include "buf.h"
#include "conf.h"
#include "db.h"
#include "hex.h"
#include "log.h"
#include "schema_version.h"

#ifdef MARIADB_PACKAGE_VERSION
typedef my_bool my_bool_;
#else
typedef bool my_bool_;
#endif

/* Not in every header that we build with. */
#define ERR_DISK_FULL 1021
#define ERR_QUERY_TIMEOUT 3024
#define ERR_REPLICATION_HOOK 3100
#define ERR_ROLLBACK_ON_CERTIFICATION 3101
#define ERR_IDLE_TOO_LONG 4031
#define ERR_STATEMENT_TIMEOUT 1969
#define ERR_CONNECTION_KILLED 1927
#define ERR_READ_ONLY_MODE 1836
#define ERR_NEED_REPREPARE 1615
#define ERR_TIMEOUT 1 /* ours: no answer within the deadline */

#define CONNECT_TIMEOUT_S 1
#define SCHEMA_CHECK_MS 5000 /* how long a program may be wrong about the schema */
#define REFUSE_MS 1000	     /* after a timeout: one probe in this time, all others are refused */
#define AGAIN_MS 500	     /* with less time left nothing is begun again */
#define RECOVER_MS 1000 /* to find out what became of a keyed write when the connection broke */
#define KILL_WINDOW_MS 60000
#define REPLACED_MS 2000 /* how long a procedure may be away */
#define REPLACED_PACE 3	 /* back_off between looks: 17 ms or so */
#define TRIES 10
#define FRESH_MS 200 /* a read does not look whether a connection lives that was used just now */
#define RESULTS_MAX 32
#define STATEMENTS_MAX 16 /* SELECTs of one program */
#define PARAMS_MAX 8
#define TEXT_MAX 65536 /* bytes of a field */

/* A column of a SELECT: the field at hand, and its text. */
struct column {
	union {
		long long n;
		MYSQL_TIME time;
	} value;
	char *text; /* NUL-terminated; what numbers and times are written to */
	unsigned long len;
	my_bool_ is_null;
};

/* A SELECT as the server of this connection has prepared it. */
struct statement {
	const char *sql; /* the program's literal: who has the same address is the same */
	MYSQL_STMT *stmt;
	unsigned ncolumns;
	struct column *columns;
	MYSQL_BIND *binds;
};

/* An argument of the SELECT at hand: a number, or bytes in db->sql. */
struct param {
	enum enum_field_types type; /* LONGLONG, BLOB, STRING, NULL */
	long long n;
	size_t at;
	unsigned long len;
};

struct db {
	const struct db_conf *conf;
	struct db_shared *shared, own;
	MYSQL *my;
	MYSQL_RES *results[RESULTS_MAX]; /* of the call */
	unsigned nresults, at;
	MYSQL_ROW row;
	unsigned long *lengths;
	struct buf sql; /* of a call: its text; of a SELECT: the bytes of its arguments */
	bool first_arg;
	const char *select; /* the SELECT at hand, or NULL: a call */
	struct param params[PARAMS_MAX];
	unsigned nparams;
	struct statement statements[STATEMENTS_MAX];
	unsigned nstatements;
	struct statement *rows; /* whose result is at hand, or NULL */
	char failure[512];	/* what the library says of a SELECT that failed, else "" */
	int64_t used_ms;	/* when the server answered last */
	bool sent;		/* by db_send, and the answer not read yet */
	unsigned send_error;	/* 0, or why sending failed */
	char name[48];
	char reason[800];
	int64_t until_ms;	   /* deadline given by db_until, or 0 */
	int64_t schema_checked_ms; /* 0: not yet on this connection */
	unsigned host;		   /* which of conf->hosts comes next */
	bool shut_out;		   /* the last server reached has no such account or database */
	unsigned at_host;	   /* which one the connection is to */
	unsigned kill_host;	   /* where a connection was given up in the middle of a call */
	unsigned long kill_id;	   /* its id there, or 0 */
	int64_t kill_asked_ms;
};

int64_t
db_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct db *
db_new(const struct db_conf *c, struct db_shared *shared)
{
	struct db *db = calloc(1, sizeof(*db));

	if (db != NULL) {
		db->conf = c;
		db->shared = shared != NULL ? shared : &db->own;
	}
	return db;
}

bool
db_library_begin(void)
{
	return mysql_library_init(0, NULL, NULL) == 0;
}

void
db_library_end(void)
{
	mysql_library_end();
}

static void
forget(struct statement *s)
{
	unsigned i;

	if (s->stmt != NULL)
		mysql_stmt_close(s->stmt);
	for (i = 0; i < s->ncolumns; i++)
		free(s->columns[i].text);
	free(s->columns);
	free(s->binds);
	*s = (struct statement){0};
}

static void
disconnect(struct db *db)
{
	db_done(db);
	if (db->my != NULL)
		mysql_close(db->my);
	db->my = NULL;
	while (db->nstatements > 0)
		forget(&db->statements[--db->nstatements]);
	db->sent = false;
	db->schema_checked_ms = 0;
}

void
db_free(struct db *db)
{
	if (db == NULL)
		return;
	disconnect(db);
	buf_free(&db->sql);
	free(db);
}

const struct db_conf *
db_conf_of(const struct db *db)
{
	return db->conf;
}

void
db_thread_begin(void)
{
	mysql_thread_init();
}

void
db_thread_end(void)
{
	mysql_thread_end();
}

const char *
db_reason(const struct db *db)
{
	return db->reason;
}

void
db_until(struct db *db, int64_t at_ms)
{
	db->until_ms = at_ms;
}

/* ---- the statement ---- */

static void
begin(struct db *db, const char *name, const char *select)
{
	if (db->sent)
		disconnect(db);
	db_done(db);
	snprintf(db->name, sizeof(db->name), "%s", name);
	buf_reset(&db->sql);
	db->select = select;
	db->nparams = 0;
}

void
db_select_literal(struct db *db, const char *name, const char *sql)
{
	begin(db, name, sql);
}

void
db_call(struct db *db, const char *procedure)
{
	begin(db, procedure, NULL);
	buf_str(&db->sql, "CALL ");
	buf_str(&db->sql, procedure);
	buf_str(&db->sql, "(");
	db->first_arg = true;
}

static void
next_arg(struct db *db)
{
	if (!db->first_arg)
		buf_str(&db->sql, ",");
	db->first_arg = false;
}

/* Note an argument of a SELECT; false: this is a call. */
static bool
bind(struct db *db, enum enum_field_types type, long long n, const void *p, size_t len)
{
	if (db->select == NULL)
		return false;
	if (db->nparams == PARAMS_MAX) {
		db->sql.failed = true;
		return true;
	}
	db->params[db->nparams++] =
	    (struct param){.type = type, .n = n, .at = db->sql.len, .len = (unsigned long)len};
	buf_add(&db->sql, p, len);
	return true;
}

void
db_int(struct db *db, long long n)
{
	if (bind(db, MYSQL_TYPE_LONGLONG, n, "", 0))
		return;
	next_arg(db);
	buf_int(&db->sql, n);
}

void
db_bytes(struct db *db, const void *p, size_t n)
{
	if (bind(db, MYSQL_TYPE_BLOB, 0, p, n))
		return;
	next_arg(db);
	buf_str(&db->sql, "X'");
	if (buf_reserve(&db->sql, 2 * n)) {
		hex_text(db->sql.p + db->sql.len, p, n);
		db->sql.len += 2 * n;
	}
	buf_str(&db->sql, "'");
}

void
db_utf8(struct db *db, const char *s, size_t n)
{
	if (bind(db, MYSQL_TYPE_STRING, 0, s, n))
		return;
	next_arg(db);
	buf_str(&db->sql, "_utf8mb4 ");
	db->first_arg = true; /* the comma is there */
	db_bytes(db, s, n);
}

void
db_null(struct db *db)
{
	if (bind(db, MYSQL_TYPE_NULL, 0, "", 0))
		return;
	next_arg(db);
	buf_str(&db->sql, "NULL");
}

/* ---- the connection ---- */

static int
socket_of(MYSQL *my)
{
#ifdef MARIADB_PACKAGE_VERSION
	return (int)mysql_get_socket(my);
#else
	return (int)my->net.fd;
#endif
}

/* Between two calls a server has nothing to say: what can be read is its farewell. */
static bool
stale(MYSQL *my)
{
	struct pollfd p = {.fd = socket_of(my), .events = POLLIN | POLLRDHUP};

	return poll(&p, 1, 0) != 0;
}

/* Copy host number n of the list (modulo its length) to out; the length of the list. */
static unsigned
nth_host(const char *list, unsigned n, char *out, size_t size)
{
	unsigned count = 1, i = 0;
	const char *p;
	size_t len;

	for (p = list; *p != '\0'; p++)
		count += *p == ',';
	for (p = list; i < n % count; i++)
		p += strcspn(p, ",") + 1;
	len = strcspn(p, ",");
	if (len >= size)
		len = size - 1;
	memcpy(out, p, len);
	out[len] = '\0';
	return count;
}

void
db_settings(struct conf_row rows[DB_SETTINGS], struct db_conf *c, const char *account)
{
	const struct conf_row table[DB_SETTINGS] = {
	    {"LOYALTY_DB_HOSTS", CONF_TEXT, 0, 0, NULL, "/run/mysqld/mysqld.sock",
		"database servers, tried in order: an absolute path is a socket, else host[:port]; "
		"comma-separated",
		&c->hosts},
	    {"LOYALTY_DB_USER", CONF_TEXT, 0, 0, NULL, account, "database account", &c->user},
	    {"LOYALTY_DB_PASSWORD", CONF_SECRET, 0, 0, NULL, NULL, "its password", &c->password},
	    {"LOYALTY_DB_NAME", CONF_TEXT, 0, 0, NULL, "loyalty", "database", &c->name},
	    {"LOYALTY_DB_TLS_CA", CONF_TEXT, 0, 0, NULL, NULL,
		"certificate authority of the database; set, the connection is encrypted and "
		"verified",
		&c->tls_ca},
	    {"LOYALTY_DB_TLS", CONF_CHOICE, 0, 0, "required|off", "required",
		"off allows plain text over TCP to another machine, where there is no "
		"LOYALTY_DB_TLS_CA",
		&c->tls},
	};

	memcpy(rows, table, sizeof(table));
}

bool
db_conf_fits(const struct db_conf *c, FILE *err)
{
	char host[256];
	unsigned n = 0, count;

	if (c->tls_ca != NULL || c->tls == DB_TLS_OFF)
		return true;
	do {
		count = nth_host(c->hosts, n++, host, sizeof(host));
		if (host[0] == '/' || strncmp(host, "127.", 4) == 0
		    || (strncmp(host, "localhost", 9) == 0 && (host[9] == '\0' || host[9] == ':')))
			continue;
		fprintf(err,
		    "LOYALTY_DB_HOSTS: %s would be reached in plain text. Set "
		    "LOYALTY_DB_TLS_CA, or LOYALTY_DB_TLS=off to allow that\n",
		    host);
		return false;
	} while (n < count);
	return true;
}

static int
read_timeout_s(const struct db_conf *c)
{
	return c->deadline_ms >= 1500 ? (c->deadline_ms - 500) / 1000 : 1;
}

static void
set_options(MYSQL *my, const struct db_conf *c)
{
	unsigned connect_s = CONNECT_TIMEOUT_S, io_s = (unsigned)read_timeout_s(c);

	mysql_options(my, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
	mysql_options(my, MYSQL_OPT_READ_TIMEOUT, &io_s);
	mysql_options(my, MYSQL_OPT_WRITE_TIMEOUT, &io_s);
	mysql_options(my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	if (c->tls_ca != NULL) {
#ifdef MARIADB_PACKAGE_VERSION
		my_bool on = 1;

		mysql_optionsv(my, MYSQL_OPT_SSL_ENFORCE, &on);
		mysql_optionsv(my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &on);
#else
		unsigned mode = SSL_MODE_VERIFY_IDENTITY;

		mysql_options(my, MYSQL_OPT_SSL_MODE, &mode);
#endif
		mysql_options(my, MYSQL_OPT_SSL_CA, c->tls_ca);
	}
}

/*
 * Wait until the server begins to answer, or the deadline is over.  The
 * client library's own read timeout is of the connection and in whole
 * seconds; this one is of the call.
 */
static bool
answers(struct db *db, int64_t until)
{
	struct pollfd p = {.fd = socket_of(db->my), .events = POLLIN};
	int64_t left;
	int n;

	do {
		left = until - db_now_ms();
		n = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (n < 0 && errno == EINTR);
	return n != 0;
}

/* Fetch the whole answer to what was sent.  0, or the error's number. */
static unsigned
receive(struct db *db, int64_t until)
{
	int more;

	if (!answers(db, until))
		return ERR_TIMEOUT;
	for (more = mysql_read_query_result(db->my); more == 0; more = mysql_next_result(db->my)) {
		MYSQL_RES *r = mysql_store_result(db->my);

		if (r == NULL && mysql_errno(db->my) != 0)
			return mysql_errno(db->my);
		if (r != NULL && db->nresults < RESULTS_MAX)
			db->results[db->nresults++] = r;
		else if (r != NULL)
			mysql_free_result(r);
	}
	/* -1: there is no further result */
	return mysql_errno(db->my);
}

/* Send sql and fetch the whole answer.  0, or the error's number. */
static unsigned
query(struct db *db, const char *sql, size_t len, int64_t until)
{
	db->failure[0] = '\0';
	return mysql_send_query(db->my, sql, len) != 0 ? mysql_errno(db->my) : receive(db, until);
}

static const char *
error_text(const struct db *db, unsigned e)
{
	if (e == ERR_TIMEOUT)
		return "no answer within the deadline";
	return db->failure[0] != '\0' ? db->failure : mysql_error(db->my);
}

/* For a statement that has no rows. */
static bool
tell(struct db *db, const char *sql, int64_t until)
{
	unsigned e = query(db, sql, strlen(sql), until);

	db_done(db);
	return e == 0;
}

/*
 * What we gave up may still run and hold locks: end it, on the server where it
 * lives.  On another the same number is somebody else's: what can't be ended
 * now may be later, or ends by itself.  Ids only grow while a server lives, so
 * a smaller one is of this server.  false: it did not answer in time, and what
 * it still says would be taken for the answer to the next statement.
 */
static bool
end_given_up(struct db *db, int64_t until)
{
	char sql[64];
	unsigned e = 0;

	if (db->kill_id == 0)
		return true;
	if (db_now_ms() - db->kill_asked_ms >= KILL_WINDOW_MS) {
		db->kill_id = 0;
		return true;
	}
	if (db->at_host != db->kill_host)
		return true;
	if (mysql_thread_id(db->my) > db->kill_id) {
		snprintf(sql, sizeof(sql), "KILL CONNECTION %lu", db->kill_id);
		e = query(db, sql, strlen(sql), until);
		db_done(db);
		if (e == 0)
			log_line(LOG_WARN, NULL, "db: ended connection %lu, given up before",
			    db->kill_id);
	}
	db->kill_id = 0;
	return e != ERR_TIMEOUT;
}

/*
 * Everything that the procedures rely on is set here, whatever the server's
 * own settings are.  A wait, for a row or for a table that is being migrated,
 * ends well before the read timeout, so that we hear of it.  MariaDB can limit a
 * CALL as a whole; MySQL can't, there our own deadline is the only one.
 */
static bool
set_session(struct db *db, int64_t until)
{
	char sql[512];
	int io_s = read_timeout_s(db->conf), lock_s = io_s > 2 ? 2 : 1;

	snprintf(sql, sizeof(sql),
	    "SET SESSION sql_mode = "
	    "'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,"
	    "NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', autocommit = 1, collation_connection = "
	    "'utf8mb4_bin', "
	    "innodb_lock_wait_timeout = %d, lock_wait_timeout = %d%s",
	    lock_s, lock_s,
	    strstr(mysql_get_server_info(db->my), "MariaDB") != NULL ? ", max_statement_time = "
								     : "");
	if (strstr(sql, "max_statement_time") != NULL)
		snprintf(sql + strlen(sql), sizeof(sql) - strlen(sql), "%d.%d",
		    io_s > 1 ? io_s - 1 : 0, io_s > 1 ? 5 : 9);
	if (!tell(db, sql, until)
	    || !tell(db, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", until))
		return false;
	return end_given_up(db, until);
}

static bool
connect_to(struct db *db, char *host, int64_t until)
{
	const struct db_conf *c = db->conf;
	bool local = host[0] == '/';
	unsigned port = 3306;
	char *colon = strrchr(host, ':');
	unsigned e;

	db->shut_out = false;
	if (!local && colon != NULL) {
		*colon = '\0';
		port = (unsigned)strtoul(colon + 1, NULL, 10);
	}
	if ((db->my = mysql_init(NULL)) == NULL) {
		snprintf(db->reason, sizeof(db->reason), "out of memory");
		return false;
	}
	set_options(db->my, c);
	if (mysql_real_connect(db->my, local ? NULL : host, c->user, c->password, c->name, port,
		local ? host : NULL, CLIENT_MULTI_RESULTS)
		!= NULL
	    && set_session(db, until))
		return true;
	e = mysql_errno(db->my);
	snprintf(db->reason, sizeof(db->reason), "%s: %s", host,
	    error_text(db, e != 0 ? e : ERR_TIMEOUT));
	if (e == ER_ACCESS_DENIED_ERROR || e == ER_DBACCESS_DENIED_ERROR || e == ER_BAD_DB_ERROR) {
		log_line(LOG_ERROR, NULL, "db: error %u: %s", e, db->reason);
		/* for anybody's eyes: no account, no address */
		snprintf(db->reason, sizeof(db->reason),
		    "the database does not let this program in (error %u); migrate the database",
		    e);
		db->shut_out = true;
	}
	disconnect(db);
	return false;
}

/*
 * One instant after a timeout every thread would try, and wait, at once: so
 * while the database is known to be out of order only one at a time may
 * probe, the others are refused.
 */
static bool
may_try(struct db_shared *c)
{
	int64_t bad = atomic_load(&c->bad_until_ms), now = db_now_ms();

	if (bad == 0)
		return true;
	if (now < bad)
		return false;
	return atomic_compare_exchange_strong(&c->bad_until_ms, &bad, now + REFUSE_MS);
}

static bool
connect_any(struct db *db, int64_t until)
{
	unsigned tried = 0, count;
	char host[256];
	int64_t start = db_now_ms();

	do {
		count = nth_host(db->conf->hosts, db->host, host, sizeof(host));
		db->at_host = db->host % count;
		if (connect_to(db, host, until))
			return true;
		db->host++;
	} while (++tried < count && until - db_now_ms() >= CONNECT_TIMEOUT_S * 1000);
	if (db_now_ms() - start >= CONNECT_TIMEOUT_S * 900)
		atomic_store(&db->shared->bad_until_ms, db_now_ms() + REFUSE_MS);
	return false;
}

/* The connection broke under a call: remember to end what may still run there. */
static void
gave_up(struct db *db, unsigned e, int64_t sent_ms)
{
	int64_t now = db_now_ms();

	if (e == ERR_TIMEOUT || now - sent_ms >= (int64_t)read_timeout_s(db->conf) * 900) {
		db->kill_id = mysql_thread_id(db->my);
		db->kill_host = db->at_host;
		db->kill_asked_ms = now;
		/* most of a whole deadline: not locks any more, the database hangs */
		if (now - sent_ms >= db->conf->deadline_ms * 2 / 3)
			atomic_store(&db->shared->bad_until_ms, now + REFUSE_MS);
	}
	disconnect(db);
}

static void
pause_ms(int64_t ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

/* Between 1 ms and twice as long at every try, so that those who met part. */
static void
back_off(int attempt)
{
	uint8_t r = 0;

	if (getrandom(&r, 1, 0) != 1)
		r = 128;
	pause_ms(1 + (int64_t)r * (1 << (attempt < 6 ? attempt : 6)) / 64);
}

/* A migration replaces the procedure: it is dropped, made and granted in three statements. */
static bool
is_replaced(unsigned e)
{
	return e == ER_SP_DOES_NOT_EXIST || e == ER_PROCACCESS_DENIED_ERROR;
}

/* As query, but waits for a procedure that is being replaced. */
static unsigned
query_replaced(struct db *db, const char *sql, size_t len, int64_t until)
{
	int64_t start = db_now_ms(), now;
	unsigned e;

	while (is_replaced(e = query(db, sql, len, until))
	       && (now = db_now_ms()) - start < REPLACED_MS && until - now >= AGAIN_MS) {
		db_done(db);
		back_off(REPLACED_PACE);
	}
	return e;
}

/* What a SELECT reads is not there, or not for us. */
static bool
is_missing(unsigned e)
{
	return e == ER_NO_SUCH_TABLE || e == ER_BAD_FIELD_ERROR || e == ER_TABLEACCESS_DENIED_ERROR
	       || e == ER_COLUMNACCESS_DENIED_ERROR;
}

/* For anybody's eyes: no account, no address. */
static void
misses(struct db *db, const char *name, unsigned e)
{
	snprintf(db->reason, sizeof(db->reason),
	    is_missing(e) ? "the database lacks what %s reads or the right to read it (error %u); "
			    "migrate the database"
			  : "the database lacks the procedure %s or the right to call it (error "
			    "%u); migrate the database",
	    name, e);
}

static enum db_status
check_schema(struct db *db, int64_t until)
{
	static const char sql[] = "CALL schema_version()";
	int64_t now = db_now_ms();
	long long version;
	unsigned e;

	if (db->schema_checked_ms != 0 && now - db->schema_checked_ms < SCHEMA_CHECK_MS)
		return DB_OK;
	if ((e = query_replaced(db, sql, sizeof(sql) - 1, until)) != 0) {
		snprintf(db->reason, sizeof(db->reason), "schema_version: %s", error_text(db, e));
		if (is_replaced(e))
			misses(db, "schema_version", e);
		gave_up(db, e, now);
		return is_replaced(e) ? DB_VERSION : DB_DOWN;
	}
	if (!db_row(db) || db_number(db, 0) != LOYALTY_SCHEMA_VERSION) {
		version = db->row != NULL ? db_number(db, 0) : 0;
		snprintf(db->reason, sizeof(db->reason),
		    "the database %s schema version %lld, this program needs %d",
		    version == 0 ? "is being migrated:" : "has", version, LOYALTY_SCHEMA_VERSION);
		db_done(db);
		db->schema_checked_ms = 0;
		return DB_VERSION;
	}
	db_done(db);
	db->schema_checked_ms = now;
	return DB_OK;
}

/* See to it that there is a connection that lives and a schema that fits. */
static enum db_status
ready(struct db *db, int64_t until)
{
	int64_t given_up_ms = db->kill_asked_ms;
	enum db_status st;
	int tries;

	for (tries = 0;; tries++) {
		if (db->my != NULL && (db->select == NULL || db_now_ms() - db->used_ms > FRESH_MS)
		    && stale(db->my)) {
			log_line(LOG_INFO, NULL, "db: connection found closed, connecting again");
			disconnect(db);
		}
		if (db->my == NULL && !connect_any(db, until))
			return db->shut_out ? DB_VERSION : DB_DOWN;
		/* once more where the connection was dead, not where it took its time */
		if ((st = check_schema(db, until)) != DB_DOWN || tries > 0
		    || db->kill_asked_ms != given_up_ms)
			return st;
	}
}

/* ---- a SELECT ---- */

static void
bind_column(MYSQL_BIND *b, struct column *c, const MYSQL_FIELD *f)
{
	b->is_null = &c->is_null;
	b->length = &c->len;
	switch (f->type) {
	case MYSQL_TYPE_TINY:
	case MYSQL_TYPE_SHORT:
	case MYSQL_TYPE_INT24:
	case MYSQL_TYPE_LONG:
	case MYSQL_TYPE_LONGLONG:
		b->buffer_type = MYSQL_TYPE_LONGLONG;
		b->buffer = &c->value.n;
		c->text = malloc(DIGITS_SIZE);
		break;
	case MYSQL_TYPE_DATETIME:
		b->buffer_type = MYSQL_TYPE_DATETIME;
		b->buffer = &c->value.time;
		c->text = malloc(80);
		break;
	default:
		b->buffer_type = MYSQL_TYPE_STRING;
		b->buffer_length = f->length < TEXT_MAX ? f->length : TEXT_MAX;
		b->buffer = c->text = malloc(b->buffer_length + 1);
	}
}

/* Columns of what was prepared.  false: out of memory, or it has none. */
static bool
bind_columns(struct statement *s)
{
	MYSQL_RES *of = mysql_stmt_result_metadata(s->stmt);
	bool ok = of != NULL;
	unsigned i, n;

	if (!ok)
		return false;
	n = mysql_num_fields(of);
	s->columns = calloc(n, sizeof(*s->columns));
	s->binds = calloc(n, sizeof(*s->binds));
	ok = s->columns != NULL && s->binds != NULL;
	for (i = 0; ok && i < n; i++) {
		bind_column(&s->binds[i], &s->columns[i], mysql_fetch_field_direct(of, i));
		s->ncolumns = i + 1;
		ok = s->columns[i].text != NULL;
	}
	mysql_free_result(of);
	return ok && mysql_stmt_bind_result(s->stmt, s->binds) == 0;
}

/* Note what the library says of a failure; its number. */
static unsigned
failure_of(struct db *db, MYSQL_STMT *stmt)
{
	snprintf(db->failure, sizeof(db->failure), "%s", mysql_stmt_error(stmt));
	return mysql_stmt_errno(stmt);
}

/* The statement of the SELECT at hand.  0, or the error's number. */
static unsigned
prepare(struct db *db, struct statement **out)
{
	struct statement *s = db->statements;
	unsigned e = ER_OUTOFMEMORY;

	for (; s < db->statements + db->nstatements; s++)
		if (s->sql == db->select) {
			*out = s;
			return 0;
		}
	if (db->nstatements == STATEMENTS_MAX || (s->stmt = mysql_stmt_init(db->my)) == NULL)
		return e;
	s->sql = db->select;
	if (mysql_stmt_prepare(s->stmt, s->sql, strlen(s->sql)) != 0) {
		e = failure_of(db, s->stmt);
	} else if (mysql_stmt_param_count(s->stmt) == db->nparams && bind_columns(s)) {
		db->nstatements++;
		*out = s;
		return 0;
	}
	forget(s);
	return e;
}

static void
bind_params(struct db *db, MYSQL_BIND *b)
{
	unsigned i;

	memset(b, 0, db->nparams * sizeof(*b));
	for (i = 0; i < db->nparams; i++) {
		struct param *p = &db->params[i];

		/* to MariaDB's library no buffer is NULL, and before its first byte sql has none */
		b[i].buffer_type = p->type;
		b[i].buffer = p->type == MYSQL_TYPE_LONGLONG || db->sql.p == NULL
				  ? (void *)&p->n
				  : db->sql.p + p->at;
		b[i].buffer_length = p->len;
		b[i].length = &p->len;
	}
}

/*
 * Prepare it where it is new to this connection, execute it, fetch the whole
 * answer.  0, or the error's number.  The library waits for the answer as long
 * as the connection's read timeout; who has less time left than that asks first
 * whether the server answers at all.
 */
static unsigned
execute(struct db *db, int64_t until)
{
	MYSQL_BIND b[PARAMS_MAX];
	struct statement *s = NULL;
	unsigned e;

	db->failure[0] = '\0';
	if (until - db_now_ms() < read_timeout_s(db->conf) * 1000 && !tell(db, "DO 1", until))
		return ERR_TIMEOUT;
	if ((e = prepare(db, &s)) != 0)
		return e;
	bind_params(db, b);
	if ((db->nparams > 0 && mysql_stmt_bind_param(s->stmt, b) != 0)
	    || mysql_stmt_execute(s->stmt) != 0 || mysql_stmt_store_result(s->stmt) != 0)
		return failure_of(db, s->stmt);
	db->rows = s;
	return 0;
}

/* As the contract has times: RFC 3339, UTC, microseconds. */
static unsigned long
time_text(char *out, const MYSQL_TIME *t)
{
	static const char form[] = "0000-00-00T00:00:00.000000Z";
	static const unsigned char at[] = {3, 6, 9, 12, 15, 18, 25}; /* last digit of each */
	unsigned long part[] = {
	    t->year, t->month, t->day, t->hour, t->minute, t->second, t->second_part};
	size_t i;

	memcpy(out, form, sizeof(form));
	for (i = 0; i < sizeof(at); i++) {
		char *p = out + at[i];

		for (; part[i] > 0; part[i] /= 10)
			*p-- = (char)('0' + part[i] % 10);
	}
	return sizeof(form) - 1;
}

static bool
fetch(struct statement *s)
{
	int rc = mysql_stmt_fetch(s->stmt);
	unsigned i;

	if (rc == MYSQL_NO_DATA)
		return false;
	/* Longer than it could be when this was prepared: no row is better than half a field,
	 * and none of it passes for a row.  The next one is prepared anew. */
	if (rc != 0)
		s->sql = NULL;
	for (i = 0; i < s->ncolumns; i++) {
		struct column *c = &s->columns[i];

		c->is_null = c->is_null || rc != 0;
		if (c->is_null)
			continue;
		if (s->binds[i].buffer_type == MYSQL_TYPE_LONGLONG)
			c->len = (unsigned long)digits_of(c->text, c->value.n);
		else if (s->binds[i].buffer_type == MYSQL_TYPE_DATETIME)
			c->len = time_text(c->text, &c->value.time);
		else
			c->text[c->len] = '\0';
	}
	return true;
}

/* ---- the call ---- */

/* Errors that the client libraries make up: gone, lost, TLS broken, malformed.  5xxx: MariaDB's. */
static bool
is_of_client(unsigned e)
{
	return (e >= CR_MIN_ERROR && e < 3000) || (e >= 5000 && e < 6000);
}

static bool
is_lost(unsigned e)
{
	return e == ERR_TIMEOUT || is_of_client(e) || e == ER_SERVER_SHUTDOWN
	       || e == ERR_CONNECTION_KILLED || e == ER_QUERY_INTERRUPTED
	       || e == ERR_STATEMENT_TIMEOUT || e == ERR_QUERY_TIMEOUT;
}

static bool
is_collision(unsigned e)
{
	return e == ER_LOCK_DEADLOCK || e == ER_LOCK_WAIT_TIMEOUT || e == ER_CHECKREAD
	       || e == ER_DUP_ENTRY || e == ERR_ROLLBACK_ON_CERTIFICATION
	       || e == ER_ERROR_DURING_COMMIT;
}

static bool
is_down(unsigned e)
{
	return e == ER_OPTION_PREVENTS_STATEMENT || e == ERR_READ_ONLY_MODE
	       || e == ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION || e == ERR_REPLICATION_HOOK
	       || e == ERR_DISK_FULL || e == ER_RECORD_FILE_FULL || e == ER_OUT_OF_RESOURCES
	       || e == ER_CON_COUNT_ERROR || e == ER_OUTOFMEMORY || e == ER_ERROR_ON_WRITE
	       || e == ER_GET_ERRNO;
}

/* The answer to the call at hand, which may be on its way already.  0, or the error's number. */
static unsigned
answer(struct db *db, int64_t until)
{
	unsigned e;

	if (db->select != NULL)
		return execute(db, until);
	if (db->sent) {
		db->sent = false;
		e = db->send_error != 0 ? db->send_error : receive(db, until);
		if (!is_replaced(e))
			return e;
		db_done(db);
	}
	return query_replaced(db, db->sql.p, db->sql.len, until);
}

/*
 * The statement failed, and nothing was done.  A migration may have come
 * between since we looked: then it is of another schema, not wrong.
 */
static enum db_status
refused(struct db *db, unsigned e, int64_t until)
{
	char reason[sizeof(db->reason)];

	memcpy(reason, db->reason, sizeof(reason));
	db->schema_checked_ms = 0;
	if (check_schema(db, until) == DB_VERSION)
		return DB_VERSION;
	disconnect(db);
	memcpy(db->reason, reason, sizeof(reason));
	if (!is_replaced(e) && !(db->select != NULL && is_missing(e)))
		return DB_FAILED;
	misses(db, db->name, e);
	return DB_VERSION;
}

/*
 * One call, with its further attempts.  *in_doubt: an earlier one was sent
 * and its answer never came.
 */
static enum db_status
call(struct db *db, enum db_mode mode, const char *request_id, int64_t until, bool *in_doubt)
{
	enum db_status st;
	int64_t sent;
	unsigned e;
	int attempt;

	if (!db->sent && !may_try(db->shared)) {
		snprintf(db->reason, sizeof(db->reason), "the database does not answer");
		return DB_DOWN;
	}
	snprintf(db->reason, sizeof(db->reason), "no time was left");
	for (attempt = 0; attempt < TRIES && (db->sent || db_now_ms() < until); attempt++) {
		st = db->sent ? DB_OK : ready(db, until);
		if (st == DB_DOWN && *in_doubt) {
			pause_ms(100);
			continue;
		}
		if (st != DB_OK)
			return st;
		sent = db_now_ms();
		e = answer(db, until);
		db->used_ms = db_now_ms();
		if (e == 0)
			return DB_OK;
		snprintf(db->reason, sizeof(db->reason), "%s: %s", db->name, error_text(db, e));
		log_line(LOG_WARN, request_id, "db: error %u: %s", e, db->reason);
		db_done(db);
		if (is_lost(e)) {
			gave_up(db, e, sent);
			if (!*in_doubt && until > db_now_ms() + RECOVER_MS)
				until = db_now_ms() + RECOVER_MS;
			*in_doubt = true;
			if (mode == DB_ONCE)
				return DB_UNKNOWN;
		} else if (e == ERR_IDLE_TOO_LONG || e == ERR_NEED_REPREPARE
			   || e == ER_UNKNOWN_STMT_HANDLER) {
			/* its farewell met our call, which nobody has read; or it wants its
			 * statements prepared anew */
			disconnect(db);
		} else if (is_collision(e)) {
			atomic_fetch_add_explicit(&db->shared->retries, 1, memory_order_relaxed);
			if (until - db_now_ms() < AGAIN_MS)
				return DB_DOWN;
			back_off(attempt);
		} else if (is_down(e)) {
			disconnect(db);
			db->host++;
			return DB_DOWN;
		} else {
			return refused(db, e, until);
		}
	}
	return DB_DOWN;
}

static int64_t
deadline(const struct db *db)
{
	return db->until_ms != 0 ? db->until_ms : db_now_ms() + db->conf->deadline_ms;
}

void
db_send(struct db *db)
{
	int64_t until = deadline(db);

	buf_str(&db->sql, ")");
	/* what is not fine now, db_receive meets again and tells */
	if (db->sql.failed || db_now_ms() >= until || !may_try(db->shared)
	    || ready(db, until) != DB_OK)
		return;
	db->sent = true;
	db->send_error =
	    mysql_send_query(db->my, db->sql.p, db->sql.len) != 0 ? mysql_errno(db->my) : 0;
}

enum db_status
db_receive(struct db *db, enum db_mode mode, const char *request_id)
{
	int64_t until = deadline(db);
	bool in_doubt = false;
	enum db_status st;

	if (db->sql.failed) {
		snprintf(db->reason, sizeof(db->reason), "out of memory");
		return DB_FAILED;
	}
	st = call(db, mode, request_id, until, &in_doubt);
	if (st == DB_OK
	    && atomic_load_explicit(&db->shared->bad_until_ms, memory_order_relaxed) != 0)
		atomic_store(&db->shared->bad_until_ms, 0);
	/* whatever a later attempt came to, the first may have been done */
	return st != DB_OK && in_doubt && mode != DB_READ ? DB_UNKNOWN : st;
}

enum db_status
db_exec(struct db *db, enum db_mode mode, const char *request_id)
{
	if (db->select == NULL)
		buf_str(&db->sql, ")");
	return db_receive(db, mode, request_id);
}

/* ---- the result ---- */

bool
db_row(struct db *db)
{
	MYSQL_RES *r = db->at < db->nresults ? db->results[db->at] : NULL;

	if (db->rows != NULL)
		return fetch(db->rows);
	if (r == NULL || (db->row = mysql_fetch_row(r)) == NULL)
		return false;
	db->lengths = mysql_fetch_lengths(r);
	return true;
}

bool
db_next_result(struct db *db)
{
	db->row = NULL;
	if (db->at < db->nresults)
		db->at++;
	return db->at < db->nresults;
}

const char *
db_text(const struct db *db, unsigned col, size_t *len)
{
	const char *text;
	size_t n;

	if (db->rows != NULL) {
		const struct column *c = &db->rows->columns[col];

		text = c->is_null ? NULL : c->text;
		n = c->len;
	} else {
		text = db->row[col];
		n = db->lengths[col];
	}
	if (len != NULL)
		*len = text != NULL ? n : 0;
	return text;
}

long long
db_number(const struct db *db, unsigned col)
{
	const char *text = db_text(db, col, NULL);

	return text != NULL ? strtoll(text, NULL, 10) : 0;
}

unsigned
db_columns(const struct db *db)
{
	return db->rows != NULL ? db->rows->ncolumns : mysql_num_fields(db->results[db->at]);
}

void
db_done(struct db *db)
{
	while (db->nresults > 0)
		mysql_free_result(db->results[--db->nresults]);
	db->at = 0;
	db->row = NULL;
	if (db->rows != NULL)
		mysql_stmt_free_result(db->rows->stmt);
	db->rows = NULL;
}
