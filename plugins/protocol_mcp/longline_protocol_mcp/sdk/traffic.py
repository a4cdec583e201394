"""What is under way in a session: requests that are not answered yet, in both directions."""

from mcp.types import JSONRPCError, JSONRPCMessage, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse, RequestId


class Traffic:
    """Which ids mean something now. Ids that look alike, as 7 and "7" do, are one: the SDK takes them for that."""

    def __init__(self) -> None:
        self._working: set[str] = set()
        self._asked: set[str] = set()

    @property
    def is_busy(self) -> bool:
        """Whether any request of the client is not answered yet: it may have gone, and come back for the answer."""
        return bool(self._working)

    def is_working(self, request_id: RequestId) -> bool:
        """Whether a request of the client with this id is not answered yet."""
        return str(request_id) in self._working

    def began(self, request_id: RequestId) -> None:
        """A request of the client came."""
        self._working.add(str(request_id))

    def ended(self, request_id: RequestId) -> None:
        """Nobody works on it any more."""
        self._working.discard(str(request_id))

    def note(self, message: JSONRPCMessage) -> None:
        """A message goes out to the client."""
        match message.root:
            case JSONRPCResponse(id=request_id) | JSONRPCError(id=request_id):
                self.ended(request_id)
            case JSONRPCRequest(id=request_id):
                self._asked.add(str(request_id))

    def takes(self, message: JSONRPCMessage) -> bool:
        """Whether somebody waits for what the client tells: every notification that is known, and the first answer to
        each question."""
        match message.root:
            case JSONRPCNotification():
                return True
            case JSONRPCResponse(id=request_id) | JSONRPCError(id=request_id) if str(request_id) in self._asked:
                self._asked.discard(str(request_id))
                return True
        return False
