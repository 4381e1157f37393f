#ifndef NOTIFIER_EHLO_H
#define NOTIFIER_EHLO_H

#include <stdbool.h>

/* The name that we give in EHLO (RFC 5321, 4.1.1.1 and 4.1.4). */

#define EHLO_NAME 256

/* A domain or an address literal: [192.0.2.1], [IPv6:2001:db8::1] (4.1.3). */
bool ehlo_name_ok(const char *s);

/*
 * This machine's fully qualified name: its host name, or what the resolver
 * makes of it.  false, out as it was: it has none.  May wait for DNS.
 */
bool ehlo_fqdn(char out[EHLO_NAME]);

/* The address literal of our end of the connected socket fd.  false: none. */
bool ehlo_literal(int fd, char out[EHLO_NAME]);

#endif
