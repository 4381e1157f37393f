#ifndef LOYALTY_CALLER_H
#define LOYALTY_CALLER_H

#include <stdbool.h>
#include <stddef.h>

struct faults;
struct wire;

enum role { ROLE_NONE, ROLE_FORBIDDEN, ROLE_PUBLIC, ROLE_RESTRICTED };

#define CALLER_ACTOR_MAX 400 /* bytes: 100 characters */
#define CALLER_TELLS_KEY "must not contain the API key"

/* Who asks. */
struct caller {
	enum role role;
	const char *api_key; /* the key that the role comes from, or NULL */
	size_t api_key_len;
	char actor[CALLER_ACTOR_MAX + 1]; /* who did it, for the history */
};

/* Nobody yet. */
void caller_reset(struct caller *c);

/* Role and key: nginx has mapped the one to the other. */
void caller_read(struct caller *c, const struct wire *w);

/* The actor: the key's role, or the person that X-Actor names. */
void caller_read_actor(struct caller *c, const struct wire *w, struct faults *faults);

/* The role's name, as histories have it. */
const char *caller_role_name(const struct caller *c);

/*
 * Is the API key that authenticates the request part of this text?  It would
 * stand in histories, mails and logs for ever: who takes a text asks, and
 * refuses it.  Keys of less than 16 characters, which nginx knows none of, are
 * not looked for.
 */
bool caller_tells_key(const struct caller *c, const char *s, size_t len);

#endif
