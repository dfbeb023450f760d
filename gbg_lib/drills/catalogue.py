"""The drills there are: faults that a person can see, understand and mend."""

from __future__ import annotations

from gbg_lib.drills.drill import Drill

MESSAGE = "Read the message of the failed release: it names a place."

DRILLS: dict[str, Drill] = {
    drill.name: drill
    for drill in (
        Drill(
            "does-not-compile",
            "Build",
            "application",
            (
                MESSAGE,
                "The build's log has a line [ERROR] with a file and a line number.",
                "Compare the last two commits.",
            ),
        ),
        Drill(
            "unit-test-fails",
            "Build",
            "application",
            (MESSAGE, "It compiled. What ran after that?", "A test knows what /health has to say."),
        ),
        Drill(
            "hook-fails-everywhere",
            "Deploy",
            "application",
            (
                MESSAGE,
                "A lifecycle event, a script and its last lines are named.",
                "Compare the script with the commit before.",
            ),
        ),
        Drill(
            "hook-hangs",
            "Deploy",
            "application",
            (
                "How long did the event take, and how long may it?",
                "The script printed one line, then nothing.",
                "validate.sh waits.",
            ),
        ),
        Drill(
            "health-check-never-passes",
            "Deploy",
            "application",
            (
                "Every hook succeeded. Which event did not?",
                "Who asks for /health, and what is it told? curl may be told something else.",
                "The servlet looks at the User-Agent.",
            ),
        ),
        Drill(
            "bake-command-fails",
            "BuildGoldenAMI",
            "image",
            (
                MESSAGE,
                "The bake is an Automation: which step failed, with which output?",
                "Who changed the bake document?",
            ),
        ),
        Drill(
            "builder-terminated",
            "BuildGoldenAMI",
            "machine",
            (MESSAGE, "No command failed by itself.", "CloudTrail knows who called TerminateInstances."),
        ),
        Drill(
            "function-raises",
            "BuildGoldenAMI",
            "function",
            (
                "Was a bake started at all?",
                "The function has a log of its own.",
                "Compare its environment with the template.",
            ),
        ),
        Drill(
            "build-role-may-not-store",
            "Build",
            "right",
            (
                MESSAGE,
                "The build itself succeeded. Which phase failed?",
                "Look at the inline policies of the build's role.",
            ),
        ),
        Drill(
            "deploy-role-may-not-copy",
            "Deploy",
            "right",
            (
                "Is there a green fleet?",
                "The deployment's error names a role.",
                "Look at its inline policies.",
            ),
        ),
        Drill(
            "alarm-while-traffic-moves",
            "Deploy",
            "alarm",
            (
                "The hooks succeeded, and green was healthy.",
                "What can stop a deployment besides its hooks?",
                "Alarms have a history.",
            ),
        ),
        Drill(
            "deployment-stopped",
            "Deploy",
            "person",
            (
                "No hook failed.",
                "The deployment's status is not Failed.",
                "CloudTrail knows who called StopDeployment.",
            ),
        ),
        Drill(
            "green-dies-installing",
            "Deploy",
            "machine",
            (
                MESSAGE,
                "Does the machine that it names still run?",
                "CloudTrail knows who called TerminateInstances.",
            ),
        ),
    )
}
