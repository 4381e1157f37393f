#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

#define LINE_MAX_BYTES 1280
#define FLUSH_MS 500 /* at the end, for what the relay still has */

static const char *log_program = "loyalty";
static enum log_level log_most = LOG_INFO;

/* Where lines go: descriptor 2, or one of our own that never blocks. */
static int out_fd = STDERR_FILENO;
static bool out_is_socket;
static atomic_bool torn; /* the last line was written in part: the next begins a new one */
static atomic_llong dropped, untold;

void
log_init(const char *program, enum log_level level)
{
	log_program = program;
	log_most = level;
}

/* ---- a descriptor that never blocks ---- */

/*
 * The last resort, where descriptor 2 can't be opened again (a pipe of another
 * user): a thread that may block, behind a queue that may not.
 */
static int relay_fd = -1;
static atomic_int relay_has; /* lines sent to it that it has not written */

static void
drop(void)
{
	atomic_fetch_add(&dropped, 1);
	atomic_fetch_add(&untold, 1);
}

static void *
relay(void *arg)
{
	struct pollfd writable = {.fd = STDERR_FILENO, .events = POLLOUT};
	char line[LINE_MAX_BYTES + 1];
	ssize_t n, done, w;

	while ((n = recv(relay_fd, line, sizeof(line), 0)) > 0) {
		for (done = 0; done < n; done += w) {
			w = write(STDERR_FILENO, line + done, (size_t)(n - done));
			if (w < 0 && errno == EAGAIN)
				poll(&writable, 1, -1);
			else if (w < 0 && errno != EINTR)
				break;
			if (w < 0)
				w = 0;
		}
		if (done < n)
			drop();
		atomic_fetch_sub(&relay_has, 1);
	}
	return arg;
}

static void
relay_flush(void)
{
	struct timespec tick = {.tv_nsec = 5000000};
	int waited;

	for (waited = 0; atomic_load(&relay_has) > 0 && waited < FLUSH_MS; waited += 5)
		nanosleep(&tick, NULL);
}

static bool
relay_start(void)
{
	int pair[2];
	sigset_t all, before;
	pthread_t thread;
	bool ok;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return false;
	relay_fd = pair[0];
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ok = pthread_create(&thread, NULL, relay, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!ok) {
		close(pair[0]);
		close(pair[1]);
		relay_fd = -1;
		return false;
	}
	pthread_detach(thread);
	atexit(relay_flush);
	out_fd = pair[1];
	out_is_socket = true;
	return true;
}

void
log_open(void)
{
	struct stat st;
	int fd;

	if (out_fd != STDERR_FILENO || out_is_socket || fstat(STDERR_FILENO, &st) != 0)
		return;
	if (S_ISSOCK(st.st_mode)) {
		/* can't be opened again, but each send can be told not to wait */
		out_is_socket = true;
		return;
	}
	if (!S_ISFIFO(st.st_mode) && !isatty(STDERR_FILENO))
		return; /* a file: it takes a line or refuses it */
	/* O_NONBLOCK is of the open file, which others share: so one of our own */
	fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0)
		out_fd = fd;
	else if (!relay_start())
		log_line(LOG_WARN, NULL, "logging may block: %s", strerror(errno));
}

/* ---- lines ---- */

/* Write a line of len bytes, before which there is room for one more; false: it can't be written
 * now. */
static bool
put(char *line, size_t len)
{
	ssize_t n;

	if (atomic_load_explicit(&torn, memory_order_relaxed) && atomic_exchange(&torn, false)) {
		*--line = '\n';
		len++;
	}
	if (relay_fd >= 0)
		atomic_fetch_add(&relay_has, 1);
	do
		n = out_is_socket ? send(out_fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL)
				  : write(out_fd, line, len);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)len)
		return true;
	if (relay_fd >= 0)
		atomic_fetch_sub(&relay_has, 1);
	if (n > 0 || *line == '\n')
		atomic_store(&torn, true);
	return false;
}

/* Time, level, program, request id; the length. */
static size_t
begin_line(char *line, size_t size, enum log_level level, const char *request_id)
{
	static const char *const name[] = {"error", "warn", "info", "debug", "info"};
	struct timespec ts;
	struct tm tm;
	size_t len;
	int n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	len = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &tm);
	n = snprintf(line + len, size - len, ".%06ldZ %s %s %s ", ts.tv_nsec / 1000, name[level],
	    log_program, request_id != NULL && *request_id != '\0' ? request_id : "-");
	len += (size_t)n;
	/* a request id has 64 characters at most, but that is not known here */
	return len > size / 2 ? size / 2 : len;
}

/* Tell how many lines were dropped, if there are any; false: not even that can be written. */
static bool
catch_up(void)
{
	char room[LINE_MAX_BYTES + 1], *line = room + 1;
	long long n;
	size_t len;

	if (atomic_load_explicit(&untold, memory_order_relaxed) == 0
	    || (n = atomic_exchange(&untold, 0)) == 0)
		return true;
	len = begin_line(line, LINE_MAX_BYTES, LOG_WARN, NULL);
	len += (size_t)snprintf(line + len, LINE_MAX_BYTES - len,
	    "dropped %lld log lines: standard error did not take them\n", n);
	if (put(line, len))
		return true;
	atomic_fetch_add(&untold, n);
	return false;
}

void
log_catch_up(void)
{
	catch_up();
}

long long
log_dropped(void)
{
	return atomic_load(&dropped);
}

void
log_line(enum log_level level, const char *request_id, const char *fmt, ...)
{
	char room[LINE_MAX_BYTES + 1], *line = room + 1;
	size_t i, start, len;
	va_list ap;
	int n;

	if (level > log_most && level != LOG_ALWAYS)
		return;
	len = start = begin_line(line, LINE_MAX_BYTES, level, request_id);
	va_start(ap, fmt);
	n = vsnprintf(line + len, LINE_MAX_BYTES - len - 1, fmt, ap);
	va_end(ap);
	if (n > 0)
		len += (size_t)n < LINE_MAX_BYTES - len - 1 ? (size_t)n : LINE_MAX_BYTES - len - 2;
	for (i = start; i < len; i++) {
		unsigned char c = (unsigned char)line[i];

		/* C1 controls as well: 0xc2 and 0x80 to 0x9f in UTF-8 */
		if (c == 0xc2 && i + 1 < len && (unsigned char)line[i + 1] >= 0x80
		    && (unsigned char)line[i + 1] <= 0x9f)
			line[i] = line[i + 1] = '?';
		else if (c < 0x20 || c == 0x7f)
			line[i] = '?';
	}
	line[len++] = '\n';
	if (!catch_up() || !put(line, len))
		drop();
}
