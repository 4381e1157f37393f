#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

static const char *log_program = "loyalty";
static enum log_level log_most = LOG_INFO;

void
log_init(const char *program, enum log_level level)
{
	log_program = program;
	log_most = level;
}

void
log_line(enum log_level level, const char *request_id, const char *fmt, ...)
{
	static const char *const name[] = {"error", "warn", "info", "debug"};
	char line[1280];
	struct timespec ts;
	struct tm tm;
	size_t i, start, len;
	va_list ap;
	int n;

	if (level > log_most)
		return;
	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	len = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &tm);
	n = snprintf(line + len, sizeof(line) - len, ".%06ldZ %s %s %s ", ts.tv_nsec / 1000,
	    name[level], log_program, request_id != NULL && *request_id != '\0' ? request_id : "-");
	len += (size_t)n;
	if (len > sizeof(line) / 2)
		len = sizeof(line) / 2; /* a request id has 64 characters; be that as it may */
	start = len;
	va_start(ap, fmt);
	n = vsnprintf(line + len, sizeof(line) - len - 1, fmt, ap);
	va_end(ap);
	if (n > 0)
		len += (size_t)n < sizeof(line) - len - 1 ? (size_t)n : sizeof(line) - len - 2;
	for (i = start; i < len; i++) {
		unsigned char c = (unsigned char)line[i];

		/* C1 controls as well: 0xc2 and 0x80 to 0x9f in UTF-8 */
		if (c == 0xc2 && i + 1 < len && (unsigned char)line[i + 1] >= 0x80
		    && (unsigned char)line[i + 1] <= 0x9f)
			line[i] = line[i + 1] = '?';
		else if (c < 0x20 || c == 0x7f)
			line[i] = '?';
	}
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* nowhere left to say it */
}
