#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "conf.h"

static char *text, *secret, *needed;
static int number, choice, language;

static const struct conf_row rows[] = {
    {"LOYALTY_T_TEXT", CONF_TEXT, 0, 0, NULL, NULL, "a text", &text},
    {"LOYALTY_T_SECRET", CONF_SECRET, 0, 0, NULL, NULL, "a secret", &secret},
    {"LOYALTY_T_NUMBER", CONF_INT, -5, 64, NULL, "8", "a number", &number},
    {"LOYALTY_T_CHOICE", CONF_CHOICE, 0, 0, "off|starttls|tls", "starttls", "a choice", &choice},
    {"LOYALTY_T_NEEDED", CONF_TEXT, 0, 0, NULL, "!", "must be there", &needed},
    {"LOYALTY_MAIL_LANGUAGE", CONF_INT, 0, 9, NULL, "0", "shared in part", &language},
};
#define ALL_ROWS (sizeof(rows) / sizeof(rows[0]))

static const char *const names[] = {"LOYALTY_T_TEXT", "LOYALTY_T_SECRET", "LOYALTY_T_SECRET_FILE",
    "LOYALTY_T_NUMBER", "LOYALTY_T_CHOICE", "LOYALTY_T_NEEDED", "LOYALTY_T_TEXT_FILE",
    "LOYALTY_T_NUMBE", "LOYALTY_T_NUMBERS", "LOYALTY_", "LOYALTY_T_SECRET_FILES", "LOYALTYX",
    "LOYALTY_SMTP_HOST", "LOYALTY_NGINX_ANY", "LOYALTY_LOG_LEVEL", "LOYALTY_MAIL_LANGUAGE",
    "LOYALTY_MAIL_FROM", "LOYALTY_MAIL_FROMM", "LOYALTY_NGINX", "LOYALTY_NGINX_",
    "LOYALTY_SMPT_HOST", "LOYALTY_BACKUP_KEEP"};

static size_t nrows = ALL_ROWS - 1; /* the family MAIL is not known, as a rule */

/* What conf_load has written of faults; overwritten by the next call. */
static char faults[2000];

static void
forget(void)
{
	size_t i;

	free(text);
	free(secret);
	free(needed);
	text = secret = needed = NULL;
	number = choice = -99;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
}

/* Load with these settings ("NAME=value", NULL) on top of the one that is needed. */
static int
load(const char *const settings[])
{
	FILE *err = fmemopen(faults, sizeof(faults), "w");
	int rc;

	forget();
	setenv("LOYALTY_T_NEEDED", "yes", 1);
	for (; settings != NULL && *settings != NULL; settings++) {
		char name[64];
		size_t n = strcspn(*settings, "=");

		snprintf(name, sizeof(name), "%.*s", (int)n, *settings);
		setenv(name, *settings + n + 1, 1);
	}
	rc = conf_load(rows, nrows, err);
	fclose(err);
	return rc;
}

#define LOAD(...) load((const char *const[]){__VA_ARGS__, NULL})

/* Refused, with a line that names each of these. */
static void
refused(int rc, const char *what, const char *also)
{
	CHECK(rc == -1, "%s is taken", what);
	CHECK(strstr(faults, what) != NULL && strstr(faults, also) != NULL, "the fault is '%s'",
	    faults);
	CHECK(*faults != '\0' && faults[strlen(faults) - 1] == '\n', "the fault is a line: '%s'",
	    faults);
}

static void
conf_falls_back(void)
{
	CHECK(load(NULL) == 0, "%s", faults);
	CHECK(text == NULL && secret == NULL && number == 8 && choice == 1, "fallbacks");
	CHECK(LOAD("LOYALTY_T_TEXT=", "LOYALTY_T_NUMBER=", "LOYALTY_T_CHOICE=", "LOYALTY_T_SECRET=",
		  "LOYALTY_T_SECRET_FILE=")
		  == 0,
	    "%s", faults);
	CHECK(text == NULL && secret == NULL && number == 8 && choice == 1, "empty is unset");
	forget();
}

static void
conf_takes_what_is_set(void)
{
	CHECK(LOAD("LOYALTY_T_TEXT=a=b", "LOYALTY_T_SECRET= s ", "LOYALTY_T_NUMBER=-5",
		  "LOYALTY_T_CHOICE=tls")
		  == 0,
	    "%s", faults);
	CHECK(text != NULL && strcmp(text, "a=b") == 0, "text");
	CHECK(secret != NULL && strcmp(secret, " s ") == 0, "secret");
	CHECK(needed != NULL && strcmp(needed, "yes") == 0, "needed");
	CHECK(number == -5 && choice == 2, "number %d, choice %d", number, choice);
	CHECK(
	    LOAD("LOYALTY_T_NUMBER=64", "LOYALTY_T_CHOICE=off") == 0 && number == 64 && choice == 0,
	    "ends");
	CHECK(LOAD("LOYALTYX=1") == 0, "a name that is not ours: %s", faults);
	forget();
}

