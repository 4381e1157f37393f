"""The console's pages without a browser: what they show, what they do, how they fail."""

import csv
import html
import io
import json
import re
import threading
import uuid
from collections import namedtuple
from contextlib import contextmanager
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
import requests
from instance import BrokenApi, Instance, Page, set_cookie
from visitor import fresh_token, notice, words

from stack import until

JANE = "b9fa7d71-548c-4739-8e6a-0931cc218cd1"
DAY_ROOM = "caafbbad-eafe-4abb-bfcb-cabec8edef0c"
PAGES = ("/console/pending", "/console/rooms", "/console/rooms?q=suite", "/console/rooms?show=archived", f"/console/rooms/{DAY_ROOM}", "/console/people",
         "/console/people?q=doe", f"/console/people/{JANE}", "/console/reservations", "/console/reservations?status=RESERVED", "/console/history",
         "/console/history?stream=points", "/console/history?stream=rooms", "/console/history?stream=users", "/console/search", "/console/search?q=suite",
         "/console/rooms?sort=-required_points&q=suite", "/console/people?sort=-bonus_points", "/console/reservations?q=doe", "/console/requests", "/console/requests/demo", "/console/mail",
         "/console/mail?status=DEAD", "/console/health", "/console/routes")


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
        assert a.headers["X-Request-Id"] not in a.text, "it is for errors and histories"
        assert not any(re.search(r"php|\d", a.headers.get(name, ""), re.I) for name in ("X-Powered-By", "Server"))
        found = Strict(a.text)
        assert not found.bad, (path, found.bad)
        assert len(found.ids) == len(set(found.ids)), (path, found.ids)
    assert " error " not in site.log("console"), site.log("console")


def test_pages_are_quick(staff):
    for path in PAGES:
        times = staff.seconds(path)
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


def row_of(staff, person):
    """The row of the waiting list that is this person's: its HTML, the page it is on last in staff.page."""
    path = "/console/pending"
    while path:
        text = staff.get(path).text
        found = [r for r in re.findall(r"<tr.*?</tr>", text, re.S) if person.name in r]
        if found:
            return found[0]
        onward = re.search(r'href="([^"]*)" rel="next"', text)
        path = onward and html.unescape(onward[1])
    raise AssertionError(f"no row of {person.name}")


def buttons(row):
    """What can be pressed in it: the words, by the value that is sent."""
    return {html.unescape(value): re.sub("<[^>]*>", "", label) for value, label in re.findall(r'<button name="do" value="([^"]*)"[^>]*>(.*?)</button>', row, re.S)}


def press(staff, do, **fields):
    """Press a button of the waiting list that was shown last."""
    return staff.send("/console/pending", {**staff.form_named("decide"), "do": do, **fields})


def test_each_row_offers_what_will_work(site, staff, pending):
    reservation, room, person = pending(price=90, points=40, name=f"Guest {uuid.uuid4().hex[:8]}")
    id_ = reservation["id"]
    assert buttons(row_of(staff, person)) == {f"approve:{id_}:40": "Approve for 40", f"points:{id_}": "Approve", f"gift:{id_}:50:90": "Give 50 and approve for 90", f"reject:{id_}": "Reject"}
    site.adjust(person, 50)
    row = row_of(staff, person)
    assert buttons(row) == {f"approve:{id_}:90": "Approve for 90", f"points:{id_}": "Approve", f"reject:{id_}": "Reject"} and "enough points" in row
    while site.available(room):
        site.reserve(room, site.user(1000))
    row = row_of(staff, person)
    assert buttons(row) == {f"reject:{id_}": "Reject"} and "sold out" in row, "an approval is known to fail"


def test_one_press_decides_for_what_the_button_says(site, staff, pending):
    reservation, room, person = pending(name=f"Guest {uuid.uuid4().hex[:8]}")
    row_of(staff, person)
    at, fields = staff.page, staff.form_named("decide")
    do = f"approve:{reservation['id']}:40"
    for _ in range(2):  # and twice decides once
        staff.send("/console/pending", {**fields, "do": do})
        assert staff.page.status_code == 303, words(staff.page)
    assert "Approved" in notice(staff.follow(), "good") and "40 points taken" in words(staff.page)
    assert site.balance(person) == 0 and site.available(room) == 2
    staff.page = at
    press(staff, f"reject:{reservation['id']}", **{f"why[{reservation['id']}]": "too late"})
    assert staff.page.status_code == 409 and "already been changed" in words(staff.page)


