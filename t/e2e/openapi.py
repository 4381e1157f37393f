"""docs/openapi.yaml, held against what the system really answers.

    spec = Spec("docs/openapi.yaml")
    spec.check("GET", "/v1/rooms?limit=2", 200, headers, body)     # SpecError (an AssertionError) if not as described
    spec.differences(text that cgi-rooms -r, cgi-points -r and cgi-admin -r printed)
    spec.uncovered()                                               # operations that no answer has exercised

Schemas are compiled to closures once: an answer is checked in microseconds (jsonschema takes milliseconds for a
page of reservations).  What they refuse is put to jsonschema, which words the fault.  A keyword or format that is
not known here stops the loading, so that nothing is described but unchecked.
"""

import datetime
import json
import re
from collections import namedtuple
from urllib.parse import unquote

import jsonschema
import yaml

# scope: ANY or RESTRICTED (which key), as the services print it; NONE: no key is needed.
Route = namedtuple("Route", "method path scope")

METHODS = ("get", "put", "post", "delete", "patch", "trace")  # HEAD and OPTIONS are everywhere: see check_everywhere
PROBLEM = "application/problem+json"

# Below this the public key is refused, whatever is there or isn't.
STAFF = "/v1/admin/"

# What may happen to any request, whatever path and method it names.
GATEWAY = {400, 413, 414, 429, 431, 500, 501, 503, 505}


class SpecError(AssertionError):
    """The answer is not what the description says."""


# -- formats ---------------------------------------------------------------------------------------

_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\Z")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.\d+)?(?:[Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)\Z", re.A)
_URI = re.compile(r"(?:[!#$&-;=?-\[\]_a-z~]|%[0-9A-Fa-f]{2})*\Z")


def _is_time(value):
    match = _TIME.match(value)
    try:
        return bool(match and datetime.datetime.fromisoformat(f"{match[1]} {match[2]}"))
    except ValueError:
        return False


def _of(kind, holds):
    """Of other kinds of values a format says nothing."""
    return lambda value: type(value) is not kind or holds(value)


FORMATS = {
    "uuid": _of(str, lambda value: bool(_UUID.match(value))),
    "date-time": _of(str, _is_time),
    "uri-reference": _of(str, lambda value: bool(_URI.match(value))),
    "int32": _of(int, lambda value: -2 ** 31 <= value < 2 ** 31),
    "int64": _of(int, lambda value: -2 ** 63 <= value < 2 ** 63),
}

_FORMAT_CHECKER = jsonschema.FormatChecker(formats=())
for _name, _holds in FORMATS.items():
    _FORMAT_CHECKER.checks(_name)(_holds)


# -- schemas ---------------------------------------------------------------------------------------

def _same(a, b):
    """JSON equality: true is not 1."""
    return isinstance(a, bool) == isinstance(b, bool) and a == b


TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "integer": lambda v: type(v) is int,
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
}

ANNOTATIONS = {"discriminator", "description", "title", "default", "example", "examples", "deprecated"}

# keyword: (types it speaks of, maker of its test)
KEYWORDS = {
    "const": (object, lambda k: lambda v: _same(v, k)),
    "enum": (object, lambda k: lambda v: any(_same(v, item) for item in k)),
    "pattern": (str, lambda k: lambda v, search=re.compile(k).search: search(v) is not None),
    "format": (object, lambda k: FORMATS[k]),
    "minLength": (str, lambda k: lambda v: len(v) >= k),
    "maxLength": (str, lambda k: lambda v: len(v) <= k),
    "minimum": (int, lambda k: lambda v: v >= k),
    "maximum": (int, lambda k: lambda v: v <= k),
    "minItems": (list, lambda k: lambda v: len(v) >= k),
    "uniqueItems": (list, lambda k: lambda v: not k or not any(_same(a, b) for i, a in enumerate(v) for b in v[:i])),
    "maxItems": (list, lambda k: lambda v: len(v) <= k),
    "maxProperties": (dict, lambda k: lambda v: len(v) <= k),
    "required": (dict, lambda k: lambda v, names=frozenset(k): names <= v.keys()),
    "not": (object, lambda k: lambda v, test=compile_schema(k): not test(v)),
    "allOf": (object, lambda k: lambda v, tests=[compile_schema(s) for s in k]: all(test(v) for test in tests)),
    "oneOf": (object, lambda k: lambda v, tests=[compile_schema(s) for s in k]: sum(test(v) for test in tests) == 1),
    "items": (list, lambda k: lambda v, test=compile_schema(k): all(map(test, v))),
}


