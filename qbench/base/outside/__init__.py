"""Code from outside qbench: what a name such as `nets/mine.py:build` stands for.

A name with a colon is a reference: `FILE.py:NAME`, or `package.module:NAME`. Its content is the
content of the file and of the modules in its folder tree that it imports.

- `reference.py` reads a reference and finds its file.
- `imports.py` follows imports by reading files; nothing is executed.
- `modules.py` imports exactly the content that was read. Several versions of a file, and files of
  the same name in different folders, have modules of their own.
- `declared.py` reads the signature of a function.
- `session.py` keeps the content of each name during a command or a job.
- `given.py` is another file whose content counts, such as weights; `files.py` finds and hashes it.
- `plugins.py` loads installed packages that register things in qbench's registries.
"""

from qbench.base.outside.files import given_file
from qbench.base.outside.given import GivenFile
from qbench.base.outside.reference import FORMS, is_reference
from qbench.base.outside.session import (
    Code,
    as_typed,
    code,
    code_of_module,
    folder,
    module_of,
    session,
)

__all__ = [
    "FORMS",
    "Code",
    "GivenFile",
    "as_typed",
    "code",
    "code_of_module",
    "folder",
    "given_file",
    "is_reference",
    "module_of",
    "session",
]
