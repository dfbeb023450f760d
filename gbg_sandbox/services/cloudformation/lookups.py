"""What a stack operation asks of the account while it evaluates a template, under the stack's own rights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from gbg_sandbox.services.cloudformation.errors import TemplateError

ClientOf = Callable[[str], Any]
MISSING = ("NotFound", "Malformed", "InvalidParameterValue", "NoSuch")


class AccountLookups:
    """Answers are kept for the length of one operation, as on AWS."""

    def __init__(self, client: ClientOf, exports: Callable[[], Mapping[str, str]]) -> None:
        self._client = client
        self._exports = exports
        self._stored: dict[str, str] = {}
        self._zones: dict[str, list[str]] = {}

    def parameter_store(self, reference: str) -> str:
        """A parameter's value; `reference` is its name, or name:version."""
        if reference not in self._stored:
            try:
                answer = self._client("ssm").get_parameters(Names=[reference])
            except ClientError as error:
                raise TemplateError(error.response["Error"]["Message"]) from error
            found = answer["Parameters"]
            if not found:
                raise TemplateError(
                    f"Unable to fetch parameters [{reference}] from parameter store for this account."
                )
            if found[0]["Type"] == "SecureString":
                raise TemplateError(
                    f"Parameters [{reference}] referenced by template have types not supported"
                )
            self._stored[reference] = found[0]["Value"]
        return self._stored[reference]

    def exists(self, operation: str, argument: str, value: str) -> bool:
        """Whether EC2 knows the id."""
        try:
            answer = getattr(self._client("ec2"), operation)(**{argument: [value]})
        except ClientError as error:
            if any(part in error.response["Error"]["Code"] for part in MISSING):
                return False
            raise TemplateError(error.response["Error"]["Message"]) from error
        return any(isinstance(found, list) and found for found in answer.values())

    def zones(self, region: str) -> list[str]:
        if region not in self._zones:
            try:
                answer = self._client("ec2").describe_availability_zones()
            except ClientError as error:
                raise TemplateError(error.response["Error"]["Message"]) from error
            self._zones[region] = sorted(zone["ZoneName"] for zone in answer["AvailabilityZones"])
        return self._zones[region]

    def imported(self, name: str) -> str:
        exports = self._exports()
        if name not in exports:
            raise TemplateError(f"No export named {name} found.")
        return exports[name]
