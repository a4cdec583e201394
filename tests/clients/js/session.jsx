// useStream of @langchain/react: protocol v2, commands and events of a thread.
import { useStream } from "@langchain/react";
import { query, show, useThread } from "./page.jsx";

function useChat() {
  const [threadId, onThreadId] = useThread();
  const stream = useStream({
    apiUrl: query.get("api"),
    assistantId: "desk",
    transport: query.get("transport") ?? "sse",
    threadId,
    onThreadId,
  });
  return {
    messages: stream.messages,
    isLoading: stream.isLoading,
    error: stream.error,
    question: stream.interrupt?.value?.question,
    send: (content) => stream.submit({ messages: [{ type: "human", content }] }),
    answer: (response) => stream.respond(response),
  };
}

show(useChat);
