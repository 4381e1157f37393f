<?php

declare(strict_types=1);

namespace Loyalty\Console;

/**
 * Who is signed in: a file for each session, in a folder that all instances of
 * this host share.  Signed out is signed out, then, whichever of them is asked.
 *
 * A file is named by the hash of the id that the browser has, and sealed: it
 * tells nothing to who has it alone, and the id is nowhere but in the cookie.
 * It is written once, in full, under another name first, and never again; when
 * the session was used last is the file's time.  So nothing that is under way
 * can bring a session back after its end, and a full disk ends none.
 *
 * A visitor who has not signed in has no file: the CSRF secret of the sign-in
 * form is sealed in the cookie, so that looks at that page cost no room.
 */
final class Sessions
{
	/** More than any hotel's staff; who signs in without end fills 4 MB and no more. */
	public const MAX = 1000;
	private const VISITOR = 'visitor', SESSION = 'session';
	/** The longest key and the longest name, sealed, take less. */
	private const SIZE = 4096;

	private readonly string $folder;
	private readonly int $idle;
	private readonly int $lifetime;

	public function __construct(Settings $settings, private readonly Sealer $sealer, private readonly int $now, private readonly int $max = self::MAX)
	{
		$this->folder = $settings->text('LOYALTY_CONSOLE_SESSIONS');
		$this->idle = $settings->number('LOYALTY_CONSOLE_IDLE_S');
		$this->lifetime = $settings->number('LOYALTY_CONSOLE_LIFETIME_S');
	}

	/** Make the folder if it is missing. @throws \DomainException where it is not ours alone, or cannot be written to */
	public static function prepare(string $folder): void
	{
		clearstatcache();
		try {
			if (!is_dir($folder)) {
				mkdir($folder, 0700, true);
			}
			$file = "$folder/.new-" . bin2hex(random_bytes(8));
			if (fileowner($folder) !== posix_geteuid() || (fileperms($folder) & 077) !== 0) {
				throw new \DomainException("LOYALTY_CONSOLE_SESSIONS: $folder must belong to the user that runs the console, and to nobody else: "
					. 'chown it to uid ' . posix_geteuid() . ' and chmod 700 it');
			}
			touch($file);
			unlink($file);
		} catch (\ErrorException $e) {
			throw new \DomainException("LOYALTY_CONSOLE_SESSIONS: $folder is not a folder that can be written to: " . $e->getMessage());
		}
	}

	/** Whose cookie this is; null where it is none of ours.  A session that has ended is one that has expired. */
	public function open(string $cookie): ?Session
	{
		if (preg_match('/\A[A-Za-z0-9_-]{43}\z/', $cookie)) {
			return $this->read($cookie);
		}
		$value = $cookie === '' ? null : $this->sealer->open(self::VISITOR, $cookie);
		if ($value === null || !isset($value['c'], $value['i'])) {
			return null;
		}
		return Session::visitor($value['c'], $value['i'], $this->now - $value['i'] > $this->idle || $value['i'] > $this->now + 60);
	}

	/** What the browser keeps of it. */
	public function cookie(Session $session): string
	{
		return Session::line($session->id ?? $this->sealer->seal(self::VISITOR, ['c' => $session->secret, 'i' => $session->since]));
	}

	/**
	 * Sign in.  Where there are too many, the session that nobody has used for longest ends.
	 * @throws SessionsFull where nothing can be written
	 */
	public function start(string $key, string $name): Session
	{
		$session = Session::signedIn(Sealer::encode(random_bytes(32)), $key, $name, $this->now);
		$files = $this->clean();
		asort($files);
		foreach (array_slice(array_keys($files), 0, max(0, count($files) + 1 - $this->max)) as $file) {
			Log::write('warn', '', "more than $this->max sessions: the one that was not used for longest has ended");
			$this->remove($file);
		}
		$path = $this->path($session->id);
		$new = "$this->folder/.new-" . bin2hex(random_bytes(8));
		$data = $this->sealer->seal(self::SESSION . ' ' . basename($path), ['k' => $key, 'n' => $name, 'c' => $session->secret, 'i' => $session->since]);
		$mask = umask(0077);
		try {
			$handle = fopen($new, 'x');
			try {
				if (fwrite($handle, $data) !== strlen($data) || !fflush($handle)) {
					throw new \ErrorException('it was not written in full');
				}
			} finally {
				fclose($handle);
			}
			touch($new, $this->now);
			rename($new, $path);
		} catch (\ErrorException $e) {
			if (is_file($new)) {
				$this->remove($new);
			}
			throw new SessionsFull($e->getMessage());
		} finally {
			umask($mask);
		}
		return $session;
	}

	/** It is in use. */
	public function touch(Session $session): void
	{
		if (!$session->isSignedIn() || $this->now - $session->seen < min(30, intdiv($this->idle, 4) + 1)) {
			return;
		}
		$path = $this->path($session->id);
		clearstatcache();
		try {
			// Between the two somebody may sign out: what is left then is an empty file, and that is no session.
			if (is_file($path)) {
				touch($path, $this->now);
			}
		} catch (\ErrorException $e) {
			Log::write('warn', '', 'a session will end though it is in use: ' . $e->getMessage());
		}
		$this->clean();
	}

	/** Signed out, on every instance.  Whether it is: the folder may no longer be what it was at the start. */
	public function end(Session $session): bool
	{
		return $session->id === null || $this->remove($this->path($session->id));
	}

	/**
	 * Remove what has ended.
	 * @return array<string, int> the files that are left, and when each was used
	 */
	public function clean(): array
	{
		$left = [];
		clearstatcache();
		foreach (is_dir($this->folder) ? scandir($this->folder) : [] as $name) {
			$isSession = preg_match('/\A[0-9a-f]{64}\z/', $name) === 1;
			if (!$isSession && !str_starts_with($name, '.new-')) {
				continue;
			}
			$file = "$this->folder/$name";
			try {
				$at = filemtime($file);
			} catch (\ErrorException) {
				continue; // somebody else has done it
			}
			// What is not a session yet takes a moment, not a minute.
			if ($this->now - $at > ($isSession ? $this->idle : 60) || $at > $this->now + $this->lifetime) {
				$this->remove($file);
			} elseif ($isSession) {
				$left[$file] = $at;
			}
		}
		return $left;
	}

	private function read(string $id): Session
	{
		$path = $this->path($id);
		clearstatcache();
		try {
			$data = is_file($path) ? (string) file_get_contents($path, false, null, 0, self::SIZE) : '';
			$seen = $data === '' ? 0 : (int) filemtime($path);
		} catch (\ErrorException) {
			return Session::ended(); // just now
		}
		$value = $this->sealer->open(self::SESSION . ' ' . basename($path), $data);
		if ($value === null || !isset($value['k'], $value['n'], $value['c'], $value['i'])) {
			return Session::ended();
		}
		$expired = $this->now - $seen > $this->idle || $this->now - $value['i'] > $this->lifetime || $value['i'] > $this->now + 60;
		if ($expired) {
			$this->remove($path);
		}
		return Session::kept($id, $value['k'], $value['n'], $value['c'], $value['i'], $seen, $expired);
	}

	private function path(string $id): string
	{
		return "$this->folder/" . hash('sha256', $id);
	}

	private function remove(string $file): bool
	{
		try {
			return unlink($file);
		} catch (\ErrorException $e) {
			clearstatcache();
			if (!file_exists($file)) {
				return true; // somebody else has done it
			}
			Log::write('error', '', 'a session cannot be removed: ' . $e->getMessage());
			return false;
		}
	}
}
