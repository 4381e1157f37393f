#ifndef LOYALTY_LOG_H
#define LOYALTY_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Set once, before threads start.  program is not copied. */
void log_init(const char *program, enum log_level level);

/*
 * One line to stderr, in one write: time (RFC 3339, UTC), level, program,
 * request id ("-" where NULL) and the message, in which control characters
 * become '?'.  Longer than 1 kB is cut.  Never a key, never a body.
 * Safe from any thread.
 */
void log_line(enum log_level level, const char *request_id, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
