/*
 * rawdb - the database alone: the product's own procedures called in a loop
 *
 *	rawdb -S SOCKET -u USER [-p PASSWORDFILE] [-t THREADS] [-s SECONDS] [-n CALLS] MODE
 *
 * Each thread has a connection with the session that lib/db.c sets, and sends
 * the calls that the services send, as fast as the answers come.  Rooms, users
 * and the hot room are those of data.py.  Modes:
 *
 *	list room       reads: 20 rooms, one room
 *	reserve hot     reservation_create over 1000 rooms; in one
 *	adjust          points_adjust
 *	pending         reservation_create that leaves PENDING_APPROVAL
 *	bare            eight single-row INSERTs in one transaction (bare.sql), the
 *	                ten statements in one packet
 *	bare-each       the same, each statement a round trip
 *	bare-call       the same in a procedure, one CALL
 *
 * One line of JSON on standard output: calls, seconds, errors, latencies in
 * microseconds and the loop's own CPU seconds.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <mysql.h>

#include "uuid.h"

#define ROOMS 1000
#define USERS 1000
#define THREADS_MAX 64
#define SQL_MAX 4096

struct loop {
	const char *socket, *user, *mode;
	char password[256];
	int seconds;
	long calls; /* to be made by all, or 0: until the seconds are over */
	atomic_long made;
	atomic_bool go, failed;
};

struct thread {
	pthread_t id;
	struct loop *loop;
	MYSQL *my;
	uint64_t rng;
	uint32_t *us;
	size_t n, cap;
	long errors;
};

static int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static uint64_t
draw(struct thread *t)
{
	t->rng ^= t->rng << 13;
	t->rng ^= t->rng >> 7;
	t->rng ^= t->rng << 17;
	return t->rng;
}

static void
hex(char *out, const uint8_t *b, size_t n)
{
	static const char digit[] = "0123456789abcdef";

	for (; n > 0; n--, b++) {
		*out++ = digit[*b >> 4];
		*out++ = digit[*b & 15];
	}
	*out = '\0';
}

static void
random_hex(struct thread *t, char *out, size_t bytes)
{
	uint8_t b[32];
	size_t i;

	for (i = 0; i < bytes; i += 8) {
		uint64_t v = draw(t);

		memcpy(b + i, &v, 8);
	}
	hex(out, b, bytes);
}

static void
new_id(char *out)
{
	struct uuid u;

	if (!uuid_v7(&u))
		abort();
	hex(out, u.b, sizeof(u.b));
}

/* The parameters that every writing procedure begins with, as services send them. */
static int
head(struct thread *t, char *sql, const char *procedure)
{
	char id[33], id_hex[65], key[65], body[65];

	random_hex(t, id, 16);
	hex(id_hex, (const uint8_t *)id, 32);
	random_hex(t, key, 32);
	random_hex(t, body, 32);
	return snprintf(sql, SQL_MAX,
	    "CALL %s(_utf8mb4 X'7075626c6963',_utf8mb4 X'%s',X'%s',X'%s',", procedure, id_hex, key,
	    body);
}

static void
reserve(struct thread *t, char *sql, const char *room)
{
	char id[33];
	int n = head(t, sql, "reservation_create");

	new_id(id);
	snprintf(sql + n, SQL_MAX - (size_t)n, "X'%s',X'%s',X'cccccccc00004000800000000000%04x')",
	    id, room, (unsigned)(draw(t) % USERS + 1));
}

/* Rows as wide as those of a reservation, into tables with nothing but a primary key. */
static void
bare(struct thread *t, char *sql, bool call)
{
	char id[33], user[33], room[33], key[65], body[65], request[33];

	new_id(id);
	random_hex(t, user, 16);
	random_hex(t, room, 16);
	random_hex(t, key, 32);
	random_hex(t, body, 32);
	random_hex(t, request, 16);
	if (call) {
		snprintf(sql, SQL_MAX, "CALL bench.bare(X'%s',X'%s',X'%s',X'%s',X'%s','%s')", id,
		    user, room, key, body, request);
		return;
	}
	snprintf(sql, SQL_MAX,
	    "START TRANSACTION;"
	    "INSERT INTO bench.b_user VALUES(X'%s','User Name','USER',1000000);"
	    "INSERT INTO bench.b_room VALUES(X'%s','Room Name 1234',1000000,999999,1,0,1);"
	    "INSERT INTO bench.b_reservation VALUES(X'%s',X'%s',X'%s','RESERVED',1,'2026-11-23 "
	    "21:07:00.123456','2026-11-23 21:07:00.123456');"
	    "INSERT INTO bench.b_idempotency VALUES(X'%s',X'%s',201,'',REPEAT('x',200),'2026-11-23 "
	    "21:07:00.123456');"
	    "INSERT INTO bench.b_points_history "
	    "VALUES(NULL,X'%s',1000001,1000000,-1,NULL,X'%s','public','%s','2026-11-23 "
	    "21:07:00.123456');"
	    "INSERT INTO bench.b_room_history VALUES(NULL,X'%s',X'%s','Room Name "
	    "1234',1000000,1000000,1,0,'Room Name 1234',1000000,999999,1,0,"
	    "NULL,'public','%s','2026-11-23 21:07:00.123456');"
	    "INSERT INTO bench.b_reservation_history "
	    "VALUES(NULL,X'%s',X'%s',X'%s',NULL,'RESERVED',1,NULL,1,'public','%s','2026-11-23 "
	    "21:07:00.123456');"
	    "INSERT INTO bench.b_outbox VALUES(NULL,'reservation','PENDING','2026-11-23 "
	    "21:07:00.123456',X'%s',X'%s','2026-11-23 21:07:00.123456',0,'2026-11-23 "
	    "21:07:00.123456',NULL,NULL,NULL,NULL,NULL);"
	    "COMMIT",
	    user, room, id, user, room, key, body, user, id, request, room, id, request, id, room,
	    user, request, id, room);
}

