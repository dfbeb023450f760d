"""journalctl: the journal of pid 1, filtered by unit, boot, time and number of lines."""

from __future__ import annotations

import json
import re
import sys
import time

from init import journal, unitfiles
from systemctl import Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

WITH_VALUE = (
    "-u",
    "--unit",
    "-n",
    "--lines",
    "-o",
    "--output",
    "-S",
    "--since",
    "-U",
    "--until",
    "-t",
    "--identifier",
)
AGO = re.compile(r"(?:-?)(\d+)\s*(s|sec|seconds?|m|min|minutes?|h|hours?|days?)(?: ago)?")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def main(arguments: Sequence[str]) -> int:
    options = Options(_separated(arguments))
    units = {unitfiles.full_name(name) for name in options.value("-u", "--unit").split(",") if name}
    identifier = options.value("-t", "--identifier")
    since = _moment(options.value("-S", "--since")) if options.value("-S", "--since") else 0.0
    until = _moment(options.value("-U", "--until")) if options.value("-U", "--until") else float("inf")
    entries = [
        entry
        for entry in journal.read()
        if (not units or entry.unit in units)
        and (not identifier or entry.identifier.partition("[")[0] == identifier)
        and since <= entry.time <= until
    ]
    if options.has("-b", "--boot", "-xb") and entries:
        last_boot = entries[-1].boot
        entries = [entry for entry in entries if entry.boot == last_boot]
    number = options.value("-n", "--lines")
    if number and number != "all":
        entries = entries[-int(number) :]
    if options.has("-r", "--reverse"):
        entries.reverse()
    form = options.value("-o", "--output", default="short")
    for entry in entries:
        print(_printed(entry, form))
    if not entries:
        print("-- No entries --")
    if options.has("-f", "--follow"):
        _follow(units)
    return 0


def _separated(arguments: Sequence[str]) -> list[str]:
    """`-xeu name` and `-n50` taken apart; options with a value joined by `=`."""
    words: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if re.fullmatch(r"-[a-zA-Z]{2,}", word):
            words += [f"-{letter}" for letter in word[1:-1]]
            word = f"-{word[-1]}"
        match = re.fullmatch(r"(-n)(\d+)", word)
        if match:
            words.append(f"{match[1]}={match[2]}")
        elif word in WITH_VALUE and rest:
            words.append(f"{word}={rest.pop(0)}")
        else:
            words.append(word)
    return words


def _moment(text: str) -> float:
    if text == "today":
        return time.time() // 86400 * 86400
    match = AGO.fullmatch(text)
    if match:
        return time.time() - int(match[1]) * SECONDS[match[2][0]]
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"):
        try:
            return time.mktime(time.strptime(text.removesuffix(" UTC"), form))
        except ValueError:
            continue
    sys.exit(f"Failed to parse timestamp: {text}")


def _printed(entry: journal.Entry, form: str) -> str:
    if form == "cat":
        return str(entry.message)
    if form.startswith("json"):
        fields = {"__REALTIME_TIMESTAMP": str(int(entry.time * 1e6)), "_SYSTEMD_UNIT": entry.unit}
        return json.dumps({**fields, "_BOOT_ID": entry.boot, "MESSAGE": entry.message})
    return journal.line(entry)


def _follow(units: set[str]) -> None:
    seen = time.time()
    while True:
        time.sleep(0.2)
        for entry in journal.read():
            if entry.time > seen and (not units or entry.unit in units):
                print(journal.line(entry), flush=True)
                seen = entry.time
