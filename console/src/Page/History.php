<?php

declare(strict_types=1);

namespace Loyalty\Console\Page;

use Loyalty\Console\Names;
use Loyalty\Console\Response;
use Loyalty\Console\View;
use Loyalty\Console\Words;

/** Who changed what, from what to what; and everything that one request did. */
final class History extends Page
{
	private const STREAMS = ['reservations' => 'reservation_id', 'points' => 'user_id', 'rooms' => 'room_id', 'users' => 'user_id'];
	/** How far to look for a request when nobody says when it was: pages of 200, of each history. */
	private const PAGES = 5;
	/** A request takes seconds; this is how far around a time to look. */
	private const AROUND_S = 60;

	public function show(): Response
	{
		$r = $this->c->request;
		$stream = isset(self::STREAMS[$r->query('stream')]) ? $r->query('stream') : 'reservations';
		$wrong = [];
		$id = strtolower(trim($r->query('id')));
		if ($id !== '' && !preg_match('/\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\z/', $id)) {
			$wrong['id'] = Words::say('form.id');
		}
		$since = $this->aDay('since', $wrong, 0);
		$until = $this->aDay('until', $wrong, 1);
		$filter = ['stream' => $stream, 'id' => $r->query('id'), 'since' => $r->query('since'), 'until' => $r->query('until')];
		$rows = [];
		$next = '';
		if ($wrong === []) {
			$answer = $this->c->api->get("/v1/admin/history/$stream", [self::STREAMS[$stream] => $id, 'since' => $since, 'until' => $until,
				'limit' => 50, 'cursor' => $r->query('cursor')]);
			$rows = $answer->json();
			$next = $answer->next();
		}
		return $this->c->page('history.twig', [
			'stream' => $stream,
			'rows' => $rows,
			'names' => $this->names([$stream => $rows]),
			'filter' => $filter,
			'wrong' => $wrong,
			'tabs' => array_map(static fn (string $s): string => View::url('/history', ['stream' => $s, 'since' => $r->query('since'), 'until' => $r->query('until')]),
				array_combine(array_keys(self::STREAMS), array_keys(self::STREAMS))),
			'next' => $next === '' ? '' : View::url('/history', $filter + ['cursor' => $next]),
			'first' => $r->query('cursor') === '' ? '' : View::url('/history', $filter),
		], $wrong === [] ? 200 : 422);
	}

	/** The form that asks for a request id. */
	public function find(): Response
	{
		$id = trim($this->c->request->query('id'));
		if (!preg_match('/\A[A-Za-z0-9._-]{1,64}\z/', $id)) {
			return $this->c->page('request.twig', ['id' => $id, 'found' => null, 'names' => [], 'looked' => [], 'around' => '', 'wrong' =>
				$id === '' ? '' : Words::say('request.not_one')], $id === '' ? 200 : 422);
		}
		return Response::seeOther(View::url("/requests/$id"));
	}

	/**
	 * All that bears this request id.  The API has no such filter: where the
	 * time is known, all rows of that minute are looked through, else the
	 * newest ones; the page says which.
	 */
	public function request(string $id): Response
	{
		$at = strtotime($this->c->request->query('at')) ?: 0;
		$window = $at === 0 ? [] : ['since' => gmdate('Y-m-d\TH:i:s\Z', $at - self::AROUND_S), 'until' => gmdate('Y-m-d\TH:i:s\Z', $at + self::AROUND_S)];
		$open = array_fill_keys([...array_keys(self::STREAMS), 'outbox'], '');
		$found = $looked = array_fill_keys(array_keys($open), []);
		for ($page = 0; $page < self::PAGES && $open !== []; $page++) {
			$calls = [];
			foreach ($open as $stream => $cursor) {
				$calls[$stream] = $stream === 'outbox' ? ['/v1/admin/outbox', ['limit' => 200, 'cursor' => $cursor]]
					: ["/v1/admin/history/$stream", $window + ['limit' => 200, 'cursor' => $cursor]];
			}
			foreach ($this->c->api->all($calls) as $stream => $answer) {
				$rows = $answer->json();
				foreach ($rows as $row) {
					if ($row['request_id'] === $id) {
						$found[$stream][] = $row;
					}
				}
				$looked[$stream] = ['rows' => ($looked[$stream]['rows'] ?? 0) + count($rows), 'complete' => false,
					'back_to' => $rows === [] ? ($looked[$stream]['back_to'] ?? '') : end($rows)[$stream === 'outbox' ? 'created_at' : 'changed_at']];
				$open[$stream] = $answer->next();
				// Mails are listed by age, not by time: those before the window are of no interest.
				if ($open[$stream] === '' || ($stream === 'outbox' && $at !== 0 && $rows !== [] && strtotime(end($rows)['created_at']) < $at - self::AROUND_S)) {
					unset($open[$stream]);
					$looked[$stream]['complete'] = true;
				}
			}
		}
		return $this->c->page('request.twig', [
			'id' => $id,
			'found' => $found,
			'names' => $this->names($found),
			'looked' => $looked,
			'around' => $at === 0 ? '' : gmdate('Y-m-d\TH:i:s\Z', $at),
			'wrong' => '',
		]);
	}

	/**
	 * @param array<string, list<array<string, mixed>>> $streams
	 * @return array<string, string>
	 */
	private function names(array $streams): array
	{
		// The rows of rooms and guests say their names.
		return Names::of($this->c->api, array_column($streams['reservations'] ?? [], 'reservation_id'), array_column($streams['points'] ?? [], 'user_id'));
	}
}
