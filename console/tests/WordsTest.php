<?php

declare(strict_types=1);

use Loyalty\Console\Language;
use Loyalty\Console\Metrics;
use Loyalty\Console\Problem;
use Loyalty\Console\Words;
use PHPUnit\Framework\TestCase;

final class WordsTest extends TestCase
{
	public function testNumbersAsPeopleReadThem(): void
	{
		$this->assertSame(['1,234,567', "\u{2212}250", '+500', "\u{2212}5", '0'],
			[Words::number(1234567), Words::number(-250), Words::signed(500), Words::signed(-5), Words::signed(0)]);
		$this->assertSame(['1 unit', '2 units', '0 units'], [Words::count(1, 'units'), Words::count(2, 'units'), Words::count(0, 'units')]);
	}

	public function testTimesAsPeopleReadThem(): void
	{
		$now = strtotime('2026-11-27T08:30:00Z');
		foreach (['2026-11-27T08:29:50.000000Z' => 'just now', '2026-11-27T08:25:00.000000Z' => '5 min ago', '2026-11-27T03:30:00.000000Z' => '5 h ago',
			'2026-11-20T08:30:00.000000Z' => '7 days ago', '2026-11-27T08:31:00.000000Z' => 'just now'] as $time => $words) {
			$this->assertSame($words, Words::ago($time, $now));
		}
		$this->assertSame([1234, -1000, 1500, 0, null, null, null, null], array_map([Words::class, 'whole'], ['1,234', '-1 000', '+1,500', '0', '1.5', '1,5', '', '1e3']));
		$this->assertSame('27 Nov 2026, 08:30:05', Words::exactly('2026-11-27T09:30:05.5+01:00'));
		Words::speak('de', Language::words(dirname(__DIR__), 'de'), 'Europe/Berlin');
		try {
			$this->assertSame(['27. Nov. 2026, 09:30:05 Uhr', '29. März 2026, 03:00 Uhr', '1.234.567', '1,5', 'vor 7 Tagen'], [Words::exactly('2026-11-27T08:30:05Z'),
				Words::when('2026-03-29T01:00:00Z'), Words::number(1234567), Words::decimal(1.5, 1), Words::ago('2026-11-20T08:30:00Z', $now)]);
			$this->assertSame([1234, 1500000, -250, null, null, null], array_map([Words::class, 'whole'], ['1.234', '1.500.000', "\u{2212}250", '1,234', '1.5', '12.34.567']));
		} finally {
			Words::speak('en', Language::words(dirname(__DIR__), 'en'), 'UTC');
		}
	}

	public function testAChangeOfARoomNamesWhatIsDifferent(): void
	{
		$was = ['name' => 'A', 'total_amount' => 5, 'available_amount' => 5, 'required_points' => 90, 'archived' => false];
		$this->assertSame("units 5 \u{2192} 7, free 5 \u{2192} 7", Words::roomChange($was, ['total_amount' => 7, 'available_amount' => 7] + $was));
		$this->assertSame("archived no \u{2192} yes", Words::roomChange($was, ['archived' => true] + $was));
		$this->assertStringStartsWith("created: name \u{201c}A\u{201d}, units 5", Words::roomChange(null, $was));
	}

	public function testEveryProblemHasWordsAndKeepsItsRequest(): void
	{
		$document = ['type' => '/problems/sold-out', 'title' => 't', 'status' => 409, 'detail' => 'none is left', 'request_id' => 'r9'];
		$problem = Problem::of(409, json_encode($document), 'r1');
		$this->assertSame(['sold-out', 'none is left', 'r9', false], [$problem->type, $problem->detail, $problem->requestId, $problem->isUnknown()]);
		$this->assertStringContainsString('No unit', $problem->words());
		$this->assertSame('', $problem->more());
		$this->assertStringContainsString('moon', Problem::of(409, '{"type":"/problems/new-one","detail":"the moon"}', 'r1')->more());
		$problem = Problem::of(422, json_encode(['type' => '/problems/validation', 'errors' => [['pointer' => '/reason', 'detail' => 'd'], 'x', ['pointer' => 1]]]), 'r1');
		$this->assertSame([['reason' => 'd'], 'r1'], [$problem->fields, $problem->requestId]);
		$problem = Problem::of(400, json_encode(['type' => '/problems/validation', 'errors' => [['parameter' => 'limit', 'detail' => 'a'], ['header' => 'X-Actor', 'detail' => 'b'],
			['pointer' => '/user/a~1b~0c', 'detail' => 'c'], ['pointer' => '', 'detail' => 'd'], ['detail' => 'nowhere']]]), 'r1');
		$this->assertSame(['limit' => 'a', 'X-Actor' => 'b', 'user/a/b~c' => 'c', '' => 'd'], $problem->fields);
		foreach (['', '<html>', '[]', '5', 'null', '{"type":7,"errors":8}'] as $body) {
			$problem = Problem::of(503, $body, 'r1');
			$this->assertTrue($problem->isUnknown());
			$this->assertNotSame('', $problem->words());
		}
	}

	public function testMetricsAddUpByRoute(): void
	{
		$text = "# HELP x\nloyalty_outbox_pending 3\nloyalty_transaction_retries_total{service=\"a\"} 2\n";
		foreach (['200' => 90, '409' => 8, '503' => 2] as $status => $n) {
			$labels = "service=\"cgi-rooms\",method=\"GET\",route=\"/v1/rooms\",status=\"$status\"";
			$text .= "loyalty_request_duration_seconds_bucket{{$labels},le=\"0.001\"} " . ($status === 200 ? 90 : 0) . "\n"
				. "loyalty_request_duration_seconds_bucket{{$labels},le=\"0.01\"} $n\nloyalty_request_duration_seconds_bucket{{$labels},le=\"+Inf\"} $n\n"
				. "loyalty_request_duration_seconds_count{{$labels}} $n\nloyalty_request_duration_seconds_sum{{$labels}} 0.1\n";
		}
		$metrics = new Metrics($text . "loyalty_request_duration_seconds_count{service=\"a\",method=\"\",route=\"\",status=\"200\"} 5\n");
		$this->assertSame([3, null, 2], [$metrics->gauge('loyalty_outbox_pending'), $metrics->gauge('nothing'), $metrics->retries()]);
		$this->assertSame([100, 8, 2], $metrics->totals());
		[$route] = $metrics->routes();
		$this->assertSame(['GET /v1/rooms', 10.0], [$route['name'], $route['p95_ms']]);
		$this->assertEqualsWithDelta(3.0, $route['mean_ms'], 0.001);
	}
}
