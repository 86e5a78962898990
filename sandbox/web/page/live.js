// The WebSocket over which the page gets its data. It reconnects when the connection ends.

const AGAIN_AFTER = 1000; // milliseconds

/**
 * Follow the workspace as a person sees it. `take` is called with each message, and `tell` with true or false when the
 * connection opens or closes. Return a function that stops following.
 */
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
