"""Operations on launch templates.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/manage-launch-template-versions.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gbg_sandbox.service import AwsError, Call, runs
from gbg_sandbox.services.ec2 import answers, fields
from gbg_sandbox.services.ec2.base import Ec2Operations, tags_for
from gbg_sandbox.services.ec2.filters import page, select
from gbg_sandbox.services.ec2.state import LaunchTemplate, TemplateVersion, new_id

Params = dict[str, Any]
Answer = dict[str, Any]

NAME = re.compile(r"[a-zA-Z0-9().\-/_]{3,128}")


class TemplateOperations(Ec2Operations):
    @runs
    def create_launch_template(self, call: Call, params: Params) -> Answer:
        name = params["LaunchTemplateName"]
        if not NAME.fullmatch(name):
            raise AwsError(
                "InvalidLaunchTemplateName.MalformedException",
                "A launch template name must be between 3 and 128 characters, and may contain letters, "
                "numbers, and the following characters: - ( ) . / _.",
            )
        tags = tags_for("launch-template", params.get("TagSpecifications"))
        with self.state.lock:
            if any(one.name == name for one in self.state.templates.values()):
                raise AwsError(
                    "InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use."
                )
            template = LaunchTemplate(
                new_id("lt"), name, self.cloud.clock.now(), call.principal.arn, tags=tags
            )
            self._add_version(call, template, params)
            self.state.templates[template.id] = template
            return {"LaunchTemplate": answers.template(template)}

    @runs
    def create_launch_template_version(self, call: Call, params: Params) -> Answer:
        with self.state.lock:
            template = self._template(params)
            version = self._add_version(call, template, params)
            return {"LaunchTemplateVersion": answers.template_version(template, version)}

    def _add_version(self, call: Call, template: LaunchTemplate, params: Params) -> TemplateVersion:
        """With `SourceVersion` the new data goes over the former version's, member by member."""
        source = params.get("SourceVersion", "")
        data: Mapping[str, Any] = template.version(source).data if source else {}
        data = {**data, **params["LaunchTemplateData"]}
        if not data:
            raise AwsError("MissingParameter", "The request must contain the parameter LaunchTemplateData")
        template.last_number += 1
        version = TemplateVersion(
            template.last_number,
            data,
            self.cloud.clock.now(),
            call.principal.arn,
            params.get("VersionDescription", ""),
        )
        template.versions[version.number] = version
        return version

    def _template(self, params: Params) -> LaunchTemplate:
        return self.state.template(params.get("LaunchTemplateId", ""), params.get("LaunchTemplateName", ""))

    @runs
    def describe_launch_templates(self, call: Call, params: Params) -> Answer:
        ids, names = params.get("LaunchTemplateIds"), params.get("LaunchTemplateNames")
        with self.state.lock:
            if ids or names:
                every = [self.state.template(one) for one in ids or ()]
                every += [self.state.template(name=one) for one in names or ()]
            else:
                every = list(self.state.templates.values())
            chosen, more = page(select(every, params.get("Filters"), fields.TEMPLATE_FILTERS), params)
            return {"LaunchTemplates": [answers.template(one) for one in chosen], **more}

    @runs
    def describe_launch_template_versions(self, call: Call, params: Params) -> Answer:
        """Newest first; without a template, `$Latest` and/or `$Default` of all templates."""
        with self.state.lock:
            if params.get("LaunchTemplateId") or params.get("LaunchTemplateName"):
                template = self._template(params)
                found = [(template, version) for version in _chosen(template, params)]
            else:
                found = self._of_all(params.get("Versions", []))
            chosen, more = page(select(found, params.get("Filters"), fields.VERSION_FILTERS), params)
            answer = [answers.template_version(template, version) for template, version in chosen]
            return {"LaunchTemplateVersions": answer, **more}

    def _of_all(self, wanted: list[str]) -> list[tuple[LaunchTemplate, TemplateVersion]]:
        if not wanted or set(wanted) - {"$Latest", "$Default"}:
            raise AwsError(
                "MissingParameter" if not wanted else "InvalidParameterValue",
                "Without a launch template, Versions must be $Latest, $Default, or both.",
            )
        return [
            (template, version)
            for template in self.state.templates.values()
            for version in _distinct(template.version(one) for one in wanted)
        ]

    @runs
    def modify_launch_template(self, call: Call, params: Params) -> Answer:
        with self.state.lock:
            template = self._template(params)
            if "DefaultVersion" in params:
                template.default_version = template.version(params["DefaultVersion"]).number
            return {"LaunchTemplate": answers.template(template)}

    @runs
    def delete_launch_template(self, call: Call, params: Params) -> Answer:
        with self.state.lock:
            template = self._template(params)
            del self.state.templates[template.id]
            return {"LaunchTemplate": answers.template(template)}

    @runs
    def delete_launch_template_versions(self, call: Call, params: Params) -> Answer:
        """Each version succeeds or fails by itself; the default one can't be deleted."""
        with self.state.lock:
            template = self._template(params)
            gone: list[Answer] = []
            kept: list[Answer] = []
            for wanted in params["Versions"]:
                number = int(wanted) if wanted.isdecimal() else 0
                named = {
                    "LaunchTemplateId": template.id,
                    "LaunchTemplateName": template.name,
                    "VersionNumber": number,
                }
                error = _undeletable(template, number)
                if error:
                    kept.append({**named, "ResponseError": error})
                else:
                    del template.versions[number]
                    gone.append(named)
        return {
            "SuccessfullyDeletedLaunchTemplateVersions": gone,
            "UnsuccessfullyDeletedLaunchTemplateVersions": kept,
        }


def _chosen(template: LaunchTemplate, params: Params) -> list[TemplateVersion]:
    if params.get("Versions"):
        return _distinct(template.version(one) for one in params["Versions"])
    lowest, highest = int(params.get("MinVersion", 1)), int(params.get("MaxVersion", template.last_number))
    return [template.versions[n] for n in sorted(template.versions, reverse=True) if lowest <= n <= highest]


def _distinct(versions: Iterable[TemplateVersion]) -> list[TemplateVersion]:
    return list({version.number: version for version in versions}.values())


def _undeletable(template: LaunchTemplate, number: int) -> Answer:
    if number not in template.versions:
        return {
            "Code": "launchTemplateVersionDoesNotExist",
            "Message": f"The version {number} does not exist.",
        }
    if number == template.default_version:
        return {
            "Code": "unexpectedError",
            "Message": "The default version can't be deleted; make another version the default first.",
        }
    return {}
