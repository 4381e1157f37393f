#ifndef LOYALTY_CONF_H
#define LOYALTY_CONF_H

#include <stddef.h>
#include <stdio.h>

enum conf_type {
	CONF_TEXT,   /* out: char * */
	CONF_SECRET, /* out: char *; NAME_FILE names a private file: its first line.  A bare name: a
			file in $CREDENTIALS_DIRECTORY, where systemd sets that */
	CONF_INT,    /* out: int, min to max */
	CONF_CHOICE, /* out: int, index of the word in choices */
};

/*
 * One environment variable: what it is called, what it may be, what it is
 * when unset or empty.  fallback NULL: a CONF_TEXT or CONF_SECRET that stays
 * NULL; "!" : it must be given.
 */
struct conf_row {
	const char *name;
	enum conf_type type;
	int min, max;
	const char *choices; /* "off|starttls" */
	const char *fallback;
	const char *help;
	void *out;
};

/*
 * Fill the rows' outs from the environment.  Text is allocated;
 * conf_free gives it back.  Every fault (a bad value, a file that can't be
 * read, an unknown variable LOYALTY_*, so that a misspelt one is noticed) is
 * a line to err; -1 if there was any, else 0.  A variable is no fault if its
 * family (LOYALTY_NGINX_, LOYALTY_SMTP_, ...) has no row: other programs
 * read it.
 */
int conf_load(const struct conf_row *rows, size_t n, FILE *err);

/* Free what conf_load allocated. */
void conf_free(const struct conf_row *rows, size_t n);

/* The table: name, type and range, default, meaning. */
void conf_print(const struct conf_row *rows, size_t n, FILE *out);

#endif
