/*
 * clients - does any client starve?
 *
 *	BENCH_KEY=… BENCH_RUN=… clients [-c CLIENTS] [-s SECONDS] PORT WORKLOAD
 *
 * So many clients, each with one kept-alive TLS connection to loopback, each
 * sending its next request when it has its answer.  A load generator that
 * reports percentiles of finished requests hides a client that never gets its
 * turn: this one waits for every answer, however long, and tells the longest
 * wait and the fewest requests of any client.  Workloads: list, reserve, hot
 * and mixed (every other client lists, every other one reserves).
 *
 * One line of JSON on standard output.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#define CLIENTS_MAX 256
#define GIVE_UP_S 30

struct client {
	pthread_t id;
	int number, port, seconds;
	const char *workload, *key, *run;
	SSL_CTX *tls;
	uint64_t rng;
	long n, errors;
	int64_t slowest_us;
};

static int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static unsigned
draw(struct client *c, unsigned n)
{
	c->rng ^= c->rng << 13;
	c->rng ^= c->rng >> 7;
	c->rng ^= c->rng << 17;
	return (unsigned)(c->rng >> 16) % n;
}

static SSL *
dial(struct client *c)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)c->port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval limit = {.tv_sec = GIVE_UP_S};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	SSL *s;

	if (fd < 0)
		return NULL;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 || (s = SSL_new(c->tls)) == NULL) {
		close(fd);
		return NULL;
	}
	SSL_set_fd(s, fd);
	if (SSL_connect(s) == 1)
		return s;
	SSL_free(s);
	close(fd);
	return NULL;
}

static void
hang_up(SSL *s)
{
	int fd = SSL_get_fd(s);

	SSL_free(s);
	close(fd);
}

static int
compose(struct client *c, char *out, size_t size)
{
	const char *w = c->workload;
	char room[37] = "bbbbbbbb-0000-4000-8000-0000ffffffff", body[128];
	int n;

	if (strcmp(w, "list") == 0 || (strcmp(w, "mixed") == 0 && c->number % 2 == 0))
		return snprintf(out, size,
		    "GET /v1/rooms?limit=20 HTTP/1.1\r\nHost: localhost\r\nX-API-Key: %s\r\n\r\n",
		    c->key);
	if (strcmp(w, "hot") != 0)
		snprintf(room, sizeof(room), "bbbbbbbb-0000-4000-8000-%012x", draw(c, 1000) + 1);
	n = snprintf(body, sizeof(body),
	    "{\"room_id\":\"%s\",\"user\":{\"id\":\"cccccccc-0000-4000-8000-%012x\"}}", room,
	    draw(c, 1000) + 1);
	return snprintf(out, size,
	    "POST /v1/reservations HTTP/1.1\r\nHost: localhost\r\nX-API-Key: %s\r\nContent-Type: "
	    "application/json\r\n"
	    "Idempotency-Key: %s-%d-%ld\r\nContent-Length: %d\r\n\r\n%s",
	    c->key, c->run, c->number, c->n, n, body);
}

/* Read one whole answer; its status, or 0. */
static int
answer(SSL *s, char *in, size_t size)
{
	const char *end = NULL, *length;
	size_t len = 0, want = 0;
	int n;

	do {
		if (len == size - 1 || (n = SSL_read(s, in + len, (int)(size - 1 - len))) <= 0)
			return 0;
		len += (size_t)n;
		in[len] = '\0';
		if (end == NULL && (end = strstr(in, "\r\n\r\n")) != NULL) {
			if ((length = strcasestr(in, "\r\nContent-Length:")) == NULL
			    || length > end)
				return 0;
			want = (size_t)(end + 4 - in) + strtoul(length + 17, NULL, 10);
		}
	} while (end == NULL || len < want);
	return (int)strtol(in + 9, NULL, 10);
}

static void *
run(void *arg)
{
	struct client *c = arg;
	static const size_t size = 262144;
	char *in = malloc(size), out[1024];
	int64_t start = now_us(), end = start + (int64_t)c->seconds * 1000000, took;
	SSL *s = in != NULL ? dial(c) : NULL;

	while (s != NULL && (start = now_us()) < end) {
		int n = compose(c, out, sizeof(out)), status;

		status = SSL_write(s, out, n) == n ? answer(s, in, size) : 0;
		took = now_us() - start;
		if (took > c->slowest_us)
			c->slowest_us = took;
		c->n++;
		if (status != 200 && status != 201) {
			if (c->errors++ == 0)
				fprintf(stderr, "clients: client %d, request %ld: status %d\n",
				    c->number, c->n, status);
			hang_up(s);
			s = dial(c);
		}
	}
	if (s == NULL)
		c->errors++;
	else
		hang_up(s);
	free(in);
	return NULL;
}

int
main(int argc, char **argv)
{
	static struct client c[CLIENTS_MAX];
	const char *key = getenv("BENCH_KEY"), *run_id = getenv("BENCH_RUN");
	int clients = 32, seconds = 4, opt, i;
	long n = 0, errors = 0, fewest = 0;
	int64_t slowest = 0;
	SSL_CTX *tls;

	while ((opt = getopt(argc, argv, "c:s:")) != -1) {
		switch (opt) {
		case 'c':
			clients = (int)strtol(optarg, NULL, 10);
			break;
		case 's':
			seconds = (int)strtol(optarg, NULL, 10);
			break;
		default:
			return 2;
		}
	}
	if (optind + 2 != argc || key == NULL || run_id == NULL || clients < 1
	    || clients > CLIENTS_MAX) {
		fprintf(stderr, "usage: BENCH_KEY=… BENCH_RUN=… clients [-c CLIENTS] [-s SECONDS] "
				"PORT WORKLOAD\n");
		return 2;
	}
	/* Whom we talk to is known: our own gateway, on loopback. */
	if ((tls = SSL_CTX_new(TLS_client_method())) == NULL)
		return 1;
	for (i = 0; i < clients; i++) {
		c[i] = (struct client){.number = i,
		    .port = (int)strtol(argv[optind], NULL, 10),
		    .seconds = seconds,
		    .workload = argv[optind + 1],
		    .key = key,
		    .run = run_id,
		    .tls = tls};
		if (getrandom(&c[i].rng, sizeof(c[i].rng), 0) != sizeof(c[i].rng)
		    || pthread_create(&c[i].id, NULL, run, &c[i]) != 0)
			return 1;
	}
	for (i = 0; i < clients; i++) {
		pthread_join(c[i].id, NULL);
		n += c[i].n;
		errors += c[i].errors;
		if (i == 0 || c[i].n < fewest)
			fewest = c[i].n;
		if (c[i].slowest_us > slowest)
			slowest = c[i].slowest_us;
	}
	SSL_CTX_free(tls);
	printf("{\"requests\":%ld,\"errors\":%ld,\"fewest\":%ld,\"max_us\":%lld}\n", n, errors,
	    fewest, (long long)slowest);
	return errors == 0 ? 0 : 1;
}
