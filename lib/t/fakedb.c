#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "fakedb.h"
#include "version.h"

#define CONNECTIONS_MAX 64
#define TEXTS 32
#define STATEMENTS 16
#define PARAMS 16

#define MORE_RESULTS 0x000a /* autocommit, more results follow */
#define NO_MORE 0x0002

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct fake_step script[24];
static size_t nscript;
static bool mute, stall, read_only[2], in_group, group_primary[2];
static unsigned group_error;
static int schema;
static unsigned drop_after, generation, connections, other_connections, calls, kills, schema_calls,
    prepares, unprepared, thread_ids = 100;
static char texts[TEXTS][512];

/* One connection, in its own thread. */
struct link {
	int fd;
	bool other; /* to the other socket */
	uint8_t sequence;
	unsigned generation; /* of its beginning: another now means: close */
	struct buf out;
	char prepared[STATEMENTS][512];
	unsigned nprepared;
	uint8_t types[STATEMENTS][PARAMS];
};

/* ---- packets ---- */

static void
number(struct link *l, uint64_t n, size_t bytes)
{
	for (; bytes > 0; bytes--, n >>= 8) {
		char c = (char)n;

		buf_add(&l->out, &c, 1);
	}
}

static void
text(struct link *l, const char *s)
{
	number(l, strlen(s), 1);
	buf_str(&l->out, s);
}

/* Send what is in out as one packet. */
static bool
send_packet(struct link *l)
{
	uint8_t head[4] = {(uint8_t)l->out.len, (uint8_t)(l->out.len >> 8),
	    (uint8_t)(l->out.len >> 16), l->sequence++};
	bool ok = send(l->fd, head, 4, MSG_NOSIGNAL) == 4
		  && send(l->fd, l->out.p, l->out.len, MSG_NOSIGNAL) == (ssize_t)l->out.len;

	buf_reset(&l->out);
	return ok;
}

static bool
send_ok(struct link *l)
{
	number(l, 0, 3);
	number(l, NO_MORE, 2);
	number(l, 0, 2);
	return send_packet(l);
}

static bool
send_error(struct link *l, unsigned error)
{
	number(l, 0xff, 1);
	number(l, error, 2);
	buf_str(&l->out, "#HY000as it was told");
	return send_packet(l);
}

static bool
send_end(struct link *l, unsigned status)
{
	number(l, 0xfe, 1);
	number(l, 0, 2);
	number(l, status, 2);
	return send_packet(l);
}

static bool
send_column(struct link *l)
{
	text(l, "def");
	text(l, "");
	text(l, "");
	text(l, "");
	text(l, "c");
	text(l, "c");
	number(l, 0x0c, 1);
	number(l, 45, 2); /* utf8mb4 */
	number(l, 1000, 4);
	number(l, 0xfd, 1); /* VAR_STRING */
	number(l, 0, 5);
	return send_packet(l);
}

/* Definitions of n columns, and what ends them. */
static bool
send_columns(struct link *l, unsigned n, unsigned status)
{
	for (; n > 0; n--)
		if (!send_column(l))
			return false;
	return send_end(l, status);
}

/* One row; in the binary protocol with its bitmap of NULLs, which begins at bit 2. */
static bool
send_row(struct link *l, const char *const *values, unsigned n, bool binary)
{
	uint8_t nulls[16] = {0};
	unsigned k;

	for (k = 0; k < n; k++)
		if (values[k] == NULL)
			nulls[(k + 2) / 8] |= (uint8_t)(1 << (k + 2) % 8);
	if (binary) {
		number(l, 0, 1);
		buf_add(&l->out, nulls, (n + 9) / 8);
	}
	for (k = 0; k < n; k++) {
		if (values[k] != NULL)
			text(l, values[k]);
		else if (!binary)
			number(l, 0xfb, 1);
	}
	return send_packet(l);
}

static bool
send_rows(struct link *l, const struct fake_step *s, bool binary, bool of_call)
{
	unsigned i, status = of_call ? MORE_RESULTS : NO_MORE;

	number(l, s->columns, 1);
	if (!send_packet(l) || !send_columns(l, s->columns, status))
		return false;
	for (i = 0; i < s->nrows; i++)
		if (!send_row(l, s->values + i * s->columns, s->columns, binary))
			return false;
	return send_end(l, status) && (!of_call || send_ok(l));
}

/* Wait until there is something, or the connection is to go: false. */
static bool
wait_for(struct link *l)
{
	struct pollfd p = {.fd = l->fd, .events = POLLIN};
	bool ours;

	do {
		pthread_mutex_lock(&lock);
		ours = l->generation == generation;
		pthread_mutex_unlock(&lock);
	} while (ours && poll(&p, 1, 5) == 0);
	return ours;
}

