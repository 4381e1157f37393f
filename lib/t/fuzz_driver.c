#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

#define INPUT_MAX 4096

/*
 * fuzz_X ROUNDS FILE   the seeds, then ROUNDS mutations of them, always the
 *                      same; FILE holds the input at hand, for when it fails
 * fuzz_X -w FOLDER     write the seeds to files, for libFuzzer
 */

static uint64_t state = 0x9e3779b97f4a7c15;

/* Marsaglia's xorshift: below n. */
static size_t
below(size_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (size_t)((state >> 11) % n);
}

static size_t
count(const struct fuzz_seed *list)
{
	size_t n = 0;

	while (list[n].s != NULL)
		n++;
	return n;
}

/* Make room for n bytes at `at`, or take them out. */
static size_t
shift(uint8_t *p, size_t len, size_t at, size_t n, int in)
{
	if (in) {
		if (n > INPUT_MAX - len)
			n = INPUT_MAX - len;
		memmove(p + at + n, p + at, len - at);
		return len + n;
	}
	if (n > len - at)
		n = len - at;
	memmove(p + at, p + at + n, len - at - n);
	return len - n;
}

static size_t
mutate(uint8_t *p, size_t len)
{
	const struct fuzz_seed *other = &fuzz_seeds[below(count(fuzz_seeds))],
			       *word = &fuzz_words[below(count(fuzz_words))];
	size_t at = below(len + 1), n = 1 + below(16), from, grown;
	uint8_t copy[16];

	switch (below(8)) {
	case 0: /* a bit */
		if (at < len)
			p[at] ^= (uint8_t)(1U << below(8));
		return len;
	case 1: /* a byte */
		if (at < len)
			p[at] = (uint8_t)below(256);
		return len;
	case 2: /* less */
		return shift(p, len, at, n, 0);
	case 3: /* a part again */
		from = below(len + 1);
		if (n > len - from)
			n = len - from;
		memcpy(copy, p + from, n);
		grown = shift(p, len, at, n, 1);
		memcpy(p + at, copy, grown - len);
		return grown;
	case 4: /* the end gone */
		return below(4) == 0 ? at : len;
	case 5: /* the end of another */
		from = below(other->len + 1);
		n = other->len - from < INPUT_MAX - at ? other->len - from : INPUT_MAX - at;
		memcpy(p + at, other->s + from, n);
		return at + n;
	default: /* a word */
		grown = shift(p, len, at, word->len, 1);
		memcpy(p + at, word->s, grown - len);
		return grown;
	}
}

static void
try(int fd, const uint8_t *p, size_t len)
{
	uint8_t *exact = malloc(len + (len == 0)); /* so that a sanitizer sees one byte too many */

	if (exact == NULL || pwrite(fd, p, len, 0) != (ssize_t)len
	    || ftruncate(fd, (off_t)len) != 0)
		abort();
	memcpy(exact, p, len);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
}

static int
write_seeds(const char *folder)
{
	char path[300];
	size_t i;

	for (i = 0; fuzz_seeds[i].s != NULL; i++) {
		FILE *f;

		snprintf(path, sizeof(path), "%s/%zu", folder, i);
		if ((f = fopen(path, "w")) == NULL
		    || fwrite(fuzz_seeds[i].s, 1, fuzz_seeds[i].len, f) != fuzz_seeds[i].len
		    || fclose(f) != 0) {
			perror(path);
			return 1;
		}
	}
	return 0;
}

int
main(int argc, char **argv)
{
	uint8_t input[INPUT_MAX];
	long rounds, i;
	int fd;

	if (argc == 3 && strcmp(argv[1], "-w") == 0)
		return write_seeds(argv[2]);
	if (argc != 3 || (rounds = atol(argv[1])) < 1
	    || (fd = open(argv[2], O_CREAT | O_RDWR | O_TRUNC, 0600)) < 0) {
		fprintf(stderr, "usage: %s ROUNDS FILE | -w FOLDER\n", argv[0]);
		return 2;
	}
	for (i = 0; fuzz_seeds[i].s != NULL; i++)
		try(fd, (const uint8_t *)fuzz_seeds[i].s, fuzz_seeds[i].len);
	for (i = 0; i < rounds; i++) {
		const struct fuzz_seed *seed = &fuzz_seeds[below(count(fuzz_seeds))];
		size_t len = seed->len, k = 1 + below(1 + below(8));

		memcpy(input, seed->s, len);
		while (k-- > 0)
			len = mutate(input, len);
		try(fd, input, len);
	}
	close(fd);
	printf("%s: %ld inputs\n",
	    strrchr(argv[0], '/') != NULL ? strrchr(argv[0], '/') + 1 : argv[0],
	    rounds + (long)count(fuzz_seeds));
	return 0;
}
