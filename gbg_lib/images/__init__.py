"""Golden AMIs: which there are, what each came from, what is in them, which may go, which must not be used.

Decided from the live state and from the tags that a bake writes; nothing is kept beside them.
"""

from gbg_lib.images.golden import GoldenImage, golden_images
from gbg_lib.images.lineage import Lineage, Revocation, read_lineage
from gbg_lib.images.packages import PackageChange, PackageList, difference, package_list
from gbg_lib.images.pruning import PrunePlan, plan_pruning, prune
from gbg_lib.images.revocation import RevocationPlan, plan_reinstatement, plan_revocation, reinstate, revoke
from gbg_lib.images.usage import Usage, read_usage

__all__ = [
    "GoldenImage",
    "Lineage",
    "PackageChange",
    "PackageList",
    "PrunePlan",
    "Revocation",
    "RevocationPlan",
    "Usage",
    "difference",
    "golden_images",
    "package_list",
    "plan_pruning",
    "plan_reinstatement",
    "plan_revocation",
    "prune",
    "read_lineage",
    "read_usage",
    "reinstate",
    "revoke",
]
