#include <stdio.h>
#include <string.h>

#include "problem.h"

static const struct problem problems[] = {
    [PROB_NONE] = {"none", 200, "", ""},
    [PROB_MALFORMED_JSON] = {"malformed-json", 400, "Malformed JSON",
	"The body is not valid JSON."},
    [PROB_BAD_QUERY] = {"validation", 400, "Invalid request",
	"A query parameter or a header is invalid: see errors."},
    [PROB_VALIDATION] = {"validation", 422, "Invalid request", "The body is invalid: see errors."},
    [PROB_UNAUTHORIZED] = {"unauthorized", 401, "Unauthorized",
	"Send one valid API key, in X-API-Key or as Authorization: Bearer."},
    [PROB_FORBIDDEN] = {"forbidden", 403, "Forbidden", "This call needs the restricted API key."},
    [PROB_NOT_FOUND] = {"not-found", 404, "Not found", "There is nothing at this path."},
    [PROB_ROOM_NOT_FOUND] = {"room-not-found", 404, "Room not found",
	"There is no room with this id."},
    [PROB_USER_NOT_FOUND] = {"user-not-found", 404, "User not found",
	"There is no user with this id."},
    [PROB_RESERVATION_NOT_FOUND] = {"reservation-not-found", 404, "Reservation not found",
	"There is no reservation with this id."},
    [PROB_METHOD_NOT_ALLOWED] = {"method-not-allowed", 405, "Method not allowed",
	"This path does not support the method. Allow lists those it does."},
    [PROB_SOLD_OUT] = {"sold-out", 409, "Sold out", "No unit of this room is left."},
    [PROB_INSUFFICIENT_POINTS] = {"insufficient-points", 409, "Insufficient points",
	"The balance is too low."},
    [PROB_INVALID_TRANSITION] = {"invalid-transition", 409, "Invalid transition",
	"Its current status does not allow this."},
    [PROB_STOCK_BELOW_RESERVED] = {"stock-below-reserved", 409, "Stock below reserved",
	"The new total is below the number of units that are reserved."},
    [PROB_BALANCE_LIMIT] = {"balance-limit", 409, "Balance limit",
	"The balance would exceed 9007199254740991 points."},
    [PROB_ROOM_EXISTS] = {"room-exists", 409, "Room exists", "A room with this id already exists."},
    [PROB_USER_HAS_RESERVATIONS] = {"user-has-reservations", 409, "User has reservations",
	"The user has reservations that are RESERVED. Release or cancel them first."},
    [PROB_PRECONDITION_FAILED] = {"precondition-failed", 412, "Precondition failed",
	"The resource is not in the state that If-Match or If-None-Match asks for. Read it again "
	"before you change it."},
    [PROB_PAYLOAD_TOO_LARGE] = {"payload-too-large", 413, "Payload too large",
	"A body has at most 16 KiB."},
    [PROB_UNSUPPORTED_MEDIA_TYPE] = {"unsupported-media-type", 415, "Unsupported media type",
	"Send the body as application/json, without a content encoding."},
    [PROB_IDEMPOTENCY_KEY_REUSED] = {"idempotency-key-reused", 422, "Idempotency-Key reused",
	"This Idempotency-Key was used with another body. Use a new key for a new request."},
    [PROB_UNAVAILABLE] = {"unavailable", 503, "Service unavailable",
	"The database is unavailable. Nothing was changed. Try again."},
    [PROB_INTERNAL] = {"internal", 500, "Internal error",
	"Internal error. Quote the request id when you report it."},
};

const struct problem *
problem_of(enum prob p)
{
	return &problems[p];
}

#define PENDING "; the reservation stays PENDING_APPROVAL."
#define TRANSITION(from, done)                                                                     \
	PROB_INVALID_TRANSITION, NULL, "The reservation is %s; only a " from " one can be " done "."

static const struct refusal refusals[] = {
    {"user-not-found", PROB_USER_NOT_FOUND, NULL, NULL},
    {"room-not-found", PROB_ROOM_NOT_FOUND, NULL, NULL},
    {"reservation-not-found", PROB_RESERVATION_NOT_FOUND, NULL, NULL},
    {"mail-not-found", PROB_NOT_FOUND, NULL, "There is no mail with this id."},
    {"sold-out", PROB_SOLD_OUT, NULL, "No unit of \"%s\" is left."},
    {"sold-out-pending", PROB_SOLD_OUT, NULL, "No unit of \"%s\" is left" PENDING},
    {"insufficient-points", PROB_INSUFFICIENT_POINTS, NULL,
	"The balance is %n points: %m too few."},
    {"insufficient-points-pending", PROB_INSUFFICIENT_POINTS, NULL,
	"The balance is %n points: %m are missing" PENDING},
    {"points-above-price", PROB_VALIDATION, "/points", "must be from 0 to the price quoted, %n"},
    {"invalid-transition-cancel", TRANSITION("RESERVED or PENDING_APPROVAL", "cancelled")},
    {"invalid-transition-approve", TRANSITION("PENDING_APPROVAL", "approved")},
    {"invalid-transition-reject", TRANSITION("PENDING_APPROVAL", "rejected")},
    {"invalid-transition-release", TRANSITION("RESERVED", "released")},
    {"invalid-transition-retry", PROB_INVALID_TRANSITION, NULL,
	"The mail is %s; only a DEAD one can be sent again."},
    {"stock-below-reserved", PROB_STOCK_BELOW_RESERVED, NULL,
	"A total of %n is below the %m units that are reserved."},
    {"balance-limit", PROB_BALANCE_LIMIT, NULL, NULL},
    {"balance-limit-refund", PROB_BALANCE_LIMIT, NULL,
	"The refund would lift the balance over 9007199254740991 points."},
    {"room-exists", PROB_ROOM_EXISTS, NULL, NULL},
    {"user-has-reservations", PROB_USER_HAS_RESERVATIONS, NULL,
	"Reservations of the user that are RESERVED: %n. Release or cancel them first."},
    {"precondition-failed", PROB_PRECONDITION_FAILED, NULL, NULL},
    {"idempotency-key-reused", PROB_IDEMPOTENCY_KEY_REUSED, NULL, NULL},
};

const struct refusal *
refusal_named(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (strlen(refusals[i].name) == len && memcmp(refusals[i].name, name, len) == 0)
			return &refusals[i];
	return NULL;
}

void
refusal_detail(
    const struct refusal *r, const char *text, long long n, long long m, char *out, size_t size)
{
	const char *s = r->sentence != NULL ? r->sentence : "";
	size_t used = 0;
	int more;

	for (out[0] = '\0'; *s != '\0' && used < size - 1; s++) {
		if (*s != '%')
			more = snprintf(out + used, size - used, "%c", *s);
		else if (*++s == 's')
			more = snprintf(out + used, size - used, "%s", text != NULL ? text : "");
		else
			more = snprintf(out + used, size - used, "%lld", *s == 'n' ? n : m);
		used += (size_t)more;
	}
}
