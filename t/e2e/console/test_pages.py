"""The console's pages without a browser: what they show, what they do, how they fail."""

import json
import re
import threading
import uuid
from contextlib import contextmanager
from html.parser import HTMLParser

import pytest
from instance import BrokenApi, Instance, Page, set_cookie
from visitor import fresh_token, notice, words

from stack import until

JANE = "b9fa7d71-548c-4739-8e6a-0931cc218cd1"
DAY_ROOM = "caafbbad-eafe-4abb-bfcb-cabec8edef0c"
PAGES = ("/console/pending", "/console/rooms", "/console/rooms?q=suite", "/console/rooms?show=archived", f"/console/rooms/{DAY_ROOM}", "/console/people",
         "/console/people?q=doe", f"/console/people/{JANE}", "/console/reservations", "/console/reservations?status=RESERVED", "/console/history",
         "/console/history?stream=points", "/console/history?stream=rooms", "/console/requests", "/console/requests/demo", "/console/mail",
         "/console/mail?status=DEAD", "/console/health")


@pytest.fixture
def staff(visitor):
    return visitor().sign_in()


@pytest.fixture
def pending(site):
    """A function: somebody with some points who waits for a room."""

    def make(price=90, points=40, total=3, room=None, name=None):
        person = site.user(points, name)
        room = room or site.room(total, price)
        reservation = site.reserve(room, person).json
        assert reservation["status"] == "PENDING_APPROVAL"
        return reservation, room, person

    return make


class Strict(HTMLParser):
    """Finds what the policy would refuse, and whatever leads elsewhere."""

    def __init__(self, text):
        super().__init__()
        self.bad, self.ids = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name.startswith("on") or name == "style":
                self.bad.append((tag, name))
            if name in ("href", "src", "action", "formaction") and not re.match(r"/console/|#main\Z", value or ""):
                self.bad.append((tag, name, value))
            if name == "id":
                self.ids.append(value)
        if tag == "style" or (tag == "script" and not dict(attributes).get("src")):
            self.bad.append(tag)


def test_pages_are_small_and_strict(site, staff, pending):
    for _ in range(30):
        pending()
    for path in PAGES:
        a = staff.get(path)
        assert a.status_code == 200, (path, words(a))
        assert len(a.content) < 50_000, (path, len(a.content))
        policy = a.headers["Content-Security-Policy"]
        for part in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
            assert part in policy
        assert "unsafe" not in policy and "http" not in policy
        assert a.headers["Cache-Control"] == "no-store" and a.headers["X-Content-Type-Options"] == "nosniff" and a.headers["Strict-Transport-Security"]
        assert a.headers["X-Request-Id"] in a.text
        assert not any(re.search(r"php|\d", a.headers.get(name, ""), re.I) for name in ("X-Powered-By", "Server"))
        found = Strict(a.text)
        assert not found.bad, (path, found.bad)
        assert len(found.ids) == len(set(found.ids)), (path, found.ids)
    assert " error " not in site.log("console"), site.log("console")


def test_pages_are_quick(staff):
    for path in PAGES:
        times = sorted(staff.get(path).elapsed.total_seconds() for _ in range(5))
        assert times[1] < 0.1, (path, times)


