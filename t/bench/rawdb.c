/*
 * rawdb - the database alone: what a request must cost it at the least
 *
 *	rawdb -S SOCKET -u USER [-p PASSWORDFILE] [-t THREADS] [-s SECONDS] [-n CALLS] [-q SELECT]
 *MODE
 *
 * Each thread has a connection with the session that lib/db.c sets, and sends
 * the same again and again, as fast as the answers come: of a read the SELECT
 * that the handler has in its source (-q), prepared once, by nothing but the
 * client library; of a write the CALL that the service sends.  Rooms, users and
 * the hot room are those of data.py.  Modes:
 *
 *	list            a read of 21 rooms: a page of 20, and whether there is another
 *	room points     a read of one row, by the id of a room, of a user
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
#define LIST_ROWS 21
#define COLUMNS_MAX 8

struct loop {
	const char *socket, *user, *mode, *select;
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
	MYSQL_STMT *select;
	uint8_t of[16]; /* its parameter, or */
	long long limit;
	char columns[COLUMNS_MAX][1024];
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

/* The rows of a reservation, into bare.sql's tables. */
#define AT "'2026-11-23 21:07:00.123456'"

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
	    "INSERT INTO bench.b_user (id, name, role, bonus_points) VALUES (X'%s','Bench User "
	    "1234','USER',1000000);"
	    "INSERT INTO bench.b_room (id, name, total_amount, available_amount, required_points, "
	    "archived, reservable) VALUES (X'%s','Bench Room 1234',1000000,999999,1,0,1);"
	    "INSERT INTO bench.b_reservation (id, user_id, room_id, status, points, created_at, "
	    "updated_at) VALUES (X'%s',X'%s',X'%s','RESERVED',1," AT "," AT ");"
	    "INSERT INTO bench.b_points_history (user_id, from_points, to_points, delta, "
	    "reservation_id, actor, request_id, changed_at) VALUES "
	    "(X'%s',1000001,1000000,-1,X'%s','public','%s'," AT ");"
	    "INSERT INTO bench.b_room_history (room_id, reservation_id, from_name, from_total, "
	    "from_available, from_points, from_archived, to_name, to_total, to_available, "
	    "to_points, to_archived, actor, request_id, changed_at) VALUES (X'%s',X'%s','Bench "
	    "Room 1234',1000000,1000000,1,0,'Bench Room 1234',1000000,999999,1,0,'public','%s'," AT
	    ");"
	    "INSERT INTO bench.b_outbox (event, due_at, reservation_id, room_id, created_at, "
	    "next_attempt_at) VALUES ('reservation'," AT ",X'%s',X'%s'," AT "," AT ");"
	    "INSERT INTO bench.b_reservation_history (reservation_id, room_id, user_id, to_status, "
	    "points, mail_id, actor, request_id, changed_at) VALUES "
	    "(X'%s',X'%s',X'%s','RESERVED',1,1,'public','%s'," AT ");"
	    "INSERT INTO bench.b_idempotency (id, body, created_at, entity, status, points, "
	    "room_name, available_amount, required_points, user_name, role) VALUES (X'%s',X'%s'," AT
	    ",X'%s','RESERVED',1,'Bench Room 1234',999999,1,'Bench User 1234','USER');"
	    "COMMIT",
	    user, room, id, user, room, user, id, request, room, id, request, id, room, id, room,
	    user, request, key, body, id);
}