static void
compose(struct thread *t, char *sql)
{
	const char *mode = t->loop->mode;
	char room[33];

	snprintf(room, sizeof(room), "bbbbbbbb00004000800000000000%04x",
	    (unsigned)(draw(t) % ROOMS + 1));
	if (strcmp(mode, "list") == 0) {
		snprintf(sql, SQL_MAX,
		    "SELECT id, name, available_amount, required_points FROM room FORCE INDEX "
		    "(PRIMARY)"
		    " WHERE archived = 0 ORDER BY id LIMIT 21");
	} else if (strcmp(mode, "room") == 0) {
		snprintf(sql, SQL_MAX,
		    "SELECT id, name, available_amount, required_points FROM room WHERE id = X'%s' "
		    "AND archived = 0",
		    room);
	} else if (strcmp(mode, "reserve") == 0) {
		reserve(t, sql, room);
	} else if (strcmp(mode, "hot") == 0) {
		reserve(t, sql, "bbbbbbbb0000400080000000ffffffff");
	} else if (strcmp(mode, "pending") == 0) {
		reserve(t, sql, "bbbbbbbb0000400080000000eeeeeeee");
	} else if (strcmp(mode, "adjust") == 0) {
		int n = head(t, sql, "points_adjust");

		snprintf(sql + n, SQL_MAX - (size_t)n,
		    "X'cccccccc00004000800000000000%04x',1,_utf8mb4 X'776f726b6c6f6164')",
		    (unsigned)(draw(t) % USERS + 1));
	} else {
		bare(t, sql, strcmp(mode, "bare-call") == 0);
	}
}

/* Send one or several statements, fetch what they answer. */
static bool
query(struct thread *t, const char *sql, size_t len)
{
	MYSQL_RES *r;
	int more = mysql_real_query(t->my, sql, len);

	while (more == 0) {
		if ((r = mysql_store_result(t->my)) != NULL) {
			while (mysql_fetch_row(r) != NULL)
				;
			mysql_free_result(r);
		} else if (mysql_errno(t->my) != 0) {
			break;
		}
		more = mysql_next_result(t->my);
	}
	if (mysql_errno(t->my) == 0)
		return true;
	if (t->errors++ == 0)
		fprintf(stderr, "rawdb: %s: %u %s\n", t->loop->mode, mysql_errno(t->my),
		    mysql_error(t->my));
	return false;
}

static void
query_each(struct thread *t, char *sql)
{
	char *save = NULL, *one;

	for (one = strtok_r(sql, ";", &save); one != NULL; one = strtok_r(NULL, ";", &save))
		if (!query(t, one, strlen(one))) {
			query(t, "ROLLBACK", 8);
			return;
		}
}

