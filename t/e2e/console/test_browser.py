"""The console in a real Chromium."""

import json
import time
import uuid

import pytest
from chromium import SIZES
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from stack import TOP, until

JANE = "b9fa7d71-548c-4739-8e6a-0931cc218cd1"
DAY_ROOM = "caafbbad-eafe-4abb-bfcb-cabec8edef0c"
HOSTILE = ["<script>document.title='owned'</script>", "\"'><img src=x onerror=\"document.title='owned'\">", "محمد \u200f العبدالله", "{{ 7*7 }} ${7*7} %s", "W" * 200,
           "a\u200d\U0001f468\u200d\U0001f469\u200d\U0001f467 & Søn", "</title></textarea><svg onload=document.title='owned'>"]


@pytest.fixture
def pending(site):
    def make(price=90, points=40, name=None):
        person, room = site.user(points, name or f"Guest {uuid.uuid4().hex[:8]}"), site.room(3, price)
        reservation = site.reserve(room, person).json
        assert reservation["status"] == "PENDING_APPROVAL"
        return reservation, room, person

    return make


def find_row(b, path, word):
    """The row on whichever page of the list."""
    b.go(path)
    while not [r for r in b.all("tbody tr") if word in r.text]:
        onward = b.all("a[rel=next]")
        assert onward, f"no row with {word}"
        b.go("/console" + onward[0].get_attribute("href").split("/console", 1)[1])
    return b.row(word)


def button(row, words):
    """The row's button that says so."""
    return next(e for e in row.find_elements(By.TAG_NAME, "button") if e.text == words)


def test_a_pending_reservation_is_approved_and_the_mail_counted(site, relay, browser, pending):
    reservation, room, person = pending()
    row = find_row(browser, "/console/pending", person.name)
    assert "50" in row.text
    button(row, "Approve for 40").click()
    browser.until_says(f"Approved: {room.name} for {person.name}, 40 points taken.")
    assert site.balance(person) == 0 and site.available(room) == 2
    until(lambda: [m for m in relay.arrived if reservation["id"] in m.text and m.code("New status") == "RESERVED"], 15, 0.1, "the mail")
    browser.go("/console/mail")

    def both_are_sent():
        browser.go("/console/mail")
        return ["Sent" in r.text for r in browser.all("tbody tr") if f"{room.name} for" in r.text] == [True, True]

    browser.until(both_are_sent, "the mails about the request and its approval are sent")
    assert browser.one("nav [aria-current=page]").text.split("\n")[0] == "Mail"
    site.used = True


def test_enter_in_a_field_of_the_list_decides_nothing(site, browser, pending):
    reservation, room, person = pending()
    row = find_row(browser, "/console/pending", person.name)
    row.find_element(By.CSS_SELECTOR, "summary").click()
    for name in ("points", "why"):
        field = row.find_element(By.CSS_SELECTOR, f"[name^='{name}[']")
        field.send_keys("30", Keys.ENTER)
    time.sleep(0.5)
    assert site.api.get(f"/v1/reservations/{reservation['id']}").json["status"] == "PENDING_APPROVAL"
    button(browser.row(person.name), "Reject").click()
    browser.until_says(f"Rejected: {room.name} for {person.name}.")
    assert site.balance(person) == 40


def test_those_ticked_are_counted_on_the_buttons(site, browser, pending):
    room, person = site.room(9, 90), site.user(100)
    site.adjust(person, -50)
    ids = [site.reserve(room, person).json["id"] for _ in range(2)]
    pending()
    browser.go("/console/pending")
    while not all(browser.all(f"[value^='{i}:']") for i in ids):
        browser.go("/console" + browser.one("a[rel=next]").get_attribute("href").split("/console", 1)[1])
    have, price = browser.one("button[value=have]"), browser.one("button[value=price]")
    assert have.text == "Approve selected for what they have"
    for id_ in ids:
        browser.one(f"[value^='{id_}:']").click()
    assert have.text == "Approve 2 for 50 points" and price.text == "Approve 0 at full price" and not price.is_enabled()
    browser.one("[data-all]").click()
    n = len(browser.all("#decide [type=checkbox]"))
    assert browser.one("button[value=reject]").get_attribute("textContent") == f"Reject {n} selected" and len(browser.all("#decide :checked")) == n
    assert browser.one("[data-all]").text == "Clear selection"
    browser.one("[data-all]").click()
    assert browser.one("[data-all]").text == f"Select all {n}"
    assert have.text == "Approve selected for what they have" and not browser.all("#decide :checked") and price.is_enabled()
    for id_ in ids:
        site.cancel(id_)


