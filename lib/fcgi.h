#ifndef LOYALTY_FCGI_H
#define LOYALTY_FCGI_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

/* An answer.  What serve appends to buf is sent when it returns. */
struct fcgi_out {
	struct buf buf;
	bool cut; /* close the connection: the web server shall know that this is not the whole */
	struct FCGX_Request *request;
};

/* Of an answer that is too large for memory: send what buf has, and empty it.  false: nobody takes
 * it any more. */
bool fcgi_send(struct fcgi_out *out);

/*
 * FastCGI 1.0 on a listening socket, several threads, one epoll set: idle
 * connections wait there, and whichever thread is free takes the next that
 * has something to say.  So kept connections, however many, tie up no thread.
 *
 * serve is called in a thread with that thread's own context, the parameters
 * (NAME=value, NULL-terminated) and the body, and appends the CGI answer to
 * out.  body is NULL where it was longer than body_max or did not come whole.
 */
struct fcgi {
	int listen_fd;
	bool own_socket; /* no other process accepts from it, now or later */
	int threads;
	size_t body_max; /* bytes */
	int grace_ms;	 /* after SIGTERM: kept connections are still answered so long */
	void *(*thread_begin)(void *arg); /* the thread's context, or NULL: fail */
	void (*thread_end)(void *context);
	void (*serve)(
	    void *context, char **env, const char *body, size_t body_len, struct fcgi_out *out);
	void (*tick)(void *arg); /* every tick_ms, in the thread of fcgi_run; or NULL */
	int tick_ms;
	void *arg;
};

/*
 * Serve until SIGTERM, SIGINT or SIGUSR1 (multiwatch's word for "end"): then
 * no new connections are taken, what runs is finished, kept connections are
 * answered until their other end lets go or grace_ms are over.  With
 * own_socket who has connected by then is served, and who comes later is
 * refused at once, so that the web server asks another instance; without, he
 * waits for the next process that accepts from the socket.
 * 0, or -1 with the reason logged.
 */
int fcgi_run(const struct fcgi *f);

#endif
