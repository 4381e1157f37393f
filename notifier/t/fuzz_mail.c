/*
 * fuzz_mail [SEED [ROUNDS]]: mails of rows made of anything.  Whatever is in
 * a row, its mail keeps the form of one (mail_check.h) or isn't built.  A
 * failure prints the seed and round that show it again.
 */
#include "mail_check.h"

#define ROUNDS 20000
#define TEXT 4000

static uint64_t state;

static uint32_t
roll(uint32_t sides)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % sides;
}

/* Mostly what may break something: line ends, words, halves of characters. */
static char *
any_text(char *out, size_t most)
{
	static const char *const pieces[] = {"\r\n", "\n", "\r", "\r\n\r\n", "\n.\r\n", ".",
	    "=?UTF-8?Q?", "?=", "=", "_", " ", "\t", "Bcc: x@y\r\n", "ü", "語", "😀", "\xc3",
	    "\xe2\x80", "\xf0\x9f\x98", "\xff", "\xed\xa0\x80", "\xc0\x80", "\xe2\x80\xae",
	    "\xc2\x85", "\xe2\x80\xa8", "\x7f", "\x01", "<", ">", "%s%n", "RESERVED"};
	size_t n = 0, want = roll(4) == 0 ? roll((uint32_t)most) : roll(120), len;
	uint32_t kind = roll(4);

	while (n < want) {
		const char *p = pieces[roll(sizeof(pieces) / sizeof(pieces[0]))];

		if (kind == 0 || (kind == 1 && roll(8) != 0)) {
			out[n++] = (char)(roll(255) + 1);
		} else if (kind == 2 && roll(8) != 0) {
			out[n++] = (char)(' ' + roll(95));
		} else if (n + (len = strlen(p)) <= want) {
			memcpy(out + n, p, len);
			n += len;
		} else {
			break;
		}
	}
	out[n] = '\0';
	return out;
}

/* Sometimes missing, mostly any text. */
static const char *
maybe(char *out, size_t most)
{
	return roll(40) == 0 ? NULL : any_text(out, most);
}

static int64_t
any_number(void)
{
	static const int64_t odd[] = {0, 1, -1, INT64_MAX, INT64_MIN + 1, MAIL_NULL};

	return roll(4) == 0 ? odd[roll(sizeof(odd) / sizeof(odd[0]))] : (int64_t)roll(100000);
}

static struct mail_row
any_row(void)
{
	static char text[12][TEXT + 1];
	bool reservation = roll(2) == 0;

	return (struct mail_row){
	    .id = any_number(),
	    .event = roll(50) == 0 ? any_text(text[0], 20)
		     : reservation ? "reservation"
				   : "room",
	    .reservation_id = !reservation    ? NULL
			      : roll(30) == 0 ? any_text(text[1], 40)
					      : "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
	    .room_id =
		roll(30) == 0 ? any_text(text[2], 40) : "d635c003-fffc-4beb-87b8-eaf3458cf772",
	    .user_id =
		roll(30) == 0 ? any_text(text[3], 40) : "b9fa7d71-548c-4739-8e6a-0931cc218cd1",
	    .room_name = maybe(text[4], TEXT),
	    .room_total = any_number(),
	    .room_available = any_number(),
	    .room_points = any_number(),
	    .room_archived = any_number(),
	    .user_name = maybe(text[5], TEXT),
	    .user_points = any_number(),
	    .from_status = roll(2) == 0 ? NULL : any_text(text[6], 100),
	    .to_status = maybe(text[7], 100),
	    .points = any_number(),
	    .reason = maybe(text[9], TEXT),
	    .from_total = any_number(),
	    .to_total = any_number(),
	    .from_archived = any_number(),
	    .to_archived = any_number(),
	    .actor = maybe(text[10], 400),
	    .request_id = maybe(text[11], 400),
	    .created_at =
		roll(20) == 0 ? "2026-13-01T00:00:00.000000Z" : "2026-11-23T21:07:05.123456Z",
	};
}

int
main(int argc, char **argv)
{
	static const char *const to[] = {"owner@hotel.example"};
	static const struct mail_conf conf = {
	    .from = "loyalty@hotel.example", .to = to, .to_n = 1, .domain = "h.example"};
	const uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 20261123;
	const unsigned long rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : ROUNDS;
	unsigned long round, built = 0;
	struct mail_row r;
	struct mail m;
	const char *fault;

	for (round = 0; round < rounds; round++) {
		state = seed * 1000003 + round;
		r = any_row();
		if (mail_build(&m, &r, &conf) != NULL)
			continue;
		built++;
		if (m.body.failed || (fault = mail_fault(&m)) != NULL) {
			fprintf(stderr, "fuzz_mail: seed %llu, round %lu: %s\n%.*s\n%.*s\n",
			    (unsigned long long)seed, round, m.body.failed ? "failed" : fault,
			    (int)m.head.len, m.head.p, (int)m.body.len, m.body.p);
			return 1;
		}
		mail_free(&m);
	}
	printf("fuzz_mail: seed %llu: %lu mails of %lu rows keep their form\n",
	    (unsigned long long)seed, built, rounds);
	return built < rounds / 4;
}
