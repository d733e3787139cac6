"""The house rules that every resource of the template keeps."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from typing import Any

import pytest

from notifications.inbox import METRICS
from tests.support.template import Resource, expanded, listed, of_type, statements, template
from tools.paths import DOMAINS, ROOT

MAX_RESOURCES = 500
# docs/adr/0015: room for twenty domains of average size; one may have more than its share, for a reason given there.
HOUSE = 60
MAX_RESOURCES_OF_AN_AVERAGE_DOMAIN = (MAX_RESOURCES - HOUSE) // 20
MAX_RESOURCES_OF_A_DOMAIN = 24
MORE_RESOURCES = {"appointments": 3, "notifications": 14}
SCHEDULES = "events.amazonaws.com"
TOPIC = "AWS::SNS::Topic"
FOURTEEN_DAYS = 1_209_600
# A stream keeps a record for 24 hours.
STREAM_SECONDS = 24 * 3600
MAX_FILTER_VALUES = 150
MAX_METRICS_OF_AN_ALARM = 10
MAX_TIMEOUT = 90
# The most that SQS knows: for functions that cannot start at all. The others give up themselves, after five.
MOST_RECEIVES = 1000
TRIES = 5
# Who waits for a processor to say whether money came waits as long as that may take.
TRIES_OF = {"SettleAppointmentStarter": 200}
# What Step Functions asks of the role of a state machine that logs: these actions know no resources.
OF_NO_RESOURCE = {
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
}
FUNCTIONS = sorted(of_type("AWS::Lambda::Function"))
TABLES = sorted(of_type("AWS::DynamoDB::Table"))
# It stands for somebody else's house: the system has nothing to tell of it.
WITHOUT_OUTBOX = {"PaymentsSimulatorTable"}
QUEUES = sorted(of_type("AWS::SQS::Queue"))
FLOWS = {machine["StateMachineName"]["Fn::Sub"] for machine in of_type("AWS::StepFunctions::StateMachine").values()}
SIMULATORS = {"PAYMENTS_SIMULATOR"}
MAPPINGS = sorted(of_type("AWS::Lambda::EventSourceMapping"))


def _owner(name: str) -> str:
    return next((domain for domain in DOMAINS if name.lower().startswith(domain)), "")


def test_the_stack_stays_below_cloudformations_limit() -> None:
    assert len(expanded()) <= HOUSE + MAX_RESOURCES_OF_AN_AVERAGE_DOMAIN * len(DOMAINS)


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_domain_stays_within_its_share_of_the_stack(domain: str) -> None:
    allowed = MAX_RESOURCES_OF_A_DOMAIN + MORE_RESOURCES.get(domain, 0)

    assert 0 < Counter(map(_owner, expanded()))[domain] <= allowed


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_functions_log_is_kept_for_a_stated_time(name: str) -> None:
    groups = {str(group["LogGroupName"]): group for group in of_type("AWS::Logs::LogGroup").values()}
    function = of_type("AWS::Lambda::Function")[name]["FunctionName"]["Fn::Sub"]

    assert groups[str({"Fn::Sub": f"/aws/lambda/{function}"})]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_states_its_limits_and_is_traced_by_the_platform(name: str) -> None:
    function = of_type("AWS::Lambda::Function")[name]

    assert 0 < function["Timeout"] <= MAX_TIMEOUT
    assert function["MemorySize"]
    assert function["Runtime"] == "python3.13"
    assert function["TracingConfig"] == {"Mode": "Active"}


def test_no_address_is_recorded_by_the_gateway() -> None:
    """Addresses hold calendar secrets and what was searched for; traces and access logs would keep them."""
    [stage] = of_type("AWS::ApiGateway::Stage").values()

    assert not stage.get("TracingEnabled")
    assert not {"AccessLogSetting", "MethodSettings"} & stage.keys()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_knows_its_stage(name: str) -> None:
    assert of_type("AWS::Lambda::Function")[name]["Environment"]["Variables"]["STAGE"] == {"Ref": "Stage"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_functions_settings_are_texts(name: str) -> None:
    """CloudFormation makes a text of a number; MiniStack hands the number to a process, which does not start then."""
    variables = of_type("AWS::Lambda::Function")[name]["Environment"]["Variables"]

    assert all(isinstance(value, str | dict) for value in variables.values())


def test_only_the_parameter_brings_the_test_layer() -> None:
    for function in of_type("AWS::Lambda::Function").values():
        own, third_party, testing, *_ = function["Layers"]
        assert testing == {"Fn::If": ["HasTestLayer", {"Ref": "TestLayerArn"}, {"Ref": "AWS::NoValue"}]}
        assert own["Ref"].startswith("Hms")
        assert third_party["Ref"].startswith("Dependencies")
    assert template()["Parameters"]["TestLayerArn"]["Default"] == ""


def test_only_who_prints_documents_has_what_they_are_printed_with() -> None:
    more = {name: one["Layers"][3:] for name, one in of_type("AWS::Lambda::Function").items() if one["Layers"][3:]}

    assert list(more) == ["BillingApi"]
    [[layer]] = more.values()
    assert layer["Ref"].startswith("Documents")


def test_production_refuses_the_test_layer() -> None:
    rule = template()["Rules"]["ProductionHasNoTestLayer"]

    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "Production"}, "true"]}
    assert rule["Assertions"][0]["Assert"] == {"Fn::Equals": [{"Ref": "TestLayerArn"}, ""]}


def test_production_refuses_a_gateway_that_moves_no_money() -> None:
    rule = template()["Rules"]["ProductionMovesMoney"]

    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "Production"}, "true"]}
    assert rule["Assertions"][0]["Assert"] == {"Fn::Equals": [{"Ref": "PaymentGateway"}, "stripe"]}
    assert template()["Parameters"]["PaymentGateway"]["AllowedValues"] == ["simulator", "stripe"]


def test_the_simulator_is_there_only_where_it_is_asked_for_and_has_a_secret() -> None:
    simulator = {name: one for name, one in expanded().items() if name.startswith("PaymentsSimulator")}
    rule = template()["Rules"]["SimulatorHasASecret"]

    assert {one["Condition"] for one in simulator.values()} == {"UsesSimulator"}
    assert {one["Type"] for one in simulator.values()} >= {"AWS::Lambda::Function", "AWS::DynamoDB::Table"}
    assert template()["Conditions"]["UsesSimulator"] == rule["RuleCondition"]
    assert rule["Assertions"][0]["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "SimulatorSecret"}, ""]}]}
    assert template()["Parameters"]["SimulatorSecret"]["NoEcho"] is True


def test_only_payments_reads_the_keys_of_its_gateway_and_each_function_those_it_needs() -> None:
    read = {role: listed(one["Resource"]) for role, one in statements() if one["Action"] == "ssm:GetParameter"}
    parameter = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter"

    assert set(read) == {"PaymentsApiRole", "PaymentsTasksRole"}
    for role, allowed in read.items():
        variables = of_type("AWS::Lambda::Function")[role.removesuffix("Role")]["Environment"]["Variables"]
        names = [value["Fn::Sub"] for name, value in variables.items() if name.endswith("_PARAMETER")]
        assert allowed == [{"Fn::Sub": f"{parameter}{name}"} for name in names]
        assert all(name.startswith("/${AWS::StackName}/stripe/") for name in names)


def test_the_production_configuration_is_protected_and_has_no_test_layer() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())

    overrides = config["prod"]["deploy"]["parameters"]["parameter_overrides"].split()
    assert {"Production=true", "PaymentGateway=stripe"} <= set(overrides)
    assert not [override for override in overrides if override.startswith("TestLayerArn")]
    assert config["prod"]["deploy"]["parameters"]["confirm_changeset"] is True


def test_no_role_may_do_everything() -> None:
    for role, statement in statements():
        for action in listed(statement["Action"]):
            assert "*" not in action, role


def test_no_role_may_touch_everything() -> None:
    for role, statement in statements():
        assert "NotAction" not in statement, role
        assert "NotResource" not in statement, role
        known = set(listed(statement["Action"])) <= OF_NO_RESOURCE or _texts_people(role, statement)
        assert known or "*" not in listed(statement["Resource"]), role


def _texts_people(role: str, statement: dict[str, Any]) -> bool:
    """A telephone number is no resource: who may text everybody is denied everything that is one."""
    others = [one for of, one in statements() if of == role and one["Effect"] == "Deny"]
    denied = {"Effect": "Deny", "Action": "sns:Publish", "Resource": {"Fn::Sub": "arn:${AWS::Partition}:sns:*:*:*"}}
    return statement["Action"] == "sns:Publish" and denied in others


def test_no_role_may_scan() -> None:
    allowed = {action for _, statement in statements() for action in listed(statement["Action"])}

    assert "dynamodb:Scan" not in allowed
    assert not [action for action in allowed if action.startswith("dynamodb:Partiql")]


def test_a_domain_reaches_no_table_but_its_own_and_what_identity_publishes() -> None:
    for role, statement in statements():
        for resource in map(str, listed(statement["Resource"])):
            for table in TABLES:
                if table in resource and _owner(role) != _owner(table):
                    assert _publishes(table, statement), (role, statement)


def _publishes(table: str, statement: dict[str, Any]) -> bool:
    condition = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["published"]}}
    return (
        table == "IdentityTable"
        and statement["Action"] == "dynamodb:GetItem"
        and statement.get("Condition") == condition
    )


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_encrypted_restorable_and_protected_in_production(name: str) -> None:
    table = expanded()[name]

    properties = table["Properties"]
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["DeletionProtectionEnabled"] == {"Fn::If": ["InProduction", True, False]}
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert table["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize("name", [table for table in TABLES if table not in WITHOUT_OUTBOX])
def test_every_tables_outbox_is_relayed(name: str) -> None:
    streams = [mapping["EventSourceArn"] for mapping in of_type("AWS::Lambda::EventSourceMapping").values()]

    assert streams.count({"Fn::GetAtt": [name, "StreamArn"]}) == 1


@pytest.mark.parametrize("name", QUEUES)
def test_a_queue_is_encrypted_and_keeps_messages_for_fourteen_days(name: str) -> None:
    queue = of_type("AWS::SQS::Queue")[name]

    assert queue["SqsManagedSseEnabled"] is True
    assert queue["MessageRetentionPeriod"] == FOURTEEN_DAYS


def test_topics_are_encrypted() -> None:
    """But the one that SES writes to: it cannot use the key that SNS has by itself."""
    encrypted = {name for name, topic in of_type("AWS::SNS::Topic").items() if "KmsMasterKeyId" in topic}

    assert set(of_type("AWS::SNS::Topic")) - encrypted == {"NotificationsDeliveries"}


@pytest.mark.parametrize("name", MAPPINGS)
def test_one_bad_record_does_not_fail_its_batch(name: str) -> None:
    mapping = of_type("AWS::Lambda::EventSourceMapping")[name]
    partly = ["ReportBatchItemFailures"]

    if _is_stream(mapping):
        where_it_is_heard = {"Fn::If": ["AnswersPartly", partly, {"Ref": "AWS::NoValue"}]}
        assert mapping["FunctionResponseTypes"] == where_it_is_heard
    else:
        assert mapping["FunctionResponseTypes"] == partly


def test_a_flood_of_events_leaves_the_api_its_concurrency() -> None:
    queues = [one for one in of_type("AWS::Lambda::EventSourceMapping").values() if not _is_stream(one)]

    assert queues
    for mapping in queues:
        assert mapping["ScalingConfig"] == {"MaximumConcurrency": 5}


def test_the_relay_and_its_streams_agree_on_partial_answers() -> None:
    relay = of_type("AWS::Lambda::Function")["Relay"]["Environment"]["Variables"]

    assert relay["PARTIAL_BATCHES"] == {"Ref": "PartialBatches"}
    assert template()["Conditions"]["AnswersPartly"] == {"Fn::Equals": [{"Ref": "PartialBatches"}, "true"]}
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    for name in ("staging", "prod"):
        assert "PartialBatches=true" in config[name]["deploy"]["parameters"]["parameter_overrides"].split()


def test_an_outage_shorter_than_the_streams_memory_drops_nothing() -> None:
    for mapping in filter(_is_stream, of_type("AWS::Lambda::EventSourceMapping").values()):
        assert mapping["MaximumRetryAttempts"] == -1
        assert STREAM_SECONDS - 3 * 3600 <= mapping["MaximumRecordAgeInSeconds"] < STREAM_SECONDS


def test_a_late_stream_raises_an_alarm_long_before_anything_is_dropped() -> None:
    late = of_type("AWS::CloudWatch::Alarm")["RelayLateAlarm"]

    assert late["MetricName"] == "IteratorAge"
    assert late["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": "Relay"}}]
    assert late["Threshold"] <= 10 * 60 * 1000


def _is_stream(mapping: Resource) -> bool:
    return bool(mapping["EventSourceArn"]["Fn::GetAtt"][1] == "StreamArn")


@pytest.mark.parametrize("name", MAPPINGS)
def test_what_cannot_be_handled_is_kept(name: str) -> None:
    mapping = of_type("AWS::Lambda::EventSourceMapping")[name]
    source, attribute = mapping["EventSourceArn"]["Fn::GetAtt"]

    if attribute == "StreamArn":
        assert mapping["BisectBatchOnFunctionError"] is True
        kept_in = mapping["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]
    else:
        redrive = of_type("AWS::SQS::Queue")[source]["RedrivePolicy"]
        assert redrive["maxReceiveCount"] == MOST_RECEIVES
        kept_in = redrive["deadLetterTargetArn"]["Fn::GetAtt"][0]
    assert kept_in in QUEUES


def test_a_consumer_gives_up_after_five_tries_and_keeps_a_pointer() -> None:
    for name, mapping in of_type("AWS::Lambda::EventSourceMapping").items():
        source, attribute = mapping["EventSourceArn"]["Fn::GetAtt"]
        if attribute == "Arn":
            kept_in = of_type("AWS::SQS::Queue")[source]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
            function = of_type("AWS::Lambda::Function")[mapping["FunctionName"]["Ref"]]
            variables = function["Environment"]["Variables"]
            tries = TRIES_OF.get(mapping["FunctionName"]["Ref"], TRIES)
            assert (variables["DEAD_LETTERS_URL"], variables["MOST_RECEIVES"]) == ({"Ref": kept_in}, str(tries)), name
            allowed = [one for _, one in statements() if one["Resource"] == {"Fn::GetAtt": [kept_in, "Arn"]}]
            assert "sqs:SendMessage" in [one["Action"] for one in allowed], name


def test_a_message_stays_invisible_for_six_times_its_functions_timeout() -> None:
    functions = of_type("AWS::Lambda::Function")
    for mapping in of_type("AWS::Lambda::EventSourceMapping").values():
        source, attribute = mapping["EventSourceArn"]["Fn::GetAtt"]
        if attribute == "Arn":
            timeout = functions[mapping["FunctionName"]["Ref"]]["Timeout"]
            assert of_type("AWS::SQS::Queue")[source]["VisibilityTimeout"] == 6 * timeout


def test_a_batch_fits_into_its_functions_time() -> None:
    """An inbox reads and writes a few rows for each message; the relay makes a call of at most 9 s for each ten."""
    functions = of_type("AWS::Lambda::Function")
    for mapping in of_type("AWS::Lambda::EventSourceMapping").values():
        timeout = functions[mapping["FunctionName"]["Ref"]]["Timeout"]
        assert timeout >= mapping["BatchSize"] * (0.9 if _is_stream(mapping) else 1.5)


def test_dead_letters_are_kept_as_long_as_can_be_and_watched() -> None:
    queues, alarms = of_type("AWS::SQS::Queue"), of_type("AWS::CloudWatch::Alarm").values()
    on_queues = [alarm["Dimensions"][0]["Value"] for alarm in alarms if alarm.get("Namespace") == "AWS/SQS"]
    watched = {value["Fn::GetAtt"][0] for value in on_queues}
    dead = {
        queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        for queue in queues.values()
        if "RedrivePolicy" in queue
    }

    assert dead | {"RelayDeadLetters"} == watched == {name for name in queues if "RedrivePolicy" not in queues[name]}


@pytest.mark.parametrize("alarm", ["ConsumersLateAlarm", "ConsumersStuckAlarm"])
def test_every_queue_that_is_read_is_watched_for_messages_that_nobody_takes(alarm: str) -> None:
    metrics = of_type("AWS::CloudWatch::Alarm")[alarm]["Metrics"]
    watched = [metric["MetricStat"]["Metric"]["Dimensions"][0]["Value"] for metric in metrics if "MetricStat" in metric]
    read = [{"Fn::GetAtt": [name, "QueueName"]} for name, queue in sorted(of_type("AWS::SQS::Queue").items())]
    dead = [{"Fn::GetAtt": [name, "QueueName"]} for name in _without_redrive()]

    assert watched == [queue for queue in read if queue not in dead]
    assert len(metrics) <= MAX_METRICS_OF_AN_ALARM


def test_a_message_that_is_given_up_is_not_one_that_nobody_reads() -> None:
    waits = [queue["VisibilityTimeout"] for queue in of_type("AWS::SQS::Queue").values() if "RedrivePolicy" in queue]

    assert TRIES * max(waits) < of_type("AWS::CloudWatch::Alarm")["ConsumersLateAlarm"]["Threshold"]


def _without_redrive() -> list[str]:
    return [name for name, queue in of_type("AWS::SQS::Queue").items() if "RedrivePolicy" not in queue]


def test_subscriptions_are_raw_and_filtered_by_whole_types() -> None:
    for subscription in of_type("AWS::SNS::Subscription").values():
        assert subscription["RawMessageDelivery"] is True
        if subscription["TopicArn"] != {"Ref": "Events"}:
            continue
        assert list(subscription["FilterPolicy"]) == ["type"]
        kinds = subscription["FilterPolicy"]["type"]
        assert all(isinstance(kind, str) for kind in kinds)
        assert 0 < len(kinds) == len(set(kinds)) <= MAX_FILTER_VALUES


def test_what_a_topic_cannot_deliver_raises_an_alarm() -> None:
    """There is no dead letter of it: a queue whose policy is wrong takes nothing."""
    alarms = of_type("AWS::CloudWatch::Alarm").values()
    watched = [_watched(alarm) for alarm in alarms if alarm.get("MetricName") == "NumberOfNotificationsFailed"]

    assert sorted(watched, key=str) == [[{"Fn::GetAtt": [name, "TopicName"]}] for name in sorted(of_type(TOPIC))]


def test_only_topics_of_the_house_may_write_to_an_inbox() -> None:
    for name, policy in of_type("AWS::SQS::QueuePolicy").items():
        for statement in policy["PolicyDocument"]["Statement"]:
            sources = listed(statement["Condition"]["ArnEquals"]["aws:SourceArn"])
            heard = [{"Ref": "Events"}, {"Ref": "NotificationsDeliveries"}]
            assert sources == (heard if _owner(name) == "notifications" else heard[:1])


def test_a_clinic_of_any_size_hears_of_a_provider_that_takes_nothing() -> None:
    """Loud at once where many are put off; else when in an hour more than twice as many were put off as were taken."""
    alarms = of_type("AWS::CloudWatch::Alarm")
    loud, steady = (_counted(alarms[f"Notifications{name}Alarm"]) for name in ("Providers", "Unsent"))

    assert loud == {"deferred": "notifications_deferred_total", "failed": "notifications_failed_total"}
    assert steady == loud | {"sent": "notifications_sent_total"}
    assert set(steady.values()) <= set(METRICS.values())
    assert [alarms[f"Notifications{name}Alarm"]["Threshold"] for name in ("Providers", "Unsent")] == [20, 1]
    assert [_period(alarms[f"Notifications{name}Alarm"]) for name in ("Providers", "Unsent")] == [{300}, {3600}]


def _period(alarm: Resource) -> set[int]:
    return {one["MetricStat"]["Period"] for one in alarm["Metrics"] if "MetricStat" in one}


def _counted(alarm: Resource) -> dict[str, str]:
    """The metrics of messages that an alarm's expression is made of, by the name that they have there."""
    expression, *metrics = alarm["Metrics"]
    found = {one["Id"]: one["MetricStat"] for one in metrics}
    assert all(f"FILL({name}, 0)" in expression["Expression"] for name in found)
    assert {one["Stat"] for one in found.values()} == {"Sum"}
    for one in found.values():
        assert one["Metric"]["Dimensions"] == [{"Name": "service", "Value": "notifications"}]
    return {name: one["Metric"]["MetricName"] for name, one in found.items()}


