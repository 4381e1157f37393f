#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ehlo.h"
#include "mail.h"

bool
ehlo_name_ok(const char *s)
{
	static const char v6[] = "IPv6:";
	char address[INET6_ADDRSTRLEN];
	struct in6_addr any;
	size_t len = strlen(s), skip = 1;
	int family = AF_INET;

	if (s[0] != '[')
		return mail_domain_ok(s);
	if (s[len - 1] != ']')
		return false;
	if (strncasecmp(s + 1, v6, strlen(v6)) == 0) {
		family = AF_INET6;
		skip += strlen(v6);
	}
	if (len - 1 < skip || len - 1 - skip >= sizeof(address))
		return false;
	memcpy(address, s + skip, len - 1 - skip);
	address[len - 1 - skip] = '\0';
	return inet_pton(family, address, &any) == 1;
}

/* Two labels or more, the last one no number; localhost.localdomain is what
 * Debian calls a machine without a name. */
static bool
is_fqdn(const char *s)
{
	const char *last;

	if (!mail_domain_ok(s) || (last = strrchr(s, '.')) == NULL)
		return false;
	return strspn(last + 1, "0123456789") != strlen(last + 1)
	       && strcasecmp(last, ".localdomain") != 0 && strcasecmp(last, ".localhost") != 0;
}

bool
ehlo_fqdn(char out[EHLO_NAME])
{
	struct addrinfo hints = {.ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM}, *found;
	char name[EHLO_NAME];
	bool ok;

	if (gethostname(name, sizeof(name)) != 0)
		return false;
	name[sizeof(name) - 1] = '\0';
	if (is_fqdn(name)) {
		memcpy(out, name, sizeof(name));
		return true;
	}
	if (getaddrinfo(name, NULL, &hints, &found) != 0)
		return false;
	ok = found->ai_canonname != NULL && is_fqdn(found->ai_canonname)
	     && strlen(found->ai_canonname) < EHLO_NAME;
	if (ok)
		snprintf(out, EHLO_NAME, "%s", found->ai_canonname);
	freeaddrinfo(found);
	return ok;
}

bool
ehlo_literal(int fd, char out[EHLO_NAME])
{
	struct sockaddr_storage ss;
	const struct sockaddr_in *in4 = (struct sockaddr_in *)&ss;
	const struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
	char address[INET6_ADDRSTRLEN];
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0)
		return false;
	if (ss.ss_family == AF_INET && inet_ntop(AF_INET, &in4->sin_addr, address, sizeof(address)))
		snprintf(out, EHLO_NAME, "[%s]", address);
	else if (ss.ss_family == AF_INET6
		 && inet_ntop(AF_INET6, &in6->sin6_addr, address, sizeof(address)))
		snprintf(out, EHLO_NAME, "[IPv6:%s]", address);
	else
		return false;
	return true;
}
