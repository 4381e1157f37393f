#include "routes.h"

/* method, path, who may, handler, query parameters */
/* clang-format off */
static const struct route routes[] = {
    {METHOD_GET,  "/v1/users/{user}/points", SCOPE_ANY,        ROUTE_HANDLER(points_get),    ""},
    {METHOD_POST, "/v1/users/{user}/points", SCOPE_RESTRICTED, ROUTE_HANDLER(points_adjust), ""},
};
/* clang-format on */

int
main(int argc, char **argv)
{
	return service_main(argc, argv, "cgi-points", "loyalty_points", routes,
	    sizeof(routes) / sizeof(routes[0]), NULL);
}
