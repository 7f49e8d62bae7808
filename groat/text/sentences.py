"""Cut a text into sentences, Chinese and English mixed."""

import regex
import sentencex

from groat.text.language import detect_language

# sentencex keeps "A？（注：B。）C" in one piece and does not cut at ；: Chinese prose needs both.
_HAN_PIECE = regex.compile(r"[^。！？；]*[。！？；]+[”’」』）)】]*\s*|[^。！？；]+")
_LINE = regex.compile(r"[^\n]+")
# sentencex takes the number of a list item for a sentence.
_LIST_MARK = regex.compile(r"\s*(?:>\s*)*(?:[-*+]|\(?\d{1,3}[.)、．])\s*")


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Return start and end offsets (characters) of the sentences, in order, without outer white space.

    A line break ends a sentence, so that list items and table rows stay whole; a table row is never cut.
    Spans do not overlap and together hold every character that is not white space.
    """
    spans: list[tuple[int, int]] = []
    for line in _LINE.finditer(text):
        if line.group().lstrip().startswith("|"):
            pieces = [line.group()]
        else:
            pieces = _with_mark([half for piece in _segment(line.group()) for half in _HAN_PIECE.findall(piece)])
        at = line.start()
        for piece in pieces:
            body = piece.strip()
            if body:
                start = at + len(piece) - len(piece.lstrip())
                spans.append((start, start + len(body)))
            at += len(piece)
    return spans


def _with_mark(pieces: list[str]) -> list[str]:
    if len(pieces) > 1 and _LIST_MARK.fullmatch(pieces[0]):
        return [pieces[0] + pieces[1], *pieces[2:]]
    return pieces


def _segment(line: str) -> list[str]:
    try:
        pieces = list(sentencex.segment(detect_language(line), line))
    except UnicodeEncodeError:  # half a character, of a file that was read in another encoding
        return [line]
    # The offsets rely on nothing being lost; a line that the library changes is kept whole.
    return pieces if "".join(pieces) == line else [line]
