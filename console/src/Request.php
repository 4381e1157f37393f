<?php

declare(strict_types=1);

namespace Loyalty\Console;

/** One request, as nginx passed it on. */
final class Request
{
	/**
	 * @param array<mixed> $query
	 * @param array<mixed> $form
	 * @param array<mixed> $cookies
	 * @param array<string, string> $headers names in lower case
	 */
	public function __construct(
		public readonly string $method,
		public readonly string $path,
		private readonly array $query,
		private readonly array $form,
		private readonly array $cookies,
		private readonly array $headers,
		public readonly string $id,
		public readonly string $address = '',
	) {
	}

	public static function current(): self
	{
		$headers = [];
		foreach ($_SERVER as $name => $value) {
			if (is_string($value) && str_starts_with((string) $name, 'HTTP_')) {
				$headers[strtolower(strtr(substr((string) $name, 5), '_', '-'))] = $value;
			}
		}
		$id = $_SERVER['LOYALTY_REQUEST_ID'] ?? '';
		$fits = is_string($id) && preg_match('/\A[A-Za-z0-9._-]{1,64}\z/', $id);
		return new self($_SERVER['REQUEST_METHOD'] ?? 'GET', $_SERVER['REQUEST_PATH'] ?? '/', $_GET, $_POST, $_COOKIE, $headers,
			$fits ? $id : bin2hex(random_bytes(16)), $_SERVER['REMOTE_ADDR'] ?? '');
	}

	/** The path below /console, '/' first. */
	public function route(): string
	{
		return substr($this->path, strlen('/console'));
	}

	/** A parameter of the query; '' where it is missing or no text. */
	public function query(string $name): string
	{
		return self::text($this->query, $name);
	}

	/** A field of the form, with line ends as \n; '' where it is missing or no text. */
	public function field(string $name): string
	{
		return str_replace(["\r\n", "\r"], "\n", self::text($this->form, $name));
	}

	/** @return list<string> a field that may be there several times: name[] */
	public function fields(string $name): array
	{
		$all = $this->form[$name] ?? [];
		return is_array($all) ? array_values(array_filter($all, static fn ($v): bool => is_string($v) && mb_check_encoding($v, 'UTF-8'))) : [];
	}

	/** @return array<string, string> a field of each row of a list, by the row: name[ID] */
	public function map(string $name): array
	{
		$all = $this->form[$name] ?? [];
		return is_array($all) ? array_filter($all, static fn ($v): bool => is_string($v) && mb_check_encoding($v, 'UTF-8')) : [];
	}

	/** @return array<string, string|array<string>> what a person has filled in, without the hidden fields of ours */
	public function filledIn(): array
	{
		$fields = [];
		foreach ($this->form as $name => $value) {
			if (in_array($name, ['csrf', 'form', 'key', 'resume'], true)) {
				continue;
			}
			$fields[(string) $name] = is_array($value) ? $this->map((string) $name) : $this->field((string) $name);
		}
		return $fields;
	}

	/** Whether this key was typed where no key belongs: an address, a field. */
	public function holds(string $key): bool
	{
		$found = Secret::isWithin($key, rawurldecode($this->path));
		$texts = [$this->query, array_diff_key($this->form, array_flip(['csrf', 'form', 'key', 'resume']))];
		array_walk_recursive($texts, static function (mixed $value, string|int $name) use ($key, &$found): void {
			$found = $found || Secret::isWithin($key, (string) $name) || (is_string($value) && Secret::isWithin($key, $value));
		});
		return $found;
	}

	/** @return array<string, string> the same without lists: for a form that is shown again */
	public function typed(): array
	{
		return array_filter($this->filledIn(), 'is_string');
	}

	public function cookie(string $name): string
	{
		return self::text($this->cookies, $name);
	}

	public function header(string $name): string
	{
		return $this->headers[$name] ?? '';
	}

	/** Asked by the page itself, not by a person: by its script, or by the strip in it that refreshes itself. */
	public function isLive(): bool
	{
		return $this->header('x-live') !== '' || $this->isStrip();
	}

	public function isStrip(): bool
	{
		return $this->path === '/console/pending/news';
	}

	public function isPost(): bool
	{
		return $this->method === 'POST';
	}

	/**
	 * Whether a form was sent by a page of this very host.  The browser knows:
	 * it compares the addresses that it shows, so a proxy in front may rewrite
	 * Host.  Older browsers say Origin alone, which has to be this Host then;
	 * who says nothing is refused.
	 */
	public function isFromHere(): bool
	{
		$site = $this->header('sec-fetch-site');
		if ($site !== '') {
			return in_array($site, ['same-origin', 'none'], true); // none: by the person's own hand, as at a reload
		}
		$origin = $this->header('origin');
		return $origin !== '' && hash_equals('https://' . strtolower($this->header('host')), strtolower($origin));
	}

	/** @param array<mixed> $from */
	private static function text(array $from, string $name): string
	{
		$value = $from[$name] ?? '';
		return is_string($value) && mb_check_encoding($value, 'UTF-8') ? $value : '';
	}
}
