#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <fcgiapp.h>

#include "buf.h"
#include "fcgi.h"
#include "fcgi_read.h"
#include "log.h"

/*
 * libfcgi would tie a thread to a kept connection: FCGX_Accept_r reads the
 * next request of the same one, and blocks.  FCGX_Request's ipcFd and
 * keepConnection, which fcgiapp.h marks as internal, are the way around
 * (libfcgi 2.4.2 to 2.4.5): with ipcFd set FCGX_Accept_r takes that instead
 * of accepting, and after FCGX_Finish_r it is still there if the web server
 * asked to keep it.  listen_sock is -1, so that FCGX_Accept_r fails where it
 * would otherwise wait for a new connection.  All of that is in serve_one.
 */
#define IO_TIMEOUT_S 5 /* a web server on the same network that stalls in mid-record */

struct pool {
	const struct fcgi *f;
	int epoll, quit; /* quit: an eventfd, readable for all once it is time */
	atomic_int open; /* connections */
};

struct worker {
	pthread_t thread;
	struct pool *pool;
	bool failed;
};

static bool
watch(struct pool *p, int op, int fd, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.fd = fd};

	return epoll_ctl(p->epoll, op, fd, &ev) == 0;
}

static void
hang_up(struct pool *p, int fd)
{
	close(fd);
	atomic_fetch_sub(&p->open, 1);
}

