"""Metrics: the table of names, the objects made of it, and the port."""

import inspect
import re
from typing import Any, get_args

import pytest

from postcart.events.jobs import Outcome, ReportKind
from postcart.metrics.instruments import Instruments
from postcart.metrics.sending import OUTCOMES, RESULTS, ChannelFigures
from postcart.metrics.stage import StageFigures
from postcart.metrics.table import METRICS
from postcart.processors.engine.metrics import AbortReason, EngineMetrics
from postcart.processors.stage_metrics import StageMetrics
from postcart.senders.metrics import SenderMetrics, SendResult

TOPICS = {"marketing": "p.jobs.email.marketing", "transactional": "p.jobs.email.transactional"}


@pytest.fixture
def instruments() -> Instruments:
    return Instruments()


@pytest.fixture
def stage(instruments: Instruments) -> StageFigures:
    return StageFigures(instruments, "detect")


@pytest.fixture
def channel(instruments: Instruments) -> ChannelFigures:
    return ChannelFigures(instruments, channel="email", providers=("smtp",), topics=TOPICS)


def value(instruments: Instruments, name: str, **labels: str) -> float | None:
    return instruments.registry.get_sample_value(f"postcart_{name}", labels)


def test_names_and_labels_are_well_formed() -> None:
    """Prometheus's rules: base units, ``_total`` on counters and nowhere else, each name once."""
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert re.fullmatch(r"[a-z][a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter"), metric.name
        assert bool(metric.buckets) == (metric.kind == "histogram"), metric.name
        assert list(metric.buckets) == sorted(metric.buckets)
        assert metric.help.endswith(".")
        assert not {"id", "person", "address", "error"} & set(metric.labels)


def test_every_metric_of_the_table_can_be_made(instruments: Instruments) -> None:
    """And none brings a ``_created`` series along."""
    for metric in METRICS:
        make = getattr(instruments, metric.kind)
        made = make(metric.name, **dict.fromkeys(metric.labels, "x"))
        made.observe(1) if metric.kind == "histogram" else made.inc()
    families = {family.name for family in instruments.registry.collect()}
    assert families == {metric.full_name.removesuffix("_total") for metric in METRICS}
    samples = [sample.name for family in instruments.registry.collect() for sample in family.samples]
    assert not [name for name in samples if name.endswith("_created")]


def test_a_name_that_is_not_in_the_table_is_a_bug(instruments: Instruments) -> None:
    """So is one of another kind."""
    with pytest.raises(KeyError):
        instruments.counter("made_up_total")
    with pytest.raises(TypeError):
        instruments.gauge("rebalances_total", stage="detect")


@pytest.mark.parametrize(
    ("protocol", "implementation"),
    [(EngineMetrics, StageFigures), (StageMetrics, StageFigures), (SenderMetrics, ChannelFigures)],
)
def test_callbacks_fit_the_protocols_of_the_layers_above(protocol: type, implementation: type) -> None:
    """Same names, same parameters: the layers don't let the one import the other."""
    wanted = {name: member for name, member in vars(protocol).items() if inspect.isfunction(member) and name[0] != "_"}
    assert wanted
    for name, member in wanted.items():
        have = inspect.signature(getattr(implementation, name)).parameters
        need = inspect.signature(member).parameters
        assert list(need) == list(have)[: len(need)], name
        assert all(parameter.default is not inspect.Parameter.empty for parameter in list(have.values())[len(need) :])


