"""Whoever waits is told what for: on a terminal, in a notebook, and in a log."""

import io
import sys

import pytest
from registry import built
from rich.console import Console
from typer.testing import CliRunner

import unmix
from unmix.cli import app
from unmix.errors import UnmixError
from unmix.infer import nuts, progress


class Terminal(io.StringIO):
    """Says that somebody watches."""

    def isatty(self) -> bool:
        return True


class Enough(Exception):
    """Raised in place of the compilation, which takes a minute."""


@pytest.fixture
def watch(monkeypatch):
    """Puts a screen where errors go, once the test runs: pytest has its own there before."""

    def put(screen):
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "120")
        monkeypatch.setattr(sys, "stderr", screen)
        return screen

    return put


def sample_until_compiled(monkeypatch, screen, **options):
    """What stood on the screen when nutpie's compiler was called."""
    seen = []

    def compile_nuts(*_):
        seen.append(screen.getvalue())
        raise Enough

    monkeypatch.setattr(nuts, "compile_nuts", compile_nuts)
    with pytest.raises(Enough):
        unmix.sample(built("normal"), method="nuts", rng=1, **options)
    return seen[0]


def test_nuts_says_that_it_compiles_before_it_does(monkeypatch, watch):
    assert nuts.COMPILING in sample_until_compiled(monkeypatch, watch(Terminal()))
    assert "a minute or two" in nuts.COMPILING


def test_nuts_says_nothing_where_nobody_asks(monkeypatch, watch):
    assert sample_until_compiled(monkeypatch, watch(Terminal()), progress=False) == ""


def test_what_is_no_terminal_gets_the_words_once_as_a_plain_line(monkeypatch, watch):
    log = watch(io.StringIO())
    assert sample_until_compiled(monkeypatch, log) == f"{nuts.COMPILING}\n"
    assert log.getvalue() == f"{nuts.COMPILING}\n"


def test_the_command_line_says_so_when_it_is_piped(monkeypatch, tmp_path):
    def stop(*_):  # what is done first where one waits
        raise UnmixError("enough")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(nuts, "whitening_at", stop)
    unmix.datasets.old_faithful().iloc[:40].to_csv("data.csv", index=False)
    line = "fit data.csv -k 2 --columns waiting --method nuts"
    done = CliRunner().invoke(app, line.split())
    assert done.exit_code == 2
    assert done.stderr == f"{nuts.COMPILING}\nunmix: enough\n"


def test_a_notebook_gets_the_words(monkeypatch):
    said = []
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr(Console, "print", lambda _, *words: said.extend(words))
    with progress.waiting("compiling", True):
        assert said == ["compiling"]
    with progress.waiting("compiling", False):
        pass
    assert said == ["compiling"]


def test_what_goes_wrong_while_one_waits_is_not_swallowed(watch):
    terminal = watch(Terminal())
    with pytest.raises(Enough), progress.waiting("compiling", True):
        raise Enough
    assert "0:00:0" in terminal.getvalue()
