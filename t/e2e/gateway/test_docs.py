"""The documentation that the gateway serves: /docs/, /problems/NAME, /openapi.yaml and /openapi.json"""

import gzip
import html
import re
from urllib.parse import unquote

import pytest
import yaml

from stack import TOP

NAMES = sorted(p["properties"]["type"]["const"].rpartition("/")[2] for name, p in
               yaml.safe_load((TOP / "docs" / "openapi.yaml").read_text())["components"]["schemas"].items() if name.endswith("Problem") and "properties" in p)
PAGES = {"/docs/": "text/html; charset=utf-8", "/docs/guide": "text/html; charset=utf-8", "/docs/style.css": "text/css; charset=utf-8",
         "/openapi.yaml": "application/yaml", "/openapi.json": "application/json",
         **{f"/problems/{name}": "text/html; charset=utf-8" for name in NAMES}}


def page(api, path, **how):
    """A page, without a key.  It is none of the API's answers: those are JSON."""
    return api.get(path, key=None, check=False, **how)


@pytest.mark.parametrize("path", PAGES)
def test_page_is_served_without_a_key(api, path):
    a = page(api, path)
    assert a.status == 200 and len(a.body) > 500, a
    assert a.header("Content-Type") == PAGES[path]
    assert a.header("Cache-Control") == "no-cache" and a.header("ETag")
    assert a.header("X-Request-Id") and a.header("X-Content-Type-Options") == "nosniff"
    assert "max-age" in a.header("Strict-Transport-Security")
    policy = a.header("Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'self'") and "unsafe" not in policy
    for name in ("content-security-policy", "cache-control", "x-request-id", "strict-transport-security", "x-content-type-options"):
        assert len(a.all(name)) == 1, a
    head = api.head(path, key=None, check=False)
    assert (head.status, head.body, head.header("Content-Length")) == (200, b"", str(len(a.body)))
    assert page(api, path, headers=[("If-None-Match", a.header("ETag"))]).status == 304
    assert api.get(path, key="public", check=False).body == a.body


def test_slash_may_be_left_out(api):
    a = page(api, "/docs")
    assert (a.status, a.header("Location")) == (301, "/docs/") and a.header("X-Request-Id"), a


def test_pages_are_compressed_on_request(api):
    whole, small = page(api, "/docs/"), page(api, "/docs/", headers=[("Accept-Encoding", "gzip")])
    assert small.header("Content-Encoding") == "gzip" and "Accept-Encoding" in small.header("Vary")
    assert gzip.decompress(small.body) == whole.body and len(small.body) < len(whole.body) / 3


def test_other_methods_are_refused_and_options_told(api):
    for path in ("/docs/", "/problems/sold-out", "/openapi.json"):
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            a = api.request(method, path, key=None, check=False)
            assert a.status == 405 and a.header("Allow") == "GET, HEAD, OPTIONS" and a.problem == "method-not-allowed", a
        a = api.options(path, key=None, check=False)
        assert a.status == 204 and a.header("Allow") == "GET, HEAD, OPTIONS", a


@pytest.mark.parametrize("path", ["/docs/nothing", "/docs/style.css/", "/docs/index.htm", "/problems/", "/problems", "/problems/nothing",
                                  "/problems/sold-out/", "/problems/SOLD-OUT", "/docs/%2e%2e/nginx.conf",
                                  "/docs/../nginx.conf", "/problems/..%2f..%2fkeys.map", "/docs/..%2f..%2fkeys.map", "/docs//../../keys.map",
                                  "/docs/%00", "/openapi.yml", "/openapi.json/", "/docs/../docs/docs"])
def test_nothing_else_is_served(api, path):
    a = page(api, path)
    assert a.status in (400, 404), a
    assert a.header("Content-Type") == "application/problem+json" and not a.all("Content-Security-Policy")
    assert a.problem == ("not-found" if a.status == 404 else "bad-request")


def test_openapi_is_the_description_in_both_forms(api):
    assert page(api, "/openapi.yaml").body == (TOP / "docs" / "openapi.yaml").read_bytes()
    assert page(api, "/openapi.json").json == yaml.safe_load(page(api, "/openapi.yaml").body)


def test_every_operation_is_on_the_page(api):
    text = page(api, "/docs/").body.decode()
    for path, item in page(api, "/openapi.json").json["paths"].items():
        for method, op in item.items():
            if method in ("get", "post", "put", "patch", "delete"):
                article = re.search(rf'<article id="{op["operationId"]}".*?</article>', text, re.S)[0]
                assert f"<b>{method.upper()}</b> {path}</code>" in article
                for language in ("curl", "typescript", "python"):
                    assert len(re.findall(f'data-language="{language}"', article)) == 1
                for status in op["responses"]:
                    assert f'>{status}</b>' in article or f'>{status}</b>' in text[text.index('id="every-call"'):], (path, status)


