<?php

declare(strict_types=1);

namespace Loyalty\Console\Page;

use Loyalty\Console\Days;
use Loyalty\Console\Problem;
use Loyalty\Console\Refused;
use Loyalty\Console\Response;
use Loyalty\Console\Svg;
use Loyalty\Console\View;
use Loyalty\Console\Words;

/** All reservations; one of them; what can be done with it. */
final class Reservations extends Page
{
	public function show(): Response
	{
		$r = $this->c->request;
		$status = isset(Words::STATUSES[$r->query('status')]) ? $r->query('status') : '';
		$person = strtolower(trim($r->query('person')));
		$wrong = '';
		if ($person !== '' && !preg_match('/\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\z/', $person)) {
			$wrong = 'A person\'s id looks like b9fa7d71-548c-4739-8e6a-0931cc218cd1; the People page finds it by name.';
		}
		$filter = ['status' => $status, 'user_id' => $wrong === '' ? $person : ''];
		$calls = ['list' => ['/v1/reservations', $filter + ['limit' => 25, 'cursor' => $r->query('cursor')]]];
		$days = $r->query('cursor') === '' && $person === '' ? new Days($this->c->now) : null;
		$answers = $this->c->api->all($calls + ($days?->calls('/v1/admin/history/reservations') ?? []));
		$list = $answers['list'];
		return $this->c->page('reservations.twig', [
			'rows' => $list->json(),
			'status' => $status,
			'statuses' => Words::STATUSES,
			'person' => $person,
			'wrong' => $wrong,
			'next' => $list->next() === '' ? '' : View::url('/reservations', ['status' => $status, 'person' => $person, 'cursor' => $list->next()]),
			'first' => $r->query('cursor') === '' ? '' : View::url('/reservations', ['status' => $status, 'person' => $person]),
			'chart' => $days === null ? null : $this->chart($days, $answers),
		], $wrong === '' ? 200 : 422);
	}

	public function one(string $id): Response
	{
		return $this->page($id, null);
	}

	public function approve(string $id): Response
	{
		$wrong = $body = [];
		if ($this->field('points') !== '') {
			$points = $this->whole('points', 0, 1000000000, $wrong);
			$body = ['points' => $points];
		}
		return $this->act($id, 'approve', "/v1/admin/reservations/$id/approve", $body, $wrong, static fn (array $v): string =>
			"Approved: {$v['room']['name']} for {$v['user']['name']}, " . Words::count($v['points'], 'point') . ' taken.');
	}

	public function reject(string $id): Response
	{
		$wrong = [];
		$reason = $this->reason('reason', $wrong);
		return $this->act($id, 'reject', "/v1/admin/reservations/$id/reject", ['reason' => $reason], $wrong, static fn (array $v): string =>
			"Rejected: {$v['room']['name']} for {$v['user']['name']}.");
	}

	public function release(string $id): Response
	{
		return $this->act($id, 'release', "/v1/admin/reservations/$id/release", [], [], static fn (array $v): string =>
			"Released: {$v['room']['name']} of {$v['user']['name']} can be reserved again; the points stay spent.");
	}

	public function cancel(string $id): Response
	{
		return $this->act($id, 'cancel', "/v1/reservations/$id/cancel", [], [], static fn (array $v): string =>
			"Cancelled: {$v['room']['name']} for {$v['user']['name']}.");
	}

	/**
	 * @param array<string, mixed> $body
	 * @param array<string, string> $wrong
	 * @param callable(array<string, mixed>): string $words
	 */
	private function act(string $id, string $action, string $path, array $body, array $wrong, callable $words): Response
	{
		if ($wrong !== []) {
			return $this->page($id, $this->misfilled($wrong), $action);
		}
		try {
			$reservation = $this->c->api->send('POST', $path, $body, $this->c->idempotencyKey())->json();
		} catch (Refused $e) {
			$this->c->keepFormIfUnknown($e->problem);
			return $this->page($id, $e->problem, $action);
		}
		return $this->c->done($this->c->back("/console/reservations/$id"), $words($reservation));
	}

	private function page(string $id, ?Problem $problem, string $action = ''): Response
	{
		$answers = $this->c->api->all([
			'it' => ["/v1/reservations/$id"],
			'history' => ['/v1/admin/history/reservations', ['reservation_id' => $id, 'limit' => 50]],
		]);
		if (!$answers['it']->isFine()) {
			return $this->c->failed($problem ?? $answers['it']->problem);
		}
		$it = $answers['it']->json();
		$balance = $this->c->api->all(['' => ["/v1/users/{$it['user']['id']}/points"]])[''];
		return $this->c->page('reservation.twig', [
			'it' => $it,
			'history' => $answers['history']->isFine() ? $answers['history']->json() : null,
			'balance' => $balance->isFine() ? $balance->json()['bonus_points'] : null,
			'problem' => $problem,
			'action' => $action,
			'typed' => $this->c->request->typed() + ['points' => '', 'reason' => ''],
			'back' => $this->c->back(''),
		], $problem === null ? 200 : $problem->status);
	}

	/**
	 * @param array<string|int, \Loyalty\Console\Answer> $answers
	 * @return array<string, mixed>|null
	 */
	private function chart(Days $days, array $answers): ?array
	{
		$series = array_fill_keys(array_keys(Words::STATUSES), []);
		$table = $days->sum($answers, static fn (array $row): array => [$row['to'] => 1], array_keys($series));
		if ($table === null) {
			return null;
		}
		$names = [];
		foreach ($table['series'] as $status => $values) {
			$names[Words::status($status)] = $values;
		}
		return ['series' => $names] + $table + ['svg' => Svg::stacked('Changes of reservations in the last 14 days, by the new status', $table['labels'], $names)];
	}
}