def test_release_asks_first_and_no_means_no(site, browser):
    room, person = site.room(3, 90), site.user(90, f"Guest {uuid.uuid4().hex[:8]}")
    site.reserve(room, person)
    row = find_row(browser, "/console/reservations?status=RESERVED", person.name)
    button(row, "Release").click()
    browser.until(lambda: browser.one("#confirm[open]"), "it asks")
    assert room.name in browser.one("#confirm-text").text and "points stay spent" in browser.one("#confirm-text").text
    assert browser.one("#confirm button[value=yes]").text == "Release"
    browser.one("#confirm button[value=no]").click()
    time.sleep(0.3)
    assert site.available(room) == 2
    browser.press(button(browser.row(person.name), "Release"))
    browser.until_says("The unit is free again")
    assert site.available(room) == 3


def test_the_slash_key_goes_to_the_search(browser):
    browser.go("/console/rooms")
    browser.one("body").send_keys("/")
    assert browser.driver.switch_to.active_element.get_attribute("id") == "find"
    browser.driver.switch_to.active_element.send_keys("a/b")
    assert browser.one("#find").get_attribute("value") == "a/b"


def test_points_are_adjusted(site, browser):
    person = site.user(100, "Ada Adjusted")
    browser.go("/console/people?q=Ada+Adj")
    browser.one("tbody .what a").click()
    browser.until(lambda: browser.all("#adjust"), "the person's page")
    browser.fill("#amount", "-2500")
    browser.fill("#reason", "given twice")
    browser.one("#adjust button").click()
    browser.until_says("The guest doesn’t have enough points")
    assert browser.one("#amount").get_attribute("value") == "-2500" and browser.one("#reason").get_attribute("value") == "given twice"
    browser.fill("#amount", "250")
    browser.one("#adjust button").click()
    browser.until_says("The balance is now 350 points")
    assert site.balance(person) == 350 and "given twice" in browser.text()
    assert site.points_history(person)[-1]["actor"] == "Mia Berg"
    browser.one("main svg.chart")


def test_a_room_is_added(site, browser):
    name = f"Attic {uuid.uuid4().hex[:6]}"
    browser.go("/console/rooms")
    browser.one("details.add summary").click()
    browser.fill("#add-name", name)
    browser.fill("#add-total", "2")
    browser.fill("#add-price", "a lot")
    browser.one("details.add button").click()
    browser.until_says("Enter a whole number.")
    assert browser.one("#add-name").get_attribute("value") == name
    browser.fill("#add-price", "700")
    browser.one("details.add button").click()
    browser.until_says("Added")
    assert "2 of 2" in browser.text().replace("\n", " ")
    browser.go(f"/console/rooms?q={name.replace(' ', '+')}")
    assert "700" in browser.row(name).text


def test_a_dead_mail_is_retried(site, relay, browser):
    room, person = site.room(3, 0), site.user(0, f"Dora {uuid.uuid4().hex[:6]}")
    relay.refusing = True
    try:
        reservation = site.reserve(room, person).json
        until(lambda: site.value("SELECT COUNT(*) FROM loyalty.outbox WHERE status = 'DEAD' AND reservation_id = UNHEX(REPLACE(%s, '-', ''))",
                                 (reservation["id"],)), 15, 0.1, "the mail is dead")
    finally:
        relay.refusing = False
    row = find_row(browser, "/console/mail?status=DEAD", person.name)
    assert "550" in row.text and "no such user" in row.text, "the reply is shown"
    row.find_element(By.TAG_NAME, "button").click()
    browser.until_says(f"Queued again: {room.name} for {person.name}")
    until(lambda: [m for m in relay.arrived if reservation["id"] in m.text], 15, 0.1, "the mail")
    browser.until(lambda: find_row(browser, "/console/mail?status=SENT", person.name), "it is sent")