def test_a_gift_of_what_is_missing(site, staff, pending):
    reservation, room, person = pending(name=f"Guest {uuid.uuid4().hex[:8]}")
    id_ = reservation["id"]
    row_of(staff, person)
    with nothing_done(site):
        press(staff, f"gift:{id_}:50:90")
    assert staff.page.status_code == 422 and "Enter a reason" in words(staff.page)
    fields = {**staff.form_named("decide"), "do": f"gift:{id_}:50:90", f"why[{id_}]": "a loyal <guest>"}
    for _ in range(2):
        staff.send("/console/pending", fields)
        assert staff.page.status_code == 303, words(staff.page)
    assert site.balance(person) == 0 and site.api.get(f"/v1/reservations/{id_}").json["points"] == 90
    rows = site.points_history(person)[-2:]
    assert sorted((r["delta"], r["reason"]) for r in rows) == [(-90, None), (50, "a loyal <guest>")]


def test_a_gift_whose_approval_is_refused_stands_and_is_told(site, staff):
    room, person = site.room(1, 90), site.user(40, f"Guest {uuid.uuid4().hex[:8]}")
    id_ = site.reserve(room, person).json["id"]
    row_of(staff, person)
    site.reserve(room, site.user(90))  # the last unit
    fields = {**staff.form_named("decide"), "do": f"gift:{id_}:50:90", f"why[{id_}]": "a gift"}
    for _ in range(2):
        staff.send("/console/pending", fields)
        assert staff.page.status_code == 409 and "No unit of this room is free" in words(staff.page) and "given 50 points" in words(staff.page), words(staff.page)
        assert site.balance(person) == 90


def test_a_gift_for_a_request_that_is_decided_already_is_none(site, staff, pending):
    reservation, room, person = pending()
    id_ = reservation["id"]
    staff.get(f"/console/reservations/{id_}")
    site.reject(id_)
    with nothing_done(site):
        staff.submit(f"/console/reservations/{id_}/gift", reason="too late")
    assert staff.page.status_code == 409 and "Someone else was faster" in words(staff.page)


def test_another_number_and_a_rejection_in_the_row(site, staff, pending):
    one, two = (pending(name=f"Guest {uuid.uuid4().hex[:8]}") for _ in range(2))
    id_ = one[0]["id"]
    row_of(staff, one[2])
    for points, word in (("ninety", "whole number"), ("", "Fill in"), ("-1", "a number from")):
        with nothing_done(site):
            press(staff, f"points:{id_}", **{f"points[{id_}]": points})
        assert staff.page.status_code == 422 and word in words(staff.page)
        row_of(staff, one[2])
    press(staff, f"points:{id_}", **{f"points[{id_}]": "15"})
    assert staff.page.status_code == 303 and site.balance(one[2]) == 25
    row_of(staff, two[2])
    press(staff, f"reject:{two[0]['id']}", **{f"why[{two[0]['id']}]": "closed for repairs"})
    assert staff.page.status_code == 303 and "Rejected" in notice(staff.follow(), "good")
    history = site.api.get(f"/v1/admin/history/reservations?reservation_id={two[0]['id']}", key="restricted").json
    assert history[0]["reason"] == "closed for repairs"


def test_what_is_new_since_the_last_look_is_marked(site, visitor, pending):
    v = visitor().sign_in()
    v.get("/console/pending")
    old = pending(name=f"Old {uuid.uuid4().hex[:8]}")
    assert "tag new" in row_of(v, old[2])
    since = re.search(r'data-since="([^"]*)"', v.page.text)[1]
    fresh = pending(name=f"Fresh {uuid.uuid4().hex[:8]}")
    # The page that refreshes itself keeps its marks; a look takes them away.
    page = next(p for p in (v.get(f"/console/pending?page={n}&since={since}").text for n in range(1, 40)) if fresh[2].name in p)
    assert page.count("tag new") >= 1 and f"since={quote(since, safe='')}" in page
    assert "tag new" in row_of(v, fresh[2])
    v.get("/console/pending")
    assert "tag new" not in row_of(v, fresh[2])


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
    for points, code, word in (("60", 409, "doesn’t have enough points"), ("ninety", 422, "whole number"), ("1e3", 422, "whole number"), ("91", 422, "attention"),
                               ("99999999999999999999", 422, "whole number")):
        with nothing_done(site):
            staff.submit(f"{at}/approve", points=points)
        assert staff.page.status_code == code and word in words(staff.page), (points, words(staff.page))
        assert f'value="{points}"' in staff.page.text
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
    assert "Someone else was faster" in words(ben.page) and "changed to “Reserved”" in words(ben.page) and "Staff: Anna" in words(ben.page)
    assert site.balance(person) == 30


