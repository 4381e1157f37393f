#ifndef LOYALTY_SERVICE_H
#define LOYALTY_SERVICE_H

#include "conf.h"
#include "route.h"

/*
 * The life of a FastCGI service: configuration from the environment,
 * FastCGI on descriptor 0 until it is told to end.
 *
 *	NAME      serve        NAME -t  test configuration and database
 *	NAME -h   the settings NAME -r  the routes
 *
 * own: a setting that this service alone has, or NULL.
 * Returns main's status: 0; 1 for -t with a database that can't be used;
 * 2 for a wrong command line or configuration.
 */
int service_main(int argc, char **argv, const char *name, const char *db_user,
    const struct route *routes, size_t n, const struct conf_row *own);

#endif
