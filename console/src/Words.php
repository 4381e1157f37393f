<?php

declare(strict_types=1);

namespace Loyalty\Console;

/** Numbers, times and states, as people read them. */
final class Words
{
	public const STATUSES = [
		'PENDING_APPROVAL' => 'waiting',
		'RESERVED' => 'reserved',
		'RELEASED' => 'released',
		'CANCELLED' => 'cancelled',
		'REJECTED' => 'rejected',
	];

	/** What it is drawn with in a chart: the colour that its word has in a list. */
	private const COLOURS = ['waiting' => 'c1', 'queued' => 'c1', 'reserved' => 'c2', 'sent' => 'c2', 'given' => 'c2', 'released' => 'c3',
		'cancelled' => 'c4', 'rejected' => 'c5', 'dead' => 'c5', 'spent' => 'c5'];

	/** What people call a field of a form. */
	public static function field(string $name): string
	{
		return ['total_amount' => 'Units', 'required_points' => 'Price', 'amount' => 'Points'][$name] ?? ucfirst(strtr($name, '_', ' '));
	}

	/** 1234567 as 1,234,567 */
	public static function number(int $n): string
	{
		return ($n < 0 ? "\u{2212}" : '') . number_format(abs($n), 0, '', ',');
	}

	/** With its sign: +500, −250 */
	public static function signed(int $n): string
	{
		return ($n > 0 ? '+' : '') . self::number($n);
	}

	/** 5 units, 1 unit */
	public static function count(int $n, string $one, string $many = ''): string
	{
		return self::number($n) . ' ' . ($n === 1 ? $one : ($many === '' ? $one . 's' : $many));
	}

	public static function status(string $status): string
	{
		return self::STATUSES[$status] ?? strtolower($status);
	}

	/** The class of a chart's series. */
	public static function colour(string $series): string
	{
		return self::COLOURS[$series] ?? 'c4';
	}

	/** 27 Nov 2026, 08:05 */
	public static function when(string $time): string
	{
		return self::time($time)->format('j M Y, H:i');
	}

	/** 08:05:33 today, with the day otherwise */
	public static function exactly(string $time): string
	{
		return self::time($time)->format('j M Y, H:i:s');
	}

	/** just now, 5 min ago, 3 days ago */
	public static function ago(string $time, int $now): string
	{
		$s = $now - self::time($time)->getTimestamp();
		return match (true) {
			$s < 45 => 'just now',
			$s < 90 * 60 => max(1, (int) round($s / 60)) . ' min ago',
			$s < 36 * 3600 => (int) round($s / 3600) . ' h ago',
			default => self::span($s) . ' ago',
		};
	}

	/** 40 seconds, 5 minutes, 3 hours, 2 days */
	public static function span(int $seconds): string
	{
		$s = max(0, $seconds);
		return match (true) {
			$s < 90 => self::count($s, 'second'),
			$s < 90 * 60 => self::count((int) round($s / 60), 'minute'),
			$s < 36 * 3600 => self::count((int) round($s / 3600), 'hour'),
			default => self::count((int) round($s / 86400), 'day'),
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
		$names = ['name' => 'name', 'total_amount' => 'total', 'available_amount' => 'available', 'required_points' => 'price', 'archived' => 'archived'];
		$show = static fn (mixed $v): string => is_bool($v) ? ($v ? 'yes' : 'no') : (is_int($v) ? self::number($v) : "\u{201c}$v\u{201d}");
		$parts = [];
		foreach ($names as $field => $word) {
			if ($from === null) {
				$parts[] = "$word {$show($to[$field])}";
			} elseif ($from[$field] !== $to[$field]) {
				$parts[] = "$word {$show($from[$field])} \u{2192} {$show($to[$field])}";
			}
		}
		return ($from === null ? 'created: ' : '') . implode(', ', $parts);
	}

	private static function time(string $time): \DateTimeImmutable
	{
		return (new \DateTimeImmutable($time))->setTimezone(new \DateTimeZone('UTC'));
	}
}