def _members(schema):
    """Test of properties and additionalProperties together."""
    tests = {name: compile_schema(inner) for name, inner in schema.get("properties", {}).items()}
    closed = schema.get("additionalProperties", True) is False

    def test(value):
        for name, member in value.items():
            inner = tests.get(name)
            if inner is None:
                if closed:
                    return False
            elif not inner(member):
                return False
        return True

    return test


def check_discriminator(schema):
    """Each name of the mapping is the const of one branch, and required there: so generated types tell them apart."""
    told = schema["discriminator"]
    name = told["propertyName"]
    consts = [branch["properties"][name]["const"] for branch in schema["oneOf"] if name in branch["required"]]
    if len(consts) != len(schema["oneOf"]) or sorted(consts) != sorted(told["mapping"]):
        raise ValueError(f"the discriminator {sorted(told['mapping'])} does not tell {sorted(consts)} apart")


def compile_schema(schema):
    """A function that tells whether a value fits."""
    tests = []
    if "discriminator" in schema:
        check_discriminator(schema)
    kind = schema.get("type")
    if kind is not None:
        tests.append((object, TYPES[kind]))
    for keyword, value in schema.items():
        if keyword in KEYWORDS:
            about, make = KEYWORDS[keyword]
            tests.append((about, make(value)))
        elif keyword == "additionalProperties" and value not in (True, False):
            raise ValueError("additionalProperties is true or false here")
        elif keyword not in {"type", "properties", "additionalProperties"} | ANNOTATIONS:
            raise ValueError(f"no test for the keyword {keyword!r} of {schema}")
    if "properties" in schema or "additionalProperties" in schema:
        tests.append((dict, _members(schema)))

    def test(value):
        for about, holds in tests:
            if about is object or (isinstance(value, about) and not isinstance(value, bool)):
                if not holds(value):
                    return False
        return True

    return test


class Schema:
    """One compiled schema."""

    def __init__(self, schema):
        self.source = schema
        self.holds = compile_schema(schema)
        self.slow = jsonschema.Draft202012Validator(schema, format_checker=_FORMAT_CHECKER)

    def check(self, value, where):
        if self.holds(value):
            return
        faults = [f"{error.json_path}: {error.message}" for error in self.slow.iter_errors(value)]
        raise SpecError(f"{where}: " + ("; ".join(faults)[:2000] or f"does not fit {self.source}"))


def _flat(document):
    """The document with every $ref replaced by what it names; what stands beside a $ref wins.

    Patterns become Python's: ASCII classes, and $ is the very end.
    """
    known = {}

    def target(ref):
        if ref in known:
            if known[ref] is None:
                raise ValueError(f"{ref} contains itself")
            return known[ref]
        if not ref.startswith("#/"):
            raise ValueError(f"{ref}: not in this document")
        node = document
        for part in ref[2:].split("/"):
            node = node[part.replace("~1", "/").replace("~0", "~")]
        known[ref] = None
        known[ref] = walk(node)
        return known[ref]

    def walk(node):
        if isinstance(node, list):
            return [walk(item) for item in node]
        if not isinstance(node, dict):
            return node
        if node.keys() == {"$ref"}:
            return target(node["$ref"])
        out = dict(target(node["$ref"])) if "$ref" in node else {}
        for name, value in node.items():
            if name == "pattern" and isinstance(value, str):
                out[name] = "(?a)" + re.sub(r"\$(?=\)*\Z)", r"\\Z", value)
            elif name != "$ref":
                out[name] = walk(value)
        return out

    return walk(document)


# -- answers ---------------------------------------------------------------------------------------

def parse_json(body):
    """Strict: UTF-8, no member twice, no NaN, and no number but integers, for the API has no others."""

    def members(pairs):
        out = dict(pairs)
        if len(out) != len(pairs):
            raise SpecError(f"a member twice: {[name for name, _ in pairs]}")
        return out

    def no_number(text):
        raise SpecError(f"{text} is no integer")

    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=members, parse_float=no_number,
                          parse_constant=no_number)
    except ValueError as error:
        raise SpecError(f"not JSON: {error}: {body[:200]!r}") from None


def parse_text(body):
    try:
        return body.decode("utf-8")
    except ValueError:
        raise SpecError(f"not UTF-8: {body[:200]!r}") from None


# What tells a client something: an answer has these only where its description does.
TOLD = {"etag", "link", "location", "allow", "retry-after", "www-authenticate", "idempotency-replayed"}


