"""What is told: the reason first, then where, what to try, and where it is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass

SUBJECT_LONGEST = 99
"""characters of an SNS subject: fewer than 100, all of them printable ASCII"""
SLACK_LONGEST = 30_000
"""characters; Slack cuts a text at 40,000"""


@dataclass(frozen=True)
class Message:
    status: str
    """done, failed, or another of a result's"""
    reason: str
    about: str
    """which run of what: `04_release of shop in eu-west-1, 83 s`"""
    where: str = ""
    try_this: str = ""
    kept: str = ""
    """folder or s3:// address of the run"""

    @property
    def subject(self) -> str:
        plain = re.sub(r"[^\x20-\x7e]+", " ", f"{self.status}: {self.reason}").strip()
        return plain if len(plain) <= SUBJECT_LONGEST else plain[: SUBJECT_LONGEST - 3] + "..."

    @property
    def text(self) -> str:
        rest = {"where": self.where, "try": self.try_this, "run": self.about, "kept": self.kept}
        lines = [f"{name}: {value}" for name, value in rest.items() if value]
        return "\n".join([f"{self.status}: {self.reason}", *lines])

    @property
    def slack(self) -> dict[str, str]:
        """https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, a JSON object."""
        escaped = self.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return {"text": escaped[:SLACK_LONGEST]}
