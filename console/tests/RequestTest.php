<?php

declare(strict_types=1);

use Loyalty\Console\Request;
use Loyalty\Console\Routes;
use PHPUnit\Framework\TestCase;

final class RequestTest extends TestCase
{
	/** @param array<string, string> $headers @param array<mixed> $form */
	private function request(array $headers, array $form = []): Request
	{
		return new Request('POST', '/console/rooms', $form, $form, [], $headers + ['host' => 'Example.org:8443'], 'r1');
	}

	public function testAFormComesFromHereOrNotAtAll(): void
	{
		foreach ([
			[['origin' => 'https://example.org:8443'], true],
			[['origin' => 'https://example.org:8443', 'sec-fetch-site' => 'same-origin'], true],
			[['sec-fetch-site' => 'same-origin'], true],
			[[], false],
			[['origin' => 'null'], false],
			[['origin' => 'http://example.org:8443'], false],
			[['origin' => 'https://example.org'], false],
			[['origin' => 'https://example.org:8443.evil.test'], false],
			[['origin' => 'https://evil.test'], false],
			[['origin' => 'https://example.org:8443', 'sec-fetch-site' => 'cross-site'], false],
			[['sec-fetch-site' => 'same-site'], false],
			[['sec-fetch-site' => 'none'], true],
			// A proxy has rewritten Host; the browser compares what it shows.
			[['origin' => 'https://staff.hotel.example', 'sec-fetch-site' => 'same-origin'], true],
			[['origin' => 'null', 'sec-fetch-site' => 'same-origin'], true],
			[['origin' => 'https://staff.hotel.example', 'sec-fetch-site' => 'same-site'], false],
			[['origin' => 'https://example.org:8443', 'sec-fetch-site' => 'nonsense'], false],
		] as [$headers, $fits]) {
			$this->assertSame($fits, $this->request($headers)->isFromHere(), json_encode($headers));
		}
	}

	public function testFieldsAreTextOrNothing(): void
	{
		$r = $this->request([], ['a' => "x\r\ny\rz", 'b' => ['q'], 'c' => "\xff", 'id' => ['1', ['2'], "\xff", '3']]);
		$this->assertSame("x\ny\nz", $r->field('a'));
		$this->assertSame(['', '', ''], [$r->field('b'), $r->field('c'), $r->query('d')]);
		$this->assertSame(['1', '3'], $r->fields('id'));
		$this->assertSame([], $r->fields('a'));
	}

	public function testWhatIsKeptHasNoSecrets(): void
	{
		$r = $this->request([], ['csrf' => 'c', 'form' => 'f', 'key' => 'k', 'resume' => 'r', 'amount' => '5']);
		$this->assertSame(['amount' => '5'], $r->filledIn());
	}

	public function testRoutesKnowTheirMethods(): void
	{
		$id = 'b9fa7d71-548c-4739-8e6a-0931cc218cd1';
		$this->assertSame([[Loyalty\Console\Page\People::class, 'adjust'], [$id], []], Routes::find('POST', "/people/$id/points"));
		$this->assertSame([null, [], ['POST']], Routes::find('GET', "/people/$id/points"));
		$this->assertSame([null, [], ['GET', 'HEAD', 'POST']], Routes::find('DELETE', '/rooms'));
		$this->assertSame([null, [], []], Routes::find('GET', '/people/B9FA7D71'));
		$this->assertSame([null, [], []], Routes::find('GET', "/people/$id\n"));
	}

	public function testARedirectLeadsToAPageOfOurs(): void
	{
		foreach (['/console/pending', '/console/people?q=a%20b&cursor=x', '/console/rooms/b9fa7d71-548c-4739-8e6a-0931cc218cd1'] as $ours) {
			$this->assertTrue(Routes::isPage($ours), $ours);
		}
		foreach (['', '/', '/v1/rooms', '//evil.test', 'https://evil.test/console/pending', '/console/../v1', '/console/pending/../x', '/console/sign-out', "/console/pending\n",
			'/console/pending?a=<b>', '/console/nothing', '/console/pending#x', '\\evil'] as $other) {
			$this->assertFalse(Routes::isPage($other), $other);
		}
	}

	public function testEveryRouteHasItsPage(): void
	{
		$this->assertGreaterThan(20, count(Routes::TABLE));
		foreach (Routes::TABLE as [$method, $path, $class, $action]) {
			$this->assertTrue(method_exists($class, $action), "$method $path");
		}
	}
}