static bool
connect_db(struct thread *t)
{
	static const char session[] =
	    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,"
	    "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', autocommit "
	    "= 1, "
	    "collation_connection = 'utf8mb4_bin', innodb_lock_wait_timeout = 2, "
	    "max_statement_time = 2.5";
	const struct loop *l = t->loop;
	unsigned long flags =
	    CLIENT_MULTI_RESULTS | (strcmp(l->mode, "bare") == 0 ? CLIENT_MULTI_STATEMENTS : 0);

	if ((t->my = mysql_init(NULL)) == NULL)
		return false;
	mysql_options(t->my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	return mysql_real_connect(t->my, NULL, l->user, l->password, "loyalty", 0, l->socket, flags)
		   != NULL
	       && query(t, session, sizeof(session) - 1)
	       && mysql_query(t->my, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED") == 0;
}

static bool
note(struct thread *t, int64_t us)
{
	if (t->n == t->cap) {
		size_t cap = t->cap > 0 ? 2 * t->cap : 65536;
		uint32_t *p = realloc(t->us, cap * sizeof(*p));

		if (p == NULL)
			return false;
		t->us = p;
		t->cap = cap;
	}
	t->us[t->n++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
	return true;
}

static void *
run(void *arg)
{
	struct thread *t = arg;
	struct loop *l = t->loop;
	bool each = strcmp(l->mode, "bare-each") == 0;
	struct timespec tick = {.tv_nsec = 1000000};
	int64_t end, at;
	char sql[SQL_MAX];

	mysql_thread_init();
	while (!atomic_load(&l->go))
		nanosleep(&tick, NULL);
	end = now_us() + (int64_t)l->seconds * 1000000;
	while (!atomic_load(&l->failed) && (at = now_us()) < end) {
		if (l->calls > 0 && atomic_fetch_add(&l->made, 1) >= l->calls)
			break;
		compose(t, sql);
		if (each)
			query_each(t, sql);
		else
			query(t, sql, strlen(sql));
		if (t->errors > 0 || !note(t, now_us() - at))
			atomic_store(&l->failed, true);
	}
	mysql_thread_end();
	return NULL;
}

static int
by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* All latencies in one sorted array; NULL without memory or calls. */
static uint32_t *
merge(const struct thread *t, int threads, size_t *n)
{
	uint32_t *all;
	int i;

	*n = 0;
	for (i = 0; i < threads; i++)
		*n += t[i].n;
	if (*n == 0 || (all = malloc(*n * sizeof(*all))) == NULL)
		return NULL;
	*n = 0;
	for (i = 0; i < threads; i++) {
		memcpy(all + *n, t[i].us, t[i].n * sizeof(*all));
		*n += t[i].n;
	}
	qsort(all, *n, sizeof(*all), by_value);
	return all;
}

static bool
read_password(struct loop *l, const char *path)
{
	FILE *f = fopen(path, "re");
	bool ok = f != NULL && fgets(l->password, sizeof(l->password), f) != NULL;

	if (f != NULL)
		fclose(f);
	l->password[strcspn(l->password, "\n")] = '\0';
	return ok;
}

static bool
is_mode(const char *s)
{
	static const char *const modes[] = {"list", "room", "reserve", "hot", "pending", "adjust",
	    "bare", "bare-each", "bare-call"};
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(s, modes[i]) == 0)
			return true;
	return false;
}

/* The command line; the number of threads, or 0: it is wrong. */
static int
read_options(struct loop *l, int argc, char **argv)
{
	int c, threads = 8;

	while ((c = getopt(argc, argv, "S:u:p:t:s:n:")) != -1) {
		switch (c) {
		case 'S':
			l->socket = optarg;
			break;
		case 'u':
			l->user = optarg;
			break;
		case 'p':
			if (!read_password(l, optarg)) {
				perror(optarg);
				return 0;
			}
			break;
		case 't':
			threads = (int)strtol(optarg, NULL, 10);
			break;
		case 's':
			l->seconds = (int)strtol(optarg, NULL, 10);
			break;
		case 'n':
			l->calls = strtol(optarg, NULL, 10);
			break;
		default:
			return 0;
		}
	}
	if (optind + 1 != argc || !is_mode(argv[optind]) || l->seconds < 1 || threads > THREADS_MAX)
		return 0;
	l->mode = argv[optind];
	return threads;
}

static bool
report(const struct thread *t, int threads, double seconds, long errors)
{
	struct rusage ru;
	uint32_t *all;
	size_t n;

	getrusage(RUSAGE_SELF, &ru);
	if ((all = merge(t, threads, &n)) == NULL)
		return false;
	printf("{\"requests\":%zu,\"seconds\":%.6f,\"errors\":%ld,\"p50_us\":%" PRIu32
	       ",\"p99_us\":%" PRIu32 ",\"max_us\":%" PRIu32 ",\"cpu_s\":%.3f}\n",
	    n, seconds, errors, all[n / 2], all[n - 1 - n / 100], all[n - 1],
	    (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec)
		+ (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6);
	free(all);
	return true;
}

int
main(int argc, char **argv)
{
	static struct thread t[THREADS_MAX];
	struct loop l = {.seconds = 4};
	long errors = 0;
	int64_t start;
	bool ok;
	int i, threads;

	if ((threads = read_options(&l, argc, argv)) < 1) {
		fprintf(stderr,
		    "usage: rawdb -S SOCKET -u USER [-p PASSWORDFILE] [-t THREADS] [-s SECONDS]"
		    " [-n CALLS] MODE\n");
		return 2;
	}
	if (mysql_library_init(0, NULL, NULL) != 0)
		return 2;
	for (i = 0; i < threads; i++) {
		t[i].loop = &l;
		if (getrandom(&t[i].rng, sizeof(t[i].rng), 0) != sizeof(t[i].rng)
		    || !connect_db(&t[i]) || pthread_create(&t[i].id, NULL, run, &t[i]) != 0) {
			fprintf(stderr, "rawdb: %s\n",
			    t[i].my != NULL ? mysql_error(t[i].my) : "cannot start");
			return 1;
		}
	}
	start = now_us();
	atomic_store(&l.go, true);
	for (i = 0; i < threads; i++) {
		pthread_join(t[i].id, NULL);
		errors += t[i].errors;
	}
	ok = report(t, threads, (double)(now_us() - start) / 1e6, errors);
	for (i = 0; i < threads; i++) {
		mysql_close(t[i].my);
		free(t[i].us);
	}
	mysql_library_end();
	return ok && errors == 0 ? 0 : 1;
}
