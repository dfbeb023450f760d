"""Operations on functions: create, change, describe, delete."""

from __future__ import annotations

import re
import secrets
import shutil
import threading
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from werkzeug import Request, Response

from gbg_sandbox.paging import page
from gbg_sandbox.service import AwsError, Call, Route, Service, modelled, runs
from gbg_sandbox.services.lambda_.code import read_archive, unpack
from gbg_sandbox.services.lambda_.engine import PRINCIPAL, Engine
from gbg_sandbox.services.lambda_.state import NAME, Code, Function, Functions

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

RUNTIMES = ("python3.11", "python3.12", "python3.13", "python3.14")
"""all run on the Python that runs the sandbox"""
SETTLING_SECONDS = 1.0
"""AWS seconds until a new or changed function is ready"""
MOST_ENVIRONMENT_BYTES = 4096
RESERVED = frozenset(
    {
        *("_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV"),
        *("AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION"),
        *("AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"),
        *("AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        *("AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"),
    }
)
ONLY: dict[str, tuple[Any, ...]] = {
    "PackageType": ("Zip",),
    "Architectures": (["x86_64"],),
    "TracingConfig": ({"Mode": "PassThrough"}, {}),
    "SnapStart": ({"ApplyOn": "None"}, {}),
    "Publish": (False,),
}
"""parameters that are taken with these values alone"""
NOT_RUN = (
    *("DeadLetterConfig", "KMSKeyArn", "Layers", "FileSystemConfigs", "CodeSigningConfigArn", "ImageConfig"),
    *("TenancyConfig", "CapacityProviderConfig", "DurableConfig", "RuntimeConfig", "AcceleratorConfig"),
    *("PublishTo", "ImageUri", "SourceKMSKeyArn"),
)
CODE_PATH = "/lambda-code/"


class FunctionsApi(Service):
    name = "lambda"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.lock = threading.RLock()
        self.functions = Functions(cloud.arn("lambda", "function:"))
        self.engine = Engine(cloud)
        self._downloads: dict[str, Code] = {}

    def routes(self) -> list[Route]:
        return [Route(r".*", CODE_PATH + r"[0-9a-f]{32}", self._download)]

    @runs
    def create_function(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        found = NAME.fullmatch(params["FunctionName"])
        if found is None or found["qualifier"]:
            raise _invalid(f"The function name {params['FunctionName']} is not valid")
        _check(params)
        for required in ("Runtime", "Handler"):
            if not params.get(required):
                raise _invalid(f"{required} is mandatory for functions created with deployment packages")
        name = found["name"]
        with self.lock:
            if name in self.functions.by_name:
                raise AwsError("ResourceConflictException", f"Function already exist: {name}", 409)
        arn = self.cloud.arn("lambda", f"function:{name}")
        self._check_role(params["Role"], arn)
        code = unpack(read_archive(self.cloud, params["Code"], call.principal), self._folder(name))
        function = Function(
            name, arn, code, params["Role"], params["Runtime"], params["Handler"], tags=params.get("Tags", {})
        )
        function.log_group = f"/aws/lambda/{name}"
        _configure(function, params)
        with self.lock:
            if name in self.functions.by_name:
                raise AwsError("ResourceConflictException", f"Function already exist: {name}", 409)
            self.functions.by_name[name] = function
        self._settle(function)
        return function.described()

    @runs
    def update_function_code(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        _check(params)
        function = self._changeable(params)
        code = unpack(read_archive(self.cloud, params, call.principal), self._folder(function.name))
        if params.get("DryRun"):
            return function.described() | {"CodeSize": code.size, "CodeSha256": code.sha256}
        with self.lock:
            function.code = code
        return self._changed(function)

    @runs
    def update_function_configuration(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        _check(params)
        function = self._changeable(params)
        if "Role" in params:
            self._check_role(params["Role"], function.arn)
        with self.lock:
            _configure(function, params)
        return self._changed(function)

    @modelled
    def get_function(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            function = self.functions.get(params["FunctionName"], params.get("Qualifier", ""))
            token = secrets.token_hex(16)
            self._downloads[token] = function.code
            location = f"{self.cloud.endpoint_url}{CODE_PATH}{token}"
            return {
                "Configuration": function.described(),
                "Code": {"RepositoryType": "S3", "Location": location},
                **({"Tags": function.tags} if function.tags else {}),
            }

    def _download(self, request: Request) -> Response:
        with self.lock:
            code = self._downloads.get(request.path.removeprefix(CODE_PATH))
        if code is None or not code.archive.exists():
            return Response("there is no such code", status=404)
        return Response(code.archive.read_bytes(), content_type="application/zip")

    @modelled
    def get_function_configuration(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            return self.functions.get(params["FunctionName"], params.get("Qualifier", "")).described()

    @modelled
    def list_functions(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            found = [function.described() for _, function in sorted(self.functions.by_name.items())]
        shown, marker = page(
            found, params.get("Marker"), params.get("MaxItems", 50), invalid="InvalidParameterValueException"
        )
        return {"Functions": shown, **({"NextMarker": marker} if marker else {})}

    @runs
    def delete_function(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            function = self.functions.get(params["FunctionName"], params.get("Qualifier", ""))
            del self.functions.by_name[function.name]
        self.engine.settle(function.name)
        self.engine.forget(function.name)
        shutil.rmtree(self._folder(function.name), ignore_errors=True)
        return {"StatusCode": 204}

    def _folder(self, name: str) -> Any:
        return self.cloud.state_dir / "lambda" / "functions" / name

    def _check_role(self, role: str, arn: str) -> None:
        try:
            self.cloud.assume(role, acting=PRINCIPAL, source_arn=arn, real_seconds=1)
        except ClientError as error:
            raise _invalid("The role defined for the function cannot be assumed by Lambda.") from error

    def _changeable(self, params: dict[str, Any]) -> Function:
        with self.lock:
            function = self.functions.get(params["FunctionName"])
            if params.get("RevisionId", function.revision) != function.revision:
                raise AwsError(
                    "PreconditionFailedException",
                    "The RevisionId provided does not match the latest RevisionId. "
                    "Call the GetFunction/GetAlias API to retrieve the latest RevisionId",
                    412,
                )
            if function.update == "InProgress":
                raise AwsError(
                    "ResourceConflictException",
                    f"The operation cannot be performed at this time. An update is in progress for resource: "
                    f"{function.arn}",
                    409,
                )
            return function

    def _changed(self, function: Function) -> dict[str, Any]:
        with self.lock:
            function.touch()
            function.update = "InProgress"
            described = function.described()
        self.engine.forget(function.name)
        self._settle(function)
        return described

    def _settle(self, function: Function) -> None:
        self.cloud.spawn(f"settle {function.name}", self._become_ready, function)

    def _become_ready(self, function: Function) -> None:
        self.engine.warm()
        self.cloud.clock.sleep(SETTLING_SECONDS)
        with self.lock:
            function.state, function.update = "Active", "Successful"


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValueException", message)


def _check(params: dict[str, Any]) -> None:
    """Refuse by name what the sandbox doesn't run."""
    for name in NOT_RUN:
        if params.get(name):
            raise _invalid(f"gbg_sandbox does not run functions with {name}")
    for name, values in ONLY.items():
        if name in params and params[name] not in values:
            raise _invalid(
                f"gbg_sandbox does not run functions with {name} {params[name]}; it has {values[0]}"
            )
    if params.get("VpcConfig", {}).get("SubnetIds"):
        raise _invalid("gbg_sandbox does not run functions in a VPC")
    if params.get("Runtime", RUNTIMES[0]) not in RUNTIMES:
        raise _invalid(f"gbg_sandbox does not run {params['Runtime']}; it has {', '.join(RUNTIMES)}")
    if not 1 <= params.get("Timeout", 3) <= 900:
        raise _invalid(f"Timeout {params['Timeout']} must be between 1 and 900 seconds")
    if not 128 <= params.get("MemorySize", 128) <= 10240:
        raise _invalid(
            f"'MemorySize' value failed to satisfy constraint: {params['MemorySize']} is not in 128..10240"
        )
    if params.get("LoggingConfig", {}).get("LogFormat", "Text") != "Text":
        raise _invalid("gbg_sandbox writes logs of functions in the format Text")
    _check_environment(params.get("Environment", {}).get("Variables", {}))


def _check_environment(variables: dict[str, str]) -> None:
    reserved = sorted(RESERVED & set(variables))
    if reserved:
        raise _invalid(
            "Lambda was unable to configure your environment variables because the environment variables "
            "you have provided contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    for name in variables:
        if not re.fullmatch(r"[a-zA-Z]\w+", name):
            raise _invalid(f"The environment variable's name {name} is not valid")
    if sum(len(name) + len(value) for name, value in variables.items()) > MOST_ENVIRONMENT_BYTES:
        raise _invalid(f"The environment variables must not exceed {MOST_ENVIRONMENT_BYTES} bytes")


def _configure(function: Function, params: dict[str, Any]) -> None:
    function.role = params.get("Role", function.role)
    function.runtime = params.get("Runtime", function.runtime)
    function.handler = params.get("Handler", function.handler)
    function.description = params.get("Description", function.description)
    function.timeout_seconds = params.get("Timeout", function.timeout_seconds)
    function.memory_mb = params.get("MemorySize", function.memory_mb)
    function.storage_mb = params.get("EphemeralStorage", {}).get("Size", function.storage_mb)
    function.log_group = params.get("LoggingConfig", {}).get("LogGroup") or function.log_group
    if "Environment" in params:
        function.environment = dict(params["Environment"].get("Variables", {}))
