<?php

declare(strict_types=1);

namespace Loyalty\Console\Page;

use Loyalty\Console\Answer;
use Loyalty\Console\Metrics;
use Loyalty\Console\Problem;
use Loyalty\Console\Recent;
use Loyalty\Console\Refused;
use Loyalty\Console\Response;
use Loyalty\Console\View;
use Loyalty\Console\Words;

/** The outbox: what waits, what was sent, what was given up and why. */
final class Mail extends Page
{
	/** How many times a hundred mails one press sends again. */
	private const RETRIES = 20;

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
		return $this->c->done($this->c->back('/console/mail'), Words::say('mail.queued', ['subject' => $mail['subject']]));
	}

	/** All that have failed, as far as one press goes. */
	public function retryAll(): Response
	{
		$queued = 0;
		for ($page = 0; $page < self::RETRIES; $page++) {
			$rows = $this->c->api->get('/v1/admin/outbox', ['status' => 'DEAD', 'limit' => 100])->json();
			$calls = [];
			foreach ($rows as $row) {
				$calls[$row['id']] = ['POST', "/v1/admin/outbox/{$row['id']}/retry", [], $this->c->idempotencyKey(" {$row['id']} {$row['attempts']}")];
			}
			$fine = $calls === [] ? [] : array_filter($this->c->api->sendAll($calls), static fn (Answer $answer): bool => $answer->isFine());
			$queued += count($fine);
			if (count($rows) < 100 || $fine === []) {
				break;
			}
		}
		return $this->c->done('/console/mail', Words::say('mail.queued_all', ['n' => $queued]));
	}

	/** One mail, with its text. */
	public function one(string $id): Response
	{
		$answer = $this->c->api->all(['' => ["/v1/admin/outbox/$id"]])[''];
		return $answer->isFine() ? $this->c->page('mail-one.twig', ['m' => $answer->json()]) : $this->c->failed($answer->problem);
	}

	private function page(?Problem $problem): Response
	{
		$r = $this->c->request;
		$status = in_array($r->query('status'), Words::MAILS, true) ? $r->query('status') : '';
		$cursor = $r->query('cursor');
		$answers = $this->c->api->all([
			'list' => ['/v1/admin/outbox', ['status' => $status, 'limit' => 50, 'cursor' => $cursor]],
			'latest' => ['/v1/admin/outbox', ['limit' => Recent::ROWS]],
			'metrics' => ['/v1/admin/metrics'],
		]);
		$metrics = $answers['metrics']->isFine() ? new Metrics($answers['metrics']->body) : null;
		$list = $answers['list'];
		return $this->c->page('mail.twig', [
			'rows' => $list->json(),
			'status' => $status,
			'statuses' => Words::MAILS,
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
	 * The latest mails by when they were written.
	 * @param list<array<string, mixed>> $mails the newest first
	 * @return array<string, mixed>|null
	 */
	public static function chart(array $mails, int $now): ?array
	{
		$names = array_combine(Words::MAILS, array_map(static fn (string $status): string => Words::say("mail.status.$status"), Words::MAILS));
		return Recent::chart('mail.chart', $mails, 'created_at', static fn (array $row): array => [$row['status'] => 1], $names, $now);
	}
}
