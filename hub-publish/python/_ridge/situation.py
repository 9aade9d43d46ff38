"""What comes before a call in its stream, as the caller says."""

from contextvars import ContextVar

# In the words of `kernel.json`.
ALONE, CHAIN = "alone", "chain"


class Chain:
    """A context in which calls of a kernel are in a chain; outside they are alone.

    It may be entered again while it is entered, by other threads and tasks too: each has its own
    depth. Under `torch.compile` it ends the graph, and what is inside becomes another: a graph reads
    the depth when it runs, and would have left the context by then.
    """

    def __init__(self, kernel):
        """kernel: its name, for those who look at contexts."""
        self._depth = ContextVar(f"{kernel}.chain", default=0)
        # How often it is entered here. Every call asks: a C function, and no more.
        self.depth = self._depth.get

    def situation(self):
        """The word for here and now."""
        return CHAIN if self.depth() else ALONE

    def __enter__(self):
        self._depth.set(self._depth.get() + 1)

    def __exit__(self, *_):
        self._depth.set(max(0, self._depth.get() - 1))
