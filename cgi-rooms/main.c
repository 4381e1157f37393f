#include "routes.h"

/* method, path, who may, handler, query parameters */
/* clang-format off */
static const struct route routes[] = {
    {METHOD_GET,  "/v1/rooms",                             SCOPE_ANY, ROUTE_HANDLER(room_list),          "available max_points q sort limit cursor"},
    {METHOD_GET,  "/v1/rooms/{room}",                      SCOPE_ANY, ROUTE_HANDLER(room_get),           ""},
    {METHOD_POST, "/v1/reservations",                      SCOPE_ANY, ROUTE_HANDLER(reservation_create), ""},
    {METHOD_GET,  "/v1/reservations",                      SCOPE_ANY, ROUTE_HANDLER(reservation_list),   "ids q user_id status sort limit cursor"},
    {METHOD_GET,  "/v1/reservations/{reservation}",        SCOPE_ANY, ROUTE_HANDLER(reservation_get),    ""},
    {METHOD_POST, "/v1/reservations/{reservation}/cancel", SCOPE_ANY, ROUTE_HANDLER(reservation_cancel), ""},
};
/* clang-format on */

int
main(int argc, char **argv)
{
	return service_main(argc, argv, "cgi-rooms", "loyalty_rooms", routes,
	    sizeof(routes) / sizeof(routes[0]), NULL);
}
