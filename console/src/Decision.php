<?php

declare(strict_types=1);

namespace Loyalty\Console;

/** Staff's yes or no to a request: what can be offered, and doing it, each under a key of its own. */
final class Decision
{
	public function __construct(private readonly Context $c)
	{
	}

	/**
	 * What will work for this request: nothing that is known to fail.
	 * @param array<string, mixed> $it a reservation
	 * @return array{balance: ?int, missing: ?int, free: int, take: ?int, gift: int} take: what an approval would take, null where none is possible;
	 *         gift: what is missing, 0 where that can't be given
	 */
	public static function offers(array $it, ?int $balance): array
	{
		$free = $it['room']['available_amount'];
		$missing = $balance === null ? null : max(0, $it['points'] - $balance);
		return ['balance' => $balance, 'missing' => $missing, 'free' => $free,
			'take' => $free === 0 ? null : ($balance === null ? $it['points'] : min($balance, $it['points'])),
			'gift' => $free === 0 || $missing === null ? 0 : $missing];
	}

	/** @return array<string, mixed> the reservation @throws Refused */
	public function approve(string $id, int $points): array
	{
		return $this->approveAll([$id => $points])[$id]->json();
	}

	/**
	 * @param array<string, int> $take points by id
	 * @return array<string, Answer>
	 */
	public function approveAll(array $take): array
	{
		$calls = [];
		foreach ($take as $id => $points) {
			$calls[$id] = ['POST', "/v1/admin/reservations/$id/approve", ['points' => $points], $this->c->idempotencyKey(" approve $id $points")];
		}
		return $calls === [] ? [] : $this->c->api->sendAll($calls);
	}

	/**
	 * Give the guest what is missing, then approve at the price.  Sent again, neither is done twice; where the
	 * second is refused, the first stands, and the page says so.
	 * @return array<string, mixed> the reservation
	 * @throws Refused
	 */
	public function gift(string $id, int $points, int $price, string $reason): array
	{
		$it = $this->c->api->get("/v1/reservations/$id")->json();
		if ($it['status'] !== 'PENDING_APPROVAL') {
			return $this->approve($id, $price); // ours of before, or refused: a gift for nothing is none
		}
		$this->c->api->send('POST', "/v1/users/{$it['user']['id']}/points", ['amount' => $points, 'reason' => $reason], $this->c->idempotencyKey(" gift $id $points"));
		try {
			return $this->approve($id, $price);
		} catch (Refused $e) {
			$p = $e->problem;
			throw new Refused(new Problem($p->type, $p->status, $p->detail, $p->requestId, $p->fields + ['' => Words::say('waiting.gift_stands', ['n' => $points])]));
		}
	}

	/** @return array<string, mixed> the reservation @throws Refused */
	public function reject(string $id, string $reason): array
	{
		return $this->rejectAll([$id], $reason)[$id]->json();
	}

	/**
	 * @param list<string> $ids
	 * @return array<string, Answer>
	 */
	public function rejectAll(array $ids, string $reason): array
	{
		$calls = [];
		foreach ($ids as $id) {
			$calls[$id] = ['POST', "/v1/admin/reservations/$id/reject", ['reason' => $reason], $this->c->idempotencyKey(" reject $id")];
		}
		return $this->c->api->sendAll($calls);
	}

	/** What was decided, for the notice. @param array<string, mixed> $it */
	public static function told(array $it): string
	{
		return Words::say("done.{$it['status']}", ['room' => $it['room']['name'], 'guest' => $it['user']['name'], 'points' => Words::count($it['points'], 'points')]);
	}
}
