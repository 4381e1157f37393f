#include <string.h>

#include "buf.h"
#include "caller.h"
#include "faults.h"
#include "hash.h"
#include "idempotency.h"
#include "wire.h"

void
idempotency_read(struct wire *w, const struct caller *caller, struct faults *faults)
{
	const char *key;
	struct buf b = {0};
	size_t i, n;
	int count;

	if ((key = wire_param(w, "HTTP_IDEMPOTENCY_KEY", &count)) == NULL)
		return;
	n = strlen(key);
	for (i = 0; i < n && key[i] > 0x20 && key[i] < 0x7f; i++)
		;
	if (count > 1 || n < 1 || n > 128 || i < n) {
		faults_add(faults, FAULT_HEADER, "Idempotency-Key",
		    "must be given once, as 1 to 128 visible ASCII characters");
		return;
	}
	if (caller_tells_key(caller, key, n)) {
		faults_add(faults, FAULT_HEADER, "Idempotency-Key", CALLER_TELLS_KEY);
		return;
	}
	/* NUL can't be part of any of them */
	buf_str(&b, caller_role_name(caller));
	buf_add(&b, "", 1);
	buf_str(&b, wire_method_name(w->method));
	buf_add(&b, "", 1);
	buf_add(&b, w->path, strlen(w->path) + 1);
	buf_str(&b, key);
	if (b.failed) {
		faults_add(
		    faults, FAULT_HEADER, "Idempotency-Key", "could not be read: out of memory");
	} else {
		hash_sha256(w->key, b.p, b.len);
		hash_sha256(w->body_hash, w->body, w->body_len);
		w->keyed = true;
	}
	buf_free(&b);
}
