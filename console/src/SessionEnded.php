<?php

declare(strict_types=1);

namespace Loyalty\Console;

/** The key of the session is no longer one that opens the staff's doors. */
final class SessionEnded extends \RuntimeException
{
}
