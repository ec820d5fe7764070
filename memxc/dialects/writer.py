"""Writer: one card of SPICE after the other, in the forms of a dialect."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from memxc.dialects.expression import Expression, number

#: A resistor as every crossbar has them, a fast path.
_PLAIN = re.compile(r"(r\w+) (\w+) (\w+) ([0-9.]+(?:e[+-]?\d+)?)", re.ASCII)
_SOURCE = re.compile(r"(b\w+)\s+(\w+)\s+(\w+)\s+([vi])\s*=\s*(.+)", re.ASCII)
_MODEL = re.compile(r"\.model\s+(\w+)\s+([a-z]+)\s*\(?([^()]*)\)?", re.ASCII)
#: Characters of a line.
_WIDTH = 100
_BRACES = re.compile(r"\{[^{}]*\}")
_WORD = re.compile(r"[a-z_]\w*", re.ASCII)
_NET = re.compile(r"[a-z_]\w*|0|[1-9]\d*", re.ASCII)
#: Nets of semiconductors before the name of the model.
_DEVICES = {"d": 2, "j": 3, "m": 4, "q": 3}
#: Form, nets with the controlling ones, and controlling sources of linear controlled sources.
_CONTROLLED = {"e": ("vcvs", 4, 0), "g": ("vccs", 4, 0), "f": ("cccs", 2, 1), "h": ("ccvs", 2, 1)}
_TWO_NETS = {"r": "resistor", "c": "capacitor", "l": "inductor", "v": "volts", "i": "amperes"}
#: Parameters of a card as (name, value).
Pairs = Sequence[tuple[str, str]]


class Writer:
    """The forms of a dialect, and the behavioural modules that the cards so far need."""

    def __init__(self, forms: Mapping[str, str]) -> None:
        self._forms = forms
        self._modules: dict[tuple[str, str, tuple[str, ...], int], str] = {}

    def line(self, line: str) -> str:
        """Return a comment or a card in lower case as lines of the dialect.

        Raises ValueError if the card has no form.
        """
        if plain := _PLAIN.fullmatch(line):
            name, plus, minus, ohms = plain.groups()
            return self._form("resistor", name=name, nets=f"{plus} {minus}", value=ohms)
        text = line.strip()
        if not text:
            return ""
        if text.startswith("*"):
            return self._form("comment", text=text[1:].strip())
        try:
            return self._card(text)
        except ValueError as error:
            raise ValueError(f"{text.split()[0]} {error}") from error

    def declarations(self) -> str:
        """Return the lines that declare the modules, or ""."""
        return "".join(self._form("declaration", module=name) for name in self._modules.values())

    def modules(self) -> str:
        """Return the text of all modules, or ""."""
        texts = [
            self._form(
                "module",
                module=name,
                ports="".join(f", n{k}" for k in range(nets)),
                parameters="".join(self._form("module_parameter", name=key) for key in parameters),
                quantity=quantity.upper(),
                expression=expression,
            )
            for (quantity, expression, parameters, nets), name in self._modules.items()
        ]
        return self._forms["modules"] + "\n" + "".join(texts) if texts else ""

    def _form(self, form: str, **values: str) -> str:
        """Return one form, filled, as a line without blanks at its end."""
        if not self._forms.get(form):
            raise ValueError("has no form in this dialect")
        text = self._forms[form].format(**values).rstrip()
        start = self._forms["continuation"]
        if len(text) > _WIDTH and start and form != "comment":
            text = "\n".join(f"\n{start}".join(_cut(line)) for line in text.splitlines())
        return text + "\n"

    def _card(self, text: str) -> str:
        for pattern, method in ((_SOURCE, self._behavioural), (_MODEL, self._model)):
            if found := pattern.fullmatch(text):
                return method(*found.groups())
        words, params = _split(text)
        readers = {
            ".subckt": self._subckt, ".ends": self._ends, ".param": self._param,
            "x": self._instance, **dict.fromkeys("rclvi", self._two_nets),
            **dict.fromkeys(_CONTROLLED, self._controlled),
            **dict.fromkeys(_DEVICES, self._device),
        }  # fmt: skip
        reader = readers.get(words[0] if words[0].startswith(".") else words[0][0])
        if reader is None:
            raise ValueError("has no form in this dialect")
        return reader(words, params)

    def _subckt(self, words: list[str], params: Pairs) -> str:
        return self._with_parameters(
            "subckt", params, name=_named(words[1:2]), nets=_nets(words[2:])
        )

    def _ends(self, words: list[str], params: Pairs) -> str:
        return self._form("ends", name=_named(words[1:2]))

    def _param(self, words: list[str], params: Pairs) -> str:
        return self._form("parameters", parameters=self._pairs(params))

    def _instance(self, words: list[str], params: Pairs) -> str:
        name, nets, cell = _named(words[:1]), _nets(words[1:-1]), _named(words[-1:])
        return self._with_parameters("instance", params, name=name, nets=nets, cell=cell)

    def _two_nets(self, words: list[str], params: Pairs) -> str:
        """Return a resistor, a capacitor, an inductor or an independent source."""
        value = [word for word in words[3:] if word != "dc" or words[0][0] not in "vi"]
        _expect(len(value) == 1 and not params)
        name, nets = _named(words[:1]), _nets(words[1:3])
        return self._form(_TWO_NETS[words[0][0]], name=name, nets=nets, value=self._value(value[0]))

    def _controlled(self, words: list[str], params: Pairs) -> str:
        form, nets, sources = _CONTROLLED[words[0][0]]
        _expect(len(words) == nets + sources + 2 and not params)
        return self._form(
            form,
            name=_named(words[:1]),
            nets=_nets(words[1 : nets + 1]),
            source=_named(words[nets + 1 : nets + 1 + sources]),
            value=self._value(words[-1]),
        )

    def _device(self, words: list[str], params: Pairs) -> str:
        """Return a diode or a transistor; a bipolar one may have its substrate as a fourth net."""
        nets = _DEVICES[words[0][0]]
        _expect(len(words) in (nets + 2, nets + 2 + (words[0][0] == "q")))
        values = {"name": _named(words[:1]), "nets": _nets(words[1:-1])}
        return self._with_parameters("device", params, **values, model=_named(words[-1:]))

    def _behavioural(self, name: str, plus: str, minus: str, quantity: str, text: str) -> str:
        """Return a source whose volts or amperes are an expression."""
        expression = Expression(text)
        values = {"name": _named([name]), "nets": _nets([plus, minus])}
        inside = {**self._forms, "parameter": self._forms["parameter_inside"]}
        if "module" not in self._forms:
            written = expression.written(inside)
            return self._form(f"behavioural_{quantity}", **values, expression=written)
        place = {net: f"n{k}" for k, net in enumerate(expression.nets)}
        key = (
            quantity,
            expression.written(inside, place.__getitem__),
            expression.parameters,
            len(place),
        )
        module = self._modules.setdefault(key, f"source{len(self._modules)}")
        given = " ".join(self._forms["given"].format(name=key) for key in expression.parameters)
        controls = "".join(f" {net}" for net in _nets(expression.nets).split())
        return self._form(
            "behavioural", **values, controls=controls, module=module, parameters=given
        )

    def _model(self, name: str, kind: str, text: str) -> str:
        _, params = _split(f". {text}")
        level = "".join(value for key, value in params if key == "level")
        form = f"model_{kind}_{level}" if level else f"model_{kind}"
        if form not in self._forms:
            form = "model"
        kept = [pair for pair in params if form == "model" or pair[0] != "level"]
        return self._with_parameters(form, kept, name=_named([name]), kind=kind)

    def _with_parameters(self, form: str, params: Pairs, **values: str) -> str:
        pairs = self._pairs(params)
        suffix = self._forms.get(f"{form}_parameters", " {parameters}") if pairs else ""
        return self._form(form, **values, parameters=suffix.format(parameters=pairs))

    def _pairs(self, params: Pairs) -> str:
        pairs = [(_named([key]), self._value(value)) for key, value in params]
        written = self._forms["version"]
        return " ".join(
            f"{key}={written.format(value) if key == 'version' else value}" for key, value in pairs
        )

    def _value(self, text: str) -> str:
        """Return the value of a card: a number, or an expression in braces."""
        plain = number(text)
        try:
            float(plain)
        except ValueError:
            if not (text.startswith("{") and text.endswith("}")):
                raise ValueError(f"has no number and no {{expression}}: {text[:40]}") from None
        else:
            return plain
        return self._forms["value"].format(Expression(text).written(self._forms))


def _cut(text: str) -> Iterator[str]:
    """Yield a line in lines of at most _WIDTH characters, if its words are not longer."""
    words, room = list[str](), _WIDTH
    for word in text.split(" "):
        if words and len(word) >= room:
            yield " ".join(words)
            words, room = [], _WIDTH
        words.append(word)
        room -= len(word) + 1
    yield " ".join(words)


def _split(text: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the words of a card before its parameters, and the parameters."""
    text = re.sub(r"\s*=\s*", "=", _BRACES.sub(lambda found: found[0].replace(" ", ""), text))
    words = [word for word in text.split() if word not in ("params:", "param:")]
    first = next((i for i, word in enumerate(words) if "=" in word), len(words))
    pairs = [word.partition("=") for word in words[first:]]
    if not all(equals for _, equals, _ in pairs):
        raise ValueError("has words behind its parameters")
    return words[:first], [(key, value) for key, _, value in pairs]


def _expect(whole: bool) -> None:
    if not whole:
        raise ValueError("has more or fewer words than memxc can translate")


def _named(words: list[str]) -> str:
    return " ".join(_checked(words, _WORD, "name"))


def _nets(words: list[str] | tuple[str, ...]) -> str:
    return " ".join(_checked(words, _NET, "net"))


def _checked(
    words: list[str] | tuple[str, ...], pattern: re.Pattern[str], what: str
) -> Iterator[str]:
    for word in words:
        if not pattern.fullmatch(word):
            raise ValueError(f"has a {what} that other languages do not take: {word[:40]}")
        yield word
