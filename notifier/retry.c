#include "retry.h"

int64_t
retry_delay(int64_t least, int64_t most, int64_t tries, uint32_t random)
{
	int64_t delay = least < most ? least : most;

	while (tries-- > 1 && delay < most)
		delay = delay <= most / 2 ? 2 * delay : most;
	if (delay < 1)
		return 1;
	delay -= (int64_t)(random % (uint64_t)(delay / 4 + 1));
	return delay;
}
