#ifndef POINTS_ROUTES_H
#define POINTS_ROUTES_H

#include "service.h"

/* A prototype for every handler in routes.def. */
#define ROUTE SERVICE_PROTOTYPE
#include "routes.def"
#undef ROUTE

#endif