/* Whether there was one. */
static bool
accept_one(struct pool *p)
{
	struct timeval limit = {.tv_sec = IO_TIMEOUT_S};
	int fd, why;

	/* Counted before it is there: whoever sees none open may end us. */
	atomic_fetch_add(&p->open, 1);
	fd = accept4(p->f->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	why = errno;
	watch(p, EPOLL_CTL_MOD, p->f->listen_fd, EPOLLIN | EPOLLONESHOT);
	if (fd < 0) {
		atomic_fetch_sub(&p->open, 1);
		if (why != EAGAIN && why != ECONNABORTED && why != EINTR) {
			struct timespec pause = {.tv_nsec = 10000000};

			log_line(LOG_WARN, NULL, "accept: %s", strerror(why));
			nanosleep(&pause, NULL); /* out of descriptors: don't spin */
		}
		return false;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (!watch(p, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP | EPOLLONESHOT))
		hang_up(p, fd);
	return true;
}

/* The whole body, in body; its length, or -1: too long, or cut off. */
static long
read_body(FCGX_Request *r, char *body, size_t max)
{
	const char *s = FCGX_GetParam("CONTENT_LENGTH", r->envp);
	long n = s != NULL && *s != '\0' ? strtol(s, NULL, 10) : 0;

	if (n < 0 || (size_t)n > max)
		return -1;
	return n == 0 || FCGX_GetStr(body, (int)n, r->in) == n ? n : -1;
}

bool
fcgi_send(struct fcgi_out *out)
{
	int n = FCGX_PutStr(out->buf.p, (int)out->buf.len, out->request->out);
	bool ok = n == (int)out->buf.len && FCGX_FFlush(out->request->out) == 0;

	buf_reset(&out->buf);
	return ok;
}

/* Serve the request that waits on fd; the connection, or -1 if it is closed. */
static int
serve_one(
    const struct fcgi *f, FCGX_Request *r, int fd, void *context, char *body, struct fcgi_out *out)
{
	long n;

	r->ipcFd = fd;
	r->keepConnection = 1;
	r->listen_sock = -1;
	fcgi_read_begin();
	if (FCGX_Accept_r(r) != 0) {
		r->ipcFd = -1; /* libfcgi has closed it */
		return -1;
	}
	if (!fcgi_read_whole()) {
		FCGX_Free(r, 1);
		r->ipcFd = -1;
		return -1;
	}
	n = read_body(r, body, f->body_max);
	buf_reset(&out->buf);
	out->cut = false;
	out->request = r;
	f->serve(context, r->envp, n >= 0 ? body : NULL, n >= 0 ? (size_t)n : 0, out);
	if (out->cut) {
		FCGX_Free(r, 1);
		r->ipcFd = -1;
		return -1;
	}
	FCGX_PutStr(out->buf.p, (int)out->buf.len, r->out);
	FCGX_Finish_r(r);
	fd = r->ipcFd;
	r->ipcFd = -1;
	return fd;
}

static void
work(struct pool *p, void *context, FCGX_Request *r, char *body, struct fcgi_out *out)
{
	struct epoll_event ev;
	int fd, n;

	for (;;) {
		if ((n = epoll_wait(p->epoll, &ev, 1, -1)) < 0 && errno != EINTR)
			return;
		if (n <= 0)
			continue;
		fd = ev.data.fd;
		if (fd == p->quit)
			return;
		if (fd == p->f->listen_fd) {
			accept_one(p);
			continue;
		}
		if ((ev.events & EPOLLIN) == 0) {
			hang_up(p, fd);
			continue;
		}
		if (serve_one(p->f, r, fd, context, body, out) < 0)
			atomic_fetch_sub(&p->open, 1);
		else if (!watch(p, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLRDHUP | EPOLLONESHOT))
			hang_up(p, fd);
	}
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;
	const struct fcgi *f = w->pool->f;
	struct fcgi_out out = {.cut = false};
	FCGX_Request r;
	char *body = malloc(f->body_max + 1);
	void *context = f->thread_begin(f->arg);

	w->failed = body == NULL || context == NULL || FCGX_InitRequest(&r, -1, 0) != 0;
	if (w->failed) {
		log_line(LOG_ERROR, NULL, "a thread could not begin");
		kill(getpid(),
		    SIGTERM); /* better none than half a service: the supervisor sees it */
	}
	if (!w->failed) {
		r.ipcFd = -1;
		work(w->pool, context, &r, body, &out);
	}
	if (context != NULL)
		f->thread_end(context);
	buf_free(&out.buf);
	free(body);
	return NULL;
}

static void
wait_for_end(struct pool *p, const sigset_t *signals)
{
	struct timespec tick = {.tv_nsec = 50000000};
	struct timespec period = {
	    .tv_sec = p->f->tick_ms / 1000, .tv_nsec = p->f->tick_ms % 1000 * 1000000L};
	int sig, waited;
	uint64_t one = 1;

	do {
		sig = sigtimedwait(signals, NULL, p->f->tick != NULL ? &period : NULL);
		if (sig < 0 && errno == EAGAIN)
			p->f->tick(p->f->arg);
	} while (sig < 0);
	log_line(LOG_INFO, NULL, "signal %d: finishing", sig);
	epoll_ctl(p->epoll, EPOLL_CTL_DEL, p->f->listen_fd, NULL);
	if (p->f->own_socket) {
		while (accept_one(p))
			continue;
		shutdown(p->f->listen_fd, SHUT_RDWR);
	}
	for (waited = 0; atomic_load(&p->open) > 0 && waited < p->f->grace_ms; waited += 50)
		nanosleep(&tick, NULL);
	if (write(p->quit, &one, sizeof(one)) < 0)
		log_line(LOG_ERROR, NULL, "eventfd: %s", strerror(errno));
}

int
fcgi_run(const struct fcgi *f)
{
	struct pool p = {.f = f, .epoll = -1, .quit = -1};
	struct worker *w = calloc((size_t)f->threads, sizeof(*w));
	sigset_t signals;
	int i, started = 0, rc = -1;

	/* first libfcgi, which installs handlers of its own */
	FCGX_Init();
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);

	p.epoll = epoll_create1(EPOLL_CLOEXEC);
	p.quit = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w == NULL || p.epoll < 0 || p.quit < 0 || fcntl(f->listen_fd, F_SETFL, O_NONBLOCK) != 0
	    || !watch(&p, EPOLL_CTL_ADD, f->listen_fd, EPOLLIN | EPOLLONESHOT)
	    || !watch(&p, EPOLL_CTL_ADD, p.quit, EPOLLIN)) {
		log_line(LOG_ERROR, NULL, "no listening socket on descriptor %d: %s", f->listen_fd,
		    strerror(errno));
		goto out;
	}
	for (; started < f->threads; started++) {
		w[started].pool = &p;
		if (pthread_create(&w[started].thread, NULL, worker_main, &w[started]) != 0)
			break;
	}
	if (started == f->threads) {
		wait_for_end(&p, &signals);
		rc = 0;
	} else {
		uint64_t one = 1;

		log_line(LOG_ERROR, NULL, "started only %d of %d threads", started, f->threads);
		if (write(p.quit, &one, sizeof(one)) < 0)
			goto out;
	}
	for (i = 0; i < started; i++) {
		pthread_join(w[i].thread, NULL);
		if (w[i].failed)
			rc = -1;
	}
out:
	if (p.epoll >= 0)
		close(p.epoll);
	if (p.quit >= 0)
		close(p.quit);
	free(w);
	return rc;
}
