"""One sandbox: everything that runs, wired together once.

Services and engines get the cloud as an argument and ask it for clients, clock, events and machines.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from gbg_sandbox.clock import Clock, ShuttingDown
from gbg_sandbox.credentials import Credential, Credentials
from gbg_sandbox.events import EventStream
from gbg_sandbox.gateway.clients import Clients
from gbg_sandbox.gateway.gateway import Gateway
from gbg_sandbox.gateway.moto_backend import MotoBackend
from gbg_sandbox.gateway.server import Listener
from gbg_sandbox.gateway.tls import Authority
from gbg_sandbox.gateway.trail import Trail
from gbg_sandbox.machines.interface import ENDPOINT_ADDRESS, Machines
from gbg_sandbox.page.web import Page
from gbg_sandbox.service import AwsError, Principal, Service
from gbg_sandbox.services import load_services

log = logging.getLogger(__name__)
Item = TypeVar("Item")

AFTER_FAILURE_SECONDS = 1.0
"""real time until an engine's next round when one has failed"""
SERVICE_LINKED = {"autoscaling.amazonaws.com": ("AWSServiceRoleForAutoScaling", "AutoScaling")}
"""service → its role and the name of its sessions"""
HOST_CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
MACHINE_CA_BUNDLE = "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"
"""where Amazon Linux keeps it; the other places are links to it"""


