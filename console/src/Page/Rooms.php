<?php

declare(strict_types=1);

namespace Loyalty\Console\Page;

use Loyalty\Console\Problem;
use Loyalty\Console\Refused;
use Loyalty\Console\Response;
use Loyalty\Console\Svg;
use Loyalty\Console\View;
use Loyalty\Console\Walk;
use Loyalty\Console\Words;

/** The rooms: what there is of each, what is taken. */
final class Rooms extends Page
{
	private const SHOWN = 50;
	/** How far to read for archived ones, which the API cannot leave out: as far as the first byte may wait. */
	private const PAGES = 5;
	private const SORTS = ['name', '-name', 'required_points', '-required_points'];
	/** How often a change is sent again, where only reservations were in the way. */
	private const AGAIN = 3;
	private const AMOUNT = 1000000, PRICE = 1000000000;

	public function show(): Response
	{
		return $this->list(null);
	}

	public function add(): Response
	{
		$wrong = [];
		$name = $this->name('name', $wrong);
		$total = $this->whole('total_amount', 0, self::AMOUNT, $wrong);
		$price = $this->whole('required_points', 0, self::PRICE, $wrong);
		if ($wrong !== []) {
			return $this->list($this->misfilled($wrong));
		}
		try {
			$body = ['name' => $name, 'total_amount' => $total, 'required_points' => $price];
			$row = $this->c->api->send('POST', '/v1/admin/rooms', $body, $this->c->idempotencyKey())->json();
		} catch (Refused $e) {
			$this->c->keepFormIfUnknown($e->problem);
			return $this->list($e->problem);
		}
		return $this->c->done("/console/rooms/{$row['room']['id']}", Words::say('room.added', ['room' => $name, 'units' => Words::count($total, 'units'), 'points' => Words::count($price, 'points')]));
	}

	public function one(string $id): Response
	{
		return $this->page($id, null);
	}

	/** Sends what was changed in the form, and no more. */
	public function change(string $id): Response
	{
		$wrong = $body = [];
		$name = $this->name('name', $wrong);
		$total = $this->whole('total_amount', 0, self::AMOUNT, $wrong);
		$price = $this->whole('required_points', 0, self::PRICE, $wrong);
		if ($wrong !== []) {
			return $this->page($id, $this->misfilled($wrong));
		}
		foreach (['name' => $name, 'total_amount' => $total, 'required_points' => $price] as $field => $value) {
			if ((string) $value !== $this->c->request->field("was_$field")) {
				$body[$field] = $value;
			}
		}
		return $this->patch($id, $body, Words::say($body === [] ? 'room.unchanged' : 'room.saved', ['room' => $name]));
	}

	public function archive(string $id): Response
	{
		$archived = $this->field('archived') === 'true';
		return $this->patch($id, ['archived' => $archived], Words::say($archived ? 'room.archived_now' : 'room.restored'));
	}

	/**
	 * Change the room as it was shown.  Where only its reservations have changed
	 * since, that is still what was meant; where somebody has changed the room
	 * itself, whoever sent the form hears it first.
	 * @param array<string, mixed> $body
	 */
	private function patch(string $id, array $body, string $words): Response
	{
		$etag = $this->c->request->field('etag');
		for ($again = 0; $body !== []; $again++) {
			try {
				if ($etag !== '') {
					$this->c->api->send('PATCH', "/v1/admin/rooms/$id", $body, '', $etag);
					break;
				}
			} catch (Refused $e) {
				if ($e->problem->type !== 'precondition-failed') {
					return $this->page($id, $e->problem);
				}
			}
			$answer = $this->c->api->get("/v1/admin/rooms/$id");
			$moved = $this->moved(self::facts($answer->json()));
			if ($moved !== []) {
				return $this->page($id, new Problem('changed-meanwhile', 412, '', $this->c->request->id, $moved));
			}
			if ($again === self::AGAIN) {
				return $this->page($id, new Problem('precondition-failed', 412, '', $this->c->request->id));
			}
			$etag = $answer->etag();
		}
		return $this->c->done("/console/rooms/$id", $words);
	}

	/**
	 * What is no longer as the form has shown it, with both values.
	 * @param array<string, string> $now
	 * @return array<string, string>
	 */
	private function moved(array $now): array
	{
		$moved = [];
		foreach ($now as $field => $value) {
			$was = $this->c->request->field("was_$field");
			if ($was !== '' && $was !== $value) {
				$show = static fn (string $v): string => Words::value($field === 'archived' ? $v === 'true' : ($field === 'name' ? $v : (int) $v));
				$moved[$field] = Words::say('form.moved', ['was' => $show($was), 'now' => $show($value)]);
			}
		}
		return $moved;
	}