def test_alarms_exist_only_where_there_are_metrics() -> None:
    alarms: list[Resource] = [r for r in expanded().values() if r["Type"] == "AWS::CloudWatch::Alarm"]

    assert alarms
    assert all(alarm["Condition"] == "OnAws" for alarm in alarms)


def test_the_gateway_may_call_the_live_version_of_each_api_function_and_no_other() -> None:
    allowed = {one["FunctionName"]["Fn::Sub"] for one in _permissions("apigateway.amazonaws.com")}

    assert allowed == {f"${{{name}}}:live" for name in FUNCTIONS if name.endswith("Api")}


def test_a_schedule_may_call_the_live_version_of_the_tasks_it_wakes_and_no_other() -> None:
    allowed = {(one["FunctionName"]["Ref"], one["SourceArn"]["Fn::GetAtt"][0]) for one in _permissions(SCHEDULES)}

    assert allowed == {(rule["Targets"][0]["Arn"]["Ref"], name) for name, rule in of_type("AWS::Events::Rule").items()}
    assert {function for function, _ in allowed} <= {f"{name}Aliaslive" for name in FUNCTIONS if name.endswith("Tasks")}


def test_only_the_gateway_and_schedules_may_call_a_function() -> None:
    known = [*_permissions("apigateway.amazonaws.com"), *_permissions(SCHEDULES)]

    assert len(known) == len(of_type("AWS::Lambda::Permission"))


