// A chat page, as small as can be. `chat` is one of the two hooks, made alike by classic.jsx and session.jsx.
import { createRoot } from "react-dom/client";
import { useState } from "react";

export const query = new URLSearchParams(location.search);

// The thread stands in the address, so that a reload finds it again.
export function useThread() {
  const [thread, setThread] = useState(query.get("thread"));
  const remember = (id) => {
    query.set("thread", id);
    history.replaceState(null, "", `?${query}`);
    setThread(id);
  };
  return [thread, remember];
}

function Page({ useChat }) {
  const chat = useChat();
  const [text, setText] = useState("");
  const send = (event) => {
    event.preventDefault();
    chat.send(text);
    setText("");
  };
  return (
    <main>
      <h1>Longline</h1>
      <ol>
        {chat.messages.map((message, index) => (
          <li key={message.id ?? index} data-type={message.type}>
            {message.text ?? message.content}
          </li>
        ))}
      </ol>
      {chat.question && (
        <p id="question">
          {chat.question} <button onClick={() => chat.answer("yes")}>yes</button>
        </p>
      )}
      {chat.error && <p id="error">{String(chat.error)}</p>}
      <p id="state">{chat.isLoading ? "busy" : "ready"}</p>
      <form onSubmit={send}>
        <input value={text} onChange={(event) => setText(event.target.value)} />
      </form>
    </main>
  );
}

export function show(useChat) {
  createRoot(document.getElementById("root")).render(<Page useChat={useChat} />);
}
