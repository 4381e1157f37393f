#include <CUnit/Basic.h>

#include "mail_check.h"
#include "words.h"

#define RESERVATION "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
#define ROOM "d635c003-fffc-4beb-87b8-eaf3458cf772"
#define USER "b9fa7d71-548c-4739-8e6a-0931cc218cd1"

static const char *const to[] = {"owner@hotel.example", "night@hotel.example"};
static const struct mail_conf conf = {
    .from = "loyalty@hotel.example", .to = to, .to_n = 2, .domain = "mail.hotel.example"};

static struct mail_row
a_row(void)
{
	return (struct mail_row){
	    .id = 17,
	    .event = "reservation",
	    .reservation_id = RESERVATION,
	    .room_id = ROOM,
	    .user_id = USER,
	    .room_name = "Economy Single Room",
	    .room_total = 10,
	    .room_available = 9,
	    .room_points = 260,
	    .user_name = "Jane Doe",
	    .user_points = 980,
	    .to_status = "RESERVED",
	    .points = 250,
	    .actor = "public",
	    .request_id = "req-1",
	    .created_at = "2026-11-23T21:07:05.123456Z",
	};
}

static struct mail_row
a_room_row(void)
{
	struct mail_row r = a_row();

	r.event = "room";
	r.reservation_id = r.user_id = r.user_name = r.to_status = NULL;
	r.user_points = r.points = MAIL_NULL;
	r.room_archived = 1;
	r.from_total = r.to_total = 10;
	r.to_archived = 1;
	return r;
}

static bool
says(const struct buf *b, const char *s)
{
	return memmem(b->p, b->len, s, strlen(s)) != NULL;
}

/* Build, or fail the test. */
static struct mail
built(const struct mail_row *r)
{
	struct mail m;

	CU_ASSERT_PTR_NULL_FATAL(mail_build(&m, r, &conf));
	CU_ASSERT_FALSE_FATAL(m.body.failed);
	return m;
}

/* The Subject as a mail client shows it. */
static void
subject_of(const struct mail *m, struct buf *out)
{
	const char *p = memmem(m->head.p, m->head.len, "\r\nSubject: ", 11);
	const char *end = memmem(m->head.p, m->head.len, "\r\nMessage-ID: ", 14);

	CU_ASSERT_FATAL(p != NULL && end != NULL && p < end);
	decode_subject(out, p + 11, (size_t)(end - p - 11));
}

static void
expect_subject(const char *given, const char *shown)
{
	struct mail_row r = a_row();
	struct buf out = {0};
	struct mail m;

	r.room_name = given;
	r.user_name = "x";
	m = built(&r);
	subject_of(&m, &out);
	CU_ASSERT_FATAL(out.len >= 6 && memcmp(out.p + out.len - 6, " for x", 6) == 0);
	out.len -= 6;
	CU_ASSERT_EQUAL_FATAL(out.len, strlen(shown));
	CU_ASSERT_EQUAL(memcmp(out.p, shown, out.len), 0);
	CU_ASSERT_PTR_NULL(mail_fault(&m));
	buf_free(&out);
	mail_free(&m);
}

static void
head_has_every_header(void)
{
	struct mail_row r = a_row();
	struct mail m = built(&r);

	CU_ASSERT(says(&m.head, "Date: Mon, 23 Nov 2026 21:07:05 +0000\r\n"));
	CU_ASSERT(says(&m.head, "\r\nFrom: loyalty@hotel.example\r\n"));
	CU_ASSERT(says(&m.head, "\r\nTo: owner@hotel.example,\r\n night@hotel.example\r\n"));
	CU_ASSERT(says(&m.head, "\r\nSubject: Economy Single Room for Jane Doe\r\n"));
	CU_ASSERT(
	    says(&m.head, "\r\nMessage-ID: <reservation." RESERVATION "@mail.hotel.example>\r\n"));
	CU_ASSERT(says(&m.head, "\r\nMIME-Version: 1.0\r\n"));
	CU_ASSERT(says(&m.head, "\r\nAuto-Submitted: auto-generated\r\n"));
	CU_ASSERT(says(&m.head, "\r\nX-Auto-Response-Suppress: All\r\n"));
	CU_ASSERT(says(&m.head, "\r\nContent-Type: text/plain; charset=utf-8\r\n"));
	CU_ASSERT(!says(&m.head, "References:"));
	CU_ASSERT_PTR_NULL(mail_fault(&m));
	mail_free(&m);
}

