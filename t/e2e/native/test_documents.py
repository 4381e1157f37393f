"""The documents: links lead somewhere, settings and commands exist, READMEs are short."""

import importlib.machinery
import importlib.util
import os
import re
import subprocess

import pytest

from stack import TOP

TRACKED = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=TOP, check=True, stdout=subprocess.PIPE, text=True).stdout.split("\0")
FILES = [f for f in TRACKED if f and (TOP / f).is_file()]
DOCUMENTS = [f for f in FILES if f.endswith(".md")]
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
NAME = re.compile(r"\bLOYALTY_[A-Z][A-Z0-9_]*[A-Z0-9]\b")
# How a program, a script or a file of settings names one: "NAME", 'NAME', ${NAME}, $NAME, NAME=, NAME:
KNOWN = re.compile(r"""(?:["']|\$\{?|^[ \t]*(?:- )?|\benviron\.get\(["']|[ \t])(LOYALTY_[A-Z][A-Z0-9_]*[A-Z0-9])(?=["'}:=\-]|$|\s)""", re.M)


def without_code(text):
    return re.sub(r"^    .*$", "", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M), flags=re.M)


def anchors(text):
    found = {}
    for title in re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M), re.M):
        slug = re.sub(r"[^\w\- ]", "", re.sub(r"[`*]|\]\([^)]*\)|\[", "", title).lower()).strip().replace(" ", "-")
        found[slug if slug not in found else f"{slug}-{found[slug]}"] = 1
    return set(found)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_to_what_is_there(name):
    text = (TOP / name).read_text(encoding="utf-8")
    for target in LINK.findall(without_code(text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        if path.startswith("/"):  # of the pages that the gateway serves
            assert name == "docs/api/guide.md", f"{name}: {target}"
            continue
        file = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
        assert file in FILES or any(f.startswith(file + "/") for f in FILES), f"{name}: {target}"
        if anchor:
            assert anchor in anchors((TOP / file).read_text(encoding="utf-8")), f"{name}: {target}"


def test_readmes_are_short():
    for name in DOCUMENTS:
        if os.path.basename(name) == "README.md":
            lines = (TOP / name).read_text(encoding="utf-8").count("\n")
            assert lines <= (25 if os.path.dirname(name) else 150), (name, lines)


def test_every_document_is_reached_from_the_readme():
    seen, todo = set(), ["README.md"]
    while todo:
        name = todo.pop()
        if name in seen or not name.endswith(".md"):
            continue
        seen.add(name)
        for target in LINK.findall(without_code((TOP / name).read_text(encoding="utf-8"))):
            file = os.path.normpath(os.path.join(os.path.dirname(name), target.partition("#")[0]))
            if file in FILES:
                todo.append(file)
    # a folder's README is found in its folder
    assert {f for f in DOCUMENTS if os.path.basename(f) != "README.md"} <= seen


def test_every_setting_that_documents_name_is_known_to_a_program():
    known = set()
    for name in FILES:
        if (not name.startswith("t/") or name == "t/run") and not re.search(r"\.(md|[1-9]|json|yaml|sql|c|h)$|/tests?/|/t/", name) or name.endswith("gateway.env"):
            known |= set(KNOWN.findall((TOP / name).read_text(encoding="utf-8", errors="replace")))
        elif re.fullmatch(r"[^/]+/[^/]+\.c|cgi-admin/audit/main\.c", name):
            known |= set(re.findall(r'"(LOYALTY_[A-Z0-9_]+)"', (TOP / name).read_text()))
    build = os.environ.get("LOYALTY_BUILD", "build")
    for program in (f"cgi-rooms/{build}/cgi-rooms", f"cgi-points/{build}/cgi-points", f"cgi-admin/{build}/cgi-admin", f"notifier/{build}/notifier"):
        known |= set(NAME.findall(subprocess.run([str(TOP / program), "-h"], check=True, stdout=subprocess.PIPE, text=True, env={}).stdout))
    families = {"_".join(n.split("_")[:2]) for n in known}
    for name in DOCUMENTS:
        for setting in NAME.findall((TOP / name).read_text(encoding="utf-8")):
            base = re.sub(r"_FILE$", "", setting)
            assert {setting, base} & known or setting in families, f"{name}: {setting}"


def test_the_page_about_settings_has_all_of_them_and_is_good_mdoc():
    page = subprocess.run([str(TOP / "docs" / "settings"), os.environ.get("LOYALTY_BUILD", "build")], check=True, stdout=subprocess.PIPE, text=True).stdout
    told = set(re.findall(r"^\.It Ev (\w+)", page, re.M))
    knobs = set(re.findall(r"^(\w+)=", (TOP / "nginx" / "gateway.env").read_text(), re.M))
    assert knobs and told >= knobs | {"LOYALTY_DB_HOSTS", "LOYALTY_ROOMS_THREADS", "LOYALTY_SMTP_HOST", "LOYALTY_NOTIFIER_BATCH", "LOYALTY_CONSOLE_TIMEZONE",
                                      "LOYALTY_PRUNE_KEYS_H", "LOYALTY_PRUNE_SENT_D", "LOYALTY_PRUNE_DEAD_D"}
    done = subprocess.run(["mandoc", "-Tlint", "-Wwarning"], input=page, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout


def test_every_command_is_listed():
    loader = importlib.machinery.SourceFileLoader("commands", str(TOP / "t" / "commands"))
    commands = importlib.util.module_from_spec(importlib.util.spec_from_loader("commands", loader))
    loader.exec_module(commands)
    assert commands.missing(str(TOP)) == {}
