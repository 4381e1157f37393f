#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "ehlo.h"
#include "settings.h"
#include "words.h"

#define OWN_ROWS 18
#define ROWS (OWN_ROWS + DB_SETTINGS)
#define DB_DEADLINE_MS 5000
#define SMTP_PORT 25
#define SMTPS_PORT 465
#define DAY_S 86400

static void
fill_rows(struct settings *s, struct conf_row rows[ROWS])
{
	struct outbox_conf *o = &s->outbox;
	const struct conf_row table[OWN_ROWS] = {
	    {"LOYALTY_SMTP_HOST", CONF_TEXT, 0, 0, NULL, "!",
		"mail server, host[:port]; default port 25, with tls 465", &s->smtp_host},
	    {"LOYALTY_SMTP_TLS", CONF_CHOICE, 0, 0, "off|starttls|tls", "starttls",
		"starttls, or tls from the first byte; verified, or no mail", &s->smtp_tls},
	    {"LOYALTY_SMTP_HELO", CONF_TEXT, 0, 0, NULL, NULL,
		"name to give in EHLO; default: the host's FQDN, or [address]", &s->smtp_helo},
	    {"LOYALTY_SMTP_CA", CONF_TEXT, 0, 0, NULL, NULL,
		"PEM file of trusted CAs, instead of the system's", &s->smtp_ca},
	    {"LOYALTY_SMTP_USER", CONF_TEXT, 0, 0, NULL, NULL,
		"user for AUTH, which needs starttls or tls", &s->smtp_user},
	    {"LOYALTY_SMTP_PASSWORD", CONF_SECRET, 0, 0, NULL, NULL,
		"its password, which AUTH needs", &s->smtp_password},
	    {"LOYALTY_MAIL_FROM", CONF_TEXT, 0, 0, NULL, "!",
		"sender: an address, or Name <address>", &s->mail_from},
	    {"LOYALTY_MAIL_TO", CONF_TEXT, 0, 0, NULL, "!",
		"recipients: 1 to 20 such, comma-separated", &s->mail_to},
	    {"LOYALTY_MAIL_DOMAIN", CONF_TEXT, 0, 0, NULL, NULL,
		"domain of Message-IDs; default: the sender's", &s->mail_domain},
	    WORDS_SETTING(&words_language),
	    {"LOYALTY_NOTIFIER_POLL_MS", CONF_INT, 100, 3600000, NULL, "1000",
		"interval between polls of an empty outbox", &s->poll_ms},
	    {"LOYALTY_NOTIFIER_BATCH", CONF_INT, 1, 1000, NULL, "100",
		"maximum number of mails claimed and sent per connection", &o->batch},
	    {"LOYALTY_NOTIFIER_LEASE_S", CONF_INT, 1, DAY_S, NULL, "1500",
		"lease on a claimed mail; below 900, mails may be sent twice", &o->lease_s},
	    {"LOYALTY_NOTIFIER_OWNER_FILE", CONF_TEXT, 0, 0, NULL, NULL,
		"file that keeps this notifier's lease id across restarts", &s->owner_file},
	    {"LOYALTY_NOTIFIER_RETRY_MIN_S", CONF_INT, 1, DAY_S, NULL, "60",
		"delay after a mail's first failure, doubled each time", &o->retry_min_s},
	    {"LOYALTY_NOTIFIER_RETRY_MAX_S", CONF_INT, 1, DAY_S, NULL, "14400",
		"maximum delay between tries", &o->retry_max_s},
	    {"LOYALTY_NOTIFIER_GIVE_UP_S", CONF_INT, 1, 365 * DAY_S, NULL, "388800",
		"age at which a failing mail becomes DEAD", &o->give_up_s},
	    {"LOYALTY_LOG_LEVEL", CONF_CHOICE, 0, 0, "error|warn|info|debug", "info",
		"minimum log level", &s->log_level},
	};

	memcpy(rows, table, sizeof(table));
	db_settings(rows + OWN_ROWS, &s->db, "loyalty_notifier");
}

void
settings_print(FILE *out)
{
	struct settings unused = {0};
	struct conf_row rows[ROWS];

	fill_rows(&unused, rows);
	conf_print(rows, ROWS, out);
}

/* host[:port], as libesmtp splits it: at the first colon, so no IPv6 address. */
static bool
set_server(struct settings *s, FILE *err)
{
	char *host = s->host, *colon, *end = NULL;
	long port = s->smtp_tls == SMTP_TLS_IMPLICIT ? SMTPS_PORT : SMTP_PORT;

	snprintf(s->host, sizeof(s->host), "%s", s->smtp_host);
	if ((colon = strchr(host, ':')) != NULL) {
		*colon = '\0';
		port = strtol(colon + 1, &end, 10);
		if (end == colon + 1 || *end != '\0')
			port = 0;
	}
	if (port < 1 || port > 65535 || !mail_domain_ok(host)) {
		fprintf(err,
		    "LOYALTY_SMTP_HOST is '%s', not host[:port] (no IPv6 address: use a name)\n",
		    s->smtp_host);
		return false;
	}
	snprintf(s->server, sizeof(s->server), "%s:%ld", host, port);
	s->smtp.host = s->host;
	s->smtp.server = s->server;
	s->smtp.port = (int)port;
	return true;
}

