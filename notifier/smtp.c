#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h> /* before libesmtp.h, which then has smtp_starttls_set_ctx */
#include <openssl/x509v3.h>
#include <auth-client.h>
#include <libesmtp.h>

#include "ehlo.h"
#include "log.h"
#include "reply.h"
#include "smtp.h"
#include "tunnel.h"

#define HANDSHAKE_MS 300000 /* as for the greeting (RFC 5321, 4.5.3.2.1) */
#define FD_MAX 256	    /* far above what this program has open */

/* One mail within a connection. */
struct item {
	struct session *s;
	size_t i;
	size_t next;	   /* recipient whose answer comes next; a skipped one gets none */
	uint32_t accepted; /* recipients by their answer to RCPT: bit k is mail_conf.to[k] */
	uint32_t later, never, channel;
	int piece;     /* how much of the text libesmtp has fetched */
	bool asked;    /* whether it may go out */
	bool may_send; /* and the answer */
	bool done;     /* has its outcome */
};

struct session {
	const struct smtp_conf *conf;
	const struct smtp_job *jobs;
	size_t n;
	const struct smtp_calls *calls;
	void *arg;
	struct item *items;
	smtp_message_t *messages;
	SSL_CTX *tls;	       /* or NULL */
	struct tunnel *tunnel; /* of the current connection, or NULL */

	bool connected, tls_on, authenticated;
	bool eight_bit;	       /* the server has 8BITMIME */
	bool in_mail;	       /* past EHLO, STARTTLS and AUTH: MAIL was sent */
	bool heard;	       /* or QUIT: no reply is of interest any more */
	char verb[10];	       /* the last command up to there */
	char line[SMTP_REPLY]; /* of a reply, as far as it came */
	size_t line_len;
	int code;				/* the last reply before MAIL */
	char reply[SMTP_REPLY];			/* the same */
	char refusals[MAIL_TO_MAX][SMTP_REPLY]; /* by recipient, of the current mail */

	bool ended;
	enum smtp_end end;
	char why[SMTP_REPLY];
};

/* The connection at hand, for smtp_interrupt alone; -1: none. */
static volatile sig_atomic_t interrupt_fd = -1;

void
smtp_interrupt(void)
{
	int saved = errno;

	if (interrupt_fd >= 0)
		shutdown(interrupt_fd, SHUT_RDWR);
	errno = saved;
}

