"""Problems with the program, the machine or the request: raised, and each carries its way out.

A problem with the *data* is not here: it is a returned `Issue`, and the rest of the work goes on.
"""


class CasemateError(Exception):
    """A fault that stops the work asked for; `way_out` tells the person what to do next."""

    def __init__(self, message: str, *, way_out: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.way_out = way_out


class WrongUsage(CasemateError):
    """The request itself makes no sense: an unknown name, two options that exclude each other."""


class InConflict(WrongUsage):
    """The request made sense once: what it speaks of was changed meanwhile, or is taken."""


class NothingRead(CasemateError):
    """Not one of the inputs could be read."""


class NotTrusted(CasemateError):
    """A model, a knowledge release or a chain is missing, altered or not allowed."""


class RefusedByPolicy(CasemateError):
    """The site's policy does not allow what was asked."""


class OutOfTurn(RefusedByPolicy):
    """The policy asks for something else to happen before what was asked."""


class QuotaReached(RefusedByPolicy):
    """The policy's quota of a language model's tokens or seconds is used up; what was finished is kept."""


class EngineFailed(CasemateError):
    """A language-model engine died, hung or gave something that is no answer."""


class ConnectorFailed(CasemateError):
    """Another program could not be reached, refused, or gave something that is no answer."""


class IssuerFailed(CasemateError):
    """The site's issuer of sign-ins could not be asked, or gave an answer that makes no sense."""


class StoreFailed(CasemateError):
    """The database could not be opened, read or written."""


class RecordFailed(StoreFailed):
    """One record is damaged or cannot be kept, while the database itself can be used: trying again helps nobody."""