class Response:
    """One described answer."""

    def __init__(self, node):
        self.content = {kind: Schema(media["schema"]) for kind, media in node.get("content", {}).items()}
        self.headers = []
        for name, header in node.get("headers", {}).items():
            number = header["schema"].get("type") == "integer"
            self.headers.append((name, name.lower(), header.get("required", False), number, Schema(header["schema"])))

    def check(self, status, headers, body, bodiless):
        for lower in TOLD & headers.keys() - {lower for _, lower, *_ in self.headers}:
            raise SpecError(f"the header {lower} is not described")
        for name, lower, required, number, schema in self.headers:
            value = headers.get(lower)
            if value is None:
                if required:
                    raise SpecError(f"the header {name} is missing")
                continue
            if number and re.fullmatch(r"[0-9]+", value):
                value = int(value)
            schema.check(value, f"the header {name}")
        if body and (bodiless or not self.content):
            raise SpecError(f"a body where none may be: {body[:200]!r}")
        if not self.content:
            return
        kind = (headers.get("content-type") or "").split(";")[0].strip().lower()
        if kind not in self.content:
            raise SpecError(f"the content type {kind!r} is none of {sorted(self.content)}")
        if bodiless:
            return
        value = parse_json(body) if kind.endswith("json") else parse_text(body)
        self.content[kind].check(value, "the body")
        if kind == PROBLEM:
            check_problem(value, status)


def check_problem(value, status):
    """What no schema says: the body's status is the answer's, and errors belong to validation alone."""
    if value["status"] != status:
        raise SpecError(f"the problem says {value['status']}, the answer {status}")
    if ("errors" in value) != (value["type"] == "/problems/validation"):
        raise SpecError(f"errors go with validation, and only with it: {value}")


class Operation:
    def __init__(self, method, path, node, security, shared):
        self.method, self.path, self.name = method, path, node["operationId"]
        self.responses = {int(status): shared(answer) for status, answer in node["responses"].items()}
        security = node.get("security", security)
        roles = [role for one in security for names in one.values() for role in names]
        self.scope = "NONE" if not security else "RESTRICTED" if "restricted" in roles else "ANY"


class Path:
    """One path of the description, with its operations by method."""

    def __init__(self, template, operations):
        self.template, self.operations = template, operations
        self.allow = set(operations) | {"OPTIONS"} | ({"HEAD"} if "GET" in operations else set())
        self.public = all(op.scope == "NONE" for op in operations.values())
        # by status; answers that do not depend on the method are the same in all operations
        self.any = {status: answer for op in operations.values() for status, answer in op.responses.items()
                    if status in GATEWAY}
        self.refusal = next((op.responses[405] for op in operations.values() if 405 in op.responses), None)
        self.unauthorized = next((op.responses[401] for op in operations.values() if 401 in op.responses), None)
        # the public key is refused whatever the method, where no method is for it
        self.forbidden = next((op.responses[403] for op in operations.values() if 403 in op.responses), None) \
            if all(op.scope == "RESTRICTED" for op in operations.values()) else None

    def response(self, method, status):
        """(operation or None, the answer described for this method and status, or None)"""
        op = self.operations.get("GET" if method == "HEAD" else method)
        if op:
            return op, op.responses.get(status)
        if method == "OPTIONS":
            return None, self.any.get(status)
        return None, {405: self.refusal, 401: self.unauthorized, 403: self.forbidden}.get(status) or self.any.get(status)


def check_everywhere(document):
    """HEAD is described wherever GET is, with the same parameters and keys; OPTIONS everywhere, without a key."""
    for path, item in document["paths"].items():
        head, get, options = item.get("head"), item.get("get"), item.get("options")
        if (head is None) != (get is None) or options is None or options.get("security") != []:
            raise ValueError(f"{path}: HEAD goes with GET, OPTIONS with every path")
        if get and any(head.get(name) != get.get(name) for name in ("parameters", "security")):
            raise ValueError(f"{path}: HEAD has other parameters or keys than GET")


