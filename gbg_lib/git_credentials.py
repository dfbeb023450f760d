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

import botocore.session
from botocore.credentials import ReadOnlyCredentials

AMAZON_HOST = re.compile(r"git-codecommit(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--profile", default=os.environ.get("AWS_PROFILE") or None)
    parser.add_argument("operation", choices=["get", "store", "erase"])
    options = parser.parse_args()
    if options.operation != "get":
        return 0
    asked = dict(line.rstrip("\n").split("=", 1) for line in sys.stdin if "=" in line)
    session = botocore.session.Session(profile=options.profile)
    credentials = session.get_credentials()
    if credentials is None:
        sys.stderr.write("git credentials: no AWS keys found\n  try: `aws configure`, or set AWS_PROFILE\n")
        return 1
    region = session.get_config_variable("region") or "us-east-1"
    username, password = sign(
        asked["host"], asked.get("path", ""), region, credentials.get_frozen_credentials()
    )
    sys.stdout.write(f"username={username}\npassword={password}\n")
    return 0


def sign(
    host: str, path: str, region: str, keys: ReadOnlyCredentials, now: datetime | None = None
) -> tuple[str, str]:
    """User name and password for one repository, good for 15 minutes."""
    if found := AMAZON_HOST.match(host):
        region = found.group(1)
    stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%S")
    scope = f"{stamp[:8]}/{region}/codecommit/aws4_request"
    canonical = f"GIT\n/{path.lstrip('/')}\n\nhost:{host}\n\nhost\n"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{keys.secret_key}".encode()
    for part in (*scope.split("/"), text):
        digest = hmac.new(key, part.encode(), hashlib.sha256)
        key = digest.digest()
    username = f"{keys.access_key}%{keys.token}" if keys.token else str(keys.access_key)
    return username, f"{stamp}Z{digest.hexdigest()}"


if __name__ == "__main__":
    sys.exit(main())