def bulk(staff, path, ids):
    """The fields of the waiting list's form with these ticked; the rows may be on several pages."""
    fields, ticked = None, {}
    while path:
        text = staff.get(path).text
        fields = fields or staff.form_named("decide")
        ticked.update({row[:36]: row for row in re.findall(r'type="checkbox" name="id\[\]" value="([^"]*)"', text)})
        onward = re.search(r'href="([^"]*)" rel="next"', text)
        path = onward and html.unescape(onward[1])
    return {**fields, "id[]": [ticked[i] for i in ids]}


def results(page):
    text = re.search(r'id="results".*?</section>', page.text, re.S)
    assert text, words(page)
    return [re.sub(r"\s+", " ", html.unescape(re.sub("<[^>]*>", "", li))).strip() for li in re.findall(r"<li.*?</li>", text[0], re.S)]


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
    fields = {**bulk(staff, "/console/pending", ids), "do": "price"}
    staff.send("/console/pending", fields)
    assert staff.page.status_code == 200
    told = results(staff.page)
    assert "90 points are missing" in told[0] and "approved for 10 points" in told[1] and "No unit" in told[2], told
    assert site.available(room) == 0 and sum(site.balance(r[2]) for r in rich) == 10
    with site.unchanged():
        staff.send("/console/pending", fields)  # reloaded
    assert results(staff.page) == told
    for do, word in (("price", "Select at least"), ("reject", "Select at least"), ("nonsense", "Select at least"), ("", "Choose what to do")):
        staff.send("/console/pending", {**{k: v for k, v in fields.items() if k != "id[]"}, "do": do, "reason": "x"})
        assert staff.page.status_code == 422 and word in words(staff.page), (do, words(staff.page))


def test_bulk_takes_what_each_has_and_no_guest_pays_twice(site, staff):
    room, one, two = site.room(5, 90), site.user(100), site.user(70)
    site.adjust(one, -40)
    ids = [site.reserve(room, person).json["id"] for person in (one, one, two)]
    site.adjust(one, 50)  # 110: enough for one of the two
    fields = {**bulk(staff, "/console/pending", ids), "do": "have"}
    staff.send("/console/pending", fields)
    assert [r.split(": ")[-1] for r in results(staff.page)] == ["approved for 90 points.", "approved for 20 points.", "approved for 70 points."]
    with site.unchanged():
        staff.send("/console/pending", fields)
    assert site.balance(one) == site.balance(two) == 0 and site.available(room) == 2


def test_bulk_rejection_keeps_ticks_and_reason_where_it_is_refused(site, staff, pending):
    three = [pending() for _ in range(3)]
    ids = [r[0]["id"] for r in three]
    fields = bulk(staff, "/console/pending", ids)
    staff.send("/console/pending", {**fields, "do": "reject"})
    assert staff.page.status_code == 422 and "Enter a reason" in words(staff.page)
    shown = [i for i in ids if f'value="{i}:' in staff.page.text]
    assert all(re.search(f'value="{i}:[^>]* checked>', staff.page.text) for i in shown)
    site.cancel(ids[1])
    staff.send("/console/pending", {**fields, "do": "reject", "reason": "closed"})
    told = results(staff.page)
    assert [r.split(": ")[-1] for r in told] == ["rejected.", "This reservation has already been changed by someone else.", "rejected."]
    assert [site.api.get(f"/v1/reservations/{i}").json["status"] for i in ids] == ["REJECTED", "CANCELLED", "REJECTED"]


