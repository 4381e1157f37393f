<?php

declare(strict_types=1);

use Loyalty\Console\Settings;
use PHPUnit\Framework\TestCase;

final class SettingsTest extends TestCase
{
	private const SECRET = ['LOYALTY_CONSOLE_SECRET' => 'a-secret-of-forty-characters-or-more-is-fine'];

	/** @param array<string, string> $environment */
	private function refused(array $environment): string
	{
		try {
			Settings::from($environment, true);
		} catch (DomainException $e) {
			return $e->getMessage();
		}
		$this->fail('taken: ' . json_encode($environment));
	}

	public function testDefaultsHoldWhereNothingIsSet(): void
	{
		$settings = Settings::from(self::SECRET + ['LOYALTY_CONSOLE_IDLE_S' => ''], true);
		$this->assertSame(1800, $settings->number('LOYALTY_CONSOLE_IDLE_S'));
		$this->assertSame('https://localhost:8443', $settings->text('LOYALTY_CONSOLE_API_URL'));
	}

	public function testUnknownNamesAndBadValuesAreAllToldAtOnce(): void
	{
		$why = $this->refused(['LOYALTY_CONSOLE_IDLES' => '5', 'LOYALTY_CONSOLE_API_URL' => 'http://x', 'LOYALTY_CONSOLE_WORKERS' => '0', 'LOYALTY_CONSOLE_API_URL_FILE' => '/x']);
		foreach (['LOYALTY_CONSOLE_IDLES', 'LOYALTY_CONSOLE_API_URL=http://x', 'LOYALTY_CONSOLE_WORKERS=0', 'LOYALTY_CONSOLE_SECRET', 'LOYALTY_CONSOLE_API_URL_FILE'] as $name) {
			$this->assertStringContainsString($name, $why);
		}
	}

	public function testNamesOfOthersAreNoConcernOfOurs(): void
	{
		$this->assertInstanceOf(Settings::class, Settings::from(self::SECRET + ['HOME' => '/root', 'LOYALTY_NGINX_ANY' => '1', 'LOYALTY_BACKUP_KEEP' => '1', 'LOYALTY_MAIL_TO' => 'x'], true));
		foreach (['LOYALTY_API_URL', 'LOYALTY_LOG_LEVLE', 'LOYALTY_NGINX', 'LOYALTY_NGINX_', 'LOYALTY_SMPT_HOST'] as $name) {
			$this->assertStringContainsString($name, $this->refused(self::SECRET + [$name => '1']));
		}
	}

	public function testASecretIsLongEnoughAndNotPrinted(): void
	{
		$why = $this->refused(['LOYALTY_CONSOLE_SECRET' => 'too-short']);
		$this->assertStringContainsString('32 characters', $why);
		$this->assertStringNotContainsString('too-short', $why);
	}

	public function testASecretsFileIsItsOwnersAlone(): void
	{
		$file = tempnam(sys_get_temp_dir(), 'con');
		file_put_contents($file, "# the newest first\n" . str_repeat('a', 40) . "\n" . str_repeat('b', 40) . "\n");
		try {
			chmod($file, 0600);
			$this->assertSame([str_repeat('a', 40), str_repeat('b', 40)], Settings::from(['LOYALTY_CONSOLE_SECRET_FILE' => $file], true)->secrets());
			chmod($file, 0640);
			$this->assertStringContainsString('chmod 600', $this->refused(['LOYALTY_CONSOLE_SECRET_FILE' => $file]));
			$this->assertStringContainsString('one of them', $this->refused(['LOYALTY_CONSOLE_SECRET_FILE' => $file] + self::SECRET));
		} finally {
			unlink($file);
		}
	}

	public function testHelpNamesEverySetting(): void
	{
		preg_match_all('/LOYALTY_[A-Z_]+[A-Z]/', Settings::help(), $found);
		$this->assertContains('LOYALTY_CONSOLE_SECRET', $found[0]);
		$this->assertGreaterThanOrEqual(10, count(array_unique($found[0])));
	}
}
