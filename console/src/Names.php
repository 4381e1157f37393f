<?php

declare(strict_types=1);

namespace Loyalty\Console;

/** The names of people and rooms that a history knows by id: all of them in one round trip. */
final class Names
{
	/**
	 * @param list<string> $users
	 * @param list<string> $rooms
	 * @return array<string, string> by id; who is not found is not in it
	 */
	public static function of(Api $api, array $users, array $rooms): array
	{
		$calls = [];
		foreach (array_unique($users) as $id) {
			$calls["u$id"] = ["/v1/admin/users/$id"];
		}
		foreach (array_unique($rooms) as $id) {
			$calls["r$id"] = ["/v1/admin/rooms/$id"];
		}
		$names = [];
		foreach ($calls === [] ? [] : $api->all($calls) as $at => $answer) {
			if ($answer->isFine()) {
				$names[substr((string) $at, 1)] = $answer->json()[$at[0] === 'u' ? 'user' : 'room']['name'];
			}
		}
		return $names;
	}
}
