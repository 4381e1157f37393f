<?php

declare(strict_types=1);

namespace Loyalty\Console;

/** A line each on stderr, as the other programs write them; never a key. */
final class Log
{
	private const LEVELS = ['error' => 0, 'warn' => 1, 'info' => 2, 'debug' => 3];
	private static string $level = 'info';
	private static string $key = '';

	public static function level(string $level): void
	{
		self::$level = $level;
	}

	/** Whatever is written from here on: not this. */
	public static function hide(?string $key): void
	{
		self::$key = $key ?? '';
	}

	public static function write(string $level, string $requestId, string $text): void
	{
		if (self::LEVELS[$level] > self::LEVELS[self::$level]) {
			return;
		}
		$now = \DateTimeImmutable::createFromFormat('U.u', sprintf('%.6F', microtime(true)));
		$line = preg_replace_callback('/[\x00-\x1f\x7f]|\xc2[\x80-\x9f]/', static fn (array $c): string => '\\x' . bin2hex($c[0]), $text);
		// That nobody takes down what was done (the master is gone, the disk is full) must not stop it: "n" opens
		// it anew, so that a write fails where it would wait, and leaves it as it is for others who have it open.
		$stderr = @fopen('/proc/self/fd/2', 'an');
		if ($stderr === false) { // a socket, or another user's pipe, which is this worker's alone
			if (($stderr = @fopen('php://stderr', 'w')) === false) {
				return;
			}
			stream_set_blocking($stderr, false);
		}
		$line = sprintf('%s %s console %s %s', $now->format("Y-m-d\\TH:i:s.u\\Z"), $level, $requestId === '' ? '-' : $requestId, $line);
		@fwrite($stderr, (self::$key === '' ? $line : str_ireplace(self::$key, '(key)', $line)) . "\n");
		fclose($stderr);
	}
}
