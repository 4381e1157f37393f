<?php

declare(strict_types=1);

namespace Loyalty\Console;

/** The key of the session is no longer one that opens the staff's doors. */
final class SessionEnded extends \RuntimeException
{
	/** @param int $status 401: nobody's key; 403: a key that opens other doors */
	public function __construct(public readonly int $status)
	{
		parent::__construct("the API answered $status");
	}
}
