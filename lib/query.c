#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "caller.h"
#include "faults.h"
#include "query.h"
#include "text.h"
#include "uuid.h"

const char *
query_get(const struct query *q, const char *name, size_t *len)
{
	size_t i;

	for (i = 0; i < q->n; i++) {
		if (strcmp(q->v[i].name, name) != 0)
			continue;
		if (len != NULL)
			*len = q->v[i].len;
		return q->v[i].value;
	}
	return NULL;
}

/* The name in the route's list that equals s, as it was sent, or NULL. */
static const char *
known_parameter(const char *list, const char *s, size_t len, char *store, size_t size)
{
	while (*list != '\0') {
		size_t n = strcspn(list, " ");

		if (n == len && memcmp(list, s, n) == 0 && n < size) {
			memcpy(store, list, n);
			store[n] = '\0';
			return store;
		}
		list += n + (list[n] == ' ');
	}
	return NULL;
}

static void
note(struct faults *faults, const char *name, size_t len, const char *why)
{
	char at[40];
	size_t i;

	for (i = 0; i < len && i < sizeof(at) - 1; i++)
		at[i] = name[i] > 0x20 && name[i] < 0x7f ? name[i] : '?';
	at[i] = '\0';
	faults_add(faults, FAULT_QUERY, at, "%s", why);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct query_value *)a)->name, ((const struct query_value *)b)->name);
}

/* A fault of whichever parameter takes the most room. */
static void
too_long(struct faults *faults, const char *raw)
{
	const char *longest = raw;
	size_t most = 0, n;

	for (; *raw != '\0'; raw += n + (raw[n] == '&'))
		if ((n = strcspn(raw, "&")) > most) {
			longest = raw;
			most = n;
		}
	note(faults, longest, strcspn(longest, "=&"), "is too long");
}

void
query_read(struct query *q, const char *raw, const char *names, const struct caller *caller,
    struct faults *faults)
{
	char *store = q->store, *end = store + sizeof(q->store);

	if (strlen(raw) > sizeof(q->store) - 2 * QUERY_MAX * 16) {
		too_long(faults, raw);
		return;
	}
	while (*raw != '\0') {
		size_t len = strcspn(raw, "&"), nlen;
		const char *eq = memchr(raw, '=', len), *name;
		long vlen;

		nlen = eq != NULL ? (size_t)(eq - raw) : len;
		name = known_parameter(names, raw, nlen, store, (size_t)(end - store));
		if (name == NULL) {
			note(faults, raw, nlen, "is not a known parameter");
		} else if (query_get(q, name, NULL) != NULL) {
			note(faults, raw, nlen, "is given twice");
		} else if (eq == NULL || q->n == QUERY_MAX) {
			note(faults, raw, nlen, "has no value");
		} else {
			struct query_value *value = &q->v[q->n];

			store += nlen + 1;
			vlen = text_unform(store, eq + 1, len - nlen - 1);
			if (vlen < 0 || memchr(store, '\0', (size_t)vlen) != NULL) {
				note(faults, raw, nlen, "is ill-formed");
			} else if (caller_tells_key(caller, store, (size_t)vlen)) {
				note(faults, raw, nlen, CALLER_TELLS_KEY);
			} else {
				*value = (struct query_value){name, store, (size_t)vlen};
				store[vlen] = '\0';
				store += vlen + 1;
				q->n++;
			}
		}
		raw += len + (raw[len] == '&');
	}
	/* one order for all, so that a cursor fits however the client sorts them */
	qsort(q->v, q->n, sizeof(q->v[0]), by_name);
}

/* Split them.  How many; more than QUERY_IDS: too many, or one is no UUID. */
static size_t
read_ids(const char *s, size_t len, unsigned char *out)
{
	const char *end = s + len, *comma;
	struct uuid id;
	size_t n;

	for (n = 0; n < QUERY_IDS; n++, s = comma + 1) {
		if ((comma = memchr(s, ',', (size_t)(end - s))) == NULL)
			comma = end;
		if (!uuid_parse(&id, s, (size_t)(comma - s)))
			break;
		memcpy(out + n * 16, id.b, 16);
		if (comma == end)
			return n + 1;
	}
	return QUERY_IDS + 1;
}

static bool
has_twice(const unsigned char *ids, size_t n)
{
	size_t i, k;

	for (i = 1; i < n; i++)
		for (k = 0; k < i; k++)
			if (memcmp(ids + i * 16, ids + k * 16, 16) == 0)
				return true;
	return false;
}

size_t
query_ids(const struct query *q, struct faults *faults, unsigned char out[QUERY_IDS * 16])
{
	const char *s;
	size_t len = 0, i, n;

	s = query_get(q, "ids", &len);
	n = read_ids(s, len, out);
	if (n > QUERY_IDS)
		faults_add(faults, FAULT_QUERY, "ids", "must be 1 to %d UUIDs, separated by commas",
		    QUERY_IDS);
	else if (has_twice(out, n))
		faults_add(faults, FAULT_QUERY, "ids", "has an id twice");
	for (i = 0; i < q->n; i++)
		if (strcmp(q->v[i].name, "ids") != 0)
			faults_add(faults, FAULT_QUERY, q->v[i].name, "must not stand beside ids");
	return faults->n > 0 ? 0 : n;
}
