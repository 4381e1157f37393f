<?php

declare(strict_types=1);

use Loyalty\Console\Log;
use Loyalty\Console\Request;
use Loyalty\Console\Secret;
use PHPUnit\Framework\TestCase;

final class SecretTest extends TestCase
{
	private const KEY = 'q7Zk2mP9xW4vB8nL1cR6tY3s';

	public function testWhatNobodyIsCalledLooksLikeAKey(): void
	{
		foreach ([self::KEY, 'Mia ' . self::KEY, self::KEY . '!', 'key:another-key-0123456789abcdef'] as $text) {
			$this->assertTrue(Secret::looksLikeOne($text), $text);
		}
		foreach (['', 'Mia Berg', 'Wolfeschlegelsteinhausenbergerdorff', 'mia.berg2@hotel.example', 'Müller-Lüdenscheidt', "Zoë \u{202f}O'Brien", '李'] as $name) {
			$this->assertFalse(Secret::looksLikeOne($name), $name);
		}
		$this->assertSame(['correct-horse-battery'], Secret::candidates('Mia correct-horse-battery!'));
	}

	public function testAKeyIsFoundWhereverItIsTyped(): void
	{
		$request = static fn (array $query, array $form, string $path = '/console/x'): Request => new Request('POST', $path, $query, $form, [], [], 'r');
		foreach ([$request(['q' => 'a' . self::KEY], []), $request([], ['reason' => strtolower(self::KEY)]), $request([], ['id' => ['x', self::KEY]]),
			$request([], [self::KEY => 'x']), $request([], [], '/console/requests/' . self::KEY)] as $it) {
			$this->assertTrue($it->holds(self::KEY));
		}
		foreach ([$request([], ['key' => self::KEY]), $request(['q' => 'x'], ['reason' => 'x'])] as $it) {
			$this->assertFalse($it->holds(self::KEY));
		}
		$this->assertSame('a  b', Secret::without(self::KEY, 'a ' . strtoupper(self::KEY) . ' b'));
	}

	public function testNoLineOfTheLogHasTheKey(): void
	{
		$root = dirname(__DIR__);
		$key = self::KEY;
		$code = "require '$root/src/load.php'; Loyalty\\Console\\Log::hide('$key'); Loyalty\\Console\\Log::write('info', '$key', 'text $key');";
		exec(PHP_BINARY . ' -r ' . escapeshellarg($code) . ' 2>&1', $lines);
		$this->assertStringNotContainsString($key, implode('', $lines));
		$this->assertStringEndsWith('info console (key) text (key)', $lines[0]);
	}
}
