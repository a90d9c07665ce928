// One message as a row: bubble, photo, text, time and ticks, inline keyboard.

import { mediaUrl } from "./api.js";
import { clock, fileSize, h, icon, tail } from "./dom.js";
import { formatted, groupNote, isService, preview } from "./format.js";
import { titleOf } from "./receipts.js";
import { starSign, sum, withSigns, withStars } from "./stars.js";
import { isTable } from "./table.js";

const MAX_PHOTO_PX = 400;
const MAX_PHOTO_HEIGHT_PX = 460;

let me = 0;

/** Whose messages are "You" from now on. */
export const setMe = (id) => { me = id; };

/** The row of a message. act: what can be done with it. isRead: the bot has taken it. In a group it bears its sender's name. */
export function messageRow(message, { isOut, isRead, act }) {
  if (isService(message)) return serviceRow(message);
  const row = h("div", { class: `row${isOut ? " out" : ""}${message.photo ? " photo-row" : ""}`, id: `message-${message.message_id}` });
  const bubble = h("div", { class: bubbleClass(message) }, preface(message, isOut, act));
  bubble.append(...content(message, act));
  bubble.append(meta(message, isOut, isRead), tail());
  if (message.invoice) bubble.append(h("button", { class: "share", type: "button", "aria-label": "Forward this invoice", title: "Forward", onclick: () => act.forward(message) }, icon("forward", 19)));
  if (message.photo) row.style.setProperty("--photo-width", `${photoBox(message.photo.at(-1)).width}px`);
  row.append(bubble);
  const rows = message.reply_markup?.inline_keyboard;
  if (rows) row.append(h("div", { class: "row-keys" }, rows.map((keys) => keyRow(message, keys, act))));
  row.classList.toggle("with-keys", Boolean(rows));
  row.classList.toggle("invoice-row", Boolean(message.invoice));
  return row;
}

/** What stands above the content: whose it was, who says it, what it answers. */
export function preface(message, isOut, act) {
  const lines = [];
  if (message.forward_origin) lines.push(h("div", { class: "forwarded" }, "Forwarded from ", h("strong", {}, originOf(message.forward_origin))));
  if (message.chat.type !== "private" && !isOut) lines.push(h("div", { class: "sender", "data-tint": 1 + (message.from.id % 5) }, message.from.first_name));
  if (message.via_bot) lines.push(h("div", { class: "forwarded" }, "via ", h("strong", {}, `@${message.via_bot.username}`)));
  if (message.reply_to_message) lines.push(quote(message.reply_to_message, act));
  return lines;
}

/** A payment or its return, as a line in the middle. */
function serviceRow(message) {
  const note = groupNote(message);
  if (note) return h("div", { class: "service", id: `message-${message.message_id}` }, note);
  const { successful_payment: paid, refunded_payment: refunded } = message;
  const title = titleOf(message.chat.id, paid ?? refunded);
  const forWhat = title ? [" for ", h("b", {}, title)] : [];
  const words = refunded ? [sum(refunded.total_amount, 15), ...forWhat, " came back"] : ["You paid ", sum(paid.total_amount, 15), ...forWhat, months(paid)];
  return h("div", { class: "service", id: `message-${message.message_id}`, title: new Date(message.date * 1000).toLocaleString() }, words);
}

function months({ is_recurring: isRecurring, is_first_recurring: isFirst }) {
  if (!isRecurring) return "";
  return isFirst ? ", the first month" : ", one more month";
}

function originOf({ sender_user: user, sender_user_name: name, chat, sender_chat: group }) {
  return user ? [user.first_name, user.last_name].filter(Boolean).join(" ") : name ?? (chat ?? group)?.title ?? "somebody";
}

export function quote(message, act) {
  const name = message.from.id === me ? "You" : message.from.first_name;
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
  return names.join(" ");
}

