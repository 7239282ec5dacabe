"""Files of trained networks, which may come from strangers: read in memory, nothing is executed.

- `stored.py` is what a file holds, in one form for all kinds of files; `reading.py` reads it.
- `archive.py` reads `.keras` archives; `hdf5.py` reads HDF5 files.
- `code_free.py` refuses the description of a network that holds or names code.
- `bounds.py` refuses a network that is far larger than its file.
"""

from qbench.models.saved.reading import read
from qbench.models.saved.stored import Stored

__all__ = ["Stored", "read"]
