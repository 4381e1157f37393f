<?php

declare(strict_types=1);

namespace Loyalty\Console\Page;

use Loyalty\Console\Metrics;
use Loyalty\Console\Problem;
use Loyalty\Console\Refused;
use Loyalty\Console\Response;
use Loyalty\Console\Svg;
use Loyalty\Console\View;

/** The outbox: what waits, what was sent, what was given up and why. */
final class Mail extends Page
{
	private const STATUSES = ['PENDING' => 'queued', 'SENT' => 'sent', 'DEAD' => 'dead'];

	public function show(): Response
	{
		return $this->page(null);
	}

	public function retry(string $id): Response
	{
		try {
			$mail = $this->c->api->send('POST', "/v1/admin/outbox/$id/retry", [], $this->c->idempotencyKey())->json();
		} catch (Refused $e) {
			$this->c->keepFormIfUnknown($e->problem);
			return $this->page($e->problem);
		}
		return $this->c->done($this->c->back('/console/mail'), "Queued again: {$mail['subject']}");
	}

	private function page(?Problem $problem): Response
	{
		$r = $this->c->request;
		$status = isset(self::STATUSES[$r->query('status')]) ? $r->query('status') : '';
		$cursor = $r->query('cursor');
		$answers = $this->c->api->all([
			'list' => ['/v1/admin/outbox', ['status' => $status, 'limit' => 50, 'cursor' => $cursor]],
			'latest' => ['/v1/admin/outbox', ['limit' => 200]],
			'metrics' => ['/v1/admin/metrics'],
		]);
		$metrics = $answers['metrics']->isFine() ? new Metrics($answers['metrics']->body) : null;
		$list = $answers['list'];
		return $this->c->page('mail.twig', [
			'rows' => $list->json(),
			'status' => $status,
			'statuses' => self::STATUSES,
			'waiting' => $metrics?->gauge('loyalty_outbox_pending'),
			'oldest' => $metrics?->gauge('loyalty_outbox_oldest_seconds'),
			'dead' => $metrics?->gauge('loyalty_outbox_dead'),
			'chart' => $answers['latest']->isFine() ? self::chart($answers['latest']->json(), $this->c->now) : null,
			'next' => $list->next() === '' ? '' : View::url('/mail', ['status' => $status, 'cursor' => $list->next()]),
			'first' => $cursor === '' ? '' : View::url('/mail', ['status' => $status]),
			'problem' => $problem,
		], $problem === null ? 200 : $problem->status);
	}

	/**
	 * The latest mails by when they were written: in steps of a minute up to a day, so that the picture is full.
	 * @param list<array<string, mixed>> $mails the newest first
	 * @return array<string, mixed>|null
	 */
	public static function chart(array $mails, int $now): ?array
	{
		if ($mails === []) {
			return null;
		}
		$bars = 14;
		$first = (int) strtotime(end($mails)['created_at']);
		$step = 86400;
		foreach ([60, 300, 900, 3600, 4 * 3600, 86400] as $s) {
			if (intdiv($now, $s) - intdiv($first, $s) < $bars) {
				$step = $s;
				break;
			}
		}
		$end = intdiv($now, $step);
		$labels = [];
		$series = array_fill_keys(['queued', 'sent', 'dead'], array_fill(0, $bars, 0));
		for ($i = 0; $i < $bars; $i++) {
			$labels[] = gmdate($step === 86400 ? 'j M' : 'H:i', ($end - $bars + 1 + $i) * $step);
		}
		$counted = 0;
		foreach ($mails as $mail) {
			$at = $bars - 1 - ($end - intdiv((int) strtotime($mail['created_at']), $step));
			if ($at >= 0 && $at < $bars) {
				$series[self::STATUSES[$mail['status']]][$at]++;
				$counted++;
			}
		}
		return ['labels' => $labels, 'series' => $series, 'capped' => [], 'counted' => $counted,
			'svg' => Svg::stacked("The latest $counted mails by time of writing", $labels, $series)];
	}
}