function content(message, act) {
  const words = message.text ?? message.caption;
  const text = words ? [textBlock(words, message.entities ?? message.caption_entities, message, act)] : [];
  if (message.photo) return message.show_caption_above_media ? [...text, shapedPhoto(message, act)] : [shapedPhoto(message, act), ...text];
  if (message.document) return [...file(message.document, act), ...text];
  if (message.invoice) return [invoice(message.invoice, message)];
  if (message.sticker) return [h("span", { role: "img", "aria-label": "Sticker" }, message.sticker.emoji)];
  if (message.voice) return [h("audio", { class: "voice", controls: true, preload: "none", src: mediaUrl(message.voice.file_id) })];
  if (message.location) return [place(message.location)];
  if (message.contact) return [contact(message.contact)];
  return text.length ? text : [textBlock("This message cannot be shown here.", [], message, act)];
}

export function textBlock(words, entities, message, act) {
  const room = h("span", { class: "meta-room", "aria-hidden": "true" }, metaWords(message));
  if (message.from.id === me) room.dataset.ticks = "";
  return h("div", { class: "text", dir: "auto" }, formatted(words, entities, act), room);
}

/** Bots edit their messages all the time: only a guest's own edit is worth a word. */
const metaWords = (message) => (message.edit_date && !message.from.is_bot ? "edited " : "") + clock(message.date);

export function meta(message, isOut, isRead) {
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

function shapedPhoto(message, act) {
  const element = photo(message, act);
  element.style.aspectRatio = String(photoBox(message.photo.at(-1)).ratio);
  return element;
}

/** A photo that opens, without a shape of its own. */
export function photo(message, act) {
  const size = message.photo.at(-1);
  const image = h("img", { src: mediaUrl(size.file_id), alt: message.caption || "Photo", "data-loading": true, draggable: "false" });
  image.addEventListener("load", () => image.removeAttribute("data-loading"), { once: true });
  const open = ({ currentTarget: { classList } }) => {
    if (classList.contains("has-spoiler")) classList.remove("has-spoiler");
    else act.view(message.message_id);
  };
  const name = message.has_media_spoiler ? "photo has-spoiler" : "photo";
  return h("button", { class: name, type: "button", "aria-label": "Open the photo", onclick: open }, image);
}

function file(document, act) {
  const { file_id: fileId, file_name: name = "File", file_size: size = 0 } = document;
  const [, ending = ""] = /\.(\w{1,4})$/.exec(name) ?? [];
  const link = h("a", { class: "file", href: mediaUrl(fileId, name), download: name, title: `Save ${name}` },
    h("span", { class: "file-icon", "data-ending": ending.toLowerCase() }, ending ? h("b", {}, ending) : null, icon("save", ending ? 18 : 22)),
    h("span", { class: "file-words" }, h("strong", {}, name), h("small", {}, `${fileSize(size)} · Save`)));
  if (!isTable(document)) return [link];
  return [link, h("button", { class: "look", type: "button", "aria-label": `Look into ${name}`, onclick: () => act.table(document) }, "Look inside")];
}

function invoice({ title, description, total_amount: xtr }, message) {
  return h("div", { class: "invoice" },
    h("span", { class: "invoice-face" }, starSign(30)),
    h("span", { class: "invoice-words", dir: "auto" }, h("strong", {}, title), h("span", {}, description)),
    h("span", { class: "invoice-sum" }, sum(xtr, 22), h("small", {}, "Invoice"), h("span", { class: "meta-room", "aria-hidden": "true", "data-ticks": message.from.id === me }, metaWords(message))));
}

function place({ latitude, longitude }) {
  return h("span", { class: "place" }, "📍 ", h("b", {}, "Location"), h("br"), `${latitude.toFixed(4)}, ${longitude.toFixed(4)}`);
}

function contact({ first_name: name, phone_number: phone }) {
  return h("span", { class: "place" }, "👤 ", h("b", {}, name), h("br"), phone);
}

function keyRow(message, keys, act) {
  return h("div", { class: "key-row" }, keys.map((key) => {
    const element = h("button", { class: "key", type: "button", "data-style": key.style, onclick: () => act.press(message, key, element) },
      key.pay ? withSigns(key.text, 19) : withStars(key.text, 19));
    const corner = key.url ? "out" : key.copy_text ? "copy" : null;
    if (corner) element.append(h("span", { class: "corner" }, icon(corner, 13)));
    return element;
  }));
}
