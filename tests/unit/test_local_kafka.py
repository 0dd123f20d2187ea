"""A broker can be had where it is possible, says what is missing where it isn't, and leaves nothing behind."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from postcart.adapters import local_kafka
from postcart.adapters.local_kafka import LocalKafka, default_cache, distribution, open_broker
from postcart.adapters.local_kafka.class_archive import class_archive
from postcart.adapters.mock_broker import MockBroker
from postcart.errors import BrokerUnavailable
from waiting import wait_for

_DEADLINE_S = 60.0


def _cache() -> Path:
    return default_cache(os.environ)  # noqa: TID251 -- tests are a shell; the jars are shared with the fixture's


def _processes_naming(text: str) -> list[str]:
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text.encode() in command.read_bytes():
                found.append(command.parent.name)
        except OSError:
            continue
    return found


def test_the_cache_follows_xdg() -> None:
    """XDG_CACHE_HOME counts only if it is absolute, as its specification says."""
    assert default_cache({"XDG_CACHE_HOME": "/somewhere"}) == Path("/somewhere/postcart")
    assert default_cache({"XDG_CACHE_HOME": "relative"}) == Path.home() / ".cache/postcart"


def test_a_machine_without_java_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The message names each way that was tried, and the package."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(local_kafka, "engine_trouble", lambda: "no Docker engine answers")
    with pytest.raises(BrokerUnavailable) as problem, open_broker(None, cache=tmp_path):
        pass
    assert "no Docker engine answers" in str(problem.value)
    assert "apt-get install default-jre-headless" in str(problem.value)
    assert "KAFKA_BOOTSTRAP" in str(problem.value)


def test_an_old_java_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Java 11 does not run Kafka 4; its own message would be a class file version."""
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrokerUnavailable, match=r"is Java 11, Kafka .* needs 17"):
        distribution.java_program()


def test_a_machine_without_maven_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only the first run needs Maven: a filled cache does without."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrokerUnavailable, match="apt-get install maven"):
        distribution.kafka_jars(tmp_path / "cache")