def test_hostile_names_are_shown_harmlessly(site, browser, pending):
    mark = uuid.uuid4().hex[:6]
    for i, name in enumerate(HOSTILE):
        pending(name=name[:190] + f" {mark}{i}")
    for path in ("/console/pending", "/console/reservations?status=PENDING_APPROVAL", f"/console/people?q={mark}", "/console/history", "/console/mail"):
        for width in SIZES:
            browser.resize(width)
            browser.go(path)
            time.sleep(0.1)
            assert browser.driver.title != "owned"
            assert not browser.all("main img, main script, main svg[onload]")
            wide = browser.driver.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width, f"{path} is {wide} wide at {width}"
    browser.resize(1280)
    for i, name in enumerate(HOSTILE):
        browser.go(f"/console/people?q={mark}{i}")
        shown = browser.one("tbody .what a bdi").get_attribute("textContent")
        assert shown == (name[:190] + f" {mark}{i}"), "as it is, to the letter"
        browser.one("tbody .what a").click()
        browser.until(lambda: browser.all("#adjust"), "the person's page")
        assert browser.driver.title != "owned" and browser.one("h1 bdi").get_attribute("textContent") == shown
    # A name that is asked about, in an attribute and a dialog.
    browser.go(f"/console/people?q={mark}0")
    browser.one("tbody .what a").click()
    browser.until(lambda: browser.all(".danger"), "their reservation")
    browser.one(".do summary").click()
    browser.one(".do .danger").click()
    browser.until(lambda: browser.one("#confirm[open]"), "it asks")
    assert HOSTILE[0] in browser.one("#confirm-text").text
    browser.one("#confirm button[value=no]").click()


def test_a_form_of_another_site_is_refused(site, browser, pending):
    reservation, room, person = pending()
    browser.go("/console/pending")
    # What another site would show: no token, and an origin of its own (a data: page has the origin "null").
    page = f"data:text/html,<form method=post action='{site.base}/console/reservations/{reservation['id']}/approve'><button>Win</button></form>"
    with site.unchanged():
        browser.driver.get(page)
        browser.one("button").click()
        browser.until(lambda: "console" in browser.driver.current_url, "it was sent")
        browser.until(lambda: "Sign in" in browser.text() or "Not allowed" in browser.text(), "refused")
    assert site.api.get(f"/v1/reservations/{reservation['id']}").json["status"] == "PENDING_APPROVAL"
    browser.go("/console/pending")
    assert "Sign out" in browser.text(), "and who is signed in stays so"


def test_a_link_on_another_site_leads_to_the_page_and_signs_nobody_out(site, browser):
    person = site.user(5, "Linked Lina")
    browser.driver.get(f"data:text/html,<a href='{site.base}/console/people/{person.id}'>Look at her</a>")
    browser.one("a").click()
    browser.until(lambda: "Linked Lina" in browser.text(), "the page")
    assert "Sign out" in browser.text()
    browser.go("/console/pending")
    assert "Sign out" in browser.text()


def test_two_staff_at_once_get_a_clear_message(site, browser, browsers, pending):
    reservation, room, person = pending()
    at = f"/console/reservations/{reservation['id']}"
    other = browsers("Jonas Weber")
    for b in (browser, other):
        b.go(at)
        b.fill("#points", "40")
    for b in (browser, other):
        b.driver.execute_script("setTimeout(() => document.querySelector('form[action$=approve]').requestSubmit(), 200)")
    for b in (browser, other):
        b.until(lambda: "Approved:" in b.text() or "Someone else was faster" in b.text(), "an answer")
    winner, loser = (browser, other) if "Approved:" in browser.text() else (other, browser)
    assert "Approved:" in winner.text() and "Someone else was faster" in loser.text()
    assert ("Mia Berg" if winner is browser else "Jonas Weber") in loser.text() and "changed to “Reserved”" in loser.text()
    assert site.balance(person) == 0 and site.available(room) == 2


