#ifndef LOYALTY_DB_H
#define LOYALTY_DB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "conf.h"

/*
 * Reads, and calls of stored procedures, over one connection, for one thread.
 *
 *	db_select(db, room_get, "SELECT id, name FROM room WHERE id = ?");
 *	db_bytes(db, id, 16);
 *	if ((rc = db_exec(db, DB_READ, id)) == DB_OK && db_row(db))
 *		use(db_text(db, 1, &len));
 *	db_done(db);
 *
 * The connection is made when it is first needed and made again when it was
 * lost.  What is prepared is so once on each; its values travel in the binary
 * protocol, those of other calls as hexadecimal literals or numbers.  So there
 * is nothing to escape.
 */
struct db;

/* Where and who.  hosts: comma-separated, each an absolute path (a socket) or
 * host[:port].  Of several the first is used that may be written to (db_hosts.h),
 * by all connections of the process, for reads, too, so that everybody sees his
 * own writes; it is left, for the next, when it does not answer, cannot be
 * reached or takes no writes, and nobody goes back by himself.  Strings are not
 * copied and must outlive every db made of it. */
struct db_conf {
	const char *hosts, *user, *password, *name, *tls_ca;
	int tls;	 /* enum db_tls */
	int deadline_ms; /* maximum time for a call, connecting included */
};

/* Of the first so many hosts of a list is remembered when they were left. */
#define DB_HOSTS_KNOWN 8

/* What all connections of a process to one database know of it.  Begins zeroed. */
struct db_shared {
	_Atomic long long retries;    /* transactions retried after a collision */
	_Atomic int64_t bad_until_ms; /* while it lies ahead the database is not asked */
	_Atomic unsigned host; /* which of the hosts is used; one more each time that one is left */
	_Atomic int64_t left_ms[DB_HOSTS_KNOWN]; /* when that host was left; 0: never */
	_Atomic bool
	    electing[DB_HOSTS_KNOWN]; /* as its cluster may have elected: worth a second look */
};

/* The settings LOYALTY_DB_…, which fill a db_conf but for its deadline. */
#define DB_SETTINGS 6
void db_settings(struct conf_row rows[DB_SETTINGS], struct db_conf *c, const char *account);

enum db_mode {
	DB_READ,  /* changes nothing: may be sent again when the connection was lost */
	DB_KEYED, /* a write that the database itself does once only: the same */
	DB_ONCE,  /* a write that must never be sent twice */
};

enum db_status {
	DB_OK,
	DB_DOWN, /* no connection, overloaded or read-only, of several hosts each: nothing was done
		  */
	DB_UNKNOWN, /* the connection was lost after sending: done or not, nobody knows */
	DB_VERSION, /* the schema, or what this account may do there, is not what this program was
		     * built for: nothing was done; the reason may be told to anybody */
	DB_FAILED,  /* the statement failed: nothing was done; logged */
};

/* Whether a connection over TCP to another machine may be plain text. */
enum db_tls { DB_TLS_REQUIRED, DB_TLS_OFF };

/*
 * Are the settings safe?  false, with a line to err: a host is reached over
 * TCP, is not this machine (localhost, 127.…), and there is neither a CA nor
 * DB_TLS_OFF, so that the password and all data would go in plain text.
 */
bool db_conf_fits(const struct db_conf *c, FILE *err);

/* Around a process's use of this module.  false: out of memory. */
bool db_library_begin(void);
void db_library_end(void);

/* A db without a connection as yet, or NULL: no memory.  c and shared are not
 * owned; shared NULL: it has one of its own. */
struct db *db_new(const struct db_conf *c, struct db_shared *shared);
void db_free(struct db *db); /* accepts NULL */

/* What it was made of: another db, with a deadline of its own, can be made from a copy. */
const struct db_conf *db_conf_of(const struct db *db);

/* Which of several hosts its last call went to: 1 for the first of the list.  0: there is one
 * alone. */
unsigned db_host_of(const struct db *db);

/* Around a thread's use of this module. */
void db_thread_begin(void);
void db_thread_end(void);

/* Begin a call.  Arguments follow in the procedure's order, 32 at most. */
void db_call(struct db *db, const char *procedure);
/* The same, prepared, for a procedure that is called often and answers with one row or none.
 * procedure: a literal in the program's text. */
void db_call_row(struct db *db, const char *procedure);
/* Such a procedure has n more parameters, OUT, behind those that are given: they are the row,
 * unless it answers with one. */
void db_out(struct db *db, unsigned n);
/*
 * The same, for results of any size: db_exec comes back with the first, and
 * rows are read from the server as db_row and db_next_result ask for them.
 * Where the connection breaks or the procedure fails meanwhile they end early,
 * which db_is_whole tells.  For a db of its own: its deadline_ms is how long
 * the server may be silent between two rows.
 */
void db_call_stream(struct db *db, const char *procedure);
bool db_is_whole(const struct db *db);
/*
 * Begin a read: one SELECT, a literal in the program's text, which changes and
 * locks nothing.  Arguments follow in the order of its question marks, 32 at
 * most.  name: for reasons and the log.
 */
#define db_select(db, name, sql) db_select_literal(db, #name, "" sql "")
void db_select_literal(struct db *db, const char *name, const char *sql);
void db_int(struct db *db, long long n);
void db_bytes(struct db *db, const void *p, size_t n);
void db_utf8(struct db *db, const char *s, size_t n);
void db_null(struct db *db);

/*
 * Send it; all rows of all results are here when it returns DB_OK.
 * Deadlocks, lock waits and failed certifications (1213, 1205, 1020, 3101,
 * 1180, and 1062: two requests met on one Idempotency-Key) are tried again
 * within the deadline, with jitter, then DB_DOWN; so is a procedure that is not
 * there or not granted (1305, 1370): a migration may be replacing it; then
 * DB_VERSION.  After any other failure the schema's version is looked at again:
 * DB_VERSION where a migration came between, else DB_FAILED.
 * request_id is for the log.
 */
enum db_status db_exec(struct db *db, enum db_mode mode, const char *request_id);

/*
 * The same in two steps, for a caller that has other things to do while the
 * database works: db_send puts the call on its way if the database is there,
 * db_receive waits for the answer and does everything else that db_exec does.
 * The deadline begins with each step.  What was sent is executed whether or not
 * db_receive is called; a db_call before it gives the answer up, and the
 * connection with it.
 */
void db_send(struct db *db);
enum db_status db_receive(struct db *db, enum db_mode mode, const char *request_id);

/* The reason of the last db_exec or db_receive that was not DB_OK, for people. */
const char *db_reason(const struct db *db);

/* Step to the next row; to the next result, for a procedure that has several. */
bool db_row(struct db *db);
bool db_next_result(struct db *db);

/* Fields of the row at hand, from column 0: bytes that stay until db_done or
 * the next db_row and are followed by a NUL; NULL for NULL.  A number is text in
 * decimal; so is a DATETIME of what is prepared, as RFC 3339 has it, UTC. */
const char *db_text(const struct db *db, unsigned col, size_t *len);
long long db_number(const struct db *db, unsigned col); /* 0 for NULL */

/* How many the row has. */
unsigned db_columns(const struct db *db);

/* Let go of the result. */
void db_done(struct db *db);

/* Milliseconds on a clock that never jumps. */
int64_t db_now_ms(void);

/* The deadline of the calls to come, in db_now_ms; 0: deadline_ms from each call's start. */
void db_until(struct db *db, int64_t at_ms);

#endif