def test_two_processes_fetch_once(tmp_path: Path) -> None:
    """Both wait for one download and get the same whole folder."""
    maven = tmp_path / "bin" / "mvn"
    maven.parent.mkdir()
    jar = f"jars/kafka_2.13-{distribution.KAFKA_VERSION}.jar"
    maven.write_text(f'#!/bin/sh\necho run >>"{tmp_path}/runs"\n/bin/mkdir jars\n: >{jar}\n')
    maven.chmod(0o755)
    script = (
        "import sys; from pathlib import Path; from postcart.adapters.local_kafka import distribution\n"
        "print(distribution.kafka_jars(Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "cache")]
    both = [subprocess.Popen(command, env={"PATH": str(maven.parent)}, stdout=subprocess.PIPE) for _ in range(2)]  # noqa: S603 -- this interpreter
    folders = {process.communicate(timeout=_DEADLINE_S)[0] for process in both}
    assert len(folders) == 1
    assert (tmp_path / "runs").read_text() == "run\n"
    assert Path(folders.pop().decode().strip(), f"kafka_2.13-{distribution.KAFKA_VERSION}.jar").exists()


def test_a_download_that_fails_shows_mavens_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And leaves nothing that the next run would take for a whole download."""
    maven = tmp_path / "mvn"
    maven.write_text("#!/bin/sh\necho 'Could not resolve kafka_2.13'\nexit 1\n")
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrokerUnavailable, match="Could not resolve"):
        distribution.kafka_jars(tmp_path / "cache")
    assert not any(path.is_dir() for path in (tmp_path / "cache").iterdir())


def test_an_engine_that_does_not_answer_is_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Docker client without an engine is common; asking it has to be quick and quiet."""
    pytest.importorskip("docker")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert local_kafka.engine_trouble() == "no Docker engine answers"


def test_the_mock_cluster_has_the_topics_asked_for_and_serves_other_processes() -> None:
    """Its own setting would create 4 partitions at first use; a stage needs the counts it asked for."""
    with MockBroker({"one": 1, "seven": 7}) as broker:
        script = (
            "import json, sys; from confluent_kafka.admin import AdminClient\n"
            "topics = AdminClient({'bootstrap.servers': sys.argv[1]}).list_topics(timeout=10).topics\n"
            "print(json.dumps({name: len(topic.partitions) for name, topic in topics.items()}))"
        )
        answer = subprocess.run([sys.executable, "-c", script, broker.bootstrap], capture_output=True, check=True)  # noqa: S603 -- this interpreter
        assert json.loads(answer.stdout) == {"one": 1, "seven": 7}
        broker.create({"one": 1})  # again: nothing happens
    with pytest.raises(BrokerUnavailable):
        broker.create({"late": 1})


@pytest.fixture(scope="module")
def three_brokers() -> Iterator[LocalKafka]:
    """Three real brokers, replicating."""
    with LocalKafka(_cache(), brokers=3) as cluster:
        yield cluster


@pytest.mark.kafka
@pytest.mark.slow
def test_a_broker_that_was_killed_comes_back_with_its_data(three_brokers: LocalKafka) -> None:
    """Two of three keep taking acknowledged records, and the third returns to the same address."""
    before = three_brokers.bootstrap
    quiet = {"bootstrap.servers": before, "log_level": 0, "error_cb": lambda _error: None}
    admin = AdminClient(quiet)
    admin.create_topics([NewTopic("held", 1)])["held"].result(_DEADLINE_S)
    three_brokers.kill(2)
    producer = Producer({**quiet, "acks": "all"})
    outcomes: list[object] = []
    producer.produce("held", b"value", on_delivery=lambda error, _message: outcomes.append(error))
    assert producer.flush(_DEADLINE_S) == 0
    assert outcomes == [None]
    three_brokers.start(2)
    assert three_brokers.bootstrap == before
    assert len(admin.list_topics(timeout=_DEADLINE_S).brokers) == 3


@pytest.mark.kafka
@pytest.mark.slow
def test_nothing_is_left_when_the_parent_is_killed() -> None:
    """SIGKILL runs no clean-up in the parent; broker and data go all the same."""
    script = (
        "import sys; from pathlib import Path; from postcart.adapters.local_kafka import LocalKafka\n"
        "cluster = LocalKafka(Path(sys.argv[1])).__enter__()\n"
        "print(cluster.log_path.parent, flush=True)\n"
        "sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(_cache())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:  # noqa: S603 -- this interpreter
        assert parent.stdout is not None
        folder = Path(parent.stdout.readline().strip())
        assert folder.is_dir()
        assert _processes_naming(str(folder))
        parent.send_signal(signal.SIGKILL)
    wait_for(lambda: not folder.exists(), f"{folder} is still there")
    wait_for(lambda: not _processes_naming(str(folder)), "processes are still there")


@pytest.mark.kafka
@pytest.mark.slow
def test_a_broker_that_can_not_start_shows_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason stands in the message, not in a file that is gone by then."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        taken = [one.getsockname()[1], other.getsockname()[1]]
        monkeypatch.setattr("postcart.adapters.local_kafka.cluster.free_ports", lambda _count: taken)
        with (
            pytest.raises(BrokerUnavailable, match=r"(?s)broker 0 ended.*Address already in use"),
            LocalKafka(_cache()),
        ):
            pass


def test_the_archive_of_classes_is_made_once(tmp_path: Path) -> None:
    """For these jars and this Java; one that could not be made is tried again, and is no error."""
    (jars := tmp_path / "kafka-0").mkdir()
    (java := tmp_path / "java").touch()
    trained: list[Path] = []
    without = class_archive(jars, str(java), trained.append)
    assert not without.exists()

    def train(archive: Path) -> None:
        trained.append(archive)
        archive.write_text("classes")

    assert class_archive(jars, str(java), train) == without
    assert class_archive(jars, str(java), train).read_text() == "classes"
    assert len(trained) == 2
    os.utime(java, (1, 1))
    assert class_archive(jars, str(java), train) != without
    assert len(trained) == 3
