#!/usr/bin/env python3
"""Git credential helper: signs in to CodeCommit with AWS keys, on this machine's address too.

AWS's own helper (`aws codecommit credential-helper`) does the same sum but gives nothing to hosts that aren't
Amazon's unless told `--ignore-host-check`. This file uses the standard library only, so that git can run it
with any Python 3:

    [credential "http://127.0.0.1:4566"]
        helper = !python3 .../credential_helper.py --profile gbg
        useHttpPath = true

Keys come from the environment (AWS_ACCESS_KEY_ID ...), else from the profile in the shared credentials file.
https://git-scm.com/docs/gitcredentials#_custom_helpers
"""

from __future__ import annotations

import argparse
import configparser
import hashlib
import hmac
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

AMAZON_HOST = re.compile(r"git-codecommit(?:-fips)?\.([^.]+)\.amazonaws\.com")


@dataclass(frozen=True)
class Keys:
    access_key: str
    secret_key: str
    token: str = ""


class NoKeys(Exception):
    """Neither the environment nor the profile has keys."""


def git_signature(secret_key: str, region: str, host: str, path: str, timestamp: str) -> str:
    """Signature 4 of the made-up request `GIT <path>`; `timestamp` is like 20260131T235959, without a Z."""
    canonical = f"GIT\n{path}\n\nhost:{host.partition(':')[0]}\n\nhost\n"
    scope = [timestamp[:8], region, "codecommit", "aws4_request"]
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", timestamp, "/".join(scope), digest])
    key = f"AWS4{secret_key}".encode()
    for part in scope:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def login(keys: Keys, region: str, host: str, path: str, now: datetime) -> tuple[str, str]:
    """User name and password for git's HTTP basic authentication."""
    timestamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%S")
    user = f"{keys.access_key}%{keys.token}" if keys.token else keys.access_key
    return user, f"{timestamp}Z{git_signature(keys.secret_key, region, host, path, timestamp)}"


def find_keys(profile: str, environment: Mapping[str, str]) -> Keys:
    if not profile and environment.get("AWS_ACCESS_KEY_ID"):
        return Keys(
            environment["AWS_ACCESS_KEY_ID"],
            environment.get("AWS_SECRET_ACCESS_KEY", ""),
            environment.get("AWS_SESSION_TOKEN", ""),
        )
    name = profile or environment.get("AWS_PROFILE") or "default"
    section = _section(environment, "AWS_SHARED_CREDENTIALS_FILE", "credentials", name)
    if "aws_access_key_id" not in section:
        raise NoKeys(f"no AWS keys in the environment and none for profile {name!r}; run `gbg up`")
    return Keys(
        section["aws_access_key_id"], section["aws_secret_access_key"], section.get("aws_session_token", "")
    )


def find_region(profile: str, host: str, environment: Mapping[str, str]) -> str:
    told = AMAZON_HOST.match(host)
    if told:
        return told.group(1)
    name = profile or environment.get("AWS_PROFILE") or "default"
    section = _section(
        environment, "AWS_CONFIG_FILE", "config", name if name == "default" else f"profile {name}"
    )
    named = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    return (section.get("region") if profile else named) or named or section.get("region") or "us-east-1"


def _section(environment: Mapping[str, str], variable: str, default: str, name: str) -> Mapping[str, str]:
    parser = configparser.RawConfigParser()
    parser.read(Path(environment.get(variable) or Path.home() / ".aws" / default).expanduser())
    return dict(parser[name]) if parser.has_section(name) else {}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--profile", default="", help="profile of the shared credentials file")
    parser.add_argument("operation", choices=["get", "store", "erase"])
    told = parser.parse_args()
    asked = dict(line.rstrip("\n").split("=", 1) for line in sys.stdin if "=" in line)
    if told.operation != "get":
        return 0
    try:
        keys = find_keys(told.profile, os.environ)
    except NoKeys as error:
        sys.stderr.write(f"credential helper: {error}\n")
        return 1
    host = asked.get("host", "")
    if "path" not in asked:
        sys.stderr.write("credential helper: git gave no path; set credential.useHttpPath to true\n")
        return 1
    region = find_region(told.profile, host, os.environ)
    user, password = login(keys, region, host, f"/{asked['path']}", datetime.now(UTC))
    sys.stdout.write(f"username={user}\npassword={password}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
