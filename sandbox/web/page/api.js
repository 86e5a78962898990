// Calls the sandbox's control API, and shows errors.

const WORDS = {
  dispatch_failed: "The bot is not connected, so Slack could not send it that.",
  operation_timeout: "The bot did not acknowledge that within 3 seconds.",
  invalid_command_response: "Slack does not understand the bot's acknowledgement.",
  invalid_response: "Slack does not understand the bot's acknowledgement.",
  not_a_member: "This person is not in that channel.",
  no_such_command: "The app has no such command. Type: /gpu help",
  no_such_message: "That message is no longer there.",
  no_such_button: "That button is no longer there.",
  no_such_thread: "That thread is no longer there.",
  is_archived: "The channel is archived.",
  outsiders_cannot_run_commands: "Slack lets people from outside run no commands.",
  not_the_open_modal: "That dialog is no longer open.",
};

/** Show a sentence at the bottom of the page. It replaces the previous one. */
export function notice(text) {
  document.getElementById("notice").textContent = text;
}

/** Make a call, and return the server's response. If it contains an error, show a message too. */
export async function post(path, body) {
  notice("");
  let answer;
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    answer = await response.json();
  } catch {
    answer = { error: "The sandbox does not answer. Start it again: make sandbox" };
  }
  if (answer.error && !["refused", "incomplete"].includes(answer.error)) {
    notice(WORDS[answer.error] || `That did not work: ${answer.error}`);
  }
  return answer;
}
