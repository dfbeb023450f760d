"""Between this machine and itself stands no proxy, whatever a shell says about proxies.

Where one is set and nothing is exempted, every program asks it for the sandbox's address, too.
"""

from __future__ import annotations

from collections.abc import Mapping

PROXIES = ("http_proxy", "https_proxy", "all_proxy")
EXEMPTED = ("localhost", "127.0.0.1")
NAMES = ("no_proxy", "NO_PROXY")
"""Python and curl heed the first, where both are there; others know the second only"""


def exemption(environment: Mapping[str, str]) -> dict[str, str]:
    """What to add to an environment; nothing where it names no proxy."""
    if not any(value for name, value in environment.items() if name.lower() in PROXIES):
        return {}
    told = next((environment[name] for name in NAMES if environment.get(name)), "")
    words = [word.strip() for word in told.split(",") if word.strip()]
    if "*" not in words:
        words += [one for one in EXEMPTED if one not in words]
    return dict.fromkeys(NAMES, ",".join(words))
