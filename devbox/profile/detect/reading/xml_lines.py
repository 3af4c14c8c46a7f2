"""XML with the line of each element. A document type, and with it every entity of one's own, is refused."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

_DEPTH = 60


class XmlError(ValueError):
    """What is no XML that is read here; `line` counts from 1."""

    def __init__(self, message: str, line: int | None) -> None:
        super().__init__(message)
        self.line = line


@dataclass(slots=True)
class Element:
    """One element: its name without its namespace, its line, its text and what is in it."""

    name: str
    line: int
    attributes: dict[str, str]
    text: str = ""
    inner: list["Element"] = field(default_factory=list)

    def all(self, *names: str) -> Iterator["Element"]:
        """Yield the elements that the path `names` leads to."""
        if not names:
            yield self
            return
        for one in self.inner:
            if one.name == names[0]:
                yield from one.all(*names[1:])

    def first(self, *names: str) -> "Element | None":
        """Return the first element that the path `names` leads to, or None."""
        return next(self.all(*names), None)


def read_xml(content: bytes) -> Element:
    """Return the root of the document; `XmlError` for what is no XML, or has a document type."""
    root = Element("", 1, {})
    stack = [root]
    parser = expat.ParserCreate("utf-8", " ")

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(stack) > _DEPTH:
            raise XmlError("is nested too deep", parser.CurrentLineNumber)
        element = Element(name.rpartition(" ")[2], parser.CurrentLineNumber, attributes)
        stack[-1].inner.append(element)
        stack.append(element)

    def end(_: str) -> None:
        stack.pop()

    def data(text: str) -> None:
        stack[-1].text += text

    def doctype(*_: object) -> None:
        raise XmlError("has a document type, which is not read", parser.CurrentLineNumber)

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = data
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(content, True)  # noqa: FBT003 (expat's own signature)
    except expat.ExpatError as error:
        raise XmlError(f"not XML: {expat.ErrorString(error.code)}", error.lineno) from error
    return root.inner[0]
