<?php

declare(strict_types=1);

namespace Loyalty\Console;

/**
 * What the environment says.  A value that does not fit its row below, or a
 * LOYALTY_ name that has no row and is not of another program's family, is an
 * error that names it; a variable set to the empty string counts as not set.
 */
final class Settings
{
	/** name: form, default, meaning; the form is a regular expression, MIN..MAX, or the word file, folder, zone or secret */
	private const TABLE = [
		'LOYALTY_CONSOLE_API_URL' => ['https://[A-Za-z0-9.\-]+(:[1-9][0-9]{0,4})?', 'https://localhost:8443', 'the gateway, by the name that its certificate has'],
		'LOYALTY_CONSOLE_API_CONNECT' => ['[A-Za-z0-9.\-]+:[1-9][0-9]{0,4}', '', 'host:port to connect to instead of the one in the URL'],
		'LOYALTY_CONSOLE_API_CA' => ['file', '', 'certificates that the gateway\'s must be signed with; without it, what the system trusts'],
		'LOYALTY_CONSOLE_API_PIN' => ['sha256//[A-Za-z0-9+/]{43}=|/[A-Za-z0-9._/@+~\-]+', '', 'know the gateway by this public key (its hash, or a PEM file), whatever its certificate says'],
		'LOYALTY_CONSOLE_API_TIMEOUT_MS' => ['500..60000', '6000', 'how long one call may take; above the gateway\'s own 4800'],
		'LOYALTY_CONSOLE_SECRET' => ['secret', '', 'seals the sessions; 32 characters or more; further lines are older ones that still open'],
		'LOYALTY_CONSOLE_SESSIONS' => ['folder', '/run/loyalty/console-sessions', 'where sessions are kept: one folder for all instances on this host'],
		'LOYALTY_CONSOLE_IDLE_S' => ['1..86400', '1800', 'a session ends when nothing was done for so long'],
		'LOYALTY_CONSOLE_LIFETIME_S' => ['1..604800', '43200', 'and so long after the sign-in at the latest'],
		'LOYALTY_CONSOLE_LISTEN' => ['/[A-Za-z0-9._/@+~\-]+|[A-Za-z0-9.\-]+:[1-9][0-9]{0,4}', '/run/loyalty/console.sock', 'where PHP-FPM listens: a socket\'s path, or address:port'],
		'LOYALTY_CONSOLE_TIMEZONE' => ['zone', 'UTC', 'the hotel\'s time zone, in which pages show times, such as Europe/Berlin'],
		'LOYALTY_CONSOLE_WORKERS' => ['1..64', '4', 'processes, each serves one page at a time'],
		'LOYALTY_LOG_LEVEL' => ['error|warn|info|debug', 'info', 'info: a line for each thing that staff do'],
	];

	/** What other programs' settings begin with, after LOYALTY_. */
	private const OTHERS = '/\ALOYALTY_(ADMIN|BACKUP|DB|MAIL|NGINX|NOTIFIER|POINTS|PRUNE|ROOMS|SMTP)_./s';

	private const SECRET_SIZE = 65536;

	/** @param array<string, string> $values */
	private function __construct(private array $values)
	{
	}

	/**
	 * Read the process's environment (not what a request says).
	 * @param bool $strict refuse LOYALTY_ names that no program knows
	 * @throws \DomainException all that is wrong, a line each
	 */
	public static function fromEnvironment(bool $strict): self
	{
		if ($strict) {
			return self::from(getenv(), true);
		}
		$environment = [];
		foreach (array_keys(self::TABLE) as $name) {
			$environment[$name] = (string) getenv($name, true);
			$environment[$name . '_FILE'] = (string) getenv($name . '_FILE', true);
		}
		return self::from($environment, false);
	}

