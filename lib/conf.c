#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conf.h"

extern char **environ;

static const char *
value_of(const char *name)
{
	const char *v = getenv(name);

	return v != NULL && *v != '\0' ? v : NULL;
}

/*
 * Whether others than its owner may use the file.  What a container engine
 * mounts below /run/secrets is nobody else's, whatever its mode; nor are the
 * credentials that systemd hands to a service.
 */
static bool
exposed(const char *path)
{
	static const char mounted[] = "/run/secrets/", credentials[] = "/run/credentials/";
	struct stat st;
	bool is = false;
	char *real;

	if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || (st.st_mode & 077) == 0)
		return false;
	if ((real = realpath(path, NULL)) != NULL)
		is = strncmp(real, mounted, sizeof(mounted) - 1) != 0
		     && strncmp(real, credentials, sizeof(credentials) - 1) != 0;
	free(real);
	return is;
}

/*
 * The path of a secret's file, in a buffer of the caller's or as it is: a bare
 * name is one of systemd's credentials, if there are any.
 */
static const char *
secret_path(const char *path, char *buffer, size_t size)
{
	const char *dir = value_of("CREDENTIALS_DIRECTORY");
	int n;

	if (dir == NULL || strchr(path, '/') != NULL)
		return path;
	n = snprintf(buffer, size, "%s/%s", dir, path);
	return n > 0 && (size_t)n < size ? buffer : path;
}

/* First line of a file without its end, LF or CRLF, allocated; NULL with errno set. */
static char *
first_line(const char *path)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	FILE *f;

	if ((f = fopen(path, "re")) == NULL)
		return NULL;
	errno = 0;
	n = getline(&line, &cap, f);
	fclose(f);
	if (n > 0 && line[n - 1] == '\n')
		line[--n] = '\0';
	if (n > 0 && line[n - 1] == '\r')
		line[--n] = '\0';
	if (n <= 0) {
		free(line);
		errno = errno != 0 ? errno : ENODATA;
		return NULL;
	}
	return line;
}

static bool
set_int(const struct conf_row *row, const char *v)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(v, &end, 10);
	if (strspn(v, "-0123456789") != strlen(v) || errno != 0 || end == v || *end != '\0'
	    || n < row->min || n > row->max)
		return false;
	*(int *)row->out = (int)n;
	return true;
}

static bool
set_choice(const struct conf_row *row, const char *v)
{
	const char *c = row->choices;
	size_t len = strlen(v);
	int i = 0;

	for (;; i++) {
		size_t n = strcspn(c, "|");

		if (n == len && memcmp(c, v, n) == 0)
			break;
		if (c[n] == '\0')
			return false;
		c += n + 1;
	}
	*(int *)row->out = i;
	return true;
}

static int
set_text(const struct conf_row *row, const char *v, FILE *err)
{
	char file[128], credential[4096];
	const char *path = NULL;
	char *copy = NULL;

	if (row->type == CONF_SECRET) {
		snprintf(file, sizeof(file), "%s_FILE", row->name);
		path = value_of(file);
		if (path != NULL && value_of(row->name) != NULL) {
			fprintf(err, "%s and %s are both set; give one\n", row->name, file);
			return -1;
		}
	}
	if (path != NULL) {
		path = secret_path(path, credential, sizeof(credential));
		if (exposed(path)) {
			fprintf(err,
			    "%s: %s: others than its owner may read it; run: chmod 600 %s\n", file,
			    path, path);
			return -1;
		}
		if ((copy = first_line(path)) == NULL) {
			fprintf(err, "%s: %s: %s\n", file, path, strerror(errno));
			return -1;
		}
	} else if (v != NULL && (copy = strdup(v)) == NULL) {
		fprintf(err, "%s: %s\n", row->name, strerror(errno));
		return -1;
	}
	*(char **)row->out = copy;
	return 0;
}

