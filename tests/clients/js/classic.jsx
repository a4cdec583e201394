// useStream of @langchain/langgraph-sdk/react: runs and their resumable streams.
import { useStream } from "@langchain/langgraph-sdk/react";
import { query, show, useThread } from "./page.jsx";

function useChat() {
  const [threadId, onThreadId] = useThread();
  const stream = useStream({
    apiUrl: query.get("api"),
    assistantId: "desk",
    threadId,
    onThreadId,
    reconnectOnMount: true,
    fetchStateHistory: true,
  });
  return {
    messages: stream.messages,
    isLoading: stream.isLoading,
    error: stream.error,
    question: stream.interrupt?.value?.question,
    send: (content) => stream.submit({ messages: [{ type: "human", content }] }),
    answer: (resume) => stream.submit(undefined, { command: { resume } }),
  };
}

show(useChat);
