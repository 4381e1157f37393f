#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "client.h"
#include "db.h"

enum { BEGIN_REQUEST = 1, END_REQUEST = 3, PARAMS = 4, STDIN = 5, STDOUT = 6 };

int
client_connect(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = 10};
	int64_t start = db_now_ms();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	while (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
		if (check_since(start) > 2000) {
			close(fd);
			return -1;
		}
		check_pause(10);
	}
	return fd;
}

static void
record(struct buf *b, uint8_t type, const void *p, size_t len)
{
	uint8_t head[8] = {1, type, 0, 1, (uint8_t)(len >> 8), (uint8_t)len, 0, 0};

	buf_add(b, head, sizeof(head));
	buf_add(b, p, len);
}

/* In records of at most 60,000 bytes, and an empty one. */
static void
stream(struct buf *b, uint8_t type, const char *p, size_t len)
{
	while (len > 0) {
		size_t n = len < 60000 ? len : 60000;

		record(b, type, p, n);
		p += n;
		len -= n;
	}
	record(b, type, NULL, 0);
}

static void
length(struct buf *b, size_t n)
{
	uint8_t c[4] = {
	    (uint8_t)(n >> 24 | 0x80), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};

	if (n < 128)
		buf_add(b, c + 3, 1);
	else
		buf_add(b, c, 4);
}

void
client_request(struct buf *b, bool keep, const char *const params[], const char *body, size_t len)
{
	uint8_t begin[8] = {0, 1, keep, 0, 0, 0, 0, 0};
	struct buf pairs = {0};

	record(b, BEGIN_REQUEST, begin, sizeof(begin));
	for (; *params != NULL; params++) {
		size_t n = strcspn(*params, "=");

		length(&pairs, n);
		length(&pairs, strlen(*params + n + 1));
		buf_add(&pairs, *params, n);
		buf_str(&pairs, *params + n + 1);
	}
	stream(b, PARAMS, pairs.p, pairs.len);
	stream(b, STDIN, body, len);
	buf_free(&pairs);
}

bool
client_send(int fd, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
receive_all(int fd, void *p, size_t len)
{
	return len == 0 || recv(fd, p, len, MSG_WAITALL) == (ssize_t)len;
}

bool
client_receive(int fd, struct buf *out)
{
	char content[65535 + 255];
	uint8_t head[8];

	buf_reset(out);
	while (receive_all(fd, head, sizeof(head))) {
		size_t len = (size_t)head[4] << 8 | head[5];

		if (head[0] != 1 || !receive_all(fd, content, len + head[6]))
			return false;
		if (head[1] == STDOUT)
			buf_add(out, content, len);
		if (head[1] == END_REQUEST) {
			buf_add(out, "", 1);
			out->len--;
			return true;
		}
	}
	return false;
}

bool
client_closed(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char c;

	return poll(&p, 1, ms) == 1 && recv(fd, &c, 1, 0) <= 0;
}
