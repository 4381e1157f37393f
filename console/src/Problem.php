<?php

declare(strict_types=1);

namespace Loyalty\Console;

/** Why the API did not do what it was asked: its problem document, in words for people. */
final class Problem
{
	/** By problem: what happened, and what one can do. */
	private const WORDS = [
		'unreachable' => 'The system does not answer. It may be starting, or it is stopped.',
		'gateway-changed' => 'The gateway shows a certificate with another key than the console knows. Whoever runs the system has to restart the console.',
		'answer-too-long' => 'The system sent an answer that is longer than the console reads. Tell whoever runs the system.',
		'unavailable' => 'The system is busy or cannot be reached right now. Try again.',
		'rate-limited' => 'Too many requests. Wait a moment, then try again.',
		'sold-out' => 'No unit of this room is left.',
		'insufficient-points' => 'There are not enough points for this.',
		'invalid-transition' => 'This is no longer possible: it has changed since you looked.',
		'changed-meanwhile' => 'Somebody else has changed this since you opened the page, so nothing was saved. Check the values below, then save again.',
		'precondition-failed' => 'This changes all the time at the moment, so nothing was saved. Try again.',
		'stock-below-reserved' => 'More units are reserved than that. Release or cancel some first, or keep a larger total.',
		'balance-limit' => 'The balance would be larger than the system can hold.',
		'room-exists' => 'There is a room with this id already.',
		'room-not-found' => 'There is no such room.',
		'user-not-found' => 'There is no such person.',
		'reservation-not-found' => 'There is no such reservation.',
		'not-found' => 'There is nothing here.',
		'validation' => 'Check the fields below.',
		'idempotency-key-reused' => 'This form was sent before with other values, and that first time counted: nothing more was changed now. '
			. 'Look at what is there before you try again.',
		'payload-too-large' => 'That is more than the system accepts at once.',
		'internal' => 'Internal error. Quote the request id when you report it.',
	];

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
			return new self($status >= 500 ? 'unavailable' : 'bad-request', $status, "The system answered with the status $status.", $requestId);
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

	public function words(): string
	{
		return self::WORDS[$this->type] ?? 'The system refused this.';
	}

	/** Whether nobody knows if it was done: the same form may be sent again. */
	public function isUnknown(): bool
	{
		return $this->status >= 500;
	}
}