	/**
	 * What staff decide about a room, as a form has it; how many units are free is no part of it.
	 * @param array<string, mixed> $row
	 * @return array<string, string>
	 */
	private static function facts(array $row): array
	{
		return ['name' => $row['room']['name'], 'total_amount' => (string) $row['total_amount'],
			'required_points' => (string) $row['room']['required_points'], 'archived' => $row['archived'] ? 'true' : 'false'];
	}

	private function list(?Problem $problem): Response
	{
		$r = $this->c->request;
		$q = $this->looked();
		if (self::isId($q)) {
			return Response::seeOther('/console/rooms/' . strtolower($q));
		}
		$show = in_array($r->query('show'), ['archived', 'all'], true) ? $r->query('show') : 'active';
		$sort = in_array($r->query('sort'), self::SORTS, true) ? $r->query('sort') : 'name';
		$found = Walk::list($this->c->api, '/v1/admin/rooms', ['q' => $q, 'sort' => $sort, 'limit' => $show === 'archived' ? 200 : self::SHOWN],
			static fn (array $row): bool => $show === 'all' || $row['archived'] === ($show === 'archived'), self::SHOWN, self::PAGES, $r->query('from'));
		foreach ($found['rows'] as &$row) {
			$row['reserved'] = $row['total_amount'] - $row['room']['available_amount'];
			$row['share'] = Svg::share($row['reserved'], $row['total_amount']);
		}
		unset($row);
		$filter = ['q' => $q, 'show' => $show === 'active' ? '' : $show, 'sort' => $sort === 'name' ? '' : $sort];
		return $this->c->page('rooms.twig', [
			'rows' => $found['rows'],
			'looked' => $found['looked'],
			'cut' => $found['cut'],
			'q' => $q,
			'show' => $show,
			'sort' => $sort,
			'filter' => $filter,
			'next' => $found['next'] === '' ? '' : View::url('/rooms', $filter + ['from' => $found['next']]),
			'first' => $r->query('from') === '' ? '' : View::url('/rooms', $filter),
			'problem' => $problem,
			'typed' => $this->c->request->typed() + ['name' => '', 'total_amount' => '', 'required_points' => ''],
			'wrong' => $problem->fields ?? [],
		], $problem === null ? 200 : $problem->status);
	}

	private function page(string $id, ?Problem $problem): Response
	{
		$answers = $this->c->api->all([
			'it' => ["/v1/admin/rooms/$id"],
			'history' => ['/v1/admin/history/rooms', ['room_id' => $id, 'limit' => 200]],
		]);
		if (!$answers['it']->isFine()) {
			return $this->c->failed($answers['it']->problem);
		}
		$it = $answers['it']->json();
		$history = $answers['history']->isFine() ? $answers['history']->json() : null;
		$now = self::facts($it);
		// After a refusal what was typed stays, and is held against what was shown then; what somebody else has changed is shown now.
		$isMoved = $problem?->type === 'changed-meanwhile';
		$was = $typed = $now;
		foreach ($problem === null ? [] : array_keys($now) as $field) {
			$before = $this->c->request->field("was_$field");
			$text = $this->c->request->typed()[$field] ?? $now[$field];
			$was[$field] = $isMoved || $before === '' ? $now[$field] : $before;
			$typed[$field] = $isMoved && $text === $before ? $now[$field] : $text;
		}
		return $this->c->page('room.twig', [
			'it' => $it,
			'reserved' => $it['total_amount'] - $it['room']['available_amount'],
			'share' => Svg::share($it['total_amount'] - $it['room']['available_amount'], $it['total_amount']),
			'history' => $history === null ? null : array_slice($history, 0, 25),
			'all_of_it' => View::url('/history', ['stream' => 'rooms', 'id' => $id]),
			'chart' => $history === null || count($history) < 2 ? null : $this->chart($history),
			'problem' => $problem,
			'was' => $was,
			'etag' => $problem === null || $isMoved ? $answers['it']->etag() : $this->c->request->field('etag'),
			'typed' => $typed,
			'wrong' => $problem->fields ?? [],
		], $problem === null ? 200 : $problem->status);
	}

	/**
	 * @param list<array<string, mixed>> $history the newest first
	 * @return array<string, mixed>
	 */
	private function chart(array $history): array
	{
		$points = [];
		foreach (array_reverse($history) as $row) {
			$points[] = [(int) strtotime($row['changed_at']), $row['to']['total_amount'] - $row['to']['available_amount']];
		}
		return ['svg' => Svg::steps(Words::say('room.chart'), $points, $this->c->now), 'points' => array_slice(array_reverse($points), 0, 50)];
	}
}
