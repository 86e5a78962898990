// The WebSocket: what the page is sent, and connecting again when the connection ends.

const AGAIN_AFTER = 1000; // milliseconds

/** Follow what a person sees. `take` gets each message, `tell` whether there is a connection. Return how to stop. */
export function follow(user, take, tell) {
  let socket;
  let last = 0;
  let stopped = false;

  function connect() {
    socket = new WebSocket(`ws://${location.host}/live?user=${encodeURIComponent(user)}&after=${last}`);
    socket.addEventListener("open", () => tell(true));
    socket.addEventListener("message", (event) => {
      if (stopped) return;
      const news = JSON.parse(event.data);
      if (news.last !== undefined) last = news.last;
      take(news);
    });
    socket.addEventListener("close", () => {
      if (stopped) return;
      tell(false);
      setTimeout(() => stopped || connect(), AGAIN_AFTER);
    });
  }

  connect();
  return () => {
    stopped = true;
    socket.close();
  };
}