/* The next packet, with a NUL behind; false: closed. */
static bool
receive(struct link *l, char *packet, size_t size)
{
	uint8_t head[4];
	size_t len;

	if (!wait_for(l) || recv(l->fd, head, 4, MSG_WAITALL) != 4)
		return false;
	len = (size_t)head[0] | (size_t)head[1] << 8;
	if (len >= size || head[2] != 0
	    || (len > 0 && recv(l->fd, packet, len, MSG_WAITALL) != (ssize_t)len))
		return false;
	packet[len] = '\0';
	l->sequence = (uint8_t)(head[3] + 1);
	return true;
}

/* ---- the server ---- */

static void
hang(struct link *l)
{
	char c;

	while (wait_for(l) && recv(l->fd, &c, 1, 0) == 1)
		;
}

static bool
greet(struct link *l, unsigned id)
{
	char login[4096];

	number(l, 10, 1);
	buf_add(&l->out, "8.4.0-fake", 11);
	number(l, id, 4);
	buf_add(&l->out, "12345678", 9); /* half of the salt, and a NUL */
	number(l, 0xa20f, 2);		 /* capabilities, low half: 4.1, secure, transactions */
	number(l, 45, 1);
	number(l, NO_MORE, 2);
	number(l, 0x000a, 2); /* high half: multiple results, plugins */
	number(l, 21, 1);
	number(l, 0, 8);
	number(l, 0, 2);
	buf_add(&l->out, "123456789012", 13);
	buf_add(&l->out, "mysql_native_password", 22);
	return send_packet(l) && receive(l, login, sizeof(login)) && send_ok(l);
}

/* Note a CALL and take its answer from the script. */
static struct fake_step
next_step(const char *sql)
{
	struct fake_step s = {.kind = FAKE_NO_ROWS};

	pthread_mutex_lock(&lock);
	if (nscript > 0)
		s = script[calls < nscript ? calls : nscript - 1];
	snprintf(texts[calls % TEXTS], sizeof(texts[0]), "%.*s", (int)sizeof(texts[0]) - 1, sql);
	calls++;
	pthread_mutex_unlock(&lock);
	return s;
}

static bool
answer_call(struct link *l, const char *sql, bool binary)
{
	struct fake_step s = next_step(sql);

	if (s.delay_ms > 0)
		check_pause(s.delay_ms);
	switch (s.kind) {
	case FAKE_ROWS:
		return send_rows(l, &s, binary, strncmp(sql, "CALL ", 5) == 0);
	case FAKE_NO_ROWS:
		return send_ok(l);
	case FAKE_ERROR:
		return send_error(l, s.error);
	case FAKE_HANG:
		hang(l);
		return false;
	case FAKE_CLOSE:
		break;
	}
	return false;
}

static bool
answer_schema(struct link *l)
{
	char digits[16];
	const char *value = digits;
	struct fake_step s = {.kind = FAKE_ROWS, .columns = 1, .nrows = 1, .values = &value};
	int version;

	pthread_mutex_lock(&lock);
	version = schema;
	schema_calls++;
	pthread_mutex_unlock(&lock);
	if (version < 0) {
		hang(l);
		return false;
	}
	snprintf(digits, sizeof(digits), "%d", version);
	return send_rows(l, &s, false, true);
}

static bool
answer_show(struct link *l)
{
	const char *values[4] = {"read_only", "OFF", "group_replication_group_name", ""};
	struct fake_step s = {.kind = FAKE_ROWS, .columns = 2, .nrows = 2, .values = values};

	pthread_mutex_lock(&lock);
	if (read_only[l->other])
		values[1] = "ON";
	if (in_group)
		values[3] = "g";
	pthread_mutex_unlock(&lock);
	return send_rows(l, &s, false, false);
}

static bool
answer_group(struct link *l)
{
	const char *values[2] = {"group_primary", "OFF"};
	struct fake_step s = {.kind = FAKE_ROWS, .columns = 2, .nrows = 1, .values = values};
	unsigned error;

	pthread_mutex_lock(&lock);
	error = l->other ? 0 : group_error;
	if (group_primary[l->other])
		values[1] = "ON";
	pthread_mutex_unlock(&lock);
	return error != 0 ? send_error(l, error) : send_rows(l, &s, false, true);
}

/* SET, KILL */
static bool
answer_other(struct link *l, const char *sql)
{
	bool silent;

	pthread_mutex_lock(&lock);
	silent = stall;
	kills += strncmp(sql, "KILL ", 5) == 0;
	pthread_mutex_unlock(&lock);
	if (!silent)
		return send_ok(l);
	hang(l);
	return false;
}

/* COM_STMT_PREPARE: as many columns as the rows have that come next; a CALL tells of its own later.
 */
