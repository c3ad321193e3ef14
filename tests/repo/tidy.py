"""The tidy rules: each reads one parsed module and returns the places that break it."""

import ast
from collections.abc import Callable, Iterator

from tests.repo import tables
from tests.repo.reading import Finding, Module

Rule = Callable[[Module], list[Finding]]

INTEGER_MATH = {"isqrt", "gcd", "lcm", "comb", "perm", "factorial"}
DIVIDES = "true division gives a float: use // and say which way it rounds"
# What may walk a set without its order showing: the result is the same whatever the order.
ORDER_BLIND = {"sorted", "len", "set", "frozenset", "sum", "min", "max", "any", "all"}
ORDERED_COPIES = {"list", "tuple", "iter", "enumerate", "map", "filter", "zip", "reversed", "dict"}
SET_NAMES = {"set", "frozenset", "Set", "FrozenSet", "AbstractSet", "MutableSet"}
SET_METHODS = {"union", "intersection", "difference", "symmetric_difference"}
FILE_METHODS = {"read_text", "write_text", "read_bytes", "write_bytes"}


def dotted(node: ast.expr | None) -> str:
    """`a.b.c` for a chain of names, otherwise an empty string."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (base := dotted(node.value)):
        return f"{base}.{node.attr}"
    return ""


def imported_as(module: Module) -> dict[str, str]:
    """Local name -> dotted origin, so that `from time import sleep as nap` is still time.sleep."""
    names: dict[str, str] = {}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def origin(node: ast.expr | None, names: dict[str, str]) -> str:
    """The dotted name with import aliases undone."""
    head, dot, rest = dotted(node).partition(".")
    return names.get(head, head) + dot + rest


# --- sealed constructors --------------------------------------------------------------------------


def sealed(module: Module) -> list[Finding]:
    """A sealed type is built in its home alone: not called, not decoded, not renamed anywhere else."""
    names = imported_as(module)
    found = []
    for name, home in tables.SEALED.items():
        if module.path == home:
            continue
        found += [
            module.find(node, f"only {home} may construct {name}: {how}")
            for node, how in _builds(module, name, names)
        ]
    return found


def _builds(module: Module, name: str, names: dict[str, str]) -> Iterator[tuple[ast.AST, str]]:
    def is_it(node: ast.expr | None) -> bool:
        return origin(node, names).rpartition(".")[2] == name

    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            called = node.func
            if is_it(called) or (isinstance(called, ast.Attribute) and is_it(called.value)):
                yield node, "called"
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            if dotted(called) not in {"isinstance", "issubclass"} and any(is_it(arg) for arg in given):
                yield node, "passed to a call, which may build or decode one"
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and is_it(node.value):
            yield node, "given another name"
        elif isinstance(node, ast.ClassDef) and any(is_it(base) for base in node.bases):
            yield node, "subclassed"


# --- integers only --------------------------------------------------------------------------------


def floats(module: Module) -> list[Finding]:
    """No float enters the core or the vocabulary: no literal, no conversion, no true division."""
    if not tables.at_home(module.path, tables.INTEGER_ONLY) or tables.at_home(
        module.path, tables.FLOAT_HOMES
    ):
        return []
    names = imported_as(module)
    asked = {
        id(part)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and dotted(node.func) in {"isinstance", "issubclass"}
        for arg in node.args[1:]
        for part in ast.walk(arg)
    }
    decimals = tables.at_home(module.path, tables.DIVISION_HOMES)
    return [
        module.find(node, what)
        for node in ast.walk(module.tree)
        if id(node) not in asked and (what := _float_in(node, names)) and not (decimals and what == DIVIDES)
    ]


def _float_in(node: ast.AST, names: dict[str, str]) -> str:
    match node:
        case ast.Constant(value=float() | complex()):
            return "a float literal: money and ratios are integers here"
        case ast.Name(id="float" | "complex"):
            return "float: money and ratios are integers here"
        case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
            return DIVIDES
        case ast.BinOp(op=ast.Pow(), right=ast.UnaryOp(op=ast.USub())):
            return "a negative power gives a float"
        case ast.Attribute() | ast.Name():
            head, _, last = origin(node, names).rpartition(".")
            if head == "operator" and last in {"truediv", "itruediv"}:
                return "true division gives a float"
            if head == "math" and last not in INTEGER_MATH:
                return f"math.{last} works in floats"
    return ""


# --- no iteration over a set ----------------------------------------------------------------------


def set_attributes(every: tuple[Module, ...]) -> frozenset[str]:
    """Names of fields annotated as sets in core and vocab, and never as anything else."""
    seen: dict[str, set[bool]] = {}
    for module in every:
        if not tables.at_home(module.path, tables.INTEGER_ONLY):
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                fields = [item for item in node.body if isinstance(item, ast.AnnAssign)]
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Attribute):
                fields = [node]
            else:
                continue
            for field in fields:
                name = dotted(field.target).rpartition(".")[2]
                seen.setdefault(name, set()).add(_annotates_set(field.annotation))
    return frozenset(name for name, is_set in seen.items() if is_set == {True})


def set_iteration(module: Module, attributes: frozenset[str] = frozenset()) -> list[Finding]:
    """The core iterates over nothing unordered: sort it, or keep a dict or a tuple."""
    if not tables.at_home(module.path, tables.ORDERED_ONLY):
        return []
    attributes |= set_attributes((module,))
    found: list[Finding] = []
    for scope, nodes in _scopes(module.tree):
        known = _set_variables(scope, nodes, attributes)
        blind = {id(part) for node in nodes for part in _order_blind(node)}
        found += [
            module.find(value, "iterates over a set: its order is not repeatable; sort it or keep a dict")
            for node in nodes
            if id(node) not in blind
            for value in _iterated(node)
            if _is_set(value, known, attributes)
        ]
    return found


def _scopes(tree: ast.Module) -> Iterator[tuple[ast.AST, list[ast.AST]]]:
    """Each module or function with the nodes that are its own."""
    pending: list[ast.AST] = [tree]
    while pending:
        scope = pending.pop()
        nodes: list[ast.AST] = []
        queue = list(ast.iter_child_nodes(scope))
        while queue:
            node = queue.pop()
            nodes.append(node)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                pending.append(node)
            else:
                queue += ast.iter_child_nodes(node)
        yield scope, nodes


def _annotates_set(annotation: ast.expr | None) -> bool:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    if isinstance(annotation, ast.Subscript):
        return _annotates_set(annotation.value)
    if isinstance(annotation, ast.BinOp):
        return _annotates_set(annotation.left) or _annotates_set(annotation.right)
    return dotted(annotation).rpartition(".")[2] in SET_NAMES


def _set_variables(scope: ast.AST, nodes: list[ast.AST], attributes: frozenset[str]) -> frozenset[str]:
    known: set[str] = set()
    if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
        every = [*scope.args.posonlyargs, *scope.args.args, *scope.args.kwonlyargs]
        known |= {arg.arg for arg in every if _annotates_set(arg.annotation)}
    for _ in range(2):  # twice, so that a set built from a set declared further down is seen too
        for node in nodes:
            match node:
                case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation) if _annotates_set(
                    annotation
                ):
                    known.add(name)
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=value)
                    | ast.NamedExpr(target=ast.Name(id=name), value=value)
                ) if _is_set(value, frozenset(known), attributes):
                    known.add(name)
    return frozenset(known)


def _is_set(node: ast.expr, known: frozenset[str], attributes: frozenset[str]) -> bool:
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Name(id=name):
            return name in known
        case ast.Attribute(attr=name):
            return name in attributes
        case ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
        case ast.Call(func=ast.Attribute(attr=method, value=value)):
            return method in SET_METHODS or (method == "copy" and _is_set(value, known, attributes))
        case ast.BinOp(op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor(), left=left, right=right):
            return _is_set(left, known, attributes) or _is_set(right, known, attributes)
        case ast.IfExp(body=body, orelse=orelse):
            return _is_set(body, known, attributes) or _is_set(orelse, known, attributes)
    return False


def _order_blind(node: ast.AST) -> Iterator[ast.AST]:
    """Comprehensions whose result does not depend on the order they walked in."""
    if isinstance(node, ast.SetComp):
        yield from node.generators
    elif isinstance(node, ast.Call) and dotted(node.func) in ORDER_BLIND and not node.keywords:
        for arg in node.args:
            if isinstance(arg, ast.GeneratorExp | ast.ListComp):
                yield from arg.generators


def _iterated(node: ast.AST) -> list[ast.expr]:
    """The values whose order this node lets out."""
    match node:
        case (
            ast.For(iter=value)
            | ast.comprehension(iter=value)
            | ast.YieldFrom(value=value)
            | ast.Starred(value=value)
        ):
            return [value]
        case ast.Call(func=ast.Attribute(attr="pop", value=value), args=[]):
            return [value]
        case ast.Call(func=ast.Name(id=name), args=args) if name in ORDERED_COPIES:
            return args
        case ast.Call(func=ast.Name(id="min" | "max"), args=args, keywords=[_, *_]):
            return args  # a tie under `key` goes to whoever came first
        case ast.Call(func=ast.Attribute(attr="join" | "extend" | "fromkeys"), args=args):
            return args
    return []


# --- exceptions -----------------------------------------------------------------------------------


def swallowed(module: Module) -> list[Finding]:
    """No failure disappears: no bare except, no empty handler, nothing that eats an InvariantBroken."""
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler):
            found += [module.find(node, what) for what in _handler_faults(module.path, node)]
        elif isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] == "suppress":
            caught = {dotted(arg) for arg in node.args}
            if caught & {"Exception", "BaseException"}:
                found.append(
                    module.find(node, "suppress(Exception) hides every failure: name the one you mean")
                )
    return found


def _handler_faults(path: str, handler: ast.ExceptHandler) -> Iterator[str]:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    last = handler.body[-1]
    raises_again = isinstance(last, ast.Raise) and last.exc is None
    if handler.type is None:
        yield "bare except: name what is expected"
    everything = any(dotted(one) == "BaseException" for one in caught)
    if everything and not raises_again and not tables.at_home(path, tables.BASE_EXCEPTION_HOMES):
        yield "except BaseException eats InvariantBroken: end the handler with a bare `raise`"
    silent = all(_says_nothing(statement) for statement in handler.body)
    if silent and not tables.at_home(path, tables.SILENT_EXCEPT_HOMES):
        yield "an empty handler: turn the failure into a value, a counter or a log line"


def _says_nothing(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Pass | ast.Continue) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


# --- files, terminal, sleep -----------------------------------------------------------------------


def opens(module: Module) -> list[Finding]:
    """Files are opened where files are somebody's business."""
    if tables.at_home(module.path, tables.OPEN_HOMES):
        return []
    names = imported_as(module)
    return [
        module.find(node, "opens a file outside the homes listed in tests/repo/tables.py")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and (
            origin(node.func, names) in {"open", "io.open", "os.open", "codecs.open"}
            or (isinstance(node.func, ast.Attribute) and node.func.attr in FILE_METHODS)
        )
    ]


