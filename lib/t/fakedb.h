#ifndef LOYALTY_FAKEDB_H
#define LOYALTY_FAKEDB_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A database server that does as it is told: it speaks enough of the MySQL
 * protocol for db.c, on a unix socket, in threads of this process.  So what
 * db.c makes of every answer, and of none, can be tested without a server.
 */

enum fake_kind {
	FAKE_ROWS,    /* rows; of a CALL, then its own OK */
	FAKE_NO_ROWS, /* OK alone */
	FAKE_ERROR,   /* error */
	FAKE_CLOSE,   /* close the connection, without a word */
	FAKE_HANG,    /* say nothing */
};

/* The answer to one CALL, to one SELECT of variables, or to one execution of what was prepared,
 * whose text has the arguments in it. */
struct fake_step {
	enum fake_kind kind;
	unsigned error;	  /* of FAKE_ERROR */
	int delay_ms;	  /* before it */
	unsigned columns; /* of FAKE_ROWS; their values row by row in `values`, NULL for NULL */
	const char *const *values;
	unsigned nrows;
};

/* Begin a script: the answers to CALLs of other procedures than
 * schema_version, in order; the last goes on for ever.  Counters start at 0. */
void fakedb_script(const struct fake_step *steps, size_t n);

/* What becomes of connections and of schema_version, until fakedb_script. */
void fakedb_mute(bool mute);		       /* accept, say nothing */
void fakedb_schema(int version);	       /* -1: hang */
void fakedb_stall(bool stall);		       /* say nothing to SET */
void fakedb_read_only(bool first, bool other); /* what each says of itself */
/* Both are set up for a group: is each its primary?  error: what the first says instead, or 0. */
void fakedb_group(unsigned error, bool first, bool other);
void fakedb_drop_after(unsigned calls);	   /* close each connection once it has answered so many */
void fakedb_drop_all(void);		   /* close all there are now */
void fakedb_close_at_prepares(unsigned n); /* instead of the next n answers to PREPARE */

/* Its sockets, as of two hosts; each starts at the first call. */
const char *fakedb_path(void);
const char *fakedb_other_path(void);

/* Since fakedb_script: connections made,
 * CALLs (without schema_version) that came,
 * KILLs, schema_version; and the text of CALL number n from 0, or "". */
unsigned fakedb_connections(void);
unsigned fakedb_other_connections(void); /* to the other socket, of these */
unsigned fakedb_calls(void);
unsigned fakedb_kills(void);
unsigned fakedb_prepares(void); /* prepared; executed they count as calls */
unsigned fakedb_schema_calls(void);
const char *fakedb_text(unsigned n);

#endif
