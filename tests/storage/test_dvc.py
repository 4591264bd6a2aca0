"""DVC's files, read and written without DVC, and what DVC thinks of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitloop.errors import ConfigError, DataError, MissingObjectError
from gitloop.storage.dvc import Dvc, Pointer, parse_pointer
from tests.repositories import Repository

MD5 = "764efa883dda1e11db47671c4a3bbd9e"


def dvc_of(repository: Repository) -> Dvc:
    """The DVC side of the repository."""
    return Dvc(repository.root, repository.root / ".git")


@pytest.mark.slow
def test_pointer_is_what_dvc_add_writes(repository: Repository) -> None:
    """The text of a pointer equals the file that `dvc add` leaves."""
    repository.gen({"data/2026.05-43dcb8.parquet": "hello\n"})
    repository.dvc("add", "--quiet", "data/2026.05-43dcb8.parquet")
    stored = dvc_of(repository).store(repository.root / "data/2026.05-43dcb8.parquet")
    assert stored.render() == repository.read("data/2026.05-43dcb8.parquet.dvc")


@pytest.mark.slow
def test_dvc_accepts_pointers_and_objects_written_by_hand(repository: Repository) -> None:
    """A part stored by gitloop is checked out by DVC, and DVC then calls the tree clean."""
    dvc = dvc_of(repository)
    repository.gen({"source": "rows"})
    pointer = dvc.store(repository.root / "source")
    named = Pointer(pointer.md5, pointer.size, "2026.05-000000.parquet", "../data")
    repository.gen({"golden/s/parts/2026.05-000000.parquet.dvc": named.render()}, commit="Add")
    repository.dvc("checkout", "--quiet")
    assert repository.read("golden/s/data/2026.05-000000.parquet") == "rows"
    assert repository.dvc("status") == "Data and pipelines are up to date."


@pytest.mark.parametrize(
    ("md5", "line"),
    [
        (MD5, f"- md5: {MD5}\n"),
        ("1" * 32, f"- md5: '{'1' * 32}'\n"),
        ("1e" + "2" * 30, f"- md5: '1e{'2' * 30}'\n"),
    ],
)
def test_md5_that_reads_like_a_number_is_quoted(md5: str, line: str) -> None:
    """An MD5 that YAML would take for a number comes back as the text it was."""
    text = Pointer(md5, 6, "x.parquet", "../data").render()
    assert line in text
    assert parse_pointer(text.encode(), source="x.dvc") == Pointer(md5, 6, "x.parquet", "../data")


@pytest.mark.parametrize(
    "name", ["x.parquet", "with blank.parquet", "ümlaut.parquet", "a'b", "1e5"]
)
def test_pointer_survives_a_round_trip(name: str) -> None:
    """Whatever a file is called, its pointer says so when it is read again."""
    pointer = Pointer(MD5, 6, name, "../data")
    assert parse_pointer(pointer.render().encode(), source="x.dvc") == pointer


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"", "not a DVC pointer"),
        (b"outs:\n- md5: 76", "not a DVC pointer"),
        (b"outs:\n- md5: \xff\n", "not a DVC pointer"),
        (b"outs: []\n", "not a DVC pointer"),
        (b"<<<<<<< ours\nouts:\n=======\n>>>>>>> theirs\n", "unresolved conflict"),
        (b"outs:\n- md5: abc.dir\n  path: x\n", "not a DVC pointer"),
    ],
)
def test_broken_pointer_is_told(content: bytes, fact: str) -> None:
    """A pointer that is cut off, torn by a merge or of another kind is a data error."""
    with pytest.raises(DataError, match=fact):
        parse_pointer(content, source="golden/x/parts/x.parquet.dvc")


def test_crlf_checkout_is_read(repository: Repository) -> None:
    """A pointer with Windows line ends says the same."""
    pointer = Pointer(MD5, 6, "x.parquet", "../data")
    text = pointer.render().replace("\n", "\r\n").encode()
    assert repository.root.is_dir()
    assert parse_pointer(text, source="x.dvc") == pointer


def test_object_is_stored_read_only_and_once(repository: Repository) -> None:
    """The cached object has the file's bytes, nobody may write it, and a second store is no-op."""
    dvc = dvc_of(repository)
    repository.gen({"x": "bytes"})
    first = dvc.store(repository.root / "x")
    path = dvc.object_path(first.md5)
    assert path is not None
    before = path.stat()
    assert dvc.store(repository.root / "x") == first
    assert path.read_text() == "bytes"
    assert (path.stat().st_mode & 0o777, path.stat().st_mtime_ns) == (0o444, before.st_mtime_ns)


def test_configured_cache_is_used(repository: Repository, tmp_path: Path) -> None:
    """`cache.dir` decides where objects lie, and config.local outranks config."""
    repository.gen(
        {
            ".dvc/config": "[cache]\n    dir = ../first\n",
            ".dvc/config.local": f"[cache]\n    dir = {tmp_path / 'second'}\n",
            "x": "bytes",
        }
    )
    dvc = dvc_of(repository)
    pointer = dvc.store(repository.root / "x")
    assert dvc.object_path(pointer.md5) == (
        tmp_path / "second" / "files" / "md5" / pointer.md5[:2] / pointer.md5[2:]
    )


def test_broken_configuration_is_told(repository: Repository) -> None:
    """A .dvc/config that is no configuration is named."""
    repository.gen({".dvc/config": "not a section\n"})
    with pytest.raises(ConfigError, match=r"\.dvc/config cannot be read"):
        dvc_of(repository).cache_dirs()


@pytest.mark.slow
def test_objects_of_any_commit_are_fetched(repository: Repository) -> None:
    """Objects come from a relative remote though no pointer in the work tree names them."""
    repository.gen(
        {".dvc/config": "[core]\n    remote = r\n['remote \"r\"']\n    url = ../remote\n"}
    )
    dvc = dvc_of(repository)
    repository.gen({"x": "bytes"})
    pointer = dvc.store(repository.root / "x")
    cached = dvc.object_path(pointer.md5)
    assert cached is not None
    remote = repository.root / "remote" / cached.relative_to(dvc.cache_dirs()[0])
    remote.parent.mkdir(parents=True)
    cached.rename(remote)
    dvc.fetch_objects([pointer])
    found = dvc.object_path(pointer.md5)
    assert found is not None
    assert found.read_text() == "bytes"
    assert "fetch-" not in repository.status()


@pytest.mark.slow
def test_object_that_is_nowhere_is_told(repository: Repository) -> None:
    """Without a remote, a missing object is an error that names it."""
    with pytest.raises(MissingObjectError, match=r"x\.parquet"):
        dvc_of(repository).fetch_objects([Pointer(MD5, 6, "x.parquet", "../data")])
