<?php

declare(strict_types=1);

// Finds classes, and makes an exception of every warning: nothing is worked around in silence.

namespace Loyalty\Console;

error_reporting(E_ALL);
set_error_handler(static function (int $level, string $text, string $file, int $line): bool {
	// Debian's Twig may be older than its PHP: what it will have to change one day is not our error.
	if (in_array($level, [E_DEPRECATED, E_USER_DEPRECATED], true) && !str_starts_with($file, dirname(__DIR__) . '/src/')) {
		return true;
	}
	if ((error_reporting() & $level) === 0) {
		return true; // an @, in the one place where a failure is no matter: Log
	}
	throw new \ErrorException($text, 0, $level, $file, $line);
});
date_default_timezone_set('UTC');
mb_internal_encoding('UTF-8');

spl_autoload_register(static function (string $class): void {
	if (str_starts_with($class, 'Loyalty\\Console\\')) {
		$file = __DIR__ . '/' . strtr(substr($class, strlen('Loyalty\\Console\\')), '\\', '/') . '.php';
		if (is_file($file)) {
			require $file;
		}
	}
});
require_once 'Twig/autoload.php';
