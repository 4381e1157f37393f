#include <stdarg.h>
#include <stdio.h>

#include "faults.h"

void
faults_reset(struct faults *f)
{
	f->n = 0;
	f->detail[0] = '\0';
}

void
faults_add(struct faults *f, enum fault_in in, const char *at, const char *fmt, ...)
{
	struct fault *one = &f->list[f->n];
	va_list ap;

	if (f->n == FAULTS_MAX)
		return;
	f->n++;
	one->in = in;
	snprintf(one->at, sizeof(one->at), "%s", at);
	va_start(ap, fmt);
	vsnprintf(one->detail, sizeof(one->detail), fmt, ap);
	va_end(ap);
}
