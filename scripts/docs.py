"""Writes the reference pages that follow from the code: `make docs`. With --check it only names those that are stale.

What cannot be read off the code (what a key is for, what a fault does) stands in docs_words.py, whole or not at all:
a key without its words, or words without their key, end this program.
"""

import ast
import inspect
import re
import sys
import textwrap
import types
import typing
from collections.abc import Callable, Iterable
from pathlib import Path

import typer
from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo, fields

sys.path.insert(0, str(Path(__file__).parent))

import docs_controls as controls
import docs_words as words

from holdfast.app import shell, templates
from holdfast.config import schema
from holdfast.config.check import DURATIONS_MAX
from holdfast.config.values import Amount, Duration, Multiple, Ratio
from holdfast.core.gate import checks, gate
from holdfast.core.holds.ladder import LADDER, Push, Rung
from holdfast.core.holds.rules import FAULT_HOLDS, RULES
from holdfast.core.orders.lifecycle import FINAL, NEXT
from holdfast.core.orders.retries import BUDGETS
from holdfast.ops import terminal_words
from holdfast.ops.api_guard import path_of
from holdfast.ops.commands import ROWS, TABLE, Friction, Kind, Row
from holdfast.ops.words import usage
from holdfast.sim.config import AccountConfig, LimitsConfig, SimConfig, SourceConfig
from holdfast.sim.server import control, faults
from holdfast.sim.server.routes import ROUTES, WS_METHODS, Need
from holdfast.simulate import auditor as audited
from holdfast.simulate import moves, run, world
from holdfast.venues.binance import errors
from holdfast.vocab import refusals
from holdfast.vocab.holds import HoldCause, HoldLevel, Release
from holdfast.vocab.orders import OrderState

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"
NOTE = "<!-- Written by scripts/docs.py from the code: change the code, then run `make docs`. -->\n"


