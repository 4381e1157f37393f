#ifndef LOYALTY_JSONW_H
#define LOYALTY_JSONW_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

/*
 * A JSON writer that streams into a buffer and cannot produce broken JSON: a
 * call out of order sets `broken`, writes nothing, and jsonw_end says so.
 *
 *	struct jsonw w = jsonw_begin(b);
 *	jsonw_object(&w);
 *	jsonw_name(&w, "id"); jsonw_text(&w, s, n);
 *	jsonw_close(&w);
 *	fine = jsonw_end(&w);
 */
struct jsonw {
	struct buf *b;
	unsigned depth;
	unsigned arrays; /* bit n: level n is an array */
	bool more;	 /* a comma is due before the next element */
	bool named;	 /* a name was written, its value is due */
	bool done;	 /* the top value is complete */
	bool broken;
};

struct jsonw jsonw_begin(struct buf *b);

/* Complete, well-formed and with all the memory it needed? */
bool jsonw_end(const struct jsonw *w);

void jsonw_object(struct jsonw *w);
void jsonw_array(struct jsonw *w);
void jsonw_close(struct jsonw *w); /* whichever is open; at most 16 deep */

/* The name of the next value: a literal that needs no escaping. */
void jsonw_name(struct jsonw *w, const char *name);

void jsonw_text(struct jsonw *w, const char *s, size_t n); /* UTF-8, escaped here */
void jsonw_str(struct jsonw *w, const char *s);
void jsonw_uuid(struct jsonw *w, const unsigned char id[16]);
void jsonw_int(struct jsonw *w, long long n);
void jsonw_bool(struct jsonw *w, bool v);
void jsonw_null(struct jsonw *w);

/* An integer that is decimal text already, -?[0-9]+; anything else is `broken`. */
void jsonw_digits(struct jsonw *w, const char *s, size_t n);

#endif