def test_a_stage_counts_what_it_is_told(instruments: Instruments, stage: StageFigures) -> None:
    """Batches, transactions, tasks, outcomes, dead letters, decisions."""
    stage.consumed("shop.carts", 500)
    stage.processed("shop.carts", applied=498, late=1, repeated=0, dead=1)
    stage.dead_letters("shop.carts", "decode")
    stage.committed(0.007, 10, 20)
    stage.aborted("rebalance")
    stage.tasks(3, 1)
    stage.rebalanced()
    stage.batch(0.01)
    stage.delayed(2.0)
    stage.fired(-1.0)
    stage.aborted("outage")
    stage.reported("email", "hard")
    stage.decided(purpose="marketing", outcome="cancelled", reason="ordered")
    stage.jobs_emitted("email", "marketing", 4)
    assert value(instruments, "records_received_total", stage="detect", topic="shop.carts") == 500
    assert value(instruments, "records_processed_total", stage="detect", topic="shop.carts", outcome="applied") == 498
    assert value(instruments, "dead_letters_total", topic="shop.carts", reason="decode") == 1
    assert value(instruments, "transactions_total", stage="detect", outcome="committed") == 1
    assert value(instruments, "transactions_total", stage="detect", outcome="aborted_rebalance") == 1
    assert value(instruments, "transactions_total", stage="detect", outcome="failed") == 1
    assert value(instruments, "delivery_reports_total", channel="email", kind="hard") == 1
    assert value(instruments, "worker_partitions", stage="detect", state="restoring") == 1
    assert value(instruments, "rebalances_total", stage="detect") == 1
    assert value(instruments, "event_delay_seconds_sum", stage="detect") == 2
    assert value(instruments, "deadline_fire_delay_seconds_sum", stage="detect") == 0
    assert value(instruments, "decisions_total", purpose="marketing", outcome="cancelled", reason="ordered") == 1
    assert value(instruments, "jobs_accepted_total", channel="email", purpose="marketing") == 4


def test_series_of_a_partition_end_with_it(instruments: Instruments, stage: StageFigures) -> None:
    """What is not owned any more must not be shown: it would stand still for ever."""
    for partition in (0, 1):
        stage.restoring(partition, 10, 30)
        stage.restored(partition, 30, 0.1)
        stage.state(partition, rows=5, size=500, waiting={"session_end": 4, "forget": 1})
        stage.state(partition, rows=5, size=500, waiting={"session_end": 3, "forget": 2})
        stage.clock(partition, 1_500)
    assert value(instruments, "watermark_timestamp_seconds", stage="detect", partition="1") == 1.5
    assert value(instruments, "deadlines_pending", stage="detect", kind="session_end") == 6
    stage.lag("shop.carts", 1, 7)
    assert value(instruments, "state_rows", stage="detect", partition="1") == 5
    stage.lag("shop.carts", 1, None)
    stage.lag("shop.sessions", 1, None)
    partitions = {
        sample.labels["partition"]
        for family in instruments.registry.collect()
        for sample in family.samples
        if "partition" in sample.labels
    }
    assert partitions == {"0"}
    assert value(instruments, "restore_remaining_records", stage="detect", partition="0") == 0
    assert value(instruments, "deadlines_pending", stage="detect", kind="session_end") == 3
    stage.closed(0)
    assert value(instruments, "deadlines_pending", stage="detect", kind="session_end") == 0


@pytest.mark.parametrize("reason", get_args(AbortReason))
def test_every_reason_of_an_abort_is_counted(instruments: Instruments, stage: StageFigures, reason: Any) -> None:
    """One that is not known would end the worker at the very moment when it recovers."""
    stage.aborted(reason)
    counted = [
        sample.value
        for family in instruments.registry.collect()
        for sample in family.samples
        if sample.name == "postcart_transactions_total" and sample.labels["outcome"] != "committed"
    ]
    assert sorted(counted) == [0, 0, 1]


def test_series_that_alerts_watch_begin_at_zero(instruments: Instruments, channel: ChannelFigures) -> None:
    """For Prometheus a series that begins at 1 has not increased: the first refusal would go unseen."""
    StageFigures(instruments, "journey", channels=("email",))
    assert set(RESULTS) == set(get_args(SendResult))
    assert set(OUTCOMES) == set(get_args(Outcome))
    for result in RESULTS:
        assert value(instruments, "send_attempts_total", channel="email", provider="smtp", result=result) == 0
    for kind in get_args(ReportKind):
        assert value(instruments, "delivery_reports_total", channel="email", kind=kind) == 0
    channel.attempt("policy", 0.1, "smtp")
    assert value(instruments, "send_attempts_total", channel="email", provider="smtp", result="policy") == 1


