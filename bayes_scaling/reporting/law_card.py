r"""A law in mathematics and words: its equation, its priors and the reason for each, for pages without any script."""

from __future__ import annotations

import dataclasses
import html
import inspect
import re
import textwrap
from xml.etree import ElementTree

from markupsafe import Markup

from bayes_scaling.law.base import Law
from bayes_scaling.law.priors import Prior, describe

__all__ = ["LawCard", "PriorCard", "law_cards", "mathml", "prose", "symbol"]

GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi "
    "omega".split()
)
LIKELIHOOD = r"\log y_i \;\sim\; \text{{StudentT}}_5(\log L_i, {sigma})"
OF_ACCURACIES = r"y_i \;\sim\; \text{{Normal}}(a_i, {sigma}) \; \text{{clipped to}} \; [0, 1]"


@dataclasses.dataclass(frozen=True)
class PriorCard:
    """One parameter of a law: its name in the code, its prior in MathML and the reason for it."""

    name: str
    prior: Markup
    reason: str


@dataclasses.dataclass(frozen=True)
class LawCard:
    """A law, or a part of another: equation, likelihood and constants in MathML, source without equation, priors."""

    title: str
    part: bool
    about: str
    equation: Markup
    likelihood: Markup
    relations: tuple[Markup, ...]
    source: str
    priors: tuple[PriorCard, ...]

    def with_priors_alone(self, about: str) -> LawCard:
        """Return the card of a law whose mathematics stands elsewhere, as ``about`` says: its priors."""
        return dataclasses.replace(self, about=about, equation=Markup(), likelihood=Markup(), relations=(), source="")


def law_cards(law: Law, part: str = "") -> list[LawCard]:
    """Return the law and the laws it holds, the whole before its parts.

    Parameters
    ----------
    law : Law
        Any law; one without an ``equation`` in LaTeX is shown by the source of its ``mean``.
    part : str
        What the law is called within another.
    """
    own = {f.name: f.default for f in dataclasses.fields(law)}
    priors = tuple(
        PriorCard(name, prior_mathml(name, prior), _reason(law, name, prior, own[name]))
        for name, prior in law.priors.items()
    )
    card = LawCard(
        title=f"{part}: {law.name}" if part else law.name,
        part=bool(part),
        about=prose(law.summary),
        equation=mathml(law.equation, display="block") if law.equation else Markup(),
        likelihood=Markup() if part else _likelihood(law),
        relations=tuple(mathml(f"{symbol(name)} = {latex}") for name, latex in law.relations.items()),
        source="" if law.equation else source_of(law),
        priors=priors,
    )
    held = {name: inner for name, inner in law.fields.items() if isinstance(inner, Law)}
    return [card, *(part for name, inner in held.items() for part in law_cards(inner, name))]


def _likelihood(law: Law) -> Markup:
    """Return how outcomes scatter, of a law with the usual noise; sigma has an index where runs differ in it."""
    own = type(law)
    if own.likelihood is not Law.likelihood or law.own_model:
        return Markup()
    alike = own.sigma_of is Law.sigma_of and own.noise_of is Law.noise_of
    latex = OF_ACCURACIES if law.outcome == "accuracy" else LIKELIHOOD
    return mathml(latex.format(sigma=r"\sigma" if alike else r"\sigma_i"), display="block")


def mathml(latex: str, display: str = "inline") -> Markup:
    r"""Return LaTeX as MathML, which browsers show without a script; what cannot be read is shown as it was written.

    Examples
    --------
    >>> "<mi>α</mi>" in mathml(r"\alpha_N")
    True
    >>> mathml(r"x^")
    Markup('<code>x^</code>')
    """
    from latex2mathml.converter import Converter

    try:
        element = Converter(display=display).convert_to_element(latex)
    except Exception:  # the converter has an exception of its own for each mistake
        return Markup("<code>{}</code>").format(latex)
    for node in element.iter():  # the converter writes entities as text, and its own output does not escape
        node.text = html.unescape(node.text) if node.text else node.text
    return Markup(ElementTree.tostring(element, encoding="unicode"))


def prior_mathml(name: str, prior: Prior) -> Markup:
    """Return ``alpha_N ~ LogNormal(-1.2, 0.15)`` in MathML, or ``E = 1.69`` where a number fixes it."""
    family, bracket, inner = describe(prior).partition("(")
    if not bracket:
        return mathml(f"{symbol(name)} = {{{family}}}")
    values = re.sub(r"\w+=", "", inner.removesuffix(")"))
    words = re.sub(r"[A-Z]\w+", lambda family: rf"\text{{{family[0]}}}", values)  # of priors that this one is made of
    numbers = re.sub(r"(?<![\w.])-?\d[\d.e+-]*", lambda n: f"{{{float(n[0]):.4g}}}", words)
    return mathml(rf"{symbol(name)} \;\sim\; \text{{{family}}}({numbers})")


def symbol(name: str) -> str:
    r"""Return the LaTeX of a parameter's name.

    Examples
    --------
    >>> symbol("alpha_N"), symbol("log_A"), symbol("E"), symbol("reducible")
    ('\\alpha_{N}', '\\log A', 'E', '\\text{reducible}')
    """
    first, *rest = [f"\\{p}" if p in GREEK else p if len(p) == 1 else rf"\text{{{p}}}" for p in name.split("_") if p]
    if first == r"\text{log}" and rest:
        first, rest = rf"\log {rest[0]}", rest[1:]
    return first + (f"_{{{' '.join(rest)}}}" if rest else "")


def _reason(law: Law, name: str, prior: Prior, own: Prior | None) -> str:
    """Return why a parameter has its prior; that of another one than the law's own, where it has one, is not known."""
    if own is not None and describe(prior) != describe(own):
        return f"Set for this fit; the law's own is {describe(own)}."
    return prose(law.notes[name].reason)


def prose(text: str) -> str:
    """Return text of a docstring without its marks, on one line."""
    text = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"\1", text)
    return " ".join(text.replace("``", "").split())


def source_of(law: Law) -> str:
    """Return the Python source of a law's equation, or nothing where Python cannot find it."""
    try:
        return textwrap.dedent(inspect.getsource(type(law).mean))
    except (OSError, TypeError):
        return ""
