#ifndef LOYALTY_CLIENT_H
#define LOYALTY_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

/* A FastCGI client (FastCGI 1.0), which can also misbehave. */

/* A connection to the unix socket path, tried for two seconds; -1: none. */
int client_connect(const char *path);

/*
 * The records of one request: BEGIN_REQUEST, PARAMS and STDIN, appended to b.
 * params: NAME=value, NULL-terminated; CONTENT_LENGTH is not added.
 */
void client_request(
    struct buf *b, bool keep, const char *const params[], const char *body, size_t len);

/* Send all of it; false: the connection is gone. */
bool client_send(int fd, const char *p, size_t len);

/* Read one answer, up to END_REQUEST, into out (STDOUT, NUL-terminated).
 * false: the connection ended, or ten seconds have passed. */
bool client_receive(int fd, struct buf *out);

/* Is the connection closed by the other end within ms? */
bool client_closed(int fd, int ms);

#endif
