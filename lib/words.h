#ifndef LOYALTY_WORDS_H
#define LOYALTY_WORDS_H

#include "buf.h"
#include "words_table.h" /* made of words/LANGUAGE.txt: enum word, WORDS_LANGUAGES */

/*
 * What mails say, in the language that a setting chooses.  A language is a file
 * in words/; make checks that it has all keys.
 */

/* Which of WORDS_LANGUAGES; set before the first thread begins. */
extern int words_language;

#define WORDS_SETTING(out)                                                                         \
	{                                                                                          \
		"LOYALTY_MAIL_LANGUAGE", CONF_CHOICE, 0, 0, WORDS_LANGUAGES, "en",                 \
		    "language of the mails", out                                                   \
	}

/* Static, NUL-terminated, UTF-8. */
const char *words_text(enum word w);

/* What stands for {name} in a text; NULL: nothing. */
struct word_value {
	const char *name, *text;
};

/* Append a text with its {names} filled in; values end with a NULL name.  Of "one | many" the first
 * is for an "n" of 1. */
void words_put(struct buf *b, enum word w, const struct word_value *values);

#endif
