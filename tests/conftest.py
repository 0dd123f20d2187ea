"""Brokers for all tests.

Owns: one real Kafka per test run, mock clusters, and names that tests don't share. Must not: start a broker for a test
that doesn't ask for one.
"""

import contextlib
import itertools
import os
import secrets
import signal
from collections.abc import Callable, Iterator, Mapping
from time import monotonic

import hypothesis
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from postcart.adapters.local_kafka import LocalKafka, default_cache, open_broker
from postcart.adapters.mock_broker import MockBroker
from postcart.errors import BrokerUnavailable
from postgres_server import Postgres, PostgresMissing, running_postgres

Create = Callable[[Mapping[str, int], Mapping[str, str]], None]

ENVIRON: Mapping[str, str] = os.environ  # noqa: TID251 -- tests are an outermost shell, like the CLI

_REQUEST_S = 30.0

# No verdict of ours depends on how fast the machine is; in CI a failure can be repeated from what was printed.
hypothesis.settings.register_profile("postcart", deadline=None, print_blob=True)
hypothesis.settings.load_profile("postcart")


class Cluster:
    """A broker as tests use it, real or mock. Tests share it, so each takes names of its own from ``prefix``.

    Attributes:
        bootstrap: Addresses for ``bootstrap.servers``.
        real: Whether this is Apache Kafka.
    """

    _run = secrets.token_hex(3)  # a broker that outlives the run keeps the topics of earlier ones
    _counter = itertools.count(1)

    def __init__(self, bootstrap: str, create: Create, *, real: bool) -> None:
        self.bootstrap = bootstrap
        self.real = real
        self._create = create

    def prefix(self, name: str = "t") -> str:
        """Return a prefix for topics, groups and transactional ids that no other test uses. Ends with a dot."""
        return f"{name}-{self._run}-{next(self._counter)}."

    def create(self, topics: Mapping[str, int], config: Mapping[str, str] | None = None) -> None:
        """Create ``topics`` (name to partition count) and wait until they are there."""
        self._create(topics, config or {})


def _create_on_kafka(bootstrap: str) -> Create:
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})

    def create(topics: Mapping[str, int], config: Mapping[str, str]) -> None:
        wanted = [NewTopic(name, count, config=dict(config)) for name, count in topics.items()]
        for done in admin.create_topics(wanted, operation_timeout=_REQUEST_S).values():
            done.result(_REQUEST_S)
        deadline = monotonic() + _REQUEST_S
        while not topics.keys() <= admin.list_topics(timeout=_REQUEST_S).topics.keys():
            assert monotonic() < deadline, "the broker does not hear of new topics"

    return create


def pytest_configure() -> None:
    """Have the commands that tests start hear Ctrl-C, also if the tests run in a background that ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test that asks for the real broker: no marker can be forgotten, ``-m "not kafka"`` is always right."""
    for item in items:
        if {"kafka", "own_kafka"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("kafka")


@pytest.fixture(scope="session")
def kafka() -> Iterator[Cluster]:
    """Real Kafka, one for the whole run. Where none is possible tests are skipped; in CI that is a failure."""
    try:
        with open_broker(ENVIRON.get("KAFKA_BOOTSTRAP"), cache=default_cache(ENVIRON)) as broker:
            yield Cluster(broker.bootstrap, _create_on_kafka(broker.bootstrap), real=True)
    except BrokerUnavailable as problem:
        if ENVIRON.get("CI"):
            pytest.fail(f"CI runs nothing without a broker.\n{problem}", pytrace=False)
        pytest.skip(str(problem))


@pytest.fixture
def own_kafka() -> Callable[[int], contextlib.AbstractContextManager[tuple[LocalKafka, Cluster]]]:
    """Gives brokers of the test's own, as many as it asks for: those that it kills. Skips where none is possible."""

    @contextlib.contextmanager
    def start(count: int) -> Iterator[tuple[LocalKafka, Cluster]]:
        with contextlib.ExitStack() as stack:
            try:
                brokers = stack.enter_context(LocalKafka(default_cache(ENVIRON), brokers=count, start_timeout_s=300))
            except BrokerUnavailable as problem:
                if ENVIRON.get("CI"):
                    pytest.fail(f"CI runs nothing without a broker.\n{problem}", pytrace=False)
                pytest.skip(str(problem))
            yield brokers, Cluster(brokers.bootstrap, _create_on_kafka(brokers.bootstrap), real=True)

    return start


@pytest.fixture
def mock_broker() -> Iterator[Cluster]:
    """Provide librdkafka's mock cluster, a fresh one for each test. Topics take no configuration there."""
    with MockBroker() as broker:
        yield Cluster(broker.bootstrap, lambda topics, _config: broker.create(topics), real=False)


@pytest.fixture(params=["mock_broker", pytest.param("kafka", marks=pytest.mark.kafka)])
def each_broker(request: pytest.FixtureRequest) -> Cluster:
    """A mock cluster, then real Kafka."""
    found: Cluster = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """PostgreSQL, one for the whole run. Where it is not installed tests are skipped; in CI that is a failure."""
    try:
        with running_postgres() as server:
            yield server
    except PostgresMissing as problem:
        if ENVIRON.get("CI"):
            pytest.fail(str(problem), pytrace=False)
        pytest.skip(str(problem))