def test_due_rows_are_swept_every_minute_and_a_sweep_that_failed_waits_for_the_next() -> None:
    rules = of_type("AWS::Events::Rule")

    assert "AppointmentsTasksSweep" in rules
    for rule in rules.values():
        [target] = rule["Targets"]
        assert rule["ScheduleExpression"] == "rate(1 minute)"
        assert json.loads(target["Input"]) == {"task": "sweep"}
        assert target["RetryPolicy"] == {"MaximumRetryAttempts": 0}


def test_who_sweeps_has_time_to_catch_up_and_alarms_for_what_fails_or_is_late() -> None:
    alarms = [alarm for alarm in of_type("AWS::CloudWatch::Alarm").values() if "MetricName" in alarm]
    for rule in of_type("AWS::Events::Rule").values():
        function = rule["Targets"][0]["Arn"]["Ref"].removesuffix("Aliaslive")
        assert of_type("AWS::Lambda::Function")[function]["Timeout"] == 60
        watched = {alarm["MetricName"] for alarm in alarms if {"Ref": function} in _watched(alarm)}
        assert watched == {"timers_failed_total", "timers_behind_seconds", "Errors"}


def _watched(alarm: Resource) -> list[Any]:
    return [dimension["Value"] for dimension in alarm.get("Dimensions", [])]


