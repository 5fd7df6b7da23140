"""The cache of ``check`` and ``generate``: found again, and only if nothing has changed."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

import losscodegen
from losscodegen import pipeline
from losscodegen.cli import ingredients, memory
from losscodegen.cli.memory import Memory, open_memory

Cli = Callable[..., Any]

ROOT = Path(losscodegen.__file__).parents[1]
PACKAGE = ROOT / "losscodegen"
QUICK = ("--points", "20", "--dtype", "float32", "--jobs", "1")
OPTIONS = {"seed": 0, "strict": False, "points": 20, "dtypes": ("float32",)}


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache where it is by default."""
    monkeypatch.delenv("LOSSCODEGEN_CACHE_DIR")
    return project / ".losscodegen_cache"


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on, compiling and judging fail."""

    def refuse(*_: object, **__: object) -> Any:
        raise AssertionError("worked out again")

    def call() -> None:
        monkeypatch.setattr(pipeline, "generate_text", refuse)
        monkeypatch.setattr(pipeline, "check_text", refuse)

    return call


# ---------------------------------------------------------------------------- check


def test_a_verdict_is_found_again(
    cli: Cli, specs: Cli, good: str, folder: Path, no_work: Cli, project: Path
) -> None:
    """The table, the certificate and the exit code are those of the first run."""
    specs(squared=good)
    fresh = cli("check", *QUICK)
    certificate = cli("check", "--json", "-", "--no-cache", *QUICK).out
    no_work()
    known = cli("check", *QUICK)
    assert (known.code, known.err) == (fresh.code, fresh.err) == (0, "")
    assert fresh.out.endswith("1 of 1 losses passed\n")
    assert known.out == fresh.out[:-1] + " (1 of 1 from the cache)\n"
    assert cli("check", "--json", "-", *QUICK).out == certificate
    assert len(list(folder.glob("??/*.json"))) == 2, "the module and the verdict"


def test_so_is_a_failing_one(
    cli: Cli, specs: Cli, good: str, no_work: Cli, project: Path
) -> None:
    specs(squared=good)
    right = cli("generate", "squared", "--stdout").out
    wrong = right.replace("F.mse_loss(", "F.l1_loss(")
    (project / "wrong.py").write_text(wrong, encoding="utf-8")
    arguments = ("check", "squared", "--module", "wrong.py", *QUICK)
    fresh = cli(*arguments)
    certificate = cli(*arguments, "--json", "-", "--no-cache").out
    no_work()
    known = cli(*arguments)
    assert known.code == fresh.code == 1
    assert known.err == fresh.err
    assert known.out == fresh.out[:-1] + " (1 of 1 from the cache)\n"
    again = cli(*arguments, "--json", "-")
    assert (again.code, again.out) == (1, certificate)
    (project / "wrong.py").write_text(right, encoding="utf-8")
    with pytest.raises(AssertionError, match="worked out again"):
        memory_of(project).check(Path("specs/squared.toml"), Path("wrong.py"), {})


def test_what_is_new_is_judged_and_the_rest_is_not(
    cli: Cli, specs: Cli, good: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("one", "two", "three", "four")
    texts = {name: good.replace("Squared", name.title()) for name in names}
    specs(**{name: texts[name] for name in ("one", "two", "three")})
    cli("check", *QUICK)
    specs(two=texts["two"].replace("Two error.", "Another."), four=texts["four"])
    judged = []
    check_text = pipeline.check_text

    def counted(*arguments: Any, file: str, **options: Any) -> Any:
        judged.append(Path(file).stem)
        return check_text(*arguments, file=file, **options)

    monkeypatch.setattr(pipeline, "check_text", counted)
    done = cli("check", *QUICK)
    assert sorted(judged) == ["four", "two"]
    assert done.out.endswith("4 of 4 losses passed (2 of 4 from the cache)\n")
    both = cli("check", "--json", "-", *QUICK).out
    assert both == cli("check", "--json", "-", "--no-cache", *QUICK).out


def test_no_cache(cli: Cli, specs: Cli, good: str, folder: Path, no_work: Cli) -> None:
    specs(squared=good)
    assert cli("check", "--no-cache", *QUICK).code == 0
    assert not folder.exists(), "it is not written"
    cli("check", *QUICK)
    no_work()
    done = cli("check", "--no-cache", *QUICK)
    assert "worked out again" in done.err, "nor read"


def test_elsewhere(cli: Cli, specs: Cli, good: str, folder: Path, no_work: Cli) -> None:
    specs(squared=good)
    cli("check", "--cache-dir", "there/it is", *QUICK)
    assert not folder.exists()
    assert list(Path("there/it is").glob("??/*.json"))
    no_work()
    assert cli("check", "--cache-dir", "there/it is", *QUICK).code == 0


def test_the_folder_is_where_the_project_begins(
    cli: Cli, good: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert memory.project_folder() is None
    (project / "pyproject.toml").touch()
    (project / "deep" / "deeper").mkdir(parents=True)
    monkeypatch.chdir(project / "deep" / "deeper")
    assert memory.project_folder() == project


def test_outside_a_project_nothing_is_written(cli: Cli, folder: Path) -> None:
    assert cli("generate", "huber", "--stdout").code == 0
    assert tree(folder.parent) == {}


def test_a_spoilt_entry_is_a_miss(
    cli: Cli, specs: Cli, good: str, folder: Path
) -> None:
    specs(squared=good)
    first = cli("check", *QUICK).out
    for path in folder.glob("??/*.json"):
        path.write_bytes(path.read_bytes()[:-9])
    assert cli("check", *QUICK).out == first
    assert cli("check", *QUICK).out == first[:-1] + " (1 of 1 from the cache)\n"


def test_an_entry_that_is_no_certificate_is_a_miss(
    cli: Cli, specs: Cli, good: str, project: Path
) -> None:
    specs(squared=good)
    spec = Path("specs/squared.toml")
    known = memory_of(project)
    text = known.compile(spec).text
    key = known._verdict_key(spec, good, text, OPTIONS)
    for value in (None, [], {}, [{}], [[]], "text", [None], 3, [{"checks": []}]):
        assert known.store is not None
        known.store.put("verdict", key, value)
        assert known.verdict(spec, None, OPTIONS) is None, value


def test_torch_stays_unloaded(cli: Cli, specs: Cli, good: str, folder: Path) -> None:
    specs(squared=good)
    cli("check", *QUICK)
    script = (
        "import sys; from losscodegen.cli.main import run; code = run(sys.argv[1:]);"
        "heavy = {'torch', 'sympy', 'black', 'flint', 'losscodegen.pipeline'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules); sys.exit(code)"
    )
    command = [sys.executable, "-c", script, "check", *QUICK]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment()
    )
    assert done.returncode == 0, done.stderr
    assert "1 of 1 from the cache" in done.stdout


def test_two_runs_at_once(cli: Cli, specs: Cli, good: str, folder: Path) -> None:
    specs(one=good, two=good.replace("SquaredLoss", "OtherLoss"))
    command = [sys.executable, "-m", "losscodegen", "check", *QUICK, "--json", "-"]
    runs = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
        for _ in range(2)
    ]
    texts = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert texts[0] == texts[1] == cli("check", *QUICK, "--json", "-").out
    assert "2 of 2 from the cache" in cli("check", *QUICK).out


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}


# ---------------------------------------------------------------------------- generate


def test_generate_finds_modules_again(
    cli: Cli, specs: Cli, good: str, folder: Path, no_work: Cli, project: Path
) -> None:
    specs(one=good, two=good)
    fresh = cli("generate")
    before = tree(project / "generated")
    shutil.rmtree(project / "generated")
    no_work()
    assert cli("generate").out == fresh.out
    assert tree(project / "generated") == before
    assert cli("generate", "--check").code == 0
    (project / "generated" / "one.py").write_text("mine", encoding="utf-8")
    assert cli("generate", "--check").code == 1
    specs(one=good.replace("**2", "**4"))
    assert "worked out again" in cli("generate", "--check").err


def test_problems_are_not_kept(cli: Cli, specs: Cli, broken: str, good: str) -> None:
    specs(broken=broken, good=good)
    first = cli("generate")
    assert first.code == 2
    assert cli("generate") == first
    assert cli("check", *QUICK).code == 2


def test_processes_side_by_side(
    cli: Cli, specs: Cli, good: str, broken: str, project: Path
) -> None:
    """The texts, and the problems in their order, are those of one process."""
    many = {f"loss{n:02}": good.replace("2", f"{n + 2}", 1) for n in range(12)}
    specs(**many)
    assert cli("generate", "-j", "2", "--no-cache", "--quiet").code == 0
    both = tree(project / "generated")
    shutil.rmtree(project / "generated")
    assert cli("generate", "-j", "1", "--no-cache", "--quiet").code == 0
    assert tree(project / "generated") == both
    specs(loss03=broken, loss09=broken)
    done = cli("generate", "-j", "2", "--no-cache")
    assert done == cli("generate", "-j", "1", "--no-cache")
    assert done.err.index("loss03.toml:6:") < done.err.index("loss09.toml:6:")


# ---------------------------------------------------------------------------- the key


def memory_of(project: Path) -> Memory:
    return open_memory(project / "cache", no_cache=False)


class Fake:
    """A certificate whose only content is that it is there."""

    passed = True

    def as_dict(self) -> dict[str, Any]:
        return {"fake": True}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Fake:
        assert data == {"fake": True}
        return cls()


@pytest.fixture
def package(
    project: Path, specs: Cli, good: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A copy of our code, and a verdict that is kept under it."""
    copy = project / "package"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "templates", project / "templates")
    specs(squared=good)
    monkeypatch.setattr(ingredients, "PACKAGE", copy)
    monkeypatch.setattr(
        ingredients, "templates_directory", lambda: project / "templates"
    )
    monkeypatch.setattr("losscodegen.judge.certificate.Certificate", Fake)
    monkeypatch.setattr(pipeline, "check_text", lambda *_, **__: (Fake(),))
    spec = Path("specs/squared.toml")
    memory_of(project).check(spec, None, OPTIONS)
    assert known(project) == (True, True)
    yield copy
    assert spec.exists()


