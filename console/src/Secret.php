<?php

declare(strict_types=1);

namespace Loyalty\Console;

/**
 * A key belongs into the field for the key.  Typed anywhere else it would be
 * kept for ever, in a history, a mail or a log: so it is refused there.
 */
final class Secret
{
	/** What keys are made of; no name has so many of these in a row and a digit among them. */
	private const RUN = '#[A-Za-z0-9._~+/=-]{16,512}#';

	public static function isWithin(string $key, string $text): bool
	{
		return strlen($key) >= 8 && stripos($text, $key) !== false;
	}

	/** The text without the key. */
	public static function without(string $key, string $text): string
	{
		return $key === '' ? $text : str_ireplace($key, '', $text);
	}

	/** Whether there is something in the text that nobody is called. */
	public static function looksLikeOne(string $text): bool
	{
		foreach (self::candidates($text) as $run) {
			if (preg_match('/[0-9]/', $run)) {
				return true;
			}
		}
		return false;
	}

	/** @return list<string> what in the text could be a key, if the API says so */
	public static function candidates(string $text): array
	{
		preg_match_all(self::RUN, $text, $found);
		return $found[0];
	}
}
