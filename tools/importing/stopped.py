"""Why an import may end early."""


class ImportStopped(Exception):
    """The system did not answer. What had arrived stays; importing again goes on from there."""
