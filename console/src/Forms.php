<?php

declare(strict_types=1);

namespace Loyalty\Console;

/** The two hidden fields of every form: that it is of this session, and which form it is. */
final class Forms
{
	public function __construct(public readonly string $csrf, private readonly string $action, private readonly ?string $kept)
	{
	}

	/** A fresh one for each form shown; the same again where the last sending's outcome is unknown. */
	public function token(string $action): string
	{
		return $this->kept !== null && $action === $this->action ? $this->kept : Sealer::encode(random_bytes(12));
	}
}
