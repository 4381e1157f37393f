<?php

declare(strict_types=1);

namespace Loyalty\Console;

/** Every address below /console/, a line each. */
final class Routes
{
	private const ID = '([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})';

	/** method, path, class, what it does there; {id} is a UUID, {n} a number, {rid} a request id, {list} a word */
	public const TABLE = [
		['GET', '/', Page\Pending::class, 'home'],
		['GET', '/sign-in', Page\SignIn::class, 'show'],
		['POST', '/sign-in', Page\SignIn::class, 'enter'],
		['POST', '/sign-out', Page\SignIn::class, 'leave'],
		['POST', '/language', Page\SignIn::class, 'language'],
		['GET', '/pending', Page\Pending::class, 'show'],
		['GET', '/pending/news', Page\Pending::class, 'news'],
		['POST', '/pending', Page\Pending::class, 'decide'],
		['GET', '/search', Page\Search::class, 'show'],
		['GET', '/reservations', Page\Reservations::class, 'show'],
		['GET', '/reservations/{id}', Page\Reservations::class, 'one'],
		['POST', '/reservations/{id}/approve', Page\Reservations::class, 'approve'],
		['POST', '/reservations/{id}/gift', Page\Reservations::class, 'gift'],
		['POST', '/reservations/{id}/reject', Page\Reservations::class, 'reject'],
		['POST', '/reservations/{id}/release', Page\Reservations::class, 'release'],
		['POST', '/reservations/{id}/cancel', Page\Reservations::class, 'cancel'],
		['GET', '/rooms', Page\Rooms::class, 'show'],
		['POST', '/rooms', Page\Rooms::class, 'add'],
		['GET', '/rooms/{id}', Page\Rooms::class, 'one'],
		['POST', '/rooms/{id}', Page\Rooms::class, 'change'],
		['POST', '/rooms/{id}/archive', Page\Rooms::class, 'archive'],
		['GET', '/people', Page\People::class, 'show'],
		['POST', '/people', Page\People::class, 'add'],
		['GET', '/people/{id}', Page\People::class, 'one'],
		['POST', '/people/{id}/points', Page\People::class, 'adjust'],
		['POST', '/people/{id}', Page\People::class, 'change'],
		['POST', '/people/{id}/erase', Page\People::class, 'erase'],
		['GET', '/people/{id}/export', Page\Download::class, 'guest'],
		['GET', '/history', Page\History::class, 'show'],
		['GET', '/requests', Page\History::class, 'find'],
		['GET', '/requests/{rid}', Page\History::class, 'request'],
		['GET', '/mail', Page\Mail::class, 'show'],
		['GET', '/mail/{n}', Page\Mail::class, 'one'],
		['POST', '/mail/retry', Page\Mail::class, 'retryAll'],
		['POST', '/mail/{n}/retry', Page\Mail::class, 'retry'],
		['GET', '/csv/{list}', Page\Download::class, 'csv'],
		['GET', '/health', Page\Health::class, 'show'],
		['GET', '/routes', Page\Health::class, 'routes'],
		['POST', '/health/audit', Page\Health::class, 'audit'],
	];

	/** Whether this is the address of a page of ours: where a redirect may lead. */
	public static function isPage(string $address): bool
	{
		return preg_match('#\A/console(/[a-z][A-Za-z0-9/._-]{0,200})(\?[A-Za-z0-9/._~%&=+:-]{0,400})?\z#D', $address, $found)
			&& self::find('GET', $found[1])[0] !== null;
	}

	/** @return array{array{class-string, string}|null, list<string>, list<string>} handler, arguments; or the methods that are known there */
	public static function find(string $method, string $path): array
	{
		$allowed = [];
		foreach (self::TABLE as [$its, $pattern, $class, $action]) {
			$regex = strtr($pattern, ['{id}' => self::ID, '{n}' => '([0-9]{1,18})', '{list}' => '([a-z]{1,12})', '{rid}' => '([A-Za-z0-9._-]{1,64})']);
			if (!preg_match("#\A$regex\z#D", $path, $found)) {
				continue;
			}
			if ($its === $method) {
				return [[$class, $action], array_slice($found, 1), []];
			}
			$allowed[] = $its;
			if ($its === 'GET') {
				$allowed[] = 'HEAD';
			}
		}
		return [null, [], $allowed];
	}
}
