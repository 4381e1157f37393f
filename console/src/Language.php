<?php

declare(strict_types=1);

namespace Loyalty\Console;

/** Which language a reader gets: the one chosen in the footer, else the first of the browser's that we have. */
final class Language
{
	public const COOKIE = '__Host-loyalty-language';
	/** What a reader gets who knows none of ours; also the order in the footer. */
	public const ALL = ['en' => 'English', 'de' => 'Deutsch'];

	public static function of(Request $request): string
	{
		$chosen = $request->cookie(self::COOKIE);
		return isset(self::ALL[$chosen]) ? $chosen : self::accepted($request->header('accept-language'));
	}

	/** RFC 9110, 12.5.4: the most wanted of those that we have. */
	public static function accepted(string $header): string
	{
		$best = ['en', 0.0];
		foreach (explode(',', substr($header, 0, 500)) as $range) {
			if (!preg_match('/\A\s*([a-z]{2,3})(?:-[a-z0-9-]+)?\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?))?\s*\z/i', $range, $found)) {
				continue;
			}
			$wanted = (float) ($found[2] ?? 1);
			if (isset(self::ALL[strtolower($found[1])]) && $wanted > $best[1]) {
				$best = [strtolower($found[1]), $wanted];
			}
		}
		return $best[0];
	}

	/** The Set-Cookie line of a choice: kept for a year. */
	public static function cookie(string $language): string
	{
		return self::COOKIE . "=$language; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=31536000";
	}

	/**
	 * A file of words: `key = text`, a line each; # begins a comment, and of `one | other` the first is for one.
	 * Texts go into pages as they are, so they have nothing that HTML could take for its own.
	 * @return array<string, string>
	 * @throws \DomainException
	 */
	public static function parse(string $text, string $file): array
	{
		$words = [];
		foreach (explode("\n", $text) as $at => $line) {
			if (trim($line) === '' || $line[0] === '#') {
				continue;
			}
			if (!preg_match('/\A([a-z][A-Za-z0-9_.-]*) = ([^\s<>&"][^<>&"]*)\z/u', rtrim($line), $found) || isset($words[$found[1]])) {
				throw new \DomainException("$file:" . ($at + 1) . ': not a key of its own, " = " and a text');
			}
			$words[$found[1]] = $found[2];
		}
		return $words;
	}

	/** What `make` has made of the file. @return array<string, string> */
	public static function words(string $root, string $language): array
	{
		return require "$root/build/words/$language.php";
	}

	/** For make: all files, as PHP keeps them in memory. */
	public static function compile(string $root): void
	{
		foreach (array_keys(self::ALL) as $language) {
			$file = "$root/words/$language.txt";
			$words = self::parse((string) file_get_contents($file), $file);
			file_put_contents("$root/build/words/$language.php", '<?php return ' . var_export($words, true) . ";\n");
		}
	}
}
