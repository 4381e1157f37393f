"""The console with ten thousand rooms and a hundred thousand people."""

import re
import statistics
import sys
from pathlib import Path

import pytest
from stack import as_user_of
from visitor import Visitor, words

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import data  # noqa: E402

ROOMS, PEOPLE, WAITING = 10_000, 100_000, 1_000
NEEDLE_ROOM, NEEDLE = data.room(ROOMS - 7), data.user(PEOPLE - 7)


@pytest.fixture(scope="module")
def many(make_stack):
    with make_stack({"LOYALTY_NGINX_CONSOLE_SIGNIN_BURST": 1000}) as stack:
        room_ids, user_ids = [data.room(i) for i in range(ROOMS)], [data.user(i) for i in range(PEOPLE)]
        script = data.script(data.rooms(room_ids, 10, 100), data.users(user_ids, 0), data.pending(WAITING, user_ids[5], room_ids[5], 100),
                             [f"UPDATE loyalty.room SET name = 'Needle Room', name_folded = 'needle room' WHERE id = {data.sql_id(NEEDLE_ROOM)};\n"
                              f"UPDATE loyalty.user SET name = 'Nadia Needle', name_folded = 'nadia needle' WHERE id = {data.sql_id(NEEDLE)};\n"])
        stack.native("sql", stdin=script.encode(), timeout=300)
        yield stack
        stack.used = False  # made by hand: no request stands behind them


@pytest.fixture(scope="module")
def staff(many):
    return Visitor(many).sign_in()


def quick(staff, path, seconds):
    """The page, which is small and takes no longer than that."""
    times = staff.seconds(path)
    a = staff.page
    assert a.status_code == 200, (path, words(a))
    assert len(a.content) < 50_000, (path, len(a.content))
    print(f"{path}: median {statistics.median(times) * 1000:.0f} ms beyond its calls, {len(a.content)} bytes")
    assert times[0] < seconds, (path, times)
    return a


def test_lists_are_as_quick_as_with_a_few(staff):
    for path in ("/console/pending", "/console/rooms", "/console/people", "/console/rooms?sort=-required_points", "/console/rooms?show=archived", "/console/people?sort=-bonus_points", "/console/reservations", "/console/history?stream=rooms", "/console/history", "/console/mail",
                 "/console/health", f"/console/people/{NEEDLE}", f"/console/rooms/{NEEDLE_ROOM}"):
        quick(staff, path, 0.1)


def test_a_room_is_found_among_ten_thousand(staff):
    assert "Needle Room" in quick(staff, "/console/rooms?q=needle", 2).text
    assert staff.get(f"/console/rooms?q={NEEDLE_ROOM}").headers["Location"] == f"/console/rooms/{NEEDLE_ROOM}"
    assert "No room has this name" in words(quick(staff, "/console/rooms?q=nothing+like+it", 2))


def test_a_search_is_read_page_by_page_and_shows_everything_once(staff):

    seen, path, pages = [], "/console/rooms?q=Bench+Room+00", 0
    while path and pages < 40:
        text = staff.get(path).text
        seen += re.findall(r'href="/console/rooms/([0-9a-f-]{36})"', text)
        onward = re.search(r'href="([^"]*)" rel="next"', text)
        path = onward[1].replace("&amp;", "&") if onward else None
        pages += 1
    # Names end in the id's last four digits.
    assert path is None and pages >= 6
    assert sorted(seen) == [data.room(i) for i in range(256)]


def test_a_person_is_found_among_a_hundred_thousand(staff):
    assert "Nadia Needle" in quick(staff, "/console/people?q=needle", 2).text
    a = staff.get(f"/console/people?q={NEEDLE}")
    assert a.status_code == 303 and a.headers["Location"] == f"/console/people/{NEEDLE}"


def test_those_who_waited_longest_are_reached(staff):
    """The list begins with them, and all others follow, in blocks of 200."""
    quick(staff, "/console/pending", 0.1)
    oldest = [id_ for id_, in staff.stack.sql("SELECT LOWER(HEX(id)) FROM loyalty.reservation WHERE status = 'PENDING_APPROVAL' ORDER BY id")]
    assert len(oldest) == WAITING and f"{WAITING:,}" in words(staff.page)
    shown, path = [], "/console/pending"
    while path:
        text = staff.get(path).text
        shown += [id_.replace("-", "") for id_ in re.findall(r'name="id\[\]" value="([0-9a-f-]{36}):', text)]
        link = re.search(r'href="([^"]*)" rel="next"', text) or re.search(r'href="([^"]*)">Show the next requests', text)
        if "Page 10 of 10" in words(staff.page):
            link = re.search(r'href="([^"]*)">Show the next requests', text)
        path = link[1].replace("&amp;", "&") if link else None
    assert shown == oldest


def test_the_console_stays_small(many, staff):
    """All its processes together, after all that: what a container of 128 MB has room for."""
    kib = 0
    for pid, name in many.all_pids("console").items():
        if name.startswith("php-fpm"):
            with as_user_of(pid):
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            kib += int(next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1])
    print(f"PHP-FPM: {kib / 1024:.0f} MB")
    assert 1_000 < kib < 100_000  # the master alone, where nobody has come for a minute, or all of them
