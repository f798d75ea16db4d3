"""``${name}`` in a checklist: which names a text refers to, where their values come from, and how they are shown.

A value is looked for among what was captured or answered, then the checklist's variables (given for this run, their
own environment variable, their default), then the env file, then the environment. In ``run`` nothing is ever pasted
into the script: a declared name that the script uses is handed over as an environment variable, and every other
``${…}`` belongs to bash. Everywhere else ``$${`` stands for a literal ``${``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from migconsole.domain.checklist import Answer, Check, Job, Manual, Run, Sql, Step, Variable

MASK = "********"
"""What a secret looks like wherever it would be shown; of fixed length, so that it does not tell the secret's."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_REFERENCE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]{0,63}(?:\.[a-z_]{1,40})*)\}")
_IN_SCRIPT = re.compile(r"(?<!\\)\$(?:\{[#!]?)?([A-Za-z_][A-Za-z0-9_]{0,63})")
_EVALUATED = re.compile(r"\beval\s+\"\$\{?([A-Za-z_][A-Za-z0-9_]{0,63})")
_SECRET_NAME = re.compile(
    r"PASS(?!ENGER|AGE|IVE|ED\b|FILE)|TOKEN|SECRET|(?:\b|_)KEY(?:\b|_|$)|CREDENTIAL", re.IGNORECASE
)
_PASSWORD_IN_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s]*:[^/\s]+@|[?&](?:ssl)?password=", re.IGNORECASE)
_RESERVED = re.compile(
    r"PG[A-Z]+|LD_\w+|DYLD_\w+|BASH\w*|(?:DATABASE|DIRECT)_URL|PATH|HOME|IFS|ENV|SHELL\w*|PS[0-4]|PAGER"
)
_DEEPEST = 20


class UnresolvedError(ValueError):
    """Names without a value, or that refer to themselves; the message says where each can be set."""

    def __init__(self, names: Iterable[str], problems: Iterable[str]) -> None:
        super().__init__("; ".join(problems))
        self.names = tuple(names)


@dataclass(frozen=True, slots=True)
class Value:
    """A resolved variable. ``source`` says in words where the text came from; a secret one is only shown masked."""

    name: str
    text: str
    source: str
    secret: bool = False

    def __repr__(self) -> str:
        return f"Value({self.name!r}, {self.shown!r}, {self.source!r})"

    @property
    def shown(self) -> str:
        """The text, or a mask."""
        return MASK if self.secret and self.text else self.text


def references(text: str) -> tuple[str, ...]:
    """The names a text other than a script refers to, each once, in order.

    >>> references("${backup_dir}/${run} costs $${5} and $HOME")
    ('backup_dir', 'run')
    """
    return tuple(dict.fromkeys(name for name in _REFERENCE.findall(text) if name))


def script_references(script: str, declared: Iterable[str]) -> tuple[str, ...]:
    """The declared names that a script uses, in any of bash's forms; everything else is bash's own.

    >>> script_references('pg_dump -f "$backup_dir/${name%.sql}" "$HOME"', ["backup_dir", "name"])
    ('backup_dir', 'name')
    """
    known = set(declared)
    return tuple(dict.fromkeys(name for name in _IN_SCRIPT.findall(script) if name in known))


def step_references(step: Step, declared: Iterable[str]) -> tuple[str, ...]:
    """Every name a step needs before it can be carried out."""
    names: dict[str, None] = {}
    if isinstance(step.action, Run):
        names |= dict.fromkeys(script_references(step.action.script, declared))
    for _, text in step_texts(step):
        names |= dict.fromkeys(references(text))
    return tuple(names)