static void
later_mail_refers_to_the_first(void)
{
	struct mail_row r = a_row();
	struct mail m;

	r.from_status = "RESERVED";
	r.to_status = "CANCELLED";
	m = built(&r);
	CU_ASSERT(
	    says(&m.head, "\r\nMessage-ID: <outbox.17.1795468025123456@mail.hotel.example>\r\n"));
	CU_ASSERT(
	    says(&m.head, "\r\nReferences: <reservation." RESERVATION "@mail.hotel.example>\r\n"));
	CU_ASSERT(
	    says(&m.head, "\r\nIn-Reply-To: <reservation." RESERVATION "@mail.hotel.example>\r\n"));
	CU_ASSERT(says(&m.body,
	    "Old status:    Reserved (RESERVED)\r\nNew status:    Cancelled (CANCELLED)\r\n"));
	mail_free(&m);
}

static void
room_mail_is_of_no_thread(void)
{
	struct mail_row r = a_room_row();
	struct mail m = built(&r);

	CU_ASSERT(
	    says(&m.head, "\r\nMessage-ID: <outbox.17.1795468025123456@mail.hotel.example>\r\n"));
	CU_ASSERT(!says(&m.head, "References:"));
	CU_ASSERT(says(&m.body, "Available now: 9 of 10, archived\r\n"));
	CU_ASSERT(says(&m.body, "Change:        archived\r\n"));
	CU_ASSERT(!says(&m.body, "Guest:"));
	CU_ASSERT_PTR_NULL(mail_fault(&m));
	mail_free(&m);
}

static void
body_names_every_field(void)
{
	static const char *const lines[] = {
	    "A guest has reserved a room.\r\n\r\n",
	    "\r\nRoom:          Economy Single Room\r\n",
	    "\r\nAvailable now: 9 of 10\r\n",
	    "\r\nPrice now:     260 points\r\n",
	    "\r\nGuest:         Jane Doe\r\n",
	    "\r\nBalance now:   980 points\r\n",
	    "\r\nOld status:    none\r\n",
	    "\r\nNew status:    Reserved (RESERVED)\r\n",
	    "\r\nPoints:        250 points\r\n",
	    "\r\nReservation:   " RESERVATION "\r\n",
	    "\r\nGuest ID:      " USER "\r\n",
	    "\r\nRoom ID:       " ROOM "\r\n",
	    "\r\nTime:          2026-11-23T21:07:05.123456Z\r\n",
	    "\r\nBy:            Booking site (public)\r\n",
	    "\r\nRequest ID:    req-1\r\n",
	};
	struct mail_row r = a_row();
	struct mail m = built(&r);
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		CU_ASSERT(says(&m.body, lines[i]));
	CU_ASSERT(m.ascii);
	mail_free(&m);
}

static void
every_change_has_its_sentence(void)
{
	static const char *const changes[][2] = {{NULL, "RESERVED"}, {NULL, "PENDING_APPROVAL"},
	    {"PENDING_APPROVAL", "RESERVED"}, {"PENDING_APPROVAL", "REJECTED"},
	    {"PENDING_APPROVAL", "CANCELLED"}, {"RESERVED", "CANCELLED"}, {"RESERVED", "RELEASED"}};
	struct mail_row r = a_row();
	struct mail m;
	char code[80];
	size_t i;

	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		r.from_status = changes[i][0];
		r.to_status = changes[i][1];
		m = built(&r);
		snprintf(code, sizeof(code), " (%s)\r\nPoints:", changes[i][1]);
		CU_ASSERT(says(&m.body, code));
		CU_ASSERT(!says(&m.body, "The status of the reservation has changed."));
		mail_free(&m);
	}
	r.from_status = "A";
	m = built(&r);
	CU_ASSERT(says(&m.body, "The status of the reservation has changed."));
	mail_free(&m);
}

