"""`--format sarif`: findings for code scanning, SARIF 2.1.0 (OASIS, 2020)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from gitloop import __version__
from gitloop.reports.gate_findings import RULES, Finding, findings

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


class SarifRenderer:
    """Renders a gate document as a SARIF log: a result per check that does not pass."""

    id: ClassVar[str] = "sarif"
    version: ClassVar[str] = "1"

    def render(self, value: Mapping[str, Any]) -> str:
        """The value as SARIF.

        Raises:
            DataError: The value is no gate document.
        """
        rules = [
            {"id": f"gate/{rule}", "shortDescription": {"text": text}}
            for rule, text in RULES.items()
        ]
        driver = {"name": "gitloop", "version": __version__, "rules": rules}
        run = {
            "tool": {"driver": driver},
            "results": [_result(found) for found in findings(value)],
        }
        log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
        return json.dumps(log, indent=2, sort_keys=True, ensure_ascii=False)


def _result(found: Finding) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": found.path}, "region": {"startLine": 1}}
    return {
        "ruleId": f"gate/{found.rule}",
        "ruleIndex": list(RULES).index(found.rule),
        "level": found.level,
        "message": {"text": found.message},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"gitloop/v1": found.fingerprint},
    }
