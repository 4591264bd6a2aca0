"""`--format junit`: every check as a test case, for CI systems that read JUnit XML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar
from xml.etree import ElementTree as ET

from gitloop.errors import DataError
from gitloop.reports import gate_figures as figures
from gitloop.reports.gate_figures import Json

_TAGS = {"fail": "failure", "error": "error", "stale": "error", "inconclusive": "skipped"}
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class JunitRenderer:
    """Renders a gate document as JUnit XML: one suite per kind of check, one case per check."""

    id: ClassVar[str] = "junit"
    version: ClassVar[str] = "1"

    def render(self, value: Mapping[str, Any]) -> str:
        """The value as XML.

        Raises:
            DataError: The value is no gate document.
        """
        if value.get("schema") != "gitloop.gate/v1":
            raise DataError(f"there is no JUnit form of {value.get('schema')}")
        kinds = list(dict.fromkeys(check["kind"] for check in value["checks"]))
        root = ET.Element("testsuites", _counts("gitloop gate", value["checks"]))
        for kind in kinds:
            checks = [check for check in value["checks"] if check["kind"] == kind]
            suite = ET.SubElement(root, "testsuite", _counts(f"gate.{kind}", checks))
            for check in checks:
                _case(suite, check, value)
        ET.indent(root)
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}'


def _counts(name: str, checks: list[Json]) -> dict[str, str]:
    tags = [_TAGS.get(check["outcome"], "") for check in checks]
    return {
        "name": name,
        "tests": str(len(checks)),
        "failures": str(tags.count("failure")),
        "errors": str(tags.count("error")),
        "skipped": str(tags.count("skipped")),
    }


def _case(suite: ET.Element, check: Json, value: Json) -> None:
    name = figures.subject(check)
    if check["kind"] == "assertion":
        name = str(check["message"]).split(" holds")[0].split(" is broken")[0]
    attributes = {"classname": f"gitloop.gate.{check['kind']}", "name": _clean(name)}
    case = ET.SubElement(suite, "testcase", attributes)
    message = _clean(check["message"])
    if tag := _TAGS.get(check["outcome"]):
        body = ET.SubElement(case, tag, {"message": message, "type": check["outcome"]})
        body.text = _clean("\n".join([figures.details(check), *_lost(check, value)]).strip())
    else:
        ET.SubElement(case, "system-out").text = f"{message}\n{_clean(figures.details(check))}"


def _lost(check: Json, value: Json) -> list[str]:
    """The rows that a failed check lost, with their trail."""
    columns = {"route": "route", "cohort": "user_cohort", "cluster": "cluster_id"}
    column = columns.get(check["kind"])
    return [
        f"lost {row['row_id']} ({row['rubric']}): {figures.trail(row)}"
        for row in value["rows"]["lost"]
        if check["rubric"] in {None, row["rubric"]}
        and (column is None or row[column] == check["slice"])
    ]


def _clean(text: str) -> str:
    """The text without the characters that XML 1.0 cannot hold."""
    return _NOT_XML.sub("", str(text))
