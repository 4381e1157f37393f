"""Signing in and out of the console; what a form must prove."""

import re

import pytest
from visitor import COOKIE, fresh_token, words

PAGES = ("pending", "rooms", "people", "reservations", "history", "requests", "mail", "health")


def test_nothing_is_shown_before_the_sign_in(site, visitor):
    v = visitor()
    for page in PAGES:
        v.get(f"/console/{page}")
        assert "Staff key" in v.page.text and "Jane Doe" not in v.page.text
        assert v.form("/console/sign-in")["to"] == f"/console/{page}"
    v.get("/console/")
    assert "Staff key" in v.page.text
    assert v.get("/console").headers["Location"] == "/console/"


def test_sign_in_leads_to_where_one_wanted_to_go(site, visitor):
    v = visitor()
    v.get("/console/people?q=doe")
    v.submit("/console/sign-in", name="Mia", key=site.keys["restricted"])
    assert v.page.headers["Location"] == "/console/people?q=doe"
    assert "Jane Doe" in v.follow().text
    for elsewhere in ("https://evil.test/", "//evil.test", "/console/../v1", "/v1/rooms", "/console/sign-out", "/console/x\r\nSet-Cookie: a=b"):
        v = visitor()
        v.get("/console/sign-in")
        v.submit("/console/sign-in", name="Mia", key=site.keys["restricted"], to=elsewhere)
        assert v.page.headers["Location"] == "/console/pending" and "a" not in v.http.cookies


def test_the_session_is_a_strict_cookie_that_cannot_be_read(site, visitor):
    v = visitor().sign_in()
    line = next(x for x in v.page.raw.headers.getlist("Set-Cookie") if x.startswith(COOKIE))
    assert {p.strip() for p in line.split(";")[1:]} == {"Path=/", "Secure", "HttpOnly", "SameSite=Strict"}
    key = site.keys["restricted"]
    assert key not in line
    for page in PAGES:
        v.get(f"/console/{page}")
        assert v.page.status_code == 200 and key not in v.page.text and key not in str(v.page.headers)
        assert "Sign out" in v.page.text
    assert key not in site.log("console")


@pytest.mark.parametrize("which", ["public", "unknown", "spaces", "short", "none"])
def test_another_key_does_not_open(site, visitor, which):
    key = {"public": site.keys["public"], "unknown": "x" * 43, "spaces": "a key with spaces in it", "short": "short", "none": ""}[which]
    v = visitor()
    v.get("/console/sign-in")
    v.submit("/console/sign-in", name="Mia Berg", key=key)
    assert v.page.status_code in (401, 422)
    assert 'value="Mia Berg"' in v.page.text, "the name that was typed stays"
    if key:
        assert key not in v.page.text, "a key is never shown again"
    assert "Staff key" in v.get("/console/pending").text


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\tb", "a\u202eb", "a\x00b"])
def test_a_name_is_asked_for(site, visitor, name):
    v = visitor()
    v.get("/console/sign-in")
    v.submit("/console/sign-in", name=name, key=site.keys["restricted"])
    assert v.page.status_code == 422 and "Your name" in words(v.page)
    assert "Staff key" in v.get("/console/pending").text


def refused_and_unwritten(site, v, secrets):
    """The last page shows none of them, nor do cookies, files and logs."""
    for secret in secrets:
        assert secret not in v.page.text and secret not in str(v.page.headers)
        assert secret not in site.log("console")
        assert secret.encode() not in b"".join(f.read_bytes() for f in (site.var / "console-sessions").glob("*"))


@pytest.mark.parametrize("where", ["alone", "within", "swapped", "public", "unknown", "upper"])
def test_a_key_in_the_place_of_the_name_is_refused_and_never_written(site, visitor, where):
    key = site.keys["restricted"]
    name, typed = {"alone": (key, key), "within": (f"Mia {key}", key), "swapped": (key, "Mia Berg"), "public": (site.keys["public"], key),
                   "unknown": ("q7Zk2mP9xW4vB8nL1cR6tY3s", key), "upper": (key.upper(), key)}[where]
    v = visitor()
    v.get("/console/sign-in")
    v.submit("/console/sign-in", name=name, key=typed)
    assert v.page.status_code == 422 and "key" in words(v.page) and v.form("/console/sign-in")["name"] == "", words(v.page)
    refused_and_unwritten(site, v, [key, site.keys["public"], name])
    assert "Staff key" in v.get("/console/pending").text


