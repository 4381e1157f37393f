#include <string.h>
#include <strings.h>

#include "db_hosts.h"

bool
db_hosts_several(const char *list)
{
	return strchr(list, ',') != NULL;
}

unsigned
db_hosts_nth(const char *list, unsigned n, char *out, size_t size)
{
	unsigned count = 1, i = 0;
	const char *p;
	size_t len;

	for (p = list; *p != '\0'; p++)
		count += *p == ',';
	for (p = list; i < n % count; i++)
		p += strcspn(p, ",") + 1;
	len = strcspn(p, ",");
	if (len >= size)
		len = size - 1;
	memcpy(out, p, len);
	out[len] = '\0';
	return count;
}

int
db_hosts_find(const char *list, const char *host)
{
	char other[DB_HOST_SIZE];
	unsigned n = 0;

	while (n < db_hosts_nth(list, n, other, sizeof(other))) {
		if (strcmp(host, other) == 0)
			return (int)n;
		n++;
	}
	return -1;
}

bool
db_host_is_here(const char *host)
{
	return host[0] == '/' || strncmp(host, "127.", 4) == 0
	       || (strncmp(host, "localhost", 9) == 0 && (host[9] == '\0' || host[9] == ':'));
}

void
db_server_note(struct db_server *s, const char *name, const char *value)
{
	if (value == NULL)
		value = "";
	if (strcasecmp(name, "read_only") == 0 || strcasecmp(name, "super_read_only") == 0)
		s->read_only =
		    s->read_only || (strcasecmp(value, "OFF") != 0 && strcmp(value, "0") != 0);
	else if (strcasecmp(name, "wsrep_provider") == 0)
		s->in_galera = *value != '\0' && strcasecmp(value, "none") != 0;
	else if (strcasecmp(name, "wsrep_ready") == 0)
		s->ready = strcasecmp(value, "ON") == 0;
	else if (strcasecmp(name, "wsrep_cluster_status") == 0)
		s->primary = strcasecmp(value, "Primary") == 0;
	else if (strcasecmp(name, "group_replication_group_name") == 0)
		s->in_group = *value != '\0';
	else if (strcasecmp(name, "group_primary") == 0)
		s->group_primary = strcasecmp(value, "ON") == 0;
}

const char *
db_server_is_no_writer(const struct db_server *s)
{
	if (s->read_only)
		return "it is read-only";
	if (s->in_galera && !s->primary)
		return "it is not in the primary component of its cluster";
	if (s->in_galera && !s->ready)
		return "it is not ready for its cluster";
	if (s->in_group && !s->group_primary)
		return "it is not the primary of its group, or has no majority";
	return NULL;
}