def test_a_sender_counts_what_it_is_told(instruments: Instruments, channel: ChannelFigures) -> None:
    """Received, attempts, receipts, final ends, what waits."""
    channel.jobs_received("marketing", 3)
    channel.jobs_repeated("marketing", 1)
    channel.attempt("accepted", 0.3, "smtp")
    channel.finished("marketing", "accepted", None, "smtp")
    channel.finished("marketing", "not_accepted", None, "smtp")
    channel.waiting("quiet_hours")
    channel.committed("committed", 0.01)
    channel.partitions("running", 4)
    channel.dead_letter("transactional", "decode")
    channel.dead_letter("marketing", "render")
    channel.rebalanced()
    email = {"channel": "email"}
    assert value(instruments, "records_received_total", stage="email", topic=TOPICS["marketing"]) == 3
    assert value(instruments, "send_attempts_total", **email, provider="smtp", result="accepted") == 1
    assert value(instruments, "receipts_total", **email, provider="smtp", status="not_accepted") == 1
    assert value(instruments, "jobs_finished_total", **email, purpose="marketing", outcome="accepted") == 1
    assert value(instruments, "jobs_finished_total", **email, purpose="marketing", outcome="not_accepted") is None
    assert value(instruments, "jobs_waited_total", **email, reason="quiet_hours") == 1
    assert value(instruments, "worker_partitions", stage="email", state="running") == 4
    assert value(instruments, "rebalances_total", stage="email") == 1
    transactional = TOPICS["transactional"]
    assert value(instruments, "dead_letters_total", topic=transactional, reason="decode") == 1
    assert value(instruments, "dead_letters_total", topic=TOPICS["marketing"], reason="render") == 1
    dead = {"stage": "email", "outcome": "dead"}
    assert value(instruments, "records_processed_total", topic=transactional, **dead) == 1
    assert value(instruments, "records_processed_total", topic=TOPICS["marketing"], **dead) is None, "it has a receipt"


def test_pending_jobs_are_summed_and_end_with_the_partition(instruments: Instruments, channel: ChannelFigures) -> None:
    """The number of waiting jobs has no partition, so the sum goes down instead of a series ending."""
    channel.pending("marketing", 0, 5)
    channel.pending("marketing", 1, 2)
    assert value(instruments, "jobs_pending", channel="email", priority="marketing") == 7
    channel.partition_closed(0)
    assert value(instruments, "jobs_pending", channel="email", priority="marketing") == 2


@pytest.mark.parametrize(("state", "shown"), [("open", "closed"), ("paused", "open"), ("probing", "half_open")])
def test_exactly_one_state_of_the_circuit_is_true(
    instruments: Instruments, channel: ChannelFigures, state: str, shown: str
) -> None:
    """An open channel is a closed circuit."""
    channel.provider_state("smtp", "probing")
    channel.provider_state("smtp", state)
    states = {
        name: value(instruments, "provider_circuit_state", channel="email", provider="smtp", state=name)
        for name in ("closed", "open", "half_open")
    }
    assert states == {"closed": 0, "open": 0, "half_open": 0} | {shown: 1}


def test_a_series_that_ended_begins_anew(instruments: Instruments) -> None:
    """What was looked up before its end must not be counted on: nobody would see it."""
    labels = {"stage": "detect", "partition": "3"}
    instruments.gauge("state_rows", **labels).set(7)
    assert instruments.gauge("state_rows", **labels) is instruments.gauge("state_rows", **labels)
    instruments.remove("state_rows", **labels)
    assert value(instruments, "state_rows", **labels) is None
    instruments.gauge("state_rows", **labels).set(2)
    assert value(instruments, "state_rows", **labels) == 2
    instruments.clear("state_rows")
    instruments.gauge("state_rows", **labels).set(1)
    assert value(instruments, "state_rows", **labels) == 1
