<?php

declare(strict_types=1);

namespace Loyalty\Console;

/** What a page has at hand. */
final class Context
{
	/** Set where a form failed in a way that leaves open whether it was done. */
	private ?string $keptFormToken = null;

	public function __construct(
		public readonly Settings $settings,
		public readonly Request $request,
		public readonly Session $session,
		public readonly Api $api,
		public readonly Sealer $sealer,
		public readonly Sessions $sessions,
		private readonly View $view,
		public readonly int $now,
	) {
	}

	/** The same request, as somebody else. */
	public function forSession(Session $session): self
	{
		$api = new Api($this->settings, $session->key ?? '', $session->name, $this->request->id);
		return new self($this->settings, $this->request, $session, $api, $this->sealer, $this->sessions, $this->view, $this->now);
	}

	/** @param array<string, mixed> $values */
	public function page(string $template, array $values, int $status = 200): Response
	{
		[$notice, $used] = $this->takeNotice();
		$summary = $this->session->isSignedIn() ? $this->api->also() : null;
		$html = $this->view->render($template, $values + [
			'me' => $this->session->isSignedIn() ? $this->session->name : null,
			'summary' => $summary?->isFine() ? $summary->json() : [],
			'zone' => $this->settings->text('LOYALTY_CONSOLE_TIMEZONE'),
			'path' => $this->request->path,
			'notice' => $notice,
			'problem' => null,
			'forms' => new Forms($this->session->csrfToken(), $this->request->path, $this->keptFormToken),
			'idle_s' => $this->settings->number('LOYALTY_CONSOLE_IDLE_S'),
		]);
		$response = Response::page($html, $status);
		return $used ? $response->withCookie(Notice::noCookie()) : $response;
	}

	/**
	 * What was filled in, shown once more to be sent or left.  It came from a
	 * page of ours (its Origin says so), and is sent by nobody but a person.
	 * @param array<string, string|list<string>> $fields
	 */
	public function resume(string $why, string $action, array $fields, string $formToken, int $status): Response
	{
		$key = $this->session->key ?? '';
		array_walk_recursive($fields, static function (string &$text) use ($key): void {
			$text = Secret::without($key, $text);
		});
		return $this->page('resume.twig', ['why' => $why, 'action' => $action, 'fields' => $fields, 'kept' => $formToken], $status);
	}

	/** A page about what went wrong. */
	public function failed(Problem $problem): Response
	{
		$response = $this->page('failed.twig', ['problem' => $problem], $problem->status);
		return $problem->status === 503 || $problem->status === 429 ? $response->withHeader('Retry-After', '2') : $response;
	}

	/** Done: go there and say so. */
	public function done(string $to, string $text): Response
	{
		Log::write('info', $this->request->id, $this->session->name . ': ' . $text);
		return Response::seeOther($to)->withCookie(Notice::cookie($this->sealer, $text, $this->request->id));
	}

	/**
	 * Where to go after the form that was sent: to the page that it was on,
	 * which the browser tells (Referrer-Policy: same-origin), or which the
	 * form itself does, where it was shown in answer to another.  A page of
	 * ours, whatever they say.
	 */
	public function back(string $otherwise): string
	{
		$back = $this->request->field('back');
		if ($back === '' && preg_match('#\Ahttps://[^/]+(/console/.*)\z#', $this->request->header('referer'), $found)) {
			$back = $found[1];
		}
		return Routes::isPage($back) ? $back : $otherwise;
	}

	/** The Idempotency-Key of the form that was sent. */
	public function idempotencyKey(string $part = ''): string
	{
		return $this->session->idempotencyKey($this->request->field('form'), $this->request->path . $part);
	}

	/** Keep the form's token for the next time it is sent, if nobody knows what became of this one. */
	public function keepFormIfUnknown(Problem $problem): void
	{
		if ($problem->isUnknown()) {
			$this->keptFormToken = $this->request->field('form');
		}
	}

	/** @return array{?array{text: string, id: string, at: string}, bool} */
	private function takeNotice(): array
	{
		if ($this->request->isLive()) {
			return [null, false];
		}
		$cookie = $this->request->cookie(Notice::COOKIE);
		return $cookie === '' ? [null, false] : [Notice::open($this->sealer, $cookie, $this->now), true];
	}
}
