#ifndef NOTIFIER_SETTINGS_H
#define NOTIFIER_SETTINGS_H

#include <stdbool.h>
#include <stdio.h>

#include "address.h"
#include "db.h"
#include "mail.h"
#include "outbox.h"
#include "smtp.h"

/* All that the environment says, checked.  The parts point into each other:
 * not to be copied. */
struct settings {
	struct db_conf db;
	struct mail_conf mail;
	struct smtp_conf smtp;
	struct outbox_conf outbox;
	char *owner_file; /* or NULL */
	int poll_ms, log_level;

	/* as given */
	char *smtp_host, *smtp_helo, *smtp_ca, *smtp_user, *smtp_password;
	char *mail_from, *mail_to, *mail_domain;
	int smtp_tls;
	struct address sender, recipients[MAIL_TO_MAX];
	const char *to[MAIL_TO_MAX], *to_names[MAIL_TO_MAX];
	char host[256], server[300];
};

/* Fill *s, which is zeroed.  false: every fault is a line to err.  What it
 * allocates stays for the life of the process. */
bool settings_load(struct settings *s, FILE *err);

/* The table of all settings. */
void settings_print(FILE *out);

#endif
