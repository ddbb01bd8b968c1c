"""What README and CONTRIBUTING name exists: files, make targets, scripts, flags; and the map is complete."""

import ast
import os
import re
import subprocess
import sys
import time
import warnings
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCS = ("README.md", "CONTRIBUTING.md", "SCALING.md")
PACKAGES = ("rlcore", "games", "agents", "selfplay")
SCRIPTS = tuple(sorted(path.name for path in (ROOT / "scripts").glob("*.py")))
HELP_SECONDS = 0.5

WRITTEN_WHILE_RUNNING = ("runs/", ".venv/")
"""Paths that the documents name and a fresh clone does not have."""


def text(file: str) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


def blocks(doc: str) -> list[str]:
    """The fenced code blocks of a document."""
    return re.findall(r"^```\w*\n(.*?)^```", text(doc), re.MULTILINE | re.DOTALL)


def code(doc: str) -> list[str]:
    """All lines of code: those of the blocks, and every `inline` piece."""
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text(doc), flags=re.MULTILINE | re.DOTALL))
    return [line for block in blocks(doc) for line in block.splitlines()] + inline


def words(line: str) -> list[str]:
    """A line of code by words, without quoted values (a FEN looks like a path) and comments."""
    bare = re.sub(r"\"[^\"]*\"|'[^']*'|(^|\s)#.*", " ", line)
    return [word.strip(",;:()") for word in bare.split()]


def paths(doc: str) -> set[str]:
    """Every word of code that looks like a file or folder of this repository."""
    looks = re.compile(r"\.?\w[\w.-]*/[\w./-]*|[\w.-]+\.(py|toml|txt|md|json|epd|yml|yaml)|Makefile|LICENSE")
    linked = re.findall(r"\]\(([^):#]+)\)", text(doc))
    named = [word for line in code(doc) for word in words(line) if looks.fullmatch(word)]
    return {path for path in linked + named if not path.startswith(WRITTEN_WHILE_RUNNING)}


def exists(path: str) -> bool:
    """Whether a path is there; a bare file name, such as `rules.py`, may lie in any package."""
    return (ROOT / path).exists() or (
        "/" not in path and any(next((ROOT / package).rglob(path), None) for package in PACKAGES)
    )


@cache
def help_of(script: str, *subcommand: str) -> tuple[int, str, float]:
    """Exit status, text and wall seconds of a script's --help."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, f"scripts/{script}", *subcommand, "--help"],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr, time.perf_counter() - start


def flags(line: str) -> list[str]:
    return [word.split("=")[0] for word in words(line) if re.match(r"--[a-z]", word)]


def commands(doc: str) -> list[tuple[str, tuple[str, ...], list[str]]]:
    """(script, subcommand, flags) of every `python scripts/x.py ...` in a document."""
    found = []
    for line in code(doc):
        if match := re.search(r"scripts/([\w-]+\.py)(.*)", line):
            subcommand = re.match(r"\s+([a-z][\w+-]*)", match[2])
            found.append((match[1], (subcommand[1],) if subcommand else (), flags(match[2])))
    return found


@pytest.mark.parametrize("doc", DOCS)
def test_every_path_that_is_named_exists(doc: str) -> None:
    assert paths(doc), "no path found: the documents or this test have lost their form"
    assert sorted(path for path in paths(doc) if not exists(path)) == []


@pytest.mark.parametrize("doc", DOCS)
def test_every_make_target_that_is_named_exists(doc: str) -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):", text("Makefile"), re.MULTILINE))
    named = {name for line in code(doc) for name in re.findall(r"\bmake ([a-z][\w-]*)", line)}
    assert named or doc == "SCALING.md"
    assert named <= targets


def test_the_two_commands_come_first() -> None:
    first = blocks("README.md")[0].splitlines()
    assert [" ".join(words(line)) for line in first] == ["make selfplay", "make test"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_answers(script: str) -> None:
    status, output, seconds = help_of(script)
    print(f"{script} --help: {seconds:.2f} s")
    assert status == 0, output
    assert script in output
    if seconds > HELP_SECONDS:  # a busy machine is no bug: seen, not failed
        warnings.warn(f"{script} --help took {seconds:.2f} s, more than {HELP_SECONDS} s", stacklevel=2)


@pytest.mark.parametrize("doc", DOCS)
def test_every_flag_that_is_named_exists(doc: str) -> None:
    for script, subcommand, named in commands(doc):
        assert script in SCRIPTS
        known = help_of(script)[1] + (help_of(script, *subcommand)[1] if subcommand else "")
        for flag in named:
            assert re.search(re.escape(flag) + r"(?![\w-])", known), f"{doc}: {script} has no {flag}"
    everything = "".join(help_of(script)[1] for script in SCRIPTS)
    for line in code(doc):
        if line.startswith("--"):  # a flag spoken of by itself
            assert re.search(re.escape(flags(line)[0]) + r"(?![\w-])", everything), f"{doc}: {line}"


def test_every_message_that_is_explained_is_one() -> None:
    """A quoted message begins a row of a table; it stands in the sources, as one piece of text."""
    trees = [ast.parse(text(f"selfplay/{name}.py")) for name in ("report", "cluster")]
    said = [node.value for tree in trees for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)]  # fmt: skip
    explained = re.findall(r'^\| "([^"]+)" \|', text("SCALING.md"), re.MULTILINE)
    assert len(explained) > 5
    assert [message for message in explained if not any(message in one for one in said)] == []


def test_every_script_has_its_command_in_the_readme() -> None:
    assert {script for script, _, _ in commands("README.md")} == set(SCRIPTS)


def test_the_map_names_every_module_and_nothing_else() -> None:
    """The map is the README's last block: `folder/` at the margin, indented `module   what it does` below."""
    mapped, folder = set(), ""
    for line in blocks("README.md")[-1].splitlines():
        if match := re.match(r"([\w/]+)/ ", line + " "):
            folder = match[1]
        elif match := re.match(r"  (\w+)  ", line):
            mapped.add(f"{folder}/{match[1]}.py")
    folders = (*PACKAGES, "scripts")
    modules = {
        path.relative_to(ROOT).as_posix()
        for name in folders
        for path in (ROOT / name).rglob("*.py")
        if path.name != "__init__.py"
    }
    assert sorted(modules - mapped) == [], "missing from the map"
    assert sorted(mapped - modules) == [], "on the map, but not in the tree"
    for package in PACKAGES:
        assert any(module.startswith(f"{package}/") for module in mapped)
