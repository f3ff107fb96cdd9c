"""Responses Gateway: a reverse proxy with exact cost metering for the OpenAI Responses API."""

__version__ = "0.1.0"