def table(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    """A Markdown table; bars in cells are escaped."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in lines)


def plain(doc: str | None) -> str:
    """A docstring as Markdown prose: double backticks become single ones."""
    return " ".join(inspect.cleandoc(doc or "").split()).replace("``", "`")


def page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}\n\n{NOTE.rstrip()}", *(part.strip("\n") for part in parts)]) + "\n"


# --- commands ---------------------------------------------------------------------------------------------------------


def processes() -> dict[str, typing.Any]:
    """The commands that typer reads, by their whole name."""
    found = {}
    for name, command in typer.main.get_command(shell.app).commands.items():
        if hasattr(command, "commands"):
            found |= {f"{name} {inner}": one for inner, one in command.commands.items()}
        else:
            found[name] = command
    return {name: command for name, command in found.items() if name not in ROWS}


def commands() -> str:
    parts = [words.COMMANDS]
    parts.append("## Processes, and what needs no running bot")
    for name, one_of_them in processes().items():
        place = " ".join(
            f"[{one.name.upper()}]" for one in one_of_them.params if not one.opts[0].startswith("-")
        )
        parts.append(f"### holdfast {name}\n\n{plain(one_of_them.help)}")
        rows = [
            (f"`{' '.join([one.opts[0], one.metavar or '']).strip()}`", one.help + shown_default(one.default))
            for one in one_of_them.params
            if one.opts[0].startswith("-")
        ]
        if place:
            rows.insert(
                0, (f"`{place}`", one_of_them.params[0].help + shown_default(one_of_them.params[0].default))
            )
        parts.append(table(("option", "meaning"), rows))
    for kind, title in ((Kind.VIEW, "Looking at a running bot"), (None, "Acting on a running bot")):
        parts.append(f"## {title}\n\n{words.TABLE[title]}")
        parts += [command(row) for row in TABLE if (row.kind is Kind.VIEW) == (kind is Kind.VIEW)]
    parts.append("## Options that every command of the two tables above knows\n")
    parts.append(
        table(
            ("option", "meaning"),
            [(f"`{f'{one.name} {one.takes}'.strip()}`", one.help) for one in terminal_words._WORDS],
        )
    )
    return page("Commands", *parts)


def shown_default(default: object) -> str:
    return "" if default in (None, False, "") else f" Default: `{default}`."


def command(row: Row) -> str:
    cost = {
        Friction.NONE: "one step",
        Friction.REASON: "a reason",
        Friction.CONFIRM: "its plan is shown, then confirmed (`--yes`)",
        Friction.TWO_PERSONS: "the tokens of two people, or yours and the cooling delay",
    }[row.friction]
    facts = [f"role {row.role}", cost]
    facts += ["your token"] if row.loosens and row.friction is not Friction.TWO_PERSONS else []
    facts += ["trips the latch itself, before anything else"] if row.kind is Kind.LATCH else []
    facts += ["waits for the end (`--wait`)"] if row.waits else []
    method = "GET" if row.kind is Kind.VIEW else "POST"
    lines = [f"### holdfast {row.name}\n\n{row.help[:1].upper()}{row.help[1:]}.\n"]
    lines.append(f"`holdfast {usage(row)}`: {'; '.join(facts)}. HTTP: `{method} {path_of(row)}`.")
    if row.args:
        shape = [
            (f"`{one.name.upper() if one.positional else '--' + one.name.replace('_', '-')}`", one.help)
            for one in row.args
        ]
        lines.append("\n" + table(("argument", "meaning"), shape))
    return "\n".join(lines)


# --- configuration ----------------------------------------------------------------------------------------------------


def sections(kind: type[Struct], path: str = "") -> list[tuple[str, type[Struct]]]:
    """(the table's heading, its record) of every table of the file, in order."""
    found = []
    for one in fields(kind):
        if (kind, one.name) in ((schema.Config, "caps"), (schema.Config, "firm_share")):
            continue  # read from files of their own
        inner, names = one.type, []
        while typing.get_origin(inner) is dict:
            names.append(
                {
                    "instrument": "INSTRUMENT",
                    "strategy": "STRATEGY",
                    "criteria": "STRATEGY",
                    "flow": "INSTRUMENT",
                    "flow_group": "GROUP",
                }.get(one.name, "NAME")
                if not names
                else "INSTRUMENT"
            )
            inner = typing.get_args(inner)[1]
        if typing.get_origin(inner) is types.UnionType:  # a table that may be left out whole
            inner = typing.get_args(inner)[0]
        if isinstance(inner, type) and issubclass(inner, Struct):
            where = ".".join([*filter(None, [path]), one.encode_name, *names])
            found += [(where, inner), *sections(inner, where)]
    return found


def type_words(kind: object) -> str:
    simple = {
        str: "text",
        int: "whole number",
        bool: "true or false",
        Amount: 'amount, `"0.5 BTC"`',
        Ratio: 'percentage, `"5%"`',
        Multiple: 'multiple, `"1.5x"` or `"150%"`',
        Duration: 'time, `"250ms"`',
    }
    if kind in simple:
        return simple[kind]
    if typing.get_origin(kind) is typing.Literal:
        return " or ".join(f'`"{one}"`' for one in typing.get_args(kind))
    if typing.get_origin(kind) is list:
        inner = typing.get_args(kind)[0]
        return f"list of {'texts' if inner is str else type_words(inner)}"
    if isinstance(kind, type) and issubclass(kind, schema.Enum):
        return " or ".join(f'`"{one.value}"`' for one in kind)
    return "table of texts, numbers and booleans"


def default_words(one: FieldInfo) -> str:
    default = one.default if one.default is not NODEFAULT else None
    if one.default is NODEFAULT and one.default_factory is NODEFAULT:
        return "**none**"
    if one.default_factory is not NODEFAULT:
        default = one.default_factory()
    return f"`{default!r}`".replace("'", '"') if default not in ("", [], {}) else "empty"


def told_by_init() -> dict[tuple[str, str], str]:
    """(table, key) to what `holdfast init` writes for a key; of the instruments, the first."""
    found: dict[tuple[str, str], str] = {}
    where = ""
    for line in templates.CONFIG.template.splitlines():
        if line.startswith("["):
            where = line[1 : line.index("]")].replace("instrument.BTCUSDT", "instrument.INSTRUMENT")
        elif (match := re.match(r'([a-z_]+) = ("[^"]*"|\[[^\]]*\]|[0-9]+)', line)) and "$" not in match[2]:
            found[where, match[1]] = match[2]
    return found


def meaning(where: str, one: FieldInfo, told: dict[tuple[str, str], str]) -> str:
    """What a key is for, the most it may be and, where it has no default, what init writes."""
    text = words.KEYS[where, one.encode_name]
    if (where, one.encode_name) in DURATIONS_MAX:
        text += f" At most `{DURATIONS_MAX[where, one.encode_name][0]}`."
    value = told.get((where, one.encode_name)) if one.default is NODEFAULT else None
    return text if value is None else f"{text} `init` writes `{value}`."


def configuration() -> str:
    told = told_by_init()
    parts = [words.CONFIGURATION]
    for where, kind in sections(schema.Config):
        own = [one for one in fields(kind) if (where, one.encode_name) in words.KEYS]
        missing = [
            one.encode_name
            for one in fields(kind)
            if one not in own
            and not any(
                inner.startswith(f"{where}.{one.encode_name}") for inner, _ in sections(schema.Config)
            )
        ]
        if missing:
            sys.exit(f"scripts/docs_words.py: no words for {where}: {', '.join(missing)}")
        if not own:
            continue
        rows = [
            (f"`{one.encode_name}`", type_words(one.type), default_words(one), meaning(where, one, told))
            for one in own
        ]
        parts.append(f"## [{where}]\n\n{table(('key', 'written as', 'default', 'meaning'), rows)}")
    known = {(where, one.encode_name) for where, kind in sections(schema.Config) for one in fields(kind)}
    if surplus := set(words.KEYS) - known:
        sys.exit(f"scripts/docs_words.py: words for keys that do not exist: {sorted(surplus)}")
    return page("Configuration", *parts)


# --- holds, orders, gate ----------------------------------------------------------------------------------------------


def holds() -> str:
    levels = [(f"`{level.name}`", words.LEVELS[level.name]) for level in HoldLevel if level]
    rows = [
        (f"`{cause.value}`", f"`{rule.level.name}`", rule.release.value.replace("_", " "), rule.remedy)
        for cause, rule in RULES.items()
    ]
    return page(
        "Holds",
        words.HOLDS,
        table(("level", "what it forbids"), levels),
        "## Every cause",
        table(("cause", "level", "released by", "the next act"), rows),
    )


def risk_ladder() -> str:
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {Rung.NORMAL.value}"]
    edges: dict[tuple[Rung, Rung], list[str]] = {}
    for (before, push), move in LADDER.items():
        if before is not move.to:
            edges.setdefault((before, move.to), []).append(push.value)
    lines += [f"    {a.value} --> {b.value}: {', '.join(pushes)}" for (a, b), pushes in edges.items()]
    lines.append("```")
    rungs = [(f"`{rung.value}`", words.RUNGS[rung.value]) for rung in Rung]
    pushes = [(f"`{push.value}`", words.PUSHES[push.value]) for push in Push]
    rows = []
    for (before, push), move in LADDER.items():
        does = [f"places `{move.places.value}`"] if move.places else []
        does += ["cancels what is open"] if move.cancels else []
        does += ["exits positions"] if move.flattens else []
        does += [f"releases `{move.releases.value}`"] if move.releases else []
        where = f"`{move.to.value}`" + (", or the rung whose hold still stands" if move.or_standing else "")
        who = {
            Release.AUTOMATIC: "by itself",
            Release.PERSON: "a person",
            Release.TWO_PERSONS: "two persons, or one and the cooling delay",
        }[move.by]
        rows.append((f"`{before.value}`", f"`{push.value}`", where, who, "; ".join(does) or "–"))
    return page(
        "The risk ladder",
        words.LADDER,
        "\n".join(lines),
        table(("rung", "what is permitted, and how it is left"), rungs),
        "## What pushes\n\n" + table(("push", "when"), pushes),
        "## The whole table\n\nA pair that is not here moves nothing.",
        table(("from", "push", "to", "who", "what happens"), rows),
    )


def life_cycle() -> str:
    edges: dict[tuple[OrderState, OrderState], list[str]] = {}
    for (state, did), after in NEXT.items():
        if state not in FINAL:
            edges.setdefault((state, after), []).append(did.value)
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> sent: approved"]
    lines += [
        f"    {a.value} --> {b.value}: {', '.join(dids)}" for (a, b), dids in edges.items() if a is not b
    ]
    lines += [f"    {state.value} --> [*]" for state in FINAL] + ["```"]
    dids = list(dict.fromkeys(did for _, did in NEXT))
    states = [state for state in OrderState if state not in FINAL]
    rows = []
    for did in dids:
        after = [NEXT.get((state, did)) for state in states]
        late = "stays" if (FINAL[0], did) in NEXT else "–"
        cells = [
            "–" if one is None else "stays" if one is state else one.value
            for one, state in zip(after, states, strict=True)
        ]
        rows.append((f"`{did.value}`", *cells, late))
    head = ("what happened", *(f"from {state.value}" for state in states), "from a final state")
    return page(
        "The life of an order",
        words.LIFE_CYCLE,
        "\n".join(lines),
        table(
            ("state", "meaning"), [(f"`{state.value}`", words.STATES[state.value]) for state in OrderState]
        ),
        f"## The whole table\n\n{words.ILLEGAL}",
        table(head, rows),
    )


def refused_by(function: types.FunctionType) -> list[str]:
    """The refusals that a check can return, by itself or by the gate's functions that it calls."""
    names: list[str] = []
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        called = function.__globals__.get(node.func.id)
        if hasattr(refusals, node.func.id):
            names.append(node.func.id)
        elif inspect.isfunction(called) and called.__module__.startswith("holdfast.core.gate."):
            names += refused_by(called)
    return list(dict.fromkeys(names))


def gate_page() -> str:
    parts = [words.GATE]
    rows: list[tuple[object, ...]] = []
    for place, check in enumerate(checks.RISK_CHECKS, start=1):
        tags = ", ".join(f"[`{tag(name)}`](#{tag(name)})" for name in refused_by(check))
        rows.append((place, f"`{check.__name__}`", plain(check.__doc__), tags))
    parts.append(table(("", "check", "passes when", "else refuses as"), rows))
    parts.append(
        f"## The exit lane\n\n{plain(gate.judge_exit.__doc__)}\n\nIt refuses as: "
        + ", ".join(f"[`{tag(name)}`](#{tag(name)})" for name in refused_by(gate.judge_exit))
        + "."
    )
    parts.append(f"## Baskets\n\n{words.BASKETS}")
    parts.append("## Every refusal\n\nWith its numbers, as the journal and `--json` carry them.")
    for kind in typing.get_args(refusals.Refusal):
        numbers = ", ".join(f"`{one.encode_name}`" for one in fields(kind))
        parts.append(f"### {tag(kind.__name__)}\n\n{plain(kind.__doc__)} Numbers: {numbers}.")
    return page("The gate", *parts)


def tag(name: str) -> str:
    return str(getattr(refusals, name).__struct_config__.tag)


# --- controls ---------------------------------------------------------------------------------------------------------


def references(texts: Iterable[str]) -> str:
    """Sections of several controls as one list, each once."""
    parts = dict.fromkeys(part for text in texts for part in text.split(", ") if part != "–")
    return ", ".join(parts) or "–"


def controls_page() -> str:
    told = controls.CONTROLS

    def rows(named: dict[str, controls.Row], *, code: bool) -> list[tuple[object, ...]]:
        found: list[tuple[object, ...]] = []
        for name, row in named.items():
            refs = [told[number] for number in row.controls]
            file, _, test = row.test.partition("::")
            found.append(
                (
                    f"`{name}`" if code else name,
                    "; ".join(f"{number} {controls.CAPABILITIES[number]}" for number in row.capabilities),
                    "; ".join(f"{number} {told[number].name}" for number in row.controls),
                    *(references(ref[place] for ref in refs) for place in (1, 2, 3)),
                    f"[`{test}`](../{file})",
                )
            )
        return found

    head = ("", "capability", "control", "FIA 2024", "15c3-5", "RTS 6", "proof")
    covered = {
        number
        for named in (controls.CHECKS, controls.HOLDS, controls.BESIDE)
        for row in named.values()
        for number in row.controls
    }
    open_ones = [
        (number, one.name, one.fia, one.sec, one.rts6)
        for number, one in told.items()
        if number not in covered
    ]
    return page(
        "Controls",
        controls.WORDS,
        "## Every check of the gate\n\nIn the order they are asked; [the gate](reference/gate.md) says what each wants.",
        table(head, rows(controls.CHECKS, code=True)),
        "## Every cause of a hold\n\n[Holds](reference/holds.md) says what each forbids and who releases it.",
        table(head, rows(controls.HOLDS, code=True)),
        "## Every refusal, in a whole run\n\nA running bot refuses so by itself: its own market, its venue's answers, "
        "people who lower its limits.",
        table(
            ("", "shown by"),
            [
                (
                    f"[`{name}`](reference/gate.md#{name})",
                    f"[`{test.partition('::')[2]}`](../{test.partition('::')[0]})",
                )
                for name, test in controls.REFUSALS.items()
            ],
        ),
        "## Beside them",
        table(head, rows(controls.BESIDE, code=False)),
        "## Without a row here yet",
        table(("", "control", "FIA 2024", "15c3-5", "RTS 6"), open_ones),
    )


# --- the auditor ------------------------------------------------------------------------------------------------------


def auditor() -> str:
    """The rules as the code asks them; and, of what the calm may not leave, what it calls each."""
    asked, left = set[str](), set[str]()
    for module in (audited, moves, run, world):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "must":
                asked.add(sentence(node.args[0], module))
    for complains in (audited.Auditor.agrees, run.complaints):
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(complains)))):
            if isinstance(node, ast.JoinedStr):
                left.add(sentence(node, run).partition(":")[0])

    def rows(rules: set[str]) -> list[tuple[object, ...]]:
        apart = [rule.partition(" ") for rule in rules]
        return sorted(
            ((number, text) for number, _, text in apart), key=lambda row: (row[0][0], int(row[0][1:]), row)
        )

    head = ("number", "rule")
    return page(
        "What the auditor holds",
        words.AUDITOR,
        table(head, rows(asked)),
        "## What the calm may not leave\n\n" + words.CALM,
        table(("number", "what is left"), rows(left)),
    )


