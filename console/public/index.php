<?php

declare(strict_types=1);

// The only way in.  PHP-FPM comes here for every address below /console/.

namespace Loyalty\Console;

require dirname(__DIR__) . '/src/load.php';

$request = Request::current();
try {
	$settings = Settings::fromEnvironment(false);
	$response = (new App($settings, dirname(__DIR__), time()))->handle($request);
	$response->send($request->method !== 'HEAD');
} catch (\Throwable $e) {
	Log::write('error', $request->id, get_class($e) . ': ' . $e->getMessage() . ' at ' . $e->getFile() . ':' . $e->getLine());
	http_response_code(500);
	header('Content-Type: text/html; charset=utf-8');
	foreach (Response::HEADERS as $name => $value) {
		header("$name: $value");
	}
	echo '<!doctype html><html lang="en"><title>Something broke</title><h1>Something broke on our side</h1><p>The log knows the request id <code>',
		htmlspecialchars($request->id), '</code>.</p><p><a href="/console/">Back to the console</a></p></html>';
}
