<?php

declare(strict_types=1);

namespace Loyalty\Console;

use Twig\Environment;
use Twig\Loader\FilesystemLoader;
use Twig\Markup;
use Twig\TwigFilter;
use Twig\TwigFunction;

/**
 * Templates.  Everything that is printed is escaped, a variable that is
 * missing is an error, and nothing is compiled while a page is served: `make`
 * has done that.
 */
final class View
{
	private Environment $twig;

	/** @param string $cache folder of compiled templates; '' compiles each time */
	public function __construct(string $root, string $cache, private readonly Assets $assets)
	{
		// With the root as the origin of names, a folder may be moved with what was compiled in it.
		$loader = new FilesystemLoader(['templates'], $root);
		$this->twig = new Environment($loader, [
			'cache' => $cache === '' ? false : $cache,
			'auto_reload' => false,
			'strict_variables' => true,
			'autoescape' => 'html',
		]);
		foreach (['number', 'decimal', 'signed', 'status', 'actor', 'when', 'exactly', 'date', 'span', 'short', 'field'] as $name) {
			$this->twig->addFilter(new TwigFilter("as_$name", [Words::class, $name]));
		}
		$this->twig->addFilter(new TwigFilter('as_ago', static fn (string $time): string => Words::ago($time, time())));
		$this->twig->addFunction(new TwigFunction('t', [self::class, 'text']));
		$this->twig->addFunction(new TwigFunction('say', [Words::class, 'say']));
		$this->twig->addFunction(new TwigFunction('has', [Words::class, 'has']));
		$this->twig->addFunction(new TwigFunction('bdi', static fn (string $text): Markup => new Markup('<bdi>' . self::escape($text) . '</bdi>', 'UTF-8')));
		$this->twig->addFunction(new TwigFunction('colour', [Words::class, 'colour']));
		$this->twig->addFunction(new TwigFunction('room_change', [Words::class, 'roomChange']));
		$this->twig->addFunction(new TwigFunction('asset', fn (string $name): string => $this->assets->url($name)));
		$this->twig->addFunction(new TwigFunction('svg', static fn (string $svg): Markup => new Markup($svg, 'UTF-8')));
		$this->twig->addFunction(new TwigFunction('url', [self::class, 'url']));
	}

	/** @param array<string, mixed> $values */
	public function render(string $template, array $values): string
	{
		// Indentation is for who reads the templates: a fifth of a long page.
		return preg_replace('/>[ \t]*\n\s*</', ">\n<", $this->twig->render($template, $values + ['language' => Words::language(), 'languages' => Language::ALL]));
	}

	/**
	 * A sentence as HTML: its values are escaped, but for those that are HTML already; its own text has nothing to escape.
	 * @param array<string, string|int|Markup> $values
	 */
	public static function text(string $key, array $values = []): Markup
	{
		return new Markup(Words::say($key, array_map(static fn (mixed $v): string|int =>
			$v instanceof Markup || is_int($v) ? (is_int($v) ? $v : (string) $v) : self::escape((string) $v), $values)), 'UTF-8');
	}

	/** Compile everything: a template that is wrong stops here. @return int how many there are */
	public function compile(string $folder): int
	{
		$n = 0;
		foreach (glob("$folder/templates/*.twig") as $file) {
			$this->twig->load(basename($file));
			$n++;
		}
		return $n;
	}

	/** @param array<string, string|int> $query empty values are left out */
	public static function url(string $path, array $query = []): string
	{
		$query = array_filter($query, static fn ($v): bool => $v !== '' && $v !== null);
		return '/console' . $path . ($query === [] ? '' : '?' . http_build_query($query, '', '&', PHP_QUERY_RFC3986));
	}

	private static function escape(string $text): string
	{
		return htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
	}
}