def prints(module: Module) -> list[Finding]:
    """Only what faces a terminal writes to it; the rest logs, or returns."""
    if tables.at_home(module.path, tables.PRINT_HOMES):
        return []
    names = imported_as(module)
    return [
        module.find(node, "prints outside the homes listed in tests/repo/tables.py")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and origin(node.func, names) in {"print", "sys.stdout.write", "sys.stderr.write"}
    ]


def sleeps(module: Module) -> list[Finding]:
    """time.sleep is nowhere: time is passed in, and waiting is a timer or an event with a timeout."""
    if tables.at_home(module.path, tables.SLEEP_HOMES):
        return []
    names = imported_as(module)
    return [
        module.find(node, "time.sleep: return a timer, or wait on an event with a timeout")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute | ast.Name) and origin(node, names) == "time.sleep"
    ]


# --- exports --------------------------------------------------------------------------------------


def exports(module: Module) -> list[Finding]:
    """A package's `__all__` is exactly what its `__init__` binds in public."""
    if not module.path.endswith("__init__.py"):
        return []
    bound, lazy, declared, where = (
        set[str](),
        False,
        None,
        module.tree.body[0] if module.tree.body else module.tree,
    )
    for node in _flat(module.tree.body):
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                where = node
                try:
                    declared = list(ast.literal_eval(value))
                except ValueError:
                    return [module.find(node, "__all__ must be a plain list of names")]
            case ast.Assign(targets=targets):
                bound |= {
                    name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)
                }
            case ast.AnnAssign(target=ast.Name(id=name)) if name != "__all__":
                bound.add(name)
            case ast.FunctionDef(name="__getattr__"):
                lazy = True
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
            case ast.ImportFrom(module="__future__"):
                pass
            case ast.ImportFrom(names=names) | ast.Import(names=names):
                bound |= {alias.asname or alias.name.partition(".")[0] for alias in names}
    public = {name for name in bound if not name.startswith("_")}
    if declared is None:
        return [module.find(where, f"__all__ is missing, yet {sorted(public)} are public")] if public else []
    listed = {name for name in declared if name not in bound or not name.startswith("__")}
    found = [f"{name!r} is public but not in __all__" for name in sorted(public - listed)]
    if not lazy:
        found += [f"{name!r} is in __all__ but not bound" for name in sorted(listed - public)]
    found += [
        f"{name!r} is in __all__ twice" for name in sorted({n for n in declared if declared.count(n) > 1})
    ]
    return [module.find(where, what) for what in found]


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Top-level statements, those under `if TYPE_CHECKING:` and other ifs included."""
    for node in body:
        if isinstance(node, ast.If):
            yield from _flat([*node.body, *node.orelse])
        else:
            yield node
