"""What a judge card says, in words and figures that all its forms share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]

SLICES = {"route": "route", "user_cohort": "cohort", "cluster_id": "cluster"}
MEANT = 0.05
"""Adjusted p below which a slice's errors are called different."""


def headline(card: Json) -> str:
    """The rubric, its judge, and where the line is."""
    found = card["calibration"]
    name, version = card["rubric"]["name"], card["rubric"]["version"]
    line = f"score {found['comparison']} {found['threshold']:g} passes"
    return f"{name} {version}, judged by {card['judge']}: {line}"


def objective(card: Json) -> str:
    """What the line was chosen for, in words."""
    return str(card["calibration"]["objective"]).replace("_", " ")


def basis(card: Json) -> str:
    """What the card rests on."""
    found = card["calibration"]
    people = ", ".join(found["annotators"])
    return (
        f"{found['n']} items labelled by {people} under guidance {card['guidance_version']},"
        f" {found['n_positive']} of them pass"
    )


def figures(card: Json) -> list[tuple[str, str, str]]:
    """(name, value with interval, what it means) of each overall figure."""
    found, rates = card["calibration"], card["rates"]
    held_out = found["cross_fitted_value"]
    return [
        ("line", bounded(found["threshold"], found["interval"]), _line(found)),
        (
            objective(card),
            bounded(found["objective_value"], found["objective_interval"]),
            "at the line, on the rows that chose it"
            + ("" if held_out is None else f"; {held_out:.2f} on rows that did not")
            + ("" if not found["optimism"] else f", optimism {found['optimism']:.2f}"),
        ),
        ("accuracy", rate(rates["accuracy"]), _against_base(rates)),
        ("sensitivity", rate(rates["sensitivity"]), "of what people pass, the judge passes"),
        ("specificity", rate(rates["specificity"]), "of what people fail, the judge fails"),
        ("kappa", agreement(card["kappa"]), "agreement beyond chance"),
        ("AC1", agreement(card["ac1"]), "the same, steady where one verdict prevails"),
        ("alpha", agreement(card["alpha"]), "Krippendorff's"),
        ("people among themselves", agreement(card["human"]), "raw agreement of annotators"),
        ("bias", bounded(card["bias"], card["bias_interval"]), _bias(card)),
        ("AUROC", _auroc(found["discrimination"]), "passes ranked above fails, at any line"),
        ("Spearman", agreement(card["spearman"]), "of score and verdict"),
        (
            "calibration error",
            number(card["errors"]["ece"]),
            f"scores read as probabilities; Brier {number(card['errors']['brier'])}",
        ),
        ("length bias", agreement(card["length_bias"]), "above 0, long answers are overrated"),
        ("position bias", *_position(card["position_bias"])),
    ]


def _position(found: Json) -> tuple[str, str]:
    """The share of verdicts that depend on the order of what the judge is shown."""
    if reason := found.get("reason"):
        return "–", str(reason)
    if found["is_biased"]:
        way = "more" if found["gap"] > 0 else "fewer"
        said = f"in the opposite order {way} pass ({found['gap']:+.2f}, p {found['p']:.2g})"
    else:
        said = "no order is surely preferred"
    flips = bounded(found["flip_rate"], found["flip_interval"])
    return flips, f"of verdicts turn with the order, of {found['n']}; {said}"


def _line(found: Json) -> str:
    """The plateau that the line is the middle of, and the lines that routes have of their own."""
    said = []
    if found["plateau"] and found["plateau"][0] < found["plateau"][1]:
        said.append(f"all from {found['plateau'][0]:g} to {found['plateau'][1]:g} do as well")
    own = {route: part["threshold"] for route, part in sorted(found["routes"].items())}
    routes = [f"{route} {line:g}" for route, line in own.items() if line is not None]
    if routes:
        said.append(f"on routes: {', '.join(routes)}")
    return "; ".join(said)


def _against_base(rates: Json) -> str:
    base = rates["base_accuracy"]
    return "" if base is None else f"always saying the commoner verdict: {base:.0%}"


def _bias(card: Json) -> str:
    interval = card["bias_interval"]
    if interval["low"] <= 0 <= interval["high"]:
        return "share that the judge passes minus people's: none shown"
    return f"the judge passes {'more' if card['bias'] > 0 else 'fewer'} than people do"


def _auroc(found: Json) -> str:
    return bounded(found["auroc"], found["interval"])


def agreement(found: Json) -> str:
    """A coefficient with its interval, or why there is none."""
    return found["reason"] if found["value"] is None else bounded(found["value"], found["interval"])


def rate(found: Json | None) -> str:
    """A rate with its interval and its counts."""
    if found is None:
        return "–"
    return f"{bounded(found['value'], found['interval'])}, {found['hits']} of {found['n']}"


def bounded(value: float | None, interval: Json | None) -> str:
    """A number and its interval."""
    shown = number(value)
    return f"{shown} [{interval['low']:.2f}, {interval['high']:.2f}]" if interval else shown


def number(value: float | None) -> str:
    """A number to two decimals, or a dash."""
    return "–" if value is None else f"{value:.2f}"


def confusion(card: Json) -> list[tuple[str, int, int]]:
    """The rows of the table: (the judge says, people pass, people fail)."""
    counts = card["confusion"]
    return [("passes", counts["tp"], counts["fp"]), ("fails", counts["fn"], counts["tn"])]


def slices(card: Json) -> list[tuple[str, str, str, str, str, str]]:
    """(slice, rows, judge's and people's pass rate, accuracy, sensitivity/specificity, verdict)."""
    return [
        (
            f"{SLICES[part['column']]} {part['value']}",
            str(part["rates"]["n"]),
            f"{part['judged_rate']:.0%} / {part['people_rate']:.0%}",
            rate(part["rates"]["accuracy"]).split(",")[0].split(" ")[0],
            f"{_value(part['rates']['sensitivity'])} / {_value(part['rates']['specificity'])}",
            _differs(part),
        )
        for part in card["slices"]
    ]


def _value(found: Json | None) -> str:
    return "–" if found is None else number(found["value"])


def _differs(part: Json) -> str:
    adjusted = part["p_adjusted"]
    if adjusted is None:
        return "untested"
    return f"errs differently (p {adjusted:.2g})" if adjusted < MEANT else "as elsewhere"


def findings(card: Json) -> list[str]:
    """What a reader must know, one sentence each."""
    return [finding["message"] for finding in card["findings"]]


def trust(card: Json) -> list[str]:
    """What the holdout and the promise of abstention say, one sentence each."""
    found = card["calibration"]
    lines = []
    if (held := found["holdout"]) is not None:
        people = held["human_disagreement"]
        among = "" if people is None else f"; people differ from each other on {people:.0%}"
        lines.append(
            f"on {held['n']} held-out items the judge differs from people on"
            f" {held['disagreement']:.0%}{among}"
        )
    if (kept := found["abstention"]) is not None:
        lines.append(kept["reason"] or _alone(kept))
    return lines


def _alone(kept: Json) -> str:
    """How much the judge may decide alone, and at what risk."""
    wrong = f"wrong on at most {kept['max_error']:.0%} of that (risk {kept['risk']:.0%})"
    if not kept["confidence"]:
        return f"the judge may decide every row alone: it is {wrong}"
    return (
        f"from a confidence of {kept['confidence']:.2f} the judge may decide alone,"
        f" {kept['coverage']:.0%} of the items: it is {wrong}; the rest is for people"
    )