def test_of_two_tabs_the_second_hears_that_the_price_was_changed(site, browser):
    room = site.room(5, 100, f"Tabs {uuid.uuid4().hex[:6]}")
    first = browser.driver.current_window_handle
    browser.go(f"/console/rooms/{room.id}")
    browser.driver.switch_to.new_window("tab")
    try:
        browser.go(f"/console/rooms/{room.id}")
        browser.fill("#price", "120")
        browser.press(browser.one("form[action$='{}'] .main".format(room.id)))
        browser.until_says("Saved ")
        browser.driver.switch_to.window(first)
        browser.fill("#price", "90")
        browser.press(browser.one("form[action$='{}'] .main".format(room.id)))
        browser.until_says("Price in points: 100 when you opened the page, 120 now.")
        assert browser.one("#price").get_attribute("value") == "90" and browser.one("#price").get_attribute("aria-invalid") == "true"
        price = lambda: site.value("SELECT required_points FROM loyalty.room WHERE id = UNHEX(REPLACE(%s, '-', ''))", (room.id,))  # noqa: E731
        assert price() == 120
        browser.press(browser.one("form[action$='{}'] .main".format(room.id)))
        browser.until_says("Saved ")
        assert price() == 90
    finally:
        for handle in browser.driver.window_handles:
            if handle != first:
                browser.driver.switch_to.window(handle)
                browser.driver.close()
        browser.driver.switch_to.window(first)


def test_everything_works_without_a_script(site, browsers, pending):
    b = browsers("Mia Berg", script=False)
    reservation, room, person = pending()
    site.adjust(person, 50)
    row = find_row(b, "/console/pending", person.name)
    button(row, "Approve for 90").click()
    b.until_says("90 points taken")
    more = [pending() for _ in range(2)]
    for _, _, p in more:
        site.adjust(p, 50)
    row = find_row(b, "/console/pending", more[0][2].name)
    row.find_element(By.CSS_SELECTOR, "[type=checkbox]").click()
    b.one("button[value=price]").click()
    b.until_says("Result")
    assert site.balance(more[0][2]) == 0 and site.balance(more[1][2]) == 90
    find_row(b, "/console/reservations?status=RESERVED", person.name).find_element(By.XPATH, ".//button[starts-with(., 'Release')]").click()
    b.until_says("The unit is free again")
    b.go("/console/health")
    b.one("main form button").click()
    b.until_says("Everything adds up.")
    b.one("form.me button").click()
    b.until_says("You have signed out")


def test_without_a_script_the_waiting_list_tells_what_is_new_and_keeps_ticks(site, browsers, pending):
    """The strip refreshes itself; the list by its button, with all that was ticked and typed."""
    b = browsers("Mia Berg", script=False)
    mine, gone = pending(), pending()

    def says(text):
        def told():
            b.driver.switch_to.default_content()
            b.driver.switch_to.frame(b.driver.find_element(By.CSS_SELECTOR, "iframe.news"))
            return text in b.text()

        try:
            b.until(told, f"the strip says {text!r}", 25)
        finally:
            b.driver.switch_to.default_content()

    row = find_row(b, "/console/pending", mine[2].name)
    row.find_element(By.CSS_SELECTOR, "[type=checkbox]").click()
    says("The list is up to date.")
    pending()
    site.cancel(gone[0]["id"])
    says("1 new request. 1 request is no longer waiting.")
    assert b.row(mine[2].name).find_element(By.CSS_SELECTOR, "[type=checkbox]").is_selected(), "nothing moved under the hand"
    b.one("button[value=refresh]").click()
    says("The list is up to date.")
    ticked = [r for r in b.all("tbody tr") if r.find_elements(By.CSS_SELECTOR, "[type=checkbox]:checked")]
    assert len(ticked) == 1 and mine[2].name in ticked[0].text and gone[2].name not in b.text()
    assert not b.complaints()


def test_what_is_shown_stays_fresh(site, browser, pending):
    def count():
        return int(browser.one("h1 .n-of").text)

    def look():
        browser.driver.execute_script("document.dispatchEvent(new Event('visibilitychange'))")

    pending()
    browser.go("/console/pending")
    before = count()
    pending()
    look()
    browser.until(lambda: count() == before + 1, "it is fresh")
    pending()
    browser.driver.execute_script("document.querySelector('[type=checkbox]').checked = true")
    look()
    time.sleep(1)
    assert count() == before + 1, "nothing moves under the hand of who is ticking"
    browser.driver.execute_script("document.querySelector('[type=checkbox]').checked = false")
    look()
    browser.until(lambda: count() == before + 2, "and is fresh again")


