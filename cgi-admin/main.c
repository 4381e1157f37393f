#include "routes.h"
#include "words.h"

/* method, path, who may, handler, query parameters */
/* clang-format off */
static const struct route routes[] = {
    {METHOD_GET,   "/v1/admin/users",                              SCOPE_RESTRICTED, ROUTE_HANDLER(user_list),            "ids q sort limit cursor"},
    {METHOD_GET,   "/v1/admin/users/{user}",                       SCOPE_RESTRICTED, ROUTE_HANDLER(user_get),             ""},
    {METHOD_PUT,   "/v1/admin/users/{user}",                       SCOPE_RESTRICTED, ROUTE_HANDLER(user_put),             ""},
    {METHOD_POST,  "/v1/admin/users/{user}/erase",                 SCOPE_RESTRICTED, ROUTE_HANDLER(user_erase),           ""},
    {METHOD_GET,   "/v1/admin/users/{user}/export",                SCOPE_RESTRICTED, ROUTE_HANDLER(user_export),          ""},
    {METHOD_GET,   "/v1/admin/rooms",                              SCOPE_RESTRICTED, ROUTE_HANDLER(admin_room_list),           "max_points q sort limit cursor"},
    {METHOD_POST,  "/v1/admin/rooms",                              SCOPE_RESTRICTED, ROUTE_HANDLER(room_create),         ""},
    {METHOD_GET,   "/v1/admin/rooms/{room}",                       SCOPE_RESTRICTED, ROUTE_HANDLER(admin_room_get),            ""},
    {METHOD_PATCH, "/v1/admin/rooms/{room}",                       SCOPE_RESTRICTED, ROUTE_HANDLER(room_change),         ""},
    {METHOD_POST,  "/v1/admin/reservations/{reservation}/approve", SCOPE_RESTRICTED, ROUTE_HANDLER(reservation_approve),  ""},
    {METHOD_POST,  "/v1/admin/reservations/{reservation}/reject",  SCOPE_RESTRICTED, ROUTE_HANDLER(reservation_reject),   ""},
    {METHOD_POST,  "/v1/admin/reservations/{reservation}/release", SCOPE_RESTRICTED, ROUTE_HANDLER(reservation_release),  ""},
    {METHOD_GET,   "/v1/admin/history/rooms",                      SCOPE_RESTRICTED, ROUTE_HANDLER(history_rooms),        "room_id since until limit cursor"},
    {METHOD_GET,   "/v1/admin/history/reservations",               SCOPE_RESTRICTED, ROUTE_HANDLER(history_reservations), "reservation_id user_id since until limit cursor"},
    {METHOD_GET,   "/v1/admin/history/points",                     SCOPE_RESTRICTED, ROUTE_HANDLER(history_points),       "user_id since until limit cursor"},
    {METHOD_GET,   "/v1/admin/history/users",                      SCOPE_RESTRICTED, ROUTE_HANDLER(history_users),        "user_id since until limit cursor"},
    {METHOD_GET,   "/v1/admin/events",                             SCOPE_RESTRICTED, ROUTE_HANDLER(event_list),           "since limit cursor"},
    {METHOD_GET,   "/v1/admin/outbox",                             SCOPE_RESTRICTED, ROUTE_HANDLER(outbox_list),          "status limit cursor"},
    {METHOD_GET,   "/v1/admin/outbox/{mail}",                      SCOPE_RESTRICTED, ROUTE_HANDLER(outbox_get),           ""},
    {METHOD_POST,  "/v1/admin/outbox/{mail}/retry",                SCOPE_RESTRICTED, ROUTE_HANDLER(outbox_retry),         ""},
    {METHOD_GET,   "/v1/admin/summary",                            SCOPE_RESTRICTED, ROUTE_HANDLER(summary_get),          ""},
    {METHOD_GET,   "/v1/admin/audit",                              SCOPE_RESTRICTED, ROUTE_HANDLER(audit_get),            ""},
    {METHOD_GET,   "/v1/admin/metrics",                            SCOPE_RESTRICTED, ROUTE_HANDLER(metrics_get),          ""},
};
/* clang-format on */

int
main(int argc, char **argv)
{
	const struct conf_row language = WORDS_SETTING(&words_language);

	return service_main(argc, argv, "cgi-admin", "loyalty_admin", routes,
	    sizeof(routes) / sizeof(routes[0]), &language);
}
