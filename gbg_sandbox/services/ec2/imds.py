"""The instance metadata service: http://169.254.169.254 as a machine sees it. Its address tells who asks.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html
"""

from __future__ import annotations

import base64
import json
import logging
import secrets
import socket
import threading
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gbg_sandbox.credentials import Credential
from gbg_sandbox.machines.interface import METADATA_ADDRESS
from gbg_sandbox.services.ec2.answers import timestamp
from gbg_sandbox.services.ec2.state import Ec2State, Instance

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

log = logging.getLogger(__name__)

TOKEN_SECONDS_LIMIT = 21600
CREDENTIALS_SECONDS = 21600
REFRESH_BEFORE = timedelta(minutes=10)
POLL_SECONDS = 0.1
"""how long the end of a server may take"""
TREE_VERSIONS = ("latest", "2021-03-23", "2022-09-24", "2023-05-01", "2024-04-11")

Tree = dict[str, Any]
"""name → text, or with a slash at the end → a further tree; either may be a function that gives it"""


class MetadataService:
    """One HTTP server a network."""

    def __init__(self, cloud: Cloud, state: Ec2State) -> None:
        self.cloud = cloud
        self.state = state
        self._servers: dict[str, _Server] = {}
        self._credentials: dict[tuple[str, str], Credential] = {}
        self._tokens: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def serve(self, network: str) -> None:
        listener = self.cloud.machines.listen(network, METADATA_ADDRESS, 80)
        server = _Server(listener, network, self)
        threading.Thread(
            target=server.serve_forever, args=(POLL_SECONDS,), name=f"imds {network}", daemon=True
        ).start()
        self._servers[network] = server

    def stop_serving(self, network: str) -> None:
        server = self._servers.pop(network, None)
        if server is not None:
            server.shutdown()
            server.server_close()

    def stop(self) -> None:
        for network in list(self._servers):
            self.stop_serving(network)

    def instance_at(self, network: str, peer: str) -> Instance | None:
        address = self.cloud.machines.peer(network, peer)
        with self.state.lock:
            for one in self.state.instances.values():
                if one.vpc_id == network and one.address == address and one.state != "terminated":
                    return one
        return None

    def new_token(self, instance: Instance, seconds: int) -> str:
        token = secrets.token_urlsafe(40)
        with self._lock:
            now = time.monotonic()
            self._tokens = {name: kept for name, kept in self._tokens.items() if kept[1] > now}
            self._tokens[token] = (instance.id, now + seconds)
        return token

    def token_is_good(self, instance: Instance, token: str) -> bool:
        with self._lock:
            instance_id, until = self._tokens.get(token, ("", 0.0))
        return instance_id == instance.id and until > time.monotonic()

    def find(self, instance: Instance, path: str) -> str | None:
        """The text at a path like `latest/meta-data/ami-id`, a listing of a folder, or None."""
        version, _, rest = path.strip("/").partition("/")
        if version not in TREE_VERSIONS:
            return None
        found: Any = self._tree(instance)
        for part in [part for part in rest.split("/") if part]:
            if not isinstance(found, dict):
                return None
            found = found.get(part, found.get(f"{part}/"))
            if callable(found):
                found = found()
        if isinstance(found, dict):
            found = "\n".join(found)
        return None if found is None else str(found)

    def _tree(self, instance: Instance) -> Tree:
        meta_data: Tree = {
            "ami-id": instance.image_id,
            "ami-launch-index": str(instance.index),
            "hostname": instance.hostname,
            "instance-id": instance.id,
            "instance-life-cycle": "on-demand",
            "instance-type": instance.instance_type,
            "local-hostname": instance.hostname,
            "local-ipv4": instance.address,
            "mac": instance.mac,
            "network/": {"interfaces/": {"macs/": {f"{instance.mac}/": self._interface(instance)}}},
            "placement/": self._placement(instance),
            "reservation-id": instance.reservation_id,
            "security-groups": "\n".join(name for _, name in instance.groups),
            "services/": {"domain": "amazonaws.com", "partition": "aws"},
        }
        if instance.profile_arn:
            meta_data["iam/"] = lambda: self._iam(instance)
        if instance.metadata.tags == "enabled":
            meta_data["tags/"] = {"instance/": dict(instance.tags)}
        tree: Tree = {
            "dynamic/": {"instance-identity/": {"document": lambda: self._identity(instance)}},
            "meta-data/": meta_data,
        }
        if instance.user_data:
            tree["user-data"] = base64.b64decode(instance.user_data).decode("utf-8", "surrogateescape")
        return tree

    def _placement(self, instance: Instance) -> Tree:
        return {"availability-zone": instance.zone, "region": self.cloud.region}

    def _interface(self, instance: Instance) -> Tree:
        return {
            "device-number": "0",
            "interface-id": instance.interface_id,
            "local-hostname": instance.hostname,
            "local-ipv4s": instance.address,
            "mac": instance.mac,
            "owner-id": self.cloud.account,
            "security-group-ids": "\n".join(group_id for group_id, _ in instance.groups),
            "security-groups": "\n".join(name for _, name in instance.groups),
            "subnet-id": instance.subnet_id,
            "vpc-id": instance.vpc_id,
        }

    def _identity(self, instance: Instance) -> str:
        document = {
            "accountId": self.cloud.account,
            "architecture": instance.architecture,
            "availabilityZone": instance.zone,
            "imageId": instance.image_id,
            "instanceId": instance.id,
            "instanceType": instance.instance_type,
            "pendingTime": timestamp(instance.launched),
            "privateIp": instance.address,
            "region": self.cloud.region,
            "version": "2017-09-30",
        }
        return json.dumps(document, indent=2)

    def _iam(self, instance: Instance) -> Tree:
        role = self._role_of(instance)
        security_credentials = {role.rpartition("/")[2]: lambda: self._keys(instance, role)} if role else {}
        return {"info": lambda: self._info(instance, role), "security-credentials/": security_credentials}

    def _role_of(self, instance: Instance) -> str:
        """The role that is in the profile now; empty when profile or role is gone."""
        iam: Any = self.cloud.client("iam")
        try:
            found = iam.get_instance_profile(InstanceProfileName=instance.profile_arn.rpartition("/")[2])
        except ClientError as error:
            log.warning("instance profile of %s: %s", instance.id, error)
            return ""
        roles = found["InstanceProfile"]["Roles"]
        return str(roles[0]["Arn"]) if roles else ""

    def _info(self, instance: Instance, role: str) -> str:
        info = {
            "Code": "Success" if role else "InstanceProfileNotFound",
            "LastUpdated": timestamp(self.cloud.clock.now()),
            "InstanceProfileArn": instance.profile_arn,
            "InstanceProfileId": instance.profile_id,
        }
        return json.dumps(info, indent=2)

    def _keys(self, instance: Instance, role: str) -> str:
        """Temporary keys of the role, or why EC2 may not assume it, in the words of AWS's service."""
        now = self.cloud.clock.now()
        try:
            credential = self._credential(instance, role)
        except ClientError as error:
            refusal = {
                "Code": "AssumeRoleUnauthorizedAccess",
                "Message": f"EC2 cannot assume the role {role.rpartition('/')[2]}. {error}",
                "LastUpdated": timestamp(now),
            }
            return json.dumps(refusal, indent=2)
        assert credential.expires is not None
        keys = {
            "Code": "Success",
            "LastUpdated": timestamp(now),
            "Type": "AWS-HMAC",
            "AccessKeyId": credential.access_key,
            "SecretAccessKey": credential.secret_key,
            "Token": credential.token,
            "Expiration": timestamp(credential.expires),
        }
        return json.dumps(keys, indent=2)

    def _credential(self, instance: Instance, role: str) -> Credential:
        with self._lock:
            kept = self._credentials.get((instance.id, role))
        if kept and kept.expires and kept.expires - REFRESH_BEFORE > self.cloud.clock.now():
            return kept
        credential: Credential = self.cloud.service("sts").assume_for_service(
            role,
            acting="ec2.amazonaws.com",
            session=instance.id,
            source_arn="",
            real_seconds=CREDENTIALS_SECONDS,
            instance_id=instance.id,
        )
        with self._lock:
            self._credentials[(instance.id, role)] = credential
        return credential


