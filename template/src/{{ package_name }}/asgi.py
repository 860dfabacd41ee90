"""The application for servers: the only module that reads the settings when it is imported."""

from . import log
from .config import load_settings
from .main import create_app

settings = load_settings()
log.configure(settings)
app = create_app(settings)
