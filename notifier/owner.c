#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "owner.h"

int
owner_take(const char *path, struct uuid *owner)
{
	char text[UUID_TEXT + 1] = "";
	struct uuid fresh;
	int fd;

	if (!uuid_v7(&fresh)) {
		errno = ENOSYS;
		return -1;
	}
	if (path == NULL) {
		*owner = fresh;
		return 0;
	}
	if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		close(fd);
		if (errno != EWOULDBLOCK)
			return -1;
		*owner = fresh;
		return 0;
	}
	/* From here on fd stays open: it is the lock. */
	if (pread(fd, text, UUID_TEXT, 0) == UUID_TEXT && uuid_parse(owner, text, UUID_TEXT))
		return 1;
	uuid_text(text, fresh.b);
	text[UUID_TEXT] = '\n';
	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, sizeof(text), 0) != (ssize_t)sizeof(text)) {
		close(fd);
		return -1;
	}
	*owner = fresh;
	return 1;
}
