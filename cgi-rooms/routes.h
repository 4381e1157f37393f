#ifndef ROOMS_ROUTES_H
#define ROOMS_ROUTES_H

#include "service.h"

/* The handlers of the table in main.c, each in the file of its name. */
route_handler room_list, room_get, reservation_create, reservation_list, reservation_get,
    reservation_cancel;

#endif