def test_the_language_is_the_browsers_or_the_one_chosen(site, visitor):
    v = visitor()
    text = v.get("/console/sign-in", **{"Accept-Language": "de-DE,de;q=0.9,en;q=0.8"}).text
    assert '<html lang="de">' in text and "Personalschlüssel" in text
    v.sign_in()
    assert '<html lang="en">' in v.get("/console/pending").text
    v.http.headers["Referer"] = site.base + "/console/people?q=doe"
    v.send("/console/language", {"language": "de"})
    assert v.page.status_code == 303 and v.page.headers["Location"] == "/console/people?q=doe"
    for path in PAGES:
        v.get(path)
        assert v.page.status_code == 200 and '<html lang="de">' in v.page.text and "Abmelden" in words(v.page), path
    v.send("/console/language", {"language": "en"}, origin="https://evil.test")
    assert v.page.status_code == 403
    v.send("/console/language", {"language": "../x"})
    assert v.page.status_code == 303 and '<html lang="de">' in v.get("/console/pending").text


def test_times_are_the_hotels(site):
    with Instance(site, LOYALTY_CONSOLE_TIMEZONE="Asia/Kathmandu") as console:
        cookie = set_cookie(console.sign_in())
        page = Page(console.get(f"/console/people/{site.user(5).id}", cookie))
        assert "Asia/Kathmandu" in words(page)
        shown = re.search(r'<time datetime="([^"]*)" title="([^"]*)"', page.text)
        assert shown[1][14:16] != shown[2].rsplit(":", 2)[-2][-2:], "a quarter of an hour off any other"
        assert "title" in page.text and "UTC" not in words(page)


def test_a_form_that_is_sent_twice_does_nothing_twice(site, staff):
    person = site.user(100)
    at = f"/console/people/{person.id}/points"
    staff.get(f"/console/people/{person.id}")
    fields = {**staff.form(at), "amount": "-30", "reason": "a test"}
    for _ in range(3):
        assert staff.send(at, fields).status_code == 303
    assert site.balance(person) == 70
    staff.send(at, {**fields, "amount": "-40"})
    assert staff.page.status_code == 422 and "already sent this form with other values" in words(staff.page)
    assert site.balance(person) == 70


def test_a_form_whose_outcome_is_unknown_is_done_once(site, staff):
    person = site.user(100)
    at = f"/console/people/{person.id}/points"
    staff.get(f"/console/people/{person.id}")
    fields = {**staff.form(at), "amount": "25", "reason": "a test"}
    site.sv("stop", "points")
    try:
        staff.send(at, fields)
        assert staff.page.status_code == 503 and "know whether it was saved" in words(staff.page)
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
        assert "The balance is now" in notice(staff.follow(), "good")
    assert "a late &lt;upgrade&gt;" in staff.page.text
    assert [h["actor"] for h in site.points_history(person)][-3:] == ["Mia Berg"] * 3
    for amount, reason, code, word in (("-1", "x", 409, "doesn’t have enough points"), ("0", "x", 422, "other than 0"), ("", "x", 422, "Fill in this field"), ("5", "", 422, "Enter a reason"),
                                       ("1.5", "x", 422, "whole number"), ("1000000001", "x", 422, "a number from"), ("5", "x" * 201, 422, "Use 200 characters")):
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

    with BrokenApi(site, answer) as api, Instance(site, LOYALTY_CONSOLE_API_CONNECT=f"127.0.0.1:{api.port}") as console:
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
    assert staff.page.status_code == 409 and "More units than that are reserved" in words(staff.page)
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
    assert "Released" in text and "Cancelled" in text and "Release " not in text
    for referer in ("https://evil.test/console/pending", "https://evil.test/", site.base + "/v1/rooms", site.base + "/console/sign-out", "//x"):
        staff.http.headers["Referer"] = referer
        three = site.reserve(room, person).json["id"]
        staff.get(path)
        staff.submit(f"/console/reservations/{three}/cancel")
        assert staff.page.headers["Location"] in (f"/console/reservations/{three}", "/console/pending"), staff.page.headers["Location"]


