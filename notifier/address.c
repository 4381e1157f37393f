#include <string.h>

#include "address.h"
#include "mail.h"
#include "text.h"

#define BLANKS " \t"

/* A value of at most `size` bytes with its NUL; false: it is longer. */
static bool
copy(char *out, size_t size, const char *s, size_t len)
{
	if (len >= size)
		return false;
	memcpy(out, s, len);
	out[len] = '\0';
	return true;
}

static size_t
trimmed(const char *s, size_t len)
{
	while (len > 0 && strchr(BLANKS, s[len - 1]) != NULL)
		len--;
	return len;
}

/* "…" at *p, which comes behind it and the blanks that follow. */
static const char *
quoted_name(const char **p, struct address *a)
{
	const char *s = *p + 1;
	size_t n = 0;

	for (; *s != '"'; s++) {
		if (*s == '\\')
			s++;
		if (*s == '\0')
			return "has a quote that is not closed";
		if (n + 1 >= sizeof(a->name))
			return "has a name of more than 100 characters";
		a->name[n++] = *s;
	}
	a->name[n] = '\0';
	*p = s + 1 + strspn(s + 1, BLANKS);
	return **p == '<' ? NULL : "has a quoted name that no <address> follows";
}

/* The words before '<', or none. */
static const char *
plain_name(const char **p, struct address *a)
{
	size_t len = strcspn(*p, "<,");

	if ((*p)[len] != '<')
		return NULL;
	if (strcspn(*p, "()[]:;@\\\">") < len)
		return "has a name with one of ( ) [ ] : ; @ \\ \" > in it: put it in double "
		       "quotes";
	if (!copy(a->name, sizeof(a->name), *p, trimmed(*p, len)))
		return "has a name of more than 100 characters";
	*p += len;
	return NULL;
}

static const char *
parse(const char **p, struct address *a)
{
	const char *fault;
	size_t len;
	bool angle;

	if ((fault = **p == '"' ? quoted_name(p, a) : plain_name(p, a)) != NULL)
		return fault;
	if (a->name[0] != '\0'
	    && text_fault(TEXT_NAME, a->name, strlen(a->name), ADDRESS_NAME) != NULL)
		return "has a name that is not UTF-8 of up to 100 characters without control "
		       "characters";
	if ((angle = **p == '<'))
		(*p)++;
	len = strcspn(*p, angle ? ">," : ",");
	if (!copy(a->mailbox, sizeof(a->mailbox), *p, angle ? len : trimmed(*p, len))
	    || !mail_address_ok(a->mailbox))
		return "is not an address like name@example.org or Name <name@example.org>";
	*p += len;
	if (!angle)
		return NULL;
	if (**p != '>')
		return "has a < without a >";
	*p += 1 + strspn(*p + 1, BLANKS);
	return **p == '\0' || **p == ',' ? NULL : "has text after the >";
}

bool
address_next(const char **list, struct address *a, const char **fault)
{
	const char *p = *list;

	p += strspn(p, BLANKS ",");
	*fault = NULL;
	*list = p;
	if (*p == '\0')
		return false;
	memset(a, 0, sizeof(*a));
	if ((*fault = parse(&p, a)) != NULL)
		p += strcspn(p, ",");
	*list = p;
	return true;
}
