"""Lambda functions and who may invoke them."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from gbg_sandbox.services.cloudformation.errors import ResourceFailed
from gbg_sandbox.services.cloudformation.resources.base import (
    Made,
    Properties,
    Provider,
    Task,
    changed,
    given,
    if_there,
    ignore_missing,
    names,
    tag_changes,
    tag_map,
)
from gbg_sandbox.services.cloudformation.resources.shapes import from_api, to_api

CONFIGURATION = (
    "Description", "Handler", "Role", "Runtime", "Timeout", "MemorySize", "Environment", "LoggingConfig",
    "EphemeralStorage", "TracingConfig", "DeadLetterConfig", "VpcConfig", "Layers",
)  # fmt: skip


def packed(runtime: str, text: str) -> bytes:
    """Code written in the template, as the archive that Lambda takes: one file named index."""
    ending = "js" if runtime.startswith("nodejs") else "py"
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo(f"index.{ending}")
        entry.external_attr = 0o644 << 16
        archive.writestr(entry, text)
    return held.getvalue()


class Function(Provider):
    type = "AWS::Lambda::Function"
    properties = names(
        "FunctionName", "Code", "Architectures", "PackageType", "ReservedConcurrentExecutions", "Tags",
        *CONFIGURATION,
    )  # fmt: skip
    attributes = names("Arn")
    name_property = "FunctionName"
    unread = names("Code", "ReservedConcurrentExecutions")

    def create(self, task: Task, new: Properties) -> Made:
        client = task.client("lambda")
        name = new.get("FunctionName") or task.name(64)
        wanted = {
            "FunctionName": name,
            "Code": self._code(new),
            **given(new, *CONFIGURATION, "Architectures", "PackageType"),
            **({"Tags": tag_map(new)} if tag_map(new) else {}),
        }
        arn: str = client.create_function(**to_api(client, "CreateFunction", wanted))["FunctionArn"]
        task.initiated(name)
        self._settle(task, name)
        self._reserve(client, name, {}, new)
        return Made(name, {"Arn": arn})

    def read(self, task: Task, made: Made) -> Properties | None:
        answer = if_there(task.client("lambda").get_function, FunctionName=made.physical_id)
        if answer is None:
            return None
        tags = [{"Key": key, "Value": value} for key, value in answer.get("Tags", {}).items()]
        return from_api(task.schema, {**answer["Configuration"], "Tags": tags})

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        client = task.client("lambda")
        name = made.physical_id
        if changed(old, new, "Code", "Architectures"):
            client.update_function_code(FunctionName=name, **self._code(new), **given(new, "Architectures"))
            self._settle(task, name)
        if changed(old, new, *CONFIGURATION):
            wanted = {"FunctionName": name, **given(new, *CONFIGURATION)}
            client.update_function_configuration(**to_api(client, "UpdateFunctionConfiguration", wanted))
            self._settle(task, name)
        self._reserve(client, name, old, new)
        added, removed = tag_changes(old, new)
        if removed:
            client.untag_resource(Resource=made.attributes["Arn"], TagKeys=removed)
        if added:
            client.tag_resource(Resource=made.attributes["Arn"], Tags=added)
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("lambda").delete_function, FunctionName=made.physical_id)

    @staticmethod
    def _code(new: Properties) -> dict[str, Any]:
        code = dict(new["Code"])
        if "ZipFile" in code:
            return {"ZipFile": packed(new.get("Runtime", ""), code["ZipFile"])}
        return given(code, "S3Bucket", "S3Key", "S3ObjectVersion")

    @staticmethod
    def _reserve(client: Any, name: str, old: Properties, new: Properties) -> None:
        if not changed(old, new, "ReservedConcurrentExecutions"):
            return
        if "ReservedConcurrentExecutions" in new:
            client.put_function_concurrency(FunctionName=name, **given(new, "ReservedConcurrentExecutions"))
        else:
            client.delete_function_concurrency(FunctionName=name)

    @staticmethod
    def _settle(task: Task, name: str) -> None:
        def settled() -> bool:
            found = task.client("lambda").get_function_configuration(FunctionName=name)
            if "Failed" in (found.get("State"), found.get("LastUpdateStatus")):
                why = found.get("StateReason") or found.get("LastUpdateStatusReason", "")
                raise ResourceFailed(f"Function {name} failed: {why}")
            updating = found.get("LastUpdateStatus") == "InProgress"
            return bool(found.get("State", "Active") == "Active" and not updating)

        task.wait(settled, f"Function {name} did not become active")


class Permission(Provider):
    type = "AWS::Lambda::Permission"
    properties = names("FunctionName", "Action", "Principal", "SourceArn", "SourceAccount")
    attributes = names("Id")

    def create(self, task: Task, new: Properties) -> Made:
        statement = task.name(100)
        task.client("lambda").add_permission(StatementId=statement, **new)
        return Made(statement, {"Id": statement})

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(
            task.client("lambda").remove_permission,
            FunctionName=old["FunctionName"],
            StatementId=made.physical_id,
        )
