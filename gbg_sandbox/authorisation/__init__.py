"""IAM: who may do what. The rest of the sandbox uses these functions only."""

from gbg_sandbox.authorisation.door import (
    authorise,
    authorise_service,
    changed,
    check_request,
    check_session_policies,
    check_trust,
    find_role,
)

__all__ = [
    "authorise",
    "authorise_service",
    "changed",
    "check_request",
    "check_session_policies",
    "check_trust",
    "find_role",
]
