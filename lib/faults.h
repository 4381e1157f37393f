#ifndef LOYALTY_FAULTS_H
#define LOYALTY_FAULTS_H

#include <stddef.h>

#define FAULTS_MAX 16

/* What a fault is in; each names itself in another member of the answer. */
enum fault_in { FAULT_BODY, FAULT_QUERY, FAULT_HEADER };

/* One thing that is wrong with a request.  at: a JSON pointer (RFC 6901) into
 * the body, a query parameter's name, or a header's. */
struct fault {
	enum fault_in in;
	char at[80];
	char detail[120];
};

/* What was found wrong with a request. */
struct faults {
	size_t n;
	char detail[300]; /* a problem's detail, where somebody knows better; else empty */
	struct fault list[FAULTS_MAX];
};

/* None. */
void faults_reset(struct faults *f);

/* Note one; those past FAULTS_MAX are dropped.  at and the text are cut to fit struct fault. */
void faults_add(struct faults *f, enum fault_in in, const char *at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