class Spec:
    """The description in the file `path`.  Thread-safe."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            document = _flat(yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        check_everywhere(document)
        self.document = document
        made = {}

        def shared(node):
            """A response that many operations name is compiled once."""
            if id(node) not in made:
                made[id(node)] = Response(node)
            return made[id(node)]

        self.paths = []
        self.covered = set()  # (operationId, status) of answers that were as described
        for template, item in document["paths"].items():
            operations = {method.upper(): Operation(method.upper(), template, item[method], document["security"], shared)
                          for method in METHODS if method in item}
            self.paths.append(Path(template, operations))
        self._literal = {path.template: path for path in self.paths if "{" not in path.template}
        self._patterns = [(re.compile(re.sub(r"\\{[^{}]*\\}", "[^/]+", re.escape(path.template)) + r"\Z"), path)
                          for path in self.paths if "{" in path.template]
        headers = document["components"]["headers"]
        common = {name: headers[name] for name in ("X-Request-Id", "Strict-Transport-Security", "X-Content-Type-Options")}
        problem = document["components"]["schemas"]["Problem"]
        nothing = {"allOf": [problem, {"properties": {"type": {"const": "/problems/not-found"}}}]}
        self._options = Response({"headers": {**common, "Allow": headers["Allow"]}})
        self._problem = Response({"headers": common, "content": {PROBLEM: {"schema": problem}}})
        self._forbidden = next(path.forbidden for path in self.paths if path.forbidden)
        # answers at paths that are not described, by status
        self._nowhere = {404: Response({"headers": common, "content": {PROBLEM: {"schema": nothing}}})}
        for path in self.paths:
            self._nowhere.update({401: path.unauthorized, 405: path.refusal} if not path.public else {})
            self._nowhere.update(path.any)

    # -- finding --------------------------------------------------------------------------------

    def find(self, target):
        """The described path that the target of a request leads to, or None."""
        path = _normal(target)
        if path in self._literal:
            return self._literal[path]
        return next((found for pattern, found in self._patterns if pattern.match(path)), None)

    def operations(self):
        return [op for path in self.paths for op in path.operations.values()]

    def routes(self):
        """Every operation as (method, path template, scope)."""
        return [Route(op.method, op.path, op.scope) for op in self.operations()]

    def differences(self, printed):
        """What the description and the services' tables (lines METHOD PATH SCOPE HANDLER) do not have in common.

        The probes, which need no key, are the gateway's and in no service's table.
        """
        there = {tuple(line.split()) for line in printed.splitlines() if line.strip()}
        here = {(op.method, op.path, op.scope, op.name) for op in self.operations() if op.scope != "NONE"}
        return sorted([f"not described: {' '.join(row)}" for row in there - here]
                      + [f"described, but not there: {' '.join(row)}" for row in here - there])

    def uncovered(self):
        """Names of the operations that no answer to check() has exercised with their own method."""
        seen = {name for name, _ in self.covered}
        return sorted(op.name for op in self.operations() if op.name not in seen)

    # -- checking -------------------------------------------------------------------------------

    def check(self, method, path, status, headers, body_bytes):
        """Hold one answer against the description; SpecError where it is not as described.

        path may bring its query.  headers: a mapping, or (name, value) pairs.  HEAD is held against GET without
        its body; OPTIONS and unknown methods against what is said of them for every path; what is at no
        described path must be a problem.  Returns the operation's name, or None where there is none.
        """
        try:
            return self._check(method, path, status, _lower(headers), body_bytes or b"")
        except SpecError as error:
            raise SpecError(f"{method} {path[:200]} -> {status}: {error}") from None

    def _check(self, method, target, status, headers, body):
        bodiless = method == "HEAD"
        path = self.find(target)
        if path is None:
            if target in ("", "?"):  # the caller did not tell what was asked for
                if status >= 400:
                    self._problem.check(status, headers, body, bodiless)
            elif status == 403 and (_normal(target) + "/").startswith(STAFF):
                self._forbidden.check(status, headers, body, bodiless)
            elif status not in self._nowhere:
                raise SpecError("this status is not described for a path that is not")
            else:
                self._nowhere[status].check(status, headers, body, bodiless)
            return None
        if method == "OPTIONS" and method not in path.operations and status == 204:
            self._options.check(status, headers, body, True)
            self._check_allow(path, headers)
            return None
        operation, response = path.response(method, status)
        if response is None:
            raise SpecError("this status is not described")
        response.check(status, headers, body, bodiless)
        if status == 405:
            self._check_allow(path, headers)
            if method in path.allow:
                raise SpecError(f"{method} is described here")
            return None
        if operation and method == operation.method:
            self.covered.add((operation.name, status))
        return operation.name if operation else None

    @staticmethod
    def _check_allow(path, headers):
        told = [name.strip() for name in headers["allow"].split(",")]
        if sorted(told) != sorted(path.allow):
            raise SpecError(f"Allow is {headers['allow']!r}, described are {sorted(path.allow)}")


def _lower(headers):
    out = {}
    for name, value in headers.items() if hasattr(headers, "items") else headers:
        name = name.lower()
        if name in out and name not in ("link", "set-cookie", "vary"):
            raise SpecError(f"the header {name} came twice")
        out[name] = value
    return out


def _normal(target):
    """The path of a request target as nginx passes it on: decoded, // and dot segments resolved."""
    path = target.split("?", 1)[0].split("#", 1)[0]
    path = re.sub(r"^https?://[^/]*", "", path, flags=re.I)
    if "%" in path:
        path = unquote(path, errors="surrogateescape")
    if "//" in path or "/." in path:
        parts = []
        segments = path.split("/")[1:]
        for segment in segments:
            if segment == "..":
                del parts[-1:]
            elif segment not in ("", "."):
                parts.append(segment)
        path = "/" + "/".join(parts)
        if parts and segments[-1] in ("", ".", ".."):
            path += "/"
    return path
