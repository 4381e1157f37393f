<?php

declare(strict_types=1);

namespace Loyalty\Console\Page;

use Loyalty\Console\Log;
use Loyalty\Console\Problem;
use Loyalty\Console\Response;
use Loyalty\Console\View;
use Loyalty\Console\Words;

/** Who waits for a decision, since when, and what is missing. */
final class Pending extends Page
{
	private const SHOWN = 18;

	public function home(): Response
	{
		return Response::seeOther('/console/pending');
	}

	public function show(): Response
	{
		return $this->page([], 200);
	}

	/**
	 * Approve several at the price quoted.  Each is decided for itself, so
	 * each has a result of its own.  The answer is the page: to reload it
	 * sends the same Idempotency-Keys, and changes nothing.
	 */
	public function bulk(): Response
	{
		$ids = array_slice(array_values(array_unique(array_filter($this->c->request->fields('id'),
			static fn (string $id): bool => preg_match('/\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\z/', $id) === 1))), 0, self::SHOWN);
		if ($ids === []) {
			return $this->page([], 422, $this->misfilled(['id' => 'Select at least one reservation.']));
		}
		$calls = [];
		foreach ($ids as $id) {
			$calls[$id] = ['POST', "/v1/admin/reservations/$id/approve", [], $this->c->idempotencyKey(" $id")];
		}
		$answers = $this->c->api->sendAll($calls);
		$reservations = $this->c->api->all(array_map(static fn (string $id): array => ["/v1/reservations/$id"], array_combine($ids, $ids)));
		$results = [];
		foreach ($answers as $id => $answer) {
			if ($answer->problem !== null) {
				$this->c->keepFormIfUnknown($answer->problem);
			}
			$results[] = [
				'id' => $id,
				'fine' => $answer->isFine(),
				'problem' => $answer->problem,
				'reservation' => $reservations[$id]->isFine() ? $reservations[$id]->json() : null,
			];
		}
		$fine = count(array_filter($results, static fn (array $r): bool => $r['fine']));
		Log::write('info', $this->c->request->id, $this->c->session->name . ': approved ' . $fine . ' of ' . Words::count(count($ids), 'reservation') . ' at once');
		return $this->page($results, 200);
	}

	/** @param list<array<string, mixed>> $results */
	private function page(array $results, int $status, ?Problem $problem = null): Response
	{
		$cursor = $this->c->request->query('cursor');
		$list = $this->c->api->get('/v1/reservations', ['status' => 'PENDING_APPROVAL', 'limit' => 200, 'cursor' => $cursor]);
		// Who has waited longest comes first; the API lists the newest first.
		$waiting = array_reverse($list->json());
		$pages = max(1, (int) ceil(count($waiting) / self::SHOWN));
		$page = min($pages, max(1, (int) $this->c->request->query('page')));
		$rows = array_slice($waiting, ($page - 1) * self::SHOWN, self::SHOWN);
		$at = static fn (int $n): string => View::url('/pending', ['page' => $n > 1 ? $n : '', 'cursor' => $cursor]);
		return $this->c->page('pending.twig', [
			'rows' => $this->withBalances($rows),
			'total' => count($waiting),
			'more' => $list->next(),
			'cursor' => $cursor,
			'page' => $page,
			'pages' => $pages,
			'before' => $page > 1 ? $at($page - 1) : '',
			'after' => $page < $pages ? $at($page + 1) : '',
			'results' => $results,
			'problem' => $problem,
		], $status);
	}

	/**
	 * With what each of them has: all balances in one round trip.
	 * @param list<array<string, mixed>> $rows
	 * @return list<array<string, mixed>>
	 */
	private function withBalances(array $rows): array
	{
		$calls = [];
		foreach ($rows as $row) {
			$calls[$row['user']['id']] = ["/v1/users/{$row['user']['id']}/points"];
		}
		$answers = $this->c->api->all($calls);
		foreach ($rows as &$row) {
			$answer = $answers[$row['user']['id']];
			$row['balance'] = $answer->isFine() ? $answer->json()['bonus_points'] : null;
			$row['missing'] = $row['balance'] === null ? null : max(0, $row['points'] - $row['balance']);
			$row['affordable'] = $row['missing'] === 0 && $row['room']['available_amount'] > 0;
		}
		return $rows;
	}
}