def known(project: Path, **options: Any) -> tuple[bool, bool]:
    """Whether the module and the verdict are found: by the spec, by the module's file."""
    found = memory_of(project)
    spec, file = Path("specs/squared.toml"), project / "cache" / "module.py"
    module = found.module(spec)
    if module is not None:
        file.write_text(module.text, encoding="utf-8")
    verdict = found.verdict(spec, file, OPTIONS | options)
    return module is not None, verdict is not None


@pytest.mark.parametrize(
    ("file", "module", "verdict"),
    [
        ("compiler/rules_logs.py", False, True),
        ("compiler/backends/torch.py", False, True),
        ("judge/oracle.py", True, False),
        ("judge/points.py", True, False),
        ("ir/ops.py", False, False),
        ("language/parse.py", False, False),
        ("pipeline.py", False, False),
        ("errors.py", False, False),
        ("__init__.py", False, False),
        ("../templates/module.py.jinja", False, True),
        ("cli/output.py", True, True),
    ],
)
def test_our_code(
    package: Path, project: Path, file: str, module: bool, verdict: bool
) -> None:
    path = package / file
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert known(project) == (module, verdict)


def test_a_new_file_of_ours(package: Path, project: Path) -> None:
    (package / "judge" / "new.py").touch()
    assert known(project) == (True, False)
    (package / "compiler" / "new.py").touch()
    assert known(project) == (False, False)


