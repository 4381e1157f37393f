<?php

declare(strict_types=1);

use Loyalty\Console\Language;
use Loyalty\Console\Words;
use PHPUnit\Framework\TestCase;

/** Every sentence stands in words/, in every language, and is used. */
final class LanguageTest extends TestCase
{
	/** @return array<string, string> */
	private static function words(string $language): array
	{
		$file = dirname(__DIR__) . "/words/$language.txt";
		return Language::parse(file_get_contents($file), $file);
	}

	/** @return array<string, string> by name */
	private static function files(string ...$patterns): array
	{
		$texts = [];
		foreach ($patterns as $pattern) {
			foreach (glob(dirname(__DIR__) . "/$pattern") as $file) {
				$texts[substr($file, strlen(dirname(__DIR__)) + 1)] = file_get_contents($file);
			}
		}
		return $texts;
	}

	public function testEveryLanguageHasTheSameKeysAndPlaceholders(): void
	{
		$form = static function (string $text): array {
			return array_map(static function (string $part): array {
				preg_match_all('/\{[a-z]+\}/', $part, $found);
				$names = array_unique($found[0]);
				sort($names);
				return array_diff($names, ['{n}']); // one may be said without its number
			}, explode(' | ', $text));
		};
		$english = self::words('en');
		$this->assertGreaterThan(300, count($english));
		foreach (array_keys(Language::ALL) as $language) {
			$words = self::words($language);
			$this->assertSame(array_keys($english), array_keys($words), "$language has other keys, or another order");
			foreach ($words as $key => $text) {
				$this->assertSame($form($english[$key]), $form($text), "$language: $key");
				$this->assertSame(substr_count($text, '{'), substr_count($text, '}'), "$language: $key");
			}
		}
	}

	public function testEveryKeyIsUsedAndEveryUseHasAKey(): void
	{
		$words = self::words('en');
		$used = $begins = [];
		foreach (self::files('templates/*.twig', 'src/*.php', 'src/Page/*.php') as $file => $text) {
			preg_match_all('/(?<![\w.])(?:t|say)\(\s*([\'"])([a-z][A-Za-z0-9_.-]*)(\1\s*[,)]|\$|\{|\1)/', $text, $found, PREG_SET_ORDER);
			foreach ($found as $one) {
				if (array_key_exists($one[2], $words)) {
					$used[$one[2]] = true;
				} else {
					$begins[$one[2]] = $file;
				}
			}
			// a choice of two, and what is chosen before
			preg_match_all('/([\'"])([a-z][A-Za-z0-9_.-]*)\1/', $text, $found);
			foreach ($found[2] as $key) {
				if (isset($words[$key])) {
					$used[$key] = true;
				}
			}
			preg_match_all('/"([a-z][a-z0-9_.-]*\.)[${]/', $text, $found);
			foreach ($found[1] as $begin) {
				$begins[$begin] = $file;
			}
		}
		$begins['gateway.'] = 'nginx/words'; // of the pages that nginx makes itself
		foreach ($begins as $begin => $file) {
			$this->assertNotEmpty(array_filter(array_keys($words), static fn (string $key): bool => str_starts_with($key, $begin)) ?: (str_contains($file, 'src/') ? ['code'] : []), "$file: no words for $begin");
		}
		foreach (array_keys($words) as $key) {
			$this->assertTrue(isset($used[$key]) || array_filter(array_keys($begins), static fn (string $begin): bool => str_ends_with($begin, '.') || str_ends_with($begin, '_') ? str_starts_with($key, $begin) : false) !== [],
				"nobody says $key");
		}
	}

	/** What a person would read that stands in a template and not in words/. @return list<string> */
	private static function strayInTemplate(string $text): array
	{
		$stray = [];
		$text = preg_replace('/\{#.*?#\}/s', '', $text);
		// Of what Twig computes, its texts: more than one word, or one with a capital letter.
		preg_match_all('/\{[{%].*?[}%]\}/s', $text, $code);
		foreach ($code[0] as $one) {
			preg_match_all("/'([^']*)'/", $one, $texts);
			foreach ($texts[1] as $quoted) {
				if (preg_match('/\pL{2,} \pL{2,}|\A\p{Lu}\p{Ll}/u', $quoted) && !str_contains($quoted, '=') && !preg_match('/\A[a-z -]+\z/', $quoted)) {
					$stray[] = $quoted;
				}
			}
		}
		$text = preg_replace('/\{[{%].*?[}%]\}/s', ' ', $text);
		preg_match_all('/\b(?:title|aria-label|placeholder|alt|content|data-[a-z-]+)="([^"]*)"/', $text, $attributes);
		foreach ($attributes[1] as $value) {
			if (preg_match('/\pL{2,}/u', $value) && !in_array($value, ['width=device-width, initial-scale=1', 'light dark', '0; url= ', '10; url= '], true)) {
				$stray[] = $value;
			}
		}
		foreach (preg_split('/<[^>]*>/', $text) as $node) {
			$node = trim(preg_replace('/[a-z-]+="[^"]*"|\brequired\b/', '', $node)); // of a tag with a > in its Twig
			if (preg_match('/\pL{2,}/u', $node)) {
				$stray[] = $node;
			}
		}
		return $stray;
	}

