#ifndef LOYALTY_FCGI_READ_H
#define LOYALTY_FCGI_READ_H

#include <stdbool.h>

/*
 * What libfcgi reads from a connection is looked over before libfcgi sees it:
 * it adds the announced lengths of a parameter's name and value (FastCGI 1.0,
 * 3.4) as 32-bit integers and trusts the sum (2.4.2, with its patch for
 * CVE-2025-23016), so that a record of 60 bytes ends the process.  A request
 * whose names and values, with one byte more for each, are together longer
 * than FCGI_PARAMS_MAX ends its connection instead.
 */
#define FCGI_PARAMS_MAX (1 << 20) /* bytes; nginx sends a few thousand */

/* In the thread that is about to call FCGX_Accept_r: a request begins here. */
void fcgi_read_begin(void);

/*
 * Have all its parameters come?  libfcgi takes a connection that ends, or is
 * refused, between two of them for the end of them all (3.3 has an empty record).
 */
bool fcgi_read_whole(void);

#endif
