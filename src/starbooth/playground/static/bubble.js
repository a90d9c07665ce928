// One message as a row: bubble, photo, text, time and ticks, inline keyboard.

import { mediaUrl } from "./api.js";
import { clock, fileSize, h, icon, tail } from "./dom.js";
import { formatted, preview } from "./format.js";

const MAX_PHOTO_PX = 400;
const MAX_PHOTO_HEIGHT_PX = 460;

/** The row of a message. act: what can be done with it. isRead: the bot has taken it. */
export function messageRow(message, { isOut, isRead, act }) {
  const row = h("div", { class: `row${isOut ? " out" : ""}${message.photo ? " photo-row" : ""}`, id: `message-${message.message_id}` });
  const bubble = h("div", { class: bubbleClass(message) });
  if (message.reply_to_message) bubble.append(quote(message.reply_to_message, act));
  bubble.append(...content(message, act));
  bubble.append(meta(message, isOut, isRead), tail());
  if (message.photo) row.style.setProperty("--photo-width", `${photoBox(message.photo.at(-1)).width}px`);
  row.append(bubble);
  const rows = message.reply_markup?.inline_keyboard;
  if (rows) row.append(h("div", { class: "row-keys" }, rows.map((keys) => keyRow(message, keys, act))));
  row.classList.toggle("with-keys", Boolean(rows));
  return row;
}

export function quote(message, act) {
  const name = message.from.is_bot ? message.from.first_name : "You";
  const open = () => act.goTo(message.message_id);
  return h("button", { class: "quote", type: "button", onclick: open }, h("strong", {}, name), h("span", {}, preview(message)));
}

/** Ticks of an own message, changed in place when the bot takes it. */
export function setTicks(row, isRead) {
  const place = row.querySelector(".ticks");
  if (!place || place.dataset.read === String(isRead)) return;
  place.dataset.read = String(isRead);
  place.replaceChildren(icon(isRead ? "checks" : "check", 16));
  place.title = isRead ? "The bot has taken it" : "Sent; the bot has not taken it yet";
}

function bubbleClass(message) {
  const names = ["bubble"];
  if (message.photo) names.push("with-photo");
  if (message.caption) names.push("captioned");
  else if (message.photo) names.push("uncaptioned");
  if (message.sticker) names.push("bare");
  if (message.has_media_spoiler) names.push("has-spoiler");
  return names.join(" ");
}

function content(message, act) {
  const words = message.text ?? message.caption;
  const text = words ? [textBlock(words, message.entities ?? message.caption_entities, message, act)] : [];
  if (message.photo) return message.show_caption_above_media ? [...text, photo(message, act)] : [photo(message, act), ...text];
  if (message.document) return [file(message.document), ...text];
  if (message.sticker) return [h("span", { role: "img", "aria-label": "Sticker" }, message.sticker.emoji)];
  if (message.voice) return [h("audio", { class: "voice", controls: true, preload: "none", src: mediaUrl(message.voice.file_id) })];
  if (message.location) return [place(message.location)];
  if (message.contact) return [contact(message.contact)];
  return text.length ? text : [textBlock("This message cannot be shown here.", [], message, act)];
}

function textBlock(words, entities, message, act) {
  const room = h("span", { class: "meta-room", "aria-hidden": "true" }, metaWords(message));
  if (!message.from.is_bot) room.dataset.ticks = "";
  return h("div", { class: "text", dir: "auto" }, formatted(words, entities, act), room);
}

/** Bots edit their messages all the time: only a guest's own edit is worth a word. */
const metaWords = (message) => (message.edit_date && !message.from.is_bot ? "edited " : "") + clock(message.date);

function meta(message, isOut, isRead) {
  const element = h("span", { class: "meta", title: new Date(message.date * 1000).toLocaleString() }, metaWords(message));
  if (isOut) {
    element.append(h("span", { class: "ticks" }));
    setTicks(element, isRead);
  }
  return element;
}

function photoBox({ width, height }) {
  const scale = Math.min(MAX_PHOTO_PX / width, MAX_PHOTO_HEIGHT_PX / height);
  return { width: Math.max(160, Math.round(width * scale)), ratio: Math.min(2.6, Math.max(0.5, width / height)) };
}

function photo(message, act) {
  const size = message.photo.at(-1);
  const image = h("img", { src: mediaUrl(size.file_id), alt: message.caption || "Photo", "data-loading": true, draggable: "false" });
  image.addEventListener("load", () => image.removeAttribute("data-loading"), { once: true });
  const open = (event) => {
    const bubble = event.currentTarget.closest(".bubble");
    if (bubble.classList.contains("has-spoiler")) bubble.classList.remove("has-spoiler");
    else act.view(message.message_id);
  };
  const button = h("button", { class: "photo", type: "button", "aria-label": "Open the photo", onclick: open }, image);
  button.style.aspectRatio = String(photoBox(size).ratio);
  return button;
}

function file({ file_id: fileId, file_name: name, file_size: size }) {
  return h("a", { class: "file", href: mediaUrl(fileId, name || "file"), download: name || "file" },
    h("span", { class: "file-icon" }, icon("save", 22)),
    h("span", {}, h("strong", {}, name || "File"), h("small", {}, fileSize(size ?? 0))));
}

function place({ latitude, longitude }) {
  return h("span", { class: "place" }, "📍 ", h("b", {}, "Location"), h("br"), `${latitude.toFixed(4)}, ${longitude.toFixed(4)}`);
}

function contact({ first_name: name, phone_number: phone }) {
  return h("span", { class: "place" }, "👤 ", h("b", {}, name), h("br"), phone);
}

function keyRow(message, keys, act) {
  return h("div", { class: "key-row" }, keys.map((key) => {
    const element = h("button", { class: "key", type: "button", "data-style": key.style, onclick: () => act.press(message, key, element) }, key.text);
    const corner = key.url ? "out" : key.copy_text ? "copy" : null;
    if (corner) element.append(h("span", { class: "corner" }, icon(corner, 13)));
    return element;
  }));
}