def test_the_gateways_own_page_is_fit_to_be_seen(site, browser):
    person = site.user(0)
    browser.go(f"/console/people/{person.id}")
    browser.fill("#amount", "77")
    browser.fill("#reason", "a long story")
    site.sv("stop", "console")
    try:
        browser.one("#adjust button").click()
        browser.until_says("The console isn’t responding")
        # The policy lets its style in: the hash in it is right.
        assert browser.one("main").is_displayed() and browser.one("body").value_of_css_property("max-width") == "544px"
    finally:
        site.sv("start", "console")
        until(lambda: (site.var / "run" / "console.sock").is_socket(), 15, 0.1, "it is back")
    # As the page says: what was typed is still there.
    time.sleep(0.5)
    browser.driver.back()
    browser.until(lambda: [f.get_attribute("value") for f in browser.all("#amount, #reason")] == ["77", "a long story"], "what was typed")
    browser.one("#adjust button").click()
    browser.until_says("The balance is now 77 points")


PAGES = {"pending": "/console/pending", "rooms": "/console/rooms", "room": f"/console/rooms/{DAY_ROOM}", "people": "/console/people",
         "person": f"/console/people/{JANE}", "reservations": "/console/reservations", "history": "/console/history?stream=points",
         "request": "/console/requests/demo", "mail": "/console/mail", "search": "/console/search?q=an", "health": "/console/health", "routes": "/console/routes", "missing": "/console/nothing"}


@pytest.mark.npm
@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("name", ["sign-in", *PAGES, "reservation", "failed"])
def test_pages_are_accessible_and_fit(site, browser, browsers, axe, pending, name, language):
    """No finding of axe-core, in both languages, light and dark, wide and narrow; a picture of each is left in build/shots."""
    shots = TOP / "build" / "shots"
    shots.mkdir(parents=True, exist_ok=True)
    reservation, room, person = pending()
    b, path = browser, PAGES.get(name)
    if name == "sign-in":
        b, path = browsers(None), "/console/sign-in"
    elif name == "reservation":
        path = f"/console/reservations/{reservation['id']}"
    elif name == "failed":
        path = f"/console/people/{uuid.uuid4()}"
    b.go(path)
    b.one(f"footer button[value={language}]").click()
    try:
        b.until(lambda: b.all(f"html[lang={language}]"), language)
        b.go(path)
        for width in (*SIZES, 320):
            for dark in (False, True):
                b.resize(width, dark)
                time.sleep(0.1)
                wide = b.driver.execute_script("return document.documentElement.scrollWidth")
                assert wide <= width, f"{wide} wide at {width}"
                if width == 320:
                    continue
                b.shot(shots / f"{name}-{language}-{width}{'-dark' if dark else ''}.png")
                b.driver.execute_script(axe)
                found = b.driver.execute_async_script("const done = arguments[0]; axe.run(document).then(r => done(r), e => done({error: String(e)}))")
                assert "error" not in found, found
                assert len(found["passes"]) > 10, "axe looked at something"
                faults = [(v["id"], v["impact"], [n["html"][:200] + n.get("failureSummary", "") for n in v["nodes"]][:3]) for v in found["violations"]]
                assert not faults, (width, dark, faults)
    finally:
        b.resize(1280)
        b.one("footer button[value=en]").click()
        b.until(lambda: b.all("html[lang=en]"), "English again")


CUT = """return [...document.querySelectorAll('svg.chart')].flatMap(svg => [...svg.querySelectorAll('text')].filter(text => {
    const t = text.getBoundingClientRect(), card = svg.closest('.card').getBoundingClientRect();
    return t.left < card.left + 2 || t.right > card.right - 2 || (getComputedStyle(svg).overflow !== 'visible' &&
        (t.left < svg.getBoundingClientRect().left || t.right > svg.getBoundingClientRect().right));
}).map(text => text.textContent))"""
OVER = """return [...document.querySelectorAll('svg.chart')].flatMap(svg => { const all = [...svg.querySelectorAll('text.x')].map(t => t.getBoundingClientRect());
    return all.filter((t, i) => i > 0 && t.left < all[i - 1].right).length ? [svg.getAttribute('aria-label')] : [] })"""
