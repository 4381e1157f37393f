"""A real Chromium, headless, that trusts this one stack's certificate and nothing else that is unusual."""

import base64
import hashlib
import os
import shutil
import ssl
import subprocess
import tempfile
import time

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

SIZES = (1280, 390)


def spki(certificate):
    """What Chromium calls a certificate: SHA-256 of its public key."""
    key = subprocess.run(["openssl", "x509", "-noout", "-pubkey"], input=certificate, check=True, stdout=subprocess.PIPE).stdout
    der = ssl.PEM_cert_to_DER_cert(key.decode().replace("PUBLIC KEY", "CERTIFICATE"))
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


class Browser:
    def __init__(self, stack, script=True):
        self.stack = stack
        self.profile = tempfile.mkdtemp(prefix="ly-chromium-", dir="/tmp")
        with open(stack.ca, "rb") as f:
            pin = spki(f.read())
        options = Options()
        options.binary_location = shutil.which("chromium")
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
                     "--disable-component-update", "--disable-sync", "--no-first-run", "--no-default-browser-check", "--lang=en",
                     f"--user-data-dir={self.profile}", f"--ignore-certificate-errors-spki-list={pin}",
                     # Nobody else is reached, whatever a page asks for.
                     "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        if not script:
            options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
        self.driver = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
        self.driver.set_page_load_timeout(60)
        self.resize(1280)

    def close(self):
        try:
            self.driver.quit()
        finally:
            for _ in range(20):  # its processes write until they are gone
                shutil.rmtree(self.profile, ignore_errors=True)
                if not os.path.exists(self.profile):
                    break
                time.sleep(0.1)

    # -- looking --------------------------------------------------------------------------------

    def go(self, path):
        """Open a page of the console.  Chromium drops what is under way when any network of the machine comes or goes
        (a container, say): then once more."""
        for _ in range(10):
            self.driver.get(self.stack.base + path)
            if not self.interrupted():
                return self
            time.sleep(0.5)
        raise AssertionError(f"{path}: {self.text()}")

    def interrupted(self):
        return "ERR_NETWORK_CHANGED" in self.driver.page_source

    def text(self):
        return self.driver.find_element(By.TAG_NAME, "body").text

    def all(self, css):
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def one(self, css):
        found = self.all(css)
        assert len(found) == 1, f"{len(found)} of {css}:\n{self.text()}"
        return found[0]

    def row(self, word):
        """The table's row that has the word."""
        found = [r for r in self.all("tbody tr") if word in r.text]
        assert len(found) == 1, f"{len(found)} rows with {word}:\n{self.text()}"
        return found[0]

    def until(self, condition, what, seconds=20):
        end = time.monotonic() + seconds
        while True:
            try:
                if self.interrupted():
                    time.sleep(0.3)
                    self.driver.refresh()  # a form is sent again: it is done once
                value = condition()
                if value:
                    return value
            except (StaleElementReferenceException, WebDriverException):
                pass
            assert time.monotonic() < end, f"not within {seconds} s: {what}\n{self.driver.current_url}\n{self.text()}"
            time.sleep(0.05)

    def until_says(self, text, seconds=20):
        return self.until(lambda: text in self.text(), f"the page says {text!r}", seconds)

    # -- doing ----------------------------------------------------------------------------------

    def fill(self, css, text):
        field = self.one(css)
        field.clear()
        field.send_keys(text)

    def press(self, element):
        """Press a button and say yes where it asks."""
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element) if self.scripted() else None
        element.click()
        yes = [b for b in self.all("#confirm[open] button") if b.get_attribute("value") == "yes"]
        if yes:
            yes[0].click()

    def scripted(self):
        return not getattr(self, "without_script", False)

    def sign_in(self, name="Mia Berg"):
        self.go("/console/sign-in")
        self.fill("#name", name)
        self.fill("#key", self.stack.keys["restricted"])
        self.one(".door button").click()
        self.until_says("Sign out")
        return self

    # -- holding it against something -----------------------------------------------------------

    def resize(self, width, dark=False):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia",
                                    {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})

    def shot(self, file):
        size = self.driver.execute_script("const e = document.documentElement; return [e.scrollWidth, e.scrollHeight]")
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": {
            "x": 0, "y": 0, "width": size[0], "height": min(size[1], 4000), "scale": 1}})
        file.write_bytes(base64.b64decode(shot["data"]))

    def complaints(self):
        """What the browser's console says: errors of scripts, what the policy refused."""
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] in ("WARNING", "SEVERE") and "ERR_NETWORK_CHANGED" not in entry["message"]
                and "the server responded with a status of" not in entry["message"]]  # a refusal is a page, too
