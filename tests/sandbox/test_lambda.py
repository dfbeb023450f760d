"""Functions really run, in Lambda's terms: environment, context, logs, errors, retries, roles."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import textwrap
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gbg_sandbox.cloud import Cloud
from tests.sandbox.places import eventually

ROLE = "arn:aws:iam::123456789012:role/runner"


def trust(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def archive(**files: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as made:
        for name, text in files.items():
            made.writestr(f"{name}.py", textwrap.dedent(text))
    return held.getvalue()


class Workshop:
    """Makes and invokes functions."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.aws: Any = cloud.client("lambda")
        iam = cloud.client("iam")
        iam.create_role(RoleName="runner", AssumeRolePolicyDocument=trust("lambda.amazonaws.com"))

    def allow(self, *actions: str, resource: str = "*") -> None:
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.cloud.client("iam").put_role_policy(
            RoleName="runner", PolicyName="rights", PolicyDocument=document
        )

    def make(self, code: str, name: str = "made", **settings: Any) -> str:
        request = {"Runtime": "python3.13", "Role": ROLE, "Handler": "index.handler", **settings}
        made = self.aws.create_function(FunctionName=name, Code={"ZipFile": archive(index=code)}, **request)
        self.aws.get_waiter("function_active_v2").wait(FunctionName=name)
        return str(made["FunctionArn"])

    def invoke(self, event: Any = None, name: str = "made", **settings: Any) -> tuple[Any, dict[str, Any]]:
        answer = self.aws.invoke(FunctionName=name, Payload=json.dumps(event).encode(), **settings)
        return json.loads(answer["Payload"].read() or b"null"), answer

    def logged(self, group: str = "/aws/lambda/made") -> list[str]:
        try:
            found = self.cloud.client("logs").filter_log_events(logGroupName=group)["events"]
        except ClientError:
            return []
        return [event["message"] for event in found]


@pytest.fixture
def workshop(cloud: Cloud) -> Iterator[Workshop]:
    yield Workshop(cloud)


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_a_function_gets_its_event_and_context_as_on_aws(workshop: Workshop) -> None:
    arn = workshop.make(
        """
        import os
        def handler(event, context):
            return {
                "event": event, "arn": context.invoked_function_arn, "name": context.function_name,
                "left": context.get_remaining_time_in_millis(), "region": os.environ["AWS_REGION"],
                "color": os.environ["COLOR"], "group": context.log_group_name, "ids": context.aws_request_id,
                "files": os.listdir(os.environ["LAMBDA_TASK_ROOT"]),
            }
        """,
        Environment={"Variables": {"COLOR": "blue"}},
        Timeout=300,
    )
    result, answer = workshop.invoke({"n": 1, "ü": [None, True]})
    assert answer["StatusCode"] == 200
    assert "FunctionError" not in answer
    assert 240_000 < result.pop("left") <= 300_000
    assert len(result.pop("ids")) == 36
    assert result == {
        "event": {"n": 1, "ü": [None, True]}, "arn": arn, "name": "made", "region": "us-east-1",
        "color": "blue", "group": "/aws/lambda/made", "files": ["index.py"],
    }  # fmt: skip


def test_an_environment_is_used_again_until_the_code_changes(workshop: Workshop) -> None:
    code = """
    import os
    count = 0
    def handler(event, context):
        global count
        count += 1
        return [count, os.getpid()]
    """
    workshop.make(code)
    (first, pid), (second, again) = workshop.invoke()[0], workshop.invoke()[0]
    assert (first, second, again) == (1, 2, pid)
    assert pid != os.getpid()
    workshop.aws.update_function_code(
        FunctionName="made", ZipFile=archive(index=code.replace("+= 1", "+= 5"))
    )
    assert workshop.invoke()[0][0] == 5
    eventually(lambda: not alive(pid))


def test_an_exception_is_told_in_lambdas_form(workshop: Workshop) -> None:
    workshop.make(
        """
        def deeper():
            raise KeyError("colour")
        def handler(event, context):
            deeper()
        """
    )
    result, answer = workshop.invoke(LogType="Tail")
    assert answer["FunctionError"] == "Unhandled"
    assert (result["errorType"], result["errorMessage"]) == ("KeyError", "'colour'")
    assert result["stackTrace"] == [
        '  File "/var/task/index.py", line 5, in handler\n    deeper()\n',
        '  File "/var/task/index.py", line 3, in deeper\n    raise KeyError("colour")\n',
    ]
    tail = base64.b64decode(answer["LogResult"]).decode()
    assert tail.startswith("START RequestId: ")
    assert "[ERROR] KeyError: 'colour'" in tail
    assert "\tMax Memory Used: " in tail


