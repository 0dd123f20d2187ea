"""Dashboards: every expression parses and asks for metrics that exist, by labels that they have."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from postcart.metrics.table import BY_NAME, METRICS
from unit.test_alerts import metric_of, names_and_labels, promtool

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "deploy/grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
_BUILT_IN = frozenset({"le", "job", "instance"})


def dashboard(file: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(file.read_text())
    return loaded


def targets(file: Path) -> list[tuple[str, str, str]]:
    """Title of the panel, expression and legend of each query."""
    return [
        (panel["title"], target["expr"], target["legendFormat"])
        for panel in dashboard(file)["panels"]
        for target in panel.get("targets", ())
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_expression_parses(file: Path, tmp_path: Path) -> None:
    """By Prometheus's own parser, as rules of a file."""
    rules = [
        {"record": f"dashboard:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, (_, expression, _) in enumerate(targets(file))
    ]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", str(tmp_path / "rules.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_metric_and_label_is_in_the_table(file: Path) -> None:
    """Also the labels of legends; counters only as rates or increases, buckets only of histograms."""
    for title, expression, legend in targets(file):
        names, labels = names_and_labels(expression)
        metrics = [BY_NAME[metric_of(name)] for name in names]
        known = {label for metric in metrics for label in metric.labels} | _BUILT_IN
        assert labels <= known, (title, labels - known)
        assert set(re.findall(r"{{(\w+)}}", legend)) <= labels | {"instance", "job"}, title
        for metric in metrics:
            if metric.kind == "counter":
                assert re.search(rf"(rate|increase)\({re.escape(metric.full_name)}", expression), title


def test_every_metric_is_on_a_dashboard() -> None:
    """What nobody looks at need not be counted."""
    shown = {metric_of(name) for file in FILES for _, expr, _ in targets(file) for name in names_and_labels(expr)[0]}
    assert {metric.name for metric in METRICS} - shown == set()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_panels_are_whole(file: Path) -> None:
    """Ids once each, a unit, the data source that the viewer chose, no overlap."""
    board = dashboard(file)
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert [one["name"] for one in board["templating"]["list"]] == ["datasource"]
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not own & cells, panel["title"]
        assert max(x for x, _ in own) < 24
        cells |= own
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}"
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert panel["targets"]


def test_grafana_is_told_where_everything_is() -> None:
    """Provisioning names the folder that the compose file mounts, and the service that answers."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    mounts = dict(volume.split(":")[:2] for volume in compose["grafana"]["volumes"])
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/postcart.yaml").read_text())["providers"]
    assert mounts["./deploy/grafana/dashboards"] == provider["options"]["path"]
    assert mounts["./deploy/grafana/provisioning"] == "/etc/grafana/provisioning"
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in compose
