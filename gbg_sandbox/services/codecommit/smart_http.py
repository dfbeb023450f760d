"""Git's own protocol over HTTP: `git http-backend` behind CodeCommit's way of signing in.

A client first asks without credentials, is told 401, and comes back with HTTP basic authentication whose
password is a signature. Reading needs codecommit:GitPull, pushing GitPush.
https://git-scm.com/docs/git-http-backend
"""

from __future__ import annotations

import hashlib
import hmac
import re
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING

from werkzeug import Request, Response

from gbg_sandbox.service import AwsError, Principal
from gbg_sandbox.services.codecommit.git import environment

if TYPE_CHECKING:
    from gbg_sandbox.services.codecommit.api import CodeCommit
    from gbg_sandbox.services.codecommit.state import Repository

PATH = re.compile(r"(/v1/repos/(?P<name>[\w.-]+?))/(?P<rest>info/refs|git-upload-pack|git-receive-pack)")
PASSWORD = re.compile(r"(\d{8}T\d{6})Z([0-9a-f]{64})")
LEEWAY = timedelta(minutes=15)
CHUNK = 65536
MEMORY_LIMIT = 8 * 1024 * 1024


class Refusal(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text

    def response(self) -> Response:
        response = Response(self.text + "\n", status=self.status, content_type="text/plain")
        if self.status == 401:
            response.headers["WWW-Authenticate"] = 'Basic realm="AWS CodeCommit"'
        return response


class SmartHttp:
    def __init__(self, service: CodeCommit) -> None:
        self._service = service
        self._cloud = service.cloud

    def handle(self, request: Request) -> Response:
        try:
            return self._answer(request)
        except Refusal as refusal:
            return refusal.response()

    def _answer(self, request: Request) -> Response:
        found = PATH.fullmatch(request.path)
        if found is None:
            raise Refusal(404, f"{request.path} is not a git address; clone http://HOST/v1/repos/NAME")
        principal = self._who(request, found.group(1))
        pushing = "git-receive-pack" in (found["rest"], request.args.get("service", ""))
        action = "codecommit:GitPush" if pushing else "codecommit:GitPull"
        with tempfile.SpooledTemporaryFile(MEMORY_LIMIT) as body:
            length = _copy(request.stream, body)
            context = {"codecommit:References": _references(body)} if pushing and length else {}
            self._authorise(principal, action, found["name"], context)
            repository = self._repository(found["name"])
            body.seek(0)
            if pushing and found["rest"] == "git-receive-pack":
                with self._service.changing(repository, principal.arn):
                    return _drained(self._backend(request, repository, found["rest"], body, length))
            return self._backend(request, repository, found["rest"], body, length)

    def _who(self, request: Request, path: str) -> Principal:
        login = request.authorization
        if login is None or login.type != "basic":
            raise Refusal(401, "Sign in with AWS keys; `gbg env` sets git's credential helper")
        access_key, _, token = (login.username or "").partition("%")
        credential = self._cloud.credentials.find(access_key)
        signed = PASSWORD.fullmatch(login.password or "")
        if credential is None or signed is None or not hmac.compare_digest(credential.token, token):
            raise Refusal(403, "The security token included in the request is invalid")
        moment = datetime.strptime(signed[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        if credential.expired or abs(self._cloud.clock.now() - moment) > LEEWAY:
            raise Refusal(403, "The signature has expired")
        expected = git_signature(credential.secret_key, self._cloud.region, request.host, path, signed[1])
        if not hmac.compare_digest(expected, signed[2]):
            raise Refusal(403, "The signature does not match; check the secret access key and the region")
        return credential.principal

    def _authorise(self, principal: Principal, action: str, name: str, context: dict[str, list[str]]) -> None:
        try:
            self._cloud.authorise(principal, action, self._cloud.arn("codecommit", name), context)
        except AwsError as error:
            raise Refusal(403, error.message) from error

    def _repository(self, name: str) -> Repository:
        try:
            return self._service.repositories.get(name)
        except AwsError as error:
            raise Refusal(404, error.message) from error

    def _backend(
        self, request: Request, repository: Repository, rest: str, body: IO[bytes], length: int
    ) -> Response:
        variables = {
            **environment(),
            "GIT_PROJECT_ROOT": str(repository.git.path.parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{repository.git.path.name}/{rest}",
            "REQUEST_METHOD": request.method,
            "QUERY_STRING": request.query_string.decode("latin-1"),
            "CONTENT_TYPE": request.content_type or "",
            "CONTENT_LENGTH": str(length),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "codecommit",
            "REMOTE_ADDR": request.remote_addr or "",
        }
        # http-backend inherits the descriptor: the body has to be a real file by now
        body.fileno()
        backend = subprocess.Popen(
            ["git", "http-backend"],
            stdin=body,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=variables,
        )
        assert backend.stdout is not None
        return _response(backend.stdout, backend)


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


def _response(stream: IO[bytes], backend: subprocess.Popen[bytes]) -> Response:
    """A CGI answer: headers up to an empty line, then the body, passed on as it comes."""
    headers: list[tuple[str, str]] = []
    status = 200
    while line := stream.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        if name.lower() == "status":
            status = int(value.split()[0])
        else:
            headers.append((name, value.strip()))
    if not headers:
        backend.wait()
        raise Refusal(500, "git http-backend gave no answer")

    def chunks() -> Iterator[bytes]:
        try:
            while chunk := stream.read1(CHUNK):  # type: ignore[attr-defined]
                yield chunk
        finally:
            stream.close()
            backend.terminate()
            backend.wait()

    return Response(chunks(), status=status, headers=headers)


def _drained(response: Response) -> Response:
    """The whole answer at once: after a push the references have to be compared before git is told."""
    return Response(b"".join(response.response), status=response.status_code, headers=list(response.headers))  # type: ignore[arg-type]


def _copy(source: IO[bytes], target: IO[bytes]) -> int:
    length = 0
    while chunk := source.read(CHUNK):
        target.write(chunk)
        length += len(chunk)
    return length


def _references(body: IO[bytes]) -> list[str]:
    """The names in a push's command list: packets `old new name`, up to the flush packet."""
    body.seek(0)
    names = []
    while (size := body.read(4)) not in (b"", b"0000"):
        fields = body.read(int(size, 16) - 4).partition(b"\0")[0].decode(errors="replace").split()
        if len(fields) == 3:
            names.append(fields[2])
    return names
