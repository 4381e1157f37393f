<?php

declare(strict_types=1);

namespace Loyalty\Console;

/** What is sent back.  Every answer has the headers of page() unless it says otherwise. */
final class Response
{
	// Nothing from elsewhere, nothing inline, nobody frames us.  The referrer
	// stays on this host; without one, browsers call the origin of a form null.
	public const HEADERS = [
		'Content-Security-Policy' => "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
			. "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
		'Referrer-Policy' => 'same-origin',
		'Cross-Origin-Opener-Policy' => 'same-origin',
		'Cross-Origin-Resource-Policy' => 'same-origin',
		'Permissions-Policy' => 'camera=(), geolocation=(), microphone=(), payment=()',
		'Cache-Control' => 'no-store',
	];

	/**
	 * @param array<string, string> $headers
	 * @param list<string> $cookies Set-Cookie lines
	 */
	private function __construct(
		public readonly int $status,
		public readonly array $headers,
		public readonly string $body,
		public readonly array $cookies = [],
		private readonly ?\Closure $stream = null,
	) {
	}

	public static function page(string $html, int $status = 200): self
	{
		return new self($status, ['Content-Type' => 'text/html; charset=utf-8'] + self::HEADERS, $html);
	}

	/** Look there, with GET. */
	public static function seeOther(string $path): self
	{
		return new self(303, ['Location' => $path, 'Content-Type' => 'text/html; charset=utf-8'] + self::HEADERS, '');
	}

	public static function file(string $type, string $body, string $etag): self
	{
		return new self(200, ['Content-Type' => $type, 'Cache-Control' => 'public, max-age=31536000, immutable', 'ETag' => $etag] + self::HEADERS, $body);
	}

	/**
	 * A file that is written as it is made.
	 * @param \Closure(): void $write echoes it
	 */
	public static function download(string $type, string $name, \Closure $write): self
	{
		return new self(200, ['Content-Type' => $type, 'Content-Disposition' => "attachment; filename=\"$name\""] + self::HEADERS, '', [], $write);
	}

	public static function notModified(string $etag): self
	{
		return new self(304, ['ETag' => $etag, 'Cache-Control' => 'public, max-age=31536000, immutable'] + self::HEADERS, '');
	}

	public function withHeader(string $name, string $value): self
	{
		return new self($this->status, [$name => $value] + $this->headers, $this->body, $this->cookies, $this->stream);
	}

	/** With this directive of the policy, in the place of the one of its name. */
	public function withPolicy(string $directive): self
	{
		$name = strtok($directive, ' ');
		$parts = array_filter(explode('; ', $this->headers['Content-Security-Policy']), static fn (string $part): bool => !str_starts_with($part, "$name "));
		return $this->withHeader('Content-Security-Policy', implode('; ', [...$parts, $directive]));
	}

	public function withCookie(string $line): self
	{
		return new self($this->status, $this->headers, $this->body, [...$this->cookies, $line], $this->stream);
	}

	public function hasCookie(string $name): bool
	{
		return array_filter($this->cookies, static fn (string $line): bool => str_starts_with($line, "$name=")) !== [];
	}

	public function send(bool $withBody): void
	{
		http_response_code($this->status);
		foreach ($this->headers as $name => $value) {
			header("$name: $value");
		}
		foreach ($this->cookies as $line) {
			header("Set-Cookie: $line", false);
		}
		if ($this->stream !== null) {
			if ($withBody) {
				($this->stream)();
			}
			return;
		}
		header('Content-Length: ' . strlen($this->body));
		if ($withBody) {
			echo $this->body;
		}
	}
}
