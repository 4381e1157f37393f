#include <stdio.h>

#include "fuzz.h"

void
fuzz_fail(const char *why, const void *data, size_t len)
{
	fprintf(stderr, "%s: ", why);
	fwrite(data, 1, len, stderr);
	fputc('\n', stderr);
	abort();
}
