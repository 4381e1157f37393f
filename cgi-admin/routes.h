#ifndef ADMIN_ROUTES_H
#define ADMIN_ROUTES_H

#include "service.h"

/* The handlers of the table in main.c, each in the file of its name. */
route_handler user_list, user_get, user_put, user_erase, user_export, admin_room_list, room_create,
    admin_room_get, room_change, reservation_approve, reservation_reject, reservation_release,
    history_rooms, history_reservations, history_points, history_users, event_list, outbox_list,
    outbox_get, outbox_retry, summary_get, audit_get, metrics_get;

#endif
