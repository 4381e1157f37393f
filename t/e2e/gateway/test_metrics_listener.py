"""The listener for a scraper (LOYALTY_NGINX_METRICS_LISTEN): the metrics without a key, and nothing else; and docs/monitoring, which reads them"""

import json
import re
import shutil
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import pytest
import yaml

from client import METRICS, Api, Broken, ground_rules
from stack import CALM, TOP, free_port, until


MONITORING = TOP / "docs" / "monitoring"


@pytest.fixture(scope="module")
def scraped(make_stack):
    port = free_port()
    with make_stack({"LOYALTY_NGINX_METRICS_LISTEN": f"127.0.0.1:{port}"}) as s:
        s.scraper = Api(port, s.ca, s.keys)
        yield s


def scrape(stack, method="GET", path="/metrics", **how):
    return stack.scraper.request(method, path, check=False, **{"key": None, **how})


def fine(a):
    assert (a.status, a.header("Content-Type")) == (200, "text/plain; version=0.0.4; charset=utf-8"), a
    assert a.header("Cache-Control") == "no-store" and not a.all("ETag") and a.header("Server") == "nginx"
    assert a.header("X-Request-Id") and a.header("X-Content-Type-Options") == "nosniff" and "max-age" in a.header("Strict-Transport-Security")
    for name in ("x-request-id", "strict-transport-security", "x-content-type-options", "cache-control", "content-type"):
        assert len(a.all(name)) == 1, a
    return a


def families(a):
    return [line for line in a.body.decode().splitlines() if line.startswith("#")]


def reached(stack):
    """How often cgi-admin was asked for metrics by this listener: it sees no difference, but the gateway's log does."""
    return sum(e["path"] == "/metrics" and bool(e["upstream"]) for e in stack.access_log())


