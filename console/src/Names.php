<?php

declare(strict_types=1);

namespace Loyalty\Console;

/** The names of guests and rooms that a history knows by id: a call for each list of ids, all at once. */
final class Names
{
	/** How many ids one call takes. */
	private const IDS = 100;

	/**
	 * @param list<string> $reservations of these, guest and room
	 * @param list<string> $users
	 * @return array<string, string> by id; who is not found is not in it
	 */
	public static function of(Api $api, array $reservations, array $users): array
	{
		$calls = [];
		foreach (['/v1/reservations' => $reservations, '/v1/admin/users' => $users] as $path => $ids) {
			foreach (array_chunk(array_values(array_unique($ids)), self::IDS) as $chunk) {
				$calls[] = [$path, ['ids' => implode(',', $chunk)]];
			}
		}
		$names = [];
		foreach ($calls === [] ? [] : $api->all($calls) as $answer) {
			foreach ($answer->isFine() ? $answer->json() : [] as $row) {
				foreach (['user', 'room'] as $of) {
					if (isset($row[$of])) {
						$names[$row[$of]['id']] = $row[$of]['name'];
					}
				}
			}
		}
		return $names;
	}
}
