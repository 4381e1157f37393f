<?php

declare(strict_types=1);

namespace Loyalty\Console\Page;

use Loyalty\Console\Answer;
use Loyalty\Console\Context;
use Loyalty\Console\Decision;
use Loyalty\Console\Log;
use Loyalty\Console\Problem;
use Loyalty\Console\Refused;
use Loyalty\Console\Response;
use Loyalty\Console\View;
use Loyalty\Console\Words;

/** Who waits for a decision, since when, and what can be decided. */
final class Pending extends Page
{
	private const SHOWN = 20;
	private const SEEN = '__Host-loyalty-seen';

	public function home(): Response
	{
		return Response::seeOther('/console/pending');
	}

	public function show(): Response
	{
		return $this->page();
	}

	/**
	 * All decisions of the list are one form; the button that was pressed says which: WHAT for those ticked, or WHAT:ID[:POINTS] for
	 * one.  What it takes was on the button, so it is in the form: the same form sent again has the same Idempotency-Keys and the same
	 * bodies, whatever has changed since, and decides nothing twice.
	 */
	public function decide(): Response
	{
		if ($this->c->request->field('do') === 'refresh') {
			return $this->page(null, array_map(static fn (string $ticked): string => substr($ticked, 0, 36), $this->c->request->fields('id')));
		}
		if (!preg_match('/\A([a-z]{1,10})(?::([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}))?(?::([0-9]{1,16}))?(?::([0-9]{1,16}))?\z/', $this->c->request->field('do'), $do)) {
			return $this->page($this->misfilled(['id' => Words::say('waiting.nothing_pressed')]));
		}
		return isset($do[2]) && $do[2] !== '' ? $this->one($do[1], $do[2], (int) ($do[3] ?? 0), (int) ($do[4] ?? 0)) : $this->several($do[1]);
	}

	private function one(string $what, string $id, int $points, int $price): Response
	{
		$wrong = [];
		$reason = $what === 'gift' || $what === 'reject' ? $this->reason("why-$id", $wrong, trim($this->c->request->map('why')[$id] ?? '')) : '';
		if ($what === 'points') {
			$points = $this->whole("points-$id", 0, 1000000000, $wrong, $this->c->request->map('points')[$id] ?? '') ?? 0;
		}
		if ($wrong !== []) {
			return $this->page($this->misfilled(['' => reset($wrong)]), [], $wrong);
		}
		try {
			$done = match ($what) {
				'approve', 'points' => $this->decision()->approve($id, $points),
				'gift' => $this->decision()->gift($id, $points, $price, $reason),
				'reject' => $this->decision()->reject($id, $reason),
				default => throw new Refused(new Problem('bad-request', 422, '', $this->c->request->id)),
			};
		} catch (Refused $e) {
			$this->c->keepFormIfUnknown($e->problem);
			return $this->page($e->problem, [], ["why-$id" => '']);
		}
		return $this->c->done($this->c->back('/console/pending'), Decision::told($done));
	}

	/** The ticked ones.  Each is decided for itself, so each has a result of its own. */
	private function several(string $what): Response
	{
		$rows = [];
		foreach ($this->c->request->fields('id') as $ticked) {
			if (preg_match('/\A([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):([0-9a-f-]{36}):([0-9a-f-]{36}):([0-9]{1,10}):([0-9]{0,16}):([0-9]{1,7})\z/', $ticked, $row)) {
				$rows[$row[1]] = array_slice($row, 2);
			}
		}
		$rows = array_slice($rows, 0, self::SHOWN);
		$ids = array_keys($rows);
		$wrong = [];
		$reason = $what === 'reject' ? $this->reason('reason', $wrong) : '';
		if ($ids === [] || !in_array($what, ['have', 'price', 'reject'], true)) {
			$wrong = ['id' => Words::say('waiting.nothing_selected')];
		}
		if ($wrong !== []) {
			return $this->page($this->misfilled(['' => reset($wrong)]), $ids, $wrong);
		}
		[$take, $left] = $what === 'reject' ? [array_fill_keys($ids, 0), []] : $this->shares($rows, $what === 'have');
		$answers = $what === 'reject' ? $this->decision()->rejectAll($ids, $reason) : $this->decision()->approveAll($take);
		$results = [];
		foreach ($answers as $id => $answer) {
			if ($answer->problem !== null) {
				$this->c->keepFormIfUnknown($answer->problem);
			}
			$results[$id] = ['fine' => $answer->isFine(), 'why' => $answer->problem?->words() ?? '', 'it' => $answer->isFine() ? $answer->json() : null];
		}
		foreach ($left as $id => $why) {
			$results[$id] = ['fine' => false, 'why' => $why, 'it' => null];
		}
		$results = array_merge(array_fill_keys($ids, null), $results);
		$this->nameRest($results);
		$fine = array_filter($results, static fn (array $r): bool => $r['fine']);
		Log::write('info', $this->c->request->id, sprintf('%s: %s for %d of %d requests at once', $this->c->session->name, $what, count($fine), count($ids)));
		return $this->page(null, array_keys(array_diff_key($results, $fine)), [], $results, $reason);
	}