static bool
set_sender(struct settings *s, FILE *err)
{
	const char *rest = s->mail_from, *fault;
	bool found = address_next(&rest, &s->sender, &fault);

	if (found && fault == NULL && *rest != '\0')
		fault = "is more than one address";
	if (!found)
		fault = "has no address";
	if (fault != NULL) {
		fprintf(err, "LOYALTY_MAIL_FROM: '%s' %s\n", s->mail_from, fault);
		return false;
	}
	s->mail.from = s->sender.mailbox;
	s->mail.from_name = s->sender.name;
	s->mail.domain = s->mail_domain != NULL ? s->mail_domain : strrchr(s->mail.from, '@') + 1;
	if (!mail_domain_ok(s->mail.domain)) {
		fprintf(err, "LOYALTY_MAIL_DOMAIN is '%s', not a domain\n", s->mail.domain);
		return false;
	}
	return true;
}

/* One address twice is one recipient. */
static bool
is_known(const struct settings *s, const struct address *a)
{
	size_t i;

	for (i = 0; i < s->mail.to_n; i++)
		if (strcmp(s->to[i], a->mailbox) == 0)
			return true;
	return false;
}

static bool
set_recipients(struct settings *s, FILE *err)
{
	const char *rest = s->mail_to, *from = rest, *fault;
	struct address a;
	size_t n = 0;
	bool ok = true;

	for (; address_next(&rest, &a, &fault); from = rest) {
		from += strspn(from, " \t,");
		if (fault != NULL) {
			fprintf(
			    err, "LOYALTY_MAIL_TO: '%.*s' %s\n", (int)(rest - from), from, fault);
			ok = false;
		} else if (!is_known(s, &a) && (n = s->mail.to_n) == MAIL_TO_MAX) {
			fprintf(err, "LOYALTY_MAIL_TO has more than %d addresses\n", MAIL_TO_MAX);
			return false;
		} else if (!is_known(s, &a)) {
			s->recipients[n] = a;
			s->to[n] = s->recipients[n].mailbox;
			s->to_names[n] = s->recipients[n].name;
			s->mail.to_n++;
		}
	}
	if (ok && s->mail.to_n == 0) {
		fprintf(err, "LOYALTY_MAIL_TO has no address\n");
		ok = false;
	}
	s->mail.to = s->to;
	s->mail.to_names = s->to_names;
	return ok;
}

static bool
set_smtp(struct settings *s, FILE *err)
{
	bool ok = set_server(s, err);

	s->smtp.tls = (enum smtp_tls)s->smtp_tls;
	if (ok && s->smtp.port == SMTPS_PORT && s->smtp.tls == SMTP_TLS_STARTTLS) {
		fprintf(err,
		    "LOYALTY_SMTP_HOST has port 465, which expects TLS from the first byte: "
		    "set LOYALTY_SMTP_TLS=tls\n");
		ok = false;
	}
	s->smtp.ca = s->smtp_ca;
	s->smtp.user = s->smtp_user;
	s->smtp.password = s->smtp_password;
	s->smtp.mail = &s->mail;
	s->smtp.ehlo = s->smtp_helo;
	if (s->smtp_helo != NULL && !ehlo_name_ok(s->smtp_helo)) {
		fprintf(err,
		    "LOYALTY_SMTP_HELO is '%s', not a host name or an address literal such as "
		    "[192.0.2.1]\n",
		    s->smtp_helo);
		ok = false;
	}
	if ((s->smtp_user == NULL) != (s->smtp_password == NULL)) {
		fprintf(err,
		    "LOYALTY_SMTP_USER and LOYALTY_SMTP_PASSWORD go together; one is missing\n");
		ok = false;
	}
	if (s->smtp_user != NULL && s->smtp.tls == SMTP_TLS_OFF) {
		fprintf(err,
		    "LOYALTY_SMTP_USER needs LOYALTY_SMTP_TLS=starttls or tls: the password "
		    "must not be sent in plain text\n");
		ok = false;
	}
	if (s->smtp_ca != NULL && access(s->smtp_ca, R_OK) != 0) {
		fprintf(err, "LOYALTY_SMTP_CA: %s: %s\n", s->smtp_ca, strerror(errno));
		ok = false;
	}
	return ok;
}

bool
settings_load(struct settings *s, FILE *err)
{
	struct conf_row rows[ROWS];
	bool ok = true;

	fill_rows(s, rows);
	if (conf_load(rows, ROWS, err) != 0)
		return false;
	s->db.deadline_ms = DB_DEADLINE_MS;
	ok &= db_conf_fits(&s->db, err);
	s->outbox.mail = &s->mail;
	s->outbox.smtp = &s->smtp;
	ok &= set_smtp(s, err);
	ok &= set_sender(s, err);
	ok &= set_recipients(s, err);
	if (s->outbox.retry_min_s > s->outbox.retry_max_s) {
		fprintf(err,
		    "LOYALTY_NOTIFIER_RETRY_MIN_S is more than LOYALTY_NOTIFIER_RETRY_MAX_S\n");
		ok = false;
	}
	return ok;
}
