/*
 * rawdb - the database alone: what a request must cost it at the least
 *
 *	rawdb -S SOCKET -u USER [-p PASSWORDFILE] [-t THREADS] [-s SECONDS] [-n CALLS] [-q SELECT]
 *MODE
 *
 * Each thread has a connection with the session that lib/db.c sets, and sends
 * the same again and again, as fast as the answers come: of a read the SELECT
 * that the handler has in its source (-q), of a write the CALL that the service
 * makes, either prepared once, by nothing but the client library.  Rooms, users
 * and the hot room are those of data.py.  Modes:
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
#define COLUMNS_MAX 9
#define ARGUMENTS_MAX 16

/* What each mode sends, and its arguments: of a read the handler's own SELECT (NULL here). */
enum argument { ACTOR, REQUEST_ID, KEY, BODY, ID, ROOM, USER, NUMBER, REASON, OUT, NONE };
struct mode {
	const char *name, *sql;
	enum argument arguments[ARGUMENTS_MAX + 1];
};

struct loop {
	const char *socket, *user, *select;
	const struct mode *of;
	char password[256];
	int seconds;
	long calls; /* to be made by all, or 0: until the seconds are over */
	atomic_long made;
	atomic_bool go, failed;
};

struct thread {
	pthread_t thread;
	struct loop *loop;
	MYSQL *my;
	MYSQL_STMT *stmt; /* NULL: of the bare modes */
	/* its arguments, each for those statements that have it */
	char request_id[33];
	uint8_t key[32], body[32], id[16], room[16], user[16];
	long long number; /* of a list the limit, of adjust the amount */
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
random_bytes(struct thread *t, uint8_t *b, size_t n)
{
	size_t i;

	for (i = 0; i < n; i += 8) {
		uint64_t v = draw(t);

		memcpy(b + i, &v, 8);
	}
}

static void
random_hex(struct thread *t, char *out, size_t bytes)
{
	uint8_t b[32];

	random_bytes(t, b, bytes);
	hex(out, b, bytes);
}

static void
new_id(uint8_t id[16])
{
	struct uuid u;

	if (!uuid_v7(&u))
		abort();
	memcpy(id, u.b, sizeof(u.b));
}

/* The room or user of that number, as data.py makes its id. */
static void
id_of(uint8_t id[16], uint8_t kind, unsigned number)
{
	memcpy(id,
	    (const uint8_t[16]){kind, kind, kind, kind, 0, 0, 0x40, 0, 0x80, 0, 0, 0,
		(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
		(uint8_t)number},
	    16);
}

/* The rows of a reservation, into bare.sql's tables. */
#define AT "'2026-11-23 21:07:00.123456'"

static void
bare(struct thread *t, char *sql, bool call)
{
	char id[33], user[33], room[33], key[65], body[65], request[33];

	new_id(t->id);
	hex(id, t->id, sizeof(t->id));
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
		fprintf(stderr, "rawdb: %s: %u %s\n", t->loop->of->name, mysql_errno(t->my),
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

static const struct mode modes[] = {
#define RESERVE                                                                                    \
	"CALL reservation_create(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",                                \
	{                                                                                          \
		ACTOR, REQUEST_ID, KEY, BODY, ID, ROOM, USER, OUT, OUT, OUT, OUT, OUT, OUT, OUT,   \
		    OUT, OUT, NONE                                                                 \
	}
    {"list", NULL, {NUMBER, NONE}},
    {"room", NULL, {ROOM, NONE}},
    {"points", NULL, {USER, NONE}},
    {"reserve", RESERVE},
    {"hot", RESERVE},
    {"pending", RESERVE},
    {"adjust", "CALL points_adjust(?,?,?,?,?,?,?,?,?,?,?)",
	{ACTOR, REQUEST_ID, KEY, BODY, USER, NUMBER, REASON, OUT, OUT, OUT, OUT, NONE}},
    {"bare", NULL, {NONE}},
    {"bare-each", NULL, {NONE}},
    {"bare-call", NULL, {NONE}},
};

static MYSQL_BIND
bind_of(struct thread *t, enum argument a)
{
	static char actor[] = "public", reason[] = "workload";
	const MYSQL_BIND binds[] = {
#define BIND(type, p, n) {.buffer_type = MYSQL_TYPE_##type, .buffer = p, .buffer_length = n}
	    [ACTOR] = BIND(STRING, actor, sizeof(actor) - 1),
	    [REQUEST_ID] = BIND(STRING, t->request_id, sizeof(t->request_id) - 1),
	    [KEY] = BIND(BLOB, t->key, sizeof(t->key)),
	    [BODY] = BIND(BLOB, t->body, sizeof(t->body)),
	    [ID] = BIND(BLOB, t->id, sizeof(t->id)),
	    [ROOM] = BIND(BLOB, t->room, sizeof(t->room)),
	    [USER] = BIND(BLOB, t->user, sizeof(t->user)),
	    [NUMBER] = BIND(LONGLONG, &t->number, 0),
	    [REASON] = BIND(STRING, reason, sizeof(reason) - 1),
	    [OUT] = BIND(NULL, NULL, 0),
	};

	return binds[a];
}

static bool
prepare(struct thread *t)
{
	const struct mode *m = t->loop->of;
	const char *sql = m->sql != NULL ? m->sql : t->loop->select;
	MYSQL_BIND in[ARGUMENTS_MAX];
	unsigned n;

	if (m->arguments[0] == NONE)
		return true;
	for (n = 0; m->arguments[n] != NONE; n++)
		in[n] = bind_of(t, m->arguments[n]);
	return (t->stmt = mysql_stmt_init(t->my)) != NULL
	       && mysql_stmt_prepare(t->stmt, sql, strlen(sql)) == 0
	       && mysql_stmt_param_count(t->stmt) == n && mysql_stmt_bind_param(t->stmt, in) == 0;
}

/* Fetch the rows of one result, each column as text: what that costs is ours.  How many, or -1. */
static int
fetch(struct thread *t)
{
	MYSQL_BIND out[COLUMNS_MAX] = {0};
	int rows = 0, rc;
	size_t i;

	if (mysql_stmt_field_count(t->stmt) == 0)
		return 0;
	if (mysql_stmt_field_count(t->stmt) > COLUMNS_MAX)
		return -1;
	for (i = 0; i < COLUMNS_MAX; i++)
		out[i] = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_STRING,
		    .buffer = t->columns[i],
		    .buffer_length = sizeof(t->columns[i])};
	if (mysql_stmt_bind_result(t->stmt, out) != 0 || mysql_stmt_store_result(t->stmt) != 0)
		return -1;
	while ((rc = mysql_stmt_fetch(t->stmt)) == 0)
		rows++;
	mysql_stmt_free_result(t->stmt);
	return rc == MYSQL_NO_DATA ? rows : -1;
}

/* One read, or one call; all its rows must be there. */
static void
execute(struct thread *t)
{
	const char *mode = t->loop->of->name;
	bool list = strcmp(mode, "list") == 0;
	int rows = -1, more = 1;

	random_hex(t, t->request_id, 16);
	random_bytes(t, t->key, sizeof(t->key));
	random_bytes(t, t->body, sizeof(t->body));
	new_id(t->id);
	id_of(t->room, 0xbb,
	    strcmp(mode, "hot") == 0	   ? 0xffffffff
	    : strcmp(mode, "pending") == 0 ? 0xeeeeeeee
					   : (unsigned)(draw(t) % ROOMS + 1));
	id_of(t->user, 0xcc, (unsigned)(draw(t) % USERS + 1));
	t->number = list ? LIST_ROWS : 1;
	if (mysql_stmt_execute(t->stmt) == 0) {
		rows = fetch(t);
		while ((more = mysql_stmt_next_result(t->stmt)) == 0)
			fetch(t);
	}
	if ((more > 0 || rows != (list ? LIST_ROWS : 1)) && t->errors++ == 0)
		fprintf(stderr, "rawdb: %s: %d rows %s\n", mode, rows, mysql_stmt_error(t->stmt));
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
	    CLIENT_MULTI_RESULTS | (strcmp(l->of->name, "bare") == 0 ? CLIENT_MULTI_STATEMENTS : 0);

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
	bool each = strcmp(l->of->name, "bare-each") == 0;
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
		if (t->stmt != NULL) {
			execute(t);
		} else {
			bare(t, sql, strcmp(l->of->name, "bare-call") == 0);
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
find_mode(struct loop *l, const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(modes[i].name, name) == 0)
			l->of = &modes[i];
	return l->of != NULL
	       && (l->select != NULL) == (l->of->sql == NULL && l->of->arguments[0] != NONE);
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
	return find_mode(l, argv[optind]) ? threads : 0;
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
		    || !connect_db(&t[i]) || pthread_create(&t[i].thread, NULL, run, &t[i]) != 0) {
			fprintf(stderr, "rawdb: %s\n",
			    t[i].my != NULL ? mysql_error(t[i].my) : "cannot start");
			return 1;
		}
	}
	start = now_us();
	atomic_store(&l.go, true);
	for (i = 0; i < threads; i++) {
		pthread_join(t[i].thread, NULL);
		errors += t[i].errors;
	}
	ok = report(t, threads, (double)(now_us() - start) / 1e6, errors);
	for (i = 0; i < threads; i++) {
		if (t[i].stmt != NULL)
			mysql_stmt_close(t[i].stmt);
		mysql_close(t[i].my);
		free(t[i].us);
	}
	mysql_library_end();
	return ok && errors == 0 ? 0 : 1;
}
