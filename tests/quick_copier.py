"""`copier`, without asking git about every file, which takes longer than the rendering."""

from unittest.mock import patch

from copier._cli import CopierApp
from copier._main import Worker

with patch.object(Worker, "_sync_git_index_executable_bit", lambda *_: None):
    CopierApp.run()
