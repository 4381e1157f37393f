#include <string.h>

#include "wire.h"

static const char *const method_names[] = {
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

enum method
wire_method(const char *name)
{
	int m;

	for (m = METHOD_GET; m < METHOD_OTHER; m++)
		if (strcmp(name, method_names[m]) == 0)
			break;
	return (enum method)m;
}

const char *
wire_method_name(enum method m)
{
	return m < METHOD_OTHER ? method_names[m] : "";
}

const char *
wire_param(const struct wire *w, const char *name, int *count)
{
	size_t n = strlen(name);
	const char *found = NULL;
	char **e;
	int seen = 0;

	for (e = w->env; *e != NULL; e++) {
		if (strncmp(*e, name, n) != 0 || (*e)[n] != '=')
			continue;
		if (seen++ == 0)
			found = *e + n + 1;
		if (count == NULL)
			break;
	}
	if (count != NULL)
		*count = seen;
	return found;
}
