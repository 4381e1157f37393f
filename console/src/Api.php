<?php

declare(strict_types=1);

namespace Loyalty\Console;

/**
 * The REST API, as the one who is signed in.
 *
 * All calls of a page share one connection (HTTP/2), go out at once where they
 * can, and carry the page's own request id: the histories tell which click it
 * was.  A key that is no longer accepted ends the session, whoever asks.
 */
final class Api
{
	private \CurlMultiHandle $multi;
	private int $calls = 0;
	/** @var array{string, Answer|null}|null what the frame of the page needs: path, answer */
	private ?array $beside = null;

	public function __construct(
		private readonly Settings $settings,
		private readonly string $key,
		private readonly string $name,
		private readonly string $requestId,
	) {
		$this->multi = curl_multi_init();
		curl_multi_setopt($this->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
	}

	/**
	 * @param array<string, string|int> $query empty values are left out
	 * @throws Refused
	 */
	public function get(string $path, array $query = [], ?int $timeoutMs = null): Answer
	{
		return $this->all(['' => [$path, $query]], $timeoutMs)['']->orThrow();
	}

	/**
	 * Several GETs at once.
	 * @param array<string|int, array{0: string, 1?: array<string, string|int>}> $calls
	 * @return array<string|int, Answer> under the same keys; each may be a refusal
	 */
	public function all(array $calls, ?int $timeoutMs = null): array
	{
		$requests = [];
		foreach ($calls as $at => $call) {
			$query = array_filter($call[1] ?? [], static fn ($v): bool => $v !== '');
			$requests[$at] = ['GET', $call[0] . ($query === [] ? '' : '?' . http_build_query($query, '', '&', PHP_QUERY_RFC3986)), null, []];
		}
		if ($this->beside === null || $this->beside[1] !== null) {
			return $this->run($requests, $timeoutMs);
		}
		$answers = $this->run($requests + ["\0" => ['GET', $this->beside[0], null, []]], $timeoutMs);
		$this->beside[1] = $answers["\0"];
		unset($answers["\0"]);
		return $answers;
	}

	/**
	 * @param array<string, mixed> $body
	 * @param string $ifMatch the version that it is meant for; '' whatever is there
	 * @throws Refused
	 */
	public function send(string $method, string $path, array $body = [], string $idempotencyKey = '', string $ifMatch = ''): Answer
	{
		return $this->sendAll(['' => [$method, $path, $body, $idempotencyKey, $ifMatch]])['']->orThrow();
	}

	/**
	 * Several writes at once.
	 * @param array<string|int, array{0: string, 1: string, 2: array<string, mixed>, 3: string, 4?: string}> $calls method, path, body, Idempotency-Key, If-Match
	 * @return array<string|int, Answer>
	 */
	public function sendAll(array $calls): array
	{
		$requests = [];
		foreach ($calls as $at => $call) {
			[$method, $path, $body, $idempotencyKey] = $call;
			$headers = ['Content-Type: application/json', 'Expect:'];
			if ($idempotencyKey !== '') {
				$headers[] = "Idempotency-Key: $idempotencyKey";
			}
			if (($call[4] ?? '') !== '') {
				$headers[] = "If-Match: {$call[4]}";
			}
			$requests[$at] = [$method, $path, json_encode((object) $body, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE), $headers];
		}
		return $this->run($requests, null);
	}

	/** A GET that goes out with the next ones, so that it costs no wait of its own. */
	public function alsoGet(string $path): void
	{
		$this->beside = [$path, null];
	}

	/** Its answer. */
	public function also(): ?Answer
	{
		if ($this->beside !== null && $this->beside[1] === null) {
			$this->all([]);
		}
		return $this->beside[1] ?? null;
	}

	/**
	 * A GET whose body is passed on as it comes, however long it is.
	 * @param callable(string): void $take
	 */
	public function stream(string $path, callable $take, int $timeoutMs): Answer
	{
		$reply = new Reply(static function (string $data) use ($take): void {
			$take($data);
		});
		return $this->run([['GET', $path, null, []]], $timeoutMs, [$reply])[0];
	}

	/** How many calls this page took. */
	public function calls(): int
	{
		return $this->calls;
	}

	/**
	 * @param array<string|int, array{string, string, ?string, list<string>}> $requests
	 * @param array<string|int, Reply> $given what takes the answers, where that is not the usual
	 * @return array<string|int, Answer>
	 */
	private function run(array $requests, ?int $timeoutMs, array $given = []): array
	{
		$handles = $replies = [];
		foreach ($requests as $at => [$method, $target, $body, $headers]) {
			$replies[$at] = $given[$at] ?? new Reply();
			$handles[$at] = $this->handle($method, $target, $body, $headers, $replies[$at], $timeoutMs);
			curl_multi_add_handle($this->multi, $handles[$at]);
			$this->calls++;
		}
		$since = hrtime(true);
		do {
			$status = curl_multi_exec($this->multi, $running);
			if ($running) {
				// Never wait for long: what has come for one stream of the connection may have
				// brought that of others, and then the socket has nothing more to tell.
				curl_multi_select($this->multi, hrtime(true) - $since < 1_000_000_000 ? 0.002 : 0.05);
			}
		} while ($running && $status === CURLM_OK);
		// Why a transfer failed is told by the messages alone.
		$failed = [];
		while ($message = curl_multi_info_read($this->multi)) {
			if ($message['result'] !== CURLE_OK) {
				$failed[spl_object_id($message['handle'])] = $message['result'];
			}
		}
		$answers = [];
		foreach ($handles as $at => $handle) {
			$answers[$at] = $this->answer($handle, $replies[$at], $failed[spl_object_id($handle)] ?? null);
			curl_multi_remove_handle($this->multi, $handle);
		}
		return $answers;
	}

	/** @param list<string> $headers */
	private function handle(string $method, string $target, ?string $body, array $headers, Reply $reply, ?int $timeoutMs): \CurlHandle
	{
		$url = $this->settings->text('LOYALTY_CONSOLE_API_URL');
		$handle = curl_init($url . $target);
		$options = [
			CURLOPT_CUSTOMREQUEST => $method,
			CURLOPT_HTTPHEADER => [...$headers, 'X-API-Key: ' . $this->key, 'X-Actor: ' . rawurlencode($this->name),
				'X-Request-Id: ' . $this->requestId, 'Accept: application/json'],
			CURLOPT_CONNECTTIMEOUT_MS => 1000,
			CURLOPT_TIMEOUT_MS => $timeoutMs ?? $this->settings->number('LOYALTY_CONSOLE_API_TIMEOUT_MS'),
			CURLOPT_HTTP_VERSION => CURL_HTTP_VERSION_2TLS,
			CURLOPT_PIPEWAIT => true,
			CURLOPT_PROTOCOLS => CURLPROTO_HTTPS,
			// Whatever proxy the environment names: the gateway is ours.
			CURLOPT_PROXY => '',
			CURLOPT_NOPROXY => '*',
			CURLOPT_HEADERFUNCTION => $reply->takeHeader(...),
			CURLOPT_WRITEFUNCTION => $reply->takeBody(...),
		];
		if ($body !== null) {
			$options[CURLOPT_POSTFIELDS] = $body;
		}
		if (($ca = $this->settings->text('LOYALTY_CONSOLE_API_CA')) !== '') {
			$options[CURLOPT_CAINFO] = $ca;
		}
		if (($pin = $this->settings->text('LOYALTY_CONSOLE_API_PIN')) !== '') {
			// The key is what it is known by: curl refuses any other, whatever its certificate.
			$options[CURLOPT_PINNEDPUBLICKEY] = $pin;
			$options[CURLOPT_SSL_VERIFYPEER] = false;
			$options[CURLOPT_SSL_VERIFYHOST] = 0;
		}
		if (($to = $this->settings->text('LOYALTY_CONSOLE_API_CONNECT')) !== '') {
			$options[CURLOPT_CONNECT_TO] = ["::$to"];
		}
		curl_setopt_array($handle, $options);
		return $handle;
	}

	/** @param int|null $failure curl's number for it */
	private function answer(\CurlHandle $handle, Reply $reply, ?int $failure): Answer
	{
		if ($failure !== null) {
			return new Answer(0, [], '', new Problem($this->told($reply, $failure), 503, '', $this->requestId));
		}
		$status = (int) curl_getinfo($handle, CURLINFO_RESPONSE_CODE);
		if ($status === 401 || $status === 403) {
			throw new SessionEnded($status);
		}
		if ($status >= 200 && $status < 300) {
			return new Answer($status, $reply->headers, $reply->body, null);
		}
		$id = $reply->headers['x-request-id'] ?? $this->requestId;
		return new Answer($status, $reply->headers, $reply->body, Problem::of($status, $reply->body, $id));
	}

	/** Log why there is no answer; which problem that is. */
	private function told(Reply $reply, int $failure): string
	{
		$why = curl_strerror($failure) ?? "error $failure";
		// curl itself takes no header line of more than 100 kB, and calls that one or the other.
		if ($reply->isTooLong || in_array($failure, [CURLE_OUT_OF_MEMORY, 100], true)) {
			Log::write('error', $this->requestId, sprintf("an answer of the API is longer than %d bytes, or its head than %d: %s", Reply::BODY, Reply::HEAD, $why));
			return 'answer-too-long';
		}
		if ($failure === CURLE_SSL_PINNEDPUBKEYNOTMATCH) {
			Log::write('error', $this->requestId, 'the gateway has a certificate with another key than LOYALTY_CONSOLE_API_PIN says: restart the console with the new one');
			return 'gateway-changed';
		}
		Log::write('warn', $this->requestId, 'the API does not answer: ' . $why);
		return 'unreachable';
	}
}
