<?php

declare(strict_types=1);

namespace Loyalty\Console\Page;

use Loyalty\Console\Api;
use Loyalty\Console\Log;
use Loyalty\Console\Refused;
use Loyalty\Console\Response;
use Loyalty\Console\Routes;
use Loyalty\Console\Session;
use Loyalty\Console\SessionEnded;

/** Signing in and out.  The one page that needs no session. */
final class SignIn extends Page
{
	public function show(): Response
	{
		if ($this->c->session->isSignedIn()) {
			return Response::seeOther('/console/pending');
		}
		$visitor = $this->c->session->key === null && !$this->c->session->expired ? $this->c->session : Session::fresh($this->c->now);
		$page = new self($this->c->forSession($visitor));
		return $page->form('', '', $this->c->request->query('to'), '', 200)
			->withCookie($visitor->cookie($this->c->sealer, $this->c->now));
	}

	public function form(string $why, string $name, string $to, string $resume, int $status, array $wrong = []): Response
	{
		return $this->c->page('sign-in.twig', ['why' => $why, 'name' => $name, 'to' => $to, 'resume' => $resume, 'wrong' => $wrong], $status);
	}

	public function enter(): Response
	{
		$key = $this->field('key');
		$name = $this->field('name');
		$to = $this->field('to');
		$resume = $this->field('resume');
		$wrong = [];
		if ($name === '' || mb_strlen($name) > 100 || preg_match('/[\x00-\x1f\x7f]|\xc2[\x80-\x9f]|[\x{202a}-\x{202e}\x{2066}-\x{2069}]/u', $name)) {
			$wrong['name'] = 'Your name, with 100 characters at most: it is kept with everything you do.';
		}
		if ($key === '') {
			$wrong['key'] = 'Please fill this in.';
		} elseif (!preg_match('#\A[A-Za-z0-9._~+/=-]{16,512}\z#', $key)) {
			$wrong['key'] = 'This is not a key: keys have 16 characters or more, and no spaces.';
		}
		if ($wrong !== []) {
			return $this->form('', $name, $to, $resume, 422, $wrong);
		}
		try {
			(new Api($this->c->settings, $key, $name, $this->c->request->id))->get('/v1/admin/rooms', ['limit' => 1]);
		} catch (SessionEnded) {
			Log::write('warn', $this->c->request->id, "sign-in refused, from {$this->c->request->address}, as $name");
			return $this->form('', $name, $to, $resume, 401, ['key' => 'This is not the key for staff, or no longer.']);
		} catch (Refused $e) {
			return $this->form($e->problem->words() . ' You are not signed in yet.', $name, $to, $resume, $e->problem->status);
		}
		Log::write('info', $this->c->request->id, "$name signed in, from {$this->c->request->address}");
		$session = Session::signedIn($key, $name, $this->c->now);
		$cookie = $session->cookie($this->c->sealer, $this->c->now);
		$kept = $resume === '' ? null : $this->c->sealer->open('resume', $resume);
		if ($kept !== null && $this->c->now - $kept['i'] < 86400) {
			return $this->c->forSession($session)->resume('You were signed out before this was sent, so nothing has been done yet.', $kept['p'], $kept['f'], $kept['t'], 200)
				->withCookie($cookie);
		}
		return Response::seeOther(Routes::isPage($to) ? $to : '/console/pending')->withCookie($cookie);
	}

	public function leave(): Response
	{
		if ($this->c->session->isSignedIn()) {
			Log::write('info', $this->c->request->id, "{$this->c->session->name} signed out");
		}
		return $this->c->done('/console/sign-in', 'You are signed out.')->withCookie(Session::noCookie());
	}
}
