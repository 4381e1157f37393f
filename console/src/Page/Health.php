<?php

declare(strict_types=1);

namespace Loyalty\Console\Page;

use Loyalty\Console\Metrics;
use Loyalty\Console\Refused;
use Loyalty\Console\Response;

/** How the system is: ready, consistent, how fast, how busy. */
final class Health extends Page
{
	private const SAMPLE = '__Host-loyalty-sample';

	public function show(): Response
	{
		return $this->page(null, null);
	}

	/** Every invariant recomputed from the history; it reads everything, so it is asked for by hand. */
	public function audit(): Response
	{
		try {
			$audit = $this->c->api->get('/v1/admin/audit', [], 120000)->json();
		} catch (Refused $e) {
			return $this->page(null, $e->problem);
		}
		return $this->page($audit, null);
	}

	/** @param array<string, mixed>|null $audit */
	private function page(?array $audit, ?\Loyalty\Console\Problem $problem): Response
	{
		$answers = $this->c->api->all(['ready' => ['/readyz'], 'metrics' => ['/v1/admin/metrics']]);
		$metrics = $answers['metrics']->isFine() ? new Metrics($answers['metrics']->body) : null;
		return $this->c->page('health.twig', [
			'ready' => $answers['ready']->isFine(),
			'why' => $answers['ready']->problem?->detail ?? '',
			'unreachable' => $answers['ready']->problem?->type === 'unreachable',
			'waiting' => $metrics?->gauge('loyalty_reservations_pending_approval'),
			'queued' => $metrics?->gauge('loyalty_outbox_pending'),
			'oldest' => $metrics?->gauge('loyalty_outbox_oldest_seconds'),
			'dead' => $metrics?->gauge('loyalty_outbox_dead'),
			'sold_out' => $metrics?->gauge('loyalty_rooms_sold_out'),
			'audit' => $audit,
			'problem' => $problem,
		], $problem === null ? ($answers['ready']->isFine() ? 200 : 503) : $problem->status);
	}

	/** For who looks after the machines: every route, how often and how fast. */
	public function routes(): Response
	{
		$answer = $this->c->api->all(['metrics' => ['/v1/admin/metrics']])['metrics'];
		$metrics = $answer->isFine() ? new Metrics($answer->body) : null;
		[$rate, $since] = $metrics === null ? [null, null] : $this->rate($metrics);
		$response = $this->c->page('routes.twig', ['metrics' => $metrics, 'routes' => $metrics?->routes() ?? [], 'totals' => $metrics?->totals() ?? [0, 0, 0], 'rate' => $rate, 'since' => $since]);
		return $metrics === null ? $response : $response->withCookie(self::SAMPLE . "={$this->c->now}.{$metrics->totals()[0]}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=3600");
	}

	/**
	 * Requests a second since this browser last looked: the counters then are in a cookie.
	 * @return array{?float, ?int}
	 */
	private function rate(Metrics $metrics): array
	{
		if (!preg_match('/\A([0-9]{1,12})\.([0-9]{1,15})\z/', $this->c->request->cookie(self::SAMPLE), $then)) {
			return [null, null];
		}
		$seconds = $this->c->now - (int) $then[1];
		$more = $metrics->totals()[0] - (int) $then[2];
		return $seconds < 1 || $seconds > 3600 || $more < 0 ? [null, null] : [$more / $seconds, $seconds];
	}
}