def sentence(node: ast.expr, module: types.ModuleType) -> str:
    """A text as written; what it fills in is the module's constant, else an ellipsis."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if not isinstance(node, ast.JoinedStr):
        sys.exit(
            f"scripts/docs.py: {module.__name__}:{node.lineno}: a rule is a text, written where it is asked"
        )
    parts = [
        str(
            getattr(module, ast.unparse(part.value), "…")
            if isinstance(part, ast.FormattedValue)
            else part.value
        )
        for part in node.values
    ]
    return "".join(parts)


# --- errors -----------------------------------------------------------------------------------------------------------


def errors_binance() -> str:
    kinds = list(errors.Kind)
    head = ("", "meaning", *(kind.value for kind in kinds), "holds by itself as", "note")

    def cells(name: object, row: errors.Row) -> tuple[object, ...]:
        said = [row.verdicts[kind].value if kind in row.verdicts else "–" for kind in kinds]
        return (name, row.meaning, *said, held(row), row.note)

    def held(row: errors.Row) -> str:
        if row.fault is not None:
            return f"`{FAULT_HOLDS[row.fault].value}`"
        return "" if len(row.verdicts) == len(kinds) else f"–: `{HoldCause.UNKNOWN_ERROR.value}`"

    faults_of = [
        (
            f"`{cause.value}`",
            f"`hold.{cause.value}`",
            f"`{RULES[cause].level.name}`",
            words.FAULT_CAUSES[cause.value],
        )
        for cause in (*FAULT_HOLDS.values(), HoldCause.UNKNOWN_ERROR)
    ]
    budgets = [
        (
            asked.value.replace("_", " "),
            budget.tries or "–",
            "" if budget.hold is None else f"`{budget.hold.value}`",
            budget.again,
        )
        for asked, budget in BUDGETS.items()
    ]
    return page(
        "Binance USD-M futures: what a reply proves",
        words.ERRORS,
        "## What holds by itself",
        table(("hold", "alert", "level", "when"), faults_of),
        "## When no whole reply came back",
        table(head, [cells(cause.value, row) for cause, row in errors.CAUSES.items()]),
        "*not sent* is proven by the last hop, which records whether it wrote, not by the kind of exception.",
        "## HTTP status, where the body has no code",
        table(head, [cells(status, row) for status, row in errors.STATUSES.items()]),
        "3xx, 403, 405, 408, 451 and every other status have no row. Redirects are not followed.",
        "## The venue's codes",
        table(head, [cells(code, errors.CODES[code]) for code in sorted(errors.CODES, reverse=True)]),
        "## How often it is asked again",
        words.BUDGETS,
        table(("request", "failures in a row", "then holds as", "asked again"), budgets),
    )


# --- simulator --------------------------------------------------------------------------------------------------------


def control_rows() -> list[tuple[object, ...]]:
    """(endpoint, fields, meaning) of the control port: POSTs tell of themselves, the rest is in the words."""
    tree = ast.parse(inspect.getsource(control))
    asked = [
        (key.elts[0].value, key.elts[1].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Tuple) and len(key.elts) == 2
    ]
    bodies = {
        match[1]: kind
        for _, kind in inspect.getmembers(control, inspect.isclass)
        if (match := re.match(r"POST (/\w+): ", kind.__doc__ or ""))
    }
    rows: list[tuple[object, ...]] = []
    for method, path in asked:
        if method == "POST" and path in bodies:
            kind = bodies[path]
            rows.append((f"`POST {path}`", shape(kind), plain(kind.__doc__).partition(": ")[2]))
        else:
            rows.append(
                (f"`{method} {path}`", words.CONTROL[method, path][0], words.CONTROL[method, path][1])
            )
    return rows


def shape(kind: type[Struct]) -> str:
    """The fields of a JSON body, the optional ones with their default."""
    return ", ".join(
        f"`{one.encode_name}`"
        if one.default is NODEFAULT
        else f"`{one.encode_name}` ({one.default!r})".replace("'", '"')
        for one in fields(kind)
    )


def simulator() -> str:
    if set(words.FAULTS) != faults.KINDS:
        sys.exit(f"scripts/docs_words.py: FAULTS differ from the code's: {set(words.FAULTS) ^ faults.KINDS}")
    need = {Need.NOTHING: "public", Need.KEY: "key", Need.SIGNATURE: "signed"}
    rest: dict[str, list[str]] = {}
    for (method, path), route in ROUTES.items():
        rest.setdefault(f"{path}\0{need[route.need]}", []).append(method)
    rows = [
        (f"`{key.partition(chr(0))[0]}`", ", ".join(methods), key.partition("\0")[2])
        for key, methods in rest.items()
    ]
    ws = [(f"`{name}`", f"`{method} {path}`") for name, (method, path) in WS_METHODS.items()]
    config = [
        (f"`{prefix}{one.encode_name}`", f"`{one.default!r}`".replace("'", '"'))
        for prefix, kind in (
            ("", SimConfig),
            ("[source] ", SourceConfig),
            ("[limits] ", LimitsConfig),
            ("[[accounts]] ", AccountConfig),
        )
        for one in fields(kind)
        if isinstance(one.default, str | int | float | bool)
    ]
    return page(
        "The simulated venue",
        words.SIMULATOR,
        "## Faults, truth and the clock: the control port",
        words.CONTROL_PORT,
        table(("request", "body or query", "what it does"), control_rows()),
        "### Faults\n\n" + words.FAULT_SHAPE,
        table(
            ("field", "default"),
            [
                (
                    f"`{one.encode_name}`",
                    "" if one.default is NODEFAULT else f"`{one.default!r}`".replace("'", '"'),
                )
                for one in fields(faults.FaultSpec)
            ],
        ),
        table(("kind", "what it does"), [(f"`{name}`", text) for name, text in words.FAULTS.items()]),
        "## REST paths\n\nThose of Binance USD-M futures, with Binance's weights, limits and error codes.",
        table(("path", "methods", "needs"), rows),
        "## WebSocket API, `/ws-fapi/v1`",
        table(("method", "as"), ws),
        "## Streams\n\n" + words.STREAMS,
        "## The venue's own file (`holdfast sim --config FILE`)\n\n"
        + plain(SimConfig.__doc__)
        + "\n\n"
        + plain(LimitsConfig.__doc__),
        table(("key", "default"), config),
    )


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands,
    "configuration.md": configuration,
    "holds.md": holds,
    "risk-ladder.md": risk_ladder,
    "order-life-cycle.md": life_cycle,
    "errors-binance.md": errors_binance,
    "gate.md": gate_page,
    "auditor.md": auditor,
    "../controls.md": controls_page,
    "simulator.md": simulator,
}


def stale() -> list[str]:
    """Names of the pages whose file is not what the code says now."""
    return [
        name
        for name, make in PAGES.items()
        if not (REFERENCE / name).is_file() or (REFERENCE / name).read_text(encoding="utf-8") != make()
    ]


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        found = stale()
        for name in found:
            print(f"stale: docs/reference/{name}; run make docs")
        return 1 if found else 0
    for name, make in PAGES.items():
        (REFERENCE / name).write_text(make(), encoding="utf-8")
        print(f"wrote docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