/* Copy text of unknown make as one line of printable ASCII. */
static void
printable(char *out, size_t size, const char *s)
{
	size_t n = 0;

	for (; *s != '\0' && n + 1 < size; s++) {
		unsigned char c = (unsigned char)*s;

		if (c > ' ' && c < 0x7f)
			out[n++] = *s;
		else if (c >= 0x7f)
			out[n++] = '?';
		else if (n > 0 && out[n - 1] != ' ')
			out[n++] = ' ';
	}
	while (n > 0 && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
}

/*
 * The connection is of no more use: remember why (the first reason counts)
 * and break it off.  libesmtp finds it closed and comes back.
 */
__attribute__((format(printf, 3, 4))) static void
end_session(struct session *s, enum smtp_end end, const char *fmt, ...)
{
	char why[2 * SMTP_REPLY];
	va_list ap;

	if (!s->ended) {
		va_start(ap, fmt);
		vsnprintf(why, sizeof(why), fmt, ap);
		va_end(ap);
		printable(s->why, sizeof(s->why), why);
		s->ended = true;
		s->end = end;
	}
	smtp_interrupt();
}

/*
 * The current mail is through.  outcome is that of the recipients who were
 * accepted; the others have their own.
 */
static void
finish(struct item *it, enum smtp_outcome outcome, const char *reply)
{
	struct session *s = it->s;
	struct smtp_result r = {.outcome = outcome,
	    .reply = reply,
	    .accepted = it->accepted,
	    .later = it->later,
	    .never = it->never,
	    .refusals = s->refusals};

	if (it->done)
		return;
	it->done = true;
	if (!s->calls->outcome(s->arg, it->i, &r))
		end_session(s, SMTP_STOPPED, "told to stop");
}

/* A reply as staff will read it: the command, code, enhanced code, text. */
static void
status_text(char out[SMTP_REPLY], const char *command, const smtp_status_t *st)
{
	char s[2 * SMTP_REPLY], enhanced[48] = "";

	if (st->enh_class != 0)
		snprintf(enhanced, sizeof(enhanced), "%d.%d.%d ", st->enh_class, st->enh_subject,
		    st->enh_detail);
	snprintf(s, sizeof(s), "%s: %d %s%s", command, st->code, enhanced,
	    st->text != NULL ? st->text : "");
	printable(out, SMTP_REPLY, s);
}

/* libesmtp looks for enhanced codes only where EHLO offered them. */
static enum reply_kind
kind_of(const smtp_status_t *st)
{
	struct reply_status enhanced = {st->enh_class, st->enh_subject, st->enh_detail};

	if (enhanced.class == 0 && st->text != NULL)
		enhanced = reply_status(st->text);
	return reply_kind(st->code, enhanced);
}

/* RFC 4954, 6: it is about us, not about the mail. */
static bool
wants_auth(int code)
{
	return code == 530 || code == 534 || code == 535 || code == 538;
}

/* ---- before the first mail: seen by the monitor, as libesmtp keeps these replies to itself ----
 */

static void
reply_line(struct session *s, const char *line)
{
	size_t i;

	s->code = atoi(line);
	printable(s->reply, sizeof(s->reply), line);
	if (strcmp(s->verb, "AUTH") == 0 && s->code == 235)
		s->authenticated = true;
	if (strcmp(s->verb, "EHLO") == 0 && s->code == 250
	    && strncasecmp(line + 4, "8BITMIME", 8) == 0
	    && s->tls_on == (s->conf->tls != SMTP_TLS_OFF)) {
		s->eight_bit = true;
		for (i = 0; i < s->n; i++)
			if (!s->jobs[i].mail->ascii)
				smtp_8bitmime_set_body(s->messages[i], E8bitmime_8BITMIME);
	}
}

static void
saw_reply(struct session *s, const char *p, size_t n)
{
	for (; n > 0; p++, n--) {
		if (s->line_len + 1 < sizeof(s->line))
			s->line[s->line_len++] = *p;
		if (*p != '\n')
			continue;
		s->line[s->line_len] = '\0';
		if (s->line_len >= 5)
			reply_line(s, s->line);
		s->line_len = 0;
		/* libesmtp would take what follows, plain text that anyone
		 * can have put there, for the first reply under TLS. */
		if (strcmp(s->verb, "STARTTLS") == 0 && n > 1)
			end_session(s, SMTP_WRONG, "STARTTLS: more than its reply came before TLS");
	}
}

/* Only the word: what follows AUTH, and is no command, is secret. */
static void
saw_command(struct session *s, const char *p, size_t n)
{
	static const char *const verbs[] = {"EHLO", "HELO", "STARTTLS", "AUTH"};
	size_t i, len;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		len = strlen(verbs[i]);
		if (n > len && memcmp(p, verbs[i], len) == 0 && (p[len] == ' ' || p[len] == '\r'))
			snprintf(s->verb, sizeof(s->verb), "%s", verbs[i]);
	}
	s->line_len = 0;
	s->in_mail = n > 5 && memcmp(p, "MAIL ", 5) == 0;
	s->heard = s->in_mail || (n == 6 && memcmp(p, "QUIT\r\n", 6) == 0);
}

static void
on_traffic(const char *p, int n, int writing, void *arg)
{
	struct session *s = arg;

	if (s->heard || n <= 0)
		return;
	if (writing == SMTP_CB_WRITING)
		saw_command(s, p, (size_t)n);
	else if (writing == SMTP_CB_READING)
		saw_reply(s, p, (size_t)n);
}

/* libesmtp asks for user and password by flags; it frees nothing. */
static int
on_interact(auth_client_request_t request, char **result, int fields, void *arg)
{
	const struct smtp_conf *c = arg;
	int i;

	for (i = 0; i < fields; i++) {
		if (request[i].flags & AUTH_USER)
			result[i] = (char *)c->user;
		else if (request[i].flags & AUTH_PASS)
			result[i] = (char *)c->password;
		else
			result[i] = NULL;
	}
	return 1;
}

/* ---- events ---- */

