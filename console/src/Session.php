<?php

declare(strict_types=1);

namespace Loyalty\Console;

/**
 * Who is signed in, or that nobody is.  Sessions keeps it.
 *
 * A session without a key is that of a visitor who has not signed in: it
 * has the CSRF secret of the sign-in form.
 */
final class Session
{
	public const COOKIE = '__Host-loyalty-console';

	private function __construct(
		public readonly ?string $id,
		public readonly ?string $key,
		public readonly string $name,
		public readonly string $secret,
		public readonly int $since,
		public readonly int $seen,
		public readonly bool $expired,
	) {
	}

	/** A visitor's. */
	public static function fresh(int $now): self
	{
		return self::visitor(self::random(), $now, false);
	}

	/** A visitor's, as the cookie has it. */
	public static function visitor(string $secret, int $since, bool $expired): self
	{
		return new self(null, null, '', $secret, $since, $since, $expired);
	}

	/** After a sign-in: with a CSRF secret of its own, whatever was before. */
	public static function signedIn(string $id, string $key, string $name, int $now): self
	{
		return new self($id, $key, $name, self::random(), $now, $now, false);
	}

	/** As it was kept. */
	public static function kept(string $id, string $key, string $name, string $secret, int $since, int $seen, bool $expired): self
	{
		return new self($id, $key, $name, $secret, $since, $seen, $expired);
	}

	/** One that is no more: nobody knows whose it was. */
	public static function ended(): self
	{
		return new self(null, null, '', self::random(), 0, 0, true);
	}

	public function isSignedIn(): bool
	{
		return $this->key !== null && !$this->expired;
	}

	/** The Set-Cookie line that ends it. */
	public static function noCookie(): string
	{
		return self::line('') . '; Max-Age=0';
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

	/** The Set-Cookie line of this value. */
	public static function line(string $value): string
	{
		// Path and no Domain are what __Host- asks for.
		return self::COOKIE . "=$value; Path=/; Secure; HttpOnly; SameSite=Strict";
	}

	private static function random(): string
	{
		return Sealer::encode(random_bytes(24));
	}
}
