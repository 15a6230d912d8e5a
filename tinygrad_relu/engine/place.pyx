"""Which line of the user's own code is at work, noted for each recorded op in some ten nanoseconds.

What is noted is a code object and the number of an instruction; they become a line when an error asks.
"""

import linecache
import os

from cpython.ref cimport Py_XDECREF, Py_XINCREF, PyObject
from libc.string cimport strncmp

cdef extern from "Python.h":
    ctypedef struct PyFrameObject:
        pass
    ctypedef struct PyCodeObject:
        PyObject* co_filename
    PyFrameObject* PyEval_GetFrame()
    PyFrameObject* PyFrame_GetBack(PyFrameObject* frame)
    PyCodeObject* PyFrame_GetCode(PyFrameObject* frame)
    int PyFrame_GetLasti(PyFrameObject* frame)
    const char* PyUnicode_AsUTF8(PyObject* text) noexcept

# Where this package lies, with the separator at the end: functions in there are not the user's.
cdef bytes folder = os.path.join(os.path.dirname(os.path.dirname(__file__)), "").encode()
cdef const char* FOLDER = folder
cdef size_t FOLDER_LENGTH = len(folder)
# The last file that was found to be the user's: mostly the next op comes from it, too.
cdef object users_file = None


cdef inline bint is_users(PyObject* file):
    """Tell whether a file is none of ours."""
    global users_file
    if file is <PyObject*> users_file:
        return True
    if strncmp(PyUnicode_AsUTF8(file), FOLDER, FOLDER_LENGTH) == 0:
        return False
    users_file = <object> file
    return True


cdef object user_code(int* instruction):
    """Return the code of the innermost function that is not ours, and where in it; or None."""
    cdef PyFrameObject* frame = PyEval_GetFrame()
    cdef PyFrameObject* outer
    cdef PyCodeObject* code
    cdef object found = None
    Py_XINCREF(<PyObject*> frame)
    while frame is not NULL:
        code = PyFrame_GetCode(frame)
        if is_users(code.co_filename):
            found = <object> <PyObject*> code
            instruction[0] = PyFrame_GetLasti(frame)
            outer = NULL
        else:
            outer = PyFrame_GetBack(frame)
        Py_XDECREF(<PyObject*> code)
        Py_XDECREF(<PyObject*> frame)
        frame = outer
    return found


def described(code, instruction):
    """Return a place in words, as ``train.py, line 12, in step: y = x.exp()``."""
    if code is None:
        return "an unknown place"
    line = 0
    for start, stop, number in code.co_lines():
        if start <= instruction < stop and number is not None:
            line = number
    text = linecache.getline(code.co_filename, line).strip()
    return f"{code.co_filename}, line {line}, in {code.co_name}{': ' + text if text else ''}"