	/**
	 * What each of those ticked pays: what its guest has left after those before it, or its price; and why others are not even tried.
	 * By what the page has shown, not by what is now.
	 * @param array<string, list<string>> $rows guest, room, price, balance, free units
	 * @return array{array<string, int>, array<string, string>}
	 */
	private function shares(array $rows, bool $forLess): array
	{
		$take = $left = $spent = $used = [];
		foreach ($rows as $id => [$guest, $room, $price, $balance, $free]) {
			if ($balance === '') {
				$left[$id] = Words::say('problem.unavailable'); // nobody knew it
				continue;
			}
			$has = max(0, (int) $balance - ($spent[$guest] ?? 0));
			if (($used[$room] ?? 0) >= (int) $free) {
				$left[$id] = Words::say('problem.sold-out');
			} elseif ($has < (int) $price && !$forLess) {
				$left[$id] = Words::say('waiting.left', ['n' => (int) $price - $has]);
			} else {
				$take[$id] = min((int) $price, $has);
				$spent[$guest] = ($spent[$guest] ?? 0) + $take[$id];
				$used[$room] = ($used[$room] ?? 0) + 1;
			}
		}
		return [$take, $left];
	}

	/** Whose they are, where the answer does not say: one call. @param array<string, array<string, mixed>> $results */
	private function nameRest(array &$results): void
	{
		$ids = array_keys(array_filter($results, static fn (array $r): bool => $r['it'] === null));
		if ($ids === []) {
			return;
		}
		$answer = $this->c->api->all(['' => ['/v1/reservations', ['ids' => implode(',', $ids)]]])[''];
		foreach ($answer->isFine() ? $answer->json() : [] as $row) {
			$results[$row['id']]['it'] = $row;
		}
	}

	/**
	 * What has become of the list since a page showed it: the strip that refreshes itself in that page, where there is no script.
	 * The page is given the ticks that are in it by its own button alone.
	 */
	public function news(): Response
	{
		$r = $this->c->request;
		$n = (int) $r->query('n');
		$list = $this->list($this->looked(), $r->query('cursor'));
		$rows = $list->isFine() ? $list->json() : [];
		$new = count(array_filter($rows, static fn (array $row): bool => $row['created_at'] > $r->query('until')));
		return self::strip($this->c, ['known' => $list->isFine(), 'new' => $new, 'gone' => $list->isFine() ? max(0, $n - (count($rows) - $new)) : 0, 'has_form' => $n > 0]);
	}

	/** @param array<string, mixed> $values */
	public static function strip(Context $c, array $values, int $status = 200): Response
	{
		$r = $c->request;
		$query = [];
		foreach (['q', 'cursor', 'until', 'n', 'back'] as $name) {
			$query[$name] = $r->query($name);
		}
		$list = ['q' => $query['q'], 'cursor' => $query['cursor'], 'page' => (int) $query['back'] > 1 ? (int) $query['back'] : ''];
		return $c->page('news.twig', $values + ['signed_out' => false, 'known' => true, 'new' => 0, 'gone' => 0, 'has_form' => false, 'still' => $r->query('still') !== '',
			'again' => View::url('/pending/news', $query), 'stop' => View::url('/pending/news', $query + ['still' => 'yes']), 'list' => View::url('/pending', $list)], $status)
			->withPolicy("frame-ancestors 'self'");
	}

	private function decision(): Decision
	{
		return new Decision($this->c);
	}

