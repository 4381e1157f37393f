<?php

declare(strict_types=1);

use Loyalty\Console\Sealer;
use Loyalty\Console\Session;
use Loyalty\Console\Sessions;
use Loyalty\Console\SessionsFull;
use Loyalty\Console\Settings;
use PHPUnit\Framework\TestCase;

final class SessionsTest extends TestCase
{
	private const KEY = 'the-restricted-key-0123456789';
	private const NAME = "Zoë \u{202f}O'Brien";
	private string $folder;

	protected function setUp(): void
	{
		$this->folder = sys_get_temp_dir() . '/console-sessions-' . bin2hex(random_bytes(6));
		Sessions::prepare($this->folder);
	}

	protected function tearDown(): void
	{
		array_map('unlink', glob("$this->folder/{,.new}*", GLOB_BRACE) ? array_filter(glob("$this->folder/{,.new}*", GLOB_BRACE), 'is_file') : []);
		rmdir($this->folder);
	}

	/** @param list<string> $secrets */
	private function store(int $now, int $max = Sessions::MAX, array $secrets = []): Sessions
	{
		$settings = Settings::from(['LOYALTY_CONSOLE_SECRET' => str_repeat('s', 40), 'LOYALTY_CONSOLE_SESSIONS' => $this->folder,
			'LOYALTY_CONSOLE_IDLE_S' => '100', 'LOYALTY_CONSOLE_LIFETIME_S' => '1000'], true);
		return new Sessions($settings, new Sealer($secrets ?: $settings->secrets()), $now, $max);
	}

	private function value(string $line): string
	{
		$this->assertSame(1, preg_match('/\A' . Session::COOKIE . '=([^;]*); Path=\/; Secure; HttpOnly; SameSite=Strict\z/', $line, $found));
		return $found[1];
	}

	private function signIn(int $now, string $name = self::NAME): string
	{
		return $this->value($this->store($now)->cookie($this->store($now)->start(self::KEY, $name)));
	}

	/** @return list<string> */
	private function files(): array
	{
		return glob("$this->folder/*") ?: [];
	}

	public function testOpensAsItWasStarted(): void
	{
		$session = $this->store(5000)->start(self::KEY, self::NAME);
		$opened = $this->store(5001)->open($this->value($this->store(5000)->cookie($session)));
		$this->assertTrue($opened->isSignedIn());
		$this->assertSame([self::KEY, self::NAME, $session->csrfToken()], [$opened->key, $opened->name, $opened->csrfToken()]);
	}

	public function testNothingCanBeReadInTheCookieNorInTheFile(): void
	{
		$value = $this->signIn(5000);
		$this->assertMatchesRegularExpression('/\A[A-Za-z0-9_-]{43}\z/', $value);
		[$file] = $this->files();
		$this->assertSame(0600, fileperms($file) & 0777);
		$this->assertSame(hash('sha256', $value), basename($file));
		foreach ([self::KEY, 'restricted', self::NAME, $value] as $told) {
			$this->assertStringNotContainsString($told, file_get_contents($file) . base64_decode(strtr(file_get_contents($file), '-_', '+/')));
		}
		$this->store(5000)->start(str_repeat('k', 512), str_repeat('名', 100));
		$this->assertLessThan(4096, max(array_map('filesize', $this->files())));
	}

	public function testSignedOutIsSignedOut(): void
	{
		$value = $this->signIn(5000);
		$this->store(5001)->end($this->store(5001)->open($value));
		$this->assertSame([], $this->files());
		$opened = $this->store(5001)->open($value);
		$this->assertSame([false, null, true], [$opened->isSignedIn(), $opened->key, $opened->expired]);
	}

	public function testASessionThatCannotBeRemovedIsNotSaidToHaveEnded(): void
	{
		$session = $this->store(5000)->start(self::KEY, self::NAME);
		$file = "$this->folder/" . hash('sha256', $session->id);
		rename($file, "$file-away");
		mkdir($file); // as little removable as a file in a folder that has become read-only
		$this->assertFalse($this->store(5000)->end($session));
		rmdir($file);
		$this->assertTrue($this->store(5000)->end($session), 'it is gone, whoever did it');
	}

	public function testAPageThatWasUnderWayBringsNoSessionBack(): void
	{
		$value = $this->signIn(5000);
		$late = $this->store(5050)->open($value);
		$this->store(5050)->end($this->store(5050)->open($value));
		$this->store(5050)->touch($late);
		$this->assertFalse($this->store(5050)->open($value)->isSignedIn());
		file_put_contents("$this->folder/" . hash('sha256', $value), ''); // between the look and the touch
		$this->assertFalse($this->store(5050)->open($value)->isSignedIn());
	}

	public function testAFileIsOfItsOwnCookieAlone(): void
	{
		[$mine, $other] = [$this->signIn(5000, 'Mine'), $this->signIn(5000, 'Other')];
		copy("$this->folder/" . hash('sha256', $other), "$this->folder/" . hash('sha256', $mine));
		$this->assertFalse($this->store(5000)->open($mine)->isSignedIn());
		$this->assertTrue($this->store(5000)->open($other)->isSignedIn());
	}

