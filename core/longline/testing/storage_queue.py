"""The contract of RunQueue, from enqueueing to the end."""

from longline.testing.storage_admission import RunAdmissionContract
from longline.testing.storage_chains import RunChainContract
from longline.testing.storage_claims import LeaseContract, RunClaimContract
from longline.testing.storage_endings import RunCancelContract, RunFinishContract
from longline.testing.storage_tokens import RunTokenContract


class RunQueueContract(
    RunAdmissionContract,
    RunClaimContract,
    LeaseContract,
    RunFinishContract,
    RunCancelContract,
    RunTokenContract,
    RunChainContract,
):
    """All that a queue of runs promises."""
