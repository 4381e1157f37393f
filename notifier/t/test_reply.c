#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CUnit/Basic.h>

#include "ehlo.h"
#include "reply.h"

static enum reply_kind
kind(int code, const char *text)
{
	return reply_kind(code, reply_status(text));
}

static void
enhanced_code_is_read_or_left(void)
{
	static const char *const none[] = {"", "no such user", "5", "5.1", "5.1.", "5.1.x", "5..1",
	    "5.1.1x", "55.1.1 x", "5.1.1.1 x", "5.-1.1 x", "5.1234.1 x", "0.1.1 x", "<a@5.1.1> x"};
	struct reply_status st = reply_status("5.7.26 not authenticated");
	size_t i;

	CU_ASSERT(st.class == 5 && st.subject == 7 && st.detail == 26);
	st = reply_status("4.2.2");
	CU_ASSERT(st.class == 4 && st.subject == 2 && st.detail == 2);
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		CU_ASSERT_EQUAL(reply_status(none[i]).class, 0);
}

static void
refusal_of_the_mailbox_is_for_good(void)
{
	CU_ASSERT_EQUAL(kind(550, "5.1.1 no such user"), REPLY_NEVER);
	CU_ASSERT_EQUAL(kind(550, "5.1.10 null MX"), REPLY_NEVER);
	CU_ASSERT_EQUAL(kind(550, "5.2.1 disabled"), REPLY_NEVER);
	CU_ASSERT_EQUAL(kind(550, "no such user"), REPLY_NEVER);
	CU_ASSERT_EQUAL(kind(550, "5.0.0 no"), REPLY_NEVER);
	CU_ASSERT_EQUAL(kind(551, "not local"), REPLY_NEVER);
	CU_ASSERT_EQUAL(kind(553, "bad name"), REPLY_NEVER);
	CU_ASSERT_EQUAL(kind(554, "5.6.0 content"), REPLY_NEVER);
}

static void
refusal_of_us_is_the_channels(void)
{
	CU_ASSERT_EQUAL(kind(504, "5.5.2 need fully-qualified hostname"), REPLY_CHANNEL);
	CU_ASSERT_EQUAL(kind(504, "need fully-qualified hostname"), REPLY_CHANNEL);
	CU_ASSERT_EQUAL(kind(550, "5.7.1 relaying denied"), REPLY_CHANNEL);
	CU_ASSERT_EQUAL(kind(550, "5.5.0 no"), REPLY_CHANNEL);
	CU_ASSERT_EQUAL(kind(550, "5.4.1 access denied"), REPLY_CHANNEL);
	CU_ASSERT_EQUAL(kind(550, "5.3.5 misconfigured"), REPLY_CHANNEL);
	CU_ASSERT_EQUAL(kind(550, "5.1.8 bad sender"), REPLY_CHANNEL);
	CU_ASSERT_EQUAL(kind(554, "relay access denied"), REPLY_CHANNEL);
	CU_ASSERT_EQUAL(kind(503, "bad sequence"), REPLY_CHANNEL);
}

static void
what_may_pass_is_later(void)
{
	CU_ASSERT_EQUAL(kind(250, "2.1.5 fine"), REPLY_OK);
	CU_ASSERT_EQUAL(kind(251, "will forward"), REPLY_OK);
	CU_ASSERT_EQUAL(kind(451, "4.7.1 greylisted"), REPLY_LATER);
	CU_ASSERT_EQUAL(kind(552, "quota"), REPLY_LATER);
	CU_ASSERT_EQUAL(kind(552, "5.2.2 quota"), REPLY_LATER);
	/* A class that contradicts the code doesn't count. */
	CU_ASSERT_EQUAL(kind(451, "5.1.1 no such user"), REPLY_LATER);
	CU_ASSERT_EQUAL(kind(550, "4.7.1 greylisted"), REPLY_NEVER);
}

static void
names_for_EHLO_are_checked(void)
{
	static const char *const good[] = {"mail.hotel.example", "localhost", "x--1.de",
	    "[192.0.2.1]", "[IPv6:2001:db8::1]", "[ipv6:::1]"};
	static const char *const bad[] = {"", "a b", "a..b", ".a", "a.", "-a.b", "ho_st", "[", "[]",
	    "[1.2.3]", "[1.2.3.4", "1.2.3.4]x", "[::1]", "[IPv6:]", "[IPv6:1.2.3.4]",
	    "[IPv6:", "a\r\nb", "\xc3\xbc.de",
	    "[IPv6:2001:db8:2001:db8:2001:db8:2001:db8:2001:db8:2001:db8:2001:db8]"};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		CU_ASSERT(ehlo_name_ok(good[i]));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT(!ehlo_name_ok(bad[i]));
}

/* Whatever machine this is: a full name or none. */
static void
full_name_is_one(void)
{
	char name[EHLO_NAME] = "untouched";

	bool found = ehlo_fqdn(name);

	CU_ASSERT(ehlo_name_ok(name));
	CU_ASSERT_EQUAL(found, strchr(name, '.') != NULL);
}

static void
literal_is_of_our_end(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	char name[EHLO_NAME];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	inet_pton(AF_INET, "127.0.0.1", &in.sin_addr);
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	CU_ASSERT(ehlo_literal(fd, name));
	CU_ASSERT_STRING_EQUAL(name, "[127.0.0.1]");
	close(fd);
	CU_ASSERT(!ehlo_literal(fd, name));
}

int
main(void)
{
	static CU_TestInfo tests[] = {
	    {"enhanced_code_is_read_or_left", enhanced_code_is_read_or_left},
	    {"refusal_of_the_mailbox_is_for_good", refusal_of_the_mailbox_is_for_good},
	    {"refusal_of_us_is_the_channels", refusal_of_us_is_the_channels},
	    {"what_may_pass_is_later", what_may_pass_is_later},
	    {"names_for_EHLO_are_checked", names_for_EHLO_are_checked},
	    {"full_name_is_one", full_name_is_one},
	    {"literal_is_of_our_end", literal_is_of_our_end},
	    CU_TEST_INFO_NULL,
	};
	static CU_SuiteInfo suites[] = {
	    {"reply", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
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
