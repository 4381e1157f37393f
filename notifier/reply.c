#include <stdio.h>

#include "reply.h"

struct reply_status
reply_status(const char *text)
{
	struct reply_status st = {0};
	int length = 0;
	char after;

	if (sscanf(text, "%1d.%3d.%3d%n", &st.class, &st.subject, &st.detail, &length) == 3
	    && st.class > 0 && st.subject >= 0 && st.detail >= 0
	    && ((after = text[length]) == ' ' || after == '\0' || after == '\r' || after == '\n'))
		return st;
	return (struct reply_status){0};
}

static enum reply_kind
by_subject(struct reply_status st)
{
	switch (st.subject) {
	case 1: /* address; 7 and 8 are the sender's */
		return st.detail == 7 || st.detail == 8 ? REPLY_CHANNEL : REPLY_NEVER;
	case 2: /* mailbox */
		return st.detail == 2 ? REPLY_LATER : REPLY_NEVER;
	case 6: /* content */
		return REPLY_NEVER;
	}
	return REPLY_CHANNEL; /* mail system, routing, protocol, policy */
}

enum reply_kind
reply_kind(int code, struct reply_status st)
{
	if (code / 100 == 2)
		return REPLY_OK;
	if (code / 100 != 5)
		return REPLY_LATER;
	if (st.class == 5 && st.subject != 0)
		return by_subject(st);
	switch (code) {
	case 550: /* RFC 5321: "mailbox unavailable" */
	case 551:
	case 553:
	case 556: /* RFC 7504 */
		return REPLY_NEVER;
	case 552:
		return REPLY_LATER;
	}
	return REPLY_CHANNEL;
}
