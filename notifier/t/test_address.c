#include <CUnit/Basic.h>

#include "address.h"
#include "mail_check.h"

/* Exactly one address, and what it was. */
static bool
is(const char *s, const char *name, const char *mailbox)
{
	const char *fault;
	struct address a;

	return address_next(&s, &a, &fault) && fault == NULL && *s == '\0'
	       && strcmp(a.name, name) == 0 && strcmp(a.mailbox, mailbox) == 0;
}

static bool
refused(const char *s)
{
	const char *fault;
	struct address a;

	while (address_next(&s, &a, &fault))
		if (fault != NULL)
			return true;
	return false;
}

static void
address_with_and_without_a_name_is_read(void)
{
	CU_ASSERT(is("loyalty@example.org", "", "loyalty@example.org"));
	CU_ASSERT(is("  a@b\t", "", "a@b"));
	CU_ASSERT(is("<a@b>", "", "a@b"));
	CU_ASSERT(is("Loyalty <loyalty@example.org>", "Loyalty", "loyalty@example.org"));
	CU_ASSERT(is("J. R. Doe  <a@b> ", "J. R. Doe", "a@b"));
	CU_ASSERT(is("\"Desk, \\\"front\\\" \\\\\" <a@b>", "Desk, \"front\" \\", "a@b"));
	CU_ASSERT(is("\"\"<a@b>", "", "a@b"));
	CU_ASSERT(is("Hôtel Zoë 語 <a@b>", "Hôtel Zoë 語", "a@b"));
}

static void
list_is_taken_apart_at_its_commas(void)
{
	const char *s = " a@b,\"x, y\" <c@d> ,, Z <e@f>,", *fault;
	struct address a;

	CU_ASSERT(address_next(&s, &a, &fault) && fault == NULL);
	CU_ASSERT_STRING_EQUAL(a.mailbox, "a@b");
	CU_ASSERT(address_next(&s, &a, &fault) && fault == NULL);
	CU_ASSERT_STRING_EQUAL(a.name, "x, y");
	CU_ASSERT(address_next(&s, &a, &fault) && fault == NULL);
	CU_ASSERT_STRING_EQUAL(a.mailbox, "e@f");
	CU_ASSERT(!address_next(&s, &a, &fault));
}

static void
what_is_malformed_is_refused(void)
{
	static const char *const bad[] = {"a", "a b@c", "a@b c@d", "Name a@b", "Name <a@b",
	    "Name <a@b> x", "Name <>", "Name < a@b>", "<a@b>>", "\"Name <a@b>", "\"Name\" a@b",
	    "\"Name\\", "a@b (comment)", "Group: a@b;", "x@y <a@b>", "A \"B\" <a@b>",
	    "Na\\me <a@b>", "[x] <a@b>", "a\r\nBcc: c@d <a@b>", "\"a\nb\" <a@b>", "a@b\r\nBcc: c@d",
	    "\xff <a@b>", "\xe2\x80\xae <a@b>", "\"local part\"@b", "a@b,c", "Name <a@b,c@d>"};
	char name[500];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (!refused(bad[i]))
			fprintf(stderr, "taken: %s\n", bad[i]);
		CU_ASSERT(refused(bad[i]));
	}
	for (i = 99; i <= 450; i++) {
		snprintf(name, sizeof(name), "%0*d <a@b>", (int)i, 0);
		CU_ASSERT_EQUAL(refused(name), i > ADDRESS_NAME);
		snprintf(name, sizeof(name), "\"%0*d\" <a@b>", (int)i, 0);
		CU_ASSERT_EQUAL(refused(name), i > ADDRESS_NAME);
	}
}

static bool
head_says(const char *setting, const char *header)
{
	static const char *const to[] = {"o@h"};
	struct mail_row r = {.id = 1,
	    .event = "room",
	    .room_id = "d635c003-fffc-4beb-87b8-eaf3458cf772",
	    .room_name = "x",
	    .actor = "x",
	    .request_id = "x",
	    .created_at = "2026-11-23T21:07:05.123456Z"};
	struct mail_conf conf = {.to = to, .to_n = 1, .domain = "h"};
	struct address a;
	const char *fault;
	struct mail m;
	bool ok;

	CU_ASSERT_FATAL(address_next(&setting, &a, &fault) && fault == NULL);
	conf.from = a.mailbox;
	conf.from_name = a.name;
	CU_ASSERT_PTR_NULL_FATAL(mail_build(&m, &r, &conf));
	ok = memmem(m.head.p, m.head.len, header, strlen(header)) != NULL;
	if (!ok)
		fprintf(stderr, "%.*s", (int)m.head.len, m.head.p);
	CU_ASSERT_PTR_NULL(mail_fault(&m));
	mail_free(&m);
	return ok;
}

static void
name_is_written_as_mail_wants_it(void)
{
	CU_ASSERT(head_says("a@b", "\r\nFrom: a@b\r\n"));
	CU_ASSERT(head_says("Loyalty desk <a@b>", "\r\nFrom: Loyalty desk <a@b>\r\n"));
	CU_ASSERT(head_says("\"Desk, front\" <a@b>", "\r\nFrom: \"Desk, front\" <a@b>\r\n"));
	CU_ASSERT(head_says("J. Doe <a@b>", "\r\nFrom: \"J. Doe\" <a@b>\r\n"));
	CU_ASSERT(head_says("\"a\\\"b\\\\c\" <a@b>", "\r\nFrom: \"a\\\"b\\\\c\" <a@b>\r\n"));
	CU_ASSERT(head_says("Hôtel <a@b>", "\r\nFrom: =?UTF-8?Q?H=C3=B4tel?=\r\n <a@b>\r\n"));
	CU_ASSERT(head_says("=?UTF-8?Q?x?= <a@b>",
	    "\r\nFrom: =?UTF-8?Q?=3D=3FUTF-8=3FQ=3Fx=3F=3D?=\r\n <a@b>\r\n"));
	CU_ASSERT(
	    head_says("\"ö(,)\" <a@b>", "\r\nFrom: =?UTF-8?Q?=C3=B6=28=2C=29?=\r\n <a@b>\r\n"));
}

int
main(void)
{
	static CU_TestInfo tests[] = {
	    {"address_with_and_without_a_name_is_read", address_with_and_without_a_name_is_read},
	    {"list_is_taken_apart_at_its_commas", list_is_taken_apart_at_its_commas},
	    {"what_is_malformed_is_refused", what_is_malformed_is_refused},
	    {"name_is_written_as_mail_wants_it", name_is_written_as_mail_wants_it},
	    CU_TEST_INFO_NULL,
	};
	static CU_SuiteInfo suites[] = {
	    {"address", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
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
