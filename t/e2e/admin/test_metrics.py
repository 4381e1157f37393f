"""GET /v1/admin/metrics: Prometheus text, of all services and processes together"""

import json
import re
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import pytest

from client import request_bytes
from staff import STAFF, new_id, pending
from stack import free_port, until

METRICS = "/v1/admin/metrics"
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\n"])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?|\+Inf|NaN)\Z")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
DURATION = "loyalty_request_duration_seconds"
GAUGES = ("loyalty_reservations_pending_approval", "loyalty_outbox_pending", "loyalty_outbox_oldest_seconds", "loyalty_outbox_dead",
          "loyalty_rooms_sold_out")
# What nginx/count adds, of the gateway.
GATEWAY = {"loyalty_gateway_requests_total": "counter", **{f"loyalty_{name}_timestamp_seconds": "gauge" for name in (
    "gateway_counted", "gateway_counted_since", "key_last_used", "certificate_expiry")}}
TICK = 10  # seconds within which a process has told what it counted, even on a busy machine


def parse(text):
    """{sample name: {frozenset of labels: value}}, and {family: type}; strict: AssertionError for what is not of text format 0.0.4."""
    assert text.endswith("\n") and "\r" not in text
    samples, families, helped, family = {}, {}, set(), None
    for line in text.split("\n")[:-1]:
        assert line == line.strip() and line, repr(line)
        if line.startswith("# HELP "):
            _, _, name, words = line.split(" ", 3)
            assert re.fullmatch(NAME, name) and words and name not in helped, line
            helped.add(name)
            family = None
        elif line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert family in helped and family not in families and kind in SUFFIXES, line
            families[family] = kind
        else:
            match = SAMPLE.match(line)
            assert match, line
            name, labels, value = match.groups()
            assert family and name in {family + suffix for suffix in SUFFIXES[families[family]]}, f"{line}: not below its family"
            pairs = re.findall(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"', labels or "")
            assert len({n for n, _ in pairs}) == len(pairs), line
            series = samples.setdefault(name, {})
            assert frozenset(pairs) not in series, f"{line}: twice"
            series[frozenset(pairs)] = float(value.replace("Inf", "inf"))
    for family, kind in families.items():
        if kind == "histogram":
            check_histogram(samples, family)
        if kind != "gauge":
            for suffix in SUFFIXES[kind]:
                assert all(value >= 0 for value in samples.get(family + suffix, {}).values())
    return samples, families


def check_histogram(samples, family):
    """Buckets that grow, up to +Inf, which is the count; a sum for each; the same bounds everywhere."""
    buckets = {}
    for labels, value in samples.get(family + "_bucket", {}).items():
        le = dict(labels)["le"]
        buckets.setdefault(frozenset(p for p in labels if p[0] != "le"), []).append((float(le.replace("Inf", "inf")), value))
    counts, sums = samples.get(family + "_count", {}), samples.get(family + "_sum", {})
    assert buckets.keys() == counts.keys() == sums.keys()
    bounds = set()
    for labels, found in buckets.items():
        assert [le for le, _ in found] == sorted(le for le, _ in found), "buckets come in order"
        assert [v for _, v in found] == sorted(v for _, v in found), f"buckets shrink: {labels}"
        assert found[-1] == (float("inf"), counts[labels]), labels
        assert 0 <= sums[labels] and (sums[labels] > 0) <= (counts[labels] > 0), labels
        bounds.add(tuple(le for le, _ in found))
    assert len(bounds) <= 1


def scrape(api):
    a = api.get(METRICS, **STAFF)
    assert a.status == 200, a
    return parse(a.body.decode("utf-8"))[0]


def count(samples, **labels):
    """The sum of all requests with these labels."""
    return sum(value for found, value in samples.get(DURATION + "_count", {}).items() if labels.items() <= dict(found).items())


def settled(api):
    """What is counted once every process has told all; they do so every 3 seconds."""
    time.sleep(4)
    return scrape(api)


def restart(stack, *names):
    """All at once: each takes its time to finish."""
    threads = [threading.Thread(target=stack.restart, args=(name,)) for name in names]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    stack.ready()


def gauge(api, name):
    return int(scrape(api)[name][frozenset()])


# -- the text -----------------------------------------------------------------------------------------

def test_text_is_strictly_prometheus_and_has_every_family(stack, api):
    stack.reserve(stack.room(price=0), stack.user())
    until(lambda: len(GATEWAY.keys() & scrape(api).keys()) == len(GATEWAY), 2 * TICK, 0.5, "what the gateway has counted")
    a = api.get(METRICS, **STAFF)
    assert a.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8" and a.header("Cache-Control") == "no-store"
    assert not a.all("ETag")
    samples, families = parse(a.body.decode("utf-8"))
    assert families == {DURATION: "histogram", "loyalty_transaction_retries_total": "counter",
                        "loyalty_log_lines_dropped_total": "counter", **GATEWAY, **{name: "gauge" for name in GAUGES}}
    for name in GAUGES:
        assert samples[name].keys() == {frozenset()} and samples[name][frozenset()] >= 0
    services = {"cgi-rooms", "cgi-points", "cgi-admin"}
    for name, want in (("transaction_retries", services), ("log_lines_dropped", services | {"notifier"})):
        assert {dict(labels)["service"] for labels in samples[f"loyalty_{name}_total"]} == want, "0 is told as well"
    until(lambda: {dict(labels)["service"] for labels in scrape(api)[DURATION + "_count"]} == {"cgi-rooms", "cgi-points", "cgi-admin"},
          TICK, 1, "every service")


def test_text_pleases_promtool(api):
    a = api.get(METRICS, **STAFF)
    done = subprocess.run(["promtool", "check", "metrics"], input=a.body, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
    assert done.returncode == 0 and done.stdout == b"", done.stdout


@pytest.mark.parametrize("text", [
    "x 1", "x 1\n", "# TYPE x gauge\nx 1\n", "# HELP x X\n# TYPE x gauge\nx 1\nx 2\n", "# HELP x X\n# TYPE x gauge\ny 1\n",
    "# HELP x X\n# TYPE x gauge\nx{a=\"1\" 1\n", "# HELP x X\n# TYPE x gauge\nx{a=\"\\x\"} 1\n", "# HELP x X\n# TYPE x counter\nx -1\n",
    "# HELP x X\n# TYPE x histogram\nx_bucket{le=\"1\"} 2\nx_bucket{le=\"+Inf\"} 1\nx_sum 1\nx_count 1\n",
    "# HELP x X\n# TYPE x histogram\nx_bucket{le=\"1\"} 1\nx_sum 1\nx_count 1\n",
    "# HELP x X\n# TYPE x histogram\nx_bucket{le=\"+Inf\"} 1\nx_sum 1\nx_count 2\n", "# HELP x X\n# TYPE x gauge\nx 1\n\n"])
def test_parser_of_these_tests_is_strict(text):
    with pytest.raises(AssertionError):
        parse(text)


def test_labels_name_routes_not_paths(stack, api):
    """Else every id would be a series of its own."""
    id_ = stack.user().id
    for target in (f"/v1/users/{id_}/points", f"/v1/rooms/{id_}", f"/v1/nothing/{id_}", f"/v1/admin/users/{id_}", f"/v1/admin/{id_}"):
        api.get(target, **STAFF)
    settled(api)
    text = api.get(METRICS, **STAFF).body.decode()
    assert id_ not in text
    for labels in parse(text)[0][DURATION + "_count"]:
        labels = dict(labels)
        assert labels.keys() == {"service", "method", "route", "status"}
        assert (labels["route"], labels["method"]) == ("", "") or re.fullmatch(r"/v1(/[a-z]+|/\{id\})+", labels["route"]), labels
        assert re.fullmatch(r"[1-5]\d\d", labels["status"])


def test_queries_and_bad_actors_are_refused(api):
    assert api.get(f"{METRICS}?x=1", actor="%", **STAFF).is_problem(400, "validation").pointers == ["?x", "X-Actor"]


# -- counts -------------------------------------------------------------------------------------------

def test_counts_of_all_services_and_processes_add_up_and_survive_a_restart(stack, api):
    room, user = stack.room(total=100, price=0), stack.user()
    services = ("rooms", "points", "admin")
    processes = [f"LOYALTY_{name.upper()}_PROCESSES" for name in services]
    before = settled(api)
    stack.set_env(**dict.fromkeys(processes, "3"))
    try:
        restart(stack, *services)
        assert [len(stack.pids(name)) for name in services] == [3, 3, 3]
        known = f"/v1/admin/users/{user.id}"
        calls = [("POST", "/v1/reservations", {"room_id": room.id, "user": {"id": user.id}}, {})] * 20
        calls += [("POST", "/v1/reservations", {"room_id": room.id, "user": {"id": new_id()}}, {})] * 5
        calls += [("POST", f"/v1/users/{user.id}/points", {"amount": 1, "reason": "x"}, STAFF)] * 15
        calls += [("GET", known, None, {"body": None, **STAFF}) for _ in range(10)]
        # one connection each, so that every process gets some
        for method, target, json_, how in calls:
            wire = api.wire()
            api.request(method, target, **({"json_": json_} if json_ else {}), wire=wire, **how)
            wire.close()
    finally:
        stack.set_env(**dict.fromkeys(processes))
        restart(stack, *services)
    want = {("cgi-rooms", "POST", "/v1/reservations", "201"): 20, ("cgi-rooms", "POST", "/v1/reservations", "404"): 5,
            ("cgi-points", "POST", "/v1/users/{id}/points", "201"): 15, ("cgi-admin", "GET", "/v1/admin/users/{id}", "200"): 10}

    def grown():
        now = scrape(api)
        return {k: count(now, service=k[0], method=k[1], route=k[2], status=k[3])
                - count(before, service=k[0], method=k[1], route=k[2], status=k[3]) for k in want}

    until(lambda: grown() == want, TICK, 0.5, "every request counted")
    after = settled(api)
    assert grown() == want, "and once"
    for labels, value in before[DURATION + "_count"].items():
        assert after[DURATION + "_count"][labels] >= value, "a counter never falls"


def test_restart_loses_no_count(stack, api):
    before = count(scrape(api), route="/v1/rooms/{id}", status="404")
    for _ in range(10):
        api.get(f"/v1/rooms/{new_id()}")
    restart(stack, "rooms")  # before it has told: it does so at its end
    until(lambda: count(scrape(api), route="/v1/rooms/{id}", status="404") >= before + 10, TICK, 0.3)
    assert count(scrape(api), route="/v1/rooms/{id}", status="404") == before + 10


def test_refusals_are_counted_under_their_status(stack, api):
    def now():
        return {s: count(scrape(api), route="/v1/admin/rooms/{id}", method="PATCH", status=s) for s in ("200", "404", "409", "422", "400")}

    before = settled(api)
    room = stack.room(total=1, price=0)
    stack.reserve(room, stack.user())
    target = f"/v1/admin/rooms/{room.id}"
    for body, how in (({}, {}), ({"total_amount": 0}, {}), ({"x": 1}, {}), ({"y": 1}, {}), ({}, {"actor": "%"})):
        api.patch(target, body, **STAFF, **how)
    api.patch(f"/v1/admin/rooms/{new_id()}", {}, **STAFF)
    want = {"200": 1, "404": 1, "409": 1, "422": 2, "400": 1}
    was = {s: count(before, route="/v1/admin/rooms/{id}", method="PATCH", status=s) for s in want}
    until(lambda: {s: n - was[s] for s, n in now().items()} == want, TICK, 0.5, "the refusals")


def test_time_that_answers_take_is_measured(stack, api):
    """Told in seconds: a request that waits for a lock takes as long as that."""
    room = stack.room()

    def slow(samples):
        key = frozenset({"service": "cgi-admin", "method": "PATCH", "route": "/v1/admin/rooms/{id}", "status": "200"}.items())
        buckets = {dict(k)["le"]: v for k, v in samples.get(DURATION + "_bucket", {}).items() if key <= k}
        return samples.get(DURATION + "_sum", {}).get(key, 0), buckets.get("+Inf", 0) - buckets.get("0.25", 0)

    before = slow(settled(api))
    lock = stack.db(autocommit=False)
    try:
        with lock.cursor() as c:
            c.execute("SELECT * FROM loyalty.room WHERE id = UNHEX(REPLACE(%s, '-', '')) FOR UPDATE", (room.id,))
        wire = api.wire()
        headers, body = api.prepare("PATCH", f"/v1/admin/rooms/{room.id}", {"name": "Late"}, **STAFF)
        wire.send(request_bytes("PATCH", f"/v1/admin/rooms/{room.id}", headers, body))
        time.sleep(0.6)
        lock.rollback()
        assert wire.answer("PATCH", f"/v1/admin/rooms/{room.id}").status == 200
        wire.close()
    finally:
        lock.close()
    until(lambda: slow(scrape(api))[1] == before[1] + 1, TICK, 0.5, "one slow request")
    assert 0.5 < slow(scrape(api))[0] - before[0] < 3


def test_retried_transactions_are_counted(stack, api):
    """Of two that make the same account at once, the later meets the first and starts again."""
    def retries():
        return scrape(api).get("loyalty_transaction_retries_total", {}).get(frozenset({("service", "cgi-admin")}), 0)

    before = retries()

    def again():
        id_ = new_id()
        api.at_once([("PUT", f"/v1/admin/users/{id_}", {"name": f"N {i}", "role": "USER"}, STAFF) for i in range(10)])
        return retries() > before

    until(again, 30, 0.5, "a retry that is counted")


# -- gauges -------------------------------------------------------------------------------------------

def test_pending_approvals_are_counted(stack, api):
    before = gauge(api, "loyalty_reservations_pending_approval")
    assert before == stack.value("SELECT COUNT(*) FROM loyalty.reservation WHERE status = 'PENDING_APPROVAL'")
    made = [pending(stack)[0]["id"] for _ in range(3)]
    assert gauge(api, "loyalty_reservations_pending_approval") == before + 3
    stack.cancel(made[0])
    stack.reject(made[1])
    stack.approve(made[2], {"points": 0})
    assert gauge(api, "loyalty_reservations_pending_approval") == before


def test_sold_out_rooms_are_counted_and_archived_ones_are_not(stack, api):
    before = gauge(api, "loyalty_rooms_sold_out")
    room, user = stack.room(total=1, price=0), stack.user()
    made = stack.reserve(room, user).json
    assert gauge(api, "loyalty_rooms_sold_out") == before + 1
    stack.archive(room)
    assert gauge(api, "loyalty_rooms_sold_out") == before
    stack.archive(room, 0)
    stack.release(made["id"])
    assert gauge(api, "loyalty_rooms_sold_out") == before


def test_outbox_depth_age_and_dead_mails(stack, api):
    stack.drained()
    assert gauge(api, "loyalty_outbox_pending") == 0 and gauge(api, "loyalty_outbox_oldest_seconds") == 0
    dead = gauge(api, "loyalty_outbox_dead")
    stack.stop("notifier")
    try:
        first, second = (stack.reserve(stack.room(price=0), stack.user()) for _ in range(2))
        stack.sql("UPDATE loyalty.outbox SET created_at = created_at - INTERVAL 1 HOUR WHERE status = 'PENDING' ORDER BY id LIMIT 1")
        assert gauge(api, "loyalty_outbox_pending") == 4
        assert 3600 <= gauge(api, "loyalty_outbox_oldest_seconds") < 3660
        stack.sql("UPDATE loyalty.outbox SET created_at = created_at + INTERVAL 1 HOUR WHERE status = 'PENDING' ORDER BY id LIMIT 1")
        mail = stack.value("SELECT id FROM loyalty.outbox_mail WHERE request_id = %s", (second.request_id,))
        stack.sql("UPDATE loyalty.outbox SET status = 'DEAD', due_at = NULL WHERE id = %s", (mail,))
        assert gauge(api, "loyalty_outbox_pending") == 3 and gauge(api, "loyalty_outbox_dead") == dead + 1
        stack.sql("UPDATE loyalty.outbox SET status = 'PENDING', due_at = next_attempt_at, queued_at = UTC_TIMESTAMP(6) WHERE id = %s", (mail,))
    finally:
        stack.start("notifier")
    stack.drained()
    assert gauge(api, "loyalty_outbox_pending") == 0


# -- Debian's prometheus ------------------------------------------------------------------------------

CONFIG = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: loyalty
    scheme: https
    metrics_path: /v1/admin/metrics
    authorization: {{type: Bearer, credentials_file: {folder}/key}}
    tls_config: {{ca_file: {ca}}}
    static_configs: [{{targets: ['localhost:{port}']}}]
"""


@pytest.fixture
def prometheus(stack, tmp_path):
    """A prometheus that scrapes the stack every second; a function that asks it."""
    (tmp_path / "key").write_text(stack.keys["restricted"] + "\n")
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "prometheus.yml").write_text(CONFIG.format(folder=tmp_path, ca=stack.ca, port=stack.port))
    port = free_port()
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(
            ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
             f"--web.listen-address=127.0.0.1:{port}"], cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def ask(query):
        """{frozenset of labels: value}"""
        url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": query})
        try:
            with urllib.request.urlopen(url, timeout=10) as a:
                answer = json.load(a)
        except OSError:
            assert process.poll() is None, (tmp_path / "log").read_text()
            return {}
        assert answer["status"] == "success", answer
        return {frozenset(r["metric"].items()): float(r["value"][1]) for r in answer["data"]["result"]}

    yield ask
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def test_debians_prometheus_scrapes_it_over_https_and_reads_it_back(stack, api, prometheus):
    made, room, user = pending(stack)
    stack.reserve(room, stack.user(points=100))
    until(lambda: list(prometheus('up{job="loyalty"}').values()) == [1], 30, 0.3, "a scrape")
    for name, want in (("loyalty_reservations_pending_approval", gauge(api, "loyalty_reservations_pending_approval")),
                       ("loyalty_rooms_sold_out", gauge(api, "loyalty_rooms_sold_out")),
                       ("loyalty_outbox_dead", gauge(api, "loyalty_outbox_dead"))):
        assert want > 0 or name == "loyalty_outbox_dead"
        until(lambda: list(prometheus(name).values()) == [want], 10, 0.3, f"{name} {want}")
    samples = settled(api)
    for labels in ({"route": "/v1/reservations", "status": "201"}, {"service": "cgi-points", "method": "POST"}):
        want = count(samples, **labels)
        query = f"sum({DURATION}_count{{" + ",".join(f'{k}="{v}"' for k, v in labels.items()) + "})"
        assert want > 0 or labels.get("service")
        until(lambda: sum(prometheus(query).values()) == want, 10, 0.3, f"{query} {want}")
    quantile = prometheus(f'histogram_quantile(0.99, sum by (le) ({DURATION}_bucket{{route="/v1/reservations",method="POST"}}))')
    assert len(quantile) == 1 and 0 < list(quantile.values())[0] < 10
    bad = prometheus("scrape_samples_scraped")
    assert min(bad.values()) > 20