def _permissions(principal: str) -> list[dict[str, Any]]:
    return [one for one in of_type("AWS::Lambda::Permission").values() if one["Principal"] == principal]


def test_a_function_asks_only_owners_that_exist() -> None:
    names = {function["FunctionName"]["Fn::Sub"] for function in of_type("AWS::Lambda::Function").values()}
    asked = [
        value["Fn::Sub"].removesuffix(":live")
        for function in of_type("AWS::Lambda::Function").values()
        for key, value in function["Environment"]["Variables"].items()
        if key.endswith("_TASKS")
    ]

    assert asked
    assert set(asked) <= names


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_may_ask_just_the_functions_that_its_settings_name(name: str) -> None:
    variables = of_type("AWS::Lambda::Function")[name]["Environment"]["Variables"]
    named = [value["Fn::Sub"] for key, value in variables.items() if key.endswith("_TASKS") or key in SIMULATORS]
    arn = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:"

    assert _allowed(name, "lambda:InvokeFunction") == {f"{arn}{one}" for one in named}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_may_start_just_the_flows_that_its_settings_name_and_finds_them_on_emulators(name: str) -> None:
    """By its name: a reference would turn in a circle, since flows ask functions."""
    variables = of_type("AWS::Lambda::Function")[name]["Environment"]["Variables"]
    named = [value for key, value in variables.items() if key.endswith("_ARN") and key != "TOPIC_ARN"]
    by_name = {value["Fn::Sub"] for value in named if "Fn::Sub" in value}

    assert _allowed(name, "states:StartSyncExecution") == (by_name or {value["Ref"] for value in named})
    assert {one.partition(":stateMachine:")[2] for one in by_name} <= FLOWS
    assert ("AWS_DISABLE_HOST_PREFIX_INJECTION" in variables) == bool(named)


def _allowed(function: str, action: str) -> set[str]:
    """The resources, as they are referred to, on which a function's role may do something."""
    found = [one["Resource"] for role, one in statements() if role == f"{function}Role" and one["Action"] == action]
    return {next(iter(resource.values())) for resources in found for resource in listed(resources)}