def test_a_long_name_is_no_key(site, visitor):
    for name in ("Wolfeschlegelsteinhausenbergerdorff", "christopher.robinson", "Müller-Lüdenscheidt-Wolkenstein"):
        assert "Sign out" in visitor().sign_in(name).get("/console/pending").text


def test_a_key_in_any_field_is_refused_and_never_written(site, visitor, waiting):
    key = site.keys["restricted"]
    v = visitor().sign_in()
    person, room = site.user(100), site.room()
    for page, action, fields in (
            (f"/console/people/{person.id}", f"/console/people/{person.id}/points", {"amount": "5", "reason": f"for {key}"}),
            (f"/console/people/{person.id}", f"/console/people/{person.id}/points", {"amount": key, "reason": "a reason"}),
            ("/console/rooms", "/console/rooms", {"name": key, "total_amount": "1", "required_points": "1"}),
            (f"/console/rooms/{room.id}", f"/console/rooms/{room.id}", {"name": f"a {key} b"}),
            (f"/console/reservations/{waiting['id']}", f"/console/reservations/{waiting['id']}/reject", {"reason": key.upper()}),
            (f"/console/reservations/{waiting['id']}", f"/console/reservations/{waiting['id']}/approve", {"back": f"/console/pending?a={key}"})):
        v.get(page)
        with site.unchanged():
            v.submit(action, **fields)
        assert v.page.status_code == 422 and "your staff key" in words(v.page), (action, words(v.page))
        refused_and_unwritten(site, v, [key, key.upper()])
    for page in (f"/console/people?q={key}", f"/console/rooms?q=x{key}", f"/console/requests?id={key}", f"/console/requests/{key}", f"/console/history?id={key}"):
        v.get(page)
        assert v.page.status_code == 400, (page, words(v.page))  # the gateway's word: it never came to the console
        refused_and_unwritten(site, v, [key])


def test_what_is_typed_beside_a_key_is_not_lost(site, visitor):
    v = visitor().sign_in()
    person = site.user(100)
    at = f"/console/people/{person.id}/points"
    v.get(f"/console/people/{person.id}")
    v.submit(at, amount="7", reason=f"a long story {site.keys['restricted']} of a guest")
    assert (v.form(at)["amount"], v.form(at)["reason"]) == ("7", "a long story  of a guest")
    v.submit(at)
    assert v.page.status_code == 303 and site.balance(person) == 107
    site.used = True


def test_the_name_is_the_actor_whatever_it_is(site, visitor):
    name = "Zoë <b>O'Brien</b> & 李"
    v = visitor().sign_in(name)
    person = site.user(100)
    v.get(f"/console/people/{person.id}")
    v.submit(f"/console/people/{person.id}/points", amount="5", reason="a test")
    assert site.points_history(person)[-1]["actor"] == name
    site.used = True


def test_sign_out_ends_it(site, visitor):
    v = visitor().sign_in()
    v.get("/console/pending")
    v.submit("/console/sign-out")
    assert "You have signed out" in v.follow().text
    assert v.cookie() is None or "Staff key" in v.get("/console/pending").text


# -- forms ----------------------------------------------------------------------------------------


@pytest.fixture
def waiting(site):
    """A reservation that waits, for 90 points of somebody who has them by now."""
    room, person = site.room(price=90), site.user(10)
    reservation = site.reserve(room, person).json
    site.adjust(person, 80)
    return reservation


def attempts(v, site):
    """Ways to send a form that must do nothing: (what, fields, how)."""
    good = dict(csrf=v.form("/console/sign-out")["csrf"], form=fresh_token())
    other = dict(good, csrf="A" * 22)
    return [("no token", {"form": fresh_token()}, {}),
            ("another's token", other, {}),
            ("from another site", good, {"origin": "https://evil.test"}),
            ("from a sandbox", good, {"origin": "null"}),
            ("from the same host without TLS", good, {"origin": site.base.replace("https", "http")}),
            ("said to be from another site", good, {"origin": True, "Sec-Fetch-Site": "cross-site"}),
            ("from nowhere", good, {"origin": False})]


def test_a_form_from_elsewhere_does_nothing(site, visitor, waiting):
    v = visitor().sign_in()
    v.get("/console/pending")
    at = f"/console/reservations/{waiting['id']}/approve"
    for what, fields, how in attempts(v, site):
        with site.unchanged():
            v.send(at, fields, **how)
        assert v.page.status_code == 403 and "nothing was done" in words(v.page), what
    assert site.api.get(f"/v1/reservations/{waiting['id']}").json["status"] == "PENDING_APPROVAL"


