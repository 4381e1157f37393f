/*
 * loyalty-audit: the audit of GET /v1/admin/audit as a command, for cron and
 * monitoring.  It goes to the database itself: it tells also where gateway
 * and services are down.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "../audit.h"
#include "buf.h"
#include "conf.h"
#include "json.h"
#include "jsonw.h"
#include "log.h"

enum status { SOUND = 0, VIOLATIONS = 1, NO_AUDIT = 2 };

struct settings {
	struct db_conf db;
	int log_level, db_tls;
};

static const char *
text_of(struct json_object *o, const char *name)
{
	struct json_object *v = json_object_object_get(o, name);

	return v != NULL ? json_object_get_string(v) : "?";
}

/* A line of text from the database: what a terminal could obey becomes '?'. */
static void
print_plain(const char *s)
{
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == 0xc2 && (unsigned char)s[1] >= 0x80 && (unsigned char)s[1] < 0xa0) {
			putchar('?');
			s++;
		} else {
			putchar(c < 0x20 || c == 0x7f ? '?' : c);
		}
	}
	putchar('\n');
}

static void
print_check(struct json_object *check)
{
	struct json_object *violations = json_object_object_get(check, "violations");
	size_t i, n = json_object_array_length(violations);

	printf("%-6s %-25s %s checked", n == 0 ? "ok" : "BROKEN", text_of(check, "name"),
	    text_of(check, "checked"));
	if (n > 0)
		printf(", %zu%s violated", n, n == AUDIT_MOST ? " or more" : "");
	putchar('\n');
	for (i = 0; i < n; i++) {
		fputs("       ", stdout);
		print_plain(json_object_get_string(json_object_array_get_idx(violations, i)));
	}
}

/* How many checks there were: none is no audit. */
static size_t
report(const struct buf *found, bool as_json)
{
	struct json_object *o = NULL, *checks;
	size_t i, n;

	if (json_read(found->p, found->len, &o) != NULL)
		return 0;
	checks = json_object_object_get(o, "checks");
	n = json_object_array_length(checks);
	if (as_json)
		printf("%.*s\n", (int)found->len, found->p);
	for (i = 0; i < n && !as_json; i++)
		print_check(json_object_array_get_idx(checks, i));
	json_object_put(o);
	return n;
}

static enum status
audit(const struct settings *s, bool as_json)
{
	struct buf found = {0};
	struct jsonw w = jsonw_begin(&found);
	char reason[512] = "out of memory";
	enum status rc = NO_AUDIT;
	bool ok;

	if (audit_run(&s->db, NULL, &w, &ok, reason, sizeof(reason)) != DB_OK) {
		fprintf(stderr, "loyalty-audit: database: %s\n", reason);
		goto out;
	}
	if (!jsonw_end(&w) || report(&found, as_json) == 0) {
		fprintf(stderr, "loyalty-audit: the database gave no complete answer\n");
		goto out;
	}
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "loyalty-audit: output: %s\n", strerror(errno));
		goto out;
	}
	rc = ok ? SOUND : VIOLATIONS;
out:
	buf_free(&found);
	return rc;
}

/* The command-line tool's settings, which a person has in the same environment, are none of ours.
 */
static void
forget_others(void)
{
	static const char *const names[] = {"LOYALTY_URL", "LOYALTY_KEY_FILE", "LOYALTY_CA"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
}

int
main(int argc, char **argv)
{
	static struct settings s;
	const struct conf_row rows[] = {
	    {"LOYALTY_DB_HOSTS", CONF_TEXT, 0, 0, NULL, "/run/mysqld/mysqld.sock",
		"database servers, tried in order: an absolute path is a socket, else host[:port]; "
		"comma-separated",
		&s.db.hosts},
	    {"LOYALTY_DB_USER", CONF_TEXT, 0, 0, NULL, "loyalty_admin", "database account",
		&s.db.user},
	    {"LOYALTY_DB_PASSWORD", CONF_SECRET, 0, 0, NULL, NULL, "its password", &s.db.password},
	    {"LOYALTY_DB_NAME", CONF_TEXT, 0, 0, NULL, "loyalty", "database", &s.db.name},
	    {"LOYALTY_DB_TLS_CA", CONF_TEXT, 0, 0, NULL, NULL,
		"certificate authority of the database; set, the connection is encrypted and "
		"verified",
		&s.db.tls_ca},
	    {"LOYALTY_DB_TLS", CONF_CHOICE, 0, 0, "required|off", "required",
		"off allows plain text over TCP to another machine, where there is no "
		"LOYALTY_DB_TLS_CA",
		&s.db_tls},
	    {"LOYALTY_LOG_LEVEL", CONF_CHOICE, 0, 0, "error|warn|info|debug", "error",
		"minimum log level", &s.log_level},
	};
	const size_t nrows = sizeof(rows) / sizeof(rows[0]);
	const char *mode = argc > 1 ? argv[1] : "";
	enum status rc = NO_AUDIT;

	if (argc == 2 && strcmp(mode, "-h") == 0) {
		printf("usage: loyalty-audit [-h | --json]\nRecompute every invariant from the "
		       "history.  Exit status: 0 all hold, 1 violations,\n2 could not audit.  "
		       "Settings, from the environment:\n");
		conf_print(rows, nrows, stdout);
		return SOUND;
	}
	if (argc > 2 || (argc == 2 && strcmp(mode, "--json") != 0)) {
		fprintf(stderr, "usage: loyalty-audit [-h | --json]\n");
		return NO_AUDIT;
	}
	forget_others();
	if (conf_load(rows, nrows, stderr) == 0
	    && db_conf_fits(&s.db, (enum db_tls)s.db_tls, stderr)) {
		log_init("loyalty-audit", (enum log_level)s.log_level);
		log_open();
		rc = audit(&s, argc == 2);
	}
	conf_free(rows, nrows);
	return rc;
}
