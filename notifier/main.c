#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ehlo.h"
#include "log.h"
#include "outbox.h"
#include "owner.h"
#include "settings.h"
#include "version.h"

#define DB_PAUSE_MS 1000
#define ONCE_DB_TRIES 5
#define FINISH_S 6 /* after SIGTERM, for the mail at hand; then its connection is broken off */
#define LEAVE_S 3  /* and from there to the end, whatever hangs */

enum mode { MODE_RUN, MODE_ONCE, MODE_TEST };

static volatile sig_atomic_t stop;

static void
on_stop(int signal_number)
{
	(void)signal_number;
	stop = 1;
	alarm(FINISH_S);
}

static void
on_alarm(int signal_number)
{
	static volatile sig_atomic_t again;

	(void)signal_number;
	if (again)
		_exit(1); /* a resolver or a database that hangs; leases run out by themselves */
	again = 1;
	smtp_interrupt();
	alarm(LEAVE_S);
}

static void
catch_signals(void)
{
	struct sigaction sa = {.sa_handler = on_stop, .sa_flags = SA_RESTART};

	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	sa.sa_handler = on_alarm;
	sa.sa_flags = 0; /* so that connect() ends */
	sigaction(SIGALRM, &sa, NULL);
}

/* Sleep, but not past a signal, not even one that came a moment ago. */
static void
wait_ms(int64_t ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	sigset_t stops, before;

	sigemptyset(&stops);
	sigaddset(&stops, SIGTERM);
	sigaddset(&stops, SIGINT);
	sigprocmask(SIG_BLOCK, &stops, &before);
	if (!stop)
		ppoll(NULL, 0, &ts, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

/* Poll until told to stop; with MODE_ONCE until nothing is due.  The exit status. */
static int
run(struct outbox *o, int poll_ms, enum mode mode)
{
	int64_t pause_ms = 0;
	int db_tries = 0;

	while (!stop) {
		switch (outbox_run(o, &pause_ms)) {
		case OUTBOX_WORKED:
			break;
		case OUTBOX_EMPTY:
			if (mode == MODE_ONCE)
				return 0;
			wait_ms(poll_ms);
			break;
		case OUTBOX_CHANNEL:
			if (mode == MODE_ONCE)
				return 1;
			wait_ms(pause_ms);
			break;
		case OUTBOX_DATABASE:
			if (mode == MODE_ONCE && ++db_tries == ONCE_DB_TRIES)
				return 1;
			wait_ms(DB_PAUSE_MS);
			break;
		}
	}
	while (!outbox_finish(o))
		poll(NULL, 0, DB_PAUSE_MS / 4); /* until on_alarm ends it */
	log_line(LOG_INFO, NULL, "stopped");
	return 0;
}

static int
usage(FILE *out, int status)
{
	fprintf(out, "usage: notifier [--once | -t | -h | -V]\n"
		     "  --once  send all that is due, then exit\n"
		     "  -t      test the configuration and the database, then exit\n"
		     "  -h      print this help, then exit\n"
		     "  -V      print the version, then exit\n\n"
		     "Environment:\n");
	settings_print(out);
	return status;
}

/* -1: go on, in *mode; else the exit status of what was asked for and is done. */
static int
options(int argc, char **argv, enum mode *mode)
{
	if (argc == 1)
		return -1;
	if (argc == 2 && strcmp(argv[1], "-h") == 0)
		return usage(stdout, 0);
	if (argc == 2 && strcmp(argv[1], "-V") == 0) {
		puts("notifier " LOYALTY_VERSION);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--once") == 0)
		*mode = MODE_ONCE;
	else if (argc == 2 && strcmp(argv[1], "-t") == 0)
		*mode = MODE_TEST;
	else
		return usage(stderr, 2);
	return -1;
}

int
main(int argc, char **argv)
{
	static const char *const tls[] = {"in plain text", "with STARTTLS", "with TLS"};
	static struct settings s;
	char fqdn[EHLO_NAME];
	enum mode mode = MODE_RUN;
	struct outbox *o = NULL;
	struct db *db = NULL;
	struct uuid owner;
	int known, status;

	if ((status = options(argc, argv, &mode)) >= 0)
		return status;
	status = 1;
	if (!settings_load(&s, stderr))
		return 2;
	log_init("notifier", (enum log_level)s.log_level);
	log_open();
	smtp_init();
	if ((known = owner_take(mode == MODE_TEST ? NULL : s.owner_file, &owner)) < 0) {
		log_line(LOG_ERROR, NULL, "LOYALTY_NOTIFIER_OWNER_FILE: %s: %s", s.owner_file,
		    strerror(errno));
		goto out;
	}
	if ((db = db_new(&s.db, NULL)) == NULL
	    || (o = outbox_new(&s.outbox, db, &owner, &stop)) == NULL) {
		log_line(LOG_ERROR, NULL, "out of memory");
		goto out;
	}
	if (mode == MODE_TEST) {
		status = outbox_give_back(o) ? 0 : 1; /* has nothing to release, but may it? */
		if (status == 0)
			puts("configuration and database are fine");
		goto out;
	}
	catch_signals();
	if (s.smtp.ehlo == NULL && ehlo_fqdn(fqdn))
		s.smtp.ehlo = fqdn;
	log_line(LOG_INFO, NULL, "started: mail for %zu recipients through %s, %s%s", s.mail.to_n,
	    s.smtp.server, tls[s.smtp.tls],
	    known == 0 && s.owner_file != NULL
		? "; another notifier uses LOYALTY_NOTIFIER_OWNER_FILE"
		: "");
	if (known == 1)
		outbox_give_back(o); /* if it fails, outbox_run finds out as well */
	status = run(o, s.poll_ms, mode);
out:
	outbox_free(o);
	db_free(db);
	smtp_exit();
	return status;
}
