<?php

declare(strict_types=1);

namespace Loyalty\Console;

/** Why the API did not do what it was asked: its problem document, in words for people. */
final class Problem
{
	/** @param array<string, string> $fields what is wrong with which field */
	public function __construct(
		public readonly string $type,
		public readonly int $status,
		public readonly string $detail,
		public readonly string $requestId,
		public readonly array $fields = [],
	) {
	}

	/** Of an answer of the API; never fails, whatever the body is. */
	public static function of(int $status, string $body, string $requestId): self
	{
		$document = json_decode($body, true);
		if (!is_array($document)) {
			return new self($status >= 500 ? 'unavailable' : 'bad-request', $status, "HTTP $status", $requestId);
		}
		$text = static fn (string $name): string => is_string($document[$name] ?? null) ? $document[$name] : '';
		$fields = [];
		foreach (is_array($document['errors'] ?? null) ? $document['errors'] : [] as $error) {
			$where = is_array($error) ? self::where($error) : null;
			if ($where !== null && is_string($error['detail'] ?? null)) {
				$fields[$where] ??= $error['detail'];
			}
		}
		return new self(preg_replace('#\A/problems/#', '', $text('type')), $status, $text('detail'), $text('request_id') ?: $requestId, $fields);
	}

	/**
	 * The name of what is wrong: a member of the body (by its JSON pointer, RFC 6901), a parameter of the query or a header.
	 * @param array<mixed> $error
	 */
	private static function where(array $error): ?string
	{
		foreach (['pointer', 'parameter', 'header'] as $kind) {
			if (is_string($error[$kind] ?? null)) {
				return $kind !== 'pointer' ? $error[$kind] : str_replace(['~1', '~0'], ['/', '~'], preg_replace('#\A/#', '', $error[$kind]));
			}
		}
		return null;
	}

	/** What was filled in does not even get to the API. @param array<string, string> $fields */
	public static function form(array $fields, string $requestId): self
	{
		return new self('validation', 422, '', $requestId, $fields);
	}

	/** What happened, and what one can do. */
	public function words(): string
	{
		return Words::say(Words::has("problem.$this->type") ? "problem.$this->type" : 'problem.other');
	}

	/** What the API adds, in its own language: only where our words do not say it all. */
	public function more(): string
	{
		return Words::has("problem.$this->type") || $this->detail === '' ? '' : Words::say('problem.detail', ['text' => $this->detail]);
	}

	/** Whether nobody knows if it was done: the same form may be sent again. */
	public function isUnknown(): bool
	{
		return $this->status >= 500;
	}
}