static void
subject_is_encoded_where_it_must_be(void)
{
	char edge[80];

	expect_subject("RESERVED: plain", "RESERVED: plain");
	expect_subject("Zoë Müller-Østergård", "Zoë Müller-Østergård");
	expect_subject("東京スイート for 王小明", "東京スイート for 王小明");
	expect_subject("😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀", "😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀");
	expect_subject("a =?UTF-8?Q?no_word?= b", "a =?UTF-8?Q?no_word?= b");
	expect_subject(" blanks around ", " blanks around ");
	expect_subject("under_score = ? é", "under_score = ? é");
	memset(edge, 'x', sizeof(edge));
	edge[61] = '\0';
	expect_subject(edge, edge);
	edge[61] = 'x';
	edge[62] = '\0';
	expect_subject(edge, edge);
}

/* Any length, so that every place where a word can end is one. */
static void
subject_words_are_whole_at_every_length(void)
{
	static const char *const units[] = {"x", "ü", "語", "😀", " ", "aé", "語x"};
	char subject[2801];
	size_t i, n;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		subject[0] = 'S';
		for (n = 1; n + strlen(units[i]) < sizeof(subject) && n < 700;
		     n += strlen(units[i])) {
			strcpy(subject + n, units[i]);
			expect_subject(subject, subject);
		}
	}
}

static void
line_ends_in_values_are_harmless(void)
{
	static const char evil[] = "x\r\nBcc: thief@example.net\r\n\r\nBuy\x0b\x0c\x7f now\n.\n";
	struct mail_row r = a_row();
	struct mail m;

	r.room_name = r.user_name = r.actor = r.request_id = r.to_status = r.from_status = evil;
	m = built(&r);
	CU_ASSERT(!says(&m.head, "\nBcc:"));
	CU_ASSERT(!says(&m.body, "\nBcc:"));
	CU_ASSERT(!says(&m.body, "\n.\r\n"));
	CU_ASSERT(
	    says(&m.body, "\r\nBy:            x  Bcc: thief@example.net    Buy    now . \r\n"));
	CU_ASSERT_PTR_NULL(mail_fault(&m));
	mail_free(&m);
	expect_subject("a\r\nBcc: b\tc", "a  Bcc: b c");
}

static void
broken_and_turning_characters_are_replaced(void)
{
	expect_subject("a\xff\xc3z", "a\xef\xbf\xbd\xef\xbf\xbdz");
	expect_subject("a\xe2\x80\xae"
		       "b\xe2\x81\xa6"
		       "c",
	    "a\xef\xbf\xbd"
	    "b\xef\xbf\xbd"
	    "c");
	expect_subject("a\xc2\x85"
		       "b\xe2\x80\xa8"
		       "c",
	    "a b c");
}

static void
long_values_are_broken_between_characters(void)
{
	struct mail_row r = a_row();
	char name[4001];
	struct mail m;
	size_t i;

	for (i = 0; i < 4000; i += 4)
		memcpy(name + i, "😀", 4);
	name[4000] = '\0';
	r.room_name = r.user_name = r.reason = r.actor = name;
	m = built(&r);
	CU_ASSERT(!m.ascii);
	CU_ASSERT_PTR_NULL(mail_fault(&m));
	mail_free(&m);
	for (i = 0; i < 4000; i++)
		name[i] = i % 2 ? '.' : ' ';
	m = built(&r);
	CU_ASSERT_PTR_NULL(mail_fault(&m));
	mail_free(&m);
}

