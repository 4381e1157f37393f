<?php

declare(strict_types=1);

namespace Loyalty\Console;

/**
 * The last days of a history, added up by day: a call for each day, all at
 * once, so the cost does not grow with the history.  A day that has more rows
 * than one page is counted as far as that goes, and said to be incomplete.
 */
final class Days
{
	private const PAGE = 200;
	/** @var list<int> midnights, the oldest first */
	private array $starts = [];

	public function __construct(int $now, int $days = 14)
	{
		$today = intdiv($now, 86400) * 86400;
		for ($i = $days - 1; $i >= 0; $i--) {
			$this->starts[] = $today - $i * 86400;
		}
	}

	/** @return array<string, array{string, array<string, string|int>}> for Api::all */
	public function calls(string $path): array
	{
		$calls = [];
		foreach ($this->starts as $start) {
			$calls["day $start"] = [$path, ['since' => gmdate('Y-m-d\TH:i:s\Z', $start), 'until' => gmdate('Y-m-d\TH:i:s\Z', $start + 86400), 'limit' => self::PAGE]];
		}
		return $calls;
	}

	/**
	 * @param array<string|int, Answer> $answers
	 * @param callable(array<string, mixed>): array<string, int> $amounts what a row adds to which series
	 * @param list<string> $names all series
	 * @return array{labels: list<string>, series: array<string, list<int>>, capped: list<string>}|null null where a day is missing
	 */
	public function sum(array $answers, callable $amounts, array $names): ?array
	{
		$labels = $capped = [];
		$series = array_fill_keys($names, []);
		foreach ($this->starts as $at => $start) {
			$answer = $answers["day $start"];
			if (!$answer->isFine()) {
				return null;
			}
			$labels[] = gmdate('j M', $start);
			foreach ($names as $name) {
				$series[$name][$at] = 0;
			}
			foreach ($answer->json() as $row) {
				foreach ($amounts($row) as $name => $amount) {
					$series[$name][$at] += $amount;
				}
			}
			if ($answer->next() !== '') {
				$capped[] = gmdate('j M', $start);
			}
		}
		return ['labels' => $labels, 'series' => $series, 'capped' => $capped];
	}
}
