#ifndef NOTIFIER_RETRY_H
#define NOTIFIER_RETRY_H

#include <stdint.h>

/*
 * How long to wait before the next try: `least` after the first failure,
 * twice that after the second and so on up to `most`; up to a quarter less by
 * `random` (any number), so that those who failed together part.  tries:
 * failures so far, this one included; 0 counts as 1.  Any unit; the result is
 * at least 1 and never above `most`.
 */
int64_t retry_delay(int64_t least, int64_t most, int64_t tries, uint32_t random);

#endif