static void
reason_keeps_its_lines(void)
{
	struct mail_row r = a_row();
	struct mail m;

	r.from_status = "PENDING_APPROVAL";
	r.to_status = "REJECTED";
	r.reason = "first\n.\nRoom: forged";
	m = built(&r);
	CU_ASSERT(says(&m.body,
	    "\r\nReason:        first\r\n               .\r\n               Room: forged\r\n"));
	mail_free(&m);
}

static void
what_is_missing_is_refused(void)
{
	struct mail_row good[2] = {a_row(), a_room_row()}, r;
	struct mail m;
	int i;

#define REFUSED(row, member, value)                                                                \
	do {                                                                                       \
		r = (row);                                                                         \
		r.member = (value);                                                                \
		CU_ASSERT_PTR_NOT_NULL(mail_build(&m, &r, &conf));                                 \
		CU_ASSERT(m.head.p == NULL && m.body.p == NULL);                                   \
	} while (0)
	for (i = 0; i < 2; i++) {
		REFUSED(good[i], event, NULL);
		REFUSED(good[i], event, "");
		REFUSED(good[i], event, "user");
		REFUSED(good[i], event, i == 0 ? "room" : "reservation");
		REFUSED(good[i], room_id, NULL);
		REFUSED(good[i], room_name, NULL);
		REFUSED(good[i], room_total, MAIL_NULL);
		REFUSED(good[i], room_available, MAIL_NULL);
		REFUSED(good[i], room_points, MAIL_NULL);
		REFUSED(good[i], room_archived, MAIL_NULL);
		REFUSED(good[i], actor, NULL);
		REFUSED(good[i], request_id, NULL);
		REFUSED(good[i], created_at, NULL);
		REFUSED(good[i], created_at, "");
		REFUSED(good[i], created_at, "2026-11-23 21:07:05.123456Z");
		REFUSED(good[i], created_at, "2026-11-23T21:07:05.123456");
		REFUSED(good[i], created_at, "2026-02-30T21:07:05.123456Z");
		REFUSED(good[i], created_at, "2026-11-23T24:07:05.123456Z");
		REFUSED(good[i], created_at, "0000-00-00T00:00:00.000000Z");
	}
	REFUSED(good[0], reservation_id, NULL);
	REFUSED(good[0], reservation_id, "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5>");
	REFUSED(good[0], user_id, NULL);
	REFUSED(good[0], user_name, NULL);
	REFUSED(good[0], user_points, MAIL_NULL);
	REFUSED(good[0], to_status, NULL);
	REFUSED(good[0], points, MAIL_NULL);
}

static void
another_language_has_its_own_words(void)
{
	struct mail_row rows[2] = {a_row(), a_room_row()};
	struct mail m;

	words_language = 1;
	rows[0].points = 1;
	m = built(&rows[0]);
	CU_ASSERT(
	    says(&m.head, "\r\nSubject: =?UTF-8?Q?Economy_Single_Room_f=C3=BCr_Jane_Doe?=\r\n"));
	CU_ASSERT(says(&m.body, "Ein Gast hat ein Zimmer reserviert.\r\n\r\n"));
	CU_ASSERT(says(&m.body, "\r\nJetzt verfügbar: 9 von 10\r\n"));
	CU_ASSERT(says(&m.body, "\r\nNeuer Status:    Reserviert (RESERVED)\r\n"));
	CU_ASSERT(says(&m.body, "\r\nPunkte:          1 Punkt\r\n"));
	CU_ASSERT(says(&m.body, "\r\nVon:             Buchungsseite (public)\r\n"));
	CU_ASSERT_PTR_NULL(mail_fault(&m));
	mail_free(&m);
	rows[1].from_total = 1;
	m = built(&rows[1]);
	CU_ASSERT(says(&m.body, "\r\nÄnderung:        archiviert, Gesamtzahl 1 auf 10\r\n"));
	mail_free(&m);
	words_language = 0;
}

