// Formatted text: a message's text and entities become elements. Never builds HTML from text.

import { h } from "./dom.js";

const TAGS = { bold: "b", italic: "i", underline: "u", strikethrough: "s", code: "code", pre: "pre" };
const BLOCKS = new Set(["blockquote", "expandable_blockquote", "pre"]);

/** Elements for `text`; act has `command(text)` and `link(url, isShown)`. JavaScript counts in UTF-16 as Telegram does. */
export function formatted(text, entities = [], act) {
  return pieces(text, 0, text.length, entities, act);
}

function pieces(text, from, to, entities, act) {
  const result = [];
  let at = from;
  let rest = entities.filter((entity) => entity.offset >= from && entity.offset + entity.length <= to);
  while (rest.length) {
    const [entity] = rest;
    const end = entity.offset + entity.length;
    const inner = rest.slice(1).filter((other) => other.offset + other.length <= end);
    rest = rest.slice(1).filter((other) => other.offset >= end);
    if (entity.offset > at) result.push(text.slice(at, entity.offset));
    result.push(wrap(entity, text.slice(entity.offset, end), pieces(text, entity.offset, end, inner, act), act));
    // A block ends its line by itself; the line break after it would show as an empty line.
    at = BLOCKS.has(entity.type) && text[end] === "\n" && rest[0]?.offset !== end ? end + 1 : end;
  }
  if (at < to) result.push(text.slice(at, to));
  return result;
}

function wrap(entity, plain, inner, act) {
  if (entity.type in TAGS) {
    const element = h(TAGS[entity.type], {}, inner);
    if (entity.type === "code") {
      element.title = "Press to copy";
      element.addEventListener("click", () => act.copy(plain));
    }
    return element;
  }
  switch (entity.type) {
    case "spoiler": return spoiler(inner);
    case "blockquote": return h("blockquote", {}, inner);
    case "expandable_blockquote": return folded(inner);
    case "bot_command": return h("button", { class: "command", type: "button", onclick: () => act.command(plain) }, plain);
    case "url": return link(plain.includes("://") ? plain : `https://${plain}`, inner, act, true);
    case "text_link": return link(entity.url, inner, act, false);
    case "email": return h("a", { href: `mailto:${plain}` }, inner);
    case "mention": case "hashtag": case "text_mention": return h("b", {}, inner);
    default: return h("span", {}, inner);
  }
}

function spoiler(inner) {
  const element = h("span", { class: "spoiler", role: "button", tabindex: "0", "aria-expanded": "false", "aria-label": "Hidden text" });
  element.append(h("span", {}, inner));
  const open = () => {
    element.setAttribute("aria-expanded", "true");
    element.removeAttribute("aria-label");
  };
  element.addEventListener("click", open);
  element.addEventListener("keydown", (event) => event.key === "Enter" && open());
  return element;
}

function folded(inner) {
  const element = h("blockquote", { "data-folded": true, role: "button", tabindex: "0" }, inner);
  element.addEventListener("click", () => element.toggleAttribute("data-folded"));
  element.addEventListener("keydown", (event) => event.key === "Enter" && element.toggleAttribute("data-folded"));
  return element;
}

function link(url, inner, act, isShown) {
  if (!/^(https?|tg):\/\//i.test(url)) url = `https://${url}`;
  const element = h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, inner);
  element.addEventListener("click", (event) => {
    event.preventDefault();
    act.link(url, isShown);
  });
  return element;
}

/** Telegram's own lines in the middle of a chat, which nobody has written. */
export const isService = (message) => Boolean(message.successful_payment || message.refunded_payment || groupNote(message));

/** What happened in a group, in words; empty for what somebody has said. */
export function groupNote(message) {
  const { from, new_chat_members: joined, left_chat_member: left } = message;
  if (message.group_chat_created) return `${from.first_name} made the group`;
  if (joined) return joined[0].id === from.id ? `${from.first_name} joined` : `${from.first_name} let ${joined[0].first_name} in`;
  if (left) return left.id === from.id ? `${from.first_name} left` : `${from.first_name} let ${left.first_name} go`;
  if (message.forum_topic_created) return `${from.first_name} opened the topic ${message.forum_topic_created.name}`;
  if (message.forum_topic_closed) return `${from.first_name} closed the topic`;
  if (message.forum_topic_reopened) return `${from.first_name} opened the topic again`;
  if (message.migrate_to_chat_id) return "The group became a supergroup";
  if (message.migrate_from_chat_id) return "The group was a plain group before";
  return "";
}

/** One line that stands for a message in lists and quotes. */
export function preview(message) {
  if (!message) return "";
  const words = message.text ?? message.caption;
  if (groupNote(message)) return groupNote(message);
  if (message.photo) return words ? `🖼 ${words}` : "Photo";
  if (message.document) return words ? `📄 ${words}` : message.document.file_name || "File";
  if (words) return words;
  if (message.invoice) return `⭐ ${message.invoice.title}`;
  if (message.successful_payment) return `⭐ ${message.successful_payment.total_amount} paid`;
  if (message.refunded_payment) return `⭐ ${message.refunded_payment.total_amount} came back`;
  if (message.sticker) return `${message.sticker.emoji} Sticker`;
  if (message.voice) return "Voice message";
  if (message.location) return "Location";
  if (message.contact) return "Contact";
  return "Message";
}

/** How many people are in a group, in words. */
export const memberCount = ({ members }) => (members.length === 1 ? "1 member" : `${members.length} members`);