def test_the_search_box_finds_guests_rooms_and_reservations(site, staff):
    mark = uuid.uuid4().hex[:8]
    person, room = site.user(100, f"Frida {mark}"), site.room(3, 10, f"Frigate {mark}")
    reservation = site.reserve(room, person).json["id"]
    text = words(staff.get(f"/console/search?q={mark}"))
    assert f"Frida {mark}" in text and f"Frigate {mark}" in text and "Reservations" in text and f'href="/console/reservations/{reservation}"' in staff.page.text
    for id_, path in ((person.id, "people"), (room.id, "rooms"), (reservation.upper(), "reservations")):
        assert staff.get(f"/console/search?q={id_}").headers["Location"] == f"/console/{path}/{id_.lower()}"
    assert "Nothing found" in words(staff.get(f"/console/search?q={uuid.uuid4()}")) and "Nothing found" in words(staff.get("/console/search?q=no+such+name+at+all"))
    assert f"Frida {mark}" in words(staff.get(f"/console/reservations?q={mark}&status=RESERVED"))
    assert f"Frida {mark}" not in words(staff.get(f"/console/reservations?q={mark}&status=CANCELLED"))


def test_lists_are_sorted_as_the_address_says(site, staff):
    mark = uuid.uuid4().hex[:8]
    for n, price in (("B", 5), ("A", 9), ("C", 1)):
        site.room(1, price, f"{n} {mark}")
        site.user(price, f"{n} {mark}")
    for path, order in ((f"/console/rooms?q={mark}", "ABC"), (f"/console/rooms?q={mark}&sort=-name", "CBA"), (f"/console/rooms?q={mark}&sort=required_points", "CBA"),
                        (f"/console/people?q={mark}", "ABC"), (f"/console/people?q={mark}&sort=-bonus_points", "ABC"), (f"/console/people?q={mark}&sort=x", "ABC")):
        assert "".join(re.findall(rf"<bdi>(\w) {mark}</bdi>", staff.get(path).text)) == order, path


def test_a_guest_is_added_changed_and_erased(site, staff):
    name = f'Åsa "{uuid.uuid4().hex[:6]}" <b>'
    staff.get("/console/people")
    staff.submit("/console/people", name="")
    assert staff.page.status_code == 422 and "Fill in" in words(staff.page)
    fields = {**staff.form("/console/people"), "name": name, "role": "USER"}
    places = {staff.send("/console/people", fields).headers["Location"] for _ in range(2)}
    assert len(places) == 1, "sent twice it is one guest"
    at = places.pop()
    id_ = at.rsplit("/", 1)[1]
    it = lambda: site.api.get(f"/v1/admin/users/{id_}", key="restricted").json  # noqa: E731
    assert it() == {"user": {"id": id_, "name": name, "role": "USER"}, "bonus_points": 0}
    staff.get(at)
    old = staff.page
    site.adjust(namedtuple("User", "id")(id_), 5)  # a balance that moves is in nobody's way
    staff.submit(at, name="Åsa Berg", role="ADMIN")
    assert staff.page.status_code == 303 and it()["user"] == {"id": id_, "name": "Åsa Berg", "role": "ADMIN"}
    staff.submit(at, old, name="Another", role="USER")
    assert staff.page.status_code == 412 and "when you opened the page" in words(staff.page) and it()["user"]["name"] == "Åsa Berg"
    staff.get(at)
    assert "name changed from" in words(staff.page)
    for typed, reason, word in (("Asa", "asked to", "exactly as it is shown"), ("Åsa Berg", "", "Enter a reason")):
        with nothing_done(site):
            staff.submit(f"{at}/erase", typed_name=typed, erase_reason=reason)
        assert staff.page.status_code == 422 and word in words(staff.page)
    staff.submit(f"{at}/erase", typed_name="Åsa Berg", erase_reason="asked to")
    assert staff.page.status_code == 303 and "has been erased" in notice(staff.follow(), "good")
    assert it() == {"user": {"id": id_, "name": "Erased", "role": "USER"}, "bonus_points": 0}
    assert "This guest has been erased" in words(staff.page) and "Adjust balance" not in words(staff.page) and "Åsa" not in staff.page.text


def csv_of(staff, path):
    a = staff.get(path)
    assert a.status_code == 200 and a.headers["Content-Type"].startswith("text/csv") and "attachment" in a.headers["Content-Disposition"], words(a)
    assert a.content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(a.content.decode("utf-8-sig"), newline="")))


