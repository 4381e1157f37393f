"""The console over plain HTTP: what a browser without a script sends and sees."""

import html
import re
import secrets
import time

import requests

COOKIE = "__Host-loyalty-console"


class Visitor:
    """A browser of its own: its cookies, its pages."""

    def __init__(self, stack):
        self.stack = stack
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.verify = stack.ca
        self.page = None  # the last one

    def get(self, path, **headers):
        self.page = self.http.get(self.stack.base + path, headers=headers, allow_redirects=False, timeout=30)
        return self.page

    def send(self, path, fields, origin=True, **headers):
        """POST a form as it is; origin=True: as sent by a page of ours."""
        if origin:
            headers.setdefault("Origin", self.stack.base if origin is True else origin)
        self.page = self.http.post(self.stack.base + path, data=fields, headers=headers, allow_redirects=False, timeout=60)
        return self.page

    def form(self, action, page=None):
        """The fields of the page's form of that action, as they stand."""
        text = (page or self.page).text
        for head, body in re.findall(r"<form\b([^>]*)>(.*?)</form>", text, re.S):
            if attribute(head, "action") == action:
                return {attribute(field, "name"): attribute(field, "value") or "" for field in re.findall(r"<input\b([^>]*)>", body)
                        if attribute(field, "name")}
        raise AssertionError(f"no form for {action} in {text[:3000]}")

    def form_named(self, id_, page=None):
        """The same of the form with this id, without what is ticked and pressed."""
        head, body = next((h, b) for h, b in re.findall(r"<form\b([^>]*)>(.*?)</form>", (page or self.page).text, re.S) if attribute(h, "id") == id_)
        return {attribute(field, "name"): attribute(field, "value") or "" for field in re.findall(r"<input\b([^>]*)>", body)
                if attribute(field, "name") and attribute(field, "type") != "checkbox"}

    def submit(self, action, page=None, **fields):
        """Fill the page's form in and send it."""
        return self.send(action, {**self.form(action, page), **fields})

    def sign_in(self, name="Mia Berg", key=None):
        self.get("/console/sign-in")
        self.submit("/console/sign-in", name=name, key=key or self.stack.keys["restricted"])
        assert self.page.status_code == 303, (self.page.status_code, words(self.page))
        return self

    def follow(self):
        """Where the last answer led to."""
        assert self.page.status_code == 303, (self.page.status_code, words(self.page))
        to = self.page.headers["Location"]
        return self.get(to[len(self.stack.base):] if to.startswith(self.stack.base) else to)

    def seconds(self, path):
        """What five looks at the page took, the best first, beyond what eight calls of the API take on this machine at that moment."""
        times = []
        for _ in range(5):
            begin = time.monotonic()
            self.stack.api.get("/v1/rooms?limit=1")
            call = time.monotonic() - begin
            times.append(self.get(path).elapsed.total_seconds() - 8 * call)
        return sorted(times)

    def cookie(self):
        return self.http.cookies.get(COOKIE)


def attribute(text, name):
    found = re.search(rf'\b{name}="([^"]*)"', text)
    return html.unescape(found[1]) if found else None


def words(page):
    """What a person reads on it."""
    text = re.sub(r"<(script|style)\b.*?</\1>|<dialog.*?</dialog>", " ", page.text, flags=re.S)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", text))).strip()


def notice(page, kind):
    """The text of a notice: good, bad."""
    found = re.search(rf'class="notice {kind}"[^>]*>(.*?)</(?:p|div)>\s', page.text, re.S)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", "", found[1]))).strip() if found else None


def fresh_token():
    return secrets.token_urlsafe(12)
