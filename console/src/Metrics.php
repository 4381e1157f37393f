<?php

declare(strict_types=1);

namespace Loyalty\Console;

/** What GET /v1/admin/metrics says (Prometheus text), as numbers. */
final class Metrics
{
	/** @var array<string, float> those without labels */
	private array $gauges = [];
	/** @var array<string, array{service: string, method: string, route: string, count: int, failed: int, refused: int, seconds: float, buckets: array<string, int>}> */
	private array $routes = [];
	private int $retries = 0;

	public function __construct(string $text)
	{
		foreach (explode("\n", $text) as $line) {
			if ($line === '' || $line[0] === '#' || !preg_match('/\A([a-z_]+)(?:\{(.*)\})? ([0-9.eE+-]+)\z/', $line, $m)) {
				continue;
			}
			if ($m[2] === '') {
				$this->gauges[$m[1]] = (float) $m[3];
				continue;
			}
			preg_match_all('/([a-z_]+)="((?:[^"\\\\]|\\\\.)*)"/', $m[2], $found);
			$this->add($m[1], array_combine($found[1], $found[2]), (float) $m[3]);
		}
	}

	public function gauge(string $name): ?int
	{
		return isset($this->gauges[$name]) ? (int) $this->gauges[$name] : null;
	}

	/** Transactions retried after a deadlock, a lock timeout or a duplicate key. */
	public function retries(): int
	{
		return $this->retries;
	}

	/**
	 * Those routes that somebody used, the busiest first.
	 * @return list<array{name: string, count: int, failed: int, refused: int, mean_ms: float, p95_ms: ?float}>
	 */
	public function routes(): array
	{
		$rows = [];
		foreach ($this->routes as $r) {
			if ($r['route'] === '' || $r['count'] === 0) {
				continue; // readiness, and what was no route at all
			}
			$rows[] = ['name' => "{$r['method']} {$r['route']}", 'count' => $r['count'], 'failed' => $r['failed'], 'refused' => $r['refused'],
				'mean_ms' => 1000 * $r['seconds'] / $r['count'], 'p95_ms' => self::p95($r['buckets'], $r['count'])];
		}
		usort($rows, static fn (array $a, array $b): int => [$b['count'], $a['name']] <=> [$a['count'], $b['name']]);
		return $rows;
	}

	/** All of them together: answered, of these refused (4xx) and failed (5xx). @return array{int, int, int} */
	public function totals(): array
	{
		$rows = $this->routes();
		return [array_sum(array_column($rows, 'count')), array_sum(array_column($rows, 'refused')), array_sum(array_column($rows, 'failed'))];
	}

	/** @param array<string, string> $labels */
	private function add(string $name, array $labels, float $value): void
	{
		if ($name === 'loyalty_transaction_retries_total') {
			$this->retries += (int) $value;
			return;
		}
		if (!str_starts_with($name, 'loyalty_request_duration_seconds_')) {
			return;
		}
		$at = "{$labels['service']} {$labels['method']} {$labels['route']}";
		$this->routes[$at] ??= ['service' => $labels['service'], 'method' => $labels['method'], 'route' => $labels['route'],
			'count' => 0, 'failed' => 0, 'refused' => 0, 'seconds' => 0.0, 'buckets' => []];
		$route = &$this->routes[$at];
		switch (substr($name, strlen('loyalty_request_duration_seconds_'))) {
			case 'count':
				$route['count'] += (int) $value;
				$route['failed'] += $labels['status'] >= '500' ? (int) $value : 0;
				$route['refused'] += $labels['status'] >= '400' && $labels['status'] < '500' ? (int) $value : 0;
				break;
			case 'sum':
				$route['seconds'] += $value;
				break;
			case 'bucket':
				$route['buckets'][$labels['le']] = ($route['buckets'][$labels['le']] ?? 0) + (int) $value;
				break;
		}
	}

	/** Of the buckets, the first that 95 in a hundred fit in; null beyond the last. @param array<string, int> $buckets */
	private static function p95(array $buckets, int $count): ?float
	{
		foreach ($buckets as $le => $n) {
			if ($n >= 0.95 * $count && is_numeric($le)) {
				return 1000 * (float) $le;
			}
		}
		return null;
	}
}
