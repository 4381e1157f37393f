#include "routes.h"

static const struct route routes[] = {
#define ROUTE SERVICE_ROUTE
#include "routes.def"
#undef ROUTE
};

int
main(int argc, char **argv)
{
	return service_main(
	    argc, argv, "cgi-admin", "loyalty_admin", routes, sizeof(routes) / sizeof(routes[0]));
}
