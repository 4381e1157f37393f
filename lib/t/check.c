#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "db.h"

bool
check_that(bool ok, const char *file, unsigned line, const char *fmt, ...)
{
	char what[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	CU_assertImplementation(ok, line, what, file, "", CU_FALSE);
	return ok;
}

bool
check_text(
    const char *what, const char *p, size_t n, const char *want, const char *file, unsigned line)
{
	bool ok = p != NULL && n == strlen(want) && memcmp(p, want, n) == 0;

	return check_that(ok, file, line, "%s is '%.*s', not '%s'", what,
	    p != NULL ? (int)(n < 200 ? n : 200) : 6, p != NULL ? p : "(NULL)", want);
}

/* ---- standard error ---- */

static int kept_stderr = -1;
static FILE *captured;

void
check_stderr_begin(void)
{
	fflush(stderr);
	kept_stderr = dup(STDERR_FILENO);
	captured = tmpfile();
	if (captured == NULL || dup2(fileno(captured), STDERR_FILENO) < 0)
		abort();
}

char *
check_stderr_end(size_t *len)
{
	char *text = NULL;
	long n;

	fflush(stderr);
	if (dup2(kept_stderr, STDERR_FILENO) < 0)
		abort();
	close(kept_stderr);
	n = lseek(fileno(captured), 0, SEEK_END);
	if (n < 0 || (text = calloc(1, (size_t)n + 1)) == NULL)
		abort();
	rewind(captured);
	*len = fread(text, 1, (size_t)n, captured);
	fclose(captured);
	return text;
}

/* ---- folder, time, processes ---- */

static char folder[64];
static pid_t folder_owner; /* not its children */

static void
remove_folder(void)
{
	char command[100];

	if (getpid() != folder_owner)
		return;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	if (system(command) != 0)
		fprintf(stderr, "%s: not removed\n", folder);
}

const char *
check_folder(void)
{
	if (folder[0] == '\0') {
		strcpy(folder, "/tmp/loyalty-check-XXXXXX");
		if (mkdtemp(folder) == NULL)
			abort();
		folder_owner = getpid();
		atexit(remove_folder);
	}
	return folder;
}

int64_t
check_since(int64_t start)
{
	return db_now_ms() - start;
}

void
check_pause(int ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	nanosleep(&ts, NULL);
}

pid_t
check_spawn(const char *path, char *const argv[])
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	pid_t pid;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 1024) != 0)
		abort();
	if ((pid = fork()) == 0) {
		if (dup2(fd, STDIN_FILENO) == 0)
			execv("/proc/self/exe", argv);
		_exit(127);
	}
	close(fd);
	return pid;
}

int
check_wait(pid_t pid, int ms)
{
	int64_t start = db_now_ms();
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (check_since(start) > ms) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -2;
		}
		check_pause(5);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
