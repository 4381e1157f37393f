"""Where the sessions of the console are kept: signed out is signed out, on every instance; and what breaks that."""

import os
import stat

import pytest
from instance import BrokenApi, Instance, Page, set_cookie
from visitor import COOKIE, words


@pytest.fixture(scope="module")
def second(site):
    """A second instance, which somebody started from a shell that has a proxy."""
    proxy = "http://127.0.0.1:9"
    with Instance(site, https_proxy=proxy, HTTPS_PROXY=proxy, ALL_PROXY=proxy, all_proxy=proxy, no_proxy="") as console:
        yield console
        assert " error " not in console.log(), console.log()


def folder(site):
    return site.var / "console-sessions"


def with_cookie(site, visitor, cookie, path="/console/pending"):
    """The page as who only has this cookie sees it."""
    v = visitor()
    v.http.cookies.clear()
    return v.get(path, Cookie=f"{COOKIE}={cookie}")


def signed_in(page):
    return page.status_code == 200 and "Sign out" in page.text


def test_a_session_is_known_to_every_instance(site, visitor, second):
    v = visitor().sign_in("Everywhere")
    page = Page(second.get("/console/pending", v.cookie()))
    assert signed_in(page) and "Everywhere" in page.text, words(page)
    answer = second.sign_in("From the second")
    assert answer.status == 303, answer.body
    page = with_cookie(site, visitor, set_cookie(answer))
    assert signed_in(page) and "From the second" in page.text


@pytest.mark.parametrize("where", ["here", "there"])
def test_signed_out_is_signed_out_on_every_instance(site, visitor, second, where):
    v = visitor().sign_in()
    old = v.cookie()
    assert signed_in(Page(second.get("/console/pending", old))) and signed_in(with_cookie(site, visitor, old))
    if where == "here":
        v.get("/console/pending")
        v.submit("/console/sign-out")
        assert v.page.status_code == 303
    else:
        page = second.get("/console/pending", old)
        assert second.submit("/console/sign-out", page, old).status == 303
    for page in (with_cookie(site, visitor, old), Page(second.get("/console/pending", old))):
        assert not signed_in(page) and "Staff key" in page.text
    live = v.http.get(site.base + "/console/pending", headers={"Cookie": f"{COOKIE}={old}", "X-Live": "1"})
    assert live.status_code == 401


def test_another_sign_in_ends_the_session_before(site, visitor):
    v = visitor().sign_in("First")
    old = v.cookie()
    v.get("/console/pending")
    csrf = v.form("/console/sign-out")["csrf"]
    v.send("/console/sign-in", {"csrf": csrf, "name": "Second", "key": site.keys["restricted"]})
    assert v.page.status_code == 303 and v.cookie() != old
    assert signed_in(with_cookie(site, visitor, v.cookie())) and not signed_in(with_cookie(site, visitor, old))


def test_the_cookie_and_the_files_tell_nothing(site, visitor):
    v = visitor().sign_in("A telling name")
    ours, other = v.cookie(), visitor().sign_in("A telling name").cookie()
    assert len(ours) == len(other) == 43 and ours != other
    assert stat.S_IMODE(os.stat(folder(site)).st_mode) == 0o700
    files = list(folder(site).iterdir())
    assert len(files) >= 2
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
        data = file.name.encode() + file.read_bytes()
        for told in (site.keys["restricted"], "A telling name", ours, other):
            assert told.encode() not in data
    v.get("/console/pending")
    v.submit("/console/sign-out")
    assert len(list(folder(site).iterdir())) == len(files) - 1, "and a session that ended leaves nothing"


def test_a_look_at_the_sign_in_page_leaves_no_file(site, visitor):
    before = len(list(folder(site).iterdir()))
    for _ in range(20):
        visitor().get("/console/sign-in")
        visitor().get("/console/pending")
    assert len(list(folder(site).iterdir())) == before


def test_sessions_outlive_the_console(site, visitor):
    v = visitor().sign_in()
    site.restart("console")
    assert signed_in(v.get("/console/pending"))


def test_a_full_disk_is_told_and_signs_nobody_in(site):
    with Instance(site) as console:
        console.no_file_grows()
        before = sorted(folder(site).iterdir())
        answer = console.sign_in("Nobody")
        assert answer.status == 503 and "can’t save" in words(Page(answer)), words(Page(answer))
        assert len(set_cookie(answer) or "") != 43
        console.logs("a session cannot be saved: ")
        assert site.keys["restricted"] not in console.log()
        assert sorted(folder(site).iterdir()) == before, "no half of a file is left"


# -- an API that is broken ------------------------------------------------------------------------


def megabytes(n, first=b"[", piece=b"0," * 32768):
    yield first
    for _ in range(n * 16):
        yield piece


BROKEN = {
    "a body of 30 MB": lambda path, method: (200, [], megabytes(30)),
    "a refusal of 30 MB": lambda path, method: (500, [("Content-Type", "application/problem+json")], megabytes(30)),
    "a header of 30 MB": lambda path, method: (200, [("X-Long", "x" * 30_000_000)], [b"[]"]),
    "a million headers": lambda path, method: (200, [(f"X-{n}", "x" * 20) for n in range(200_000)], [b"[]"]),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_api_is_not_read_without_end(site, what):
    with BrokenApi(site, BROKEN[what]) as api, Instance(site, LOYALTY_CONSOLE_API_CONNECT=f"127.0.0.1:{api.port}") as console:
        answer = console.sign_in()
        assert answer.status == 503 and "too long" in words(Page(answer)), (answer.status, words(Page(answer)))
        assert "Allowed memory size" not in console.log()


def test_an_answer_that_takes_all_memory_is_a_page_too(site, visitor):
    """Small enough on the wire, too large once it is read."""
    fine = lambda path, method: (200, [], [b"[]"])  # noqa: E731
    with BrokenApi(site, fine) as api, Instance(site, LOYALTY_CONSOLE_API_CONNECT=f"127.0.0.1:{api.port}") as console:
        cookie = set_cookie(console.sign_in())
        # objects: a list of one number takes PHP from 8.3 on a quarter of what it took before
        api.answer = lambda path, method: (200, [], [b"[" + b'{"":0},' * 257_000 + b"0]"])
        page = console.get("/console/rooms", cookie)
        assert page.status == 500 and "Internal error" in words(Page(page)), (page.status, page.body[:500])
        assert dict(page.headers)["Cache-Control"] == "no-store" and "second-" in words(Page(page))
        console.logs("Allowed memory size")


def test_a_gateway_with_another_key_is_told_as_such(site):
    with Instance(site, LOYALTY_CONSOLE_API_PIN="sha256//" + "A" * 43 + "=") as console:
        answer = console.sign_in()
        said = words(Page(answer))
        assert answer.status == 503 and "certificate" in said and "restart the console" in said, said
        console.logs("LOYALTY_CONSOLE_API_PIN")