/* libesmtp doesn't tell its socket: the one whose peer has the server's port. */
static int
find_fd(int port)
{
	struct sockaddr_storage ss;
	const struct sockaddr_in *in4 = (struct sockaddr_in *)&ss;
	const struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
	socklen_t len;
	int fd;

	for (fd = FD_MAX - 1; fd > STDERR_FILENO; fd--) {
		len = sizeof(ss);
		if (getpeername(fd, (struct sockaddr *)&ss, &len) == 0
		    && ((ss.ss_family == AF_INET && ntohs(in4->sin_port) == port)
			|| (ss.ss_family == AF_INET6 && ntohs(in6->sin6_port) == port)))
			return fd;
	}
	return -1;
}

/* Before libesmtp reads or writes anything. */
static void
begin_tls(struct session *s, int fd)
{
	enum tunnel_fault fault;
	char why[SMTP_REPLY];

	s->tunnel = tunnel_open(fd, s->tls, HANDSHAKE_MS, &fault, why, sizeof(why));
	s->tls_on = s->tunnel != NULL;
	if (s->tunnel == NULL)
		end_session(s, fault == TUNNEL_WRONG ? SMTP_WRONG : SMTP_DOWN, "%s", why);
}

static void
on_connect(struct session *s, smtp_session_t session)
{
	char literal[EHLO_NAME];
	int on = 1;

	interrupt_fd = find_fd(s->conf->port);
	if (interrupt_fd >= 0) /* a long text is several writes */
		setsockopt(interrupt_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (s->conf->ehlo == NULL && interrupt_fd >= 0 && ehlo_literal(interrupt_fd, literal)
	    && !smtp_set_hostname(session, literal))
		end_session(s, SMTP_DOWN, "out of memory");
	s->connected = true;
	s->tls_on = s->authenticated = s->eight_bit = s->in_mail = s->heard = false;
	s->line_len = 0;
	s->code = 0;
	snprintf(s->verb, sizeof(s->verb), "greeting");
	snprintf(s->reply, sizeof(s->reply), "none");
	if (s->ended || interrupt_fd < 0)
		end_session(s, SMTP_DOWN, "the connection is gone already");
	else if (s->conf->tls == SMTP_TLS_IMPLICIT)
		begin_tls(s, interrupt_fd);
}

static void
on_mail(struct session *s, struct item *it, const smtp_status_t *st)
{
	char text[SMTP_REPLY];

	if (s->conf->user != NULL && !s->authenticated) {
		/* libesmtp goes on without; what we'd hear then would be
		 * held against the mail. */
		if (strcmp(s->verb, "AUTH") == 0 || s->code / 100 == 5)
			end_session(s, SMTP_WRONG, "AUTH: %s", s->reply);
		else
			end_session(
			    s, SMTP_WRONG, "the server offers no AUTH mechanism that we know");
		return;
	}
	status_text(text, "MAIL", st);
	if (st->code == 421)
		end_session(s, SMTP_DOWN, "%s", text);
	else if (st->code / 100 == 5)
		end_session(s, SMTP_WRONG, "%s", text);
	else if (st->code / 100 != 2)
		finish(it, SMTP_LATER, text);
}

/*
 * Every recipient has answered.  Where some are accepted the mail goes to
 * those, and the others' refusals are their own.  Where none is, and never was
 * for this mail, a refusal that doesn't name the mailbox is about us: it would
 * meet every other mail as well.
 */
static void
envelope_through(struct session *s, struct item *it)
{
	bool reached = it->accepted != 0 || s->jobs[it->i].reached;
	const char *reply = "";
	size_t k;

	for (k = MAIL_TO_MAX; k-- > 0;)
		if ((it->channel | it->later | it->never) >> k & 1)
			reply = s->refusals[k];
	if (it->channel != 0 && it->later == 0 && !reached) {
		for (k = 0; (it->channel >> k & 1) == 0; k++)
			continue;
		end_session(s, SMTP_WRONG, "%s", s->refusals[k]);
		return;
	}
	if (reached)
		it->never |= it->channel;
	else
		it->later |= it->channel;
	if (it->accepted == 0)
		finish(it, it->later != 0 ? SMTP_LATER : SMTP_REFUSED, reply);
}

static void
on_rcpt(struct session *s, struct item *it, const char *mailbox, const smtp_status_t *st)
{
	const struct smtp_job *job = &s->jobs[it->i];
	size_t k = it->next, n = s->conf->mail->to_n;
	char command[300], text[SMTP_REPLY];
	uint32_t bit;

	while (k < n && job->skip >> k & 1)
		k++;
	if (k >= n)
		return;
	bit = (uint32_t)1 << k;
	snprintf(command, sizeof(command), "RCPT <%s>", mailbox);
	status_text(text, command, st);
	if (st->code == 421) {
		end_session(s, SMTP_DOWN, "%s", text);
		return;
	}
	if (wants_auth(st->code)) {
		end_session(s, SMTP_WRONG, "%s", text);
		return;
	}
	memcpy(s->refusals[k], text, sizeof(text));
	switch (kind_of(st)) {
	case REPLY_OK:
		it->accepted |= bit;
		break;
	case REPLY_LATER:
		it->later |= bit;
		break;
	case REPLY_NEVER:
		it->never |= bit;
		break;
	case REPLY_CHANNEL:
		it->channel |= bit;
		break;
	}
	for (k++; k < n && job->skip >> k & 1; k++)
		continue;
	it->next = k;
	if (k == n)
		envelope_through(s, it);
}

static void
on_sent(struct session *s, struct item *it, const smtp_status_t *st)
{
	char text[SMTP_REPLY];

	status_text(text, it->asked ? "text" : "DATA", st);
	if (it->accepted == 0) /* refused at RCPT; DATA was on its way already (RFC 2920, 3.1) */
		return;
	/* Before any text a refusal can't be about it. */
	if (wants_auth(st->code) || (!it->asked && kind_of(st) == REPLY_CHANNEL)) {
		it->done = true; /* no outcome, but no doubt either */
		end_session(s, SMTP_WRONG, "%s", text);
		return;
	}
	if (st->code / 100 == 2)
		finish(it, SMTP_SENT, text);
	else
		finish(it, st->code / 100 == 5 ? SMTP_REFUSED : SMTP_LATER, text);
	if (st->code == 421)
		end_session(s, SMTP_DOWN, "%s", text);
}

static void
on_event(smtp_session_t session, int event, void *arg, ...)
{
	struct session *s = arg;
	smtp_recipient_t rcpt;
	smtp_message_t message;
	const char *mailbox;
	va_list ap;

	va_start(ap, arg);
	switch (event) {
	case SMTP_EV_CONNECT:
		on_connect(s, session);
		break;
	case SMTP_EV_DISCONNECT:
		interrupt_fd = -1;
		tunnel_close(s->tunnel);
		s->tunnel = NULL;
		break;
	case SMTP_EV_MAILSTATUS:
		(void)va_arg(ap, const char *);
		message = va_arg(ap, smtp_message_t);
		on_mail(s, smtp_message_get_application_data(message),
		    smtp_reverse_path_status(message));
		break;
	case SMTP_EV_RCPTSTATUS:
		mailbox = va_arg(ap, const char *);
		rcpt = va_arg(ap, smtp_recipient_t);
		on_rcpt(s, smtp_recipient_get_application_data(rcpt), mailbox,
		    smtp_recipient_status(rcpt));
		break;
	case SMTP_EV_MESSAGESENT:
		message = va_arg(ap, smtp_message_t);
		on_sent(s, smtp_message_get_application_data(message),
		    smtp_message_transfer_status(message));
		break;
	case SMTP_EV_STARTTLS_OK:
		s->tls_on = true;
		break;
	case SMTP_EV_WRONG_PEER_CERTIFICATE:
		/* By libesmtp's check, which takes the name that DNS gave for
		 * the one we asked for.  on_verify has seen to the latter. */
		*va_arg(ap, int *) = 1;
		break;
	/* The other certificate events offer to go on all the same.  We don't. */
	case SMTP_EV_INVALID_PEER_CERTIFICATE:
		end_session(s, SMTP_WRONG, "the server's certificate is not valid");
		break;
	case SMTP_EV_NO_PEER_CERTIFICATE:
		end_session(s, SMTP_WRONG, "the server has no certificate");
		break;
	case SMTP_EV_WEAK_CIPHER:
		end_session(s, SMTP_WRONG, "the server's cipher is too weak");
		break;
	case SMTP_EV_EXTNA_STARTTLS:
		end_session(s, SMTP_WRONG, "the server offers no STARTTLS");
		break;
	}
	va_end(ap);
}

/*
 * libesmtp fetches the text.  NULL with errno set makes it drop the
 * connection, before the final dot: the server forgets the mail.
 */
static const char *
on_text(void **ctx, int *len, void *arg)
{
	struct item *it = arg;
	struct session *s = it->s;
	struct mail *m = s->jobs[it->i].mail;
	const char *encoding;

	(void)ctx;
	if (len == NULL) { /* from the beginning: asked once, after 354 */
		it->piece = 0;
		it->asked = true;
		it->may_send = !s->ended && s->calls->may_send(s->arg, it->i)
			       && (m->ascii || s->eight_bit || mail_qp(m));
		return NULL;
	}
	*len = 0;
	if (!it->may_send) {
		end_session(s, SMTP_STOPPED, "told to stop");
		errno = ECANCELED;
		return NULL;
	}
	errno = 0;
	switch (it->piece++) {
	case 0:
		*len = (int)m->head.len;
		return m->head.p;
	case 1:
		encoding = m->ascii	  ? "Content-Transfer-Encoding: 7bit\r\n\r\n"
			   : s->eight_bit ? "Content-Transfer-Encoding: 8bit\r\n\r\n"
					  : "Content-Transfer-Encoding: quoted-printable\r\n\r\n";
		*len = (int)strlen(encoding);
		return encoding;
	case 2:
		*len = (int)m->body.len;
		return m->body.p;
	}
	return NULL;
}

/* ---- TLS ---- */

static int
on_verify(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct session *s = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if (!ok)
		end_session(s, SMTP_WRONG, "the server's certificate: %s",
		    X509_verify_cert_error_string(X509_STORE_CTX_get_error(store)));
	return ok;
}

/* Name the server in the ClientHello (RFC 6066, 3): libesmtp doesn't. */
static void
on_handshake(const SSL *ssl, int where, int ret)
{
	const struct session *s = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	(void)ret;
	if (where == SSL_CB_HANDSHAKE_START)
		SSL_set_tlsext_host_name((SSL *)ssl, s->conf->host);
}

/*
 * A context of our own for each connection: the one that libesmtp (1.1.0)
 * makes is freed with the first session and used by the second, takes its CAs
 * from $HOME, and believes the name that DNS tells.  NULL with why where the
 * CAs can't be read.
 */
static SSL_CTX *
new_tls(struct session *s)
{
	const struct smtp_conf *c = s->conf;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	X509_VERIFY_PARAM *param;

	if (ctx == NULL)
		goto fail;
	param = SSL_CTX_get0_param(ctx);
	/* Not 1.3 where libesmtp does it: a ticket that comes after the handshake
	 * makes it wait for the reply to an EHLO that it hasn't sent yet. */
	if (!SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION)
	    || (c->tls == SMTP_TLS_STARTTLS && !SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION))
	    || !(c->ca != NULL ? SSL_CTX_load_verify_locations(ctx, c->ca, NULL)
			       : SSL_CTX_set_default_verify_paths(ctx))
	    || !(X509_VERIFY_PARAM_set1_ip_asc(param, c->host)
		 || X509_VERIFY_PARAM_set1_host(param, c->host, 0)))
		goto fail;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, on_verify);
	SSL_CTX_set_info_callback(ctx, on_handshake);
	SSL_CTX_set_app_data(ctx, s);
	return ctx;
