"""The gate before traffic moves: green answers directly, as this very release, while blue serves."""

from __future__ import annotations

from collections import Counter

from gbg_lib.aws import Aws
from gbg_lib.deployments import targets
from gbg_lib.gates.gate import Finding
from gbg_lib.smoke import Answers, smoke

TELLING = ("commit", "image", "deployment")


def smoke_test(aws: Aws, deployment_id: str, wanted: dict[str, str]) -> Finding:
    """Asks every green machine. `wanted` has commit, image and deployment, as /health names them."""
    green = [target.instance for target in targets(aws, deployment_id) if target.side == "Green"]
    if not green:
        return Finding("can't tell", f"{deployment_id} has no green machine", "look at its lifecycle events")
    return judged(smoke(aws, green), wanted)


def judged(answers: Answers, wanted: dict[str, str]) -> Finding:
    """No answer, or another release's, fails; a machine that names no release can't be told."""
    if not answers.ok:
        return Finding("fail", answers.told, "read the machine's log; blue serves on")
    others: Counter[str] = Counter()
    silent = []
    for machine in answers.machines:
        facts = {name: machine.facts[name] for name in TELLING if name in machine.facts}
        if not facts:
            silent.append(machine.instance)
        for name, value in facts.items():
            if wanted.get(name) and value != wanted[name]:
                others[f"{machine.instance} is of {name} {value}, not {wanted[name]}"] += 1
    if others:
        return Finding("fail", "; ".join(others), "this is another release than the one that is deployed")
    if silent:
        found = f"{answers.told}, but {', '.join(silent)} don't say which release they are"
        return Finding("can't tell", found, "look at the page of a green machine, then decide")
    return Finding("pass", f"{answers.told} as commit {wanted.get('commit', '?')[:8]}")
