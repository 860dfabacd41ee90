"""The application for servers: the only module that reads the settings when it is imported."""

import sys

from uvicorn.config import STARTUP_FAILURE

from . import log
from .config import load_settings
from .main import create_app

try:
    settings = load_settings()
except SystemExit as error:
    print(error, file=sys.stderr)
    # A worker that ends with another code is started again, for ever.
    sys.exit(STARTUP_FAILURE)
log.configure(settings)
app = create_app(settings)