	public function testNoOtherCookieOpens(): void
	{
		$value = $this->signIn(5000);
		$other = $value;
		$other[7] = $other[7] === 'A' ? 'B' : 'A';
		foreach ([$other, '', 'x', '....', $value . 'A', substr($value, 0, -3), str_repeat('A', 43), str_repeat('A', 3000), "../$value"] as $bad) {
			$this->assertFalse($this->store(5000)->open($bad)?->isSignedIn() ?? false, $bad);
		}
		// As consoles of before made it: the key in the cookie.
		$sealed = (new Sealer([str_repeat('s', 40)]))->seal('session', ['k' => self::KEY, 'n' => 'Mia', 'c' => 'c', 'i' => 5000, 's' => 5000]);
		$this->assertNull($this->store(5000)->open($sealed));
	}

	public function testAVisitorHasACookieAndNoFile(): void
	{
		$visitor = Session::fresh(5000);
		$value = $this->value($this->store(5000)->cookie($visitor));
		$opened = $this->store(5001)->open($value);
		$this->assertSame([$visitor->csrfToken(), false, false], [$opened->csrfToken(), $opened->isSignedIn(), $opened->expired]);
		$this->assertTrue($this->store(5101)->open($value)->expired);
		$this->assertSame([], $this->files());
		for ($i = 0; $i < strlen($value); $i += 7) {
			$other = $value;
			$other[$i] = $other[$i] === 'A' ? 'B' : 'A';
			$this->assertNull($this->store(5000)->open($other), "with another character at $i");
		}
	}

	public function testEndsWhenNothingIsDone(): void
	{
		$value = $this->signIn(5000);
		$this->assertTrue($this->store(5100)->open($value)->isSignedIn());
		$opened = $this->store(5101)->open($value);
		$this->assertSame([false, true, self::NAME], [$opened->isSignedIn(), $opened->expired, $opened->name]);
		$this->assertSame([], $this->files(), 'and leaves nothing');
	}

	public function testEndsAtTheLatestHoweverBusy(): void
	{
		$value = $this->signIn(5000);
		for ($now = 5000; $now <= 6000; $now += 50) {
			$session = $this->store($now)->open($value);
			$this->assertTrue($session->isSignedIn(), "at $now");
			$this->store($now)->touch($session);
		}
		$this->assertFalse($this->store(6001)->open($value)->isSignedIn());
	}

	public function testAnOlderSecretStillOpens(): void
	{
		$value = $this->signIn(5000);
		$this->assertTrue($this->store(5000, secrets: [str_repeat('n', 40), str_repeat('s', 40)])->open($value)->isSignedIn());
		$this->assertFalse($this->store(5000, secrets: [str_repeat('n', 40)])->open($value)->isSignedIn());
	}

	public function testTheyAreBounded(): void
	{
		$values = [];
		for ($i = 0; $i < 8; $i++) {
			$values[] = $this->value($this->store(5000 + $i)->cookie($this->store(5000 + $i, 5)->start(self::KEY, "n$i")));
			if ($i === 4) {
				$this->store(5040)->touch($this->store(5040)->open($values[0])); // who is at work stays
			}
		}
		$this->assertCount(5, $this->files());
		$open = array_keys(array_filter($values, fn (string $v): bool => $this->store(5040)->open($v)->isSignedIn()));
		$this->assertSame([0, 4, 5, 6, 7], $open);
	}

	public function testWhatHasEndedIsCleanedAway(): void
	{
		$this->signIn(5000);
		file_put_contents("$this->folder/.new-1", 'half');
		touch("$this->folder/.new-1", 5000);
		mkdir("$this->folder/" . 'other');
		$value = $this->signIn(5101);
		$this->assertSame([$this->folder . '/' . hash('sha256', $value)], array_values(array_filter($this->files(), 'is_file')));
		$this->assertFileDoesNotExist("$this->folder/.new-1");
		rmdir("$this->folder/other");
	}

	public function testAFolderThatIsGoneIsTold(): void
	{
		rmdir($this->folder);
		try {
			$this->store(5000)->start(self::KEY, self::NAME);
			$this->fail('it was not noticed');
		} catch (SessionsFull $e) {
			$this->assertStringContainsString('No such file', $e->getMessage());
		} finally {
			mkdir($this->folder, 0700);
		}
	}

	public function testAFolderOfOthersIsRefused(): void
	{
		chmod($this->folder, 0750);
		$this->expectExceptionMessage('chmod 700');
		Sessions::prepare($this->folder);
	}

	public function testAFileIsNoFolder(): void
	{
		file_put_contents("$this->folder/file", '');
		$this->expectException(DomainException::class);
		Sessions::prepare("$this->folder/file");
	}
}