def test_every_list_is_taken_away_as_it_is_filtered(site, staff):
    mark = uuid.uuid4().hex[:8]
    names = [f'=HYPERLINK("x";"{mark}")', f"+1 {mark}", f"-1 {mark}", f"@a {mark}", f'O\'Hara, "{mark}"', f"plain {mark}"]
    people = [site.user(7, name) for name in names]
    room = site.room(9, 3, f"=1+1 {mark}")
    site.room(1, 1, f"plain {mark}", archived=1)
    for person in people:
        site.reserve(room, person)
    harmless = sorted("'" + n if n[0] in "=+-@" else n for n in names)
    rows = csv_of(staff, f"/console/csv/people?q={mark}")
    assert rows[0] == ["ID", "Name", "Role", "Balance"] and sorted(r[1] for r in rows[1:]) == harmless and {r[3] for r in rows[1:]} == {"4"}
    rows = csv_of(staff, f"/console/csv/reservations?q={mark}&status=RESERVED")
    assert sorted(r[2] for r in rows[1:]) == harmless and {r[1] for r in rows[1:]} == {"Reserved"} and {r[3] for r in rows[1:]} == {f"'=1+1 {mark}"}
    assert len(csv_of(staff, f"/console/csv/reservations?q={mark}&status=CANCELLED")) == 1
    assert [r[1] for r in csv_of(staff, f"/console/csv/rooms?q={mark}")[1:]] == [f"'=1+1 {mark}"]
    assert [r[1] for r in csv_of(staff, f"/console/csv/rooms?q={mark}&show=archived")[1:]] == [f"plain {mark}"]
    rows = csv_of(staff, f"/console/csv/history?stream=points&id={people[0].id}")
    assert rows[1][3] == "-3", "a number is no formula"
    for path in ("pending", "mail?status=SENT", "history", "history?stream=rooms", "history?stream=users"):
        assert csv_of(staff, f"/console/csv/{path}")[0]
    assert staff.get("/console/csv/nothing").status_code == 404 and staff.get("/console/csv/history?since=x").status_code == 422
    german = staff.get(f"/console/csv/people?q={mark}", **{"Accept-Language": "de"}).content.decode("utf-8-sig")
    assert german.startswith("ID;Name;Rolle;Guthaben\r\n")


def test_a_long_list_is_taken_away_whole(site, staff):
    mark = uuid.uuid4().hex[:8]
    for n in range(450):
        site.user(0, f"L{n:03} {mark}")
    assert [r[1] for r in csv_of(staff, f"/console/csv/people?q={mark}")[1:]] == [f"L{n:03} {mark}" for n in range(450)]


def test_all_that_is_known_of_a_guest_is_taken_away(site, staff):
    person, room = site.user(100, f"Ex Port {uuid.uuid4().hex[:6]}"), site.room(3, 10)
    reservation = site.reserve(room, person).json["id"]
    assert f"/console/people/{person.id}/export" in staff.get(f"/console/people/{person.id}").text
    a = staff.get(f"/console/people/{person.id}/export")
    assert a.status_code == 200 and a.headers["Content-Disposition"] == f'attachment; filename="guest-{person.id}.json"' and a.headers["Cache-Control"] == "no-store"
    assert a.json() == site.api.get(f"/v1/admin/users/{person.id}/export", key="restricted").json and reservation in a.text
    assert staff.get(f"/console/people/{uuid.uuid4()}/export").status_code == 404


