<?php

declare(strict_types=1);

namespace Loyalty\Console;

/**
 * The latest rows of a history, added up by when they happened, in steps of a minute up to a day, so that
 * the picture is full: one call of the API, however much there is.
 */
final class Recent
{
	/** How many rows one call gives. */
	public const ROWS = 200;
	private const BARS = 14;

	/**
	 * @param string $title the key of its words; {n} is how many rows are in it
	 * @param list<array<string, mixed>> $rows the newest first
	 * @param string $time the member that says when
	 * @param callable(array<string, mixed>): array<string, int> $amounts what a row adds to which series
	 * @param array<string, string> $names what people call the series
	 * @return array<string, mixed>|null null where there is nothing
	 */
	public static function chart(string $title, array $rows, string $time, callable $amounts, array $names, int $now): ?array
	{
		if ($rows === []) {
			return null;
		}
		// Days begin at the hotel's midnight.
		$shift = Words::zone()->getOffset(new \DateTimeImmutable("@$now"));
		$first = (int) strtotime(end($rows)[$time]) + $shift;
		$step = 86400;
		foreach ([60, 300, 900, 3600, 4 * 3600, 86400] as $s) {
			if (intdiv($now + $shift, $s) - intdiv($first, $s) < self::BARS) {
				$step = $s;
				break;
			}
		}
		$end = intdiv($now + $shift, $step);
		$labels = [];
		$series = array_fill_keys(array_keys($names), array_fill(0, self::BARS, 0));
		for ($i = 0; $i < self::BARS; $i++) {
			$labels[] = Words::date(($end - self::BARS + 1 + $i) * $step - $shift, $step === 86400 ? 'day' : 'time');
		}
		$counted = 0;
		foreach ($rows as $row) {
			$at = self::BARS - 1 - ($end - intdiv((int) strtotime($row[$time]) + $shift, $step));
			if ($at < 0 || $at >= self::BARS) {
				continue;
			}
			$counted++;
			foreach ($amounts($row) as $name => $amount) {
				$series[$name][$at] += $amount;
			}
		}
		$title = Words::say($title, ['n' => $counted]);
		return ['title' => $title, 'labels' => $labels, 'series' => $series, 'names' => $names, 'counted' => $counted, 'svg' => Svg::stacked($title, $labels, $series, $names)];
	}
}
