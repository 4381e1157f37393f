<?php

declare(strict_types=1);

namespace Loyalty\Console;

/**
 * Who is signed in.  The whole session is sealed in one cookie, so any number
 * of consoles that have the same secret share it and none keeps anything.
 *
 * A session without a key is that of a visitor who has not signed in: it
 * carries the CSRF secret of the sign-in form.
 */
final class Session
{
	public const COOKIE = '__Host-loyalty-console';
	private const PURPOSE = 'session';

	private function __construct(
		public readonly ?string $key,
		public readonly string $name,
		private readonly string $secret,
		public readonly int $since,
		public readonly int $seen,
		public readonly bool $expired,
	) {
	}

	/** A visitor's. */
	public static function fresh(int $now): self
	{
		return new self(null, '', self::random(), $now, $now, false);
	}

	/** After a sign-in: with a CSRF secret of its own, whatever was before. */
	public static function signedIn(string $key, string $name, int $now): self
	{
		return new self($key, $name, self::random(), $now, $now, false);
	}

	/** What the cookie holds; null where it holds none of ours. */
	public static function open(Sealer $sealer, string $cookie, Settings $settings, int $now): ?self
	{
		$value = $cookie === '' ? null : $sealer->open(self::PURPOSE, $cookie);
		if ($value === null || !isset($value['c'], $value['i'], $value['s'], $value['n']) || !array_key_exists('k', $value)) {
			return null;
		}
		$expired = $now - $value['s'] > $settings->number('LOYALTY_CONSOLE_IDLE_S')
			|| $now - $value['i'] > $settings->number('LOYALTY_CONSOLE_LIFETIME_S')
			|| $value['i'] > $now + 60;
		return new self($value['k'], $value['n'], $value['c'], $value['i'], $value['s'], $expired);
	}

	public function isSignedIn(): bool
	{
		return $this->key !== null && !$this->expired;
	}

	/** The Set-Cookie line that keeps it, seen now. */
	public function cookie(Sealer $sealer, int $now): string
	{
		return self::line($sealer->seal(self::PURPOSE,
			['k' => $this->key, 'n' => $this->name, 'c' => $this->secret, 'i' => $this->since, 's' => $now]));
	}

	/** The Set-Cookie line that ends it. */
	public static function noCookie(): string
	{
		return self::line('') . '; Max-Age=0';
	}

	/** Worth a new cookie: half a minute has passed. */
	public function isStale(int $now): bool
	{
		return $now - $this->seen >= 30;
	}

	public function csrfToken(): string
	{
		return Sealer::encode(substr(hash_hmac('sha256', 'form', $this->secret, true), 0, 16));
	}

	public function csrfFits(string $token): bool
	{
		return hash_equals($this->csrfToken(), $token);
	}

	/**
	 * The Idempotency-Key of a form: the same each time the same form is
	 * sent, so that to send it twice does nothing twice, even if there was
	 * another sign-in in between.
	 */
	public function idempotencyKey(string $formToken, string $action): string
	{
		return 'console-' . Sealer::encode(hash('sha256', "$this->name\n$action\n$formToken", true));
	}

	private static function line(string $value): string
	{
		// Path and no Domain are what __Host- asks for.
		return self::COOKIE . "=$value; Path=/; Secure; HttpOnly; SameSite=Strict";
	}

	private static function random(): string
	{
		return Sealer::encode(random_bytes(24));
	}
}
