<?php

declare(strict_types=1);

namespace Loyalty\Console;

/** A session cannot be written: the disk is full, or the folder is not what it was at the start. */
final class SessionsFull extends \RuntimeException
{
}
