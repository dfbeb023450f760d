"""Operations on parameters. moto keeps them; here is what it lacks.

A parameter of DataType aws:ec2:image comes into being only after its image was found, a moment after
PutParameter has answered: https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-ec2-aliases.html
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gbg_sandbox.service import AwsError, Call, Principal, Service, runs
from gbg_sandbox.services.ssm.parameters.public import FOLDER, is_public, public_parameters

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

IMAGE = "aws:ec2:image"
VALIDATION_AWS_SECONDS = 6
CHANGED = "Parameter Store Change"

FORWARDED = frozenset({"UnlabelParameterVersion"})


class ParameterOperations(Service):
    forwards = FORWARDED

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._pending: dict[str, int] = {}
        """image parameters on their way: name → versions promised"""
        self._writers: dict[tuple[str, int], str] = {}
        """name, version → who wrote it"""
        self._parameters_lock = threading.Lock()

    @runs
    def put_parameter(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        if params.get("DataType") == IMAGE:
            return self._put_image(call.principal, params)
        existed = self._current(params["Name"]) is not None
        made = self._write(call.principal, params)
        self._announce("Update" if existed else "Create", params["Name"])
        return made

    def _write(self, writer: Principal, params: dict[str, Any]) -> dict[str, Any]:
        made = self._stored("put_parameter", **params)
        with self._parameters_lock:
            self._writers[params["Name"], made["Version"]] = writer.arn
        return made

    def _put_image(self, caller: Principal, params: dict[str, Any]) -> dict[str, Any]:
        self.cloud.authorise(caller, "ec2:DescribeImages")
        current = self._current(params["Name"])
        if current is not None and not params.get("Overwrite"):
            raise AwsError("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, "
                           "set the overwrite option in the request to true.")  # fmt: skip
        if current is None and params.get("Type") != "String":
            raise AwsError("ValidationException", f"DataType {IMAGE} needs Type String")
        with self._parameters_lock:
            self._pending[params["Name"]] = self._pending.get(params["Name"], 0) + 1
            promised = (current["Version"] if current else 0) + self._pending[params["Name"]]
        self.cloud.spawn(f"parameter-{params['Name']}", self._validate_image, caller, params)
        return {"Version": promised, "Tier": params.get("Tier", "Standard")}

    def _validate_image(self, writer: Principal, params: dict[str, Any]) -> None:
        name = params["Name"]
        try:
            self.cloud.clock.sleep(VALIDATION_AWS_SECONDS)
            operation = "Update" if self._current(name) else "Create"
            problem = self._image_problem(params["Value"])
            if problem:
                self._announce(operation, name, exception=problem, dataType=IMAGE, type="String")
                return
            self._write(writer, params)
            self._announce(operation, name, dataType=IMAGE)
        except AwsError as error:
            self._announce("Update", name, exception=error.message, dataType=IMAGE, type="String")
        finally:
            with self._parameters_lock:
                self._pending[name] -= 1

    def _image_problem(self, image: str) -> str:
        try:
            found = self.cloud.client("ec2").describe_images(ImageIds=[image])["Images"]
        except ClientError:
            found = []
        return "" if found else "Unable to Describe Resource"

    @runs
    def get_parameter(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        if is_public(params["Name"]):
            found = self._public(params["Name"])
            if found is None:
                raise AwsError("ParameterNotFound", f"gbg_sandbox does not have {params['Name']}")
            return {"Parameter": found}
        return self._stored("get_parameter", **params)

    @runs
    def get_parameters(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        public = [name for name in params["Names"] if is_public(name)]
        own = [name for name in params["Names"] if not is_public(name)]
        result: dict[str, Any] = {"Parameters": [], "InvalidParameters": []}
        if own:
            answer = self._stored("get_parameters", **{**params, "Names": own})
            result = {key: answer[key] for key in result}
        for name in public:
            found = self._public(name)
            if found is None:
                result["InvalidParameters"].append(name)
            else:
                result["Parameters"].append(found)
        return result

    @runs
    def get_parameters_by_path(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        path = params["Path"].rstrip("/")
        if not is_public(path + "/"):
            return self._stored("get_parameters_by_path", **params)
        if path == FOLDER or (params.get("Recursive") and FOLDER.startswith(path)):
            return {"Parameters": sorted(self._all_public().values(), key=lambda one: str(one["Name"]))}
        return {"Parameters": []}

    @runs
    def get_parameter_history(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        return self._with_writers(self._stored("get_parameter_history", **params))

    @runs
    def describe_parameters(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        return self._with_writers(self._stored("describe_parameters", **params))

    def _with_writers(self, answer: dict[str, Any]) -> dict[str, Any]:
        with self._parameters_lock:
            for one in answer["Parameters"]:
                key = one["Name"], one["Version"]
                one["LastModifiedUser"] = self._writers.get(key, self.cloud.aws.arn)
        return answer

    @runs
    def delete_parameter(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        before = self._current(params["Name"])
        self._stored("delete_parameter", **params)
        self._announce("Delete", params["Name"], **_facts(before))
        return {}

    @runs
    def delete_parameters(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        before = {name: self._current(name) for name in params["Names"]}
        answer = self._stored("delete_parameters", **params)
        for name in answer.get("DeletedParameters", []):
            self._announce("Delete", name, **_facts(before.get(name)))
        return answer

    @runs
    def label_parameter_version(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        answer = self._stored("label_parameter_version", **params)
        self._announce("LabelParameterVersion", params["Name"])
        return answer

    def _all_public(self) -> dict[str, dict[str, Any]]:
        return public_parameters(self.cloud.client("ec2"), self.cloud.account, self.cloud.region)

    def _public(self, name: str) -> dict[str, Any] | None:
        return self._all_public().get(name)

    def _current(self, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self.cloud.stored("ssm").get_parameter(Name=name)["Parameter"]
        except ClientError:
            return None
        return found

    def _announce(self, operation: str, name: str, **facts: Any) -> None:
        detail = {"operation": operation, "name": name, **(facts or _facts(self._current(name)))}
        if "type" not in detail:
            detail.update(_facts(self._current(name)))
        resource = self.cloud.arn("ssm", f"parameter/{name.lstrip('/')}")
        self.cloud.events.publish("aws.ssm", CHANGED, detail, (resource,))


def _facts(parameter: dict[str, Any] | None) -> dict[str, Any]:
    return {"type": parameter["Type"]} if parameter else {}