def test_every_link_leads_somewhere(api):
    pages = {path: page(api, path).body.decode() for path, kind in PAGES.items() if kind.startswith("text/html")}
    served = set(PAGES) | set(pages)
    for path, text in pages.items():
        ids = re.findall(r'\bid="([^"]+)"', text)
        assert len(ids) == len(set(ids)), f"{path}: an id twice"
        links = [html.unescape(link) for link in re.findall(r'\b(?:href|src)="([^"]*)"', text)]
        assert links
        for link in links:
            to, _, anchor = link.partition("#")
            assert (to or path) in served, (path, link)
            if anchor:
                assert f'id="{unquote(anchor)}"' in pages[to or path], (path, link)
        assert "<script" not in text and "style=" not in text


def test_nothing_secret_is_told(stack, api):
    for path in PAGES:
        body = page(api, path).body
        for secret in (*stack.keys.values(), str(stack.var), str(TOP)):
            assert secret.encode() not in body


# -- problems ---------------------------------------------------------------------------------------

def in_c():
    """(name, status, title) of lib/problem.c."""
    table = re.search(r"problems\[\] = \{(.*?)\n\};", (TOP / "lib" / "problem.c").read_text(), re.S)[1]
    found = set(re.findall(r'\[PROB_\w+\] = \{"([a-z-]+)", (\d+), "([^"]*)"', table))
    assert len(found) == table.count("[PROB_") > 20
    return {(name, int(status), title) for name, status, title in found if name != "none"}


def in_nginx():
    """The same of nginx/problem.map."""
    maps = dict(re.findall(r"map \$status \$loyalty_problem_(type|title) \{(.*?)\n\}", (TOP / "nginx" / "problem.map").read_text(), re.S))
    types, titles = (dict(re.findall(r'^\t(\w+)\s+"?([^";]+)"?;$', maps[what], re.M)) for what in ("type", "title"))
    # 502 and 504 become 503
    return {(types.get(s, types["default"]), int(s) if s != "default" else 400, titles.get(s, titles["default"]))
            for s in set(types) | set(titles) if s not in ("502", "504")}


def test_problems_are_those_that_the_programs_have():
    described = set()
    document = yaml.safe_load((TOP / "docs" / "openapi.yaml").read_text())
    for name in (b["$ref"].rpartition("/")[2] for b in document["components"]["schemas"]["Problem"]["oneOf"]):
        schema = document["components"]["schemas"][name]
        assert {"type", "title", "status", "detail", "request_id"} <= set(schema["required"]), name
        kind, title, status = (schema["properties"][what] for what in ("type", "title", "status"))
        titles, statuses = title.get("enum") or [title["const"]], status.get("enum") or [status["const"]]
        pairs = zip(statuses, titles) if len(titles) > 1 else [(s, titles[0]) for s in statuses]
        described |= {(kind["const"].rpartition("/")[2], s, t) for s, t in pairs}
        assert "\n\n" in schema["description"], f"{name}: what happened, and what to do"
    assert described == in_c() | in_nginx()


def test_type_of_an_error_leads_to_its_page(stack, api):
    """Of each problem that answers easily; the others have pages by their names."""
    user, room = stack.user(0), stack.room()
    answers = [api.get("/v1/rooms", key=None), api.get("/v1/admin/rooms"), api.get("/v1/nothing"), api.get("/v1/rooms?limit=0"),
               api.post("/v1/reservations", body=b"{"), api.post("/v1/reservations", {}), api.request("DELETE", "/v1/rooms"),
               api.post("/v1/reservations", body=b"{}", content_type="text/plain"), api.get(f"/v1/rooms/{user.id}"),
               api.get(f"/v1/users/{room.id}/points"), api.get(f"/v1/reservations/{room.id}"), api.post("/v1/reservations", body=b" " * 20000),
               stack.adjust(user, -1), api.get("/nothing", key=None)]
    types = {a.json["type"]: a.json["title"] for a in answers}
    assert len(types) >= 12, types
    for kind, title in types.items():
        a = page(api, kind)
        assert a.status == 200 and f"<h1>{title}</h1>" in a.body.decode(), a


def test_off_answers_as_any_unknown_path(new_stack):
    stack = new_stack({"LOYALTY_NGINX_DOCS": "off"})
    unknown = page(stack.api, "/nothing")
    for path in [*PAGES, "/docs"]:
        a = stack.api.get(path, key=None)
        assert (a.status, a.problem, a.json["detail"]) == (404, "not-found", unknown.json["detail"]), a
    stack.set_env(LOYALTY_NGINX_DOCS=None)
    stack.native("up")
    assert page(stack.api, "/docs/").status == 200


def test_pages_count_against_the_limit_of_those_without_a_key(new_stack):
    stack = new_stack({"LOYALTY_NGINX_KEYLESS_RATE": "1", "LOYALTY_NGINX_KEYLESS_BURST": "3"})
    answers = [page(stack.api, "/docs/style.css") for _ in range(8)]
    late = [a for a in answers if a.status == 429]
    assert late and answers[0].status == 200
    assert all(a.problem == "rate-limited" and a.header("Retry-After") for a in late)


def test_requests_are_logged(stack, api):
    a = page(api, "/problems/sold-out?x=1", request_id="docs-in-the-log")
    assert a.request_id == "docs-in-the-log"
    [entry] = stack.access_log("docs-in-the-log")
    assert (entry["path"], entry["status"], entry["role"]) == ("/problems/sold-out", 200, "")
