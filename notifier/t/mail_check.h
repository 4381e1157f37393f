#ifndef NOTIFIER_T_MAIL_CHECK_H
#define NOTIFIER_T_MAIL_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail.h"
#include "text.h"

/* What is so of every mail, whatever is in the row. */

/* The fault of a text of CRLF lines, or NULL. */
static inline const char *
lines_fault(const struct buf *b, size_t longest, bool ascii)
{
	size_t i, n, start = 0;
	uint32_t c;

	if (b->len < 2 || memcmp(b->p + b->len - 2, "\r\n", 2) != 0)
		return "doesn't end with CRLF";
	for (i = 0; i < b->len; i++) {
		if (b->p[i] == '\n')
			return "LF without CR";
		if (b->p[i] != '\r')
			continue;
		if (i + 1 == b->len || b->p[i + 1] != '\n')
			return "CR without LF";
		if (i - start > longest)
			return "a line is too long";
		start = ++i + 1;
	}
	for (i = 0; i < b->len; i += n) {
		if ((n = text_char(b->p + i, b->len - i, &c)) == 0)
			return "no UTF-8";
		if (c == 0 || (c < 0x20 && c != '\r' && c != '\n') || c == 0x7f)
			return "a control character";
		if (ascii && c > 0x7e)
			return "not ASCII";
	}
	return NULL;
}

/* Each header once, at most, and none but ours; no empty line among them. */
static inline const char *
head_fault(const struct buf *head)
{
	static const char *const names[] = {"Date: ", "From: ", "To: ", "Subject: ", "Message-ID: ",
	    "In-Reply-To: ", "References: ", "MIME-Version: ", "Auto-Submitted: ",
	    "X-Auto-Response-Suppress: ", "Content-Type: "};
	int seen[sizeof(names) / sizeof(names[0])] = {0};
	const char *p = head->p, *end = head->p + head->len, *word;
	const char *fault = lines_fault(head, 998, true);
	size_t i, len;

	if (fault != NULL)
		return fault;
	for (; p < end; p += len + 2) {
		len = (size_t)((char *)memmem(p, (size_t)(end - p), "\r\n", 2) - p);
		if (len == 0)
			return "an empty line in the head";
		word = memmem(p, len, "=?UTF-8?Q?", 10);
		if (word != NULL
		    && (p + len - word > 75 || len > 76 || memcmp(p + len - 2, "?=", 2) != 0))
			return "an encoded word is too long, or isn't closed";
		if (*p == ' ' && p != head->p)
			continue;
		for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (strncmp(p, names[i], strlen(names[i])) == 0)
				break;
		if (i == sizeof(names) / sizeof(names[0]))
			return "a header that isn't ours";
		if (seen[i]++)
			return "a header twice";
	}
	return NULL;
}

/* Append what the Q words of s say, or s itself where there are none. */
static inline void
decode_subject(struct buf *out, const char *s, size_t len)
{
	const char *end = s + len, *p = s;
	char hex[3] = "";

	if (memmem(s, len, "=?UTF-8?Q?", 10) == NULL) {
		buf_add(out, s, len);
		return;
	}
	while (p < end && (p = memmem(p, (size_t)(end - p), "=?UTF-8?Q?", 10)) != NULL) {
		for (p += 10; p < end && memcmp(p, "?=", 2) != 0; p++) {
			if (*p == '=') {
				memcpy(hex, p + 1, 2);
				buf_add(out, (char[]){(char)strtol(hex, NULL, 16)}, 1);
				p += 2;
			} else {
				buf_add(out, *p == '_' ? " " : p, 1);
			}
		}
	}
}

/* Undo quoted-printable. */
static inline void
decode_qp(struct buf *out, const struct buf *in)
{
	char hex[3] = "";
	size_t i;

	for (i = 0; i < in->len; i++) {
		if (in->p[i] != '=') {
			buf_add(out, in->p + i, 1);
		} else if (in->p[i + 1] == '\r') {
			i += 2;
		} else {
			memcpy(hex, in->p + i + 1, 2);
			buf_add(out, (char[]){(char)strtol(hex, NULL, 16)}, 1);
			i += 2;
		}
	}
}

/* The fault of a built mail, recoding it; or NULL. */
static inline const char *
mail_fault(struct mail *m)
{
	struct buf before = {0}, after = {0};
	const char *fault;

	if ((fault = head_fault(&m->head)) != NULL
	    || (fault = lines_fault(&m->body, 998, m->ascii)) != NULL)
		return fault;
	buf_add(&before, m->body.p, m->body.len);
	if (!mail_qp(m))
		return "out of memory";
	fault = lines_fault(&m->body, 76, true);
	if (fault == NULL && memmem(m->body.p, m->body.len, " \r\n", 3) != NULL)
		fault = "a blank at the end of a quoted-printable line";
	decode_qp(&after, &m->body);
	if (fault == NULL
	    && (before.len != after.len || memcmp(before.p, after.p, before.len) != 0))
		fault = "quoted-printable says something else";
	buf_free(&before);
	buf_free(&after);
	return fault;
}

#endif
