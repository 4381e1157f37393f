"""What holds for every program of a system and for every secret, whatever a test did: nothing here is listed by name, so a new one is looked at."""

import re

# What is in secrets/ and may be read by anybody.
PUBLIC = (".crt", ".pub")
# What a program, or who watches over it, writes when it dies.
DEATHS = ("panic", "Segmentation", "core dumped", "AddressSanitizer", "runtime error", "terminated", "exited on signal", "got signal", "PHP Fatal", "SIGSEGV")
# Written by clients, or by what ran before the programs did.
NO_PROGRAM = re.compile(r"access\.log|(test|install|migrate)\.log")


def secrets(stack):
    """{file of secrets/: its words}, each of them a secret."""
    found = {}
    for file in sorted((stack.var / "secrets").iterdir()):
        if file.is_file() and file.suffix not in PUBLIC:
            lines = [line.strip() for line in file.read_text().splitlines()]
            found[file.name] = [line for line in lines if len(line) >= 16 and not line.startswith(("#", "-----"))]
            assert found[file.name], f"{file}: no secret in it"
    assert len(found) >= 9, found.keys()
    return found


def told(stack):
    """The secrets that stand in a log: (file of secrets/, log)."""
    logs = stack.all_logs()
    return [(name, log) for name, words in secrets(stack).items() for log, data in logs.items() if any(word.encode() in data for word in words)]


def died(stack):
    """The lines of all logs that tell of a death: (log, line)."""
    logs = {name: data.decode("utf-8", "replace") for name, data in stack.all_logs().items() if not NO_PROGRAM.search(name)}
    return [(name, line) for name, text in logs.items() for line in text.splitlines() if any(word in line for word in DEATHS)]


def programs(stack):
    """The names that have a log."""
    return {re.sub(r"\Alog/|/.*", "", name) for name in stack.all_logs()}
