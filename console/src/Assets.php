<?php

declare(strict_types=1);

namespace Loyalty\Console;

/** The style sheet and the script: under names that change with what is in them, so that browsers may keep them for ever. */
final class Assets
{
	private const TYPES = ['css' => 'text/css; charset=utf-8', 'js' => 'text/javascript; charset=utf-8', 'svg' => 'image/svg+xml'];

	public function __construct(private readonly string $folder)
	{
	}

	public function url(string $name): string
	{
		return '/console/static/' . $name . '?' . $this->version($name);
	}

	/** null where there is no such file */
	public function serve(string $name, Request $request): ?Response
	{
		$type = self::TYPES[pathinfo($name, PATHINFO_EXTENSION)] ?? null;
		if ($type === null || !preg_match('/\A[a-z]+\.[a-z]+\z/', $name) || !is_file("$this->folder/$name")) {
			return null;
		}
		$etag = '"' . $this->version($name) . '"';
		if ($request->header('if-none-match') === $etag) {
			return Response::notModified($etag);
		}
		return Response::file($type, (string) file_get_contents("$this->folder/$name"), $etag);
	}

	private function version(string $name): string
	{
		return substr(sha1_file("$this->folder/$name") ?: '', 0, 12);
	}
}
