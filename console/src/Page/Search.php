<?php

declare(strict_types=1);

namespace Loyalty\Console\Page;

use Loyalty\Console\Answer;
use Loyalty\Console\Response;
use Loyalty\Console\View;

/** The search box of every page: guests, rooms and reservations by a part of the name, or any of them by id. */
final class Search extends Page
{
	private const SHOWN = 10;

	public function show(): Response
	{
		$q = $this->looked();
		if ($q === '') {
			return $this->c->page('search.twig', ['find' => '', 'panels' => []]);
		}
		if (self::isId($q)) {
			return $this->byId(strtolower($q));
		}
		// One call for each panel, all at once.
		$answers = $this->c->api->all([
			'guests' => ['/v1/admin/users', ['q' => $q, 'sort' => 'name', 'limit' => self::SHOWN]],
			'rooms' => ['/v1/admin/rooms', ['q' => $q, 'sort' => 'name', 'limit' => self::SHOWN]],
			'reservations' => ['/v1/reservations', ['q' => $q, 'limit' => self::SHOWN]],
		]);
		$found = [];
		foreach (['guests' => 'user', 'rooms' => 'room', 'reservations' => null] as $what => $of) {
			foreach ($answers[$what]->isFine() ? $answers[$what]->json() : [['id' => '']] as $row) { // who knows what a refusal would have had
				$found[] = [$what, ($of === null ? $row : $row[$of] ?? $row)['id']];
			}
		}
		$all = ['guests' => '/people', 'rooms' => '/rooms', 'reservations' => '/reservations'];
		if (count($found) === 1 && $found[0][1] !== '') {
			return Response::seeOther("/console{$all[$found[0][0]]}/{$found[0][1]}"); // nothing to choose
		}
		$panels = [];
		foreach ($answers as $what => $answer) {
			$panels[$what] = ['rows' => $answer->isFine() ? $answer->json() : null, 'problem' => $answer->problem?->words() ?? '',
				'is_narrow' => $answer->problem?->type !== 'validation',
				'more' => $answer->isFine() && $answer->next() !== '' ? View::url($all[$what], $what === 'rooms' ? ['q' => $q, 'show' => 'all'] : ['q' => $q]) : ''];
		}
		return $this->c->page('search.twig', ['find' => $q, 'panels' => $panels]);
	}

	/** Whatever has this id: straight to it. */
	private function byId(string $id): Response
	{
		$found = array_filter($this->c->api->all(['/reservations' => ["/v1/reservations/$id"], '/people' => ["/v1/admin/users/$id"], '/rooms' => ["/v1/admin/rooms/$id"]]),
			static fn (Answer $answer): bool => $answer->isFine());
		return $found === [] ? $this->c->page('search.twig', ['find' => $id, 'panels' => ['guests' => ['rows' => [], 'problem' => '', 'is_narrow' => true, 'more' => '']]])
			: Response::seeOther('/console' . array_key_first($found) . "/$id");
	}
}
