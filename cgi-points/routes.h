#ifndef POINTS_ROUTES_H
#define POINTS_ROUTES_H

#include "service.h"

/* The handlers of the table in main.c, each in the file of its name. */
route_handler points_get, points_adjust;

#endif
