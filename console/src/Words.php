<?php

declare(strict_types=1);

namespace Loyalty\Console;

/**
 * What people read: the sentences of one language, and numbers and times as its
 * readers write them.  A process serves one page at a time, so which language and
 * which time zone that is stands here for all.
 */
final class Words
{
	public const STATUSES = ['PENDING_APPROVAL', 'RESERVED', 'RELEASED', 'CANCELLED', 'REJECTED'];
	public const MAILS = ['PENDING', 'SENT', 'DEAD'];

	/** What it is drawn with in a chart: the colour that its word has in a list. */
	private const COLOURS = ['PENDING_APPROVAL' => 'c1', 'PENDING' => 'c1', 'RESERVED' => 'c2', 'SENT' => 'c2', 'given' => 'c2', 'RELEASED' => 'c3',
		'CANCELLED' => 'c4', 'REJECTED' => 'c5', 'DEAD' => 'c5', 'spent' => 'c5'];

	/** @var array<string, string> */
	private static array $words = [];
	private static string $language = 'en';
	private static \DateTimeZone $zone;

	/** @param array<string, string> $words */
	public static function speak(string $language, array $words, string $zone): void
	{
		self::$language = $language;
		self::$words = $words;
		self::$zone = new \DateTimeZone($zone);
	}

	public static function language(): string
	{
		return self::$language;
	}

	public static function zone(): \DateTimeZone
	{
		return self::$zone;
	}

	public static function has(string $key): bool
	{
		return isset(self::$words[$key]);
	}

	/**
	 * A sentence.  Whole numbers are written as the reader writes them, and {n} decides
	 * between one and many.  No such key: an exception, and a test that finds it first.
	 * @param array<string, string|int> $values for {name}
	 */
	public static function say(string $key, array $values = []): string
	{
		$text = self::$words[$key] ?? throw new \LogicException("no words for $key in " . self::$language);
		if (isset($values['n']) && str_contains($text, ' | ')) {
			$text = explode(' | ', $text, 2)[$values['n'] === 1 ? 0 : 1];
		}
		$fill = [];
		foreach ($values as $name => $value) {
			$fill["{{$name}}"] = is_int($value) ? self::number($value) : $value;
		}
		return strtr($text, $fill);
	}

	/** 1234567 as 1,234,567 */
	public static function number(int $n): string
	{
		return ($n < 0 ? "\u{2212}" : '') . number_format(abs($n), 0, '', self::say('format.thousands'));
	}

	public static function decimal(float $n, int $digits): string
	{
		return number_format($n, $digits, self::say('format.decimal'), self::say('format.thousands'));
	}

	/** With its sign: +500, −250 */
	public static function signed(int $n): string
	{
		return ($n > 0 ? '+' : '') . self::number($n);
	}

	/** 5 units, 1 unit */
	public static function count(int $n, string $what): string
	{
		return self::say("count.$what", ['n' => $n]);
	}

	/** A whole number as people write it: spaces or the language's mark between groups of three, a typographic minus. null where it is none. */
	public static function whole(string $text): ?int
	{
		$text = strtr($text, ["\u{2212}" => '-', "\u{a0}" => ' ', "\u{202f}" => ' ']);
		$mark = preg_quote(self::say('format.thousands'), '/');
		if (preg_match("/\A[+-]? ?[0-9]{1,3}(?:([ $mark])[0-9]{3})(?:\\1[0-9]{3}){0,5}\z/", $text)) {
			$text = str_replace([' ', self::say('format.thousands')], '', $text);
		}
		return preg_match('/\A[+-]?[0-9]{1,18}\z/', $text) ? (int) $text : null;
	}

	public static function status(string $status): string
	{
		return self::say("status.$status");
	}

	/** What people call a field of a form. */
	public static function field(string $name): string
	{
		return self::has("field.$name") ? self::say("field.$name") : $name;
	}

	/** Who did it: the booking site, or staff, by the name they signed in with. */
	public static function actor(string $actor): string
	{
		return match ($actor) {
			'public' => self::say('actor.public'),
			'restricted' => self::say('actor.restricted'),
			default => self::say('actor.named', ['name' => $actor]),
		};
	}

	/** The class of a chart's series. */
	public static function colour(string $series): string
	{
		return self::COLOURS[$series] ?? 'c4';
	}

	/** 27 Nov 2026, 08:05 */
	public static function when(string $time): string
	{
		return self::date($time, 'when');
	}

	/** 27 Nov 2026, 08:05:33 */
	public static function exactly(string $time): string
	{
		return self::date($time, 'exactly');
	}

	/** A time of the API, or seconds, in the hotel's zone and the form format.NAME. */
	public static function date(string|int $time, string $form): string
	{
		$t = (new \DateTimeImmutable(is_int($time) ? "@$time" : $time))->setTimezone(self::$zone);
		$month = explode(' ', self::say('format.months'))[(int) $t->format('n') - 1];
		return strtr(self::say("format.$form"), ['{d}' => $t->format('j'), '{month}' => $month, '{y}' => $t->format('Y'), '{time}' => $t->format('H:i'), '{s}' => $t->format('s')]);
	}

	/** just now, 5 min ago, 3 days ago */
	public static function ago(string $time, int $now): string
	{
		$s = $now - (new \DateTimeImmutable($time))->getTimestamp();
		return match (true) {
			$s < 45 => self::say('ago.now'),
			$s < 90 * 60 => self::say('ago.minutes', ['n' => max(1, (int) round($s / 60))]),
			$s < 36 * 3600 => self::say('ago.hours', ['n' => (int) round($s / 3600)]),
			default => self::say('ago.days', ['n' => (int) round($s / 86400)]),
		};
	}

	/** 40 seconds, 5 minutes, 3 hours, 2 days */
	public static function span(int $seconds): string
	{
		$s = max(0, $seconds);
		return match (true) {
			$s < 90 => self::count($s, 'seconds'),
			$s < 90 * 60 => self::count((int) round($s / 60), 'minutes'),
			$s < 36 * 3600 => self::count((int) round($s / 3600), 'hours'),
			default => self::count((int) round($s / 86400), 'days'),
		};
	}

	/** The last part of an id, enough to tell two apart by eye. */
	public static function short(string $id): string
	{
		return strlen($id) > 12 ? "\u{2026}" . substr($id, -6) : $id;
	}

	/** @param array<string, mixed>|null $from a row's state of a room @param array<string, mixed> $to */
	public static function roomChange(?array $from, array $to): string
	{
		$parts = [];
		foreach (['name', 'total_amount', 'available_amount', 'required_points', 'archived'] as $field) {
			if ($from === null) {
				$parts[] = self::say("room.is.$field", ['now' => self::value($to[$field])]);
			} elseif ($from[$field] !== $to[$field]) {
				$parts[] = self::say("room.was.$field", ['was' => self::value($from[$field]), 'now' => self::value($to[$field])]);
			}
		}
		return $from === null ? self::say('room.created', ['what' => implode(', ', $parts)]) : implode(', ', $parts);
	}

	/** One value of a room, as a sentence has it. */
	public static function value(mixed $value): string
	{
		return match (true) {
			is_bool($value) => self::say($value ? 'yes' : 'no'),
			is_int($value) => self::number($value),
			default => self::say('quoted', ['text' => (string) $value]),
		};
	}
}
