#ifndef ADMIN_ROUTES_H
#define ADMIN_ROUTES_H

#include "service.h"

/* A prototype for every handler in routes.def. */
#define ROUTE SERVICE_PROTOTYPE
#include "routes.def"
#undef ROUTE

#endif
