<?php

declare(strict_types=1);

use Loyalty\Console\Assets;
use Loyalty\Console\Decision;
use Loyalty\Console\Forms;
use Loyalty\Console\View;
use PHPUnit\Framework\TestCase;

final class ViewTest extends TestCase
{
	private const NASTY = '"><script>alert(1)</script><img src=x onerror=alert(1)>\' autofocus onfocus=alert(1) x=\'{{7*7}}';

	private function render(string $template, array $values): string
	{
		$root = dirname(__DIR__);
		return (new View($root, '', new Assets("$root/static")))->render($template, $values + ['me' => self::NASTY, 'summary' => ['pending_approval' => 3, 'dead_mails' => 1], 'zone' => 'UTC',
			'path' => '/console/pending', 'notice' => ['text' => self::NASTY, 'id' => self::NASTY, 'at' => self::NASTY], 'problem' => null,
			'forms' => new Forms(self::NASTY, '', null), 'idle_s' => 60]);
	}

	/** Every element and attribute of the page, looked at by a parser. */
	private function assertHarmless(string $html): void
	{
		$document = new DOMDocument();
		libxml_use_internal_errors(true); // it knows no <header>
		$document->loadHTML('<?xml encoding="utf-8"?>' . $html);
		foreach ($document->getElementsByTagName('*') as $element) {
			$this->assertNotSame('img', $element->nodeName);
			$this->assertFalse($element->nodeName === 'script' && !str_starts_with($element->getAttribute('src'), '/console/static/'), 'a script');
			foreach ($element->attributes as $attribute) {
				$this->assertDoesNotMatchRegularExpression('/\A(on|style\z)/', $attribute->nodeName);
				if (in_array($attribute->nodeName, ['href', 'src', 'action', 'formaction'], true)) {
					$this->assertMatchesRegularExpression('#\A(/console/|\#main\z)#', $attribute->nodeValue);
				}
			}
		}
		$this->assertStringNotContainsString('49', $document->textContent, 'nothing of a name is evaluated');
	}

	public function testNamesAreHarmlessOnEveryPageThatShowsThem(): void
	{
		$user = ['id' => 'b9fa7d71-548c-4739-8e6a-0931cc218cd1', 'name' => self::NASTY, 'role' => 'ADMIN'];
		$room = ['id' => 'b9fa7d71-548c-4739-8e6a-0931cc218cd1', 'name' => self::NASTY, 'available_amount' => 1, 'required_points' => 1];
		$at = '2026-11-27T08:30:00.000000Z';
		$it = ['id' => self::NASTY, 'status' => 'PENDING_APPROVAL', 'points' => 1, 'room' => $room, 'user' => $user, 'created_at' => $at, 'updated_at' => $at];
		$mail = ['id' => 1, 'event' => 'reservation', 'status' => 'DEAD', 'attempts' => 1, 'subject' => self::NASTY, 'reservation_id' => self::NASTY, 'room_id' => self::NASTY,
			'request_id' => self::NASTY, 'created_at' => $at, 'next_attempt_at' => $at, 'sent_at' => null, 'last_error' => self::NASTY];
		$history = [['id' => 1, 'reservation_id' => self::NASTY, 'actor' => self::NASTY, 'request_id' => self::NASTY, 'changed_at' => $at, 'from' => null, 'to' => 'PENDING_APPROVAL', 'points' => 1, 'reason' => self::NASTY]];
		$pages = [
			'pending.twig' => ['rows' => [$it + Decision::offers($it, 1) + ['is_new' => true], ['points' => 5] + $it + Decision::offers(['points' => 5] + $it, 1) + ['is_new' => false]], 'total' => 1, 'more' => self::NASTY, 'cursor' => self::NASTY, 'page' => 1,
				'pages' => 1, 'before' => '', 'after' => '', 'here' => '/console/pending', 'all' => '/console/pending', 'q' => self::NASTY, 'too_many' => true, 'ticked' => [self::NASTY], 'since' => self::NASTY, 'news' => '/console/pending/news?' . self::NASTY, 'again' => '/console/pending?' . self::NASTY,
				'wrong' => ['reason' => self::NASTY, 'why-' . self::NASTY => self::NASTY], 'typed' => ['reason' => self::NASTY, 'why' => [self::NASTY => self::NASTY], 'points' => [self::NASTY => self::NASTY]],
				'results' => [self::NASTY => ['fine' => true, 'why' => '', 'it' => ['status' => 'RESERVED'] + $it], 'b' => ['fine' => false, 'why' => self::NASTY, 'it' => null]]],
			'reservation.twig' => ['it' => $it, 'history' => $history, 'offer' => Decision::offers(['points' => 5] + $it, 1), 'action' => 'reject', 'typed' => ['points' => self::NASTY, 'reason' => self::NASTY], 'back' => self::NASTY],
			'mail.twig' => ['rows' => [$mail], 'status' => '', 'statuses' => [], 'waiting' => 1, 'oldest' => 1, 'dead' => 1, 'chart' => null, 'next' => '', 'first' => ''],
			'sign-in.twig' => ['why' => self::NASTY, 'name' => self::NASTY, 'to' => self::NASTY, 'resume' => self::NASTY, 'wrong' => ['name' => self::NASTY, 'key' => self::NASTY]],
			'resume.twig' => ['why' => self::NASTY, 'action' => '/console/rooms', 'fields' => [self::NASTY => self::NASTY, 'id' => [self::NASTY]], 'kept' => self::NASTY],
			'request.twig' => ['id' => self::NASTY, 'found' => null, 'names' => [], 'looked' => [], 'around' => '', 'wrong' => self::NASTY],
		];
		foreach ($pages as $template => $values) {
			$html = $this->render($template, $values);
			$this->assertStringContainsString('alert(1)', $html, "$template shows it");
			$this->assertHarmless($html);
		}
	}

	public function testAVariableThatIsMissingIsAnError(): void
	{
		$this->expectException(\Twig\Error\RuntimeError::class);
		$this->render('failed.twig', ['problem' => new stdClass()]);
	}

	public function testNoTemplatePrintsUnescaped(): void
	{
		$files = glob(dirname(__DIR__) . '/templates/*.twig');
		$this->assertNotEmpty($files);
		foreach ($files as $file) {
			$this->assertDoesNotMatchRegularExpression('/\|\s*raw\b|autoescape|<style|\sstyle=|\son[a-z]+=/', file_get_contents($file), basename($file));
		}
	}
}
