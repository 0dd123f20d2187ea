"""Container files can't be run here, so they are held against what they start: the CLI, the settings, the topics."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from postcart.adapters.local_kafka.distribution import KAFKA_VERSION
from postcart.adapters.local_kafka.server import shared_settings
from postcart.adapters.topics import all_topics
from postcart.cli.app import app
from postcart.settings import FILE_VARIABLE, Settings, known_settings, load_settings, variable
from postcart.wiring.alerts import alert_destinations

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
KAFKA = COMPOSE["services"]["kafka"]
OURS = {name: service for name, service in COMPOSE["services"].items() if service["image"] == "postcart"}

_FOR_A_LAPTOP = frozenset(
    {
        "metadata.max.idle.interval.ms",
        "message.max.bytes",
        "replica.fetch.max.bytes",
        "socket.request.max.bytes",
        "log.cleaner.dedupe.buffer.size",
        "log.index.size.max.bytes",
        "num.network.threads",
        "num.io.threads",
        "offsets.topic.num.partitions",
        "transaction.state.log.num.partitions",
        "group.min.session.timeout.ms",
    }
)
"""What the broker for tests sets to start fast and to take oversized records: of no concern to a deployment."""


def environment(service: dict[str, Any]) -> dict[str, str]:
    """Environment of a service as it is with nothing set outside: ``${NAME:-default}`` is the default."""
    return {name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", str(value)) for name, value in service["environment"].items()}


def settings_of(service: dict[str, Any]) -> Settings:
    return load_settings(environment(service))


def test_every_worker_that_there_is_has_a_service() -> None:
    """Whatever kinds the CLI knows, a sender for each channel, the creation of topics before them, and lag."""
    kinds = typer.main.get_command(app).commands["worker"].commands.keys() - {"send"}  # type: ignore[attr-defined]  # a group
    senders = {f"worker send {channel}" for channel in settings_of(OURS["topics"]).channel_names}
    commands = sorted(" ".join(service["command"]) for service in OURS.values())
    assert commands == sorted({"topics create", "lag --serve", *(f"worker {kind}" for kind in kinds), *senders})


def test_every_worker_serves_figures_and_probes() -> None:
    """What Prometheus and the platform ask; only what creates topics comes to an end by itself."""
    assert {name for name, service in OURS.items() if not settings_of(service).metrics_port} == {"topics"}


@pytest.mark.parametrize("name", OURS)
def test_each_command_exists_and_needs_nothing_more(name: str) -> None:
    """Walks the real command tree."""
    command: Any = typer.main.get_command(app)
    words = list(OURS[name]["command"])
    while words and hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    assert not hasattr(command, "commands"), "a group, not a command"
    command.make_context(name, words)


@pytest.mark.parametrize("name", OURS)
def test_each_environment_is_a_valid_configuration(name: str) -> None:
    """Unknown or wrong variables would end the process at its start."""
    settings = settings_of(OURS[name])
    assert settings.bootstrap == "kafka:19092"
    assert all(settings.is_set(key) for key in ("identity_key", "master_key", "unsubscribe.token_secret"))


def test_all_of_them_mean_the_same_topics() -> None:
    """The one that creates topics and those that use them must agree on every name."""
    names = [[topic.name for topic in all_topics(settings_of(service))] for service in OURS.values()]
    assert all(one == names[0] for one in names)


@pytest.mark.parametrize("name", ["email", "alerts"])
def test_mail_goes_to_the_catcher(name: str) -> None:
    """Never to the world: the demo's addresses are made up."""
    smtp = settings_of(OURS[name]).smtp
    assert smtp.host in COMPOSE["services"]
    assert (smtp.port, smtp.tls) == (1025, "none")


def test_alerts_go_somewhere() -> None:
    """Without a destination the worker would end and be started again for ever; a chat only if one is named."""
    assert len(alert_destinations(settings_of(OURS["alerts"]))) == 1


def test_bounces_reach_the_listener() -> None:
    """On the port that is published, from outside the container."""
    feedback = settings_of(OURS["feedback"]).feedback
    assert feedback.host == "0.0.0.0"  # noqa: S104 -- inside a container
    assert OURS["feedback"]["ports"] == [f"127.0.0.1:{feedback.port}:{feedback.port}"]


def test_the_probe_asks_the_port_that_is_served() -> None:
    """A wrong one would restart healthy workers for ever."""
    for name in OURS.keys() - {"topics"}:
        port = settings_of(OURS[name]).metrics_port
        assert f"127.0.0.1:{port}/live" in OURS[name]["healthcheck"]["test"][-1]


def test_prometheus_finds_every_worker_and_reads_the_alerts() -> None:
    """By the names of the services, on the port that they serve; under jobs that the alerts know as ours."""
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yaml").read_text())
    assert config["rule_files"] == ["alerts.yaml"]
    found = {job["job_name"]: job["dns_sd_configs"] for job in config["scrape_configs"]}
    served = [name for name, service in OURS.items() if settings_of(service).metrics_port]
    assert found.keys() == {f"postcart-{name}" for name in served}
    for name in served:
        (where,) = found[f"postcart-{name}"]
        assert (where["names"], where["port"]) == ([name], settings_of(OURS[name]).metrics_port)
    volumes = COMPOSE["services"]["prometheus"]["volumes"]
    assert "./deploy/prometheus:/etc/prometheus:ro" in volumes
    assert "--config.file=/etc/prometheus/prometheus.yaml" in COMPOSE["services"]["prometheus"]["command"]


