<?php

declare(strict_types=1);

namespace Loyalty\Console\Page;

use Loyalty\Console\Problem;
use Loyalty\Console\Recent;
use Loyalty\Console\Refused;
use Loyalty\Console\Response;
use Loyalty\Console\Svg;
use Loyalty\Console\View;
use Loyalty\Console\Words;

/** Guests, their points and their reservations. */
final class People extends Page
{
	private const SORTS = ['name', '-name', 'bonus_points', '-bonus_points'];
	private const AGAIN = 4;

	public function show(): Response
	{
		return $this->list(null);
	}

	private function list(?Problem $problem): Response
	{
		$r = $this->c->request;
		$q = $this->looked();
		if (self::isId($q)) {
			return Response::seeOther('/console/people/' . strtolower($q));
		}
		$sort = in_array($r->query('sort'), self::SORTS, true) ? $r->query('sort') : 'name';
		$cursor = $r->query('cursor');
		$answers = $this->c->api->all(['list' => ['/v1/admin/users', ['q' => $q, 'sort' => $sort, 'limit' => 50, 'cursor' => $cursor]]]
			+ ($q === '' && $cursor === '' ? ['latest' => ['/v1/admin/history/points', ['limit' => Recent::ROWS]]] : []));
		$list = $answers['list'];
		$filter = ['q' => $q, 'sort' => $sort === 'name' ? '' : $sort];
		return $this->c->page('people.twig', [
			'rows' => $list->json(),
			'q' => $q,
			'sort' => $sort,
			'filter' => $filter,
			'next' => $list->next() === '' ? '' : View::url('/people', $filter + ['cursor' => $list->next()]),
			'first' => $cursor === '' ? '' : View::url('/people', $filter),
			'chart' => ($answers['latest'] ?? null)?->isFine() ? self::chart($answers['latest']->json(), $this->c->now) : null,
			'problem' => $problem,
			'typed' => $r->typed() + ['name' => '', 'role' => 'USER'],
			'wrong' => $problem->fields ?? [],
		], $problem === null ? 200 : $problem->status);
	}

	/** A new account: its id comes of the form, so that the form sent twice makes one. */
	public function add(): Response
	{
		$wrong = [];
		$name = $this->name('name', $wrong);
		$role = $this->role();
		if ($wrong !== []) {
			return $this->list($this->misfilled($wrong));
		}
		$id = self::idOf($this->c->idempotencyKey());
		try {
			$this->c->api->send('PUT', "/v1/admin/users/$id", ['name' => $name, 'role' => $role]);
		} catch (Refused $e) {
			$this->c->keepFormIfUnknown($e->problem);
			return $this->list($e->problem);
		}
		return $this->c->done("/console/people/$id", Words::say('guest.added', ['guest' => $name]));
	}

	/** Name and role, as long as nobody else has changed them since the form was shown; a balance that moved is no matter. */
	public function change(string $id): Response
	{
		$wrong = [];
		$name = $this->name('name', $wrong);
		$role = $this->role();
		if ($wrong !== []) {
			return $this->page($id, $this->misfilled($wrong));
		}
		for ($again = 0; $again < self::AGAIN; $again++) {
			$it = $this->c->api->get("/v1/admin/users/$id");
			$now = $it->json()['user'];
			$moved = [];
			foreach (['name', 'role'] as $field) {
				$was = $this->c->request->field("was_$field");
				if ($was !== '' && $was !== $now[$field]) {
					$moved[$field] = Words::say('form.moved', ['was' => Words::value($was), 'now' => Words::value($now[$field])]);
				}
			}
			if ($moved !== [] && $now !== ['id' => $id, 'name' => $name, 'role' => $role]) {
				return $this->page($id, new Problem('changed-meanwhile', 412, '', $this->c->request->id, $moved));
			}
			try {
				$this->c->api->send('PUT', "/v1/admin/users/$id", ['name' => $name, 'role' => $role], '', $it->etag());
				return $this->c->done("/console/people/$id", Words::say('guest.saved', ['guest' => $name]));
			} catch (Refused $e) {
				if ($e->problem->type !== 'precondition-failed') {
					return $this->page($id, $e->problem);
				}
			}
		}
		return $this->page($id, new Problem('precondition-failed', 412, '', $this->c->request->id));
	}

	/** Forget whose account this is.  It can't be taken back, so the name has to be typed. */
	public function erase(string $id): Response
	{
		$wrong = [];
		$reason = $this->reason('erase_reason', $wrong);
		$name = $this->c->api->get("/v1/admin/users/$id")->json()['user']['name'];
		if ($this->field('typed_name') !== trim($name)) {
			$wrong['typed_name'] = Words::say('guest.erase_other_name');
		}
		if ($wrong !== []) {
			return $this->page($id, $this->misfilled($wrong), 'erase');
		}
		try {
			$this->c->api->send('POST', "/v1/admin/users/$id/erase", ['reason' => $reason], $this->c->idempotencyKey());
		} catch (Refused $e) {
			$this->c->keepFormIfUnknown($e->problem);
			return $this->page($id, $e->problem, 'erase');
		}
		return $this->c->done("/console/people/$id", Words::say('guest.erased_now'));
	}

