"""A front desk's day in a real Chromium, with the mouse and with the keyboard alone: what it takes is counted."""

import re
import uuid

import pytest
from selenium.webdriver.common.keys import Keys

from stack import until

WAITING = 30


@pytest.fixture
def hotel(make_stack, relay):
    with make_stack({"LOYALTY_SMTP_HOST": f"127.0.0.1:{relay.port}", "LOYALTY_SMTP_TLS": "off", "LOYALTY_NGINX_CONSOLE_SIGNIN_BURST": 1000}) as stack:
        yield stack
        stack.used = True


class Day:
    """What the day begins with."""

    def __init__(self, hotel, relay):
        self.room = hotel.room(50, 90, "Quince")
        self.waiting = []
        for n in range(WAITING):
            person = hotel.user(30 + n, f"Guest {n:02} {uuid.uuid4().hex[:4]}")
            self.waiting.append((hotel.reserve(self.room, person).json["id"], person))
        self.lucky = [hotel.user(0, name) for name in ("Xaver", "Yusuf", "Zita")]
        self.leaving = hotel.user(500, "Wanda")
        self.stays = [hotel.reserve(self.room, self.leaving).json["id"] for _ in range(2)]
        nook, vera = hotel.room(2, 0, "Nook"), hotel.user(0, "Vera")
        until(lambda: hotel.value("SELECT COUNT(*) FROM loyalty.outbox WHERE status = 'PENDING'") == 0, 30, 0.1, "all mails of before are sent")
        relay.refusing = True
        try:
            hotel.reserve(nook, vera)
            self.dead = until(lambda: hotel.value("SELECT MIN(id) FROM loyalty.outbox WHERE status = 'DEAD'"), 20, 0.1, "a mail that failed")
        finally:
            relay.refusing = False
        self.hotel, self.relay = hotel, relay

    def decided(self):
        assert {self.hotel.api.get(f"/v1/reservations/{id_}").json["status"] for id_, _ in self.waiting} == {"RESERVED"}

    def ends(self, b):
        """Everything was done, and the next person sees by whom."""
        self.decided()
        assert [self.hotel.balance(p) for p in self.lucky] == [50, 50, 50]
        assert {self.hotel.api.get(f"/v1/reservations/{id_}").json["status"] for id_ in self.stays} == {"RELEASED"}
        assert self.hotel.api.get(f"/v1/rooms/{self.room.id}").json["required_points"] == 95
        assert self.hotel.value("SELECT status FROM loyalty.outbox WHERE id = %s", (self.dead,)) != "DEAD"
        rows = [r.text for r in b.all("tbody tr")]
        assert [r for r in rows if "Staff: Mia" in r and "Waiting for approval → Reserved" in re.sub(r"\s+", " ", r)], rows[:5]
        assert "Ben" in b.one("form.me").text


class Hand:
    """Clicks and keys, counted."""

    def __init__(self, b):
        self.b, self.clicks, self.keys = b, 0, 0

    def click(self, css, words=None):
        def find():
            found = [e for e in self.b.all(css) if e.is_displayed() and (words is None or words in (e.text, e.get_attribute("aria-label")))]
            return found and found[0]

        element = self.b.until(find, f"{css} {words}")
        if self.b.scripted():
            self.b.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()
        self.clicks += 1

    def press(self, *keys):
        for key in keys:
            self.b.driver.switch_to.active_element.send_keys(key)
            self.keys += 1

    def type(self, text):
        self.b.driver.switch_to.active_element.send_keys(text)
        self.keys += len(text)

    def paste(self, text):
        """Ctrl+V: two keys."""
        self.b.driver.switch_to.active_element.send_keys(text)
        self.keys += 2

    def page(self, digit):
        """Alt and a digit: a page of the navigation."""
        before = self.document()
        self.b.driver.switch_to.active_element.send_keys(Keys.ALT, digit)
        self.keys += 2
        self.b.until(lambda: self.document() not in (None, before), f"another page by Alt+{digit}")

    def document(self):
        """Which one is shown; None between two."""
        found = self.b.all("html")
        return found[0].id if found else None

    def leads(self, do, what):
        """Do that, which opens another page that says what."""
        before = self.document()
        do()
        self.b.until(lambda: self.document() not in (None, before) and what in self.b.text(), what)

    def content(self, tabs):
        """Past the frame of the page by its skip link, then on."""
        self.press(Keys.TAB, Keys.ENTER, *[Keys.TAB] * tabs)

    def search(self, text, what):
        self.press("/")
        self.type(text)
        self.leads(lambda: self.press(Keys.ENTER), what)


