"""Language, topic, personal data and embedding metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gitloop.errors import ConfigError
from gitloop.judges.local import LocalJudge
from gitloop.judges.metrics.content import language, personal_data
from gitloop.params import JudgePin, Rubric
from gitloop.records import Case, Judgement
from gitloop.storage.calls import CallStore
from tests.endpoints import Reply, endpoint, refused


def judged(output: str, metric: str, asked: str = "q", **arguments: Any) -> Judgement:  # noqa: ANN401
    """The judgement of one output."""
    rubric = Rubric(name="x", version="1", scorer={"local": {"metric": metric, **arguments}})
    judge = LocalJudge(rubric, JudgePin(), Path())
    return judge.read(judge.call([judge.request(Case("a", asked, output=output))])[0])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Where is my parcel, please? It is two weeks late.", "en"),
        ("Wo bleibt mein Paket? Es ist seit zwei Wochen unterwegs.", "de"),
        ("¿Dónde está mi paquete? Llega con dos semanas de retraso.", "es"),
        ("Où est mon colis ? Il a deux semaines de retard.", "fr"),
        ("私の荷物はどこにありますか？二週間も遅れています。", "ja"),
        ("ok", ""),
        ("12345 67890", ""),
        ("`for i in range(10): print(i)` https://example.org/a/b", ""),
    ],
)
def test_a_language_is_told_where_there_is_enough_to_tell(text: str, code: str) -> None:
    """Code, addresses and a word or two have none."""
    assert language(text) == code


def test_the_answer_is_in_the_language_of_the_question() -> None:
    """Or in an allowed one; what is too short to tell has no score."""
    german = "Ihr Paket kommt am Montag zwischen acht und zwölf Uhr an."
    asked = "Wo bleibt mein Paket? Es ist seit zwei Wochen unterwegs."
    assert judged(german, "language", asked, same_as="input").score == 1
    english = "Your parcel will arrive on Monday between eight and twelve."
    wrong = judged(english, "language", asked, same_as="input")
    assert (wrong.score, wrong.reason) == (0, "en, not de")
    assert judged(english, "language", asked, same_as="input", allow=["en"]).score == 1
    assert judged("ok", "language", allow=["en"]).status == "missing"
    assert judged(german, "language", "ok", same_as="input").status == "missing"
    with pytest.raises(ConfigError, match="which language is right"):
        judged("x", "language")
    with pytest.raises(ConfigError, match="holds xx"):
        judged("x", "language", allow=["xx"])


def test_topics_are_found_whatever_their_inflection() -> None:
    """One of the right ones and none of the forbidden ones, phrases word by word."""
    assert judged("We refunded it.", "topic", on=["refund"]).score == 1
    assert judged("We sent it.", "topic", on=["refund"]).score == 0
    found = judged("Refunds and medical advice.", "topic", on=["refund"], off=["medical advice"])
    assert (found.score, found.reason) == (0, "speaks of “medical advice”")
    assert judged("Advice from a medical man.", "topic", off=["medical advice"]).score == 1
    for word in ("bets", "Betting", "bet’s"):
        assert judged(f"No {word} here.", "topic", off=["bet"]).score == 0
    assert judged("It had better be good.", "topic", off=["betting"]).score == 1
    assert judged("The policies of two buses.", "topic", off=["policy"]).score == 0
    with pytest.raises(ConfigError, match="which topics are right"):
        judged("x", "topic")


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Write to ada@example.org.", ["e-mail address"]),
        ("Card 4111 1111 1111 1111, please.", ["card number"]),
        ("Card 4111 1111 1111 1112, please.", []),
        ("IBAN DE89 3704 0044 0532 0130 00", ["IBAN"]),
        ("IBAN DE88 3704 0044 0532 0130 00", []),
        ("SSN 123-45-6789", ["social security number"]),
        ("Call +49 30 901820 today", ["phone number"]),
        ("Order 20260518-0001, 30 days, 1.234.567 euros, room 1600", []),
        ("0000 0000 0000 0000", []),
    ],
)
def test_personal_data_is_what_its_check_digits_say(text: str, kinds: list[str]) -> None:
    """Each kind, and its near misses; the finding never names the data."""
    assert personal_data(text) == kinds
    found = judged(text, "personal_data")
    assert found.score == (0 if kinds else 1)
    assert "4111" not in found.reason


def test_a_national_number_counts_where_its_country_is_named() -> None:
    """Without a region a number without a country code is just digits."""
    assert personal_data("Call 030 901820 today") == []
    assert personal_data("Call 030 901820 today", ("DE",)) == ["phone number"]


MEANINGS = {"money back": [1.0, 0.0], "a refund": [0.6, 0.8], "the sofa": [0.0, -1.0]}


def embedded(payload: dict[str, Any], _nth: int) -> Reply:
    """The vector of each text of a request; no vector for what is not known."""
    if any(text not in MEANINGS for text in payload["input"]):
        return refused(400, "it cannot embed that")
    rows = [{"index": n, "embedding": MEANINGS[t]} for n, t in enumerate(payload["input"])]
    body = {"data": rows, "model": "served", "usage": {"prompt_tokens": 3}}
    return Reply(body=json.dumps(body).encode())


def test_meanings_are_compared_by_an_endpoint(tmp_path: Path) -> None:
    """The cosine of two vectors; a recorded call is not made again, and a failure is no score."""
    form = {"local": {"metric": "embedding", "embedder": "openai"}}
    rubric = Rubric(name="x", version="1", scorer=form)
    cases = [Case(text, "q", reference="money back", output=text) for text in MEANINGS]
    with endpoint(embedded) as server:
        pin = JudgePin(use="local", model="m", parameters={"base_url": server.url})
        judge = LocalJudge(rubric, pin, Path())
        requests = [judge.request(case) for case in cases]
        assert server.url not in json.dumps(requests)
        for _ in range(2):
            answers = CallStore(tmp_path, "record").ask("judge", requests, judge.call)
            assert [judge.read(answer).score for answer in answers] == [1.0, 0.6, 0.0]
            assert len(server.asked) == 1
        assert sorted(server.asked[0]["input"]) == sorted(MEANINGS)
        (failed,) = judge.call([judge.request(Case("a", "q", reference="a", output="b"))])
        assert (failed.status, failed.value) == ("error", {})
        assert "it cannot embed that" in failed.error
    with pytest.raises(ConfigError, match=r"judge\.model is missing"):
        LocalJudge(rubric, JudgePin(), Path())


def test_meanings_are_compared_by_an_embedder() -> None:
    """A paraphrase is nearer than another subject."""
    pytest.importorskip("sentence_transformers", reason="the extra [minilm] is not installed")
    rubric = Rubric(name="x", version="1", scorer={"local": {"metric": "embedding"}})
    judge = LocalJudge(rubric, JudgePin(), Path())
    texts = ("Your money is refunded within days.", "The cat sleeps on the sofa.")
    reference = "You get your money back in a few days."
    cases = [Case("a", "q", reference=reference, output=text) for text in texts]
    found = [judge.read(answer).score for answer in judge.call([judge.request(c) for c in cases])]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0] > 0.6 > found[1]