	private function role(): string
	{
		return $this->field('role') === 'ADMIN' ? 'ADMIN' : 'USER';
	}

	/** A UUID (RFC 9562, version 8) of some text. */
	private static function idOf(string $text): string
	{
		$hex = substr(hash('sha256', $text), 0, 32);
		$hex[12] = '8';
		$hex[16] = dechex(8 | hexdec($hex[16]) & 3);
		return implode('-', sscanf($hex, '%8s%4s%4s%4s%12s'));
	}

	public function one(string $id): Response
	{
		return $this->page($id, null);
	}

	public function adjust(string $id): Response
	{
		$wrong = [];
		$amount = $this->whole('amount', -1000000000, 1000000000, $wrong);
		if ($amount === 0) {
			$wrong['amount'] = Words::say('form.not_0');
		}
		$reason = $this->reason('reason', $wrong);
		if ($wrong !== []) {
			return $this->page($id, $this->misfilled($wrong));
		}
		try {
			$done = $this->c->api->send('POST', "/v1/users/$id/points", ['amount' => $amount, 'reason' => $reason], $this->c->idempotencyKey())->json();
		} catch (Refused $e) {
			$this->c->keepFormIfUnknown($e->problem);
			return $this->page($id, $e->problem);
		}
		return $this->c->done("/console/people/$id", Words::say('guest.adjusted', ['amount' => Words::signed($amount), 'guest' => $done['user']['name'], 'points' => Words::count($done['bonus_points'], 'points')]));
	}

	private function page(string $id, ?Problem $problem, string $action = ''): Response
	{
		$answers = $this->c->api->all([
			'it' => ["/v1/admin/users/$id"],
			'history' => ['/v1/admin/history/points', ['user_id' => $id, 'limit' => 200]],
			'account' => ['/v1/admin/history/users', ['user_id' => $id, 'limit' => 25]],
			'reservations' => ['/v1/reservations', ['user_id' => $id, 'limit' => 25]],
		]);
		if (!$answers['it']->isFine()) {
			return $this->c->failed($answers['it']->problem);
		}
		$it = $answers['it']->json();
		$history = $answers['history']->isFine() ? $answers['history']->json() : null;
		$account = $answers['account']->isFine() ? $answers['account']->json() : [];
		return $this->c->page('person.twig', [
			'it' => $it,
			'account' => $account,
			// An erasure leaves a row that names nobody any more, and is the last.
			'is_erased' => $account !== [] && $account[0]['from'] !== null && $account[0]['from']['name'] === $account[0]['to']['name'] && $account[0]['to']['name'] === 'Erased' && $it['user']['name'] === 'Erased',
			'action' => $action,
			'history' => $history === null ? null : array_slice($history, 0, 25),
			'all_of_it' => View::url('/history', ['stream' => 'points', 'id' => $id]),
			'chart' => $history === null || $history === [] ? null : self::balances($history, $this->c->now),
			'rows' => $answers['reservations']->isFine() ? $answers['reservations']->json() : null,
			'more' => $answers['reservations']->isFine() && $answers['reservations']->next() !== '' ? View::url('/reservations', ['person' => $id]) : '',
			'problem' => $problem,
			'typed' => $this->c->request->typed() + ['amount' => '', 'reason' => '', 'name' => $it['user']['name'], 'role' => $it['user']['role'], 'erase_reason' => '', 'typed_name' => ''],
			'wrong' => $problem->fields ?? [],
		], $problem === null ? 200 : $problem->status);
	}

	/**
	 * @param list<array<string, mixed>> $history the newest first
	 * @return array<string, mixed>
	 */
	private static function balances(array $history, int $now): array
	{
		$points = [];
		foreach (array_reverse($history) as $row) {
			$points[] = [(int) strtotime($row['changed_at']), $row['to']];
		}
		return ['svg' => Svg::steps(Words::say('guest.chart'), $points, $now), 'points' => array_slice(array_reverse($points), 0, 50)];
	}

	/**
	 * @param list<array<string, mixed>> $history the newest first
	 * @return array<string, mixed>|null
	 */
	private static function chart(array $history, int $now): ?array
	{
		return Recent::chart('guests.chart', $history, 'changed_at', static fn (array $row): array => [$row['delta'] > 0 ? 'given' : 'spent' => $row['delta']],
			['spent' => Words::say('guests.spent'), 'given' => Words::say('guests.given')], $now);
	}
}
