// Groups in the page: the sheet that makes one, what can be done with an open one, and its service messages.

import { api } from "./api.js";
import { h } from "./dom.js";
import { sheet, toast } from "./overlay.js";

export const isBotIn = (group) => ["member", "administrator"].includes(group.bot_status);

/** Make a group of all guests, with the bot. made: called with the new group. */
export function newGroupSheet(guests, current, made) {
  const title = h("input", { type: "text", maxlength: 128, required: true, value: "Painters" });
  const topics = h("input", { type: "checkbox" });
  const members = [current, ...[...guests.keys()].filter((id) => id !== current)].slice(0, 50);
  const create = () => api.addGroup({ title: title.value.trim(), is_forum: topics.checked, members, bot_status: "member" }).then(made, refused);
  sheet([h("h2", {}, "New group"), h("p", { class: "quiet" }, "Everybody on this page and the bot will be in it."),
    h("label", {}, "Title", title), h("label", { class: "check" }, topics, "With topics")], [["Cancel", () => {}], ["Create", create, true]]);
  title.select();
}

/** opened: called with the thread id of the new topic. */
export function newTopicSheet(group, current, opened) {
  const name = h("input", { type: "text", maxlength: 128, required: true, value: "Foxes" });
  const create = () => api.addTopic(group.group_id, { name: name.value.trim(), by: current }).then((made) => opened(made.thread_id), refused);
  sheet([h("h2", {}, "New topic"), h("label", {}, "Name", name)], [["Cancel", () => {}], ["Create", create, true]]);
  name.select();
}

/** What the menu of an open group offers. */
export function groupItems(group, current, openTopic) {
  const turn = (status) => () => api.setBot(group.group_id, { status, by: current }).catch((problem) => toast(problem.message));
  const isIn = isBotIn(group);
  return [
    group.is_forum && { icon: "plus", label: "New topic", act: () => newTopicSheet(group, current, openTopic) },
    isIn && group.bot_status === "member" && { icon: "star", label: "Make the bot an administrator", act: turn("administrator") },
    group.bot_status === "administrator" && { icon: "undo", label: "The bot is a plain member", act: turn("member") },
    isIn ? { icon: "block", label: "Throw the bot out", isDanger: true, act: turn("kicked") } : { icon: "undo", label: "Let the bot in", act: turn("member") },
  ];
}

/** Whether a message of an open group belongs to the topic that is shown; 0 is General. */
export const isInThread = (message, threadId) => (message.is_topic_message ? message.message_thread_id : 0) === threadId;

function refused(problem) {
  toast(problem.message);
  return false;
}