	/**
	 * @param list<string> $ticked
	 * @param array<string, string> $wrong
	 * @param array<string, array<string, mixed>> $results
	 */
	private function page(?Problem $problem = null, array $ticked = [], array $wrong = [], array $results = [], string $reason = ''): Response
	{
		$r = $this->c->request;
		$cursor = $r->query('cursor');
		$q = $this->looked();
		$list = $this->list($q, $cursor);
		$tooMany = isset($list->problem->fields['q']);
		// Who has waited longest comes first; what q finds the API lists newest first.
		$waiting = $tooMany ? [] : ($q === '' ? $list->json() : array_reverse($list->json()));
		$pages = max(1, (int) ceil(count($waiting) / self::SHOWN));
		$page = min($pages, max(1, (int) $r->query('page')));
		$rows = array_slice($waiting, ($page - 1) * self::SHOWN, self::SHOWN);
		$at = static fn (int $n): array => ['page' => $n > 1 ? $n : '', 'q' => $q, 'cursor' => $cursor];
		[$since, $isLook] = $this->lastLook();
		$seen = $waiting === [] ? gmdate('Y-m-d\TH:i:s.000000\Z', $this->c->now) : end($waiting)['created_at'];
		$response = $this->c->page('pending.twig', [
			'rows' => $this->withBalances($rows, $since),
			'total' => count($waiting),
			'more' => $list->next(),
			'cursor' => $cursor,
			'q' => $q,
			'too_many' => $tooMany,
			'page' => $page,
			'pages' => $pages,
			'here' => View::url('/pending', $at($page)),
			'all' => View::url('/pending', $at($page) + ['select' => 'all']),
			// To turn a page is no new look: what was new on the first is on the next, too.
			'before' => $page > 1 ? View::url('/pending', $at($page - 1) + ['since' => $since]) : '',
			'after' => $page < $pages ? View::url('/pending', $at($page + 1) + ['since' => $since]) : '',
			'ticked' => $r->query('select') === 'all' ? array_column($rows, 'id') : $ticked,
			'since' => $since === '' ? $seen : $since,
			'again' => View::url('/pending', $at($page) + ['since' => $since === '' ? $seen : $since]),
			'news' => View::url('/pending/news', ['q' => $q, 'cursor' => $cursor, 'until' => $seen, 'n' => count($waiting), 'back' => $page]),
			'results' => $results,
			'wrong' => $wrong,
			'typed' => ['reason' => $reason !== '' ? $reason : $r->field('reason'), 'why' => $r->map('why'), 'points' => $r->map('points')],
			'problem' => $problem,
		], $problem?->status ?? ($tooMany ? 422 : 200))->withPolicy("frame-src 'self'");
		return $isLook && $seen > $this->c->request->cookie(self::SEEN) && $cursor === '' && $q === '' ? $response->withCookie(self::SEEN . "=$seen; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=604800") : $response;
	}

	/** Up to 200 requests of the list. */
	private function list(string $q, string $cursor): Answer
	{
		$query = ['status' => 'PENDING_APPROVAL', 'q' => $q, 'sort' => $q === '' ? 'created_at' : '', 'limit' => 200, 'cursor' => $cursor];
		return $this->c->api->all(['' => ['/v1/reservations', $query]])[''];
	}

	/**
	 * Up to when the reader has seen the list; whether this is a look of theirs, or the page that refreshes itself and says since when it stands there.
	 * @return array{string, bool}
	 */
	private function lastLook(): array
	{
		$r = $this->c->request;
		$time = static fn (string $text): string => preg_match('/\A[0-9TZ:.-]{20,30}\z/', $text) ? $text : '';
		if ($r->isLive()) {
			return [$time($r->header('x-live')), false];
		}
		$since = $time($r->query('since'));
		$isLook = !$r->isPost() || $r->field('do') === 'refresh';
		return $since !== '' ? [$since, $isLook && $r->isPost()] : [$time($r->cookie(self::SEEN)), $isLook];
	}

	/**
	 * With what each of them has, and what can be decided: all balances in one call.
	 * @param list<array<string, mixed>> $rows
	 * @return list<array<string, mixed>>
	 */
	private function withBalances(array $rows, string $since): array
	{
		$ids = array_values(array_unique(array_map(static fn (array $row): string => $row['user']['id'], $rows)));
		$answer = $ids === [] ? null : $this->c->api->all(['' => ['/v1/admin/users', ['ids' => implode(',', $ids)]]])[''];
		$balances = [];
		foreach ($answer?->isFine() ? $answer->json() : [] as $one) {
			$balances[$one['user']['id']] = $one['bonus_points'];
		}
		foreach ($rows as &$row) {
			$row += Decision::offers($row, $balances[$row['user']['id']] ?? null);
			$row['is_new'] = $since !== '' && $row['created_at'] > $since;
		}
		return $rows;
	}
}
