/*
 * loyalty-audit: the audit of GET /v1/admin/audit as a command, for cron and
 * monitoring.  It goes to the database itself: it tells also where gateway
 * and services are down.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../audit.h"
#include "buf.h"
#include "conf.h"
#include "jsonw.h"
#include "log.h"
#include "version.h"

enum status { SOUND = 0, VIOLATIONS = 1, NO_AUDIT = 2 };

struct settings {
	struct db_conf db;
	int log_level;
};

/* A check for people: its line comes before its violations, which are kept until their number is
 * known. */
struct plain {
	char name[40], checked[24];
	struct buf violations; /* a line each */
	size_t n;
	bool failed; /* out of memory */
};

static void
plain_check(void *arg, const char *name, const char *checked)
{
	struct plain *p = arg;

	snprintf(p->name, sizeof(p->name), "%s", name);
	snprintf(p->checked, sizeof(p->checked), "%s", checked);
	buf_reset(&p->violations);
	p->n = 0;
}

/* What a terminal could obey becomes '?'. */
static void
plain_violation(void *arg, const char *s, size_t len)
{
	struct plain *p = arg;
	const char *end = s + len;

	p->n++;
	buf_str(&p->violations, "       ");
	for (; s < end; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == 0xc2 && s + 1 < end && (unsigned char)s[1] >= 0x80
		    && (unsigned char)s[1] < 0xa0) {
			buf_str(&p->violations, "?");
			s++;
		} else {
			buf_add(&p->violations, c < 0x20 || c == 0x7f ? "?" : s, 1);
		}
	}
	buf_str(&p->violations, "\n");
}

static void
plain_end(void *arg, bool ok)
{
	struct plain *p = arg;

	p->failed = p->failed || p->violations.failed;
	printf("%-6s %-25s %s checked", ok ? "ok" : "BROKEN", p->name, p->checked);
	if (!ok)
		printf(", %zu%s violated", p->n, p->n == AUDIT_MOST ? " or more" : "");
	printf("\n%.*s", (int)p->violations.len, p->violations.p != NULL ? p->violations.p : "");
}

static enum status
audit(const struct settings *s, bool as_json)
{
	static const struct audit_sink sink = {plain_check, plain_violation, plain_end};
	struct plain plain = {.n = 0};
	struct buf json = {0};
	struct jsonw w = jsonw_begin(&json);
	char reason[512] = "out of memory";
	enum db_status st;
	enum status rc = NO_AUDIT;
	bool ok;

	st = as_json ? audit_write(&s->db, NULL, &w, &ok, reason, sizeof(reason))
		     : audit_run(&s->db, NULL, &sink, &plain, &ok, reason, sizeof(reason));
	if (st != DB_OK) {
		fprintf(stderr, "loyalty-audit: database: %s\n", reason);
		goto out;
	}
	if (plain.failed || (as_json && !jsonw_end(&w))) {
		fprintf(stderr, "loyalty-audit: the database gave no complete answer\n");
		goto out;
	}
	if (as_json)
		printf("%.*s\n", (int)json.len, json.p);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "loyalty-audit: output: %s\n", strerror(errno));
		goto out;
	}
	rc = ok ? SOUND : VIOLATIONS;
out:
	buf_free(&json);
	buf_free(&plain.violations);
	return rc;
}

/* Settings of the command-line tool and of cgi-admin, in whose environment we run, are none of
 * ours.
 */
static void
forget_others(void)
{
	static const char *const names[] = {
	    "LOYALTY_URL", "LOYALTY_KEY_FILE", "LOYALTY_CA", "LOYALTY_MAIL_LANGUAGE"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
}

int
main(int argc, char **argv)
{
	static struct settings s;
	struct conf_row rows[DB_SETTINGS + 1] = {
	    [DB_SETTINGS] = {"LOYALTY_LOG_LEVEL", CONF_CHOICE, 0, 0, "error|warn|info|debug",
		"error", "minimum log level", &s.log_level},
	};
	const size_t nrows = sizeof(rows) / sizeof(rows[0]);
	const char *mode = argc > 1 ? argv[1] : "";
	enum status rc = NO_AUDIT;

	db_settings(rows, &s.db, "loyalty_admin");
	if (argc == 2 && strcmp(mode, "-h") == 0) {
		printf(
		    "usage: loyalty-audit [-h | -V | --json]\nRecompute every invariant from the "
		    "history.  Exit status: 0 all hold, 1 violations,\n2 could not audit.  "
		    "Settings, from the environment:\n");
		conf_print(rows, nrows, stdout);
		return SOUND;
	}
	if (argc == 2 && strcmp(mode, "-V") == 0) {
		puts("loyalty-audit " LOYALTY_VERSION);
		return SOUND;
	}
	if (argc > 2 || (argc == 2 && strcmp(mode, "--json") != 0)) {
		fprintf(stderr, "usage: loyalty-audit [-h | -V | --json]\n");
		return NO_AUDIT;
	}
	forget_others();
	if (conf_load(rows, nrows, stderr) == 0 && db_conf_fits(&s.db, stderr)) {
		log_init("loyalty-audit", (enum log_level)s.log_level);
		log_open();
		rc = audit(&s, argc == 2);
	}
	conf_free(rows, nrows);
	return rc;
}