class Cloud:
    """The composition root. `machines` is given from outside, so that tests can pass a fake."""

    account = "123456789012"

    def __init__(
        self,
        state_dir: Path,
        *,
        open_machines: Callable[[Path, Mapping[str, bytes]], Machines],
        scale: float = 60.0,
        region: str = "us-east-1",
        port: int = 0,
    ) -> None:
        self.state_dir = state_dir
        self.region = region
        state_dir.mkdir(parents=True, exist_ok=True)
        self.clock = Clock(scale)
        self.events = EventStream()
        self._wrong: dict[str, set[tuple[str, str]]] = {}
        """what failed in the last round of a work's name"""
        self.trail = Trail()
        self.credentials = Credentials()
        self.authority = Authority()
        self.ca_file = state_dir / "ca.pem"
        self.ca_file.write_bytes(self.authority.certificate_pem)
        with ThreadPoolExecutor(1, "opening machines") as opener:  # half a second of waiting for others
            self._machines = opener.submit(open_machines, state_dir / "machines", self._site_files())
            self._wire(port)
        self._machines.result()

    def _wire(self, port: int) -> None:
        self.moto = MotoBackend(self.account, self.region)
        self.aws = Principal(kind="aws", arn=f"arn:aws:iam::{self.account}:root", account=self.account)
        self.gateway = Gateway(self)
        self.clients = Clients(self)
        self.services: dict[str, Service] = load_services(self)
        self.page = Page(self)
        self._listener = Listener.on_port(self.gateway, port)
        self.endpoint_url = f"http://127.0.0.1:{self._listener.port}"
        self._network_listeners: dict[str, list[Listener]] = {}
        self._jobs: set[threading.Thread] = set()
        self._lock = threading.Lock()

    @property
    def machines(self) -> Machines:
        return self._machines.result()

    def start(self) -> None:
        """Answer requests from now on."""
        self._listener.start()
        for service in self.services.values():
            service.start()

    def stop(self) -> None:
        """End engines, machines and listeners; leaves no thread that does work, and no process."""
        self.clock.stop()
        for service in self.services.values():
            service.stop()
        self.machines.close()
        for network in list(self._network_listeners):
            self.network_removed(network)
        self._listener.stop()
        for job in list(self._jobs):
            job.join(timeout=2)
        self.events.close()
        self.moto.close()

    def service(self, name: str) -> Any:
        """The service object itself, for what has no AWS API."""
        return self.services[name]

    def client(
        self,
        service: str,
        *,
        principal: Principal | None = None,
        role: str = "",
        acting: str = "",
        session: str = "",
        source_arn: str = "",
    ) -> Any:
        """A client through the gateway: as AWS itself, as `principal`, or under `role`.

        `acting` alone is a service under its service-linked role, where it has one, which may do everything.
        With `role`, `acting` is the AWS service that assumes it (`codepipeline.amazonaws.com`); the role's
        trust policy decides, and a refusal is botocore's ClientError with AccessDenied.
        """
        if role:
            principal = self.assume(role, acting=acting, session=session, source_arn=source_arn).principal
        elif principal is None and acting in SERVICE_LINKED:
            principal = self._linked(acting)
        return self.clients.client(service, principal or self.aws)

    def _linked(self, acting: str) -> Principal:
        """https://docs.aws.amazon.com/autoscaling/ec2/userguide/autoscaling-service-linked-role.html"""
        role, session = SERVICE_LINKED[acting]
        arn = f"arn:aws:sts::{self.account}:assumed-role/{role}/{session}"
        return Principal(kind="aws", arn=arn, account=self.account, session_name=session, service=acting)

    def assume(
        self,
        role: str,
        *,
        acting: str,
        session: str = "",
        source_arn: str = "",
        real_seconds: float = 3600,
    ) -> Credential:
        """Temporary keys of a role for an AWS service that acts under it. Raises botocore's ClientError."""
        issued: Credential = self.service("sts").assume_for_service(
            role, acting=acting, session=session, source_arn=source_arn, real_seconds=real_seconds
        )
        return issued

    def stored(self, service: str) -> Any:
        """A client straight to moto's records: no IAM, no events, no engines."""
        return self.moto.client(service)

    def ask_stored(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        """moto's answer from its records; its refusal goes to the caller as it is. Raises AwsError."""
        try:
            found: dict[str, Any] = getattr(self.stored(service), operation)(**params)
        except ClientError as error:
            raise AwsError.of(error) from error
        found.pop("ResponseMetadata", None)
        return found

    def authorise(
        self, principal: Principal, action: str, resource: str = "*", context: Mapping[str, Any] | None = None
    ) -> None:
        """Raise AwsError AccessDenied unless `principal` may."""
        self.gateway.authorise(principal, action, resource, context or {})

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def spawn(self, name: str, function: Callable[..., object], *args: Any) -> threading.Thread:
        """Run engine work in a thread of its own; a failure is logged and published, never lost."""

        def work() -> None:
            try:
                function(*args)
            except ShuttingDown:
                pass
            except Exception as error:
                if self.clock.stopped:
                    return
                self._failed(name, error)
            finally:
                with self._lock:
                    self._jobs.discard(thread)

        thread = threading.Thread(target=work, name=name, daemon=True)
        with self._lock:
            self._jobs.add(thread)
        thread.start()
        return thread

    def keep(self, name: str, go_round: Callable[[], object]) -> threading.Thread:
        """Do `go_round`, which waits itself, again and again in a thread of its own until the sandbox stops.

        A round that fails is logged and published, and does not end the next ones.
        """

        def rounds() -> None:
            while True:
                try:
                    go_round()
                except ShuttingDown:
                    return
                except Exception as error:
                    if self.clock.stopped:
                        return
                    self._failed(name, error)
                    self.clock.pause(AFTER_FAILURE_SECONDS)

        return self.spawn(name, rounds)

    def each(self, name: str, items: Mapping[str, Item], act: Callable[[Item], object]) -> None:
        """A round's work on each of its items, by what they are called: one that fails is told by that, and
        keeps no other from its turn.

        One that fails the same way at once again is not told again: rounds are many.
        """
        wrong: set[tuple[str, str]] = set()
        for called, item in items.items():
            try:
                act(item)
            except ShuttingDown:
                raise
            except Exception as error:
                if self.clock.stopped:
                    raise ShuttingDown from error
                wrong.add((called, repr(error)))
                if (called, repr(error)) not in self._wrong.get(name, ()):
                    self._failed(f"{name} {called}", error)
        self._wrong[name] = wrong

    def _failed(self, name: str, error: Exception) -> None:
        log.error("%s failed", name, exc_info=error)
        self.events.publish("gbg.sandbox", "Engine Failure", {"job": name, "error": repr(error)})

    def network_added(self, network: str) -> None:
        """Serve the AWS endpoints inside a new network."""
        secure = self.machines.listen(network, ENDPOINT_ADDRESS, 443)
        plain = self.machines.listen(network, ENDPOINT_ADDRESS, 80)
        listeners = [
            Listener(self.gateway, secure, tls=self.authority),
            Listener(self.gateway, plain),
        ]
        for listener in listeners:
            listener.start()
        self._network_listeners[network] = listeners

    def network_removed(self, network: str) -> None:
        for listener in self._network_listeners.pop(network, []):
            listener.stop()

    def _site_files(self) -> dict[str, bytes]:
        """What this sandbox adds to every machine: its certificate authority among the trusted ones."""
        bundle = Path(HOST_CA_BUNDLE).read_bytes() if os.access(HOST_CA_BUNDLE, os.R_OK) else b""
        return {MACHINE_CA_BUNDLE: bundle + self.authority.certificate_pem}
