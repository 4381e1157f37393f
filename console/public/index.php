<?php

declare(strict_types=1);

// The only way in.  PHP-FPM comes here for every address below /console/.

namespace Loyalty\Console;

require dirname(__DIR__) . '/src/load.php';

$request = Request::current();

$broken = static function () use ($request): void {
	if (headers_sent()) {
		return; // of a file that was under way
	}
	http_response_code(500);
	header('Content-Type: text/html; charset=utf-8');
	foreach (Response::HEADERS as $name => $value) {
		header("$name: $value");
	}
	$language = Language::of($request);
	Words::speak($language, Language::words(dirname(__DIR__), $language), 'UTC');
	printf('<!doctype html><html lang="%s"><title>%2$s</title><h1>%2$s</h1><p>%3$s <code>%4$s</code></p><p><a href="/console/">%5$s</a></p></html>', $language, Words::say('failed.head'),
		Words::say('problem.internal'), htmlspecialchars($request->id), Words::say('missing.home'));
};

// What ends PHP itself, as too much memory does, leaves no exception; the page takes the memory that was put by for it.
$spare = str_repeat(' ', 512 << 10);
register_shutdown_function(static function () use (&$spare, $broken): void {
	$spare = null;
	if (((error_get_last()['type'] ?? 0) & (E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR)) !== 0 && !headers_sent()) {
		$broken();
	}
});

try {
	$settings = Settings::fromEnvironment(false);
	$response = (new App($settings, dirname(__DIR__), time()))->handle($request);
	$response->send($request->method !== 'HEAD');
} catch (\Throwable $e) {
	Log::write('error', $request->id, get_class($e) . ': ' . $e->getMessage() . ' at ' . $e->getFile() . ':' . $e->getLine());
	$broken();
}
