#ifndef NOTIFIER_TUNNEL_H
#define NOTIFIER_TUNNEL_H

#include <stddef.h>

#include <openssl/ssl.h>

/*
 * TLS from the first byte (RFC 8314, 3).  libesmtp 1.1 knows STARTTLS alone.
 * So the socket that it has connected becomes one end of a socket pair, and a
 * thread carries what passes through it to the server, under TLS.
 */

struct tunnel;

enum tunnel_fault {
	TUNNEL_DOWN,  /* the connection ended, or took too long */
	TUNNEL_WRONG, /* no TLS, or not one that we accept */
};

/*
 * Shake hands over the connected socket fd, then put the plain end in its
 * place: same number, same flags.  Blocks for up to timeout_ms; a shutdown of
 * fd ends it sooner.  NULL with *fault and a reason in why, and fd as it was.
 */
struct tunnel *tunnel_open(
    int fd, SSL_CTX *ctx, int timeout_ms, enum tunnel_fault *fault, char *why, size_t size);

/* Once the plain end is closed or shut down: wait for the thread, free all.
 * Accepts NULL. */
void tunnel_close(struct tunnel *t);

#endif
