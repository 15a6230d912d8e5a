"""Functions that are called on the way back."""

import itertools

numbers = itertools.count()


class NodeHook:
    """A hook on a node rather than on its tensor, which comes later, and takes a tuple of one."""

    def __init__(self, hook):
        self.hook = hook

    def __call__(self, cotangent):
        result = self.hook((cotangent,))
        return result[0] if isinstance(result, tuple) else result


class RemovableHandle:
    """What `register_hook` returns: takes the hook away again, also at the end of a ``with`` block."""

    def __init__(self, hooks, hook):
        self.hooks, self.number = hooks, next(numbers)
        hooks[self.number] = hook

    def remove(self):
        """Do not call the hook any more."""
        self.hooks.pop(self.number, None)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.remove()
