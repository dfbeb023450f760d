"""Git's password for CodeCommit is the one that AWS's own helper computes."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from gbg_sandbox.services.codecommit import credential_helper
from gbg_sandbox.services.codecommit.credential_helper import Keys, NoKeys, find_keys, find_region, login

NOW = datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC)


def botocores_signature(secret: str, region: str, host: str, path: str) -> str:
    """The sum with botocore's signer, as AWS's helper uses it."""
    signer = SigV4Auth(Credentials("AKIA", secret), "codecommit", region)
    request = AWSRequest(method="GIT", url=f"http://{host}{path}")
    request.context["timestamp"] = NOW.strftime("%Y%m%dT%H%M%S")
    text = signer.string_to_sign(request, f"GIT\n{path}\n\nhost:{host}\n\nhost\n")
    return str(signer.signature(text, request))


def test_password_is_timestamp_and_signature() -> None:
    user, password = login(Keys("AKIAX", "secret"), "eu-west-1", "127.0.0.1:4566", "/v1/repos/gbg-app", NOW)
    assert user == "AKIAX"
    expected = botocores_signature("secret", "eu-west-1", "127.0.0.1", "/v1/repos/gbg-app")
    assert password == "20261124T010203Z" + expected


def test_session_token_travels_in_the_user_name() -> None:
    user, _ = login(Keys("ASIAX", "secret", "to/k+en="), "us-east-1", "h", "/v1/repos/a", NOW)
    assert user == "ASIAX%to/k+en="


def test_profile_wins_over_environment_when_it_is_named(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text("[gbg]\naws_access_key_id = AKIAP\naws_secret_access_key = p\n")
    environment = {
        "AWS_SHARED_CREDENTIALS_FILE": str(file),
        "AWS_ACCESS_KEY_ID": "AKIAE",
        "AWS_SECRET_ACCESS_KEY": "e",
    }
    assert find_keys("gbg", environment) == Keys("AKIAP", "p")
    assert find_keys("", environment) == Keys("AKIAE", "e")
    with pytest.raises(NoKeys, match="nobody"):
        find_keys("nobody", environment)


def test_region_comes_from_amazons_host_name_first(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("[profile gbg]\nregion = eu-north-1\n")
    environment = {"AWS_CONFIG_FILE": str(file), "AWS_REGION": "us-west-2"}
    assert find_region("gbg", "git-codecommit.ap-south-1.amazonaws.com", environment) == "ap-south-1"
    assert find_region("gbg", "127.0.0.1", environment) == "eu-north-1"
    assert find_region("", "127.0.0.1", environment) == "us-west-2"


def test_helper_says_when_git_gives_no_path() -> None:
    done = subprocess.run(
        [sys.executable, "-I", credential_helper.__file__, "get"],
        input="protocol=http\nhost=127.0.0.1\n",
        env={"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "x"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "useHttpPath" in done.stderr