static void
compose(struct thread *t, char *sql)
{
	const char *mode = t->loop->mode;
	char room[33];

	snprintf(room, sizeof(room), "bbbbbbbb00004000800000000000%04x",
	    (unsigned)(draw(t) % ROOMS + 1));
	if (strcmp(mode, "reserve") == 0) {
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

/* Prepare the read, and bind its one parameter and its columns, all as text: what that costs is
 * ours. */
static bool
prepare(struct thread *t)
{
	const char *sql = t->loop->select;
	bool list = strcmp(t->loop->mode, "list") == 0;
	MYSQL_BIND in = {.buffer_type = MYSQL_TYPE_BLOB,
		       .buffer = t->of,
		       .buffer_length = sizeof(t->of)},
		   out[COLUMNS_MAX] = {0};
	size_t i;

	if (sql == NULL)
		return true;
	if (list) {
		t->limit = LIST_ROWS;
		in = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = &t->limit};
	}
	for (i = 0; i < COLUMNS_MAX; i++)
		out[i] = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_STRING,
		    .buffer = t->columns[i],
		    .buffer_length = sizeof(t->columns[i])};
	return (t->select = mysql_stmt_init(t->my)) != NULL
	       && mysql_stmt_prepare(t->select, sql, strlen(sql)) == 0
	       && mysql_stmt_param_count(t->select) == 1
	       && mysql_stmt_field_count(t->select) <= COLUMNS_MAX
	       && mysql_stmt_bind_param(t->select, &in) == 0
	       && mysql_stmt_bind_result(t->select, out) == 0;
}

/* One read; all its rows must be there. */
static void
read_rows(struct thread *t)
{
	const char *mode = t->loop->mode;
	uint8_t first = strcmp(mode, "points") == 0 ? 0xcc : 0xbb;
	unsigned number = (unsigned)(draw(t) % ROOMS + 1);
	int rows = 0, rc = 1;

	memcpy(t->of,
	    (const uint8_t[16]){first, first, first, first, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0,
		(uint8_t)(number >> 8), (uint8_t)number},
	    sizeof(t->of));
	if (mysql_stmt_execute(t->select) == 0 && mysql_stmt_store_result(t->select) == 0)
		while ((rc = mysql_stmt_fetch(t->select)) == 0)
			rows++;
	if ((rc != MYSQL_NO_DATA || rows != (strcmp(mode, "list") == 0 ? LIST_ROWS : 1))
	    && t->errors++ == 0)
		fprintf(stderr, "rawdb: %s: %d rows %s\n", mode, rows, mysql_stmt_error(t->select));
	mysql_stmt_free_result(t->select);
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
	       && mysql_query(t->my, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED") == 0
	       && prepare(t);
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
		if (t->select != NULL) {
			read_rows(t);
		} else {
			compose(t, sql);
			if (each)
				query_each(t, sql);
			else
				query(t, sql, strlen(sql));
		}
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

/* A known mode, and a SELECT if it is a read. */
static bool
is_mode(const struct loop *l)
{
	static const char *const reads[] = {"list", "room", "points"}, *const writes[] = {"reserve",
									   "hot", "pending",
									   "adjust", "bare",
									   "bare-each",
									   "bare-call"};
	size_t i;

	for (i = 0; i < sizeof(reads) / sizeof(reads[0]); i++)
		if (strcmp(l->mode, reads[i]) == 0)
			return l->select != NULL;
	for (i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
		if (strcmp(l->mode, writes[i]) == 0)
			return l->select == NULL;
	return false;
}

/* The command line; the number of threads, or 0: it is wrong. */
static int
read_options(struct loop *l, int argc, char **argv)
{
	int c, threads = 8;

	while ((c = getopt(argc, argv, "S:u:p:t:s:n:q:")) != -1) {
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
		case 'q':
			l->select = optarg;
			break;
		default:
			return 0;
		}
	}
	if (optind + 1 != argc || l->seconds < 1 || threads > THREADS_MAX)
		return 0;
	l->mode = argv[optind];
	return is_mode(l) ? threads : 0;
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
		    " [-n CALLS] [-q SELECT] MODE\n");
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
		if (t[i].select != NULL)
			mysql_stmt_close(t[i].select);
		mysql_close(t[i].my);
		free(t[i].us);
	}
	mysql_library_end();
	return ok && errors == 0 ? 0 : 1;
}
