/*
 * fuzz_address [SEED [ROUNDS]]: settings, EHLO names and replies made of
 * anything.  What is taken for an address makes a mail whose head keeps its
 * form, and is read back from there as what it was; a reply has a meaning.
 * A failure prints the seed and round that show it again.
 */
#include "address.h"
#include "ehlo.h"
#include "mail_check.h"
#include "reply.h"

#define ROUNDS 100000
#define TEXT 600

static uint64_t state;

static uint32_t
roll(uint32_t sides)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % sides;
}

/* Mostly what an address is made of, and what may break one. */
static void
any_text(char out[TEXT + 1])
{
	static const char *const pieces[] = {"\"", "\\", "<", ">", ",", "@", ".", " ", "\t", "a@b",
	    "<a@b>", "Loyalty <loyalty@example.org>", "\"x, y\" <c@d>", "Name", "example.org", "(",
	    ")", ";", ":", "[192.0.2.1]", "[IPv6:2001:db8::1]", "\r\n", "Bcc: x@y", "=?UTF-8?Q?",
	    "?=", "ü", "語", "😀", "\xc3", "\xff", "\xe2\x80\xae", "\xc2\x85", "5.1.1 ", "5.7.",
	    "x"};
	static const char *const ends[] = {"", " <a@b>", "\" <a@b>"};
	uint32_t kind = roll(3);
	size_t n = 0, want = roll(8) == 0 ? roll(TEXT - 8) : roll(40), len;

	if (kind == 2)
		out[n++] = '"';

	while (n < want) {
		const char *p = pieces[roll(sizeof(pieces) / sizeof(pieces[0]))];

		if (roll(8) == 0) {
			out[n++] = (char)(roll(255) + 1);
		} else if (n + (len = strlen(p)) <= want) {
			memcpy(out + n, p, len);
			n += len;
		} else {
			break;
		}
	}
	strcpy(out + n, ends[kind]);
}

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
round_fault(const char *text, unsigned long *taken)
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
		(*taken)++;
		if (!mail_address_ok(a.mailbox) || strpbrk(a.name, "\r\n") != NULL)
			return "not what it says";
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
main(int argc, char **argv)
{
	const uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 20261128;
	const unsigned long rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : ROUNDS;
	static char text[TEXT + 1];
	unsigned long round, taken = 0;
	const char *fault;

	for (round = 0; round < rounds; round++) {
		state = seed * 1000003 + round;
		any_text(text);
		if ((fault = round_fault(text, &taken)) != NULL) {
			fprintf(stderr, "fuzz_address: seed %llu, round %lu: %s\n%s\n",
			    (unsigned long long)seed, round, fault, text);
			return 1;
		}
	}
	printf("fuzz_address: seed %llu: %lu addresses of %lu texts keep their form\n",
	    (unsigned long long)seed, taken, rounds);
	return taken < rounds / 20;
}
