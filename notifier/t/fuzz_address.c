/*
 * Settings, EHLO names and replies made of anything.  What is taken for an
 * address makes a mail whose head keeps its form, and is read back from there
 * as what it was; a reply has a meaning.
 */
#include "address.h"
#include "ehlo.h"
#include "fuzz.h"
#include "mail_check.h"
#include "reply.h"

const struct fuzz_seed fuzz_seeds[] = {FUZZ_SEED("a@b"), FUZZ_SEED("Loyalty <loyalty@example.org>"),
    FUZZ_SEED("\"x, y\" <c@d>, e@[192.0.2.1]"),
    FUZZ_SEED("Zoë Ünal <zoe@[IPv6:2001:db8::1]>, <a@b>"),
    FUZZ_SEED("\"a \\\"quoted\\\" name\" <a@b>"), FUZZ_SEED("mail.example.org"),
    FUZZ_SEED("5.1.1 no such user"), FUZZ_SEED("4.7.0"), {NULL, 0}};

/* What an address is made of, and what may break one. */
const struct fuzz_seed fuzz_words[] = {FUZZ_SEED("\""), FUZZ_SEED("\\"), FUZZ_SEED("<"),
    FUZZ_SEED(">"), FUZZ_SEED(","), FUZZ_SEED("@"), FUZZ_SEED("."), FUZZ_SEED(" "), FUZZ_SEED("\t"),
    FUZZ_SEED("a@b"), FUZZ_SEED("<a@b>"), FUZZ_SEED("Name"), FUZZ_SEED("example.org"),
    FUZZ_SEED("("), FUZZ_SEED(")"), FUZZ_SEED(";"), FUZZ_SEED(":"), FUZZ_SEED("[192.0.2.1]"),
    FUZZ_SEED("[IPv6:2001:db8::1]"), FUZZ_SEED("\r\n"), FUZZ_SEED("Bcc: x@y"),
    FUZZ_SEED("=?UTF-8?Q?"), FUZZ_SEED("?="), FUZZ_SEED("ü"), FUZZ_SEED("語"), FUZZ_SEED("😀"),
    FUZZ_SEED("\xc3"), FUZZ_SEED("\xff"), FUZZ_SEED("\xe2\x80\xae"), FUZZ_SEED("\xc2\x85"),
    FUZZ_SEED("5.1.1 "), FUZZ_SEED("5.7."), FUZZ_SEED(" <a@b>"), FUZZ_SEED("\" <a@b>"), {NULL, 0}};

/* So many addresses of a text make a mail each: that takes most of the time. */
#define MAILS 3

/* What the head says of the sender, taken for a setting again; NULL or the fault. */
static const char *
read_back(const struct mail *m, const struct address *was)
{
	const char *p = memmem(m->head.p, m->head.len, "\r\nFrom: ", 8), *fault, *s;
	const char *end = memmem(m->head.p, m->head.len, "\r\nTo: ", 6);
	struct address now;
	struct buf b = {0};

	if (p == NULL || end == NULL)
		return "no From";
	if (memmem(p + 8, (size_t)(end - p - 8), "=?UTF-8?Q?", 10) != NULL) {
		decode_subject(&b, p + 8, (size_t)(end - p - 8));
		fault = b.len == strlen(was->name) && memcmp(b.p, was->name, b.len) == 0
			    ? NULL
			    : "the name is another";
		buf_free(&b);
		return fault;
	}
	buf_add(&b, p + 8, (size_t)(end - p - 8));
	buf_add(&b, "", 1);
	s = b.p;
	if (!address_next(&s, &now, &fault) || fault != NULL || *s != '\0'
	    || strcmp(now.mailbox, was->mailbox) != 0)
		fault = "the address is another";
	else if (strcmp(now.name, was->name) != 0)
		fault = "the plain name is another";
	buf_free(&b);
	return fault;
}

static const char *
fault_of(const char *text)
{
	struct mail_row r = {.id = 1,
	    .event = "room",
	    .room_id = "d635c003-fffc-4beb-87b8-eaf3458cf772",
	    .room_name = "x",
	    .actor = "x",
	    .request_id = "x",
	    .created_at = "2026-11-23T21:07:05.123456Z"};
	const char *to[1], *names[1], *list = text, *fault, *before;
	struct mail_conf conf = {.to = to, .to_names = names, .to_n = 1, .domain = "h"};
	struct reply_status st = reply_status(text);
	struct address a;
	struct mail m;
	int mails = 0;

	if (st.class < 0 || st.class > 9 || st.subject < 0 || st.subject > 999)
		return "an enhanced code that is none";
	reply_kind(550, st);
	if (ehlo_name_ok(text) && (strpbrk(text, " \t\r\n<>") != NULL || strlen(text) > 253))
		return "an EHLO name that is none";
	for (before = list; address_next(&list, &a, &fault); before = list) {
		if (list == before || list > text + strlen(text))
			return "no step forward";
		if (fault != NULL)
			continue;
		if (!mail_address_ok(a.mailbox) || strpbrk(a.name, "\r\n") != NULL)
			return "not what it says";
		if (++mails > MAILS)
			continue;
		conf.from = to[0] = a.mailbox;
		conf.from_name = names[0] = a.name;
		if (mail_build(&m, &r, &conf) != NULL || m.body.failed)
			return "no mail";
		if ((fault = read_back(&m, &a)) == NULL)
			fault = mail_fault(&m);
		mail_free(&m);
		if (fault != NULL)
			return fault;
	}
	return NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	const char *fault;

	if (text == NULL)
		abort();
	if ((fault = fault_of(text)) != NULL)
		fuzz_fail(fault, text, strlen(text));
	free(text);
	return 0;
}