def test_it_answers_what_the_call_of_staff_answers(scraped):
    a = fine(scrape(scraped))
    assert families(a) == families(scraped.api.get(METRICS, key="restricted"))
    done = subprocess.run(["promtool", "check", "metrics"], input=a.body, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
    assert (done.returncode, done.stdout) == (0, b"")
    assert scrape(scraped, request_id="my-own-id").request_id == "my-own-id"


def test_head_is_the_get_without_its_body(scraped):
    time.sleep(3.2)  # a HEAD that comes first must not leave an answer without a body behind
    head, a = fine(scrape(scraped, "HEAD")), fine(scrape(scraped))
    assert head.body == b"" and len(a.body) > 1000


@pytest.mark.parametrize("key", [None, "public", "restricted", b"wrong-key-wrong-key"])
@pytest.mark.parametrize("method, path", [(m, "/metrics") for m in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get")] + [
    ("GET", p) for p in ("/", "/metrics/", "/metrics/x", "/METRICS", "/v1/rooms", "/v1/admin/metrics", "/v1/admin/rooms", "/healthz", "/readyz", "/docs/", "/openapi.json",
                         "/console/", "/problems/not-found", "/.problem", "/nothing")] + [
    ("TRACE", "/v1/rooms"), ("TRACE", "/v1/users/x/points"), ("TRACE", "/v1/admin/rooms"), ("TRACE", "/console/"), ("POST", "/v1/reservations")])
def test_all_else_is_404(scraped, method, path, key):
    a = scrape(scraped, method, path, key=key)
    if method == "get":
        assert a.status == 400
    else:
        assert (a.status, a.problem) == (404, "not-found"), a
    ground_rules(a)


def test_nothing_that_the_client_sends_goes_on(scraped):
    for headers in ([("X-API-Key", "a-wrong-key-a-wrong-key"), ("X-Api-Key", scraped.keys["public"])], [("Authorization", "Basic eDp4")], [("X-Actor", "%")],
                    [("Idempotency-Key", "x" * 300)], [("Accept", "application/json")], [("Range", "bytes=0-3")], [("Cache-Control", "no-cache")]):
        time.sleep(0.1)
        assert fine(scrape(scraped, headers=headers)).body.endswith(b"\n")
        assert fine(scrape(scraped, path="/metrics?x=1&x=2", headers=headers)).body.endswith(b"\n")
    assert fine(scrape(scraped, body=b"{"))
    a = scrape(scraped, body=b"x" * 20000)
    assert (a.status, a.problem) == (413, "payload-too-large")


def test_it_speaks_https_only(scraped):
    done = subprocess.run(["curl", "-q", "-sS", "-i", "--noproxy", "*", f"http://127.0.0.1:{scraped.scraper.port}/metrics"], stdout=subprocess.PIPE, text=True, timeout=20)
    assert done.stdout.startswith("HTTP/1.1 400 ") and "speaks HTTPS only" in done.stdout


def test_however_many_ask_the_database_is_asked_every_three_seconds(scraped):
    scraped.access_log(scrape(scraped).request_id)
    before, begin, asked = reached(scraped), time.monotonic(), []
    end = begin + 6

    def ask():
        api = Api(scraped.scraper.port, scraped.ca, scraped.keys)
        while time.monotonic() < end:
            asked.append(api.request("GET", "/metrics", check=False, key=None).status)
            time.sleep(0.01)
        api.drop()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(asked) > 50 and set(asked) == {200}
    scraped.access_log(scrape(scraped).request_id)
    # whoever comes before the next answer is there asks, too: of each thread one at most
    assert 1 <= reached(scraped) - before <= len(threads) * (2 + (time.monotonic() - begin) / 3)


def test_without_the_database_it_is_503_and_few_requests_wait(scraped):
    scraped.stop("db")
    try:
        def gone():
            started = time.monotonic()
            a = scrape(scraped)
            assert time.monotonic() - started < 6
            return a if a.status == 503 else None

        a = until(gone, 10)
        ground_rules(a)
        assert a.problem == "unavailable"
        scraped.access_log(a.request_id)
        before, end = reached(scraped), time.monotonic() + 3
        while time.monotonic() < end:
            time.sleep(0.01)
            b = scrape(scraped)
            assert b.status == 503 and b.json["request_id"] == b.request_id
        scraped.access_log(b.request_id)
        assert reached(scraped) - before <= 4
    finally:
        scraped.start("db")
        scraped.close_db()
    scraped.ready()
    until(lambda: scrape(scraped).status == 200, 10)


def test_an_address_may_ask_so_often(scraped):
    scraped.set_env(LOYALTY_NGINX_KEYLESS_RATE="5", LOYALTY_NGINX_KEYLESS_BURST="5")
    try:
        scraped.restart("nginx")
        scraped.scraper.drop()
        answers = [scrape(scraped, path=path) for path in ("/metrics", "/nothing") for _ in range(15)]
        refused = [a for a in answers if a.status == 429]
        assert refused and answers[0].status == 200
        for a in refused:
            ground_rules(a)
    finally:
        scraped.set_env(LOYALTY_NGINX_KEYLESS_RATE=CALM["LOYALTY_NGINX_KEYLESS_RATE"], LOYALTY_NGINX_KEYLESS_BURST=CALM["LOYALTY_NGINX_KEYLESS_BURST"])
        scraped.restart("nginx")
        scraped.scraper.drop()


@pytest.mark.parametrize("value", ["9145", "127.0.0.1", "127.0.0.1:", "localhost:9145", "127.0.0.1:0", "127.0.0.1:99999", "300.1.1.1:9145", "127.0.0.1:91 45",
                                   "127.0.0.1:9145;", "::1:9145", "[::1]", "on", "HTTPS_PORT", "PROXY"])
def test_ill_formed_addresses_are_refused(scraped, value, tmp_path):
    value = {"HTTPS_PORT": f"127.0.0.1:{scraped.port}", "PROXY": "127.0.0.1:9999"}.get(value, value)
    env = {**scraped.environment(), "LOYALTY_SECRETS": str(scraped.var / "secrets"), "LOYALTY_NGINX_ACCESS_LOG": "off", "LOYALTY_NGINX_METRICS_LISTEN": value,
           "LOYALTY_NGINX_PROXY_PROTOCOL_PORT": "9999"}
    done = subprocess.run([str(TOP / "nginx" / "render"), str(tmp_path / "elsewhere")], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 1 and value.rpartition(":")[0] in done.stdout, done.stdout
    assert not (tmp_path / "elsewhere" / "nginx.conf").exists()


def test_up_moves_it_and_refuses_a_port_that_is_taken(scraped):
    old, new = scraped.scraper.port, free_port()
    scraped.scraper.drop()
    scraped.set_env(LOYALTY_NGINX_METRICS_LISTEN="127.0.0.1:" + (scraped.var / "smtp-port").read_text().strip())
    told = scraped.native("up", check=False)
    assert "LOYALTY_NGINX_METRICS_LISTEN" in told and "in use" in told and "ready:" not in told, told
    fine(scrape(scraped))
    try:
        scraped.scraper.drop()
        for listen, port in ((f"0.0.0.0:{old}", old), (f"127.0.0.1:{new}", new)):
            scraped.set_env(LOYALTY_NGINX_METRICS_LISTEN=listen)
            scraped.native("up")
            scraped.scraper.drop()
            scraped.scraper.port = port
            fine(scrape(scraped))
        scraped.set_env(LOYALTY_NGINX_METRICS_LISTEN=None)
        scraped.native("up")
        scraped.scraper.drop()
        with pytest.raises((OSError, Broken)):
            scrape(scraped)
    finally:
        scraped.set_env(LOYALTY_NGINX_METRICS_LISTEN=f"127.0.0.1:{old}")
        scraped.native("up")
        scraped.scraper.port = old
        scraped.scraper.drop()
    fine(scrape(scraped))
    scraped.api.drop()


# -- docs/monitoring ------------------------------------------------------------------------------------

def dashboard():
    """The expressions of the dashboard."""
    panels = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def alerts():
    return [rule for group in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"] for rule in group["rules"]]


def metrics_in(text):
    return set(re.findall(r"\bloyalty_[a-z_]+", text))


def test_every_metric_that_is_named_is_one_that_the_system_gives_and_the_reverse(scraped):
    def given():
        kinds = dict(line.split(" ")[2:] for line in scrape(scraped).body.decode().splitlines() if line.startswith("# TYPE "))
        return kinds if "loyalty_certificate_expiry_timestamp_seconds" in kinds else None

    families = until(given, 20, 0.5)
    samples = {name + suffix for name, kind in families.items() for suffix in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",))}
    for text in [*dashboard(), *(rule["expr"] for rule in alerts()), (MONITORING / "alerts.test.yml").read_text()]:
        assert metrics_in(text) <= samples, text
    assert metrics_in((TOP / "docs" / "operating" / "monitor.md").read_text()) == families.keys()
    assert metrics_in(" ".join(dashboard())) & samples == samples, "a metric that the dashboard does not show"


def test_every_alert_is_explained_and_tried():
    names = [rule["alert"] for rule in alerts()]
    assert re.findall(r"^### (.*)$", (TOP / "docs" / "operating" / "monitor.md").read_text(), re.M) == names
    tried = re.findall(r"alertname: (\w+)\n +exp_alerts", (MONITORING / "alerts.test.yml").read_text())
    assert set(tried) == set(names)


def test_prometheus_takes_the_configuration_the_alerts_and_every_expression_of_the_dashboard(scraped, tmp_path):
    shutil.copy(MONITORING / "alerts.yml", tmp_path)
    shutil.copy(scraped.ca, tmp_path / "tls.crt")
    text = (MONITORING / "prometheus.yml").read_text()
    for old, new in (("localhost:9145", f"localhost:{scraped.scraper.port}"), ("scrape_interval: 15s", "scrape_interval: 1s"), ("evaluation_interval: 15s", "evaluation_interval: 1s")):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "prometheus.yml").write_text(text)
    port = free_port()
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data", f"--web.listen-address=127.0.0.1:{port}"],
                                   cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def ask(path, **query):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=10) as a:
                return json.load(a)["data"]
        except OSError:
            assert process.poll() is None, (tmp_path / "log").read_text()
            return {"result": [], "groups": []}

    try:
        until(lambda: [r["value"][1] for r in ask("query", query='up{job="loyalty"}')["result"]] == ["1"], 30, 0.3, "a scrape")
        # No request has failed: there is no 5xx to divide.
        end, lacking = time.monotonic() + 40, [e for e in dashboard() if '"5.."' not in e]
        while lacking and time.monotonic() < end:
            scraped.reserve(scraped.room(price=0), scraped.user())
            scraped.api.get("/v1/rooms?limit=1", key=None)
            time.sleep(0.5)
            lacking = [e for e in lacking if not ask("query", query=e.replace("$__rate_interval", "30s"))["result"]]
        assert lacking == []
        rules = [rule for group in ask("rules")["groups"] for rule in group["rules"]]
        assert [(r["name"], r["health"]) for r in rules] == [(r["alert"], "ok") for r in alerts()]
        assert {r["state"] for r in rules} <= {"inactive", "pending"}, rules
    finally:
        process.terminate()
        process.wait(20)
