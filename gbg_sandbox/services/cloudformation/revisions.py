"""From a request to a revision: its template, parameters, tags and capabilities, all checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from botocore.exceptions import ClientError

from gbg_sandbox.service import AwsError, Call
from gbg_sandbox.services.cloudformation.errors import TemplateError, refuse
from gbg_sandbox.services.cloudformation.lookups import AccountLookups
from gbg_sandbox.services.cloudformation.parameters import ParameterValue, check_types, resolve
from gbg_sandbox.services.cloudformation.plan import dependencies, in_order
from gbg_sandbox.services.cloudformation.resources import PROVIDERS, find_provider
from gbg_sandbox.services.cloudformation.schemas import schema_of
from gbg_sandbox.services.cloudformation.scope import check_references
from gbg_sandbox.services.cloudformation.state import Authority, Revision
from gbg_sandbox.services.cloudformation.template import Template, parse_template

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

BODY_LIMIT = 51_200
URL_LIMIT = 1_000_000
VIRTUAL_HOST = re.compile(r"(?P<bucket>.+?)\.s3[.-](?:[a-z0-9-]+\.)?amazonaws\.com")
NOT_RUN = (
    "NotificationARNs",
    "ResourceTypes",
    "StackPolicyBody",
    "StackPolicyURL",
    "StackPolicyDuringUpdateBody",
    "StackPolicyDuringUpdateURL",
    "IncludeNestedStacks",
    "ImportExistingResources",
    "DeploymentMode",
    "DeploymentConfig",
    "DisableValidation",
)


def refuse_options(params: Mapping[str, Any]) -> None:
    """Request members that the sandbox would otherwise ignore."""
    for name in NOT_RUN:
        if params.get(name):
            raise refuse(f"the request parameter {name}")
    if params.get("RollbackConfiguration", {}).get("RollbackTriggers"):
        raise refuse("RollbackConfiguration with RollbackTriggers")


@dataclass(frozen=True)
class TemplateReader:
    """Gets and checks templates."""

    cloud: Cloud

    def read(self, call: Call, params: Mapping[str, Any], former: Template | None = None) -> Template:
        """The template of a request, structurally sound. Raises TemplateError."""
        given = [name for name in ("TemplateBody", "TemplateURL", "UsePreviousTemplate") if params.get(name)]
        if len(given) != 1:
            raise TemplateError("Either Template URL or Template Body must be specified.")
        if given == ["UsePreviousTemplate"]:
            if former is None:
                raise TemplateError("UsePreviousTemplate cannot be used: the stack has no template yet.")
            return former
        body = params.get("TemplateBody") or self._fetch(call, params["TemplateURL"])
        if given == ["TemplateBody"] and len(body) > BODY_LIMIT:
            raise TemplateError(
                "1 validation error detected: Value at 'templateBody' failed to satisfy "
                "constraint: Member must "
                f"have length less than or equal to {BODY_LIMIT}"
            )
        return self.check(parse_template(body))

    def check(self, template: Template) -> Template:
        """Raises TemplateError for what AWS refuses, and for what the sandbox does not run."""
        self._check_types(template)
        check_types(template)
        check_references(template, self.attributes)
        in_order(dependencies(template, list(template.resources)))
        return template

    def attributes(self, type_name: str) -> frozenset[str] | None:
        """What GetAtt may ask: what AWS has and the provider gives; None where anything goes."""
        if _custom(type_name):
            return None
        schema, provider = schema_of(type_name, self.cloud.region), find_provider(type_name)
        assert schema is not None and provider is not None
        return provider.attributes & schema.attributes()

    def _check_types(self, template: Template) -> None:
        strange = [
            f"{resource.type} ({name})"
            for name, resource in template.resources.items()
            if schema_of(resource.type, self.cloud.region) is None
        ]
        if strange:
            raise TemplateError(f"Template format error: Unrecognized resource types: [{', '.join(strange)}]")
        missing = [
            f"{resource.type} ({name})"
            for name, resource in template.resources.items()
            if find_provider(resource.type) is None
        ]
        if missing:
            raise TemplateError(
                f"gbg_sandbox does not run these resource types: {', '.join(missing)}. "
                f"It runs: {', '.join(sorted(PROVIDERS))}, Custom::*"
            )
        for name, resource in template.resources.items():
            self._check_properties(name, resource.type, resource.properties)

    def _check_properties(self, name: str, type_name: str, properties: Mapping[str, Any]) -> None:
        schema, provider = schema_of(type_name, self.cloud.region), find_provider(type_name)
        assert schema is not None and provider is not None
        if _custom(type_name):
            return
        known = set(schema.raw["properties"])
        beyond = sorted(key for key in properties if key in known and key not in provider.properties)
        if beyond:
            raise TemplateError(
                f"gbg_sandbox does not run {', '.join(beyond)} of {type_name} ({name}). "
                f"It runs: {', '.join(sorted(provider.properties))}"
            )

    def _fetch(self, call: Call, url: str) -> str:
        bucket, key = template_place(url, self.cloud.endpoint_url)
        client = self.cloud.client("s3", principal=call.principal)
        try:
            body: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            raise TemplateError(f"S3 error: {error.response['Error']['Message']}") from error
        if len(body) > URL_LIMIT:
            raise TemplateError(f"Template may not exceed {URL_LIMIT} bytes in size.")
        return body.decode()


def _custom(type_name: str) -> bool:
    return type_name.startswith("Custom::") or type_name == "AWS::CloudFormation::CustomResource"


def template_place(url: str, endpoint_url: str) -> tuple[str, str]:
    """Bucket and key of a TemplateURL, in S3's two forms or under the sandbox's own address."""
    parts = urlsplit(url)
    host, path = parts.netloc, unquote(parts.path.lstrip("/"))
    virtual = VIRTUAL_HOST.fullmatch(host)
    if virtual:
        return virtual["bucket"], path
    bucket, _, key = path.partition("/")
    by_path = host == urlsplit(endpoint_url).netloc or re.fullmatch(r"s3[.-].*amazonaws\.com", host)
    if not by_path or not bucket or not key:
        raise TemplateError("TemplateURL must be a supported URL.")
    return bucket, key


@dataclass(frozen=True)
class RevisionReader:
    cloud: Cloud
    lookups: AccountLookups

    def read(self, template: Template, params: Mapping[str, Any], former: Revision | None) -> Revision:
        """Raises TemplateError, or InsufficientCapabilitiesException."""
        self._check_capabilities(template, params.get("Capabilities", ()))
        previous: Mapping[str, ParameterValue] = former.parameters if former else {}
        values = resolve(template, params.get("Parameters", []), previous, self.lookups)
        if former is not None:
            _refuse_new_types(former.template, template)
        tags = dict(former.tags) if former and "Tags" not in params else {}
        tags |= {tag["Key"]: tag["Value"] for tag in params.get("Tags", [])}
        reserved = [key for key in tags if key.startswith("aws:")]
        if reserved:
            raise TemplateError(f"Tag keys must not begin with aws:, as {', '.join(reserved)} do")
        return Revision(template, values, tags, tuple(params.get("Capabilities", ())))

    @staticmethod
    def _check_capabilities(template: Template, given: Any) -> None:
        needed, _ = template.capabilities()
        enough = set(given) & {"CAPABILITY_NAMED_IAM", *needed}
        if needed and not enough:
            raise AwsError(
                "InsufficientCapabilitiesException", f"Requires capabilities : [{', '.join(needed)}]"
            )


def _refuse_new_types(former: Template, template: Template) -> None:
    changed = [
        name
        for name, resource in template.resources.items()
        if name in former.resources and former.resources[name].type != resource.type
    ]
    if changed:
        raise TemplateError(
            "Update of resource type is not permitted. The new template modifies resource type "
            "of the following "
            f"resources: [{', '.join(changed)}]"
        )


def authority_of(cloud: Cloud, call: Call, role_arn: str) -> Authority:
    """The rights of a stack operation: the caller's, or the role's that the stack has."""
    if not role_arn:
        return Authority(call.principal)
    try:
        credential = cloud.assume(
            role_arn, acting="cloudformation.amazonaws.com", session="AWSCloudFormation"
        )
    except ClientError as error:
        raise TemplateError(f"Role {role_arn} is invalid or cannot be assumed") from error
    return Authority(credential.principal, role_arn)
