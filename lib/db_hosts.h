#ifndef LOYALTY_DB_HOSTS_H
#define LOYALTY_DB_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * LOYALTY_DB_HOSTS, and what a server says of itself: of several, the one is used that a
 * majority has for its writer.
 */

#define DB_HOST_SIZE 256 /* of a host's text, with its NUL */

/* Are there several? */
bool db_hosts_several(const char *list);

/* Copy host number n of the list (modulo its length) to out; the length of the list. */
unsigned db_hosts_nth(const char *list, unsigned n, char *out, size_t size);

/* The number of this host in the list, or -1. */
int db_hosts_find(const char *list, const char *host);

/* Is this host, as the list has it, on this machine? */
bool db_host_is_here(const char *host);

/* What was read of a server.  Begins zeroed. */
struct db_server {
	bool read_only;
	bool in_galera, ready, primary; /* wsrep_provider, wsrep_ready, wsrep_cluster_status */
	bool in_group;			/* Group Replication is set up */
	bool group_primary;		/* mysql/procs/group_primary.sql */
};

/* Statements whose rows, a name and a value each, tell that; no right is needed for the first two.
 * The third is for one that is set up for a group. */
#define DB_SERVER_VARIABLES                                                                        \
	"SHOW GLOBAL VARIABLES WHERE Variable_name IN ('read_only', 'super_read_only', "           \
	"'wsrep_provider', 'group_replication_group_name')"
#define DB_SERVER_STATUS                                                                           \
	"SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_ready', 'wsrep_cluster_status')"
#define DB_SERVER_GROUP "CALL group_primary(@@server_uuid)"

/* Take in one row. */
void db_server_note(struct db_server *s, const char *name, const char *value);

/*
 * May it be written to, so that a majority keeps it?  NULL, or why not, for the log.  A member of
 * a Galera cluster: where it is ready, in the primary component, and not read-only.  Of a group
 * (MySQL Group Replication, single primary): where it is the primary and reaches a majority; a
 * server that is set up for one and is in none, as after a crash, is not.  Any other: where it is
 * not read-only.
 */
const char *db_server_is_no_writer(const struct db_server *s);

#endif