static bool
answer_prepare(struct link *l, const char *sql)
{
	bool closes, call = strncmp(sql, "CALL ", 5) == 0;
	unsigned params = 0, columns = 0;
	const char *p;
	size_t i;

	if (l->nprepared == STATEMENTS)
		abort();
	for (p = sql; *p != '\0'; p++)
		params += *p == '?';
	pthread_mutex_lock(&lock);
	prepares++;
	closes = unprepared > 0;
	unprepared -= closes;
	if (nscript > 0 && !call)
		columns = script[calls < nscript ? calls : nscript - 1].columns;
	for (i = 0; columns == 0 && i < nscript && !call; i++)
		columns = script[i].columns > columns ? script[i].columns : columns;
	pthread_mutex_unlock(&lock);
	if (closes)
		return false;
	snprintf(l->prepared[l->nprepared++], sizeof(l->prepared[0]), "%.*s",
	    (int)sizeof(l->prepared[0]) - 1, sql);
	number(l, 0, 1);
	number(l, l->nprepared, 4);
	number(l, columns, 2);
	number(l, params, 2);
	number(l, 0, 3);
	return send_packet(l) && (params == 0 || send_columns(l, params, NO_MORE))
	       && (columns == 0 || send_columns(l, columns, NO_MORE));
}

/* Append an argument as db_call would write it; what follows it in the packet. */
static const uint8_t *
write_argument(struct buf *b, uint8_t type, const uint8_t *p)
{
	char digits[24];
	int64_t n;
	size_t len;

	if (type == 8) { /* LONGLONG */
		memcpy(&n, p, 8);
		snprintf(digits, sizeof(digits), "%lld", (long long)n);
		buf_str(b, digits);
		return p + 8;
	}
	len = *p++; /* none of the tests' is longer than 250 */
	buf_str(b, type == 252 ? "X'" : "_utf8mb4 X'");
	for (; len > 0; len--, p++) {
		snprintf(digits, sizeof(digits), "%02x", *p);
		buf_str(b, digits);
	}
	buf_str(b, "'");
	return p;
}

/* COM_STMT_EXECUTE: its text with the arguments in their places is what the tests see. */
static bool
answer_execute(struct link *l, const char *packet)
{
	const uint8_t *p = (const uint8_t *)packet + 10, *nulls = p;
	unsigned id = (uint8_t)packet[1] - 1u, params = 0, i = 0;
	struct buf b = {0};
	const char *sql;
	bool on;

	for (sql = l->prepared[id]; *sql != '\0'; sql++)
		params += *sql == '?';
	p += (params + 7) / 8;
	if (params > 0 && *p++ == 1)
		for (i = 0; i < params; i++, p += 2)
			l->types[id][i] = *p;
	for (sql = l->prepared[id], i = 0; *sql != '\0'; sql++) {
		if (*sql != '?')
			buf_add(&b, sql, 1);
		else if (nulls[i / 8] >> i % 8 & 1)
			buf_str(&b, "NULL");
		else
			p = write_argument(&b, l->types[id][i], p);
		i += *sql == '?';
	}
	buf_add(&b, "", 1);
	on = answer_call(l, b.p, true);
	buf_free(&b);
	return on;
}

static bool
answer_text(struct link *l, const char *sql, unsigned *left)
{
	if (strcmp(sql, "CALL schema_version()") == 0)
		return answer_schema(l);
	if (strncmp(sql, "SHOW GLOBAL ", 12) == 0)
		return answer_show(l);
	if (strcmp(sql, "CALL group_primary(@@server_uuid)") == 0)
		return answer_group(l);
	if (strncmp(sql, "CALL ", 5) == 0 || strncmp(sql, "SELECT @", 8) == 0)
		return answer_call(l, sql, false) && --*left != 0;
	return answer_other(l, sql);
}

static void
converse(struct link *l, unsigned left)
{
	char packet[4096];
	bool on = true;

	while (on && receive(l, packet, sizeof(packet))) {
		if (packet[0] == 3)
			on = answer_text(l, packet + 1, &left);
		else if (packet[0] == 0x16)
			on = answer_prepare(l, packet + 1);
		else if (packet[0] == 0x17)
			on = answer_execute(l, packet) && --left != 0;
		else if (packet[0] == 0x1a) /* reset */
			on = send_ok(l);
		else
			on = packet[0] == 0x19; /* close */
	}
}

static void *
serve(void *arg)
{
	struct link l = {.fd = (int)(intptr_t)arg / 2, .other = (intptr_t)arg % 2 == 1};
	unsigned id, left;
	bool silent;

	pthread_mutex_lock(&lock);
	l.generation = generation;
	id = thread_ids++;
	left = drop_after;
	silent = mute;
	connections++;
	pthread_mutex_unlock(&lock);
	if (silent)
		hang(&l);
	else if (greet(&l, id))
		converse(&l, left);
	close(l.fd);
	buf_free(&l.out);
	return NULL;
}

