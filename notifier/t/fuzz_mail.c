/* Whatever is in a row, its mail keeps the form of one (mail_check.h) or isn't built. */
#include "fuzz.h"
#include "mail_check.h"

#define RESERVATION "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
#define ROOM "d635c003-fffc-4beb-87b8-eaf3458cf772"
#define USER "b9fa7d71-548c-4739-8e6a-0931cc218cd1"
#define AT "2026-11-23T21:07:05.123456Z"

/* The members of a row in their order, each ended by \0; "?" and what is missing: NULL. */
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("7\0reservation\0" RESERVATION "\0" ROOM "\0" USER "\0Economy Single Room\0"
	      "10\0"
	      "9\0"
	      "100\0"
	      "0\0John Smith\0"
	      "900\0?\0RESERVED\0"
	      "100\0?\0?\0?\0?\0?\0public\0request-1\0" AT "\0?\0?\0"),
    FUZZ_SEED("8\0reservation\0" RESERVATION "\0" ROOM "\0" USER "\0Zoë's suite 語 😀\0"
	      "1\0"
	      "0\0"
	      "0\0"
	      "1\0Zoë Ünal\0"
	      "0\0PENDING_APPROVAL\0REJECTED\0"
	      "9007199254740991\0two\nlines, and a long one that goes on and on and on and on and "
	      "on and on\0"
	      "?\0?\0?\0?\0alice\0r\0" AT "\0Single\0Ann\0"),
    FUZZ_SEED("9\0room\0?\0" ROOM "\0?\0Room\0"
	      "5\0"
	      "5\0"
	      "50\0"
	      "0\0?\0?\0?\0?\0?\0?\0"
	      "4\0"
	      "5\0"
	      "0\0"
	      "1\0bob\0r\0" AT "\0?\0?\0"),
    FUZZ_SEED("10\0room\0?\0" ROOM "\0?\0Room\0"
	      "5\0"
	      "5\0"
	      "50\0"
	      "0\0?\0?\0?\0?\0?\0?\0?\0"
	      "5\0?\0"
	      "0\0bob\0r\0" AT "\0?\0?\0"),
    {NULL, 0},
};

/* What may break something: line ends, words of a head, halves of characters, numbers at an end. */
const struct fuzz_seed fuzz_words[] = {FUZZ_SEED("\r\n"), FUZZ_SEED("\n"), FUZZ_SEED("\r"),
    FUZZ_SEED("\r\n\r\n"), FUZZ_SEED("\n.\r\n"), FUZZ_SEED("."), FUZZ_SEED("=?UTF-8?Q?"),
    FUZZ_SEED("?="), FUZZ_SEED("="), FUZZ_SEED("_"), FUZZ_SEED(" "), FUZZ_SEED("\t"),
    FUZZ_SEED("Bcc: x@y\r\n"), FUZZ_SEED("ü"), FUZZ_SEED("語"), FUZZ_SEED("😀"), FUZZ_SEED("\xc3"),
    FUZZ_SEED("\xe2\x80"), FUZZ_SEED("\xf0\x9f\x98"), FUZZ_SEED("\xff"), FUZZ_SEED("\xed\xa0\x80"),
    FUZZ_SEED("\xc0\x80"), FUZZ_SEED("\xe2\x80\xae"), FUZZ_SEED("\xc2\x85"),
    FUZZ_SEED("\xe2\x80\xa8"), FUZZ_SEED("\x7f"), FUZZ_SEED("\x01"), FUZZ_SEED("<"), FUZZ_SEED(">"),
    FUZZ_SEED("%s%n"), FUZZ_SEED("RESERVED"), FUZZ_SEED("\0"), FUZZ_SEED("\0?\0"),
    FUZZ_SEED("9223372036854775807"), FUZZ_SEED("-9223372036854775807"),
    FUZZ_SEED("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    FUZZ_SEED("üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüü"), {NULL, 0}};

/* The next member of the row that begins at *p, or NULL. */
static const char *
text(const char **p, const char *end)
{
	const char *s = *p;

	if (s >= end)
		return NULL;
	*p += strlen(s) + 1;
	return strcmp(s, "?") == 0 ? NULL : s;
}

static int64_t
number(const char **p, const char *end)
{
	const char *s = text(p, end);

	return s == NULL ? MAIL_NULL : strtoll(s, NULL, 10);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const to[] = {"owner@hotel.example"};
	static const struct mail_conf conf = {
	    .from = "loyalty@hotel.example", .to = to, .to_n = 1, .domain = "h.example"};
	char *copy = malloc(size + 1);
	const char *p = copy, *end = copy + size, *fault;
	struct mail_row r;
	struct mail m;

	if (copy == NULL)
		abort();
	memcpy(copy, data, size);
	copy[size] = '\0';
	r.id = number(&p, end);
	r.event = text(&p, end);
	r.reservation_id = text(&p, end);
	r.room_id = text(&p, end);
	r.user_id = text(&p, end);
	r.room_name = text(&p, end);
	r.room_total = number(&p, end);
	r.room_available = number(&p, end);
	r.room_points = number(&p, end);
	r.room_archived = number(&p, end);
	r.user_name = text(&p, end);
	r.user_points = number(&p, end);
	r.from_status = text(&p, end);
	r.to_status = text(&p, end);
	r.points = number(&p, end);
	r.reason = text(&p, end);
	r.from_total = number(&p, end);
	r.to_total = number(&p, end);
	r.from_archived = number(&p, end);
	r.to_archived = number(&p, end);
	r.actor = text(&p, end);
	r.request_id = text(&p, end);
	r.created_at = text(&p, end);
	r.subject_room = text(&p, end);
	r.subject_user = text(&p, end);
	if (mail_build(&m, &r, &conf) == NULL) {
		if (m.body.failed)
			fuzz_fail("failed", data, size);
		if ((fault = mail_fault(&m)) != NULL)
			fuzz_fail(fault, m.head.p, m.head.len);
		mail_free(&m);
	}
	free(copy);
	return 0;
}