def test_nobody_waits_while_several_look(site, visitor, pending):
    """Calls of a page share a connection: one whose answer came along with another's must not lie there for a second."""
    for _ in range(12):
        pending()
    first = visitor().sign_in()
    times = []

    def look():
        v = visitor()
        v.http.cookies.update(first.http.cookies)
        for _ in range(60):
            times.append(v.get("/console/pending").elapsed.total_seconds())

    threads = [threading.Thread(target=look) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(times) == 360
    late = [t for t in times if t > 0.9]
    assert len(late) <= 2, sorted(times)[-20:]


def test_style_and_script_are_kept_by_browsers(site, staff):
    text = staff.get("/console/pending").text
    for path in re.findall(r'(?:href|src)="(/console/static/[^"]+)"', text):
        a = staff.get(path)
        assert a.status_code == 200 and "immutable" in a.headers["Cache-Control"] and "Set-Cookie" not in a.headers
        again = staff.get(path, **{"If-None-Match": a.headers["ETag"]})
        assert again.status_code == 304 and again.content == b""
    for path in ("/console/static/nothing.css", "/console/static/../src/Api.php", "/console/static/..%2fsrc%2fApi.php", "/console/src/Api.php",
                 "/console/public/index.php", "/console/index.php", "/console/static/console.css/x.php"):
        assert staff.get(path).status_code == 404, path
        assert "<?php" not in staff.page.text


# -- pending ---------------------------------------------------------------------------------------


def test_pending_shows_what_is_missing(site, staff, pending):
    reservation, room, person = pending(price=90, points=40, name=f"Guest {uuid.uuid4().hex[:8]}")
    row = next(r for r in re.findall(r"<tr.*?</tr>", pages_of(staff, "/console/pending"), re.S) if person.name in r)
    cells = dict(re.findall(r'data-label="(\w+)">(.*?)</td>', row, re.S))
    assert [re.sub("<[^>]*>", "", cells[n]) for n in ("Price", "Balance", "Missing", "Free")] == ["90", "40", "50", "3"]
    site.adjust(person, 50)
    row = next(r for r in re.findall(r"<tr.*?</tr>", pages_of(staff, "/console/pending"), re.S) if person.name in r)
    assert "affordable now" in row


@contextmanager
def nothing_done(site):
    """Nothing has changed, but that a refusal may be kept under its Idempotency-Key."""
    before = site.snapshot()
    yield
    after = site.snapshot()
    assert [t for t in after if after[t] != before[t] and t != "loyalty.idempotency"] == []


def pages_of(staff, path):
    """All pages of a list, one after the other."""
    text, seen = "", 0
    while path:
        page = staff.get(path).text
        text += page
        found = re.search(r'href="([^"]*)" rel="next"', page)
        path = found[1].replace("&amp;", "&") if found else None
        seen += 1
        assert seen < 50
    return text


def test_approve_for_fewer_points(site, staff, pending):
    reservation, room, person = pending()
    at = f"/console/reservations/{reservation['id']}"
    staff.get(at)
    staff.submit(f"{at}/approve", points="40")
    assert "Approved" in notice(staff.follow(), "good")
    assert site.balance(person) == 0 and site.available(room) == 2
    assert site.api.get(f"/v1/reservations/{reservation['id']}").json["points"] == 40


def test_reject_keeps_the_reason(site, staff, pending):
    reservation, room, person = pending()
    at = f"/console/reservations/{reservation['id']}"
    staff.get(at)
    staff.submit(f"{at}/reject", reason=" ")
    assert staff.page.status_code == 422 and "Enter a reason" in words(staff.page)
    staff.submit(f"{at}/reject", reason="we are <sorry>")
    assert staff.page.status_code == 303
    assert site.api.get(f"/v1/reservations/{reservation['id']}").json["status"] == "REJECTED"


def test_a_refused_approval_says_why_and_keeps_what_was_typed(site, staff, pending):
    reservation, room, person = pending()
    at = f"/console/reservations/{reservation['id']}"
    staff.get(at)
    for points, code, word in (("60", 409, "not enough points"), ("ninety", 422, "whole number"), ("1e3", 422, "whole number"), ("91", 422, ""),
                               ("99999999999999999999", 422, "whole number")):
        with nothing_done(site):
            staff.submit(f"{at}/approve", points=points)
        assert staff.page.status_code == code and word in words(staff.page), (points, words(staff.page))
        assert staff.form(f"{at}/approve")["points"] == points
        assert staff.page.headers["X-Request-Id"] in notice_text(staff.page)
    staff.submit(f"{at}/approve", points="40")
    assert staff.page.status_code == 303


def notice_text(page):
    found = re.search(r'<div class="notice bad".*?</div>', page.text, re.S)
    assert found, words(page)
    return found[0]


def test_the_second_of_two_staff_hears_who_was_faster(site, visitor, pending):
    reservation, room, person = pending()
    at = f"/console/reservations/{reservation['id']}"
    anna, ben = visitor().sign_in("Anna"), visitor().sign_in("Ben")
    anna.get(at), ben.get(at)
    assert anna.submit(f"{at}/approve", points="10").status_code == 303
    ben.submit(f"{at}/reject", reason="no")
    assert ben.page.status_code == 409
    assert "Somebody else was faster" in words(ben.page) and "Anna made this reservation reserved" in words(ben.page)
    assert site.balance(person) == 30


def test_bulk_approval_has_a_result_for_each(site, staff, pending):
    room = site.room(total=1, price=10)
    poor = pending(price=90, points=0)
    rich = []
    for _ in range(2):
        person = site.user(0)
        reservation = site.reserve(room, person).json
        site.adjust(person, 10)
        rich.append((reservation, room, person))
    ids = [r[0]["id"] for r in [poor, *rich]]
    staff.get("/console/pending")
    fields = {**staff.form("/console/pending"), "id[]": ids}
    staff.send("/console/pending", fields)
    text = words(staff.page)
    assert staff.page.status_code == 200 and text.count(": approved.") == 1 and "not enough points" in text and "No unit" in text
    assert site.available(room) == 0 and sum(site.balance(r[2]) for r in rich) == 10
    with site.unchanged():
        staff.send("/console/pending", fields)  # reloaded
    assert words(staff.page).count(": approved.") == 1
    staff.submit("/console/pending")
    assert staff.page.status_code == 422 and "Select at least" in words(staff.page)


def test_a_form_that_is_sent_twice_does_nothing_twice(site, staff):
    person = site.user(100)
    at = f"/console/people/{person.id}/points"
    staff.get(f"/console/people/{person.id}")
    fields = {**staff.form(at), "amount": "-30", "reason": "a test"}
    for _ in range(3):
        assert staff.send(at, fields).status_code == 303
    assert site.balance(person) == 70
    staff.send(at, {**fields, "amount": "-40"})
    assert staff.page.status_code == 422 and "sent before with other values" in words(staff.page)
    assert site.balance(person) == 70


def test_a_form_whose_outcome_is_unknown_is_done_once(site, staff):
    person = site.user(100)
    at = f"/console/people/{person.id}/points"
    staff.get(f"/console/people/{person.id}")
    fields = {**staff.form(at), "amount": "25", "reason": "a test"}
    site.sv("stop", "points")
    try:
        staff.send(at, fields)
        assert staff.page.status_code == 503 and "The outcome is unknown" in words(staff.page)
        again = staff.form(at)
        assert (again["amount"], again["reason"], again["form"]) == ("25", "a test", fields["form"])
    finally:
        site.sv("start", "points")
        site.ready()
    assert staff.send(at, again).status_code == 303
    assert staff.send(at, again).status_code == 303
    assert site.balance(person) == 125


# -- people, rooms, reservations -------------------------------------------------------------------


def test_points_are_given_and_taken_with_a_reason(site, staff):
    person = site.user(100)
    at = f"/console/people/{person.id}/points"
    for amount, balance in (("+1,500", 1600), ("\u2212600", 1000), ("-1 000", 0)):
        staff.get(f"/console/people/{person.id}")
        staff.submit(at, amount=amount, reason="a late <upgrade>")
        assert staff.page.status_code == 303 and site.balance(person) == balance
        assert "the balance is" in notice(staff.follow(), "good")
    assert "a late &lt;upgrade&gt;" in staff.page.text
    assert [h["actor"] for h in site.points_history(person)][-3:] == ["Mia Berg"] * 3
    for amount, reason, code, word in (("-1", "x", 409, "not enough points"), ("0", "x", 422, "other than 0"), ("", "x", 422, "Fill this in"), ("5", "", 422, "Enter a reason"),
                                       ("1.5", "x", 422, "whole number"), ("1000000001", "x", 422, "a number from"), ("5", "x" * 201, 422, "At most 200")):
        with nothing_done(site):
            staff.submit(at, amount=amount, reason=reason)
        assert staff.page.status_code == code and word in words(staff.page), (amount, reason, words(staff.page))
        assert staff.form(at)["amount"] == amount and staff.form(at)["reason"] == reason


def test_rooms_are_added_changed_archived(site, staff):
    name = f'Nook "{uuid.uuid4().hex[:6]}" & <i>'
    staff.get("/console/rooms")
    staff.submit("/console/rooms", name=name, total_amount="x", required_points="")
    assert staff.page.status_code == 422 and staff.form("/console/rooms")["name"] == name
    staff.submit("/console/rooms", name=name, total_amount="4", required_points="1,200")
    at = staff.page.headers["Location"]
    id_ = at.rsplit("/", 1)[1]
    assert "Added" in notice(staff.follow(), "good")
    room = lambda: site.api.get(f"/v1/admin/rooms/{id_}", key="restricted").json  # noqa: E731
    assert room() == {"room": {"id": id_, "name": name, "available_amount": 4, "required_points": 1200}, "total_amount": 4, "archived": False}
    shown = staff.form(at)
    staff.submit(at, total_amount="6")
    assert room()["total_amount"] == 6
    # Another page, as old as the first: who sends it hears what has changed meanwhile.
    staff.send(at, {**shown, "required_points": "900", "form": fresh_token()})
    assert staff.page.status_code == 412 and "4 when you opened the page, 6 now" in words(staff.page), words(staff.page)
    assert (room()["total_amount"], room()["room"]["required_points"]) == (6, 1200)
    again = staff.form(at)
    assert (again["total_amount"], again["required_points"], again["was_total_amount"]) == ("6", "900", "6")
    staff.submit(at)
    assert (room()["total_amount"], room()["room"]["required_points"]) == (6, 900)
    staff.send(f"{at}/archive", {**shown, "archived": "true", "form": fresh_token()})
    assert staff.page.status_code == 412 and room()["archived"] is False
    staff.get(at)
    staff.submit(f"{at}/archive")
    assert room()["archived"] is True
    assert id_ in pages_of(staff, "/console/rooms?show=archived") and id_ not in pages_of(staff, "/console/rooms")
    staff.get(at)
    staff.submit(f"{at}/archive")
    assert room()["archived"] is False


def test_a_change_goes_through_where_only_reservations_were_in_the_way(site, staff):
    room, person = site.room(total=5, price=10), site.user(100)
    at = f"/console/rooms/{room.id}"
    staff.get(at)
    site.reserve(room, person)
    staff.submit(at, required_points="20")
    assert staff.page.status_code == 303, words(staff.page)
    staff.get(at)
    site.reserve(room, person)
    staff.submit(f"{at}/archive")
    assert staff.page.status_code == 303, words(staff.page)
    it = site.api.get(f"/v1/admin/rooms/{room.id}", key="restricted").json
    assert (it["room"]["required_points"], it["archived"], it["room"]["available_amount"]) == (20, True, 3)


def test_a_change_is_tried_again_three_times_and_no_more(site):
    """An API whose room changes faster than anybody can say."""
    room = {"room": {"id": DAY_ROOM, "name": "N", "available_amount": 1, "required_points": 5}, "total_amount": 9, "archived": False}
    sent = []

    def answer(path, method):
        sent.append(method)
        if method == "PATCH":
            return 412, [("Content-Type", "application/problem+json")], [b'{"type":"/problems/precondition-failed","status":412}']
        etag = ("ETag", f'"{len(sent)}"')
        return 200, [etag], [b"[]" if "history" in path or "limit" in path else json.dumps(room).encode()]

    with BrokenApi(site, answer) as api, Instance(site, LOYALTY_API_CONNECT=f"127.0.0.1:{api.port}") as console:
        cookie = set_cookie(console.sign_in())
        page = console.get(f"/console/rooms/{DAY_ROOM}", cookie)
        page = console.submit(f"/console/rooms/{DAY_ROOM}", page, cookie, required_points="6")
        assert page.status == 412 and "Try again" in words(Page(page)), words(Page(page))
        assert sent.count("PATCH") == 4


def test_stock_below_what_is_reserved_is_refused_in_words(site, staff):
    room, person = site.room(total=2, price=0), site.user()
    site.reserve(room, person)
    staff.get(f"/console/rooms/{room.id}")
    staff.submit(f"/console/rooms/{room.id}", total_amount="0")
    assert staff.page.status_code == 409 and "More units are reserved" in words(staff.page)
    assert staff.form(f"/console/rooms/{room.id}")["total_amount"] == "0"
    assert staff.form(f"/console/rooms/{room.id}")["was_total_amount"] == "2"


def test_reservations_are_released_and_cancelled_where_they_are_listed(site, staff):
    room, person = site.room(total=5, price=10), site.user(100)
    one, two = (site.reserve(room, person).json["id"] for _ in range(2))
    path = f"/console/reservations?person={person.id}"
    staff.get(path)
    page = staff.page
    staff.http.headers["Referer"] = site.base + path
    staff.submit(f"/console/reservations/{one}/release", page)
    assert staff.page.headers["Location"] == path
    staff.submit(f"/console/reservations/{two}/cancel", page)
    assert site.balance(person) == 90 and site.available(room) == 5
    text = words(staff.get(path))
    assert "released" in text and "cancelled" in text and "Release " not in text
    for referer in ("https://evil.test/console/pending", "https://evil.test/", site.base + "/v1/rooms", site.base + "/console/sign-out", "//x"):
        staff.http.headers["Referer"] = referer
        three = site.reserve(room, person).json["id"]
        staff.get(path)
        staff.submit(f"/console/reservations/{three}/cancel")
        assert staff.page.headers["Location"] in (f"/console/reservations/{three}", "/console/pending"), staff.page.headers["Location"]


def test_things_that_are_not_there_are_said_not_to_be(staff):
    for path in (f"/console/people/{uuid.uuid4()}", f"/console/rooms/{uuid.uuid4()}", f"/console/reservations/{uuid.uuid4()}", "/console/people/nobody", "/console/x"):
        a = staff.get(path)
        assert a.status_code == 404 and re.search(r"There is no(thing| such)", words(a)), path


# -- history, mail, health -------------------------------------------------------------------------


def test_one_request_is_followed_across_everything(site, staff, pending):
    reservation, room, person = pending()
    at = f"/console/reservations/{reservation['id']}"
    staff.get(at)
    staff.submit(f"{at}/approve", points="40")
    request = staff.page.headers["X-Request-Id"]
    link = re.search(r'class="aside" href="([^"]*)"', staff.follow().text)[1].replace("&amp;", "&")
    assert f"/requests/{request}?at=" in link
    for path in (link, f"/console/requests/{request}"):
        text = words(staff.get(path))
        assert "Mia Berg" in text and "waiting → reserved" in text and "−40" in text and "available 3 → 2" in text and f"Re: {room.name} for" in text, text
    assert "a minute before" in words(staff.get(link))
    assert "Nothing of this request" in words(staff.get("/console/requests/nobody-asked"))
    staff.get("/console/requests?id=a b")
    assert staff.page.status_code == 422
    assert staff.get(f"/console/requests?id={request}").headers["Location"] == f"/console/requests/{request}"


def test_history_is_filtered(site, staff):
    person, other = site.user(0), site.user(0)
    site.adjust(person, 5, "for her")
    site.adjust(other, 6, "for him")
    text = words(staff.get(f"/console/history?stream=points&id={person.id}"))
    assert "for her" in text and "for him" not in text
    assert "for her" not in words(staff.get(f"/console/history?stream=points&id={person.id}&until=2020-01-01"))
    assert "for her" in words(staff.get(f"/console/history?stream=points&id={person.id}&since=2020-01-01&until=2099-01-01"))
    for query in ("id=x", "since=today", "until=2026-02-30"):
        assert staff.get(f"/console/history?{query}").status_code == 422


def test_health_tells_what_is(site, staff):
    text = words(staff.get("/console/health"))
    assert "ready" in text and "Mails queued" in text and "GET /v1/admin/rooms" in text
    until(lambda: re.search(r"Requests a second [\d.]+ in the last", words(staff.get("/console/health"))), 10, 0.5, "a rate")
    staff.submit("/console/health/audit")
    text = words(staff.page)
    assert "Everything adds up." in text and "room-stock holds" in text


def test_health_says_what_is_not_ready(site, staff):
    site.sv("stop", "points")
    try:
        a = staff.get("/console/health")
        assert a.status_code == 503 and "not ready" in words(a) and "cgi-points" in words(a)
    finally:
        site.sv("start", "points")
        site.ready()


# -- when it fails ---------------------------------------------------------------------------------


def test_the_system_out_of_reach_is_a_page_that_says_so(site, staff):
    site.sv("stop", "rooms")
    site.sv("stop", "admin")
    try:
        for path in ("/console/pending", "/console/rooms", "/console/people", "/console/mail", "/console/history"):
            a = staff.get(path)
            assert a.status_code == 503 and "out of reach" in words(a) and a.headers["Retry-After"], path
            assert a.headers["X-Request-Id"] in words(a)
    finally:
        site.sv("start", "admin")
        site.sv("start", "rooms")
        site.ready()
    assert staff.get("/console/rooms").status_code == 200


def test_the_console_down_is_a_page_of_the_gateway(site, staff):
    site.sv("stop", "console")
    try:
        a = staff.get("/console/pending")
        assert a.status_code == 503 and a.headers["Content-Type"].startswith("text/html") and "does not answer" in words(a)
        assert a.headers["X-Request-Id"] in a.text and a.headers["Strict-Transport-Security"]
        assert "Strict-Transport-Security" in a.headers and "default-src 'none'" in a.headers["Content-Security-Policy"]
        assert site.api.get("/readyz", key=None).status == 200, "nothing else depends on it"
        assert site.api.get("/v1/rooms").status == 200
    finally:
        site.sv("start", "console")
        until(lambda: staff.get("/console/pending").status_code == 200, 15, 0.1, "the console is back")


def test_a_killed_console_comes_back_and_nobody_has_to_sign_in_again(site, staff):
    before = set(site.all_pids("console"))
    site.kill("console")
    # Its orphaned workers go on until the next one ends them; they have nobody to log to.
    person = site.user(10)
    staff.get(f"/console/people/{person.id}")
    if staff.page.status_code == 200:
        staff.submit(f"/console/people/{person.id}/points", amount="1", reason="a test")
        assert staff.page.status_code in (303, 503), words(staff.page)

    def replaced():
        now = {pid for pid, name in site.all_pids("console").items() if name.startswith("php-fpm")}
        return now and not now & before

    until(replaced, 15, 0.1, "another one")
    until(lambda: staff.get("/console/pending").status_code == 200, 15, 0.1, "the console is back")
    assert "Sign out" in staff.page.text


def test_what_is_too_large_is_a_page(site, staff):
    a = staff.send("/console/rooms", {"csrf": "x", "name": "x" * 70_000})
    assert a.status_code == 413 and a.headers["Content-Type"].startswith("text/html") and "more than this page takes" in a.text


@pytest.mark.parametrize("path", ["pending", "rooms", "people", "reservations", "history", "requests", "mail", "health", "sign-in"])
def test_no_query_breaks_a_page(site, staff, path):
    nasty = ["cursor=x", "cursor[]=x", "page=-1", "page=99999999999999999999", "q=%ff%fe", "q=%00", "q[]=a&q[b]=c", "from=1~x", "from=x", "status=%3Cscript%3E",
             "person=x", "stream=outbox", "since[]=1", "id=../..", "q=" + "x" * 3000, "show=%27", "at=tomorrow", "to=//evil.test", "=&&&=", "a" * 400]
    for query in nasty:
        a = staff.get(f"/console/{path}?{query}")
        assert a.status_code in (200, 303, 400, 422), (query, a.status_code, words(a))
        assert "<script>" not in a.text
    assert " error " not in site.log("console"), site.log("console")


def test_no_form_breaks_a_page(site, staff):
    staff.get("/console/pending")
    csrf = staff.form("/console/sign-out")["csrf"]
    person = site.user(100)
    for path in ("/console/pending", "/console/rooms", f"/console/people/{person.id}/points", f"/console/reservations/{uuid.uuid4()}/approve", "/console/mail/1/retry",
                 f"/console/rooms/{DAY_ROOM}", f"/console/reservations/{uuid.uuid4()}/reject", "/console/mail/999999999999999999/retry"):
        for fields in ({}, {"id[]": "x", "name[]": "y", "amount[a][b]": "z", "points[]": "1"}, {"form": "x" * 5000}, {"name": b"\xff", "reason": b"\xff", "amount": b"\xff"},
                       {"back": "https://evil.test", "amount": "9" * 4000, "total_amount": "-0"}):
            with nothing_done(site):
                a = staff.send(path, {"csrf": csrf, **fields})
            assert a.status_code in (303, 404, 409, 422), (path, fields, a.status_code, words(a))
            assert "evil" not in a.headers.get("Location", "")
    assert " error " not in site.log("console"), site.log("console")
