#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#include <mysql.h>
#include <mysqld_error.h>
#include <errmsg.h>

#include "buf.h"
#include "conf.h"
#include "db.h"
#include "db_hosts.h"
#include "hex.h"
#include "log.h"
#include "version.h"

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
#define ERR_NOT_IN_CLUSTER 1047 /* Galera: not in the primary component */
#define ERR_NEED_REPREPARE 1615
#define ERR_TIMEOUT 1 /* ours: no answer within the deadline */

#define CONNECT_TIMEOUT_S 1
#define SCHEMA_CHECK_MS 5000 /* how long a program may be wrong about the schema */
#define WRITER_CHECK_MS 1000 /* of several hosts: the same about which one is written to */
#define SILENT_S 2	     /* of several hosts: who says nothing for as long is left */
#define PATIENT_MS 10000     /* a deadline as long is of work that takes its time: not so there */
#define LEFT_MS 10000	/* of several hosts: for as long one that was left is no writer to us */
#define ROUND_MS 100	/* pause when none of them was any good: they may be electing */
#define REFUSE_MS 1000	/* after a timeout: one probe in this time, all others are refused */
#define AGAIN_MS 500	/* with less time left nothing is begun again */
#define RECOVER_MS 1000 /* to find out what became of a keyed write when the connection broke */
#define KILL_WINDOW_MS 60000
#define REPLACED_MS 2000 /* how long a procedure may be away */
#define REPLACED_PACE 3	 /* back_off between looks: 17 ms or so */
#define TRIES 10
#define FRESH_MS 200 /* a read does not look whether a connection lives that was used just now */
#define RESULTS_MAX 32
#define STATEMENTS_MAX 48 /* of one program */
#define PARAMS_MAX 32
#define OUTS_MAX 16
#define TEXT_MAX 65536 /* bytes of a field */

/* A column of what is prepared: the field at hand, and its text. */
struct column {
	union {
		long long n;
		MYSQL_TIME time;
	} value;
	char *text; /* NUL-terminated; what numbers and times are written to */
	unsigned long len;
	my_bool_ is_null;
};

/* A SELECT or a CALL as the server of this connection has prepared it. */
struct statement {
	const char *literal; /* the program's: who has the same address is the same */
	MYSQL_STMT *stmt;
	unsigned ncolumns;
	struct column *columns;
	MYSQL_BIND *binds;
};

/* An argument of what is at hand: a number, or bytes in db->values. */
struct param {
	enum enum_field_types type; /* LONGLONG, BLOB, STRING, NULL */
	long long n;
	size_t at;
	unsigned long len;
};

/* A procedure that is called as text, whose results may be read row by row; a SELECT, and a
 * procedure of one row, that are prepared. */
enum kind { CALL_TEXT, CALL_STREAM, SELECT, CALL_ROW };

