<?php

declare(strict_types=1);

namespace Loyalty\Console\Page;

use Loyalty\Console\Log;
use Loyalty\Console\Refused;
use Loyalty\Console\Response;
use Loyalty\Console\Words;

/** Files to take away: any list as it is filtered, as CSV; all that is known of a guest. */
final class Download extends Page
{
	private const ROWS = 100000;
	private const STREAMS = ['reservations' => 'reservation_id', 'points' => 'user_id', 'rooms' => 'room_id', 'users' => 'user_id'];

	/** The list of that page, with what its address says. */
	public function csv(string $list): Response
	{
		$q = fn (string $name): string => trim($this->c->request->query($name));
		$one = static fn (string $text, array $of, string $otherwise = ''): string => in_array($text, $of, true) ? $text : $otherwise;
		$id = self::isId($q('id')) ? strtolower($q('id')) : '';
		$person = self::isId($q('person')) ? strtolower($q('person')) : '';
		$stream = $one($q('stream'), array_keys(self::STREAMS), 'reservations');
		$wrong = [];
		$since = $this->aDay('since', $wrong, 0);
		$until = $this->aDay('until', $wrong, 1);
		if ($wrong !== []) {
			return $this->c->failed($this->misfilled($wrong));
		}
		[$path, $query, $columns, $fits] = match ($list) {
			'pending', 'reservations' => ['/v1/reservations', ['status' => $list === 'pending' ? 'PENDING_APPROVAL' : $one($q('status'), Words::STATUSES), 'user_id' => $person, 'q' => $person === '' ? $q('q') : ''],
				['id', 'status', 'guest', 'room', 'points', 'made', 'changed'], null],
			'rooms' => ['/v1/admin/rooms', ['q' => $q('q'), 'sort' => $one($q('sort'), ['name', '-name', 'required_points', '-required_points'], 'name')],
				['id', 'room', 'price', 'units', 'free', 'archived'], static fn (array $row): bool => $q('show') === 'all' || $row['archived'] === ($q('show') === 'archived')],
			'people' => ['/v1/admin/users', ['q' => $q('q'), 'sort' => $one($q('sort'), ['name', '-name', 'bonus_points', '-bonus_points'], 'name')], ['id', 'name', 'role', 'balance'], null],
			'mail' => ['/v1/admin/outbox', ['status' => $one($q('status'), Words::MAILS)], ['id', 'mail', 'status', 'written', 'tries', 'reply'], null],
			'history' => ["/v1/admin/history/$stream", [self::STREAMS[$stream] => $id, 'since' => $since, 'until' => $until], ['when', 'by', 'of', 'change', 'reason', 'request'], null],
			default => [null, [], [], null],
		};
		if ($path === null) {
			return $this->c->page('missing.twig', [], 404);
		}
		// The first page before anything is sent: a refusal is a page.
		$answer = $this->c->api->get($path, $query + ['limit' => 200]);
		Log::write('info', $this->c->request->id, $this->c->session->name . ": took away $list as CSV");
		return Response::download('text/csv; charset=utf-8; header=present', $list . '-' . gmdate('Y-m-d', $this->c->now) . '.csv', function () use ($answer, $path, $query, $columns, $fits, $list): void {
			set_time_limit(120);
			// Excel takes a file for UTF-8 by its mark alone.
			echo "\u{feff}", self::line(array_map(static fn (string $column): string => Words::say("csv.$column"), $columns));
			$left = self::ROWS;
			while (true) {
				foreach ($answer->json() as $row) {
					if ($fits !== null && !$fits($row)) {
						continue;
					}
					if ($left-- === 0) {
						echo self::line([Words::say('csv.most', ['n' => self::ROWS])]);
						return;
					}
					echo self::line(array_map(fn (string $column): string|int => self::cell($list, $column, $row), $columns));
				}
				flush();
				if ($answer->next() === '') {
					return;
				}
				try {
					$answer = $this->c->api->get($path, $query + ['limit' => 200, 'cursor' => $answer->next()]);
				} catch (Refused $e) {
					// Half a list must not look like a whole one.
					Log::write('error', $this->c->request->id, "the list $list ends early: " . $e->getMessage());
					echo self::line([Words::say('csv.cut')]);
					return;
				}
			}
		});
	}

	/** One JSON document, passed on as it comes. */
	public function guest(string $id): Response
	{
		$this->c->api->get("/v1/admin/users/$id");
		Log::write('info', $this->c->request->id, $this->c->session->name . ": exported the guest $id");
		return Response::download('application/json', "guest-$id.json", function () use ($id): void {
			set_time_limit(120);
			$this->c->api->stream("/v1/admin/users/$id/export", static function (string $data): void {
				echo $data;
			}, 110000)->orThrow();
		});
	}

	/** @param array<string, mixed> $row */
	private static function cell(string $list, string $column, array $row): string|int
	{
		$time = static fn (?string $time): string => $time === null ? '' : (new \DateTimeImmutable($time))->setTimezone(Words::zone())->format('Y-m-d H:i:s');
		return match ($column) {
			'id' => (string) ($row['id'] ?? $row['room']['id'] ?? $row['user']['id']),
			'status' => $list === 'mail' ? Words::say("mail.status.{$row['status']}") : Words::status($row['status']),
			'guest', 'name' => $row['user']['name'],
			'room' => $row['room']['name'],
			'role' => Words::say("role.{$row['user']['role']}"),
			'points' => $row['points'],
			'price' => $row['room']['required_points'],
			'units' => $row['total_amount'],
			'free' => $row['room']['available_amount'],
			'archived' => Words::value($row['archived']),
			'balance' => $row['bonus_points'],
			'made', 'written' => $time($row['created_at']),
			'changed' => $time($row['updated_at']),
			'mail' => $row['subject'],
			'tries' => $row['attempts'],
			'reply' => (string) $row['last_error'],
			'when' => $time($row['changed_at']),
			'by' => Words::actor($row['actor']),
			'of' => is_array($row['to']) ? $row['to']['name'] : ($row['reservation_id'] ?? $row['user_id']),
			'change' => self::change($row),
			'reason' => (string) ($row['reason'] ?? ''),
			'request' => $row['request_id'],
		};
	}

	/** @param array<string, mixed> $row of a history */
	private static function change(array $row): string|int
	{
		return match (true) {
			isset($row['delta']) => $row['delta'],
			is_string($row['to']) => ($row['from'] === null ? '' : Words::status($row['from']) . " \u{2192} ") . Words::status($row['to']),
			isset($row['to']['total_amount']) => Words::roomChange($row['from'], $row['to']),
			default => ($row['from'] === null ? '' : $row['from']['name'] . ', ' . Words::say("role.{$row['from']['role']}") . " \u{2192} ") . $row['to']['name'] . ', ' . Words::say("role.{$row['to']['role']}"),
		};
	}

	/**
	 * A line of the file (RFC 4180).  What a spreadsheet would take for a formula gets an apostrophe first; a number is none.
	 * @param list<string|int> $cells
	 */
	public static function line(array $cells): string
	{
		$mark = Words::say('format.csv');
		return implode($mark, array_map(static function (string|int $cell) use ($mark): string {
			if (is_int($cell)) {
				return (string) $cell;
			}
			if ($cell !== '' && (strpbrk($cell[0], "=+-@\t\r\n|%") !== false || preg_match('/\A[\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}]/u', $cell))) {
				$cell = "'$cell";
			}
			return strpbrk($cell, "\",;\r\n\t'") === false && $cell === trim($cell) ? $cell : '"' . str_replace('"', '""', $cell) . '"';
		}, $cells)) . "\r\n";
	}
}