LIBRARIES = {*ingredients.COMPILER_LIBRARIES, *ingredients.JUDGE_LIBRARIES}


@pytest.mark.parametrize("library", sorted(LIBRARIES))
def test_libraries(
    package: Path, project: Path, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = ingredients.version
    monkeypatch.setattr(
        ingredients, "version", lambda name: version(name) + "x" * (name == library)
    )
    assert known(project) == (
        library not in ingredients.COMPILER_LIBRARIES,
        library not in ingredients.JUDGE_LIBRARIES,
    )


def test_a_library_that_does_not_tell_its_version(
    package: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(ingredients, "version", version)
    assert memory_of(project).store is None


@pytest.mark.parametrize("name", ["python", "machine"])
def test_interpreter_and_machine(
    package: Path, project: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingredients, name, lambda: {"another": True})
    assert known(project) == (name != "python", False)


def test_settings_of_torch(
    package: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    assert known(project) == (True, False)


@pytest.mark.parametrize(
    "options",
    [
        {"seed": 1},
        {"seed": False},
        {"strict": True},
        {"points": 21},
        {"dtypes": ("float64",)},
        {"dtypes": ("float32", "float64")},
    ],
    ids=str,
)
def test_options(package: Path, project: Path, options: dict[str, Any]) -> None:
    assert known(project, **options) == (True, False)


@pytest.mark.parametrize(
    ("old", "new"), [("**2", "**4"), ("Squared error.", "Other."), ("\n", "\r\n")]
)
def test_the_spec(package: Path, project: Path, old: str, new: str) -> None:
    path = Path("specs/squared.toml")
    path.write_bytes(path.read_bytes().replace(old.encode(), new.encode()))
    assert known(project) == (False, False)


def test_the_module(package: Path, project: Path) -> None:
    found = memory_of(project)
    spec, file = Path("specs/squared.toml"), project / "module.py"
    module = found.module(spec)
    assert module is not None
    file.write_text(module.text + "\n", encoding="utf-8")
    assert found.verdict(spec, file, OPTIONS) is None


def test_the_place(package: Path, project: Path) -> None:
    """The header names the folder of the spec, and messages of Python name the module."""
    found = memory_of(project)
    (project / "elsewhere").mkdir()
    for path in ("elsewhere/squared.toml", "specs/other.toml"):
        shutil.copy("specs/squared.toml", path)
        assert found.module(Path(path)) is None, path


@pytest.mark.parametrize(
    ("file", "module", "verdict"),
    [
        ("judge/oracle.py", True, False),
        ("compiler/lower.py", False, True),
        ("ir/ops.py", False, False),
        ("cli/output.py", True, True),
    ],
)
def test_code_that_was_edited_meanwhile(
    package: Path,
    project: Path,
    specs: Cli,
    good: str,
    file: str,
    module: bool,
    verdict: bool,
) -> None:
    """Nobody knows which of the two versions ran: nothing is kept."""
    specs(squared=good.replace("**2", "**4"))
    begun = memory_of(project)
    path = package / file
    before = path.read_bytes()
    path.write_bytes(before + b"\n")
    spec, target = Path("specs/squared.toml"), project / "cache" / "module.py"
    target.write_text(begun.compile(spec).text, encoding="utf-8")
    begun.check(spec, None, OPTIONS)
    path.write_bytes(before)
    assert known(project) == (module, verdict)


def test_a_certificate_that_does_not_come_back_is_not_kept(
    package: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fake, "as_dict", lambda self: {"fake": 1})
    monkeypatch.setattr(Fake, "from_dict", lambda data: OtherFake())
    spec = Path("specs/squared.toml")
    memory_of(project).check(spec, None, OPTIONS | {"seed": 9})
    assert known(project, seed=9) == (True, False)


class OtherFake(Fake):
    def as_dict(self) -> dict[str, Any]:
        return {"fake": 1.0}


# ---------------------------------------------------------------------------- the tables


def sources(parts: tuple[str, ...]) -> list[Path]:
    paths = [PACKAGE / part for part in parts]
    return [
        p for path in paths for p in ([path] if path.is_file() else path.rglob("*.py"))
    ]


def imported(path: Path) -> Iterator[str]:
    """What a file imports anywhere but for types, as dotted names."""
    todo: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        match node:
            case ast.If(test=ast.Name("TYPE_CHECKING")):
                todo += node.orelse
                continue
            case ast.Import(names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield module
                yield from (f"{module}.{alias.name}" for alias in names)
        todo += ast.iter_child_nodes(node)


@pytest.mark.parametrize(
    ("parts", "not_asked"),
    [
        # What a verdict owes to the compiler is the module, and that is part of its key.
        (ingredients.JUDGE, ("losscodegen.compiler",)),
        (ingredients.COMPILER, ("losscodegen.judge", "losscodegen.survival")),
    ],
)
def test_our_code_is_complete(
    parts: tuple[str, ...], not_asked: tuple[str, ...]
) -> None:
    files = set(sources(parts))
    for path in files:
        for name in imported(path):
            if name.startswith("losscodegen") and not name.startswith(not_asked):
                file = ROOT.joinpath(*name.split("."))
                places = {file.with_suffix(".py"), file / "__init__.py"}
                existing = {place for place in places if place.exists()}
                assert existing <= files or path.name == "__init__.py", (path, name)


DISTRIBUTIONS = {"flint": "python-flint", "pydantic_core": "pydantic"}
UNHEARD = {
    "rich": "prints verdicts, makes none",
}


@pytest.mark.parametrize(
    ("parts", "libraries"),
    [
        (
            ingredients.JUDGE,
            ingredients.JUDGE_LIBRARIES + ingredients.OPTIONAL_LIBRARIES,
        ),
        (ingredients.COMPILER, ingredients.COMPILER_LIBRARIES),
    ],
)
def test_libraries_are_complete(
    parts: tuple[str, ...], libraries: tuple[str, ...]
) -> None:
    for path in sources(parts):
        for name in imported(path):
            top = name.partition(".")[0]
            if top in sys.stdlib_module_names or top in ("losscodegen", *UNHEARD):
                continue
            assert DISTRIBUTIONS.get(top, top.replace("_", "-")) in libraries, path


def test_the_key_of_an_entry_can_be_read(package: Path, project: Path) -> None:
    """Whoever wonders why there was no hit can compare two entries."""
    kinds = set()
    for path in (project / "cache").glob("??/*.json"):
        key = json.loads(path.read_text(encoding="utf-8"))["key"]
        kinds.add(key["kind"])
        assert key["spec"].startswith("[SquaredLoss]")
        assert len(path.stem) == len(hashlib.sha256().hexdigest())
    assert kinds == {"module", "verdict"}
