"""A language model behind one small port, and the prompts' fence.

The port (`Model`, `Request`, `Completion`) is all that callers need; `open_model` in `casemate.stages.generate.choose`
turns a name into one of the three engines: embedded, server or scripted.
"""

from casemate.stages.generate.fence import fence, marker_of
from casemate.stages.generate.model import Answer, Completion, Model, Request, choose_adapter

__all__ = ["Answer", "Completion", "Model", "Request", "choose_adapter", "fence", "marker_of"]
