<?php

declare(strict_types=1);

namespace Loyalty\Console;

/** What the next page says first: that it was done.  Sealed, and gone once it was shown. */
final class Notice
{
	public const COOKIE = '__Host-loyalty-notice';

	public static function cookie(Sealer $sealer, string $text, string $requestId): string
	{
		$value = $sealer->seal('notice', ['t' => mb_strimwidth($text, 0, 600, "\u{2026}"), 'r' => $requestId, 'i' => time()]);
		return self::line($value) . '; Max-Age=60';
	}

	/** @return array{text: string, id: string, at: string}|null */
	public static function open(Sealer $sealer, string $cookie, int $now): ?array
	{
		$value = $sealer->open('notice', $cookie);
		return $value === null || $now - $value['i'] > 60 ? null : ['text' => $value['t'], 'id' => $value['r'], 'at' => gmdate('Y-m-d\TH:i:s\Z', $value['i'])];
	}

	public static function noCookie(): string
	{
		return self::line('') . '; Max-Age=0';
	}

	private static function line(string $value): string
	{
		return self::COOKIE . "=$value; Path=/; Secure; HttpOnly; SameSite=Strict";
	}
}