static void
date_is_right_on_odd_days(void)
{
	static const char *const times[][2] = {
	    {"2024-02-29T23:59:59.999999Z", "Date: Thu, 29 Feb 2024 23:59:59 +0000\r\n"},
	    {"1970-01-01T00:00:00.000000Z", "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"},
	    {"2100-12-31T00:00:00.000001Z", "Date: Fri, 31 Dec 2100 00:00:00 +0000\r\n"},
	};
	struct mail_row r = a_row();
	struct mail m;
	size_t i;

	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		r.created_at = times[i][0];
		m = built(&r);
		CU_ASSERT(says(&m.head, times[i][1]));
		mail_free(&m);
	}
}

static void
longest_addresses_fit(void)
{
	char address[255], domain[254];
	const char *many[20];
	struct mail_conf wide = {.from = address, .to = many, .to_n = 20, .domain = domain};
	struct mail_row r = a_row();
	struct mail m;
	size_t i;

	memset(domain, 'd', 253);
	domain[253] = '\0';
	memset(address, 'a', 254);
	address[64] = '@';
	address[254] = '\0';
	CU_ASSERT(mail_address_ok(address));
	CU_ASSERT(mail_domain_ok(domain));
	for (i = 0; i < 20; i++)
		many[i] = address;
	r.from_status = "RESERVED";
	CU_ASSERT_PTR_NULL_FATAL(mail_build(&m, &r, &wide));
	CU_ASSERT_FALSE_FATAL(m.body.failed);
	CU_ASSERT_PTR_NULL(mail_fault(&m));
	mail_free(&m);
}

static void
addresses_are_checked(void)
{
	static const char *const good[] = {
	    "a@b", "first.last+tag@example.org", "x@[192.0.2.1]", "o'neill@ex-ample.org"};
	static const char *const bad[] = {"", "a", "@", "a@", "@b", "a@b@c", "a b@c", "a@b c",
	    "<a@b>", "a@b>", "a\r\n@b", "a@b\r\nRCPT TO:<c@d>", ".a@b", "a.@b", "a..b@c", "a@.b",
	    "a@b.", "a@b..c", "\"a b\"@c", "ü@b", "a@ü", "a@[", "a@[]", "a@[1.2.3.4",
	    "a@[1.2.3.4]x", "a@-b", "a,b@c", "=?UTF-8?Q?a?=@b",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@b"};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		CU_ASSERT(mail_address_ok(good[i]));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT(!mail_address_ok(bad[i]));
}

int
main(void)
{
	static CU_TestInfo tests[] = {
	    {"head_has_every_header", head_has_every_header},
	    {"later_mail_refers_to_the_first", later_mail_refers_to_the_first},
	    {"room_mail_is_of_no_thread", room_mail_is_of_no_thread},
	    {"body_names_every_field", body_names_every_field},
	    {"every_change_has_its_sentence", every_change_has_its_sentence},
	    {"another_language_has_its_own_words", another_language_has_its_own_words},
	    {"subject_is_encoded_where_it_must_be", subject_is_encoded_where_it_must_be},
	    {"subject_words_are_whole_at_every_length", subject_words_are_whole_at_every_length},
	    {"line_ends_in_values_are_harmless", line_ends_in_values_are_harmless},
	    {"broken_and_turning_characters_are_replaced",
		broken_and_turning_characters_are_replaced},
	    {"long_values_are_broken_between_characters",
		long_values_are_broken_between_characters},
	    {"reason_keeps_its_lines", reason_keeps_its_lines},
	    {"what_is_missing_is_refused", what_is_missing_is_refused},
	    {"date_is_right_on_odd_days", date_is_right_on_odd_days},
	    {"longest_addresses_fit", longest_addresses_fit},
	    {"addresses_are_checked", addresses_are_checked},
	    CU_TEST_INFO_NULL,
	};
	static CU_SuiteInfo suites[] = {
	    {"mail", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned failed, ran;

	CU_initialize_registry();
	CU_register_suites(suites);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failed = CU_get_number_of_failures();
	ran = CU_get_number_of_tests_run();
	CU_cleanup_registry();
	return failed != 0 || ran == 0;
}
