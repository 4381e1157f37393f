<?php

declare(strict_types=1);

namespace Loyalty\Console;

/** What has come of an answer so far, as far as the console reads. */
final class Reply
{
	/** A page of 200 rows whose names are as long as they may be takes a quarter of it. */
	public const BODY = 2 << 20;
	public const HEAD = 64 << 10;

	/** @var array<string, string> names in lower case */
	public array $headers = [];
	public string $body = '';
	public bool $isTooLong = false;
	private int $head = 0;

	/** @param (\Closure(string): void)|null $pass takes the body of a fine answer, piece by piece */
	public function __construct(private readonly ?\Closure $pass = null)
	{
	}

	/** For CURLOPT_HEADERFUNCTION. */
	public function takeHeader(mixed $handle, string $line): int
	{
		$this->head += strlen($line);
		if ($this->head > self::HEAD) {
			$this->isTooLong = true;
			return -1;
		}
		if (str_contains($line, ':')) {
			[$name, $value] = explode(':', $line, 2);
			$this->headers[strtolower($name)] = trim($value);
		}
		return strlen($line);
	}

	/** For CURLOPT_WRITEFUNCTION. */
	public function takeBody(mixed $handle, string $data): int
	{
		if ($this->pass !== null && curl_getinfo($handle, CURLINFO_RESPONSE_CODE) === 200) {
			($this->pass)($data);
			return strlen($data);
		}
		if (strlen($this->body) + strlen($data) > self::BODY) {
			$this->isTooLong = true;
			$this->body = '';
			return -1;
		}
		$this->body .= $data;
		return strlen($data);
	}
}
