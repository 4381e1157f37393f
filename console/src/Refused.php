<?php

declare(strict_types=1);

namespace Loyalty\Console;

/** The API refused, or could not be reached. */
final class Refused extends \RuntimeException
{
	public function __construct(public readonly Problem $problem)
	{
		parent::__construct("{$problem->status} {$problem->type}: {$problem->detail}");
	}
}