HUES = """const hue = colour => { const [r, g, b] = colour.match(/[\\d.]+/g).map(Number), top = Math.max(r, g, b), low = Math.min(r, g, b);
    if (top - low < 24) return null;
    return top === r ? ((g - b) / (top - low) * 60 + 360) % 360 : top === g ? (b - r) / (top - low) * 60 + 120 : (r - g) / (top - low) * 60 + 240 };
const drawn = {}, written = {};
for (const li of document.querySelectorAll('.legend li')) drawn[li.textContent.trim()] = hue(getComputedStyle(li.querySelector('rect')).fill);
for (const pill of document.querySelectorAll('.pill')) written[pill.textContent.trim()] = hue(getComputedStyle(pill).color);
for (const bar of document.querySelectorAll('svg.chart rect')) {
    const name = bar.querySelector('title').textContent.split(', ')[1].split(':')[0];
    if (hue(getComputedStyle(bar).fill) !== drawn[name]) written[name] = -1;
}
return [drawn, written]"""


def test_charts_fit_and_their_colours_are_those_of_the_lists(site, relay, browser, pending, tmp_path):
    """Nothing of a chart is cut, narrow or wide; a word has one colour."""
    relay.refusing = True
    try:
        ids = {name: pending()[0]["id"] for name in ("waiting", "cancelled", "rejected")}
        room, person = site.room(total=9, price=10), site.user(1_000_000)
        ids["reserved"], ids["released"] = (site.reserve(room, person).json["id"] for _ in range(2))
        site.cancel(ids["cancelled"])
        site.reject(ids["rejected"])
        site.release(ids["released"])
        site.adjust(person, -150_000)
        dead = lambda: site.value("SELECT COUNT(*) FROM loyalty.outbox WHERE status = 'DEAD'")  # noqa: E731
        browser.until(lambda: dead() >= 5, "dead mails")
    finally:
        relay.refusing = False
    seen = set()
    for name, path in {"mail": "/console/mail", "reservations": "/console/reservations", "people": "/console/people", "person": f"/console/people/{person.id}",
                       "room": f"/console/rooms/{room.id}"}.items():
        browser.go(path)
        for width in SIZES:
            for dark in (False, True):
                browser.resize(width, dark)
                time.sleep(0.1)
                browser.shot(tmp_path / f"{name}-{width}{'-dark' if dark else ''}.png")
                assert browser.all("svg.chart"), name
                assert browser.driver.execute_script(CUT) == [], (name, width)
                assert browser.driver.execute_script(OVER) == [], (name, width)
                drawn, written = browser.driver.execute_script(HUES)
                both = {word for word in drawn if word in written}
                seen |= both
                far = {w: (drawn[w], written[w]) for w in both if (drawn[w] is None) != (written[w] is None)
                       or (drawn[w] is not None and min(abs(drawn[w] - written[w]), 360 - abs(drawn[w] - written[w])) > 30)}
                assert not far, (name, width, dark, far)
    assert {"Failed", "Waiting for approval", "Reserved", "Released", "Cancelled", "Rejected"} <= seen, seen


def test_a_page_is_usable_with_the_keyboard_alone(browser):
    browser.go("/console/people")
    body = browser.one("body")
    body.send_keys(Keys.TAB)
    assert browser.driver.switch_to.active_element.text == "Skip to content"
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    browser.driver.switch_to.active_element.send_keys(Keys.TAB)
    assert browser.driver.switch_to.active_element.text == "Add guest"


def test_nobody_else_is_asked_for_anything(site, browser):
    """Every request that the pages make goes to this host."""
    browser.driver.get_log("performance")
    for path in PAGES.values():
        browser.go(path)
    seen = [entry["message"] for entry in browser.driver.get_log("performance") if "Network.requestWillBeSent\"" in entry["message"]]
    urls = [json.loads(m)["message"]["params"]["request"]["url"] for m in seen]
    assert len(urls) >= len(PAGES)
    assert [u for u in urls if not u.startswith((site.base + "/", "data:", "chrome"))] == []