static void
conf_refuses_bad_integers(void)
{
	static const char *const bad[] = {"65", "-6", "eight", "8x", "8 ", " 8", "+8", "--8", "8-",
	    "1-2", "1.5", "1e1", "0x10", "-", "99999999999", "99999999999999999999999999",
	    "4294967304", "8,9", "\xd9\xa8"};
	char setting[64];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(setting, sizeof(setting), "LOYALTY_T_NUMBER=%s", bad[i]);
		refused(LOAD(setting), "LOYALTY_T_NUMBER", "-5 to 64");
		CHECK(number == -99, "%s: the number has changed", bad[i]);
	}
	forget();
}

static void
conf_refuses_bad_choices(void)
{
	static const char *const bad[] = {
	    "on", "starttl", "starttlss", "OFF", "off|starttls", "|", "of"};
	char setting[64];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(setting, sizeof(setting), "LOYALTY_T_CHOICE=%s", bad[i]);
		refused(LOAD(setting), "LOYALTY_T_CHOICE", "off|starttls|tls");
	}
	forget();
}

static void
conf_refuses_unknown_names(void)
{
	static const char *const bad[] = {"LOYALTY_T_NUMBE", "LOYALTY_T_NUMBERS", "LOYALTY_",
	    "LOYALTY_T_TEXT_FILE", "LOYALTY_T_SECRET_FILES", "LOYALTY_SMPT_HOST", "LOYALTY_NGINX",
	    "LOYALTY_NGINX_"};
	char setting[64];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(setting, sizeof(setting), "%s=topsecret", bad[i]);
		refused(LOAD(setting), bad[i], "no such setting");
		CHECK(strstr(faults, "topsecret") == NULL, "the value is shown");
	}
	forget();
}

static void
conf_leaves_other_programs_their_families(void)
{
	CHECK(LOAD("LOYALTY_SMTP_HOST=x", "LOYALTY_NGINX_ANY=x", "LOYALTY_LOG_LEVEL=x",
		  "LOYALTY_MAIL_FROMM=x", "LOYALTY_BACKUP_KEEP=x")
		  == 0,
	    "families that no row is of: %s", faults);
	nrows = ALL_ROWS;
	CHECK(LOAD("LOYALTY_MAIL_FROM=x", "LOYALTY_MAIL_LANGUAGE=3") == 0 && language == 3,
	    "a family known in part: %s", faults);
	refused(LOAD("LOYALTY_MAIL_FROMM=x"), "LOYALTY_MAIL_FROMM", "no such setting");
	nrows = ALL_ROWS - 1;
	forget();
}

static void
conf_refuses_a_missing_one(void)
{
	refused(LOAD("LOYALTY_T_NEEDED="), "LOYALTY_T_NEEDED", "must be there");
	forget();
}

static void
conf_names_every_fault(void)
{
	int rc = LOAD(
	    "LOYALTY_T_NEEDED=", "LOYALTY_T_NUMBER=x", "LOYALTY_T_CHOICE=x", "LOYALTY_T_NUMBERS=1");

	refused(rc, "LOYALTY_T_NEEDED", "LOYALTY_T_NUMBER is");
	refused(rc, "LOYALTY_T_CHOICE", "LOYALTY_T_NUMBERS");
	forget();
}

static mode_t secret_mode = 0600;