def test_containers_are_locked_down() -> None:
    """No root, nothing written, no capabilities; time enough to drain."""
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", DOCKERFILE, re.MULTILINE)
    for service in OURS.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
    assert all(OURS[name]["stop_grace_period"] == "40s" for name in OURS.keys() - {"topics"})


def test_carriers_are_asked_only_where_that_is_wanted() -> None:
    """A worker that has nobody to ask would end and be started again for ever; `track` is told the same as it."""
    assert OURS["poll"]["profiles"] == ["polling"]
    assert not settings_of(OURS["poll"]).polling.sources
    assert {name for name in OURS["poll"]["environment"] if "POLLING" in name} <= OURS["track"]["environment"].keys()


def test_the_broker_is_the_one_that_tests_run_on() -> None:
    """Version and every setting that decides how workers behave."""
    assert KAFKA["image"] == f"apache/kafka:{KAFKA_VERSION}"
    found = {name.removeprefix("KAFKA_").lower().replace("_", "."): value for name, value in environment(KAFKA).items()}
    wanted = {name: value for name, value in shared_settings(1).items() if name not in _FOR_A_LAPTOP}
    assert {name: found.get(name) for name in wanted} == wanted
    assert int(found["offsets.retention.minutes"]) == 30 * 24 * 60


def test_the_image_copies_what_is_there_and_starts_the_real_program() -> None:
    """Sources of COPY, the entry point, and that the build context lets them through."""
    copies = [line.split()[1:] for line in DOCKERFILE.splitlines() if line.startswith("COPY ") and "--from" not in line]
    ignored = (ROOT / "deploy/Dockerfile.dockerignore").read_text().splitlines()
    for *sources, _target in copies:
        for source in sources:
            assert (ROOT / source).exists(), source
            assert f"!{source.split('/')[0]}" in ignored, source
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert 'ENTRYPOINT ["postcart"]' in DOCKERFILE
    assert "postcart" in project["scripts"]
    settings = load_settings({})
    for folder in (settings.campaigns_dir, settings.templates_dir, settings.locales_dir):
        assert f"COPY {folder} {folder}" in DOCKERFILE


def test_the_image_is_built_with_what_links_lead_to() -> None:
    """Schemas and carriers lie beside the package: a wheel built without them would lack them."""
    links = [path for path in (ROOT / "src").rglob("*") if path.is_symlink()]
    assert len(links) >= 2
    for link in links:
        folder = link.resolve().relative_to(ROOT)
        assert f"COPY {folder} {folder}" in DOCKERFILE.splitlines()


def texts() -> Iterator[Path]:
    """Everything that people read or that starts something."""
    yield from (ROOT / name for name in ("README.md", "CONTRIBUTING.md", "Makefile", ".ci/run", "docker-compose.yml"))
    yield from (path for path in (ROOT / "deploy").rglob("*") if path.is_file())
    yield from (ROOT / "docs").rglob("*.md")


def test_every_variable_that_is_named_anywhere_exists() -> None:
    """Documentation and deployment can't drift from the settings."""
    known = {variable(path) for path, _known in known_settings()} | {FILE_VARIABLE}
    groups = {name[: name.rindex("__") + 2] for name in known if "__" in name}
    for path in texts():
        named = set(re.findall(r"POSTCART_[A-Z0-9_]+", path.read_text()))
        unknown = {name for name in named - known if name not in groups and f"{name}__" not in groups}
        assert not unknown, f"{path.relative_to(ROOT)}: {sorted(unknown)}"


@pytest.mark.parametrize("name", ["base.txt", "dev.txt", "build.txt"])
def test_requirements_are_pinned_by_hash_and_name_no_index(name: str) -> None:
    """Installable from any index, and from none that isn't trusted."""
    text = (ROOT / "requirements" / name).read_text()
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    for block in re.split(r"\n(?=[a-z0-9])", text):
        if re.match(r"[a-z0-9][\w.-]*==", block):
            assert "--hash=sha256:" in block, block.splitlines()[0]


def test_requirements_hold_every_dependency() -> None:
    """A dependency added to the project and not compiled would be missing in CI and in the image."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for name, wanted in {
        "base.txt": project["dependencies"],
        "dev.txt": [*project["dependencies"], *extras["demo"], *extras["dev"]],
    }.items():
        pinned = set(re.findall(r"^([a-z0-9][\w.-]*)==", (ROOT / "requirements" / name).read_text(), re.MULTILINE))
        assert {re.split(r"[><=\[]", one)[0].lower().replace("_", "-") for one in wanted} <= pinned


def test_continuous_integration_runs_what_people_run() -> None:
    """And says that it is CI, so that a missing broker fails."""
    script = (ROOT / ".ci/run").read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"install", "demo", "test", "test-fast", "check", "bench", "kafka"} <= targets
    assert script.index("make test") < script.index("make check")
    assert "export CI=true" in script
    assert "set -euo pipefail" in script
    assert "need promtool prometheus" in script, "else the alerts are not tested"


def test_a_wheel_holds_every_file_that_modules_read() -> None:
    """A file beside the modules that package-data doesn't name is missing once installed."""
    package = ROOT / "src/postcart"
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["postcart"]
    named = {path for pattern in patterns for path in package.glob(pattern)}
    skipped = {".py", ".pyc"}
    there = {
        path
        for path in package.rglob("*")
        if path.is_file() and path.suffix not in skipped and not any(part.startswith(".") for part in path.parts)
    }
    assert there <= named
