#ifndef NOTIFIER_ADDRESS_H
#define NOTIFIER_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

/* Addresses as people write them into a setting (RFC 5322, 3.4), strictly. */

#define ADDRESS_NAME 100 /* characters of a display name */

struct address {
	char name[4 * ADDRESS_NAME + 1]; /* UTF-8, unquoted; empty: none */
	char mailbox[255];		 /* mail_address_ok says yes */
};

/*
 * Take the next one off a comma-separated list:
 *
 *	desk@hotel.example
 *	Front desk <desk@hotel.example>
 *	"Desk, front" <desk@hotel.example>
 *
 * A name is UTF-8; with any of ( ) [ ] : ; @ \ , < > it needs the quotes,
 * within which \ takes the next character as it is.  Comments, groups and
 * quoted local parts are refused.
 *
 * false: the list is at its end.  Else *a, or *fault, a phrase to follow what
 * was taken: *list is behind it, at a comma or the end.  *fault is NULL where
 * there is none.
 */
bool address_next(const char **list, struct address *a, const char **fault);

#endif
