"""`progress`: show on a terminal that, and how far, something is worked on."""

from contextlib import contextmanager


@contextmanager
def progress(what, console, total=None):
    """Give a function that moves a bar along: on a terminal, with rich, else nothing is shown.

    Parameters
    ----------
    what : str
        What is worked on.
    console : file
        Where the bar is drawn; it is gone at the end.
    total : int, optional
        How many steps there are; without, the bar shows only that something goes on.
    """
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ImportError:
        console = None
    if console is None or not console.isatty():
        yield lambda: None
        return
    with Progress(
        console=Console(file=console), transient=True, redirect_stdout=False, redirect_stderr=False
    ) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)
