<?php

declare(strict_types=1);

use Loyalty\Console\Language;
use Loyalty\Console\Page\Mail;
use Loyalty\Console\Recent;
use Loyalty\Console\Svg;
use Loyalty\Console\Words;
use PHPUnit\Framework\TestCase;

final class SvgTest extends TestCase
{
	private function parse(string $svg): SimpleXMLElement
	{
		$this->assertStringNotContainsString('style=', $svg);
		return new SimpleXMLElement($svg);
	}

	public function testAScaleIsRoundAndHoldsBoth(): void
	{
		foreach ([[0, 1], [0, 3], [0, 7], [0, 43], [-250, 999], [0, 9007199254740991], [-40, 0]] as [$low, $high]) {
			[$from, $to, $step] = Svg::scale($low, $high);
			$this->assertLessThanOrEqual($low, $from);
			$this->assertGreaterThanOrEqual($high, $to);
			$this->assertSame(0, $from % $step + $to % $step);
			$this->assertLessThanOrEqual(7, ($to - $from) / $step);
			$this->assertMatchesRegularExpression('/\A[125]0*\z/', (string) $step);
		}
	}

	public function testBarsAreAsHighAsTheirNumbers(): void
	{
		$svg = $this->parse(Svg::stacked('t', ['a', 'b'], ['up' => [10, 20], 'more' => [10, 0], 'down' => [0, -10]], ['up' => 'up', 'more' => 'more', 'down' => 'down']));
		$bars = [];
		foreach ($svg->rect as $rect) {
			$bars[(string) $rect->title] = [(float) $rect['y'], (float) $rect['height']];
		}
		$this->assertSame(['a, up: 10', 'a, more: 10', 'b, up: 20', 'b, down: 10'], array_keys($bars));
		$this->assertEqualsWithDelta(2 * $bars['a, up: 10'][1], $bars['b, up: 20'][1], 0.3);
		$this->assertEqualsWithDelta($bars['a, up: 10'][0], $bars['a, more: 10'][0] + $bars['a, more: 10'][1], 0.2, 'stacked');
		$this->assertGreaterThan($bars['b, up: 20'][0], $bars['b, down: 10'][0], 'hangs below');
	}

	public function testNamesCannotLeaveTheirPlace(): void
	{
		$nasty = '"><script>alert(1)</script>&\'';
		foreach ([Svg::stacked($nasty, [$nasty], [$nasty => [1]], [$nasty => $nasty]), Svg::steps($nasty, [[0, 5], [10, 7]], 20)] as $svg) {
			$this->assertStringNotContainsString('<script', $svg);
			$this->assertSame($nasty, (string) $this->parse($svg)['aria-label']);
		}
	}

	public function testNothingAndOnePointAreDrawnToo(): void
	{
		$this->parse(Svg::stacked('t', [], [], []));
		$this->parse(Svg::stacked('t', ['a'], ['x' => [0]], ['x' => 'x']));
		$this->parse(Svg::steps('t', [[100, 0]], 100));
		$this->parse(Svg::share(0, 0));
	}

	public function testAShareIsItsPartOfTheWhole(): void
	{
		$svg = $this->parse(Svg::share(1, 4));
		$this->assertSame('25', (string) $svg->rect[1]['width']);
		$this->assertSame('full', (string) $this->parse(Svg::share(4, 4))->rect[1]['class']);
	}

	public function testMailsFallIntoTheirSteps(): void
	{
		$now = 1800000000;
		$mail = static fn (int $ago, string $status): array => ['created_at' => gmdate('Y-m-d\TH:i:s.000000\Z', $now - $ago), 'status' => $status];
		$chart = Mail::chart([$mail(1, 'PENDING'), $mail(2, 'SENT'), $mail(130, 'SENT'), $mail(600, 'DEAD')], $now);
		$this->assertCount(14, $chart['labels']);
		$this->assertSame([4, 1, 2, 1], [$chart['counted'], array_sum($chart['series']['PENDING']), array_sum($chart['series']['SENT']), array_sum($chart['series']['DEAD'])]);
		$this->assertSame(3, Mail::chart([$mail(1, 'SENT'), $mail(86400, 'SENT'), $mail(10 * 86400, 'SENT'), $mail(90 * 86400, 'SENT')], $now)['counted'], 'what is older than the picture is not counted in it');
		$this->assertNull(Mail::chart([], $now));
	}

	public function testDaysBeginAtTheHotelsMidnight(): void
	{
		$now = strtotime('2026-11-27T12:00:00Z');
		$rows = [['at' => '2026-11-26T23:30:00Z'], ['at' => '2026-11-26T22:30:00Z'], ['at' => '2026-11-20T12:00:00Z']];
		$count = static fn (): array => Recent::chart('guests.chart', $rows, 'at', static fn (array $row): array => ['n' => 1], ['n' => 'n'], $now);
		$this->assertSame([2, 0], array_slice($count()['series']['n'], -2), 'in UTC both are of the 26th');
		Words::speak('en', Language::words(dirname(__DIR__), 'en'), 'Europe/Berlin');
		try {
			$chart = $count();
			$this->assertSame([1, 1], array_slice($chart['series']['n'], -2), 'in Berlin one is of the 27th');
			$this->assertSame(['26 Nov', '27 Nov'], array_slice($chart['labels'], -2));
		} finally {
			Words::speak('en', Language::words(dirname(__DIR__), 'en'), 'UTC');
		}
	}
}
