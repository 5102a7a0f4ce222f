"""The alert rules and the dashboard ask for metrics and labels that there are, in PromQL."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from cli.reference import pages
from nss.admin.metric_families import EVENTS, METRICS

PACKAGING = Path(__file__).parents[2] / "packaging"
RULES: list[dict[str, Any]] = yaml.safe_load(
    (PACKAGING / "prometheus/nss.rules.yml").read_text(encoding="utf-8")
)["groups"][0]["rules"]

LABELS = {family.name: set(family.labels) for family in METRICS}
LABELS |= {EVENTS.name: set(EVENTS.labels), "up": set()}
OF_EVERY_SCRAPE = {"job", "instance"}


def selectors(expression: str) -> dict[str, set[str]]:
    """Return the labels that each metric of an expression is chosen by. Raises when it is wrong."""
    found: dict[str, set[str]] = {}

    def note(node: Any) -> bool:  # noqa: ANN401 - nodes have nothing in common
        selector = getattr(node, "vector_selector", node)
        if isinstance(selector, promql_parser.VectorSelector):
            assert selector.name is not None
            chosen = {matcher.name for matcher in selector.matchers.matchers}
            found.setdefault(selector.name, set()).update(chosen)
        return True

    promql_parser.walk(promql_parser.parse(expression), note)
    return found


def of_dashboard() -> Iterator[str]:
    dashboard = json.loads((PACKAGING / "grafana/nss.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"].replace("$__rate_interval", "1m")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_asks_for_what_there_is_and_says_what_to_do(rule: dict[str, Any]) -> None:
    found = selectors(rule["expr"])
    assert found
    for metric, labels in found.items():
        assert labels <= LABELS[metric] | OF_EVERY_SCRAPE, metric
    texts = rule["annotations"]
    used = set(re.findall(r"\$labels\.(\w+)", " ".join(texts.values())))
    assert used <= set.union(*(LABELS[metric] for metric in found)) | OF_EVERY_SCRAPE
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert set(texts) == {"summary", "description"}


def test_commands_that_rules_name_are_there() -> None:
    known = {page.name for page in pages()}
    named = {
        name
        for rule in RULES
        for name in re.findall(r"nss (?:[a-z]+-?[a-z0-9]*)", rule["annotations"]["description"])
    }
    assert named
    assert named <= known


def test_every_expression_of_the_dashboard_is_promql() -> None:
    expressions = list(of_dashboard())
    assert len(expressions) > 10
    for expression in expressions:
        assert selectors(expression)


def test_an_expression_that_is_wrong_is_noticed() -> None:
    with pytest.raises(ValueError, match="promql"):
        selectors("nss_alive == ")
    assert selectors('sum(rate(a{x="1"}[5m])) / b') == {"a": {"x"}, "b": set()}
