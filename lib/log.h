#ifndef LOYALTY_LOG_H
#define LOYALTY_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_ALWAYS };

/* Set once, before threads start.  program is not copied. */
void log_init(const char *program, enum log_level level);

/*
 * From now on no line is waited for: what standard error does not take at
 * once (a pipe that nobody empties, a disk that is full, a terminal that is
 * stopped) is dropped and counted, and the next line that can be written is
 * preceded by one with the number.  The descriptor that other processes share
 * stays as it is: blocking for them.  Call it after log_init, before threads
 * start; without it lines are written to descriptor 2 and waited for.
 * It may start a thread, which the end of the program waits for half a second
 * at most.
 */
void log_open(void);

/*
 * One line to stderr, in one write: time (RFC 3339, UTC), level, program,
 * request id ("-" where NULL) and the message, in which control characters
 * become '?'.  Longer than 1 kB is cut.  Never a key, never a body.
 * LOG_ALWAYS: a line at info that programs read, so it is written at every level.
 * Safe from any thread.
 */
void log_line(enum log_level level, const char *request_id, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Write the line with the number of dropped ones now, if there are any that
 * no line has told and standard error takes it.  For those who log seldom.
 */
void log_catch_up(void);

/* How many lines were dropped since the start.  It only grows. */
long long log_dropped(void);

#endif
