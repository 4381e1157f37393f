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

/** The stock: what there is, what is taken. */
final class Rooms extends Page
{
	private const SHOWN = 50;
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
			$stock = $this->c->api->send('POST', '/v1/admin/rooms', $body, $this->c->idempotencyKey())->json();
		} catch (Refused $e) {
			$this->c->keepFormIfUnknown($e->problem);
			return $this->list($e->problem);
		}
		return $this->c->done("/console/rooms/{$stock['room']['id']}", "Added: $name, " . Words::count($total, 'unit') . ' for ' . Words::count($price, 'point') . '.');
	}

	public function one(string $id): Response
	{
		return $this->page($id, null);
	}

	/** Sends what was changed in the form, and no more: what others have changed meanwhile stays. */
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
		return $this->patch($id, $body, $body === [] ? 'Nothing was changed.' : "Changed: $name.");
	}

	public function archive(string $id): Response
	{
		$archived = $this->field('archived') === 'true';
		return $this->patch($id, ['archived' => $archived], $archived ? 'Archived: nobody can reserve it now.' : 'Brought back: it can be reserved again.');
	}

	/** @param array<string, mixed> $body */
	private function patch(string $id, array $body, string $words): Response
	{
		if ($body !== []) {
			try {
				$this->c->api->send('PATCH', "/v1/admin/rooms/$id", $body);
			} catch (Refused $e) {
				return $this->page($id, $e->problem);
			}
		}
		return $this->c->done("/console/rooms/$id", $words);
	}

	private function list(?Problem $problem): Response
	{
		$r = $this->c->request;
		$q = trim($r->query('q'));
		$show = in_array($r->query('show'), ['archived', 'all'], true) ? $r->query('show') : 'active';
		$fits = static fn (array $stock): bool => ($show === 'all' || $stock['archived'] === ($show === 'archived'))
			&& ($q === '' || mb_stripos($stock['room']['name'], $q) !== false || $stock['room']['id'] === strtolower($q));
		// Looking for something reads longer pages: the API cannot look for it.
		$found = Walk::list($this->c->api, '/v1/admin/rooms', ['limit' => $q === '' && $show !== 'archived' ? self::SHOWN : 200], $fits,
			self::SHOWN, 60, $r->query('from'));
		foreach ($found['rows'] as &$row) {
			$row['reserved'] = $row['total_amount'] - $row['room']['available_amount'];
			$row['share'] = Svg::share($row['reserved'], $row['total_amount']);
		}
		unset($row);
		$filter = ['q' => $q, 'show' => $show === 'active' ? '' : $show];
		return $this->c->page('rooms.twig', [
			'rows' => $found['rows'],
			'looked' => $found['looked'],
			'cut' => $found['cut'],
			'q' => $q,
			'show' => $show,
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
		$now = ['name' => $it['room']['name'], 'total_amount' => $it['total_amount'], 'required_points' => $it['room']['required_points']];
		return $this->c->page('room.twig', [
			'it' => $it,
			'reserved' => $it['total_amount'] - $it['room']['available_amount'],
			'share' => Svg::share($it['total_amount'] - $it['room']['available_amount'], $it['total_amount']),
			'history' => $history === null ? null : array_slice($history, 0, 25),
			'all_of_it' => View::url('/history', ['stream' => 'rooms', 'id' => $id]),
			'chart' => $history === null || count($history) < 2 ? null : $this->chart($history),
			'problem' => $problem,
			'now' => $now,
			'was' => $problem === null ? $now : array_combine(array_keys($now), array_map(fn (string $n): string =>
				$this->c->request->field("was_$n"), array_keys($now))),
			'typed' => ($problem === null ? [] : $this->c->request->typed()) + $now,
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
		return ['svg' => Svg::steps('Units reserved over time', $points, $this->c->now), 'points' => array_slice(array_reverse($points), 0, 50)];
	}
}