	/** Sentences in PHP, but for what the log and whoever runs the console read. @return list<string> */
	private static function strayInCode(string $text): array
	{
		$stray = [];
		$statement = '';
		foreach (token_get_all($text) as $token) {
			[$kind, $part] = is_array($token) ? $token : [null, $token];
			if ($kind === T_COMMENT || $kind === T_DOC_COMMENT) {
				continue;
			}
			$statement = $part === ';' ? '' : $statement . $part;
			if (in_array($kind, [T_CONSTANT_ENCAPSED_STRING, T_ENCAPSED_AND_WHITESPACE, T_INLINE_HTML], true)
				&& preg_match('/\pL{2,},? \pL{2,}|\A[\'"]?\p{Lu}\p{Ll}+[.!]?[\'"]?\z/u', $part)
				&& $part !== "'Erased'" && !preg_match('/\A.?</', $part) && !preg_match('/Log::write|throw new|sprintf\(\'%s: |LogicException|parent::__construct|withHeader\(|\bheader\(|Exception\(/', $statement)) {
				$stray[] = $part;
			}
		}
		return $stray;
	}

	public function testNoWordsStandElsewhere(): void
	{
		foreach (self::files('templates/*.twig') as $file => $text) {
			$this->assertSame([], self::strayInTemplate($text), $file);
		}
		// These speak to whoever runs the console, and the log.
		$others = ['src/Settings.php', 'src/command.php', 'src/Log.php', 'src/Response.php', 'src/Sessions.php', 'src/Language.php', 'src/Answer.php', 'src/Api.php'];
		foreach (array_diff_key(self::files('src/*.php', 'src/Page/*.php'), array_flip($others)) as $file => $text) {
			$this->assertSame([], self::strayInCode($text), $file);
		}
		foreach (self::files('static/*.js') as $file => $text) {
			preg_match_all('/"([^"\n]*)"|`([^`]*)`/', preg_replace('#/\*.*?\*/#s', '', $text), $found);
			$this->assertSame([], array_values(array_filter($found[1], static fn (string $one): bool => preg_match('/\A\p{Lu}\p{Ll}+ \p{Ll}|\A\p{Lu}\p{Ll}+[.]/u', $one) === 1)), $file);
		}
	}

	public function testMailsHaveFilesOfTheSameFormAndCallAStatusTheSame(): void
	{
		foreach (array_keys(Language::ALL) as $language) {
			$file = dirname(__DIR__, 2) . "/lib/words/$language.txt";
			if (!is_file($file)) {
				$this->expectNotToPerformAssertions(); // an image is built from this folder alone
				return;
			}
			$mails = Language::parse(file_get_contents($file), $file);
			foreach (Words::STATUSES as $status) {
				$this->assertSame(self::words($language)["status.$status"], $mails["status.$status"]);
			}
		}
	}

	public function testEveryCheckOfTheBooksHasWords(): void
	{
		$file = dirname(__DIR__, 2) . '/mysql/procs/audit.sql';
		if (!is_file($file)) {
			$this->expectNotToPerformAssertions(); // an image is built from this folder alone
			return;
		}
		preg_match_all('/^--   ([a-z-]+) {2,}/m', file_get_contents($file), $found);
		$this->assertGreaterThan(15, count($found[1]));
		foreach ($found[1] as $name) {
			$this->assertArrayHasKey("audit.check.$name", self::words('en'));
		}
	}

	public function testStrayWordsAreFound(): void
	{
		foreach (['<p>Hello there</p>', '<a title="Go on">{{ t(\'x\') }}</a>', "{{ x ? 'Yes' : 'no' }}", "{{ parts.pager(a, 'Keep looking') }}", '<input placeholder="Reason">'] as $text) {
			$this->assertNotSame([], self::strayInTemplate($text), $text);
		}
		foreach (['<?php return "Nobody is here";', '<?php $a = ["x" => \'Refused.\'];', '<?php f("There are $n left over");'] as $text) {
			$this->assertNotSame([], self::strayInCode($text), $text);
		}
	}

	public function testABadFileIsRefusedWithItsLine(): void
	{
		$this->assertSame(['a' => '1', 'b.c' => 'x = y'], Language::parse("# c\n\na = 1\nb.c = x = y\n", 'f'));
		foreach (["a = 1\na = 2", 'a=1', 'a = ', 'A = 1', 'a = <b>', 'a = "x"', 'a = x & y', ' a = 1'] as $text) {
			try {
				Language::parse("# \n$text", 'f');
				$this->fail("taken: $text");
			} catch (DomainException $e) {
				$this->assertStringStartsWith('f:', $e->getMessage());
			}
		}
	}

	public function testTheBrowsersLanguageIsChosen(): void
	{
		foreach (['' => 'en', 'de' => 'de', 'de-AT,de;q=0.9,en;q=0.8' => 'de', 'fr,en;q=0.5,de;q=0.4' => 'en', 'en;q=0.2,de;q=0.8' => 'de', 'fr' => 'en', '*' => 'en',
			'de;q=0' => 'en', 'DE-de' => 'de', ';;;,=,' => 'en', 'de;q=2' => 'en'] as $header => $language) {
			$this->assertSame($language, Language::accepted((string) $header), (string) $header);
		}
	}
}
