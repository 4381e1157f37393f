#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>

#include "tunnel.h"

#define PIECE 16384 /* of a TLS record */

struct tunnel {
	SSL *ssl;
	int net;   /* to the server, under TLS */
	int plain; /* our end of the pair */
	pthread_t thread;
};

/* What was read on one side and not yet written to the other. */
struct piece {
	char bytes[PIECE];
	size_t at, len;
};

static void
took(struct piece *p, size_t n)
{
	p->at += n;
	p->len -= n;
	if (p->len == 0)
		p->at = 0;
}

/* Whether OpenSSL only waits for the network; if so for what is in *fd. */
static bool
wants(SSL *ssl, int result, struct pollfd *fd)
{
	switch (SSL_get_error(ssl, result)) {
	case SSL_ERROR_WANT_READ:
		fd->events |= POLLIN;
		return true;
	case SSL_ERROR_WANT_WRITE:
		fd->events |= POLLOUT;
		return true;
	}
	return false;
}

static bool
would_block(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* From the program to the server, as far as it goes.  false: no further. */
static bool
carry_out(struct tunnel *t, struct piece *p, struct pollfd fds[2], bool *moved)
{
	ssize_t n;
	int done;

	if (p->len == 0) {
		n = recv(t->plain, p->bytes, sizeof(p->bytes), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && !would_block()))
			return false;
		if (n < 0) {
			fds[0].events |= POLLIN;
			return true;
		}
		p->len = (size_t)n;
		*moved = true;
	}
	ERR_clear_error();
	if ((done = SSL_write(t->ssl, p->bytes + p->at, (int)p->len)) <= 0)
		return wants(t->ssl, done, &fds[1]);
	took(p, (size_t)done);
	*moved = true;
	return true;
}

/* From the server to the program. */
static bool
carry_in(struct tunnel *t, struct piece *p, struct pollfd fds[2], bool *moved)
{
	ssize_t n;
	int done;

	if (p->len == 0) {
		ERR_clear_error();
		if ((done = SSL_read(t->ssl, p->bytes, sizeof(p->bytes))) <= 0)
			return wants(t->ssl, done, &fds[1]);
		p->len = (size_t)done;
		*moved = true;
	}
	n = send(t->plain, p->bytes + p->at, p->len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0) {
		fds[0].events |= POLLOUT;
		return would_block();
	}
	took(p, (size_t)n);
	*moved = true;
	return true;
}

static void *
carry(void *arg)
{
	struct tunnel *t = arg;
	struct piece out = {.len = 0}, in = {.len = 0};
	bool moved;

	for (;;) {
		struct pollfd fds[2] = {{.fd = t->plain}, {.fd = t->net}};

		moved = false;
		if (!carry_out(t, &out, fds, &moved) || !carry_in(t, &in, fds, &moved))
			break;
		if (moved)
			continue;
		poll(fds, 2, -1);
		/* The program is gone, and the server takes no more of what it said. */
		if ((fds[0].revents & POLLHUP) && out.len > 0 && !(fds[1].revents & POLLOUT))
			break;
	}
	ERR_clear_error();
	SSL_shutdown(t->ssl); /* says so; doesn't wait for the answer */
	shutdown(t->net, SHUT_RDWR);
	shutdown(t->plain, SHUT_RDWR);
	return NULL;
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool
shake_hands(struct tunnel *t, int timeout_ms, enum tunnel_fault *fault, char *why, size_t size)
{
	int64_t until = now_ms() + timeout_ms, left;
	struct pollfd fd = {.fd = t->net};
	unsigned long error;
	int done;

	*fault = TUNNEL_DOWN;
	for (;;) {
		ERR_clear_error();
		if ((done = SSL_connect(t->ssl)) == 1)
			return true;
		fd.events = 0;
		if (!wants(t->ssl, done, &fd))
			break;
		if ((left = until - now_ms()) <= 0) {
			snprintf(why, size, "no answer to the TLS handshake");
			return false;
		}
		poll(&fd, 1, (int)left);
	}
	error = ERR_get_error();
	if (error == 0 || ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		snprintf(why, size, "connection lost during the TLS handshake");
		return false;
	}
	*fault = TUNNEL_WRONG;
	snprintf(why, size, "TLS handshake failed: %s%s", ERR_reason_error_string(error),
	    ERR_GET_REASON(error) == SSL_R_WRONG_VERSION_NUMBER
		? "; does this port expect TLS from the first byte?"
		: "");
	return false;
}

/* A thread that takes no signal: those are for the program's own. */
static bool
start(struct tunnel *t)
{
	sigset_t all, before;
	bool ok;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ok = pthread_create(&t->thread, NULL, carry, t) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ok;
}

static void
tunnel_free(struct tunnel *t)
{
	SSL_free(t->ssl);
	if (t->net >= 0)
		close(t->net);
	if (t->plain >= 0)
		close(t->plain);
	free(t);
}

struct tunnel *
tunnel_open(int fd, SSL_CTX *ctx, int timeout_ms, enum tunnel_fault *fault, char *why, size_t size)
{
	struct tunnel *t = calloc(1, sizeof(*t));
	int pair[2] = {-1, -1}, flags = fcntl(fd, F_GETFL);

	*fault = TUNNEL_DOWN;
	snprintf(why, size, "out of memory or files");
	if (t == NULL)
		return NULL;
	t->plain = -1;
	if ((t->net = fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0 || (t->ssl = SSL_new(ctx)) == NULL
	    || SSL_set_fd(t->ssl, t->net) != 1 || fcntl(t->net, F_SETFL, flags | O_NONBLOCK) != 0)
		goto fail;
	SSL_set_mode(t->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (!shake_hands(t, timeout_ms, fault, why, size))
		goto fail;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		goto fail;
	t->plain = pair[1];
	if (fcntl(pair[0], F_SETFL, flags) != 0 || !start(t))
		goto fail;
	/* From here on fd is the pair's; nobody has spoken through it yet. */
	if (dup2(pair[0], fd) < 0) {
		close(pair[0]);
		tunnel_close(t);
		return NULL;
	}
	close(pair[0]);
	return t;
fail:
	if (pair[0] >= 0)
		close(pair[0]);
	tunnel_free(t);
	return NULL;
}

void
tunnel_close(struct tunnel *t)
{
	if (t == NULL)
		return;
	pthread_join(t->thread, NULL);
	tunnel_free(t);
}