def test_a_proxy_may_rewrite_the_host_for_browsers_that_say_where_a_form_is_from(site, visitor):
    """The browser compares what it shows; Host is what the proxy asked for."""
    v = visitor()
    outside, inside = {"origin": "https://staff.hotel.example"}, {"Host": "console.internal"}
    v.get("/console/sign-in", **inside)
    v.send("/console/sign-in", {**v.form("/console/sign-in"), "name": "Mia", "key": site.keys["restricted"]}, **outside, **inside,
           **{"Sec-Fetch-Site": "same-origin"})
    assert v.page.status_code == 303, words(v.page)
    person = site.user(100)
    at = f"/console/people/{person.id}/points"
    v.get(f"/console/people/{person.id}", **inside)
    fields = {**v.form(at), "amount": "5", "reason": "through a proxy"}
    for how in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
        v.send(at, fields, **outside, **inside, **how)
        assert v.page.status_code == 403 and site.balance(person) == 100, how
    v.send(at, {**fields, "csrf": "A" * 22}, **outside, **inside, **{"Sec-Fetch-Site": "same-origin"})
    assert v.page.status_code == 403 and site.balance(person) == 100, "the token is asked for all the same"
    v.send(at, fields, **outside, **inside, **{"Sec-Fetch-Site": "same-origin"})
    assert v.page.status_code == 303 and site.balance(person) == 105
    site.used = True


def test_a_token_of_another_session_does_nothing(site, visitor, waiting):
    one, two = visitor().sign_in("One"), visitor().sign_in("Two")
    one.get("/console/pending")
    with site.unchanged():
        two.send(f"/console/reservations/{waiting['id']}/approve", {"csrf": one.form("/console/sign-out")["csrf"], "form": fresh_token()})
    assert two.page.status_code == 403


def test_a_form_of_before_another_sign_in_is_not_lost(site, visitor):
    v = visitor().sign_in()
    person = site.user(100)
    at = f"/console/people/{person.id}/points"
    v.get(f"/console/people/{person.id}")
    fields = {**v.form(at), "amount": "11", "reason": "typed <before>"}
    v.http.cookies.clear()
    v.sign_in()
    v.send(at, fields)
    assert v.page.status_code == 403 and site.balance(person) == 100
    assert (v.form(at)["amount"], v.form(at)["reason"]) == ("11", "typed <before>")
    v.submit(at)
    assert v.page.status_code == 303 and site.balance(person) == 111
    v.get(f"/console/people/{person.id}")
    v.send(at, {**fields, "csrf": v.form(at)["csrf"]})
    assert v.page.status_code == 303 and site.balance(person) == 111, "it was the same form: done once"
    site.used = True


def test_a_changed_cookie_is_no_session(site, visitor):
    v = visitor().sign_in()
    good = v.cookie()
    for bad in (good[:-2] + ("AA" if good[-2:] != "AA" else "BB"), good[1:], "x", "A" * 3000):
        text = v.http.get(site.base + "/console/people", headers={"Cookie": f"{COOKIE}={bad}"}).text
        assert "Staff key" in text and "no longer valid" not in text, "as if there had been none"


def test_sign_in_takes_no_form_from_elsewhere(site, visitor):
    v = visitor()
    v.get("/console/sign-in")
    v.send("/console/sign-in", {**v.form("/console/sign-in"), "name": "Eve", "key": site.keys["restricted"]}, origin="https://evil.test")
    assert v.page.status_code == 403 and not re.search(rf"{COOKIE}=\S+; Path", v.page.headers.get("Set-Cookie", ""))


def test_methods_that_no_page_knows_are_refused(site, visitor):
    v = visitor().sign_in()
    for method, path, allow in (("DELETE", "/console/rooms", "GET, HEAD, POST"), ("GET", "/console/sign-out", "POST"), ("PUT", "/console/people", "GET, HEAD, POST"), ("PUT", "/console/mail", "GET, HEAD")):
        a = v.http.request(method, site.base + path, allow_redirects=False)
        assert (a.status_code, a.headers.get("Allow")) == (405, allow)
    a = v.http.head(site.base + "/console/rooms")
    assert a.status_code == 200 and a.text == ""
