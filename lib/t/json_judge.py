#!/usr/bin/env python3
"""Judge what fuzz_json noted (FUZZ_TRANSCRIPT): json_read must take exactly what
Python's json module takes, less what the contract refuses beyond RFC 8259."""
import json
import sys


class Refused(Exception):
    pass


def no_constant(word):
    raise Refused(word)


def no_duplicates(pairs):
    if len({name for name, _ in pairs}) != len(pairs):
        raise Refused("a name twice")
    return dict(pairs)


def check(value, level):
    """Depth, NUL and lone surrogates."""
    if isinstance(value, str):
        if "\0" in value:
            raise Refused("NUL")
        value.encode("utf-8")  # fails for a surrogate
    elif isinstance(value, (dict, list)):
        if level > 16:
            raise Refused("depth")
        if isinstance(value, dict):
            for name in value:
                check(name, level)
            value = list(value.values())
        for member in value:
            check(member, level + 1)


def acceptable(text):
    try:
        check(json.loads(text.decode("utf-8"), parse_constant=no_constant, parse_int=lambda s: 0,
                         parse_float=lambda s: 0.0, object_pairs_hook=no_duplicates), 1)
    except (Refused, ValueError, RecursionError):
        return False
    return True


def main(path):
    taken = refused = 0
    with open(path, encoding="ascii") as transcript:
        for line in transcript:
            verdict, text = line[0] == "1", bytes.fromhex(line[2:])
            if verdict != acceptable(text):
                sys.exit(f"json_read {'takes' if verdict else 'refuses'} {text!r}, Python does not agree")
            taken += verdict
            refused += not verdict
    if taken < 1000 or refused < 1000:
        sys.exit(f"too little to judge: {taken} taken, {refused} refused")
    print(f"json_judge: {taken} texts taken, {refused} refused, of one mind with Python")


if __name__ == "__main__":
    main(sys.argv[1])