fail:
	SSL_CTX_free(ctx);
	end_session(s, SMTP_WRONG, "TLS can't be set up%s%s",
	    c->ca != NULL ? ": no certificate in " : "", c->ca != NULL ? c->ca : "");
	return NULL;
}

/* ---- a connection ---- */

void
smtp_init(void)
{
	signal(SIGPIPE, SIG_IGN);
	auth_client_init();
	/* libesmtp looks for client certificates there, and trips over what
	 * it may not use. */
	setenv("HOME", "/nonexistent", 1);
	unsetenv("XDG_CONFIG_HOME");
}

void
smtp_exit(void)
{
	auth_client_exit();
}

/* Hand all mails to libesmtp.  false: no memory. */
static bool
add_mails(struct session *s, smtp_session_t session)
{
	const struct mail_conf *mc = s->conf->mail;
	smtp_recipient_t rcpt;
	smtp_message_t message;
	size_t i, k;

	for (i = 0; i < s->n; i++) {
		s->items[i].s = s;
		s->items[i].i = i;
		if ((message = s->messages[i] = smtp_add_message(session)) == NULL
		    || !smtp_set_reverse_path(message, mc->from)
		    || !smtp_set_messagecb(message, on_text, &s->items[i]))
			return false;
		smtp_message_set_application_data_release(message, &s->items[i], NULL);
		for (k = 0; k < mc->to_n; k++) {
			if (s->jobs[i].skip >> k & 1)
				continue;
			if ((rcpt = smtp_add_recipient(message, mc->to[k])) == NULL)
				return false;
			smtp_recipient_set_application_data_release(rcpt, &s->items[i], NULL);
		}
	}
	return true;
}

