"""A user's function in a process of its own: what it returns, and every way it can fail."""

from __future__ import annotations

import textwrap
from collections.abc import Callable as Maker
from pathlib import Path

import pytest

from gitloop.callables import Callable, Returned, code_sha256
from gitloop.errors import ConfigError


@pytest.fixture
def called(tmp_path: Path) -> Maker[[str], Callable]:
    """Make the function `f` of a module with this source ready to be called."""

    def make(source: str) -> Callable:
        (tmp_path / "app.py").write_text(textwrap.dedent(source))
        return Callable("app:f", tmp_path, key="target.callable")

    return make


def test_a_function_is_called_with_json_values(called: Maker[[str], Callable]) -> None:
    """Arguments and the returned value go across unchanged."""
    function = called("def f(a, b): return [a, b, a == 'ü\\n']")
    assert function.call(["ü\n", {"x": None}], 5) == Returned("ok", ["ü\n", {"x": None}, True])


def test_one_process_answers_many_calls(called: Maker[[str], Callable]) -> None:
    """The module is imported once, and keeps its state between calls."""
    function = called(
        "import os\nseen = []\ndef f(): seen.append(1); return [os.getpid(), len(seen)]"
    )
    first, second = function.call([], 5).value, function.call([], 5).value
    assert (first[0], first[1], second[1]) == (second[0], 1, 2)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ("raise ValueError('no\\nluck')", "error", "ValueError: no luck"),
        ("return {1, 2}", "error", "TypeError: Object of type set is not JSON serializable"),
        ("import os; os._exit(3)", "error", "its process ended with code 3"),
        ("import sys; sys.exit('bye')", "error", "its process ended with code 1"),
        ("while True: pass", "timeout", "no answer within 0.3 s"),
        ("import time; time.sleep(60)", "timeout", "no answer within 0.3 s"),
    ],
)
def test_a_failure_is_a_status_and_the_next_call_works(
    called: Maker[[str], Callable], body: str, status: str, words: str
) -> None:
    """Whatever one call does, it is told in a line, and the next call is answered."""
    function = called(f"def f(bad):\n    if bad:\n        {body}\n    return 'fine'")
    assert function.call([False], 5) == Returned("ok", "fine")
    failed = function.call([True], 0.3)
    assert failed.status == status
    assert failed.error.startswith(words)
    assert function.call([False], 5) == Returned("ok", "fine")


def test_what_the_function_prints_is_no_answer(
    called: Maker[[str], Callable], capfd: pytest.CaptureFixture[str]
) -> None:
    """Output of the function, and of programs it starts, goes to stderr; its stdin is empty."""
    function = called(
        """
        import os, sys
        def f():
            print("hello")
            os.system("echo from a shell")
            return sys.stdin.read()
        """
    )
    assert function.call([], 5) == Returned("ok", "")
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "from a shell" in printed.err


def test_an_import_error_is_told(called: Maker[[str], Callable]) -> None:
    """A module that does not import fails every call with the reason."""
    function = called("import nothing_of_that_name\ndef f(): return 1")
    failed = function.call([], 5)
    assert failed.status == "error"
    assert failed.error == (
        "app cannot be imported: ModuleNotFoundError: No module named 'nothing_of_that_name'"
    )


def test_a_changed_module_is_loaded_anew(called: Maker[[str], Callable]) -> None:
    """After an edit the old process answers nothing."""
    assert called("def f(): return 1").call([], 5).value == 1
    assert called("def f(): return 2").call([], 5).value == 2


def test_two_repositories_may_share_a_module_name(tmp_path: Path) -> None:
    """Modules of the same name in two roots never meet."""
    values = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.py").write_text(f"def f(): return '{name}'")
        values.append(Callable("app:f", tmp_path / name, key="x").call([], 5).value)
    assert values == ["one", "two"]


def test_the_digest_covers_what_the_module_imports(tmp_path: Path) -> None:
    """An edit of whatever it imports from the repository, at any depth, changes the digest."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app/__init__.py").write_text("")
    (tmp_path / "app/main.py").write_text("from . import words\ndef f(): return words.X")
    (tmp_path / "app/words.py").write_text("def g():\n    from lib import deep\nX = 1")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/deep.py").write_text("Y = 1")
    (tmp_path / "unrelated.py").write_text("Z = 1")
    digests = [code_sha256("app.main:f", tmp_path, key="x")]
    for edited in ("unrelated.py", "lib/deep.py", "app/words.py", "app/__init__.py"):
        path = tmp_path / edited
        path.write_text(path.read_text() + "\n# edited\n")
        digests.append(code_sha256("app.main:f", tmp_path, key="x"))
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


@pytest.mark.parametrize(
    ("name", "source", "words"),
    [
        ("app", "", "is 'app', not module:function"),
        ("app:f()", "", "not module:function"),
        ("apps:f", "", "there is no module apps in this repository"),
        ("app:g", "def f(): pass", "the module app has no g"),
        ("app:answr", "def answer(): pass", "did you mean answer?"),
        ("app:f", "def f(:", "app.py:1 is not valid Python"),
    ],
)
def test_a_callable_that_is_not_there_is_refused(
    tmp_path: Path, name: str, source: str, words: str
) -> None:
    """A name without a function behind it is an error of configuration, before any call."""
    (tmp_path / "app.py").write_text(source)
    with pytest.raises(ConfigError) as caught:
        Callable(name, tmp_path, key="target.callable")
    assert caught.value.message.startswith("target.callable")
    assert words in caught.value.message


@pytest.mark.parametrize("source", ["f = lambda: 1", "from os import getcwd as f", "class f: ..."])
def test_any_name_of_the_module_may_be_called(tmp_path: Path, source: str) -> None:
    """Assigned, imported and class names count as functions."""
    (tmp_path / "app.py").write_text(source)
    assert len(Callable("app:f", tmp_path, key="x").sha256) == 64
