<?php

declare(strict_types=1);

use Loyalty\Console\Sealer;
use Loyalty\Console\Session;
use Loyalty\Console\Settings;
use PHPUnit\Framework\TestCase;

final class SessionTest extends TestCase
{
	private const KEY = 'the-restricted-key-0123456789';
	private Sealer $sealer;
	private Settings $settings;

	protected function setUp(): void
	{
		$this->settings = Settings::from(['LOYALTY_CONSOLE_SECRET' => str_repeat('s', 40), 'LOYALTY_CONSOLE_IDLE_S' => '100', 'LOYALTY_CONSOLE_LIFETIME_S' => '1000'], true);
		$this->sealer = new Sealer($this->settings->secrets());
	}

	private function value(string $line): string
	{
		$this->assertSame(1, preg_match('/\A' . Session::COOKIE . '=([^;]*); Path=\/; Secure; HttpOnly; SameSite=Strict\z/', $line, $found));
		return $found[1];
	}

	private function open(string $value, int $now): ?Session
	{
		return Session::open($this->sealer, $value, $this->settings, $now);
	}

	public function testOpensAsItWasSealed(): void
	{
		$session = Session::signedIn(self::KEY, "Zoë \u{202f}O'Brien", 5000);
		$opened = $this->open($this->value($session->cookie($this->sealer, 5000)), 5001);
		$this->assertTrue($opened->isSignedIn());
		$this->assertSame([self::KEY, "Zoë \u{202f}O'Brien", $session->csrfToken()], [$opened->key, $opened->name, $opened->csrfToken()]);
	}

	public function testTheKeyCannotBeReadInTheCookie(): void
	{
		$value = $this->value(Session::signedIn(self::KEY, 'Mia', 5000)->cookie($this->sealer, 5000));
		$this->assertStringNotContainsString('restricted', $value . base64_decode(strtr($value, '-_', '+/')));
		$this->assertLessThan(4000, strlen($this->value(Session::signedIn(str_repeat('k', 512), str_repeat('名', 100), 1)->cookie($this->sealer, 1))));
	}

	public function testEveryByteCounts(): void
	{
		$value = $this->value(Session::signedIn(self::KEY, 'Mia', 5000)->cookie($this->sealer, 5000));
		for ($i = 0; $i < strlen($value); $i += 7) {
			$other = $value;
			$other[$i] = $other[$i] === 'A' ? 'B' : 'A';
			$this->assertNull($this->open($other, 5000), "with another character at $i");
		}
		foreach (['', 'x', '....', $value . 'A', substr($value, 0, -3), str_repeat('A', 3000)] as $other) {
			$this->assertNull($this->open($other, 5000));
		}
	}

	public function testWhatIsSealedForOnePurposeOpensForNoOther(): void
	{
		$value = $this->sealer->seal('notice', ['k' => self::KEY, 'n' => 'Mia', 'c' => 'c', 'i' => 5000, 's' => 5000]);
		$this->assertNull($this->open($value, 5000));
	}

	public function testEndsWhenNothingIsDone(): void
	{
		$value = $this->value(Session::signedIn(self::KEY, 'Mia', 5000)->cookie($this->sealer, 5000));
		$this->assertTrue($this->open($value, 5100)->isSignedIn());
		$this->assertFalse($this->open($value, 5101)->isSignedIn());
	}

	public function testEndsAtTheLatestHoweverBusy(): void
	{
		$session = Session::signedIn(self::KEY, 'Mia', 5000);
		for ($now = 5000; $now <= 6000; $now += 50) {
			$session = $this->open($this->value($session->cookie($this->sealer, $now)), $now);
			$this->assertTrue($session->isSignedIn());
		}
		$this->assertFalse($this->open($this->value($session->cookie($this->sealer, 6001)), 6001)->isSignedIn());
	}

	public function testAnOlderSecretStillOpensAndANewOneSeals(): void
	{
		$value = $this->value(Session::signedIn(self::KEY, 'Mia', 5000)->cookie($this->sealer, 5000));
		$both = new Sealer([str_repeat('n', 40), str_repeat('s', 40)]);
		$this->assertNotNull(Session::open($both, $value, $this->settings, 5000));
		$this->assertNull(Session::open(new Sealer([str_repeat('n', 40)]), $value, $this->settings, 5000));
	}

	public function testTheSameFormHasTheSameKeyAndNoOther(): void
	{
		$a = Session::signedIn(self::KEY, 'Mia', 1);
		$key = $a->idempotencyKey('token', '/console/x');
		$this->assertMatchesRegularExpression('/\A[!-~]{1,128}\z/', $key);
		$this->assertSame($key, $a->idempotencyKey('token', '/console/x'));
		$this->assertNotSame($key, $a->idempotencyKey('token', '/console/y'));
		$this->assertNotSame($key, $a->idempotencyKey('other', '/console/x'));
		$this->assertSame($key, Session::signedIn(self::KEY, 'Mia', 9)->idempotencyKey('token', '/console/x'));
		$this->assertNotSame($key, Session::signedIn(self::KEY, 'Ben', 1)->idempotencyKey('token', '/console/x'));
	}

	public function testATokenOfAnotherSessionDoesNotFit(): void
	{
		$a = Session::signedIn(self::KEY, 'Mia', 1);
		$this->assertTrue($a->csrfFits($a->csrfToken()));
		$this->assertFalse($a->csrfFits(Session::signedIn(self::KEY, 'Mia', 1)->csrfToken()));
		$this->assertFalse($a->csrfFits(''));
	}
}