def step_texts(step: Step) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The texts of a step in which ``${name}`` is replaced, each with its place; a script is not among them."""
    action = step.action
    if isinstance(action, Sql):
        yield from ((("sql", index), text) for index, text in enumerate(action.statements))
    elif isinstance(action, Check | Job):
        place = "check" if isinstance(action, Check) else action.name
        yield from _texts(action.arguments, (place,))
    elif isinstance(action, Answer):
        yield ("answer", "ask"), action.ask
        yield ("answer", "default"), action.default
    yield ("cwd",), step.cwd
    yield from _texts(step.env, ("env",))


def _texts(value: Any, place: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, (*place, str(key)))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _texts(inner, (*place, index))


def hook_script(hook: str, arguments: Iterable[str] = ()) -> str:
    """The script of a hook: it evaluates the variable, and refuses to pass for done when that is empty.

    >>> print(hook_script("notify", ["Migration starts"]))
    set -- 'Migration starts'
    eval "${notify:?names no command} \\"\\$@\\""
    """
    words = " ".join(shlex.quote(argument) for argument in arguments)
    if not words:
        return f'eval "${{{hook}:?names no command}}"'
    return f'set -- {words}\neval "${{{hook}:?names no command}} \\"\\$@\\""'


def effective(step: Step, resolver: Resolver) -> Step:
    """The step as it stands with today's values: a hook without a command becomes an item that a person does.

    A question is asked with its references replaced; an answer that cannot be offered yet is not offered.
    """
    action = step.action
    if isinstance(action, Run) and action.hook and resolver.value(action.hook) == "":
        return replace(step, action=Manual(), expect=None, danger=None)
    if isinstance(action, Answer) and "${" in action.ask + action.default:
        offered = all(resolver.value(n) is not None and not resolver.is_secret(n) for n in references(action.default))
        default = resolver.expand(action.default) if offered else ""
        return replace(step, action=replace(action, ask=resolver.display(action.ask), default=default))
    return step


def by_hand(step: Step, resolver: Resolver) -> str:
    """Why a person does this step although it is a command, or "": the words for the item pane."""
    if isinstance(step.action, Run) and isinstance(effective(step, resolver).action, Manual):
        hook = step.action.hook
        return f"no command is set for it; do it by hand and attest it, or set “{hook}” ({_where(hook, None)})"
    return ""


def is_secret_name(name: str) -> bool:
    """Whether an undeclared name looks as if it held a secret.

    >>> is_secret_name("GITHUB_TOKEN"), is_secret_name("api_key"), is_secret_name("monkey")
    (True, True, False)
    """
    return bool(_SECRET_NAME.search(name))


def is_reserved_name(name: str) -> bool:
    """Whether a variable of this name would bend bash, the loader or libpq away from the parsed target."""
    return bool(_RESERVED.fullmatch(name))


class Resolver:
    """Looks names up in the order of the module's docstring.

    ``captured`` are values captured or answered in this run, ``given`` those set for it (``--var``, or asked at the
    start), ``env_file`` and ``environment`` what their names say. Cheap to make: make a new one when a value changes.
    """

    def __init__(
        self,
        declared: Mapping[str, Variable],
        *,
        captured: Mapping[str, str] | None = None,
        given: Mapping[str, str] | None = None,
        env_file: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        captures: Iterable[str] = (),
    ) -> None:
        self._declared = dict(declared)
        self._captured = dict(captured or {})
        self._given = dict(given or {})
        self._env_file = dict(env_file or {})
        self._environment = dict(environment or {})
        self._names = {*self._declared, *self._captured, *captures}

    def __repr__(self) -> str:
        return f"Resolver({sorted(self._names)})"

    @property
    def names(self) -> frozenset[str]:
        """The names that scripts are given: declared, captured, or to be captured."""
        return frozenset(self._names)

    def resolve(self, name: str) -> Value | None:
        """Where a name's value comes from, or None. Raises UnresolvedError when it refers to something unresolved."""
        return self._resolve(name, ())

    def value(self, name: str) -> str | None:
        """A name's text, or None when it cannot be resolved."""
        try:
            found = self.resolve(name)
        except UnresolvedError:
            return None
        return found.text if found else None

    def is_secret(self, name: str) -> bool:
        """Whether a name's value must not be shown."""
        try:
            found = self.resolve(name)
        except UnresolvedError:
            found = None
        return found.secret if found else is_secret_name(name)

    def expand(self, text: str) -> str:
        """The text with every reference replaced; raises UnresolvedError naming all that have no value."""
        return self._expand(text, (), lambda value: value.text)

    def display(self, text: str) -> str:
        """The same for a screen: secrets masked, what has no value left as it was written."""

        def replaced(match: re.Match[str]) -> str:
            if not match[1]:
                return "${"
            try:
                found = self.resolve(match[1])
            except UnresolvedError:
                found = None
            return found.shown if found else match[0]

        return _REFERENCE.sub(replaced, text)

    def expand_sql(self, statement: str, *, masked: bool = False) -> str:
        """A statement with every reference replaced by a quoted literal, so that a value can never become SQL."""
        return self._expand(statement, (), lambda value: _quoted(value.shown if masked else value.text))

    def expand_value(self, value: Any, *, masked: bool = False) -> Any:
        """Arguments of a check or job, with the references in every text inside replaced."""
        if isinstance(value, str):
            return self.display(value) if masked else self.expand(value)
        if isinstance(value, Mapping):
            return {key: self.expand_value(inner, masked=masked) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.expand_value(inner, masked=masked) for inner in value]
        return value

    def exports(self, step: Step) -> tuple[Value, ...]:
        """What a step's script is given in its environment: the variables it uses, then its own ``env`` additions.

        A hook's command may use variables too. Raises UnresolvedError naming all that have no value.
        """
        if not isinstance(step.action, Run):
            return ()
        script = step.action.script
        text = "\n".join([script, *(self.value(name) or "" for name in self.hooks(script))])
        names = script_references(text, self._names)
        self._require((*names, *(n for t in step.env.values() for n in references(t))))
        values = {name: value for name in names if (value := self.resolve(name))}
        for name, text in step.env.items():
            secret = is_secret_name(name) or any(self.is_secret(n) for n in references(text))
            values[name] = Value(name, self.expand(text), "the item", secret)
        return tuple(values.values())

    def display_script(self, step: Step) -> str:
        """The command for a screen: the values it is given, secrets masked, above the script as it stands.

        Values are never pasted into the text, not even here: that would show something else than what is executed.
        A hook is shown as its command.
        """
        action = step.action
        if not isinstance(action, Run):
            return ""
        if action.hook:
            found = self.value(action.hook)
            command = MASK if self.is_secret(action.hook) else found
            words = action.script.rpartition("\neval ")[0].removeprefix("set -- ")
            return f"{command or '${' + action.hook + '}'} {words}".rstrip()
        values = {
            name: self.resolve(name) for name in script_references(action.script, self._names) if self.value(name)
        }
        given = [f"{name}={v.shown if v.secret else shlex.quote(v.text)}" for name, v in values.items() if v]
        return "\n".join([*given, action.script])

    def hooks(self, script: str) -> tuple[str, ...]:
        """The declared names whose values a script evaluates as commands: a hook is as dangerous as what is in it."""
        return tuple(dict.fromkeys(name for name in _EVALUATED.findall(script) if name in self._names))

    def unresolved(self, step: Step) -> tuple[str, ...]:
        """What a step needs and has no value, each with where to set it; the step must not start while there is any."""
        texts = [step.action.script, *map(str, self._hook_values(step))] if isinstance(step.action, Run) else []
        names = [name for text in texts for name in script_references(text, self._names)]
        names += [name for _, text in step_texts(step) for name in references(text)]
        return tuple(problem for name in dict.fromkeys(names) if (problem := self._problem(name)))

    def secret_values(self) -> tuple[str, ...]:
        """Every secret value that this run can come across, for masking."""
        names = {*self._names, *self._env_file, *(v.env for v in self._declared.values() if v.env)}
        names |= {n for n, text in self._environment.items() if is_secret_name(n) or _PASSWORD_IN_URL.search(text)}
        found = (self.resolve(name) for name in sorted(names) if self._problem(name) == "")
        return tuple(dict.fromkeys(value.text for value in found if value and value.secret and value.text))

    def _hook_values(self, step: Step) -> Iterator[str]:
        if isinstance(step.action, Run):
            yield from (self.value(name) or "" for name in self.hooks(step.action.script))

    def _resolve(self, name: str, path: tuple[str, ...]) -> Value | None:
        if name in path or len(path) > _DEEPEST:
            raise UnresolvedError([name], [f"“{name}” refers to itself ({' → '.join([*path, name])})"])
        found = self._find(name)
        if found is None:
            return None
        text, source, literal = found
        if not literal:
            inner = references(text)
            text = self._expand(text, (*path, name), lambda value: value.text)
            return Value(name, text, source, self._hides(name, text) or any(self.is_secret(n) for n in inner))
        return Value(name, text, source, self._hides(name, text))

    def _find(self, name: str) -> tuple[str, str, bool] | None:
        """Text, source in words, and whether the text is taken as it is (only defaults may refer to other names)."""
        # ${backup.path} in a text is $backup_path in a script, where a name cannot have a dot.
        for captured in (name, name.replace(".", "_")):
            if captured in self._captured:
                return self._captured[captured], "captured or answered in this run", True
        variable = self._declared.get(name)
        if variable is not None:
            if name in self._given:
                return self._given[name], "given for this run", True
            for source, values in (("env file", self._env_file), ("environment", self._environment)):
                if variable.env and variable.env in values:
                    return values[variable.env], f"{variable.env} in the {source}", True
            if variable.default is not None:
                return variable.default, "the checklist's default", False
        elif name in self._given:
            return self._given[name], "given for this run", True
        for source, values in (("env file", self._env_file), ("environment", self._environment)):
            if name in values:
                return values[name], f"the {source}", True
        return None

    def _hides(self, name: str, text: str) -> bool:
        variable = self._declared.get(name)
        declared = variable is not None and (variable.secret or is_secret_name(variable.env))
        return declared or is_secret_name(name) or bool(_PASSWORD_IN_URL.search(text))

    def _expand(self, text: str, path: tuple[str, ...], form: Any) -> str:
        self._require(references(text), path)

        def replaced(match: re.Match[str]) -> str:
            if not match[1]:
                return "${"
            value = self._resolve(match[1], path)
            assert value is not None
            return str(form(value))

        return _REFERENCE.sub(replaced, text)

    def _require(self, names: Iterable[str], path: tuple[str, ...] = ()) -> None:
        problems = {name: problem for name in dict.fromkeys(names) if (problem := self._problem(name, path))}
        if problems:
            raise UnresolvedError(problems, problems.values())

    def _problem(self, name: str, path: tuple[str, ...] = ()) -> str:
        try:
            found = self._resolve(name, path)
        except UnresolvedError as error:
            return str(error)
        return "" if found else f"“{name}” has no value; {_where(name, self._declared.get(name))}"


def _where(name: str, variable: Variable | None) -> str:
    places = [f"--var {name}=…"] if NAME.fullmatch(name) and not is_secret_name(name) else []
    if variable is not None and variable.secret:
        places = []
    places.append(f"{variable.env if variable and variable.env else name} in the env file or the environment")
    return f"set it with {' or '.join(places)}"


def _quoted(text: str) -> str:
    """A literal that means the same whatever ``standard_conforming_strings`` says; it cannot hold a zero byte."""
    doubled = text.replace("\0", "").replace("'", "''")
    return f" E'{doubled.replace(chr(92), chr(92) * 2)}'" if "\\" in text else f"'{doubled}'"
