"""The gateway's documentation in a browser: no script, accessible, narrow and wide, light and dark"""

import time

import pytest

from chromium import SIZES, Browser
from stack import TOP

PAGES = {"reference": "/docs/", "guide": "/docs/guide", "problem": "/problems/sold-out", "bad-request": "/problems/bad-request"}


@pytest.fixture(scope="module")
def reader(site):
    b = Browser(site)
    yield b
    b.close()


@pytest.mark.parametrize("name", PAGES)
def test_docs_fit_and_the_policy_lets_them_be(reader, name):
    b = reader
    for width in SIZES:
        b.resize(width)
        b.complaints()
        b.go(PAGES[name])
        assert b.driver.execute_script("return document.documentElement.scrollWidth") <= width
        # The style sheet was let in; there is no script that could be.
        assert b.driver.execute_script("return getComputedStyle(document.querySelector('.skip')).position") == "absolute"
        assert b.all("script") == [] and b.complaints() == []


def test_contents_lead_to_the_calls(reader):
    reader.resize(1280)
    reader.go("/docs/")
    link = next(a for a in reader.all(".contents a") if a.get_attribute("href").endswith("#reservation_create"))
    link.click()
    top = reader.driver.execute_script("return document.getElementById('reservation_create').getBoundingClientRect().top")
    assert reader.driver.current_url.endswith("#reservation_create") and -5 <= top <= 60


@pytest.mark.npm
@pytest.mark.parametrize("name", PAGES)
def test_docs_are_accessible(reader, axe, name):
    """No finding of axe-core from moderate on; a picture of each is left in build/shots."""
    shots = TOP / "build" / "shots"
    shots.mkdir(parents=True, exist_ok=True)
    b = reader
    b.go(PAGES[name])
    b.driver.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    for width in SIZES:
        for dark in (False, True):
            b.resize(width, dark)
            time.sleep(0.1)
            b.shot(shots / f"docs-{name}-{width}{'-dark' if dark else ''}.png")
            b.driver.execute_script(axe)
            found = b.driver.execute_async_script("const done = arguments[0]; axe.run(document).then(r => done(r), e => done({error: String(e)}))")
            assert "error" not in found, found
            assert len(found["passes"]) > 10, "axe looked at something"
            serious = [(v["id"], v["impact"], [n["html"][:200] + n.get("failureSummary", "") for n in v["nodes"]][:3]) for v in found["violations"]
                       if v["impact"] in ("serious", "critical", "moderate")]
            assert not serious, (width, dark, serious)
