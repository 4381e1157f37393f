<?php

declare(strict_types=1);

namespace Loyalty\Console\Page;

use Loyalty\Console\Context;
use Loyalty\Console\Problem;
use Loyalty\Console\Words;

/** What all pages have. */
abstract class Page
{
	public function __construct(protected readonly Context $c)
	{
	}

	protected static function isId(string $text): bool
	{
		return preg_match('/\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\z/i', $text) === 1;
	}

	protected function field(string $name): string
	{
		return trim($this->c->request->field($name));
	}

	/** What is looked for in names, as the API takes it; marks without a letter are nothing. */
	protected function looked(): string
	{
		$q = mb_substr(trim($this->c->request->query('q')), 0, 200);
		return preg_match('/\A\p{Mn}+\z/u', $q) ? '' : $q;
	}

	/**
	 * A whole number out of a form, as people write it.  null, and a word in $wrong, where it is none.
	 * @param array<string, string> $wrong
	 */
	protected function whole(string $name, int $low, int $high, array &$wrong, ?string $value = null): ?int
	{
		$text = trim($value ?? $this->field($name));
		$number = Words::whole($text);
		if ($text === '') {
			$wrong[$name] = Words::say('form.empty');
		} elseif ($number === null) {
			$wrong[$name] = Words::say('form.not_whole');
		} elseif ($number < $low || $number > $high) {
			$wrong[$name] = Words::say('form.range', ['low' => $low, 'high' => $high]);
		} else {
			return $number;
		}
		return null;
	}

	/** @param array<string, string> $wrong */
	protected function reason(string $name, array &$wrong, ?string $value = null): string
	{
		$text = $value ?? $this->field($name);
		if ($text === '') {
			$wrong[$name] = Words::say('form.reason');
		} elseif (mb_strlen($text) > 200) {
			$wrong[$name] = Words::say('form.long', ['now' => mb_strlen($text), 'most' => 200]);
		} elseif (preg_match('/[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]/', $text)) {
			$wrong[$name] = Words::say('form.control');
		}
		return $text;
	}

	/** @param array<string, string> $wrong */
	protected function name(string $name, array &$wrong): string
	{
		$text = $this->field($name);
		if ($text === '') {
			$wrong[$name] = Words::say('form.empty');
		} elseif (mb_strlen($text) > 200) {
			$wrong[$name] = Words::say('form.long', ['now' => mb_strlen($text), 'most' => 200]);
		} elseif (preg_match('/[\x00-\x1f\x7f]|\xc2[\x80-\x9f]|[\x{202a}-\x{202e}\x{2066}-\x{2069}]/u', $text)) {
			$wrong[$name] = Words::say('form.control');
		}
		return $text;
	}

	/** A day of the form, as the API writes times; '' where none is given. @param array<string, string> $wrong */
	protected function aDay(string $name, array &$wrong, int $plus): string
	{
		$text = trim($this->c->request->query($name));
		if ($text === '') {
			return '';
		}
		// As the hotel's clock has it: a day may have 23 or 25 hours.
		$day = \DateTimeImmutable::createFromFormat('!Y-m-d', $text, Words::zone());
		if ($day === false || $day->format('Y-m-d') !== $text) {
			$wrong[$name] = Words::say('form.day');
			return '';
		}
		return gmdate('Y-m-d\TH:i:s\Z', $day->modify("+$plus days")->getTimestamp());
	}

	/** @param array<string, string> $wrong */
	protected function misfilled(array $wrong): Problem
	{
		return Problem::form($wrong, $this->c->request->id);
	}
}
