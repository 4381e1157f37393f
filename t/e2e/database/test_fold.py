"""The search rule, on MariaDB and MySQL alike: case and accents folded, all else exact"""

import unicodedata
from urllib.parse import quote

STAFF = {"key": "restricted"}
# Its category changed from nonspacing to spacing mark in Unicode 16.
CHANGED = {"\U0001171e"}


def fold(text):
    """The rule itself."""
    return "".join(c.lower() for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")


def test_each_character_is_folded_as_unicode_says(stack):
    table = {c.decode(): f.decode() for c, f in stack.sql("SELECT c, f FROM loyalty.fold_map")}
    assert len(table) > 5000
    wrong = []
    for n in range(0x80, 0x110000):
        c = chr(n)
        if unicodedata.category(c) in ("Cn", "Cs") or 0xAC00 <= n <= 0xD7A3:
            continue
        if table.get(c, c) != fold(c):
            wrong.append((hex(n), table.get(c), fold(c)))
    assert {int(n, 16) for n, _, _ in wrong} <= {ord(c) for c in CHANGED}, wrong[:20]


def test_a_text_is_folded_as_its_characters(stack):
    texts = ["", "Zoë", "ZOE\u0308", "ß", "ẞ", "SS", "İstanbul", "ΣΟΦΟΣ", "σοφος", "각하 가", "\uac00\uac01\ud7a3\ud788", "東京", "が", "か", "\u1e69\u0323",
             "👍", "👍🏽", "🏨 \U0001f1e9\U0001f1ea", "a\u0301 ", " b", "\u212b", "Ǆ", "ﬁ", "\u0301", "x" * 200, "é" * 200, "각" * 200, "\U00010400\U0001e900",
             "Østergård", "ĲSSEL", "\u00a0", "\u3400\u9fff\u33ff\ua000", "\ud7a4", "\uabff"]
    for text in texts:
        got = stack.value("SELECT loyalty.fold(%s)", (text,))
        assert got.decode() == fold(text), (text, got.decode(), fold(text))
    # every Hangul syllable, 200 at a time
    syllables = [chr(n) for n in range(0xAC00, 0xD7A4)]
    for i in range(0, len(syllables), 1400):
        part = "".join(syllables[i:i + 200])
        assert stack.value("SELECT loyalty.fold(%s)", (part,)).decode() == fold(part)


def test_a_search_finds_what_the_rule_says_and_nothing_else(stack, api):
    mark = "Fold7"
    names = [f"{mark} {n}" for n in ("Zoë", "zoe", "ZOE\u0308", "Weiß", "Weiss", "Otto 🏨", "Otto 👍", "Otto 👍🏽", "Otto \U00020000", "Jürgen", "a_b", "a%b", "a\\b")]
    for name in names:
        stack.user(name=name)

    def found(q):
        return sorted(i["user"]["name"] for i in api.get(f"/v1/admin/users?limit=200&q={quote(q, safe='')}", **STAFF).json if mark in i["user"]["name"])

    for q in ("zoe", "ZOË", "zoe\u0308", "ss", "ß", "🏨", "👍", "👍🏽", "🏽", "🎉", "\U00020000", "jurgen", "JÜRG", "Otto ", "a_b", "%", "\\", mark.lower(), "o\u0302tto"):
        assert found(q) == sorted(n for n in names if fold(q) in fold(n)), q
    assert found("ss") == [f"{mark} Weiss"] and len(found("zoe")) == 3 and found("🏨") == [f"{mark} Otto 🏨"]
