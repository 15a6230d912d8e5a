"""Reports as HTML, for notebooks: no script, no style sheet, colours that a dark page can bear."""

from html import escape

from tinygrad_relu.gradcheck import printed
from tinygrad_relu.gradcheck.stories import stories_of
from tinygrad_relu.gradcheck.typesetting import WIDEST, clipped

COLOURS = {"wrong": "#c62828", "not deterministic": "#c62828", "kinks meet": "#b26a00",
           "cannot tell": "#b26a00", "nothing to check": "#808080"}
RIGHT = "#2e7d32"
LONGEST_NAME = 40


def html_of(report):
    """Return a report as HTML: the table, and what is known of each input."""
    head = "".join(f'<th style="text-align:left">{word}</th>' for word in printed.HEAD)
    shown, rest = printed.rows_shown(report)
    rows = "".join(row_of(entry) for entry in shown)
    stories = "".join(block_of(told) for told in stories_of(report, WIDEST))
    notes = "".join(
        f"<p>{escape(note)}</p>" for note in [*report.notes, *printed.taylor_remark(report)]
    )
    return (
        f"<div><p><b>{escape(printed.headline(report))}</b></p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f"{f'<p>{escape(rest)}</p>' if rest else ''}{stories}{notes}</div>"
    )


def row_of(entry):
    """Return the row of one input."""
    cells = printed.row_of(entry)
    cells[0] = clipped(cells[0], LONGEST_NAME)
    colour = COLOURS.get(str(entry.verdict), RIGHT)
    styled = [f'<td style="text-align:left">{escape(cell)}</td>' for cell in cells]
    styled[3] = f'<td style="text-align:left;color:{colour}"><b>{escape(cells[3])}</b></td>'
    return f"<tr>{''.join(styled)}</tr>"


def block_of(lines):
    """Return lines as a block of text that keeps its columns."""
    return f"<pre>{escape(chr(10).join(lines))}</pre>"
