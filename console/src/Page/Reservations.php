<?php

declare(strict_types=1);

namespace Loyalty\Console\Page;

use Loyalty\Console\Decision;
use Loyalty\Console\Problem;
use Loyalty\Console\Recent;
use Loyalty\Console\Refused;
use Loyalty\Console\Response;
use Loyalty\Console\View;
use Loyalty\Console\Words;

/** All reservations; one of them; what can be done with it. */
final class Reservations extends Page
{
	public function show(): Response
	{
		$r = $this->c->request;
		$status = in_array($r->query('status'), Words::STATUSES, true) ? $r->query('status') : '';
		$person = strtolower(trim($r->query('person')));
		$q = $person === '' ? $this->looked() : '';
		if (self::isId($q)) {
			return Response::seeOther('/console/search?q=' . $q);
		}
		$wrong = $person !== '' && !self::isId($person) ? Words::say('form.id') : '';
		$filter = ['status' => $status, 'user_id' => $wrong === '' ? $person : '', 'q' => $q];
		$calls = ['list' => ['/v1/reservations', $filter + ['limit' => 20, 'cursor' => $r->query('cursor')]]];
		if ($person !== '' && $wrong === '') {
			$calls['guest'] = ["/v1/admin/users/$person"];
		}
		if ($r->query('cursor') === '' && $person === '' && $q === '') {
			$calls['latest'] = ['/v1/admin/history/reservations', ['limit' => Recent::ROWS]];
		}
		$answers = $this->c->api->all($calls);
		$tooMany = $answers['list']->problem?->type === 'validation' && isset($answers['list']->problem->fields['q']);
		$list = $answers['list'];
		return $this->c->page('reservations.twig', [
			'rows' => $tooMany ? [] : $list->json(),
			'too_many' => $tooMany,
			'q' => $q,
			'guest' => ($answers['guest'] ?? null)?->isFine() ? $answers['guest']->json()['user'] : null,
			'status' => $status,
			'statuses' => Words::STATUSES,
			'person' => $person,
			'wrong' => $wrong,
			'next' => $list->next() === '' ? '' : View::url('/reservations', ['status' => $status, 'person' => $person, 'q' => $q, 'cursor' => $list->next()]),
			'first' => $r->query('cursor') === '' ? '' : View::url('/reservations', ['status' => $status, 'person' => $person, 'q' => $q]),
			'chart' => ($answers['latest'] ?? null)?->isFine() ? self::chart($answers['latest']->json(), $this->c->now) : null,
		], $wrong === '' && !$tooMany ? 200 : 422);
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
		return $this->act($id, 'approve', "/v1/admin/reservations/$id/approve", $body, $wrong);
	}

	/** Give what is missing, then approve at the price. */
	public function gift(string $id): Response
	{
		$wrong = [];
		$reason = $this->reason('reason', $wrong);
		$gift = $this->whole('gift', 1, 1000000000, $wrong);
		$price = $this->whole('price', 0, 1000000000, $wrong);
		if ($wrong !== []) {
			return $this->page($id, $this->misfilled($wrong), 'gift');
		}
		try {
			$it = (new Decision($this->c))->gift($id, $gift, $price, $reason);
		} catch (Refused $e) {
			$this->c->keepFormIfUnknown($e->problem);
			return $this->page($id, $e->problem, 'gift');
		}
		return $this->c->done($this->c->back("/console/reservations/$id"), Decision::told($it));
	}

	public function reject(string $id): Response
	{
		$wrong = [];
		$reason = $this->reason('reason', $wrong);
		return $this->act($id, 'reject', "/v1/admin/reservations/$id/reject", ['reason' => $reason], $wrong);
	}

	public function release(string $id): Response
	{
		return $this->act($id, 'release', "/v1/admin/reservations/$id/release", [], []);
	}

	public function cancel(string $id): Response
	{
		return $this->act($id, 'cancel', "/v1/reservations/$id/cancel", [], []);
	}

	/**
	 * @param array<string, mixed> $body
	 * @param array<string, string> $wrong
	 */
	private function act(string $id, string $action, string $path, array $body, array $wrong): Response
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
		return $this->c->done($this->c->back("/console/reservations/$id"), Decision::told($reservation));
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
			'offer' => Decision::offers($it, $balance->isFine() ? $balance->json()['bonus_points'] : null),
			'problem' => $problem,
			'action' => $action,
			'typed' => $this->c->request->typed() + ['points' => '', 'reason' => ''],
			'back' => $this->c->back(''),
		], $problem === null ? 200 : $problem->status);
	}

	/**
	 * @param list<array<string, mixed>> $history the newest first
	 * @return array<string, mixed>|null
	 */
	private static function chart(array $history, int $now): ?array
	{
		$names = array_combine(Words::STATUSES, array_map([Words::class, 'status'], Words::STATUSES));
		return Recent::chart('reservations.chart', $history, 'changed_at', static fn (array $row): array => [$row['to'] => 1], $names, $now);
	}
}
