<?php

declare(strict_types=1);

namespace Loyalty\Console\Page;

use Loyalty\Console\Context;
use Loyalty\Console\Problem;

/** What all pages have. */
abstract class Page
{
	public function __construct(protected readonly Context $c)
	{
	}

	protected function field(string $name): string
	{
		return trim($this->c->request->field($name));
	}

	/**
	 * A whole number out of a form; spaces, commas and a typographic minus
	 * are how people write them.  null, and a word in $wrong, where it is none.
	 * @param array<string, string> $wrong
	 */
	protected function whole(string $name, int $low, int $high, array &$wrong, ?string $value = null): ?int
	{
		$text = str_replace([' ', "\u{a0}", "\u{202f}", ','], '', $value ?? $this->field($name));
		$text = str_replace("\u{2212}", '-', $text);
		if ($text === '') {
			$wrong[$name] = 'Fill this in.';
		} elseif (!preg_match('/\A[+-]?[0-9]{1,18}\z/', $text)) {
			$wrong[$name] = 'Enter a whole number.';
		} elseif ((int) $text < $low || (int) $text > $high) {
			$wrong[$name] = sprintf('Enter a number from %s to %s.', number_format($low), number_format($high));
		} else {
			return (int) $text;
		}
		return null;
	}

	/** @param array<string, string> $wrong */
	protected function reason(string $name, array &$wrong): string
	{
		$text = $this->field($name);
		if ($text === '') {
			$wrong[$name] = 'Enter a reason. It is kept with the change.';
		} elseif (mb_strlen($text) > 200) {
			$wrong[$name] = 'At most 200 characters; these are ' . mb_strlen($text) . '.';
		} elseif (preg_match('/[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]/', $text)) {
			$wrong[$name] = 'Remove the control character (a tab, perhaps).';
		}
		return $text;
	}

	/** @param array<string, string> $wrong */
	protected function name(string $name, array &$wrong): string
	{
		$text = $this->field($name);
		if ($text === '') {
			$wrong[$name] = 'Fill this in.';
		} elseif (mb_strlen($text) > 200) {
			$wrong[$name] = 'At most 200 characters; these are ' . mb_strlen($text) . '.';
		} elseif (preg_match('/[\x00-\x1f\x7f]|\xc2[\x80-\x9f]|[\x{202a}-\x{202e}\x{2066}-\x{2069}]/u', $text)) {
			$wrong[$name] = 'Remove the invisible character: control characters and direction overrides are not allowed.';
		}
		return $text;
	}

	/** @param array<string, string> $wrong */
	protected function misfilled(array $wrong): Problem
	{
		return Problem::form($wrong, $this->c->request->id);
	}
}
