"""What ends a session of the console, and what is left of it."""

import time

import pytest
from visitor import words


@pytest.fixture(scope="module")
def strict(site):
    """Sessions end after three seconds without anything done, six at the latest."""
    site.set_env(LOYALTY_CONSOLE_IDLE_S=3, LOYALTY_CONSOLE_LIFETIME_S=6)
    site.native("up")
    yield site
    site.set_env(LOYALTY_CONSOLE_IDLE_S=None, LOYALTY_CONSOLE_LIFETIME_S=None)
    site.native("up")


# Before the others: they need no short sessions.

def test_sign_ins_are_counted(site, visitor):
    site.set_env(LOYALTY_NGINX_CONSOLE_SIGNIN_RATE=1, LOYALTY_NGINX_CONSOLE_SIGNIN_BURST=3)
    site.native("up")
    try:
        answers = []
        for _ in range(8):
            v = visitor()
            v.get("/console/sign-in")
            assert v.page.status_code == 200, "to look at the page is free"
            answers.append(v.submit("/console/sign-in", name="Mia", key="x" * 43))
        codes = [a.status_code for a in answers]
        # Sign-ins of the minute before count as well.
        assert codes == sorted(codes) and set(codes) <= {401, 429} and codes.count(429) >= 4, codes
        late = answers[-1]
        assert late.headers["Content-Type"].startswith("text/html") and "Too many attempts" in late.text and late.headers["Retry-After"]
        assert site.api.get("/v1/rooms").status == 200, "nobody else is held up"
    finally:
        site.set_env(LOYALTY_NGINX_CONSOLE_SIGNIN_RATE=None, LOYALTY_NGINX_CONSOLE_SIGNIN_BURST=1000)
        site.native("up")


def test_a_rotated_key_ends_the_session(site, visitor):
    file = site.var / "secrets" / "api-key-restricted"
    old = site.keys["restricted"]
    v = visitor().sign_in()
    try:
        staple = "correct-horse-battery-staple"
        file.write_text(f"another-key-0123456789abcdef\n{staple}\n")
        site.native("keys")
        other = visitor()
        other.get("/console/sign-in")
        other.submit("/console/sign-in", name=staple, key="Mia Berg")
        assert other.page.status_code == 422 and staple not in other.page.text and staple not in site.log("console"), \
            "no name looks less like a key, but it is one"
        v.get("/console/people")
        assert v.page.status_code == 401 and "no longer valid" in words(v.page)
        assert "Jane Doe" not in v.page.text
        v.get("/console/people")
        assert "Sign out" not in v.page.text, "and it stays ended"
    finally:
        file.write_text(old + "\n")
        site.native("keys")


def test_a_session_ends_when_nothing_is_done(strict, visitor):
    v = visitor().sign_in()
    assert "Sign out" in v.get("/console/pending").text
    time.sleep(4.2)
    v.get("/console/pending")
    assert v.page.status_code == 401 and "signed out" in words(v.page) and 'value="Mia Berg"' in v.page.text


def test_what_was_typed_survives_the_end_of_a_session(strict, visitor):
    v = visitor().sign_in()
    person = strict.user(100)
    at = f"/console/people/{person.id}/points"
    v.get(f"/console/people/{person.id}")
    fields = {**v.form(at), "amount": "77", "reason": 'a long "story" <of> a guest'}
    time.sleep(4.2)
    v.send(at, fields)
    assert v.page.status_code == 401 and "We have kept what you typed" in words(v.page)
    assert "story" not in v.page.text, "sealed: nobody who sits down here reads it"
    v.submit("/console/sign-in", key=strict.keys["restricted"])
    assert v.page.status_code == 200 and "nothing has been done yet" in words(v.page)
    assert strict.balance(person) == 100
    assert v.form(at)["amount"] == "77" and v.form(at)["reason"] == 'a long "story" <of> a guest'
    v.submit(at)
    assert v.page.status_code == 303 and strict.balance(person) == 177
    strict.used = True


def test_looking_on_by_itself_keeps_no_session_alive(strict, visitor):
    v = visitor().sign_in()
    end = time.monotonic() + 4.5
    while time.monotonic() < end:
        v.get("/console/pending", **{"X-Live": "1"})
        v.get("/console/pending/news?n=1")
        time.sleep(0.3)
    assert v.page.status_code == 401 and 'target="_top">Sign in again' in v.page.text and v.cookie(), "the strip of a browser without a script"
    v.get("/console/pending", **{"X-Live": "1"})
    assert v.page.status_code == 401 and v.page.text == "" and v.cookie(), "a form that is half filled in needs the cookie"