@pytest.mark.parametrize("script", [True, False])
def test_thirty_decisions_take_twelve_clicks_at_most(hotel, relay, browsers, script):
    day = Day(hotel, relay)
    b = browsers("Mia", stack=hotel, script=script)
    hand = Hand(b)
    while b.all("[data-all]"):
        hand.click("[data-all]")
        hand.leads(lambda: hand.click("button[value=have]"), "Result")
    day.decided()
    print(f"thirty decisions: {hand.clicks} clicks, with{'' if script else 'out'} a script")
    assert hand.clicks <= 12


def test_a_day_with_the_mouse(hotel, relay, browsers):
    day = Day(hotel, relay)
    b = browsers("Mia", stack=hotel)
    hand = Hand(b)
    while b.all("[data-all]"):
        hand.click("[data-all]")
        hand.leads(lambda: hand.click("button[value=have]"), "Result")
    for person in day.lucky:
        hand.click("#find")
        hand.type(person.name[:3])
        hand.leads(lambda: hand.press(Keys.ENTER), person.name)
        hand.click("#amount")
        hand.type("50")
        hand.click("#reason")
        hand.type("late")
        hand.leads(lambda: hand.click("#adjust button"), "The balance is now")
    hand.click("#find")
    hand.type("wan")
    hand.leads(lambda: hand.press(Keys.ENTER), "Reservations")
    for _ in range(2):
        hand.click("button", "Release Quince for Wanda")
        hand.leads(lambda: hand.click("#confirm button[value=yes]"), "Released")
    hand.leads(lambda: hand.click("nav a[href^='/console/mail']"), "Mail")
    hand.leads(lambda: hand.click(".what a"), "no such user")
    assert "550" in b.text() and "Vera" in b.one("pre").text, "why it failed, and what it says"
    hand.leads(lambda: hand.click("main form button", "Send again"), "Queued again")
    hand.click("#find")
    hand.type("quin")
    hand.leads(lambda: hand.press(Keys.ENTER), "Edit room")
    hand.click("#price")
    b.driver.switch_to.active_element.send_keys(Keys.CONTROL, "a")
    hand.keys += 2
    hand.type("95")
    hand.leads(lambda: hand.click("form:has(#price) button"), "Saved")
    hand.leads(lambda: hand.click("form.me button"), "You have signed out")
    hand.type("Ben")
    hand.press(Keys.TAB)
    hand.paste(hotel.keys["restricted"])
    hand.leads(lambda: hand.press(Keys.ENTER), "Sign out")
    hand.leads(lambda: hand.click("nav a[href='/console/history']"), "Who changed what")
    day.ends(b)
    print(f"the day: {hand.clicks} clicks and {hand.keys} keys")
    assert hand.clicks <= 40


def test_a_day_with_the_keyboard_alone(hotel, relay, browsers):
    day = Day(hotel, relay)
    b = browsers("Mia", stack=hotel)
    hand = Hand(b)
    while b.all("[data-all]"):
        hand.content(4)  # past the search
        hand.press(Keys.ENTER, Keys.TAB)
        hand.leads(lambda: hand.press(Keys.ENTER), "Result")
    for person in day.lucky:
        hand.search(person.name[:3].lower(), person.name)
        hand.content(2)  # the way back, and the field
        hand.type("50")
        hand.press(Keys.TAB)
        hand.type("late")
        hand.leads(lambda: hand.press(Keys.ENTER), "The balance is now")
    hand.search("wan", "Reservations")
    for n in range(2):
        hand.content(0)
        for _ in range(16):
            hand.press(Keys.TAB)
            if b.driver.switch_to.active_element.text == "Release":
                break
        hand.press(Keys.ENTER)
        b.until(lambda: b.all("#confirm[open]"), "it asks")
        hand.leads(lambda: hand.press(Keys.ENTER), "Released")
    hand.page("6")
    hand.content(0)
    for _ in range(12):
        hand.press(Keys.TAB)
        if "Vera" in b.driver.switch_to.active_element.text:
            break
    hand.leads(lambda: hand.press(Keys.ENTER), "no such user")
    hand.content(2)  # the way back, and the button
    hand.leads(lambda: hand.press(Keys.ENTER), "Queued again")
    hand.search("quin", "Edit room")
    hand.content(4)
    hand.type("95")  # what was there is selected
    hand.leads(lambda: hand.press(Keys.ENTER), "Saved")
    hand.press(*[Keys.TAB] * 4)
    hand.leads(lambda: hand.press(Keys.ENTER), "You have signed out")
    hand.type("Ben")
    hand.press(Keys.TAB)
    hand.paste(hotel.keys["restricted"])
    hand.leads(lambda: hand.press(Keys.ENTER), "Sign out")
    hand.page("5")
    day.ends(b)
    print(f"by keyboard alone: {hand.keys} keys")
    assert hand.clicks == 0 and hand.keys <= 150