/* libesmtp came back by itself: why? */
static void
find_reason(struct session *s)
{
	char text[SMTP_REPLY] = "";
	size_t i;

	for (i = 0; i < s->n && s->items[i].done; i++)
		continue;
	if (s->ended)
		return;
	if (i == s->n) {
		s->end = SMTP_DONE;
		return;
	}
	if (smtp_errno() != 0)
		smtp_strerror(smtp_errno(), text, sizeof(text));
	if (!s->connected)
		end_session(s, SMTP_DOWN, "connect to %s: %s", s->conf->server, text);
	else if (s->in_mail)
		end_session(s, SMTP_DOWN, "connection lost: %s", text);
	else if (s->code / 100 == 5)
		end_session(s, SMTP_WRONG, "%s: %s", s->verb, s->reply);
	else if (strcmp(s->verb, "STARTTLS") == 0 && s->code == 220)
		end_session(s, SMTP_WRONG, "the TLS handshake failed");
	else if (s->code != 0 && s->code / 100 != 2)
		end_session(s, SMTP_DOWN, "%s: %s", s->verb, s->reply);
	else
		end_session(s, SMTP_DOWN, "connection lost at %s: %s", s->verb, text);
}

enum smtp_end
smtp_send(const struct smtp_conf *c, const struct smtp_job *jobs, size_t n,
    const struct smtp_calls *calls, void *arg, bool *tried, char why[SMTP_REPLY])
{
	struct session s = {
	    .conf = c, .jobs = jobs, .n = n, .calls = calls, .arg = arg, .end = SMTP_DOWN};
	auth_context_t auth = NULL;
	smtp_session_t session = NULL;
	size_t i;

	s.items = calloc(n, sizeof(*s.items));
	s.messages = calloc(n, sizeof(smtp_message_t));
	if (s.items == NULL || s.messages == NULL || (session = smtp_create_session()) == NULL
	    || !add_mails(&s, session) || !smtp_set_server(session, c->server)
	    || (c->ehlo != NULL && !smtp_set_hostname(session, c->ehlo))
	    || (c->user != NULL && (auth = auth_create_context()) == NULL)) {
		end_session(&s, SMTP_DOWN, "out of memory");
		goto out;
	}
	if (auth != NULL) {
		auth_set_mechanism_flags(
		    auth, AUTH_PLUGIN_PLAIN, 0); /* under TLS only: see main.c */
		auth_set_interact_cb(auth, on_interact, (void *)c);
		smtp_auth_set_context(session, auth);
	}
	if (c->tls != SMTP_TLS_OFF && (s.tls = new_tls(&s)) == NULL)
		goto out;
	if (c->tls == SMTP_TLS_STARTTLS)
		smtp_starttls_set_ctx(session, s.tls);
	smtp_starttls_enable(
	    session, c->tls == SMTP_TLS_STARTTLS ? Starttls_REQUIRED : Starttls_DISABLED);
	smtp_set_eventcb(session, on_event, &s);
	smtp_set_monitorcb(session, on_traffic, &s, 0);
	smtp_start_session(session); /* 1 or 0, but not as one would think */
	find_reason(&s);
	for (i = 0; i < n; i++)
		if (s.items[i].may_send)
			finish(&s.items[i], SMTP_UNKNOWN, s.why);
out:
	interrupt_fd = -1;
	if (session != NULL)
		smtp_destroy_session(session);
	if (auth != NULL)
		auth_destroy_context(auth);
	SSL_CTX_free(s.tls);
	free(s.items);
	free(s.messages);
	*tried = s.in_mail;
	memcpy(why, s.why, SMTP_REPLY);
	return s.end;
}
