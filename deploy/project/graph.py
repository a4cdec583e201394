"""A graph to see that everything works; put your own in its place."""

from langgraph.graph import START, MessagesState, StateGraph


def answer(state: MessagesState) -> dict:
    """Say what was said."""
    return {"messages": [{"role": "assistant", "content": f"You said: {state['messages'][-1].content}"}]}


graph = StateGraph(MessagesState).add_node("answer", answer).add_edge(START, "answer").compile()
