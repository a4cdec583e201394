"""Answers without a task: where the graph says that its last message is all there is to tell.

Imports the protocol's SDK: only what answers a request imports this module.
"""

from a2a.types import Message, Role, TaskState

from longline_protocol_a2a.messages import to_message
from longline_protocol_a2a.snapshots import Left
from longline_protocol_a2a.states import state_of
from longline_protocol_a2a.tasks import Chain
from longline_protocol_a2a.transcripts import answers_in
from longline_protocol_a2a.verdicts import word_of


def direct_reply(chain: Chain, left: Left) -> Message | None:
    """The message to answer with, if the graph wants that: `response_metadata={"a2a": {"reply": "message"}}`."""
    if state_of(chain.head) != TaskState.TASK_STATE_COMPLETED:
        return None
    answers = answers_in(chain, left.values)
    if not answers or word_of(answers[-1], "reply") != "message":
        return None
    return to_message(answers[-1], task_id="", context_id=chain.context_id, role=Role.ROLE_AGENT)
