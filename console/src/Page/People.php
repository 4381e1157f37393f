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

/** Guests, their points and their reservations. */
final class People extends Page
{
	private const LIMIT = 9007199254740991;

	public function show(): Response
	{
		$r = $this->c->request;
		$q = mb_substr(trim($r->query('q')), 0, 200);
		if (preg_match('/\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\z/i', $q)) {
			return Response::seeOther('/console/people/' . strtolower($q));
		}
		$cursor = $r->query('cursor');
		$days = $q === '' && $cursor === '' ? new Days($this->c->now) : null;
		$answers = $this->c->api->all(['list' => ['/v1/admin/users', ['q' => $q, 'limit' => 50, 'cursor' => $cursor]]]
			+ ($days?->calls('/v1/admin/history/points') ?? []));
		$list = $answers['list'];
		return $this->c->page('people.twig', [
			'rows' => $list->json(),
			'q' => $q,
			'next' => $list->next() === '' ? '' : View::url('/people', ['q' => $q, 'cursor' => $list->next()]),
			'first' => $cursor === '' ? '' : View::url('/people', ['q' => $q]),
			'chart' => $days === null ? null : self::chart($days, $answers),
		]);
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
			$wrong['amount'] = 'Enter a number other than 0.';
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
		return $this->c->done("/console/people/$id", Words::signed($amount) . " for {$done['user']['name']}: the balance is "
			. Words::count($done['bonus_points'], 'point') . ' now.');
	}

	private function page(string $id, ?Problem $problem): Response
	{
		$answers = $this->c->api->all([
			'it' => ["/v1/admin/users/$id"],
			'history' => ['/v1/admin/history/points', ['user_id' => $id, 'limit' => 200]],
			'reservations' => ['/v1/reservations', ['user_id' => $id, 'limit' => 25]],
		]);
		if (!$answers['it']->isFine()) {
			return $this->c->failed($answers['it']->problem);
		}
		$it = $answers['it']->json();
		$history = $answers['history']->isFine() ? $answers['history']->json() : null;
		return $this->c->page('person.twig', [
			'it' => $it,
			'limit' => self::LIMIT,
			'history' => $history === null ? null : array_slice($history, 0, 25),
			'all_of_it' => View::url('/history', ['stream' => 'points', 'id' => $id]),
			'chart' => $history === null || $history === [] ? null : self::balances($history, $this->c->now),
			'rows' => $answers['reservations']->isFine() ? $answers['reservations']->json() : null,
			'more' => $answers['reservations']->isFine() && $answers['reservations']->next() !== '' ? View::url('/reservations', ['person' => $id]) : '',
			'problem' => $problem,
			'typed' => $this->c->request->typed() + ['amount' => '', 'reason' => ''],
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
		return ['svg' => Svg::steps('Balance over time', $points, $now), 'points' => array_slice(array_reverse($points), 0, 50)];
	}

	/**
	 * @param array<string|int, \Loyalty\Console\Answer> $answers
	 * @return array<string, mixed>|null
	 */
	private static function chart(Days $days, array $answers): ?array
	{
		$table = $days->sum($answers, static fn (array $row): array => $row['delta'] > 0 ? ['given' => $row['delta']] : ['spent' => $row['delta']], ['spent', 'given']);
		return $table === null ? null : $table + ['svg' => Svg::stacked('Points given and spent in the last 14 days', $table['labels'], $table['series'])];
	}
}