/* Load with a secret file of this content. */
static int
load_file(const char *content, size_t len)
{
	char path[100], setting[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/secret", check_folder());
	remove(path);
	if ((f = fopen(path, "w")) == NULL || fwrite(content, 1, len, f) != len || fclose(f) != 0)
		abort();
	chmod(path, secret_mode);
	snprintf(setting, sizeof(setting), "LOYALTY_T_SECRET_FILE=%s", path);
	return LOAD(setting);
}

static void
conf_reads_the_first_line_of_a_secret_file(void)
{
	CHECK(load_file("s3cret\nsecond\n", 14) == 0 && secret != NULL
		  && strcmp(secret, "s3cret") == 0,
	    "two lines");
	CHECK(load_file("s3cret", 6) == 0 && secret != NULL && strcmp(secret, "s3cret") == 0,
	    "no line feed");
	CHECK(load_file("s3cret\r\nsecond\r\n", 16) == 0 && secret != NULL
		  && strcmp(secret, "s3cret") == 0,
	    "CRLF");
	CHECK(load_file("  \n", 3) == 0 && secret != NULL && strcmp(secret, "  ") == 0,
	    "blanks are kept");
	forget();
}

static void
conf_refuses_bad_secret_files(void)
{
	refused(load_file("", 0), "LOYALTY_T_SECRET_FILE", "/secret");
	CHECK(secret == NULL, "a secret of nothing");
	refused(load_file("\nsecond\n", 8), "LOYALTY_T_SECRET_FILE", "/secret");
	refused(
	    LOAD("LOYALTY_T_SECRET_FILE=/nonexistent/x"), "LOYALTY_T_SECRET_FILE", "No such file");
	refused(LOAD("LOYALTY_T_SECRET_FILE=/tmp"), "LOYALTY_T_SECRET_FILE", "/tmp");
	refused(load_file("\r\n", 2), "LOYALTY_T_SECRET_FILE", "/secret");
	for (secret_mode = 0644; secret_mode > 0600; secret_mode -= 004)
		refused(load_file("s3cret\n", 7), "LOYALTY_T_SECRET_FILE", "chmod 600");
	secret_mode = 0400;
	CHECK(load_file("s3cret\n", 7) == 0, "%s", faults);
	secret_mode = 0600;
	forget();
}

static void
conf_finds_a_bare_name_among_the_credentials(void)
{
	CHECK(load_file("s3cret\n", 7) == 0, "%s", faults);
	setenv("CREDENTIALS_DIRECTORY", check_folder(), 1);
	CHECK(LOAD("LOYALTY_T_SECRET_FILE=secret") == 0 && secret != NULL
		  && strcmp(secret, "s3cret") == 0,
	    "a credential: %s", faults);
	refused(LOAD("LOYALTY_T_SECRET_FILE=./secret"), "LOYALTY_T_SECRET_FILE", "No such file");
	refused(LOAD("LOYALTY_T_SECRET_FILE=other"), "LOYALTY_T_SECRET_FILE", "No such file");
	unsetenv("CREDENTIALS_DIRECTORY");
	refused(LOAD("LOYALTY_T_SECRET_FILE=secret"), "LOYALTY_T_SECRET_FILE", "No such file");
	forget();
}

static void
conf_refuses_a_secret_given_twice(void)
{
	char setting[200];

	CHECK(load_file("s3cret\n", 7) == 0, "%s", faults);
	snprintf(setting, sizeof(setting), "LOYALTY_T_SECRET_FILE=%s/secret", check_folder());
	refused(LOAD("LOYALTY_T_SECRET=topsecret", setting), "LOYALTY_T_SECRET", "both");
	CHECK(strstr(faults, "topsecret") == NULL, "the secret is shown");
	CHECK(secret == NULL, "the secret is set");
	forget();
}

static void
conf_prints_the_table(void)
{
	char out[2000];
	FILE *f = fmemopen(out, sizeof(out), "w");
	size_t i;

	conf_print(rows, ALL_ROWS, f);
	fclose(f);
	for (i = 0; i < ALL_ROWS; i++)
		CHECK(strstr(out, rows[i].name) != NULL && strstr(out, rows[i].help) != NULL, "%s",
		    rows[i].name);
	CHECK(strstr(out, "LOYALTY_T_SECRET_FILE") != NULL, "the file of a secret");
	CHECK(strstr(out, "-5 to 64  (default: 8)") != NULL, "range and default: %s", out);
	CHECK(strstr(out, "off|starttls|tls  (default: starttls)") != NULL, "choices");
	CHECK(strstr(out, "(required)") != NULL && strstr(out, "(default: none)") != NULL,
	    "none and required");
}

CU_TestInfo tests_conf[] = {
    TEST(conf_falls_back),
    TEST(conf_takes_what_is_set),
    TEST(conf_refuses_bad_integers),
    TEST(conf_refuses_bad_choices),
    TEST(conf_refuses_unknown_names),
    TEST(conf_leaves_other_programs_their_families),
    TEST(conf_refuses_a_missing_one),
    TEST(conf_names_every_fault),
    TEST(conf_reads_the_first_line_of_a_secret_file),
    TEST(conf_refuses_bad_secret_files),
    TEST(conf_finds_a_bare_name_among_the_credentials),
    TEST(conf_refuses_a_secret_given_twice),
    TEST(conf_prints_the_table),
    CU_TEST_INFO_NULL,
};
