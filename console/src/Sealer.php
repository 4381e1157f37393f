<?php

declare(strict_types=1);

namespace Loyalty\Console;

/**
 * Values that travel through the browser and can neither be read nor changed
 * there: XChaCha20-Poly1305 with a random nonce.  What was sealed for one
 * purpose opens for no other.
 */
final class Sealer
{
	/** @var list<string> */
	private array $keys = [];

	/** @param list<string> $secrets the first one seals, all of them open */
	public function __construct(array $secrets)
	{
		foreach ($secrets as $secret) {
			$this->keys[] = sodium_crypto_generichash($secret, '', SODIUM_CRYPTO_AEAD_XCHACHA20POLY1305_IETF_KEYBYTES);
		}
	}

	/** @param array<mixed> $value */
	public function seal(string $purpose, array $value): string
	{
		$nonce = random_bytes(SODIUM_CRYPTO_AEAD_XCHACHA20POLY1305_IETF_NPUBBYTES);
		$text = json_encode($value, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);
		return self::encode($nonce . sodium_crypto_aead_xchacha20poly1305_ietf_encrypt($text, $purpose, $nonce, $this->keys[0]));
	}

	/** @return array<mixed>|null what was sealed; null for anything else */
	public function open(string $purpose, string $sealed): ?array
	{
		$bytes = self::decode($sealed);
		$n = SODIUM_CRYPTO_AEAD_XCHACHA20POLY1305_IETF_NPUBBYTES;
		if ($bytes === null || strlen($bytes) < $n + SODIUM_CRYPTO_AEAD_XCHACHA20POLY1305_IETF_ABYTES) {
			return null;
		}
		foreach ($this->keys as $key) {
			$text = sodium_crypto_aead_xchacha20poly1305_ietf_decrypt(substr($bytes, $n), $purpose, substr($bytes, 0, $n), $key);
			if ($text !== false) {
				$value = json_decode($text, true);
				return is_array($value) ? $value : null;
			}
		}
		return null;
	}

	public static function encode(string $bytes): string
	{
		return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
	}

	private static function decode(string $text): ?string
	{
		if (!preg_match('/\A[A-Za-z0-9_-]+\z/', $text)) {
			return null;
		}
		$bytes = base64_decode(strtr($text, '-_', '+/'), true);
		return $bytes === false ? null : $bytes;
	}
}
