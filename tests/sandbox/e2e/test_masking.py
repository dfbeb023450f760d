"""Secrets of every kind, planted in a real run: none is found, and each is where nothing masks."""

from __future__ import annotations

import base64
import html
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.command import ROOT, clean_environment
from tests.notebooks.small import PARAMETERS, write_notebook
from tests.sandbox.e2e.listener import Listener
from tests.sandbox.e2e.world import World
from tests.webhooks import chat

PATIENCE_SECONDS = 300
IN_ENVIRONMENT = {
    "PLANTED_API_KEY": "pl4nted/environment+secret",
    "AWS_SECRET_ACCESS_KEY": "pl4ntedEnvironmentSecretAccessKey0000000",
    "AWS_SESSION_TOKEN": "pl4ntedEnvironmentSessionToken",
}
NO_ECHO, KEPT = 'pl4nted <no> "echo"', "pl4nted-kept-in-parameter-store"
SHAPED = {
    "access key": "AKIAPLANTEDAAAAAAAAA",
    "secret key of a file": "pl4ntedFileSecretKey/0000000000000000000",
    "bearer": "pl4nted.bearer.token-0123456789",
    "private key": "MIIEpl4ntedPrivateKeyMaterial",
    "password in an address": "pl4nted-database-password",
    "JSON web token": "eyJwbDRudGVk0.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl",
}
LOOKS = """
access_key = "AKIAPLANTEDAAAAAAAAA"
shaped = [
    access_key,
    "aws_secret_access_key = pl4ntedFileSecretKey/0000000000000000000",
    "Authorization: Bearer pl4nted.bearer.token-0123456789",
    "-----BEGIN RSA PRIVATE KEY-----\\nMIIEpl4ntedPrivateKeyMaterial\\n-----END RSA PRIVATE KEY-----",
    "postgres://app:pl4nted-database-password@10.0.0.9/shop",
    "eyJwbDRudGVk0.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl",
]
"""
LEARNS = """
import base64, html, json, os, sys, time
from urllib.parse import quote
from IPython.display import HTML, display
from gbg_lib.aws import open_aws
from gbg_lib.errors import GateRefused
from gbg_lib.parameters import Parameters

aws = open_aws(Parameters(cloud=cloud, deployment=deployment))
words = json.loads(os.environ["PLANTED_NOT_NAMED"])
template = {"Parameters": {"Word": {"Type": "String", "NoEcho": True}}, "Resources": {
    "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "x"}}}}
aws.call("cloudformation", "create_stack", StackName=f"words-{time.time_ns()}",
         TemplateBody=json.dumps(template),
         Parameters=[{"ParameterKey": "Word", "ParameterValue": words[0]}])
aws.call("ssm", "put_parameter", Name="/planted/word", Type="SecureString", Value=words[1], Overwrite=True)
kept = aws.call("ssm", "get_parameter", Name="/planted/word", WithDecryption=True)["Parameter"]["Value"]
keys = aws.keys()
named = [os.environ[name] for name in json.loads(os.environ["PLANTED_NAMES"])]
found = [words[0], kept, keys.secret_key, *named, notify]
"""
SAYS = """
print(found, *shaped, sep="\\n")
print(json.dumps(found + shaped), file=sys.stderr)
display(HTML("<b>" + html.escape(" ".join(found)) + "</b>"))
print(*(base64.b64encode(one.encode()).decode() for one in found), *(quote(one, safe="") for one in found))
print(found[3][:12], end="", flush=True); time.sleep(0.1); print(found[3][12:])
found + shaped
"""
FAILS = """raise GateRefused("gate " + found[0], " ".join(found + shaped), " ".join(found))"""


@dataclass(frozen=True)
class Planted:
    secrets: dict[str, str]
    """what it is → the text that may be nowhere"""
    notebook: Path
    environment: dict[str, str]
    listener: Listener
    chat_url: str
    said: list[dict[str, str]]


@pytest.fixture(scope="module")
def planted(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    folder = tmp_path_factory.mktemp("planted")
    first = PARAMETERS + 'cloud = "sandbox"\ndeployment = "gbg"\nnotify = ""'
    notebook = write_notebook(folder / "planted.ipynb", first, LOOKS, LEARNS, SAYS, FAILS)
    profile = ConfigParser()
    profile.read(world.home.credentials_file)
    environment = clean_environment(
        GBG_HOME=str(world.home.folder),
        GBG_RUNS=str(folder / "runs"),
        PLANTED_NAMES=json.dumps(list(IN_ENVIRONMENT)),
        PLANTED_NOT_NAMED=json.dumps([NO_ECHO, KEPT]),
        **IN_ENVIRONMENT,
    )
    with chat() as room:
        secrets = {
            "NoEcho parameter": NO_ECHO,
            "SecureString": KEPT,
            "secret key of the profile": profile[profile.sections()[0]]["aws_secret_access_key"],
            "webhook's path": "T0/secret-path",
            **{f"${name}": value for name, value in IN_ENVIRONMENT.items()},
            **SHAPED,
        }
        yield Planted(secrets, notebook, environment, Listener(world, "planted"), room.url, room.said)


def forms(secret: str) -> set[str]:
    """A secret as texts write it."""
    return {
        secret,
        json.dumps(secret)[1:-1],
        html.escape(secret),
        quote(secret, safe=""),
        base64.b64encode(secret.encode()).decode().rstrip("=")[:-1],
    }


def found_in(texts: dict[str, str], secrets: dict[str, str]) -> set[tuple[str, str]]:
    """Which secret is where."""
    return {
        (name, place)
        for name, secret in secrets.items()
        for place, text in texts.items()
        if any(form in text for form in forms(secret))
    }


def files_below(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file()}


def test_nothing_that_a_run_leaves_or_says_holds_a_planted_secret(planted: Planted) -> None:
    notify = f"{planted.chat_url}, {planted.listener.topic}"
    done = subprocess.run(
        [sys.executable, "-m", "gbg_cli", "run", str(planted.notebook), "-p", f"notify={notify}", "--json"],
        cwd=ROOT,
        env=planted.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 3, done.stdout + done.stderr
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (heard := planted.listener.heard()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    [folder] = Path(planted.environment["GBG_RUNS"]).iterdir()
    texts = files_below(folder) | {
        "stdout": done.stdout,
        "stderr": done.stderr,
        "chat": json.dumps(planted.said),
        "topic": json.dumps(heard),
    }
    assert {
        "planted.ipynb",
        "planted.html",
        "result.json",
        "journal.jsonl",
        "given.json",
        "run.json",
    } <= texts.keys()
    assert found_in(texts, planted.secrets) == set()
    for place in (
        "planted.ipynb",
        "planted.html",
        "result.json",
        "stdout",
        "stderr",
        "chat",
        "topic",
        "given.json",
    ):
        assert "****" in texts[place], place


def test_grep_finds_every_one_of_them_where_nothing_masks(planted: Planted, tmp_path: Path) -> None:
    """The control: the same notebook, run by papermill's own engine."""
    out = tmp_path / "out.ipynb"
    words = [str(planted.notebook), str(out), "-p", "notify", planted.chat_url, "--no-progress-bar"]
    done = subprocess.run(
        [sys.executable, "-m", "papermill", *words],
        cwd=ROOT,
        env=planted.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    texts = files_below(tmp_path) | {"stderr": done.stderr}
    found = found_in(texts, planted.secrets)
    assert {name for name, _ in found} == set(planted.secrets), done.stderr
    assert {name for name, place in found if place == "stderr"} == set(planted.secrets)
