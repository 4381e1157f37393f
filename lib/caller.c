#include <string.h>
#include <strings.h>

#include "caller.h"
#include "faults.h"
#include "text.h"
#include "wire.h"

#define API_KEY_MIN 16 /* as nginx/keys has it */

void
caller_reset(struct caller *c)
{
	c->role = ROLE_NONE;
	c->api_key = NULL;
	c->api_key_len = 0;
	c->actor[0] = '\0';
}

/* Headers are counted again here: nginx before 1.23 shows its map only the first of several. */
static enum role
role_of(struct caller *c, const struct wire *w)
{
	const char *role = wire_param(w, "LOYALTY_ROLE", NULL), *auth, *key;
	int keys, auths;

	key = wire_param(w, "HTTP_X_API_KEY", &keys);
	auth = wire_param(w, "HTTP_AUTHORIZATION", &auths);
	if (role == NULL || keys > 1 || auths > 1 || keys + auths == 0)
		return ROLE_NONE;
	if (auth != NULL && strncasecmp(auth, "Bearer ", 7) != 0)
		return ROLE_NONE;
	if (key == NULL)
		key = auth + 7 + strspn(auth + 7, " ");
	c->api_key = key;
	c->api_key_len = strlen(key);
	if (strcmp(role, "public") == 0)
		return ROLE_PUBLIC;
	if (strcmp(role, "restricted") == 0)
		return ROLE_RESTRICTED;
	if (strcmp(role, "forbidden") == 0)
		return ROLE_FORBIDDEN;
	return ROLE_NONE;
}

void
caller_read(struct caller *c, const struct wire *w)
{
	c->role = role_of(c, w);
}

const char *
caller_role_name(const struct caller *c)
{
	return c->role == ROLE_RESTRICTED ? "restricted" : "public";
}

void
caller_read_actor(struct caller *c, const struct wire *w, struct faults *faults)
{
	const char *given, *why;
	size_t len;
	long n;
	int count;

	strcpy(c->actor, caller_role_name(c));
	if (c->role != ROLE_RESTRICTED || (given = wire_param(w, "HTTP_X_ACTOR", &count)) == NULL)
		return; /* with the public key the header is ignored */
	len = strlen(given);
	/* nginx joins what is given twice with commas (from 1.23 on) */
	if (count > 1 || memchr(given, ',', len) != NULL) {
		faults_add(faults, FAULT_HEADER, "X-Actor",
		    "must be given once, and a comma in it as %%2C");
	} else if (len > 3 * CALLER_ACTOR_MAX) {
		faults_add(faults, FAULT_HEADER, "X-Actor", "must have at most 100 characters");
	} else {
		char raw[3 * CALLER_ACTOR_MAX + 1];
		size_t i;

		for (i = 0; i < len && given[i] >= 0x20 && given[i] < 0x7f; i++)
			;
		if (i < len || (n = text_unpercent(raw, given, len)) < 0)
			faults_add(
			    faults, FAULT_HEADER, "X-Actor", "must be UTF-8, percent-encoded");
		else if ((why = text_fault(TEXT_NAME, raw, (size_t)n, 100)) != NULL)
			faults_add(faults, FAULT_HEADER, "X-Actor", "must %s", why);
		else if (caller_tells_key(c, raw, (size_t)n))
			faults_add(faults, FAULT_HEADER, "X-Actor", CALLER_TELLS_KEY);
		else {
			memcpy(c->actor, raw, (size_t)n);
			c->actor[n] = '\0';
		}
	}
}

bool
caller_tells_key(const struct caller *c, const char *s, size_t len)
{
	return c->api_key_len >= API_KEY_MIN && memmem(s, len, c->api_key, c->api_key_len) != NULL;
}