	/** @param array<string, string> $environment */
	public static function from(array $environment, bool $strict): self
	{
		$values = $wrong = [];
		foreach (self::TABLE as $name => [$form, $default]) {
			$value = $environment[$name] ?? '';
			$file = $environment[$name . '_FILE'] ?? '';
			if ($form === 'secret' && $file !== '') {
				if ($value !== '') {
					$wrong[] = "$name and {$name}_FILE: one of them, please";
				}
				try {
					$value = self::readSecret($file);
				} catch (\DomainException $e) {
					$wrong[] = "{$name}_FILE: " . $e->getMessage();
					continue;
				}
			}
			if ($value === '') {
				$value = $default;
			}
			if (($why = self::misfit($form, $value, $default)) !== null) {
				$wrong[] = $form === 'secret' ? "$name: $why" : "$name=$value: $why";
			}
			$values[$name] = $value;
		}
		if ($strict) {
			foreach (array_keys($environment) as $name) {
				$base = preg_replace('/_FILE\z/', '', (string) $name);
				if (str_starts_with((string) $name, 'LOYALTY_') && !preg_match(self::OTHERS, (string) $name) && !isset(self::TABLE[$name])
					&& !(isset(self::TABLE[$base]) && self::TABLE[$base][0] === 'secret')) {
					$wrong[] = "$name: there is no such setting";
				}
			}
		}
		if ($wrong !== []) {
			throw new \DomainException(implode("\n", $wrong));
		}
		return new self($values);
	}

	public function text(string $name): string
	{
		return $this->values[$name];
	}

	public function number(string $name): int
	{
		return (int) $this->values[$name];
	}

	/** @return list<string> the secrets: the first one seals, all of them open */
	public function secrets(): array
	{
		return self::lines($this->values['LOYALTY_CONSOLE_SECRET']);
	}

	/** The table, for -h. */
	public static function help(): string
	{
		$text = '';
		foreach (self::TABLE as $name => [$form, $default, $meaning]) {
			$text .= sprintf("  %-27s %s\n  %-27s [%s]\n", $name . ($form === 'secret' ? '[_FILE]' : ''), $meaning, '',
				$form === 'secret' ? 'must be set' : ($default === '' ? 'not set' : $default));
		}
		return $text;
	}

	private static function misfit(string $form, string $value, string $default): ?string
	{
		if ($form === 'secret') {
			$lines = self::lines($value);
			if ($lines === []) {
				return 'must be set';
			}
			foreach ($lines as $line) {
				if (strlen($line) < 32) {
					return 'each line has 32 characters at least';
				}
			}
			return null;
		}
		if ($value === '' && $default === '') {
			return null;
		}
		if ($form === 'folder') {
			return preg_match('#\A/[^\x00-\x1f]*\z#', $value) ? null : 'not an absolute path';
		}
		if ($form === 'zone') {
			return in_array($value, \DateTimeZone::listIdentifiers(), true) ? null : 'not a time zone of the IANA database, such as Europe/Berlin';
		}
		if ($form === 'file') {
			return is_readable($value) && is_file($value) ? null : 'not a file that can be read';
		}
		if (preg_match('/\A([0-9]+)\.\.([0-9]+)\z/', $form, $range)) {
			return preg_match('/\A[0-9]{1,9}\z/', $value) && (int) $value >= (int) $range[1] && (int) $value <= (int) $range[2]
				? null : "a number from {$range[1]} to {$range[2]}";
		}
		return preg_match("#\A(?:$form)\z#D", $value) ? null : 'not of the form ' . stripslashes($form);
	}

	/** @return list<string> */
	private static function lines(string $text): array
	{
		return array_values(array_filter(array_map('trim', explode("\n", $text)),
			static fn (string $line): bool => $line !== '' && $line[0] !== '#'));
	}

	private static function readSecret(string $file): string
	{
		clearstatcache();
		if (!is_file($file) || !is_readable($file)) {
			throw new \DomainException("$file: not a file that can be read");
		}
		// Its owner's alone, but for what a container engine mounts.
		$mounted = preg_match('#\A/run/(secrets|credentials)/#', (string) realpath($file)) === 1;
		if ((fileperms($file) & 077) !== 0 && !$mounted) {
			throw new \DomainException("$file: others than its owner may use it; chmod 600 it");
		}
		$text = (string) file_get_contents($file, false, null, 0, self::SECRET_SIZE + 1);
		if (strlen($text) > self::SECRET_SIZE) {
			throw new \DomainException("$file: longer than " . self::SECRET_SIZE . ' bytes: this is no list of secrets');
		}
		return $text;
	}
}
