<?php

declare(strict_types=1);

namespace Loyalty\Console;

/** One answer of the API. */
final class Answer
{
	private mixed $json = null;

	/** @param array<string, string> $headers names in lower case */
	public function __construct(
		public readonly int $status,
		private readonly array $headers,
		public readonly string $body,
		public readonly ?Problem $problem,
	) {
	}

	public function isFine(): bool
	{
		return $this->problem === null;
	}

	/** Itself, if it is fine. @throws Refused */
	public function orThrow(): self
	{
		if ($this->problem !== null) {
			throw new Refused($this->problem);
		}
		return $this;
	}

	/** @return array<mixed> the body of a fine answer */
	public function json(): array
	{
		$this->orThrow();
		return $this->json ??= (array) json_decode($this->body, true, 32, JSON_THROW_ON_ERROR);
	}

	/** The cursor of the next page of a list; '' on the last. */
	public function next(): string
	{
		if (!preg_match('/<[^>]*[?&]cursor=([^&>]+)[^>]*>; rel="next"/', $this->headers['link'] ?? '', $found)) {
			return '';
		}
		return rawurldecode($found[1]);
	}

	/** The version that was shown, for If-Match; '' where the API gives none. */
	public function etag(): string
	{
		return $this->headers['etag'] ?? '';
	}

	/** The answer to an earlier sending of the same form. */
	public function isReplayed(): bool
	{
		return ($this->headers['idempotency-replayed'] ?? '') === 'true';
	}
}