/* One listening socket. */
struct front {
	struct sockaddr_un address;
	int fd;
	unsigned *counter; /* of its connections, or NULL */
};

static void *
accept_all(void *arg)
{
	const struct front *f = arg;
	pthread_t t;
	int c;

	while ((c = accept(f->fd, NULL, NULL)) >= 0) {
		pthread_mutex_lock(&lock);
		if (f->counter != NULL)
			++*f->counter;
		pthread_mutex_unlock(&lock);
		if (pthread_create(
			&t, NULL, serve, (void *)(intptr_t)(2 * c + (f->counter != NULL)))
		    == 0)
			pthread_detach(t);
		else
			close(c);
	}
	return NULL;
}

static const char *
start(struct front *f, const char *name)
{
	struct sockaddr_un *a = &f->address;
	pthread_t t;

	if (a->sun_path[0] != '\0')
		return a->sun_path;
	a->sun_family = AF_UNIX;
	snprintf(a->sun_path, sizeof(a->sun_path), "%s/%s", check_folder(), name);
	f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (f->fd < 0 || bind(f->fd, (struct sockaddr *)a, sizeof(*a)) != 0
	    || listen(f->fd, CONNECTIONS_MAX) != 0 || pthread_create(&t, NULL, accept_all, f) != 0)
		abort();
	pthread_detach(t);
	return a->sun_path;
}

const char *
fakedb_path(void)
{
	static struct front f;

	return start(&f, "fakedb");
}

const char *
fakedb_other_path(void)
{
	static struct front f = {.counter = &other_connections};

	return start(&f, "otherdb");
}

/* ---- what the tests set and ask ---- */

void
fakedb_script(const struct fake_step *steps, size_t n)
{
	pthread_mutex_lock(&lock);
	if (n > sizeof(script) / sizeof(script[0]))
		abort();
	if (n > 0)
		memcpy(script, steps, n * sizeof(*steps));
	nscript = n;
	mute = stall = read_only[0] = read_only[1] = in_group = false;
	schema = LOYALTY_COMPATIBILITY;
	drop_after = unprepared = 0;
	generation++;
	connections = other_connections = calls = kills = schema_calls = prepares = 0;
	memset(texts, 0, sizeof(texts));
	pthread_mutex_unlock(&lock);
}

void
fakedb_mute(bool on)
{
	pthread_mutex_lock(&lock);
	mute = on;
	pthread_mutex_unlock(&lock);
}

void
fakedb_stall(bool on)
{
	pthread_mutex_lock(&lock);
	stall = on;
	pthread_mutex_unlock(&lock);
}

void
fakedb_read_only(bool first, bool other)
{
	pthread_mutex_lock(&lock);
	read_only[0] = first;
	read_only[1] = other;
	pthread_mutex_unlock(&lock);
}

void
fakedb_group(unsigned error, bool first, bool other)
{
	pthread_mutex_lock(&lock);
	in_group = true;
	group_error = error;
	group_primary[0] = first;
	group_primary[1] = other;
	pthread_mutex_unlock(&lock);
}

void
fakedb_schema(int version)
{
	pthread_mutex_lock(&lock);
	schema = version;
	pthread_mutex_unlock(&lock);
}

void
fakedb_drop_after(unsigned n)
{
	pthread_mutex_lock(&lock);
	drop_after = n;
	pthread_mutex_unlock(&lock);
}

void
fakedb_close_at_prepares(unsigned n)
{
	pthread_mutex_lock(&lock);
	unprepared = n;
	pthread_mutex_unlock(&lock);
}

void
fakedb_drop_all(void)
{
	pthread_mutex_lock(&lock);
	generation++;
	pthread_mutex_unlock(&lock);
	check_pause(50); /* until each has seen it */
}

static unsigned
counted(const unsigned *counter)
{
	unsigned n;

	pthread_mutex_lock(&lock);
	n = *counter;
	pthread_mutex_unlock(&lock);
	return n;
}

unsigned
fakedb_connections(void)
{
	return counted(&connections);
}

unsigned
fakedb_other_connections(void)
{
	return counted(&other_connections);
}

unsigned
fakedb_calls(void)
{
	return counted(&calls);
}

unsigned
fakedb_kills(void)
{
	return counted(&kills);
}

unsigned
fakedb_prepares(void)
{
	return counted(&prepares);
}

unsigned
fakedb_schema_calls(void)
{
	return counted(&schema_calls);
}

const char *
fakedb_text(unsigned n)
{
	return texts[n % TEXTS];
}
