"""Git credential helper for CodeCommit under any kind of AWS profile, on AWS and on the sandbox.

    git -c credential.helper='!python -m gbg_lib.git_credentials --profile NAME' clone …

AWS's own helper does the same sum, but needs the aws command line and answers Amazon's hosts only.
https://docs.aws.amazon.com/codecommit/latest/userguide/setting-up-https-unixes.html
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import os
import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials

AMAZON_HOST = re.compile(r"(?:vpce-.+\.)?git-codecommit(?:-fips)?\.([a-z0-9-]+)\.(?:vpce\.)?amazonaws\.com")


class NoCredentials(Exception):
    """Why nothing can be signed, and what to try."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--profile", default=os.environ.get("AWS_PROFILE") or None)
    parser.add_argument("operation", choices=["get", "store", "erase"])
    options = parser.parse_args()
    asked = dict(line.rstrip("\n").split("=", 1) for line in sys.stdin if "=" in line)
    if options.operation != "get":
        return 0
    from botocore.exceptions import BotoCoreError

    try:
        username, password = answer(asked, options.profile)
    except (NoCredentials, BotoCoreError) as error:
        sys.stderr.write(f"git credentials: {error}\n")
        return 1
    sys.stdout.write(f"username={username}\npassword={password}\n")
    return 0


def answer(asked: dict[str, str], profile: str | None) -> tuple[str, str]:
    """User name and password for what git asks. Raises NoCredentials, BotoCoreError."""
    if "path" not in asked:
        raise NoCredentials("git gave no path\n  try: git config --global credential.useHttpPath true")
    import botocore.session

    session = botocore.session.Session(profile=profile)
    credentials = session.get_credentials()
    if credentials is None:
        raise NoCredentials("no AWS keys found\n  try: `aws configure`, or set AWS_PROFILE")
    region = session.get_config_variable("region") or "us-east-1"
    return sign(asked["host"], asked["path"], region, credentials.get_frozen_credentials())


def sign(
    host: str, path: str, region: str, keys: ReadOnlyCredentials, now: datetime | None = None
) -> tuple[str, str]:
    """User name and password for one repository, good for 15 minutes.

    Signature 4 of a made-up request `GIT <path>`; the host counts without its port.
    """
    name = host.partition(":")[0]
    if found := AMAZON_HOST.fullmatch(name):
        region = found.group(1)
    stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%S")
    scope = f"{stamp[:8]}/{region}/codecommit/aws4_request"
    canonical = f"GIT\n/{path.lstrip('/')}\n\nhost:{name}\n\nhost\n"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{keys.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    username = f"{keys.access_key}%{keys.token}" if keys.token else str(keys.access_key)
    return username, f"{stamp}Z{signature}"


if __name__ == "__main__":
    sys.exit(main())