def test_mails_are_read_and_all_that_failed_are_sent_again(site, relay, staff):
    room, person = site.room(5, 0), site.user(0, f"Mailed {uuid.uuid4().hex[:6]}")
    dead = lambda: site.value("SELECT COUNT(*) FROM loyalty.outbox WHERE status = 'DEAD'")  # noqa: E731
    hers = lambda: site.value("SELECT COUNT(*) FROM loyalty.outbox o JOIN loyalty.reservation r ON r.id = o.reservation_id"  # noqa: E731
                              " WHERE o.status = 'DEAD' AND r.user_id = UNHEX(REPLACE(%s, '-', ''))", (person.id,))
    relay.refusing = True
    try:
        for _ in range(3):
            site.reserve(room, person)
        until(lambda: hers() == 3, 20, 0.1, "three that failed")
    finally:
        relay.refusing = False
    staff.get("/console/mail?status=DEAD")
    at = next(re.search(r'href="(/console/mail/\d+)"', row)[1] for row in re.findall(r"<tr.*?</tr>", staff.page.text, re.S) if person.name in row)
    assert re.search(r"Send all \d+ failed mails again", words(staff.page))
    text = words(staff.get(at))
    assert "no such user" in text and person.name in text and room.name in text and "Failed" in text
    staff.get("/console/mail")
    fields = staff.form("/console/mail/retry")
    n = dead()
    for again in (n, 0):
        staff.send("/console/mail/retry", {**fields, "form": fields["form"] if again else fresh_token()})
        assert staff.page.status_code == 303 and f"{again} mails queued again" in notice(staff.follow(), "good"), words(staff.page)
    assert dead() == 0
    assert staff.get("/console/mail/999999999999999999").status_code == 404


def strip_of(v):
    """What the strip says that is in the page at hand."""
    src = re.search(r'<noscript><iframe class="news" src="([^"]*)"', v.page.text)[1].replace("&amp;", "&")
    return v.http.get(v.stack.base + src, allow_redirects=False, timeout=30)


def test_without_a_script_a_strip_tells_what_has_become_of_the_list(site, staff, pending):
    reservation, room, person = pending()
    page = staff.get("/console/pending")
    assert 'http-equiv="refresh"' not in page.text, "it would take the ticks away"
    assert "frame-src 'self'" in page.headers["Content-Security-Policy"] and "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    a = strip_of(staff)
    assert "up to date" in words(a) and 'http-equiv="refresh" content="10; url=/console/pending/news?' in a.text
    assert "frame-ancestors 'self'" in a.headers["Content-Security-Policy"] and "frame-ancestors 'none'" not in a.headers["Content-Security-Policy"]
    pending()
    assert "1 new request. Press" in words(strip_of(staff)) and "no longer" not in words(strip_of(staff))
    pending()
    site.cancel(reservation["id"])
    a = strip_of(staff)
    assert "2 new requests. 1 request is no longer waiting." in words(a)
    stop = re.search(r'<a class="soft" href="([^"]*)">Stop checking', a.text)[1].replace("&amp;", "&")
    assert "http-equiv" not in staff.get(stop).text and "Check for new requests" in words(staff.page)
    # Where nothing waits there is nothing to lose: a link shows what is new.
    staff.get(f"/console/pending?q={uuid.uuid4().hex}")
    assert "up to date" in words(strip_of(staff))


def test_the_list_is_refreshed_with_its_ticks_and_what_was_typed(site, staff, pending):
    one, two = pending(), pending()
    row = row_of(staff, one[2])
    tick = re.search(r'name="id\[\]" value="([^"]*)"', row)[1]
    action = re.search(r'<button name="do" value="refresh" formaction="([^"]*)"', staff.page.text)[1].replace("&amp;", "&")
    fields = {**staff.form_named("decide"), "id[]": tick, "do": "refresh", f"why[{two[0]['id']}]": "a birthday", "reason": "fully booked"}
    with nothing_done(site):
        staff.send(action, fields)
    assert staff.page.status_code == 200 and staff.page.text.count(" checked>") == 1
    assert re.search(rf'value="{re.escape(tick)}"[^>]* checked>', staff.page.text)
    assert 'value="a birthday"' in staff.page.text and 'value="fully booked"' in staff.page.text


def test_the_navigation_counts_who_waits(site, staff, pending):
    pending()
    n = site.value("SELECT COUNT(*) FROM loyalty.reservation WHERE status = 'PENDING_APPROVAL'")
    assert f'title="{n} request' in staff.get("/console/rooms").text