struct db {
	const struct db_conf *conf;
	struct db_shared *shared, own;
	MYSQL *my;
	MYSQL_RES *results[RESULTS_MAX]; /* of the call */
	unsigned nresults, at;
	MYSQL_ROW row;
	unsigned long *lengths;
	enum kind kind;
	const char *literal; /* what is at hand: a SELECT's text, a procedure's name */
	struct buf values;   /* the bytes of its arguments */
	struct buf text;     /* of a call: as it is sent, prepared or not */
	struct param params[PARAMS_MAX];
	unsigned nparams, nouts; /* nouts more are OUT */
	struct statement statements[STATEMENTS_MAX];
	unsigned nstatements;
	struct statement *rows; /* whose result is at hand, or NULL */
	bool row_read; /* of a procedure that answers with one row: it is in the columns, or was */
	char failure[512];   /* what the library says of a prepared one that failed, else "" */
	int64_t used_ms;     /* when the server answered last */
	bool sent;	     /* by db_send, and the answer not read yet */
	unsigned send_error; /* 0, or why sending failed */
	char name[48];
	char reason[800];
	int64_t until_ms;	   /* deadline given by db_until, or 0 */
	int64_t schema_checked_ms; /* 0: not yet on this connection */
	bool electing;	    /* the last look at the server found its cluster without a majority */
	bool looks_again;   /* at a host that was left for that */
	bool shut_out;	    /* the last server reached has no such account or database */
	unsigned at_host;   /* shared->host when the connection was made */
	unsigned kill_host; /* which of the hosts a connection was given up on, in the
			     * middle of a call */
	unsigned long kill_id; /* its id there, or 0 */
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
forget_columns(struct statement *s)
{
	for (; s->ncolumns > 0; s->ncolumns--)
		free(s->columns[s->ncolumns - 1].text);
	free(s->columns);
	free(s->binds);
	s->columns = NULL;
	s->binds = NULL;
}

static void
forget(struct statement *s)
{
	if (s->stmt != NULL)
		mysql_stmt_close(s->stmt);
	forget_columns(s);
	*s = (struct statement){0};
}

static int
socket_of(MYSQL *my)
{
#ifdef MARIADB_PACKAGE_VERSION
	return (int)mysql_get_socket(my);
#else
	return (int)my->net.fd;
#endif
}

static void
disconnect(struct db *db)
{
	/* else the library would read the rest of a result that is given up */
	if (db->my != NULL && db->kind == CALL_STREAM && db->nresults > 0)
		shutdown(socket_of(db->my), SHUT_RDWR);
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
	buf_free(&db->values);
	buf_free(&db->text);
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
begin(struct db *db, const char *name, enum kind kind, const char *literal)
{
	if (db->sent)
		disconnect(db);
	db_done(db);
	snprintf(db->name, sizeof(db->name), "%s", name);
	buf_reset(&db->values);
	db->kind = kind;
	db->literal = literal;
	db->nparams = db->nouts = 0;
}

void
db_select_literal(struct db *db, const char *name, const char *sql)
{
	begin(db, name, SELECT, sql);
}

void
db_call(struct db *db, const char *procedure)
{
	begin(db, procedure, CALL_TEXT, procedure);
}

void
db_call_stream(struct db *db, const char *procedure)
{
	begin(db, procedure, CALL_STREAM, procedure);
}

void
db_call_row(struct db *db, const char *procedure)
{
	begin(db, procedure, CALL_ROW, procedure);
}

void
db_out(struct db *db, unsigned n)
{
	db->nouts = n;
}

static void
argument(struct db *db, enum enum_field_types type, long long n, const void *p, size_t len)
{
	if (db->nparams == PARAMS_MAX) {
		db->values.failed = true;
		return;
	}
	db->params[db->nparams++] =
	    (struct param){.type = type, .n = n, .at = db->values.len, .len = (unsigned long)len};
	buf_add(&db->values, p, len);
}

void
db_int(struct db *db, long long n)
{
	argument(db, MYSQL_TYPE_LONGLONG, n, "", 0);
}

void
db_bytes(struct db *db, const void *p, size_t n)
{
	argument(db, MYSQL_TYPE_BLOB, 0, p, n);
}

void
db_utf8(struct db *db, const char *s, size_t n)
{
	argument(db, MYSQL_TYPE_STRING, 0, s, n);
}

void
db_null(struct db *db)
{
	argument(db, MYSQL_TYPE_NULL, 0, "", 0);
}

static void
write_hex(struct buf *b, const char *p, size_t n)
{
	buf_str(b, "X'");
	if (buf_reserve(b, 2 * n)) {
		hex_text(b->p + b->len, (const unsigned char *)p, n);
		b->len += 2 * n;
	}
	buf_str(b, "'");
}

static void
write_argument(struct buf *b, const struct param *p, const char *values)
{
	if (p->type == MYSQL_TYPE_NULL) {
		buf_str(b, "NULL");
	} else if (p->type == MYSQL_TYPE_LONGLONG) {
		buf_int(b, p->n);
	} else {
		buf_str(b, p->type == MYSQL_TYPE_STRING ? "_utf8mb4 " : "");
		write_hex(b, values + p->at, p->len);
	}
}

/* What an OUT parameter of a call as text is given to. */
static void
write_variable(struct buf *b, unsigned i)
{
	buf_str(b, "@loyalty_out_");
	buf_int(b, i);
}

/* Write the call at hand to db->text: with its arguments, or as it is prepared. */
static void
write_call(struct db *db, bool prepared)
{
	struct buf *b = &db->text;
	unsigned i;

	buf_reset(b);
	buf_str(b, "CALL ");
	buf_str(b, db->literal);
	for (i = 0; i < db->nparams + db->nouts; i++) {
		buf_str(b, i == 0 ? "(" : ",");
		if (prepared)
			buf_str(b, "?");
		else if (i < db->nparams)
			write_argument(b, &db->params[i], db->values.p);
		else
			write_variable(b, i - db->nparams);
	}
	buf_str(b, i == 0 ? "()" : ")");
}

/* Write to db->text what reads the OUT parameters of a call as text. */
static void
write_outs(struct db *db)
{
	unsigned i;

	buf_reset(&db->text);
	for (i = 0; i < db->nouts; i++) {
		buf_str(&db->text, i == 0 ? "SELECT " : ",");
		write_variable(&db->text, i);
	}
}

/* ---- the connection ---- */

/* Between two calls a server has nothing to say: what can be read is its farewell. */
static bool
stale(MYSQL *my)
{
	struct pollfd p = {.fd = socket_of(my), .events = POLLIN | POLLRDHUP};

	return poll(&p, 1, 0) != 0;
}

void
db_settings(struct conf_row rows[DB_SETTINGS], struct db_conf *c, const char *account)
{
	const struct conf_row table[DB_SETTINGS] = {
	    {"LOYALTY_DB_HOSTS", CONF_TEXT, 0, 0, NULL, "/run/mysqld/mysqld.sock",
		"database servers, comma-separated; of several the first that takes writes is "
		"used, "
		"until it fails; an absolute path is a socket, else host[:port]",
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
	char host[DB_HOST_SIZE];
	unsigned n = 0, count;

	if (c->tls_ca != NULL || c->tls == DB_TLS_OFF)
		return true;
	do {
		count = db_hosts_nth(c->hosts, n++, host, sizeof(host));
		if (db_host_is_here(host))
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
	if (db_hosts_several(c->hosts) && c->deadline_ms >= 1000 * (SILENT_S + 1)
	    && c->deadline_ms < PATIENT_MS)
		return SILENT_S;
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

	if (db_hosts_several(db->conf->hosts)
	    && db_now_ms() + read_timeout_s(db->conf) * 1000 < until)
		until = db_now_ms() + read_timeout_s(db->conf) * 1000;
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

/* Which of the hosts the connection is to. */
static unsigned
host_number(const struct db *db)
{
	char host[DB_HOST_SIZE];

	return db->at_host % db_hosts_nth(db->conf->hosts, 0, host, sizeof(host));
}

unsigned
db_host_of(const struct db *db)
{
	return db_hosts_several(db->conf->hosts) ? host_number(db) + 1 : 0;
}

/* How long ago this host was left, ms; INT64_MAX: not within LEFT_MS. */
static int64_t
left_ago(const struct db *db, unsigned host)
{
	int64_t at = host < DB_HOSTS_KNOWN ? atomic_load(&db->shared->left_ms[host]) : 0;
	int64_t ago = db_now_ms() - at;

	return at != 0 && ago < LEFT_MS ? ago : INT64_MAX;
}

/* Of several hosts this one is no good: all connections of the process go on to the next. */
static void
leave(struct db *db, const char *why)
{
	unsigned at = db->at_host;
	char host[DB_HOST_SIZE];

	if (!db_hosts_several(db->conf->hosts)
	    || !atomic_compare_exchange_strong(&db->shared->host, &at, at + 1))
		return;
	at %= db_hosts_nth(db->conf->hosts, at, host, sizeof(host));
	if (left_ago(db, at) == INT64_MAX) /* while they elect, round and round */
		log_line(LOG_WARN, NULL, "db: host %s is left: %s", host, why);
	if (at < DB_HOSTS_KNOWN) {
		atomic_store(&db->shared->left_ms[at], db_now_ms());
		atomic_store(&db->shared->electing[at], db->electing && !db->looks_again);
		db->looks_again = false;
	}
}

/* Read names and values.  0, or the error's number. */
static unsigned
ask_server(struct db *db, const char *sql, struct db_server *s, int64_t until)
{
	unsigned e = query(db, sql, strlen(sql), until);

	while (e == 0 && db_row(db))
		db_server_note(s, db_text(db, 0, NULL), db_text(db, 1, NULL));
	db_done(db);
	return e;
}

/* A migration replaces the procedure: it is dropped, made and granted in three statements. */
static bool
is_replaced(unsigned e)
{
	return e == ER_SP_DOES_NOT_EXIST || e == ER_PROCACCESS_DENIED_ERROR;
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

/* Another host is the writer: all connections of the process go on to it. */
static void
follow(struct db *db, unsigned to, const char *host)
{
	unsigned at = db->at_host;

	snprintf(db->reason, sizeof(db->reason), "%s is the writer", host);
	if (atomic_compare_exchange_strong(&db->shared->host, &at, to))
		log_line(LOG_INFO, NULL, "db: host %s is the writer", host);
}

/* Was that host left during an election that is over now, and is this the first to say so? */
static bool
second_look(struct db *db, unsigned host)
{
	db->looks_again =
	    host < DB_HOSTS_KNOWN && atomic_exchange(&db->shared->electing[host], false);
	return db->looks_again;
}

/* Where the writer is `from`, it is host `to` now; named: which it is, and for how many ms.  0, or
 * the error's number. */
static unsigned
take(struct db *db, const char *from, const char *to, char *named, size_t size, int64_t *for_ms,
    int64_t until)
{
	struct buf sql = {0};
	unsigned e;

	buf_str(&sql, "CALL writer_take(");
	write_hex(&sql, from, strlen(from));
	buf_str(&sql, ",");
	write_hex(&sql, to, strlen(to));
	buf_str(&sql, ")");
	e = sql.failed ? ER_OUTOFMEMORY : query(db, sql.p, sql.len, until);
	*named = '\0';
	if (e == 0 && db_row(db)) {
		snprintf(named, size, "%s", db_text(db, 0, NULL));
		*for_ms = db_number(db, 1);
	}
	db_done(db);
	buf_free(&sql);
	return e;
}

/*
 * Any node of a Galera cluster takes writes.  To which one all programs write, and where they read,
 * is a row of the database, the same at all nodes (mysql/procs/writer_take.sql).  Who comes to
 * another node goes on to that one; but if he has found it no good since it was named, all others
 * come to his.
 */
static bool
agree(struct db *db, int64_t until)
{
	char host[DB_HOST_SIZE], from[DB_HOST_SIZE] = "", named[DB_HOST_SIZE];
	int64_t for_ms = 0;
	unsigned tries, e;
	int n;

	db_hosts_nth(db->conf->hosts, db->at_host, host, sizeof(host));
	for (tries = 0; tries < 2; tries++) {
		if ((e = take(db, from, host, named, sizeof(named), &for_ms, until)) != 0) {
			snprintf(
			    db->reason, sizeof(db->reason), "writer_take: %s", error_text(db, e));
			return is_replaced(
			    e); /* so the schema is another, which is found out next */
		}
		if (strcmp(named, host) == 0)
			return true;
		n = db_hosts_find(db->conf->hosts, named);
		if (n >= 0
		    && (left_ago(db, (unsigned)n) > for_ms || second_look(db, (unsigned)n))) {
			follow(db, (unsigned)n, named);
			return false;
		}
		snprintf(from, sizeof(from), "%s", named);
	}
	return true; /* somebody took it meanwhile; the next look tells */
}

/* Let what is read here hold all that was acknowledged at any node: for the second in which some
 * programs are still at another. */
static bool
sees_all(struct db *db, int64_t until)
{
	return db->schema_checked_ms != 0 || tell(db, "SET SESSION wsrep_sync_wait = 1", until);
}

/* Is what is written here kept?  Of a single host that is not asked. */
static bool
is_writer(struct db *db, int64_t until)
{
	struct db_server server = {0};
	const char *why;
	unsigned e;

	db->electing = false;
	if (!db_hosts_several(db->conf->hosts))
		return true;
	if ((e = ask_server(db, DB_SERVER_VARIABLES, &server, until)) == 0)
		e = ask_server(db, DB_SERVER_STATUS, &server, until);
	/* of an older schema is also who left the group before a migration: no writer then */
	if (e == 0 && server.in_group && !server.read_only)
		e = ask_server(db, DB_SERVER_GROUP, &server, until);
	if (is_replaced(e) || is_missing(e)) {
		misses(db, "group_primary", e);
		return false;
	}
	if (e != 0) {
		snprintf(db->reason, sizeof(db->reason), "it does not say whether it takes writes");
		return false;
	}
	if ((why = db_server_is_no_writer(&server)) == NULL)
		return !server.in_galera || (agree(db, until) && sees_all(db, until));
	db->electing = server.in_galera && !server.read_only;
	snprintf(db->reason, sizeof(db->reason), "%s", why);
	return false;
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
	if (host_number(db) != db->kill_host)
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

static void
pause_ms(int64_t ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

static bool
connect_to(struct db *db, char *host, int64_t until)
{
	const struct db_conf *c = db->conf;
	bool local = host[0] == '/';
	unsigned port = 3306;
	char *colon = strrchr(host, ':');
	unsigned e;

	db->shut_out = db->electing = false;
	if (!local && colon != NULL) {
		*colon = '\0';
		port = (unsigned)strtoul(colon + 1, NULL, 10);
	}
	if ((db->my = mysql_init(NULL)) == NULL) {
		snprintf(db->reason, sizeof(db->reason), "out of memory");
		return false;
	}
	set_options(db->my, c);
	db->reason[0] = '\0';
	if (mysql_real_connect(db->my, local ? NULL : host, c->user, c->password, c->name, port,
		local ? host : NULL, CLIENT_MULTI_RESULTS)
		!= NULL
	    && set_session(db, until) && is_writer(db, until))
		return true;
	e = mysql_errno(db->my);
	if (db->reason[0] == '\0')
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

/* One host is tried once; of several each in turn, round and round while there is time: they may
 * be electing.  That is no reason to refuse others, who may have more time: silence is. */
static bool
connect_any(struct db *db, int64_t until)
{
	unsigned tried = 0, count;
	char host[DB_HOST_SIZE];
	int64_t start = db_now_ms();

	do {
		db->at_host = atomic_load(&db->shared->host);
		count = db_hosts_nth(db->conf->hosts, db->at_host, host, sizeof(host));
		if (connect_to(db, host, until))
			return true;
		leave(db, db->reason);
		if (++tried % count == 0 && count > 1)
			pause_ms(ROUND_MS);
	} while (count > 1 && until - db_now_ms() >= AGAIN_MS);
	if (db_now_ms() - start >= (int64_t)tried * CONNECT_TIMEOUT_S * 900)
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
		db->kill_host = host_number(db);
		db->kill_asked_ms = now;
		/* most of a whole deadline: not locks any more, the database hangs */
		if (db_hosts_several(db->conf->hosts))
			leave(db, "it does not answer");
		else if (now - sent_ms >= db->conf->deadline_ms * 2 / 3)
			atomic_store(&db->shared->bad_until_ms, now + REFUSE_MS);
	}
	disconnect(db);
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

/* Was what is called, since start, being replaced, and may it be called again?  It pauses first. */
static bool
again(struct db *db, unsigned e, int64_t start, int64_t until)
{
	int64_t now = db_now_ms();

	if (!is_replaced(e) || now - start >= REPLACED_MS || until - now < AGAIN_MS)
		return false;
	db_done(db);
	back_off(REPLACED_PACE);
	return true;
}

static enum db_status
check_schema(struct db *db, int64_t until)
{
	static const char sql[] = "CALL schema_version()";
	int64_t now = db_now_ms();
	long long version;
	unsigned e;

	if (db->schema_checked_ms != 0
	    && now - db->schema_checked_ms
		   < (db_hosts_several(db->conf->hosts) ? WRITER_CHECK_MS : SCHEMA_CHECK_MS))
		return DB_OK;
	/* when the connection was made it was one */
	if (db->schema_checked_ms != 0 && !is_writer(db, until)) {
		leave(db, db->reason);
		disconnect(db);
		return DB_DOWN;
	}
	do
		e = query(db, sql, sizeof(sql) - 1, until);
	while (again(db, e, now, until));
	if (e != 0) {
		snprintf(db->reason, sizeof(db->reason), "schema_version: %s", error_text(db, e));
		if (is_replaced(e))
			misses(db, "schema_version", e);
		else
			leave(db, db->reason);
		gave_up(db, e, now);
		return is_replaced(e) ? DB_VERSION : DB_DOWN;
	}
	if (!db_row(db) || db_number(db, 0) != LOYALTY_COMPATIBILITY) {
		version = db->row != NULL ? db_number(db, 0) : 0;
		snprintf(db->reason, sizeof(db->reason),
		    "the database %s schema compatibility number %lld, this program needs %d",
		    version == 0 ? "is being migrated:" : "has", version, LOYALTY_COMPATIBILITY);
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
		if (db->my != NULL
		    && db->at_host != atomic_load_explicit(&db->shared->host, memory_order_relaxed))
			disconnect(db); /* another thread has found that host no good */
		if (db->my != NULL && (db->kind != SELECT || db_now_ms() - db->used_ms > FRESH_MS)
		    && stale(db->my)) {
			log_line(LOG_INFO, NULL, "db: connection found closed, connecting again");
			disconnect(db);
		}
		if (db->my == NULL && !connect_any(db, until))
			return db->shut_out ? DB_VERSION : DB_DOWN;
		/* once more where the connection was dead, not where it took its time */
		if ((st = check_schema(db, until)) != DB_DOWN)
			return st;
		if (db_hosts_several(db->conf->hosts)
			? until - db_now_ms() < AGAIN_MS
			: tries > 0 || db->kill_asked_ms != given_up_ms)
			return st;
	}
}

/* ---- what is prepared ---- */

/* What a column is fetched as: a number, a time, or text of so many bytes at most. */
static enum enum_field_types
fetched_as(const MYSQL_FIELD *f, unsigned long *len)
{
	*len = 0;
	switch (f->type) {
	case MYSQL_TYPE_TINY:
	case MYSQL_TYPE_SHORT:
	case MYSQL_TYPE_INT24:
	case MYSQL_TYPE_LONG:
	case MYSQL_TYPE_LONGLONG:
		return MYSQL_TYPE_LONGLONG;
	case MYSQL_TYPE_DATETIME:
		return MYSQL_TYPE_DATETIME;
	default:
		*len = f->length < TEXT_MAX ? f->length : TEXT_MAX;
		return MYSQL_TYPE_STRING;
	}
}

static bool
bind_column(MYSQL_BIND *b, struct column *c, const MYSQL_FIELD *f)
{
	b->buffer_type = fetched_as(f, &b->buffer_length);
	b->is_null = &c->is_null;
	b->length = &c->len;
	/* as text a number and a time are shorter */
	c->text = malloc(b->buffer_length + 80);
	b->buffer = b->buffer_type == MYSQL_TYPE_STRING ? (void *)c->text : (void *)&c->value;
	return c->text != NULL;
}

/* Are there buffers for these columns: as many, of the same kinds? */
static bool
is_bound(const struct statement *s, MYSQL_RES *of, unsigned n)
{
	unsigned long len;
	unsigned i;

	for (i = 0; i < n && n == s->ncolumns; i++)
		if (s->binds[i].buffer_type != fetched_as(mysql_fetch_field_direct(of, i), &len)
		    || s->binds[i].buffer_length != len)
			return false;
	return n == s->ncolumns;
}

/* Bind the columns of what was prepared or executed.  false: out of memory, or it has none. */
static bool
bind_columns(struct statement *s)
{
	MYSQL_RES *of = mysql_stmt_result_metadata(s->stmt);
	bool ok = of != NULL;
	unsigned n = ok ? mysql_num_fields(of) : 0;

	if (ok && !is_bound(s, of, n)) {
		forget_columns(s);
		s->columns = calloc(n, sizeof(*s->columns));
		s->binds = calloc(n, sizeof(*s->binds));
		ok = s->columns != NULL && s->binds != NULL;
		for (; ok && s->ncolumns < n; s->ncolumns++)
			ok = bind_column(&s->binds[s->ncolumns], &s->columns[s->ncolumns],
			    mysql_fetch_field_direct(of, s->ncolumns));
	}
	if (of != NULL)
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

/* The statement that is at hand, prepared where it is new to this connection.  0, or the error's
 * number. */
static unsigned
prepare(struct db *db, struct statement **out)
{
	struct statement *s = db->statements;
	bool call = db->kind == CALL_ROW;
	unsigned e = ER_OUTOFMEMORY;

	for (; s < db->statements + db->nstatements; s++)
		if (s->literal == db->literal) {
			*out = s;
			return 0;
		}
	if (call)
		write_call(db, true);
	if (db->nstatements == STATEMENTS_MAX || (call && db->text.failed)
	    || (s->stmt = mysql_stmt_init(db->my)) == NULL)
		return e;
	s->literal = db->literal;
	if (mysql_stmt_prepare(
		s->stmt, call ? db->text.p : s->literal, call ? db->text.len : strlen(s->literal))
	    != 0) {
		e = failure_of(db, s->stmt);
	} else if (mysql_stmt_param_count(s->stmt) == db->nparams + db->nouts
		   && (call || bind_columns(s))) {
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

	memset(b, 0, (db->nparams + db->nouts) * sizeof(*b));
	for (i = 0; i < db->nparams; i++) {
		struct param *p = &db->params[i];

		/* to MariaDB's library no buffer is NULL, and before its first byte values has none
		 */
		b[i].buffer_type = p->type;
		b[i].buffer = p->type == MYSQL_TYPE_LONGLONG || db->values.p == NULL
				  ? (void *)&p->n
				  : db->values.p + p->at;
		b[i].buffer_length = p->len;
		b[i].length = &p->len;
	}
	for (; i < db->nparams + db->nouts; i++)
		b[i].buffer_type = MYSQL_TYPE_NULL;
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

/* The row was fetched, with this result: make text of its fields. */
static void
read_fields(struct statement *s, int rc)
{
	unsigned i;

	/* Longer than it could be when this was prepared: no row is better than half a field,
	 * and none of it passes for a row.  The next one is prepared anew. */
	if (rc != 0)
		s->literal = NULL;
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
}

static bool
fetch(struct statement *s)
{
	int rc = mysql_stmt_fetch(s->stmt);

	if (rc != MYSQL_NO_DATA)
		read_fields(s, rc);
	return rc != MYSQL_NO_DATA;
}

/* Fetch a procedure's one row, its own or its OUT parameters, and what the server says behind it.
 * 0, or the error's number. */
static unsigned
fetch_row(struct db *db, struct statement *s)
{
	int rc = MYSQL_NO_DATA;

	if (mysql_stmt_field_count(s->stmt) > 0) {
		if (!bind_columns(s))
			return ER_OUTOFMEMORY;
		if ((rc = mysql_stmt_fetch(s->stmt)) == 1)
			return failure_of(db, s->stmt);
		if (rc != MYSQL_NO_DATA) {
			read_fields(s, rc);
			mysql_stmt_fetch(s->stmt); /* there is no other */
		}
	}
	db->row_read = rc == MYSQL_NO_DATA;
	while ((rc = mysql_stmt_next_result(s->stmt)) == 0)
		;
	return rc < 0 ? 0 : failure_of(db, s->stmt);
}

/* The library waits for the answer to what is prepared as long as this; less is left. */
static bool
is_hurried(const struct db *db, int64_t until)
{
	return until - db_now_ms() < read_timeout_s(db->conf) * 1000;
}

/*
 * Execute what is at hand, prepared, and fetch the whole answer.  0, or the
 * error's number.  *begun: it may have been done.  A read in a hurry asks first
 * whether the server answers at all.
 */
static unsigned
execute(struct db *db, int64_t until, bool *begun)
{
	MYSQL_BIND b[PARAMS_MAX + OUTS_MAX];
	struct statement *s = NULL;
	unsigned e;

	*begun = false;
	db->failure[0] = '\0';
	if (is_hurried(db, until) && !tell(db, "DO 1", until))
		return ERR_TIMEOUT;
	if ((e = prepare(db, &s)) != 0)
		return e;
	bind_params(db, b);
	*begun = true;
	if ((db->nparams + db->nouts > 0 && mysql_stmt_bind_param(s->stmt, b) != 0)
	    || mysql_stmt_execute(s->stmt) != 0
	    || (db->kind == SELECT && mysql_stmt_store_result(s->stmt) != 0))
		return failure_of(db, s->stmt);
	if (db->kind == CALL_ROW && (e = fetch_row(db, s)) != 0)
		return e;
	db->rows = s;
	return 0;
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
	       || e == ERR_NOT_IN_CLUSTER || e == ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
	       || e == ERR_REPLICATION_HOOK || e == ERR_DISK_FULL || e == ER_RECORD_FILE_FULL
	       || e == ER_OUT_OF_RESOURCES || e == ER_CON_COUNT_ERROR || e == ER_OUTOFMEMORY
	       || e == ER_ERROR_ON_WRITE || e == ER_GET_ERRNO;
}

/* Begin with the result that is there, if it has rows.  0, or the error's number. */
static unsigned
use_result(struct db *db)
{
	if ((db->results[0] = mysql_use_result(db->my)) == NULL)
		return mysql_errno(db->my);
	db->nresults = 1;
	return 0;
}

/* Send the call at hand as text, and fetch the whole answer, of a stream its beginning.  0, or the
 * error's number. */
static unsigned
execute_text(struct db *db, int64_t until)
{
	unsigned e;

	write_call(db, false);
	if (db->text.failed)
		return ER_OUTOFMEMORY;
	if (db->kind != CALL_STREAM) {
		e = query(db, db->text.p, db->text.len, until);
		if (e != 0 || db->nouts == 0 || db->nresults > 0)
			return e;
		write_outs(db);
		return db->text.failed ? ER_OUTOFMEMORY
				       : query(db, db->text.p, db->text.len, until);
	}
	db->failure[0] = '\0';
	if (mysql_send_query(db->my, db->text.p, db->text.len) != 0)
		return mysql_errno(db->my);
	if (!answers(db, until))
		return ERR_TIMEOUT;
	return mysql_read_query_result(db->my) != 0 ? mysql_errno(db->my) : use_result(db);
}

/* The answer to what is at hand, which may be on its way already.  0, or the error's number.
 * *begun: it may have been done. */
static unsigned
answer(struct db *db, int64_t until, bool *begun)
{
	int64_t start = db_now_ms();
	unsigned e;

	*begun = true;
	if (db->sent) {
		db->sent = false;
		e = db->send_error != 0 ? db->send_error : receive(db, until);
		if (!again(db, e, start, until))
			return e;
	}
	do
		e = db->kind == SELECT || (db->kind == CALL_ROW && !is_hurried(db, until))
			? execute(db, until, begun)
			: execute_text(db, until);
	while (again(db, e, start, until));
	return e;
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
	if (!is_replaced(e) && !(db->kind == SELECT && is_missing(e)))
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
	bool begun;
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
		e = answer(db, until, &begun);
		db->used_ms = db_now_ms();
		if (e == 0)
			return DB_OK;
		snprintf(db->reason, sizeof(db->reason), "%s: %s", db->name, error_text(db, e));
		log_line(LOG_WARN, request_id, "db: error %u: %s", e, db->reason);
		db_done(db);
		if (is_lost(e)) {
			gave_up(db, e, sent);
			if (!begun)
				continue;
			if (!*in_doubt && until > db_now_ms() + RECOVER_MS
			    && !db_hosts_several(db->conf->hosts))
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
			leave(db, db->reason);
			disconnect(db);
			if (!db_hosts_several(db->conf->hosts) || until - db_now_ms() < AGAIN_MS)
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

	write_call(db, false);
	/* what is not fine now, db_receive meets again and tells */
	if (db->values.failed || db->text.failed || db_now_ms() >= until || !may_try(db->shared)
	    || ready(db, until) != DB_OK)
		return;
	db->sent = true;
	db->send_error =
	    mysql_send_query(db->my, db->text.p, db->text.len) != 0 ? mysql_errno(db->my) : 0;
}

enum db_status
db_receive(struct db *db, enum db_mode mode, const char *request_id)
{
	int64_t until = deadline(db);
	bool in_doubt = false;
	enum db_status st;

	if (db->values.failed) {
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
	return db_receive(db, mode, request_id);
}

/* ---- the result ---- */

bool
db_row(struct db *db)
{
	MYSQL_RES *r = db->at < db->nresults ? db->results[db->at] : NULL;

	if (db->rows != NULL && db->kind == SELECT)
		return fetch(db->rows);
	if (db->rows != NULL)
		return db->row_read ? false : (db->row_read = true);
	if (r == NULL || (db->row = mysql_fetch_row(r)) == NULL)
		return false;
	db->lengths = mysql_fetch_lengths(r);
	return true;
}

bool
db_next_result(struct db *db)
{
	db->row = NULL;
	if (db->kind == CALL_STREAM) {
		db_done(db);
		return db_is_whole(db) && mysql_next_result(db->my) == 0 && use_result(db) == 0
		       && db->nresults > 0;
	}
	if (db->at < db->nresults)
		db->at++;
	return db->at < db->nresults;
}

bool
db_is_whole(const struct db *db)
{
	return db->my != NULL && mysql_errno(db->my) == 0;
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
	if (db->rows != NULL && db->kind == SELECT)
		mysql_stmt_free_result(db->rows->stmt);
	db->rows = NULL;
}