static int
set_row(const struct conf_row *row, FILE *err)
{
	const char *v = value_of(row->name);
	char file[128];
	bool fine = true;

	snprintf(file, sizeof(file), "%s_FILE", row->name);
	if (v == NULL && !(row->type == CONF_SECRET && value_of(file) != NULL)) {
		v = row->fallback;
		if (v != NULL && strcmp(v, "!") == 0) {
			fprintf(err, "%s is not set: %s\n", row->name, row->help);
			return -1;
		}
	}
	switch (row->type) {
	case CONF_TEXT:
	case CONF_SECRET:
		return set_text(row, v, err);
	case CONF_INT:
		fine = set_int(row, v);
		if (!fine)
			fprintf(err, "%s is '%s', not an integer from %d to %d\n", row->name, v,
			    row->min, row->max);
		break;
	case CONF_CHOICE:
		fine = set_choice(row, v);
		if (!fine)
			fprintf(err, "%s is '%s', not one of %s\n", row->name, v, row->choices);
		break;
	}
	return fine ? 0 : -1;
}

static bool
known(const struct conf_row *rows, size_t n, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < n; i++) {
		size_t own = strlen(rows[i].name);

		if (strncmp(rows[i].name, name, own) != 0)
			continue;
		if (len == own)
			return true;
		if (rows[i].type == CONF_SECRET && len == own + 5
		    && memcmp(name + own, "_FILE", 5) == 0)
			return true;
	}
	return false;
}

/*
 * Programs share an environment: what begins with the name of a family of
 * settings is meant for the programs that know that family.
 */
static const char *const families[] = {"ADMIN_", "BACKUP_", "CONSOLE_", "DB_", "LOG_", "MAIL_",
    "NGINX_", "NOTIFIER_", "POINTS_", "PRUNE_", "ROOMS_", "SMTP_"};

/* Of a family that a program may know in part, what others know. */
static const char *const elsewhere[] = {"MAIL_DOMAIN", "MAIL_FROM", "MAIL_TO"};

static const char prefix[] = "LOYALTY_";
#define PREFIX_LEN (sizeof(prefix) - 1)

/* Whether one of the rows is of this family. */
static bool
has_family(const struct conf_row *rows, size_t n, const char *family)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strncmp(rows[i].name + PREFIX_LEN, family, strlen(family)) == 0)
			return true;
	return false;
}

/* Whether LOYALTY_name is another program's setting, as far as can be told. */
static bool
is_others(const struct conf_row *rows, size_t n, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
		if (strlen(elsewhere[i]) == len && memcmp(name, elsewhere[i], len) == 0)
			return true;
	for (i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		size_t own = strlen(families[i]);

		if (len > own && memcmp(name, families[i], own) == 0)
			return !has_family(rows, n, families[i]);
	}
	return false;
}

int
conf_load(const struct conf_row *rows, size_t n, FILE *err)
{
	char **e;
	size_t i;
	int rc = 0;

	for (e = environ; *e != NULL; e++) {
		size_t len = strcspn(*e, "=");

		if (strncmp(*e, prefix, PREFIX_LEN) == 0 && !known(rows, n, *e, len)
		    && !is_others(rows, n, *e + PREFIX_LEN, len - PREFIX_LEN)) {
			fprintf(err, "%.*s: no such setting; -h prints all\n", (int)len, *e);
			rc = -1;
		}
	}
	for (i = 0; i < n; i++)
		if (set_row(&rows[i], err) != 0)
			rc = -1;
	return rc;
}

void
conf_free(const struct conf_row *rows, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (rows[i].type == CONF_TEXT || rows[i].type == CONF_SECRET) {
			free(*(char **)rows[i].out);
			*(char **)rows[i].out = NULL;
		}
}

void
conf_print(const struct conf_row *rows, size_t n, FILE *out)
{
	size_t i;

	for (i = 0; i < n; i++) {
		fprintf(out, "  %s", rows[i].name);
		if (rows[i].type == CONF_SECRET)
			fprintf(out, " (or %s_FILE)", rows[i].name);
		if (rows[i].type == CONF_INT)
			fprintf(out, "  %d to %d", rows[i].min, rows[i].max);
		if (rows[i].type == CONF_CHOICE)
			fprintf(out, "  %s", rows[i].choices);
		if (rows[i].fallback == NULL)
			fprintf(out, "  (default: none)\n");
		else if (strcmp(rows[i].fallback, "!") == 0)
			fprintf(out, "  (required)\n");
		else
			fprintf(out, "  (default: %s)\n", rows[i].fallback);
		fprintf(out, "      %s\n", rows[i].help);
	}
}
