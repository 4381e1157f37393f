<?php

declare(strict_types=1);

namespace Loyalty\Console;

/** From a request to an answer: the session, what every form must prove, the page. */
final class App
{
	private Sealer $sealer;
	private Sessions $sessions;
	private View $view;
	private Assets $assets;
	private string $root;

	public function __construct(private readonly Settings $settings, string $root, private readonly int $now)
	{
		$this->sealer = new Sealer($settings->secrets());
		$this->sessions = new Sessions($settings, $this->sealer, $now);
		$this->assets = new Assets("$root/static");
		$this->view = new View($root, "$root/build/twig", $this->assets);
		$this->root = $root;
		Log::level($settings->text('LOYALTY_LOG_LEVEL'));
	}

	public function handle(Request $request): Response
	{
		if (preg_match('#\A/console/static/([^/]+)\z#', $request->path, $found) && in_array($request->method, ['GET', 'HEAD'], true)) {
			$file = $this->assets->serve($found[1], $request);
			if ($file !== null) {
				return $file;
			}
		}
		$language = Language::of($request);
		Words::speak($language, Language::words($this->root, $language), $this->settings->text('LOYALTY_CONSOLE_TIMEZONE'));
		$opened = $this->sessions->open($request->cookie(Session::COOKIE));
		$session = $opened ?? Session::fresh($this->now);
		Log::hide($session->key);
		$api = new Api($this->settings, $session->key ?? '', $session->name, $request->id);
		if ($session->isSignedIn()) {
			$api->alsoGet('/v1/admin/summary');
		}
		$context = new Context($this->settings, $request, $session, $api, $this->sealer, $this->sessions, $this->view, $this->now);
		try {
			$response = $this->route($context, $opened !== null);
		} catch (SessionEnded $e) {
			Log::write('warn', $request->id, "{$session->name}'s session ends: " . $e->getMessage());
			$this->sessions->end($session);
			return $this->signIn($context, Words::say('sign-in.key_changed'));
		} catch (Refused $e) {
			return $context->failed($e->problem);
		}
		// What the page itself asks for keeps no session alive.
		if (!$request->isLive() && !$response->hasCookie(Session::COOKIE)) {
			$this->sessions->touch($session);
		}
		return $response;
	}

	private function route(Context $context, bool $hadSession): Response
	{
		$request = $context->request;
		$session = $context->session;
		$method = $request->method === 'HEAD' ? 'GET' : $request->method;
		$hasKey = $session->isSignedIn() && $request->holds($session->key);
		if ($hasKey && !$request->isPost()) {
			Log::write('warn', $request->id, "refused: the address contains the key of {$session->name}");
			return $context->page('refused.twig', ['why' => Words::say('refused.key_in_address')], 400);
		}
		[$handler, $arguments, $allowed] = Routes::find($method, $request->route());
		if ($handler === null) {
			return $allowed === []
				? $context->page('missing.twig', [], 404)
				: $context->page('refused.twig', ['why' => Words::say('refused.method')], 405)->withHeader('Allow', implode(', ', $allowed));
		}
		$isOpen = $handler[0] === Page\SignIn::class;
		if ($request->isPost()) {
			if (!$request->isFromHere()) {
				Log::write('warn', $request->id, 'refused: a form from elsewhere, for ' . $request->path);
				return $context->page('refused.twig', ['why' => Words::say('refused.elsewhere')], 403);
			}
			if ($handler[1] !== 'language' && (!$hadSession || !$session->csrfFits($request->field('csrf')))) {
				if ($isOpen) {
					// Their own page, too old: no harm, and nothing to type again but the key.
					return $this->signIn($context, Words::say('sign-in.too_long'));
				}
				if ($session->isSignedIn()) {
					Log::write('warn', $request->id, 'refused: the CSRF token does not fit, for ' . $request->path);
					return $context->resume(Words::say('resume.other_session'), $request->path, $request->filledIn(), $request->field('form'), 403);
				}
			}
		}
		if ($hasKey && !$isOpen) {
			Log::write('warn', $request->id, "refused: a field contains the key of {$session->name}, for $request->path");
			return $context->resume(Words::say('resume.key_in_field'), $request->path, $request->filledIn(), $request->field('form'), 422);
		}
		if (!$hadSession && $method === 'GET' && $request->header('sec-fetch-site') === 'cross-site') {
			// No cookie is set here: it would take the place of the one that was not sent.
			return $context->page('again.twig', ['here' => $request->path . $this->queryOf($request)]);
		}
		if (!$isOpen && !$session->isSignedIn()) {
			return $this->signIn($context, $session->expired || $request->isPost() ? Words::say('sign-in.inactive') : '');
		}
		[$class, $action] = $handler;
		return (new $class($context))->$action(...$arguments);
	}

	/**
	 * Ask to sign in.  What was typed into a form that comes too late is kept:
	 * sealed, inside the sign-in form, and shown again afterwards.
	 */
	private function signIn(Context $context, string $why): Response
	{
		$request = $context->request;
		if ($request->isLive()) {
			// the cookie stays: a form that is half filled in needs it
			return $request->isStrip() ? Page\Pending::strip($context, ['signed_out' => true], 401) : Response::page('', 401);
		}
		$isOwnForm = str_starts_with($request->path, '/console/sign-');
		$visitor = Session::fresh($this->now);
		$signIn = new Page\SignIn($context->forSession($visitor));
		$resume = '';
		if ($request->isPost() && !$isOwnForm) {
			$resume = $this->sealer->seal('resume', ['p' => $request->path, 'f' => $request->filledIn(), 't' => $request->field('form'), 'i' => $this->now]);
		}
		$to = $request->isPost() || $isOwnForm ? $request->field('to') : $request->path . $this->queryOf($request);
		return $signIn->form($why, $isOwnForm ? $request->field('name') : $context->session->name, $to, $resume, $why === '' ? 200 : 401)
			->withCookie($this->sessions->cookie($visitor));
	}

	private function queryOf(Request $request): string
	{
		$query = $_SERVER['QUERY_STRING'] ?? '';
		return $query === '' || $request->path !== ($_SERVER['REQUEST_PATH'] ?? '') ? '' : "?$query";
	}
}
