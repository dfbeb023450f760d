"""Where a release comes from and what came of it, as a manifest tells it.

https://slsa.dev/spec/v1.0/provenance
"""

from __future__ import annotations

from typing import Any

from gbg_lib.record.gathering import Gathering, Subject
from gbg_lib.record.manifest import Resource
from gbg_lib.record.summary import tags


def external(subject: Subject, found: Gathering) -> dict[str, Any]:
    """What a person or a push decided: repository, branch, commit, the stacks' parameters."""
    given = {
        one.id.partition(":")[2]: {
            parameter["ParameterKey"]: parameter["ParameterValue"]
            for parameter in one.data.get("Parameters", [])
        }
        for one in found.of("stack")
    }
    return {
        "deployment": subject.deployment,
        "repository": subject.base["RepositoryName"],
        "branch": subject.output("BranchName"),
        "commit": subject.commit,
        "stacks": given,
    }


def released(subject: Subject, found: Gathering) -> list[Resource]:
    """What came of it, by digest: the build's artifact and its files. An AMI has none that AWS tells."""
    made = []
    for one in found.of("artifact"):
        name = one.id.partition(":")[2]
        made.append(Resource(name, {"sha256": one.data["sha256"]}, role="released"))
        made += [
            Resource(f"{name}/{member}", {"sha256": sha}, role="released")
            for member, sha in one.data["members"].items()
            if member.endswith((".war", ".jar"))
        ]
    return made


def dependencies(subject: Subject, found: Gathering) -> list[Resource]:
    region, needed = subject.aws.region, []
    if subject.commit:
        url = subject.base["RepositoryCloneUrlHttp"]
        needed.append(Resource("", {"gitCommit": subject.commit}, uri=f"git+{url}"))
    for one in found.of("source"):
        needed.append(Resource("source.zip", {"sha256": one.data["sha256"]}))
    for one in found.of("image"):
        image = one.data["ImageId"]
        fingerprint = tags(one.data).get("gbg:packages", "")
        digest = {"gbgPackages": fingerprint} if fingerprint else {}
        needed.append(Resource(one.id, digest, uri=f"urn:aws:ec2:{region}:image/{image}"))
    return needed