def test_things_that_are_not_there_are_said_not_to_be(staff):
    for path in (f"/console/people/{uuid.uuid4()}", f"/console/rooms/{uuid.uuid4()}", f"/console/reservations/{uuid.uuid4()}", "/console/people/nobody", "/console/x"):
        a = staff.get(path)
        assert a.status_code == 404 and re.search(r"doesn’t exist|Page not found", words(a)), path


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
        assert "Mia Berg" in text and "Waiting for approval → Reserved" in text and "−40" in text and "free 3 → 2" in text and f"{room.name} for" in text, text
    assert "one minute before" in words(staff.get(link))
    assert "No changes found for this request" in words(staff.get("/console/requests/nobody-asked"))
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
    assert "Ready" in text and "Mails queued" in text
    assert "GET /v1/admin/rooms" in words(staff.get("/console/routes"))
    until(lambda: re.search(r"[\d.]+ requests per second in the last", words(staff.get("/console/routes"))), 10, 0.5, "a rate")
    staff.get("/console/health")
    staff.submit("/console/health/audit")
    text = words(staff.page)
    assert "Everything adds up." in text and re.search(r"add up to each room’s total correct, \d+ checked", text)


def test_health_says_what_is_not_ready(site, staff):
    site.sv("stop", "points")
    try:
        a = staff.get("/console/health")
        assert a.status_code == 503 and "Not ready" in words(a) and "cgi-points" in words(a)
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
            assert a.status_code == 503 and "system is unavailable" in words(a) and a.headers["Retry-After"], path
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
        assert a.status_code == 503 and a.headers["Content-Type"].startswith("text/html") and "isn’t responding" in words(a)
        assert a.headers["X-Request-Id"] in a.text and a.headers["Strict-Transport-Security"]
        assert '<html lang="en">' in a.text
        for headers, lang in ({"Accept-Language": "de-AT,de;q=0.9,en;q=0.8"}, "de"), ({"Accept-Language": "fr, de;q=0.5"}, "de"), ({"Accept-Language": "en-GB,de"}, "en"), (
                {"Accept-Language": "dent,fr"}, "en"), ({"Accept-Language": "en", "Cookie": "x=1; __Host-loyalty-language=de"}, "de"), (
                {"Accept-Language": "de", "Cookie": "__Host-loyalty-language=en; y=2"}, "en"), ({"Accept-Language": "de", "Cookie": "__Host-loyalty-language=xx"}, "de"):
            told = requests.get(site.base + "/console/pending", headers=headers, verify=site.ca, timeout=10)
            told.encoding = "utf-8"
            assert told.status_code == 503 and f'<html lang="{lang}">' in told.text, headers
            assert ("Die Konsole antwortet nicht" if lang == "de" else "The console isn’t responding") in told.text
            assert ("Konsole öffnen" if lang == "de" else "Open the console") in told.text and "$" not in told.text
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
    assert a.status_code == 413 and a.headers["Content-Type"].startswith("text/html") and "more than can be sent" in a.text


@pytest.mark.parametrize("path", ["pending", "rooms", "people", "reservations", "history", "requests", "mail", "health", "routes", "search", "sign-in"])
def test_no_query_breaks_a_page(site, staff, path):
    nasty = ["cursor=x", "cursor[]=x", "page=-1", "page=99999999999999999999", "q=%ff%fe", "q=%00", "q[]=a&q[b]=c", "from=1~x", "from=x", "status=%3Cscript%3E",
             "person=x", "stream=outbox", "since[]=1", "id=../..", "q=" + "x" * 3000, "show=%27", "at=tomorrow", "to=//evil.test", "since=%22%3E", "select=x", "=&&&=", "a" * 400]
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
                 f"/console/rooms/{DAY_ROOM}", f"/console/reservations/{uuid.uuid4()}/reject", "/console/mail/999999999999999999/retry", "/console/language", "/console/people", f"/console/people/{person.id}", f"/console/people/{person.id}/erase", f"/console/reservations/{uuid.uuid4()}/gift"):
        for fields in ({}, {"id[]": "x", "name[]": "y", "amount[a][b]": "z", "points[]": "1"}, {"form": "x" * 5000}, {"name": b"\xff", "reason": b"\xff", "amount": b"\xff"},
                       {"back": "https://evil.test", "amount": "9" * 4000, "total_amount": "-0"}):
            with nothing_done(site):
                a = staff.send(path, {"csrf": csrf, **fields})
            assert a.status_code in (303, 404, 409, 422), (path, fields, a.status_code, words(a))
            assert "evil" not in a.headers.get("Location", "")
    assert " error " not in site.log("console"), site.log("console")
