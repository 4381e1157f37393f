<?php

declare(strict_types=1);

use Loyalty\Console\Session;
use PHPUnit\Framework\TestCase;

final class SessionTest extends TestCase
{
	private static function mia(int $now = 1, string $name = 'Mia'): Session
	{
		return Session::signedIn("id$now", 'the-restricted-key-0123456789', $name, $now);
	}

	public function testTheSameFormHasTheSameKeyAndNoOther(): void
	{
		$a = self::mia();
		$key = $a->idempotencyKey('token', '/console/x');
		$this->assertMatchesRegularExpression('/\A[!-~]{1,128}\z/', $key);
		$this->assertSame($key, $a->idempotencyKey('token', '/console/x'));
		$this->assertNotSame($key, $a->idempotencyKey('token', '/console/y'));
		$this->assertNotSame($key, $a->idempotencyKey('other', '/console/x'));
		$this->assertSame($key, self::mia(9)->idempotencyKey('token', '/console/x'));
		$this->assertNotSame($key, self::mia(1, 'Ben')->idempotencyKey('token', '/console/x'));
	}

	public function testATokenOfAnotherSessionDoesNotFit(): void
	{
		$a = self::mia();
		$this->assertTrue($a->csrfFits($a->csrfToken()));
		$this->assertFalse($a->csrfFits(self::mia()->csrfToken()));
		$this->assertFalse($a->csrfFits(''));
	}
}