class _Server(ThreadingMixIn, TCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, listener: socket.socket, network: str, service: MetadataService) -> None:
        super().__init__(listener.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.network = network
        self.service = service


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "EC2ws"
    sys_version = ""
    timeout = 30
    disable_nagle_algorithm = True

    def do_PUT(self) -> None:
        instance = self._instance()
        if instance is None:
            return
        if self.path.rstrip("/") != "/latest/api/token":
            return self._answer(404)
        ttl = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if (
            not ttl.isdecimal()
            or not 1 <= int(ttl) <= TOKEN_SECONDS_LIMIT
            or "X-Forwarded-For" in self.headers
        ):
            return self._answer(403 if "X-Forwarded-For" in self.headers else 400)
        token = self.server.service.new_token(instance, int(ttl))
        self._answer(200, token, {"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": ttl})

    def do_GET(self) -> None:
        instance = self._instance()
        if instance is None:
            return
        token = self.headers.get("X-aws-ec2-metadata-token")
        required = instance.metadata.http_tokens == "required"
        good = self.server.service.token_is_good(instance, token) if token else not required
        if not good:
            return self._answer(401)
        text = self.server.service.find(instance, self.path.partition("?")[0])
        self._answer(404) if text is None else self._answer(200, text)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _instance(self) -> Instance | None:
        """The asking instance; refuses the request when there is none or its endpoint is off."""
        instance = self.server.service.instance_at(self.server.network, self.client_address[0])
        if instance is None:
            self._answer(404)
        elif instance.metadata.http_endpoint == "disabled":
            self._answer(403)
            instance = None
        return instance

    def _answer(self, status: int, text: str = "", headers: dict[str, str] | None = None) -> None:
        body = text.encode("utf-8", "surrogateescape")
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        log.debug("%s %s", self.client_address[0], format % args)