@pytest.mark.parametrize(
    ("code", "handler", "kind", "message"),
    [
        (
            "import nothing_like_it",
            "index.handler",
            "Runtime.ImportModuleError",
            "No module named 'nothing_like_it'",
        ),
        ("import moto", "index.handler", "Runtime.ImportModuleError", "No module named 'moto'"),
        (
            "def handler(: pass",
            "index.handler",
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module 'index'",
        ),
        ("x = 1", "index.handler", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'index'"),
        (
            "def handler(e, c): return {1}",
            "index.handler",
            "Runtime.MarshalError",
            "Unable to marshal response",
        ),
        ("import sys\ndef handler(e, c): sys.exit(3)", "index.handler", "Runtime.ExitError", "exit status 3"),
        ("import os\ndef handler(e, c): os.abort()", "index.handler", "Runtime.ExitError", "Runtime exited"),
    ],
)
def test_what_goes_wrong_has_lambdas_name(
    workshop: Workshop, code: str, handler: str, kind: str, message: str
) -> None:
    workshop.make(code, Handler=handler)
    for _ in range(2):
        result, answer = workshop.invoke()
        assert answer["FunctionError"] == "Unhandled"
        assert result["errorType"] == kind
        assert message in result["errorMessage"]


def test_a_function_that_takes_too_long_is_killed_with_its_children(workshop: Workshop) -> None:
    workshop.make(
        """
        import subprocess, time
        def handler(event, context):
            print(subprocess.Popen(["sleep", "600"]).pid, flush=True)
            time.sleep(600)
        """,
        Timeout=3,
    )
    began = time.monotonic()
    result, answer = workshop.invoke(LogType="Tail")
    assert time.monotonic() - began < 60
    assert result["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 3.00 seconds" in result["errorMessage"]
    child = int(base64.b64decode(answer["LogResult"]).decode().splitlines()[1])
    eventually(lambda: not alive(child))


KILLED = """
import sys
from pathlib import Path
from gbg_sandbox.cloud import Cloud
from tests.sandbox.fakes import FakeMachines
from tests.sandbox.test_lambda import Workshop
folder = Path(sys.argv[1])
cloud = Cloud(folder / "state", open_machines=lambda *_: FakeMachines(folder / "machines"), scale=600.0)
cloud.start()
workshop = Workshop(cloud)
workshop.make("import os\\ndef handler(event, context): return [os.getpid(), os.getppid()]")
print(*workshop.invoke()[0], flush=True)
workshop.make("import time\\ndef handler(event, context): time.sleep(600)", "busy", Timeout=900)
workshop.invoke(name="busy")
"""


def test_no_process_outlives_a_sandbox_that_was_killed(tmp_path: Path) -> None:
    sandbox = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert sandbox.stdout is not None
    with sandbox.stdout:
        idle, nursery = (int(pid) for pid in sandbox.stdout.readline().split())
    eventually(lambda: len(children(nursery)) == 2)
    running = [nursery, *children(nursery)]
    assert idle in running
    sandbox.kill()
    sandbox.wait()
    eventually(lambda: not any(alive(pid) for pid in running))


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:  # it is gone, or goes just now
        return False


def test_logs_are_written_under_the_functions_role(workshop: Workshop) -> None:
    workshop.make(
        """
        import logging
        def handler(event, context):
            print("plain")
            logging.getLogger().warning("careful")
        """
    )
    workshop.invoke()
    stream = workshop.cloud.events
    eventually(lambda: "Lambda Logs Lost" in [event.detail_type for event in stream.since(0)])
    assert workshop.logged() == []
    workshop.allow("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
    workshop.invoke()
    eventually(lambda: any(text.startswith("REPORT") for text in workshop.logged()))
    start, plain, careful, end, report = workshop.logged()
    assert (start[:5], plain, end[:3], report[:6]) == ("START", "plain", "END", "REPORT")
    assert careful.startswith("[WARNING]\t")
    assert careful.endswith("\tcareful")


def test_boto3_acts_under_the_functions_role(workshop: Workshop) -> None:
    workshop.make(
        """
        import boto3
        def handler(event, context):
            who = boto3.client("sts").get_caller_identity()["Arn"]
            try:
                return [who, boto3.client("s3").list_buckets()["Buckets"]]
            except Exception as error:
                return [who, error.response["Error"]["Code"]]
        """,
        Timeout=30,
    )
    who = "arn:aws:sts::123456789012:assumed-role/runner/made"
    assert workshop.invoke()[0] == [who, "AccessDenied"]
    workshop.allow("s3:ListAllMyBuckets")
    assert workshop.invoke()[0] == [who, []]


def test_a_role_that_lambda_may_not_assume_is_refused(workshop: Workshop) -> None:
    workshop.cloud.client("iam").create_role(
        RoleName="other", AssumeRolePolicyDocument=trust("ec2.amazonaws.com")
    )
    with pytest.raises(ClientError, match="cannot be assumed by Lambda") as error:
        workshop.make("x = 1", Role=ROLE.replace("runner", "other"))
    assert code_of(error) == "InvalidParameterValueException"


def test_an_event_is_tried_three_times(workshop: Workshop) -> None:
    workshop.allow("logs:*")
    arn = workshop.make("def handler(event, context):\n    raise ValueError(event['n'])\n")
    answer = workshop.aws.invoke(FunctionName=arn, InvocationType="Event", Payload=b'{"n": 7}')
    assert answer["StatusCode"] == 202
    stream = workshop.cloud.events
    eventually(lambda: "Lambda Event Dropped" in [event.detail_type for event in stream.since(0)])
    dropped = next(event for event in stream.since(0) if event.detail_type == "Lambda Event Dropped")
    assert dropped.detail["attempts"] == 3
    eventually(lambda: len([text for text in workshop.logged() if text.startswith("REPORT")]) == 3)
    starts = {text.split()[2] for text in workshop.logged() if text.startswith("START")}
    assert len(starts) == 1


def test_a_service_needs_leave_by_the_functions_policy(workshop: Workshop) -> None:
    arn = workshop.make("def handler(event, context):\n    return event\n")
    rule = "arn:aws:events:us-east-1:123456789012:rule/push"
    service = workshop.cloud.service("lambda")
    with pytest.raises(Exception, match="AccessDenied"):
        service.invoke_for_service(arn, b"{}", acting="events.amazonaws.com", source_arn=rule)
    workshop.aws.add_permission(
        FunctionName="made", StatementId="s", Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com", SourceArn=rule,
    )  # fmt: skip
    service.invoke_for_service(arn, b"{}", acting="events.amazonaws.com", source_arn=rule)
    with pytest.raises(Exception, match="AccessDenied"):
        service.invoke_for_service(arn, b"{}", acting="events.amazonaws.com", source_arn=f"{rule}-other")
    policy = json.loads(workshop.aws.get_policy(FunctionName="made")["Policy"])
    assert policy["Statement"][0]["Condition"] == {"ArnLike": {"AWS:SourceArn": rule}}
    workshop.aws.remove_permission(FunctionName="made", StatementId="s")
    with pytest.raises(ClientError) as error:
        workshop.aws.get_policy(FunctionName="made")
    assert code_of(error) == "ResourceNotFoundException"


def test_code_comes_from_s3_and_can_be_fetched_again(workshop: Workshop) -> None:
    s3 = workshop.cloud.client("s3")
    s3.create_bucket(Bucket="packages")
    s3.put_object(Bucket="packages", Key="a.zip", Body=archive(index="def handler(e, c): return 'from S3'"))
    with pytest.raises(ClientError, match="NoSuchKey"):
        workshop.aws.create_function(
            FunctionName="made", Runtime="python3.13", Role=ROLE, Handler="index.handler",
            Code={"S3Bucket": "packages", "S3Key": "b.zip"},
        )  # fmt: skip
    workshop.make("x = 1")
    workshop.aws.update_function_code(FunctionName="made", S3Bucket="packages", S3Key="a.zip")
    assert workshop.invoke()[0] == "from S3"
    location = workshop.aws.get_function(FunctionName="made")["Code"]["Location"]
    with urllib.request.urlopen(location) as answer:
        assert zipfile.ZipFile(io.BytesIO(answer.read())).namelist() == ["index.py"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"Runtime": "nodejs22.x"}, "does not run nodejs22.x"),
        ({"Layers": ["arn:aws:lambda:us-east-1:123456789012:layer:x:1"]}, "Layers"),
        ({"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": []}}, "in a VPC"),
        (
            {"Environment": {"Variables": {"AWS_REGION": "x"}}},
            "Reserved keys used in this request: AWS_REGION",
        ),
        ({"Timeout": 901}, "901"),
        ({"Publish": True}, "Publish"),
    ],
)
def test_what_is_not_run_is_refused_by_name(
    workshop: Workshop, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientError, match=message) as error:
        workshop.make("x = 1", **settings)
    assert code_of(error) == "InvalidParameterValueException"


def test_names_are_unique_and_deletion_forgets(workshop: Workshop) -> None:
    workshop.make("def handler(e, c): return 1")
    with pytest.raises(ClientError) as error:
        workshop.make("x = 1")
    assert code_of(error) == "ResourceConflictException"
    assert [one["FunctionName"] for one in workshop.aws.list_functions()["Functions"]] == ["made"]
    workshop.aws.delete_function(FunctionName="made")
    with pytest.raises(ClientError) as error:
        workshop.invoke()
    assert code_of(error) == "ResourceNotFoundException"
