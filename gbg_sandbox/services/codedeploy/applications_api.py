"""Applications, their revisions and tags."""

from __future__ import annotations

from typing import Any

from gbg_sandbox.service import AwsError, Call, modelled, stored
from gbg_sandbox.services.codedeploy import answers, validation
from gbg_sandbox.services.codedeploy.base import CodeDeployBase, page
from gbg_sandbox.services.codedeploy.state import Application, Revision


class Applications(CodeDeployBase):
    @modelled
    def create_application(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        name, platform = params["applicationName"], params.get("computePlatform", "Server")
        if platform != "Server":
            raise validation.not_run(f"applications for {platform}")
        with self.registry.lock:
            if name in self.registry.applications:
                raise AwsError(
                    "ApplicationAlreadyExistsException", f"Application already exists, name: {name}"
                )
            made = Application(name, self.cloud.clock.now(), platform)
            self.registry.applications[name] = made
            self._tag(self.cloud.arn("codedeploy", f"application:{name}"), params.get("tags", []))
        return {"applicationId": made.id}

    @modelled
    def get_application(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.registry.lock:
            return {"application": answers.application(self.registry.application(params["applicationName"]))}

    @modelled
    def batch_get_applications(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.registry.lock:
            found = [self.registry.application(name) for name in params["applicationNames"]]
            return {"applicationsInfo": [answers.application(one) for one in found]}

    @modelled
    def list_applications(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.registry.lock:
            names, more = page(sorted(self.registry.applications), params)
        return {"applications": names, **more}

    @modelled
    def update_application(self, call: Call, params: dict[str, Any]) -> None:
        with self.registry.lock:
            found = self.registry.application(params.get("applicationName", ""))
            new = params.get("newApplicationName") or found.name
            if new != found.name and new in self.registry.applications:
                raise AwsError(
                    "ApplicationAlreadyExistsException", f"Application already exists, name: {new}"
                )
            del self.registry.applications[found.name]
            found.name = new
            self.registry.applications[new] = found
            for group in found.groups.values():
                group.application = new

    @modelled
    def delete_application(self, call: Call, params: dict[str, Any]) -> None:
        """Its deployment groups and deployments go with it; hooks on Auto Scaling groups stay, as on AWS."""
        with self.registry.lock:
            gone = self.registry.applications.pop(params["applicationName"], None)
            if gone is None:
                return
            self.registry.forget_tags(self.cloud.arn("codedeploy", f"application:{gone.name}"))
            for group in gone.groups:
                self.registry.forget_tags(
                    self.cloud.arn("codedeploy", f"deploymentgroup:{gone.name}/{group}")
                )
            for deployment in list(self.registry.deployments.values()):
                if deployment.group.application == gone.name and deployment.ended:
                    del self.registry.deployments[deployment.id]

    @modelled
    def register_application_revision(self, call: Call, params: dict[str, Any]) -> None:
        location = validation.revision(params.get("revision"))
        with self.registry.lock:
            application = self.registry.application(params["applicationName"])
            found = application.revision(location)
            text = params.get("description", "")
            if found is None:
                application.revisions.append(Revision(location, text, self.cloud.clock.now()))
            elif text:
                found.description = text

    @modelled
    def get_application_revision(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.registry.lock:
            application = self.registry.application(params["applicationName"])
            found = application.revision(params.get("revision") or {})
            if found is None:
                raise AwsError("RevisionDoesNotExistException", "No application revision found")
            return {
                "applicationName": application.name,
                "revision": found.location,
                "revisionInfo": answers.revision(found),
            }

    @modelled
    def batch_get_application_revisions(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.registry.lock:
            application = self.registry.application(params["applicationName"])
            found = [application.revision(location) for location in params["revisions"]]
            return {
                "applicationName": application.name,
                "revisions": [
                    {"revisionLocation": one.location, "genericRevisionInfo": answers.revision(one)}
                    for one in found
                    if one is not None
                ],
            }

    @modelled
    def list_application_revisions(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.registry.lock:
            found = list(self.registry.application(params["applicationName"]).revisions)
        bucket, prefix = params.get("s3Bucket"), params.get("s3KeyPrefix", "")
        if bucket:
            found = [one for one in found if one.location["s3Location"]["bucket"] == bucket]
        found = [one for one in found if one.location["s3Location"]["key"].startswith(prefix)]
        deployed = params.get("deployed", "ignore")
        if deployed != "ignore":
            found = [one for one in found if bool(one.groups) == (deployed == "include")]
        keys = {"registerTime": "registered", "firstUsedTime": "first_used", "lastUsedTime": "last_used"}
        key = keys.get(params.get("sortBy", "registerTime"), "registered")
        found.sort(key=lambda one: getattr(one, key) or one.registered)
        if params.get("sortOrder") == "descending":
            found.reverse()
        locations, more = page([one.location for one in found], params)
        return {"revisions": locations, **more}

    @stored
    def tag_resource(self, call: Call, params: dict[str, Any]) -> None:
        with self.registry.lock:
            self._tag(self._existing(params["ResourceArn"]), params["Tags"])

    @stored
    def untag_resource(self, call: Call, params: dict[str, Any]) -> None:
        with self.registry.lock:
            tags = self.registry.tags.get(self._existing(params["ResourceArn"]), {})
            for key in params["TagKeys"]:
                tags.pop(key, None)

    @stored
    def list_tags_for_resource(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.registry.lock:
            tags = self.registry.tags.get(self._existing(params["ResourceArn"]), {})
            return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def resource_tags(self, arn: str) -> dict[str, str]:
        """Tags that IAM conditions ask for."""
        with self.registry.lock:
            return dict(self.registry.tags.get(arn, {}))

    def tagged_resources(self) -> dict[str, dict[str, str]]:
        with self.registry.lock:
            return {arn: dict(tags) for arn, tags in self.registry.tags.items()}

    def _tag(self, arn: str, tags: list[dict[str, str]]) -> None:
        kept = self.registry.tags.setdefault(arn, {})
        kept.update({tag["Key"]: tag.get("Value", "") for tag in tags})

    def _existing(self, arn: str) -> str:
        kind, _, name = arn.partition(":codedeploy:")[2].split(":", 2)[-1].partition(":")
        if kind == "application":
            self.registry.application(name)
        elif kind == "deploymentgroup":
            self.registry.group(*name.split("/", 1))
        else:
            raise AwsError("InvalidArnException", f"The specified ARN is not in a valid format: {arn}")
        return arn
