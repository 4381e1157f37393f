<?php

declare(strict_types=1);

namespace Loyalty\Console;

/**
 * Small charts as SVG.  Colours come from the style sheet (classes c1, c2 …; Words::colour says which),
 * so they follow light, dark and print; no style and no script is inside.
 */
final class Svg
{
	private const W = 720, H = 190, LEFT = 84, RIGHT = 40, TOP = 14, BOTTOM = 34;

	/**
	 * Bars, stacked upwards; negative values hang below the line.
	 * @param list<string> $labels
	 * @param array<string, list<int>> $series
	 * @param array<string, string> $names what people call the series
	 */
	public static function stacked(string $title, array $labels, array $series, array $names): string
	{
		$up = $down = array_fill(0, count($labels), 0);
		foreach ($series as $values) {
			foreach ($values as $i => $v) {
				$v >= 0 ? $up[$i] += $v : $down[$i] += $v;
			}
		}
		[$low, $high, $step] = self::scale(min([0, ...$down]), max([1, ...$up]));
		$y = static fn (float $v): float => self::TOP + (self::H - self::TOP - self::BOTTOM) * ($high - $v) / ($high - $low);
		$slot = (self::W - self::LEFT - self::RIGHT) / max(1, count($labels));
		$width = min(40.0, $slot * 0.68);
		$out = self::open($title) . self::grid($low, $high, $step, $y);
		$every = max(1, (int) ceil(count($labels) / 5));
		foreach ($labels as $i => $label) {
			$x = self::LEFT + $slot * $i + ($slot - $width) / 2;
			$tops = [0, 0];
			foreach ($series as $name => $values) {
				if ($values[$i] === 0) {
					continue;
				}
				$side = $values[$i] > 0 ? 0 : 1;
				$from = $tops[$side];
				$tops[$side] = $to = $from + $values[$i];
				$out .= sprintf('<rect class="%s" x="%s" y="%s" width="%s" height="%s"><title>%s</title></rect>', Words::colour($name), self::f($x), self::f($y(max($from, $to))),
					self::f($width), self::f(max(0.8, abs($y($from) - $y($to)))), self::t("$label, {$names[$name]}: " . Words::number(abs($values[$i]))));
			}
			if ((count($labels) - 1 - $i) % $every === 0) {
				$out .= sprintf('<text class="x" x="%s" y="%d">%s</text>', self::f($x + $width / 2), self::H - 7, self::t($label));
			}
		}
		return $out . '</svg>';
	}

	/**
	 * A value over time, which stays until it changes.
	 * @param list<array{int, int}> $points seconds and value, the oldest first
	 */
	public static function steps(string $title, array $points, int $until): string
	{
		$values = array_column($points, 1);
		[$low, $high, $step] = self::scale(0, max([1, ...$values]));
		$from = $points[0][0];
		$span = max(1, $until - $from);
		$x = static fn (int $t): float => self::LEFT + (self::W - self::LEFT - self::RIGHT) * ($t - $from) / $span;
		$y = static fn (float $v): float => self::TOP + (self::H - self::TOP - self::BOTTOM) * ($high - $v) / ($high - $low);
		$line = '';
		foreach ($points as $i => [$t, $v]) {
			$line .= $i === 0 ? sprintf('M%s %s', self::f($x($t)), self::f($y($v))) : sprintf('H%sV%s', self::f($x($t)), self::f($y($v)));
		}
		$line .= sprintf('H%s', self::f($x($until)));
		$out = self::open($title) . self::grid($low, $high, $step, $y);
		$out .= sprintf('<path class="area" d="%sV%sH%sZ"/><path class="line" d="%s"/>', $line, self::f($y(0)), self::f($x($from)), $line);
		$form = $span < 2 * 86400 ? 'time' : ($span >= 300 * 86400 ? 'month' : 'day');
		foreach ([[$from, 'start'], [$until, 'end']] as [$t, $anchor]) {
			$out .= sprintf('<text class="x" text-anchor="%s" x="%s" y="%d">%s</text>', $anchor, self::f($x($t)), self::H - 7,
				self::t($t === $until ? Words::say('chart.now') : Words::date($t, $form)));
		}
		return $out . '</svg>';
	}

	/** How much of a whole, as a bar to glance at; the numbers stand beside it. */
	public static function share(int $part, int $whole): string
	{
		$w = $whole === 0 ? 0.0 : 100 * min($part, $whole) / $whole;
		$class = $whole > 0 && $part >= $whole ? 'full' : 'part';
		return sprintf('<svg class="share" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
			. '<rect class="whole" width="100" height="6"/><rect class="%s" width="%s" height="6"/></svg>', $class, self::f($w));
	}

	/** A round scale around both: lowest, highest, step. @return array{int, int, int} */
	public static function scale(int $low, int $high): array
	{
		$raw = max(1, ($high - $low) / 4);
		$power = 10 ** (int) floor(log10($raw));
		$step = 10 * $power;
		foreach ([1, 2, 5] as $factor) {
			if ($factor * $power >= $raw) {
				$step = $factor * $power;
				break;
			}
		}
		return [(int) floor($low / $step) * $step, (int) ceil($high / $step) * $step, $step];
	}

	private static function open(string $title): string
	{
		return sprintf('<svg class="chart" viewBox="0 0 %d %d" role="img" aria-label="%s">', self::W, self::H, self::t($title));
	}

	private static function grid(int $low, int $high, int $step, callable $y): string
	{
		$out = '';
		for ($v = $low; $v <= $high; $v += $step) {
			$out .= sprintf('<line class="%s" x1="%d" x2="%d" y1="%s" y2="%s"/><text class="y" x="%d" y="%s">%s</text>', $v === 0 ? 'zero' : 'grid',
				self::LEFT, self::W - self::RIGHT, self::f($y($v)), self::f($y($v)), self::LEFT - 6, self::f($y($v) + 4), self::t(self::brief($v)));
		}
		return $out;
	}

	/** 1,500 as 1.5k */
	private static function brief(int $v): string
	{
		foreach ([[1000000000000000, 'P'], [1000000000000, 'T'], [1000000000, 'G'], [1000000, 'M'], [1000, 'k']] as [$size, $letter]) {
			if (abs($v) >= $size) {
				return ($v < 0 ? "\u{2212}" : '') . rtrim(rtrim(number_format(abs($v) / $size, 1, '.', ''), '0'), '.') . $letter;
			}
		}
		return ($v < 0 ? "\u{2212}" : '') . abs($v);
	}

	private static function f(float $v): string
	{
		return rtrim(rtrim(number_format($v, 1, '.', ''), '0'), '.');
	}

	private static function t(string $text): string
	{
		return htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE | ENT_XML1, 'UTF-8');
	}
}
