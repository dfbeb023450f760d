"""cfn-signal: tell CloudFormation that a resource is ready, or not.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-signal.html
"""

from __future__ import annotations

import argparse
import json
import sys

import instance_aws

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

API_VERSION = "2010-05-15"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="cfn-signal")
    parser.add_argument("url", nargs="?", help="wait condition handle (not supported in this machine)")
    parser.add_argument("-e", "--exit-code", type=int)
    parser.add_argument("-s", "--success", choices=("true", "false"))
    parser.add_argument("-i", "--id", default="")
    parser.add_argument("-r", "--reason", default="")
    parser.add_argument("-d", "--data", default="")
    parser.add_argument("--stack")
    parser.add_argument("--resource")
    parser.add_argument("--region")
    asked = parser.parse_args(list(arguments))
    if asked.url:
        parser.error("wait condition handles are not supported in this machine: give --stack and --resource")
    if not (asked.stack and asked.resource):
        parser.error("--stack and --resource are needed")
    succeeded = asked.exit_code == 0 if asked.exit_code is not None else asked.success != "false"
    payload = {
        "StackName": asked.stack,
        "LogicalResourceId": asked.resource,
        "UniqueId": asked.id or instance_aws.metadata("instance-id"),
        "Status": "SUCCESS" if succeeded else "FAILURE",
    }
    host = f"cloudformation.{asked.region}.amazonaws.com" if asked.region else None
    try:
        instance_aws.call(
            "cloudformation", "SignalResource", payload, protocol="query", version=API_VERSION, host=host
        )
    except instance_aws.ServiceError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    except (instance_aws.InstanceError, OSError) as error:
        print(f"Could not signal {json.dumps(asked.stack)}: {error}", file=sys.stderr)
        return 1
    return 0
