"""No tracked file knows this machine, or where packages come from."""

import json
import re
import tomllib

import pytest

from tests.repo.reading import ROOT, Finding, report, tracked_paths, tracked_texts

# Spelled in two halves, so that this file passes its own test.
REGISTRIES = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "registry." + "npmjs",
    "npmjs" + ".org",
    "registry." + "yarnpkg",
    "conda" + ".anaconda",
    "crates" + ".io",
    "proxy." + "golang",
    "docker" + ".io",
    "ghcr" + ".io",
    "quay" + ".io",
]
MACHINE_PATH = re.compile(
    r"(?<![\w.\-$}])(?:/(?:work|root|workspace|mnt/c|Users)/|/ho" + r"me/(?!<)\w|[A-Z]:\\\\?Users)"
)
ADDRESSED_LOCKS = re.compile(r"(^|/)(uv\.lock|pylock[\w.-]*\.toml|poetry\.lock|pdm\.lock|Pipfile\.lock)$")
LOCK = "requirements.lock"


def addresses(path: str, text: str) -> list[Finding]:
    """Registry hosts and paths of one machine, by line."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        found += [Finding(path, number, f"names a registry ({host})") for host in REGISTRIES if host in line]
        if match := MACHINE_PATH.search(line):
            found.append(Finding(path, number, f"holds a path of one machine ({match.group()}…)"))
    return found


def lock_faults(text: str) -> list[str]:
    """What keeps a lock from being pins and hashes alone."""
    faults = []
    if re.search(r"://|--(index|extra-index|find-links|trusted)|\s@\s|^-[ef]\s", text, flags=re.MULTILINE):
        faults.append("it holds an address")
    joined = [line for line in text.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]
    faults += [f"not pinned: {line[:60]}" for line in joined if not re.match(r"[\w.\-]+==\S+", line)]
    faults += [f"no hash: {line[:60]}" for line in joined if "--hash=sha256:" not in line]
    return faults


def locked_names(text: str) -> set[str]:
    return {match.group(1) for match in re.finditer(r"^([\w.\-]+)==", text, flags=re.MULTILINE)}


def test_no_file_names_a_registry_or_a_path_of_this_machine():
    found = [finding for path, text in tracked_texts() for finding in addresses(path, text)]
    assert not found, report(found)


@pytest.mark.parametrize(
    "line",
    [
        "index = https://" + REGISTRIES[0] + "/simple",
        "see /ro" + "ot/.cache",
        "cd /wo" + "rk/main",
        "path=/ho" + "me/someone/bot",
        '"/Us' + 'ers/someone"',
        "file:///wo" + "rk/x",
    ],
)
def test_an_address_is_reported(line):
    assert 1 == len(addresses("README.md", f"fine\n{line}\n"))


@pytest.mark.parametrize(
    "line",
    ["src/wo" + "rk/main.py", "GET /fapi/v1/order", "~/.config/holdfast", "/usr/bin/env", "$X/ro" + "ot/y"],
)
def test_an_ordinary_path_is_not_reported(line):
    assert [] == addresses("README.md", line)


def test_no_lock_file_carries_addresses():
    """uv's and pip's own lock formats name the host each file came from; npm's does in `resolved`."""
    names = [path.relative_to(ROOT).as_posix() for path in tracked_paths()]
    assert [] == [name for name in names if ADDRESSED_LOCKS.search(name)]
    for path in tracked_paths():
        if path.name == "package-lock.json":
            assert '"resolved"' not in json.dumps(json.loads(path.read_text()))


@pytest.mark.parametrize("name", ["uv.lock", "deploy/pylock.toml", "pylock.dev.toml", "poetry.lock"])
def test_a_lock_with_addresses_is_recognised(name):
    assert ADDRESSED_LOCKS.search(name)


def test_the_lock_is_pins_and_hashes_alone():
    assert [] == lock_faults((ROOT / LOCK).read_text())


@pytest.mark.parametrize(
    "text",
    [
        "--index-url https://example.org\na==1 --hash=sha256:00\n",
        "a @ file.whl --hash=sha256:00\n",
        "a>=1 --hash=sha256:00\n",
        "a==1\n",
    ],
)
def test_a_loose_lock_is_reported(text):
    assert lock_faults(text)


def test_everything_the_project_asks_for_is_locked():
    """Otherwise set-up would stop at the first import, not here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [
        *project["dependencies"],
        *(item for extra in project["optional-dependencies"].values() for item in extra),
    ]
    names = {re.split(r"[^\w.\-]", item)[0].lower() for item in asked}
    assert set() == names - locked_names((ROOT / LOCK).read_text())
