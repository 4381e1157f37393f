#include <stdio.h>
#include <string.h>

#include "check.h"
#include "db_hosts.h"

static void
db_hosts_are_counted_and_named(void)
{
	char host[32];

	CHECK(!db_hosts_several("/run/db.sock") && db_hosts_several("a,b"), "several");
	CHECK(db_hosts_nth("a:1,b:2,c:3", 4, host, sizeof(host)) == 3 && strcmp(host, "b:2") == 0,
	    "%s", host);
	CHECK(db_hosts_nth("/run/db.sock", 7, host, sizeof(host)) == 1
		  && strcmp(host, "/run/db.sock") == 0,
	    "%s", host);
	CHECK(db_hosts_find("a:1,b:2,c:3", "c:3") == 2 && db_hosts_find("a:1,b:2", "a") == -1
		  && db_hosts_find("a:1", "a:1") == 0 && db_hosts_find("a,b", "") == -1,
	    "which is which");
	CHECK(db_host_is_here("/x") && db_host_is_here("127.0.0.2:1")
		  && db_host_is_here("localhost") && db_host_is_here("localhost:3")
		  && !db_host_is_here("localhost.example.org") && !db_host_is_here("db1"),
	    "which are here");
}

/* What servers say of themselves: name, value, …; and whether they are the one to write to. */
static void
db_hosts_know_the_writer_of_a_majority(void)
{
	static const struct {
		const char *what, *says[12], *why;
	} servers[] = {
	    {"a plain server", {"read_only", "OFF", "wsrep_provider", ""}, NULL},
	    {"the same of MySQL",
		{"read_only", "OFF", "super_read_only", "OFF", "group_replication_group_name", ""},
		NULL},
	    {"a replica", {"read_only", "ON"}, "read-only"},
	    {"a replica of MariaDB 12", {"read_only", "NO_LOCK"}, "read-only"},
	    {"MySQL in super_read_only", {"super_read_only", "ON", "read_only", "OFF"},
		"read-only"},
	    {"built with Galera, without a cluster",
		{"wsrep_provider", "none", "wsrep_ready", "OFF"}, NULL},
	    {"Galera",
		{"wsrep_provider", "/usr/lib/galera/libgalera_smm.so", "wsrep_ready", "ON",
		    "wsrep_cluster_status", "Primary"},
		NULL},
	    {"cut off",
		{"wsrep_provider", "/x.so", "wsrep_ready", "OFF", "wsrep_cluster_status",
		    "non-Primary"},
		"component"},
	    {"before it has joined",
		{"wsrep_provider", "/x.so", "wsrep_ready", "OFF", "wsrep_cluster_status",
		    "Disconnected"},
		"component"},
	    {"while it joins",
		{"wsrep_provider", "/x.so", "wsrep_ready", "OFF", "wsrep_cluster_status",
		    "Primary"},
		"ready"},
	    {"that tells nothing", {"wsrep_provider", "/x.so"}, "component"},
	    {"the primary of a group",
		{"read_only", "OFF", "group_replication_group_name", "g", "group_primary", "ON"},
		NULL},
	    {"a secondary", {"group_replication_group_name", "g", "group_primary", "OFF"}, "group"},
	    {"the primary, read-only as yet",
		{"read_only", "ON", "group_replication_group_name", "g", "group_primary", "ON"},
		"read-only"},
	    {"one that came back alone, and takes writes: it is not told",
		{"read_only", "OFF", "group_replication_group_name", "g"}, "group"},
	};
	size_t i, k;

	for (i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
		struct db_server s = {0};
		const char *why;

		for (k = 0; k < 12 && servers[i].says[k] != NULL; k += 2)
			db_server_note(&s, servers[i].says[k], servers[i].says[k + 1]);
		why = db_server_is_no_writer(&s);
		if (servers[i].why == NULL)
			CHECK(why == NULL, "%s: %s", servers[i].what, why);
		else
			CHECK(why != NULL && strstr(why, servers[i].why) != NULL, "%s: %s",
			    servers[i].what, why != NULL ? why : "taken");
	}
}

CU_TestInfo tests_db_hosts[] = {
    TEST(db_hosts_are_counted_and_named),
    TEST(db_hosts_know_the_writer_of_a_majority),
    CU_TEST_INFO_NULL,
};
