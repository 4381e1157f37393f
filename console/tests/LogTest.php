<?php

declare(strict_types=1);

use PHPUnit\Framework\TestCase;

final class LogTest extends TestCase
{
	public function testALineIsDroppedWhereNobodyReadsStandardError(): void
	{
		$done = tempnam(sys_get_temp_dir(), 'log');
		$code = 'require $argv[1]; for ($i = 0; $i < 2000; $i++) { Loyalty\Console\Log::write("warn", "r", str_repeat("x", 100)); }'
			. 'file_put_contents($argv[2], "done");';
		$process = proc_open([PHP_BINARY, '-r', $code, dirname(__DIR__) . '/src/Log.php', $done], [2 => ['pipe', 'w']], $pipes);
		for ($i = 0; $i < 500 && file_get_contents($done) === ''; $i++) {
			usleep(20000);
		}
		$said = file_get_contents($done);
		if ($said === '') {
			proc_terminate($process, 9);
		}
		$lines = explode("\n", rtrim(stream_get_contents($pipes[2])));
		proc_close($process);
		unlink($done);
		$this->assertSame('done', $said, 'it waited');
		$this->assertStringEndsWith(' warn console r ' . str_repeat('x', 100), end($lines));
		$this->assertLessThan(2000, count($lines));
	}
}
