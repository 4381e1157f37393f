<?php

declare(strict_types=1);

namespace Loyalty\Console\Page;

use Loyalty\Console\Api;
use Loyalty\Console\Language;
use Loyalty\Console\Log;
use Loyalty\Console\Refused;
use Loyalty\Console\Response;
use Loyalty\Console\Routes;
use Loyalty\Console\Secret;
use Loyalty\Console\Session;
use Loyalty\Console\SessionEnded;
use Loyalty\Console\SessionsFull;
use Loyalty\Console\Words;

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
			->withCookie($this->c->sessions->cookie($visitor));
	}

	public function form(string $why, string $name, string $to, string $resume, int $status, array $wrong = []): Response
	{
		// What may be a key is not shown again, wherever it was typed.
		if (Secret::isWithin($this->field('key'), $name) || Secret::looksLikeOne($name)) {
			$name = '';
		}
		return $this->c->page('sign-in.twig', ['why' => $why, 'name' => $name, 'to' => $to, 'resume' => $resume, 'wrong' => $wrong], $status);
	}

	public function enter(): Response
	{
		$key = $this->field('key');
		$name = $this->field('name');
		$to = $this->field('to');
		$resume = $this->field('resume');
		$wrong = [];
		if (Secret::isWithin($key, $name) || Secret::looksLikeOne($name)) {
			$wrong['name'] = Words::say('sign-in.key_as_name');
		} elseif (in_array($name, ['public', 'restricted'], true)) {
			$wrong['name'] = Words::say('sign-in.reserved_name'); // who has no name is called so in the histories
		} elseif ($name === '' || mb_strlen($name) > 100 || preg_match('/[\x00-\x1f\x7f]|\xc2[\x80-\x9f]|[\x{202a}-\x{202e}\x{2066}-\x{2069}]/u', $name)) {
			$wrong['name'] = Words::say('sign-in.no_name');
		}
		if ($key === '') {
			$wrong['key'] = Words::say('sign-in.no_key');
		} elseif (!preg_match('#\A[A-Za-z0-9._~+/=-]{16,512}\z#', $key)) {
			$wrong['key'] = Words::say('sign-in.not_a_key');
		}
		try {
			foreach (isset($wrong['name']) ? [] : Secret::candidates($name) as $candidate) {
				if ($this->isKey($candidate)) {
					$wrong['name'] = Words::say('sign-in.key_as_name');
					$name = '';
				}
			}
		} catch (Refused $e) {
			return $this->form($e->problem->words() . ' ' . Words::say('sign-in.not_yet'), '', $to, $resume, $e->problem->status);
		}
		if ($wrong !== []) {
			return $this->form('', $name, $to, $resume, 422, $wrong);
		}
		try {
			(new Api($this->c->settings, $key, $name, $this->c->request->id))->get('/v1/admin/rooms', ['limit' => 1]);
		} catch (SessionEnded) {
			Log::write('warn', $this->c->request->id, "sign-in refused, from {$this->c->request->address}, as $name");
			return $this->form('', $name, $to, $resume, 401, ['key' => Words::say('sign-in.invalid')]);
		} catch (Refused $e) {
			return $this->form($e->problem->words() . ' ' . Words::say('sign-in.not_yet'), $name, $to, $resume, $e->problem->status);
		}
		try {
			$session = $this->c->sessions->start($key, $name);
		} catch (SessionsFull $e) {
			Log::write('error', $this->c->request->id, 'a session cannot be saved: ' . $e->getMessage());
			return $this->form(Words::say('sign-in.full'), $name, $to, $resume, 503);
		}
		Log::write('info', $this->c->request->id, "$name signed in, from {$this->c->request->address}");
		$this->c->sessions->end($this->c->session);
		$cookie = $this->c->sessions->cookie($session);
		$kept = $resume === '' ? null : $this->c->sealer->open('resume', $resume);
		if ($kept !== null && $this->c->now - $kept['i'] < 86400) {
			return $this->c->forSession($session)->resume(Words::say('resume.signed_out'), $kept['p'], $kept['f'], $kept['t'], 200)
				->withCookie($cookie);
		}
		return Response::seeOther(Routes::isPage($to) ? $to : '/console/pending')->withCookie($cookie);
	}

	/** Whether the API knows this as a key, whatever for. @throws Refused */
	private function isKey(string $text): bool
	{
		try {
			(new Api($this->c->settings, $text, 'sign-in', $this->c->request->id))->get('/v1/admin/rooms', ['limit' => 1]);
			return true;
		} catch (SessionEnded $e) {
			return $e->status === 403;
		}
	}

	/** The language of all pages from here on; whoever sends it, nothing else changes. */
	public function language(): Response
	{
		$language = $this->field('language');
		$response = Response::seeOther($this->c->back('/console/'));
		return isset(Language::ALL[$language]) ? $response->withCookie(Language::cookie($language)) : $response;
	}

	public function leave(): Response
	{
		if (!$this->c->sessions->end($this->c->session)) {
			return $this->c->page('refused.twig', ['why' => Words::say('refused.still_signed_in')], 503);
		}
		if ($this->c->session->isSignedIn()) {
			Log::write('info', $this->c->request->id, "{$this->c->session->name} signed out");
		}
		return $this->c->done('/console/sign-in', Words::say('sign-in.out'))->withCookie(Session::noCookie());
	}
}
