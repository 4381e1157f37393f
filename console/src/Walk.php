<?php

declare(strict_types=1);

namespace Loyalty\Console;

/**
 * A list read on until enough of it fits, for what the API cannot look for
 * itself.  It stops after so many pages and says so: whoever wants to, goes on
 * from there.
 */
final class Walk
{
	/**
	 * @param array<string, string|int> $query of the API's list, with its limit
	 * @param callable(array<string, mixed>): bool $fits
	 * @param string $from where an earlier walk stopped (its `next`); '' from the beginning
	 * @return array{rows: list<array<string, mixed>>, next: string, looked: int, cut: bool} next '' at the end of
	 *         the list; cut: it stopped without having found enough
	 * @throws Refused
	 */
	public static function list(Api $api, string $path, array $query, callable $fits, int $want, int $pages, string $from = ''): array
	{
		// A walk may end in the midst of a page: the page's cursor, and how many of those that fit were shown.
		[$skip, $cursor] = preg_match('/\A([0-9]{1,3})~(.*)\z/s', $from, $found) ? [(int) $found[1], $found[2]] : [0, ''];
		$rows = [];
		$looked = 0;
		for ($page = 0; $page < $pages; $page++) {
			$answer = $api->get($path, $query + ['cursor' => $cursor]);
			$fitting = 0;
			foreach ($answer->json() as $row) {
				$looked++;
				if (!$fits($row) || ++$fitting <= $skip) {
					continue;
				}
				if (count($rows) === $want) {
					return ['rows' => $rows, 'next' => ($fitting - 1) . "~$cursor", 'looked' => $looked, 'cut' => false];
				}
				$rows[] = $row;
			}
			$cursor = $answer->next();
			$skip = 0;
			if ($cursor === '') {
				return ['rows' => $rows, 'next' => '', 'looked' => $looked, 'cut' => false];
			}
			if (count($rows) === $want) {
				return ['rows' => $rows, 'next' => "0~$cursor", 'looked' => $looked, 'cut' => false];
			}
		}
		return ['rows' => $rows, 'next' => "0~$cursor", 'looked' => $looked, 'cut' => true];
	}
}
