<?php

declare(strict_types=1);

// What `console` does before and instead of serving pages.

namespace Loyalty\Console;

require __DIR__ . '/load.php';

$root = dirname(__DIR__);
$option = $argv[1] ?? '';
try {
	switch ($option) {
		case '-h':
			echo "console DIR | -t | -r | -h | -V\n\n", Settings::help();
			exit(0);
		case '-r':
			foreach (Routes::TABLE as [$method, $path, $class, $action]) {
				printf("%-5s /console%-32s %s\n", $method, $path, substr($class, strrpos($class, '\\') + 1) . "::$action");
			}
			exit(0);
		case '-t':
			Settings::fromEnvironment(true);
			exit(0);
		case '-c':
			$settings = Settings::fromEnvironment(true);
			Sessions::prepare($settings->text('LOYALTY_CONSOLE_SESSIONS'));
			(new Sessions($settings, new Sealer($settings->secrets()), time()))->clean();
			$listen = $settings->text('LOYALTY_CONSOLE_LISTEN');
			$user = posix_geteuid() === 0 ? "user = root\ngroup = root" : '';
			$conf = strtr((string) file_get_contents("$root/php-fpm.conf.in"), [
				'@USER@' => $user,
				'@LISTEN@' => $listen,
				'@WORKERS@' => $settings->text('LOYALTY_CONSOLE_WORKERS'),
				'@ROOT@' => $root,
			]);
			$file = $argv[2] . '/php-fpm.conf';
			file_put_contents("$file.new", $conf);
			rename("$file.new", $file);
			exit(0);
		case '-m':
			// For make: every template and every file of words, compiled.
			Language::compile($root);
			$n = (new View($root, "$root/build/twig", new Assets("$root/static")))->compile($root);
			exit($n > 0 ? 0 : 1);
	}
} catch (\DomainException $e) {
	foreach (explode("\n", $e->getMessage()) as $line) {
		fwrite(STDERR, "console: $line\n");
	}
	exit(1);
} catch (\Throwable $e) {
	fwrite(STDERR, 'console: ' . $e->getMessage() . "\n");
	exit(1);
}
fwrite(STDERR, "console: -h, -r, -t\n");
exit(2);
