"""Gradients of leaves that somebody waits for while the walk back is still under way.

Gradients reach ``.grad`` together, at the end of the walk.  A watcher hears of each before: as soon as
nothing more can be added to it, such as to send it to other processes meanwhile.
"""

import weakref

#: Objects with ``leaves``, the tensors that they wait for; ``begin(leaves)``, called with those that a
#: walk may come to, before it sets out; and ``arrived(leaf, gradient)``.  Weak references to them.
WATCHERS = set()


def watch(watcher):
    """Let a watcher hear of the gradients that it waits for, as long as it lives."""
    WATCHERS.add(weakref.ref(watcher, WATCHERS.discard))


def uses_of_awaited(outputs):
    """Return the `Uses` of a walk back from `outputs`."""
    return Uses(outputs, [watcher for known in tuple(WATCHERS) if (watcher := known()) is not None])


class Uses:
    """How often a walk back will still come to each leaf that somebody waits for."""

    def __init__(self, outputs, watchers):
        # By address: tensors compare their elements.
        self.watchers = {id(leaf): watcher for watcher in watchers for leaf in watcher.leaves}
        self.remaining, self.reached = {}, {}
        seen, pending = set(), [output.grad_fn or output for output in outputs]
        while pending:
            target = pending.pop()
            if id(target) in self.watchers:
                self.remaining[id(target)] = self.remaining.get(id(target), 0) + 1
                self.reached[id(target)] = target
            elif hasattr(target, "next_functions") and target not in seen:
                seen.add(target)
                pending.extend(parent for parent in target.next_functions if parent is not None)
        for watcher in watchers:
            watcher.begin([x for x in watcher.leaves if id(x) in self.reached])

    def passed(self, leaf, gradient):
        """Note that the walk came to a leaf, whose gradient so far is given; None if there is none."""
        if id(leaf) not in self.remaining:
            return
        self.remaining[id(leaf)] -= 1
        if self.remaining[id(leaf)] == 0:
            del self.remaining[id(leaf)]
            self.watchers[id(leaf)].arrived(leaf, gradient)

    def finish(self, gradients):
        """Tell of all that were not told of: those that hooks may change, or that nothing flowed to."""
        for address in list(self.remaining):
            del self.remaining[address]
            leaf = self.reached[address]
            self.watchers[address].arrived(leaf, gradients.get(leaf))
