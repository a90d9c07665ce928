// Where a guest writes: text, replies, edits, commands, attachments, and the bot's own keyboard.

import { api } from "./api.js";
import { $, h, icon } from "./dom.js";
import { quote } from "./bubble.js";
import { InlineList } from "./inline.js";
import { menu, sheet, toast } from "./overlay.js";

export class Composer {
  /** guest: gives the id of the chosen guest. start: opens the private chat with a parameter. */
  constructor(guest, start) {
    this.guest = guest;
    this.inline = new InlineList({ guest, start, sent: () => { this.text.value = ""; this.clearContext(); this.changed(); } });
    this.commands = [];
    this.replyTo = null;
    this.editing = null;
    this.drafts = new Map();
    this.text = $("text");
    $("attach").append(icon("clip"));
    $("send").append(icon("send"));
    $("show-commands").append(icon("slash"));
    $("show-keyboard").append(icon("keyboard"));
    this.listen();
  }

  listen() {
    $("composer").addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
    this.text.addEventListener("input", () => this.changed());
    this.text.addEventListener("keydown", (event) => this.key(event));
    this.text.addEventListener("paste", (event) => this.pasted(event));
    $("attach").addEventListener("click", () => this.attach());
    $("show-commands").addEventListener("click", () => this.listCommands($("command-list").hidden ? "" : null));
    $("show-keyboard").addEventListener("click", () => { $("reply-keyboard").hidden = !$("reply-keyboard").hidden; });
    $("pick-photo").addEventListener("change", (event) => this.picked(event, false));
    $("pick-file").addEventListener("change", (event) => this.picked(event, true));
    const chat = document.querySelector(".chat");
    chat.addEventListener("dragover", (event) => event.preventDefault());
    chat.addEventListener("drop", (event) => { event.preventDefault(); this.offer([...event.dataTransfer.files]); });
  }

  /** Another guest, or other facts about the same one. */
  show({ id, username, commands, keyboard, hasStarted, isBlocked }) {
    this.username = username;
    if (this.shownId !== id) {
      if (this.shownId) this.drafts.set(this.shownId, this.text.value);
      this.text.value = this.drafts.get(id) ?? "";
      this.shownId = id;
      this.clearContext();
      this.changed();
    }
    this.commands = commands;
    $("show-commands").hidden = commands.length === 0;
    $("composer").hidden = !hasStarted || isBlocked;
    $("start").hidden = hasStarted || isBlocked;
    $("unblock").hidden = !isBlocked;
    this.drawKeyboard(isBlocked ? null : keyboard);
  }

  reply(message) {
    this.clearContext();
    this.replyTo = message;
    this.drawContext(quote(message, { goTo: () => {} }));
  }

  edit(message) {
    this.clearContext();
    this.editing = message;
    this.text.value = message.text;
    this.drawContext(h("span", { class: "quote" }, h("strong", {}, "Edit message"), h("span", {}, message.text)));
    this.changed();
  }

  async submit() {
    const text = this.text.value;
    if (!text.trim()) return;
    const { replyTo, editing } = this;
    this.text.value = "";
    this.clearContext();
    this.changed();
    try {
      if (editing) await api.edit(this.guest(), editing.message_id, text);
      else await api.say(this.guest(), text, replyTo?.message_id);
    } catch (problem) {
      this.text.value = text;
      this.changed();
      toast(problem.message);
    }
  }

  /** Say something that was not typed: a command, a key of the bot's keyboard. */
  async say(text) {
    this.listCommands(null);
    await this.run(() => api.say(this.guest(), text));
  }

  /** Put a text into the field, for the guest to go on. */
  insert(text) {
    this.text.value = text;
    this.changed();
    this.text.focus();
  }

  async run(call) {
    try {
      await call();
      return true;
    } catch (problem) {
      toast(problem.message);
      return false;
    }
  }

  changed() {
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight, 200)}px`;
    $("send").disabled = this.text.value.trim() === "";
    const command = /^\/(\w*)$/.exec(this.text.value);
    this.listCommands(command ? command[1] : null);
    const inline = /^@(\w+)\s([^]*)$/.exec(this.text.value);
    this.inline.show(inline && inline[1].toLowerCase() === this.username?.toLowerCase() ? inline[2].trim() : null);
  }

  key(event) {
    const list = $("command-list");
    if (event.key === "Escape") {
      this.listCommands(null);
      this.clearContext();
    } else if (!list.hidden && ["ArrowDown", "ArrowUp"].includes(event.key)) {
      event.preventDefault();
      this.moveChoice(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      const chosen = list.hidden ? null : list.querySelector("[aria-selected=true]");
      if (chosen) chosen.click();
      else this.submit();
    }
  }

  moveChoice(by) {
    const options = [...$("command-list").children];
    const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
    options.forEach((option) => option.setAttribute("aria-selected", "false"));
    const next = options.at((at + by) % options.length);
    next.setAttribute("aria-selected", "true");
    next.scrollIntoView({ block: "nearest" });
  }

  /** The list of commands that begin with `prefix`; null closes it. */
  listCommands(prefix) {
    const fitting = prefix === null ? [] : this.commands.filter(({ command }) => command.startsWith(prefix.toLowerCase()));
    $("command-list").hidden = fitting.length === 0;
    $("command-list").replaceChildren(...fitting.map(({ command, description }, index) => h("button", {
      type: "button", role: "option", "aria-selected": String(prefix !== "" && index === 0),
      onclick: () => { this.text.value = ""; this.changed(); this.say(`/${command}`); },
    }, h("strong", {}, `/${command}`), h("span", {}, description))));
  }

  clearContext() {
    if (this.editing) this.text.value = "";
    this.replyTo = this.editing = null;
    $("composer-context").hidden = true;
  }

  drawContext(content) {
    const close = () => { this.clearContext(); this.changed(); };
    const button = h("button", { class: "icon-button", type: "button", "aria-label": "Cancel", onclick: close }, icon("close", 20));
    $("composer-context").replaceChildren(icon(this.editing ? "pencil" : "reply", 22), content, button);
    $("composer-context").hidden = false;
    this.text.focus();
  }

  attach() {
    const send = (kind, fields) => () => this.run(() => api.send(this.guest(), kind, fields));
    menu($("attach"), [
      { icon: "picture", label: "Photo", act: () => $("pick-photo").click() },
      { icon: "file", label: "File", act: () => $("pick-file").click() },
      { icon: "smile", label: "Sticker 👍", act: send("sticker", {}) },
      { icon: "wave", label: "Voice message", act: send("voice", {}) },
      { icon: "pin", label: "Location", act: send("location", {}) },
      { icon: "person", label: "My contact", act: send("contact", {}) },
    ]);
  }

  picked(event, isFile) {
    const files = [...event.target.files];
    event.target.value = "";
    this.offer(files, isFile);
  }

  pasted(event) {
    const files = [...event.clipboardData.files];
    if (files.length === 0) return;
    event.preventDefault();
    this.offer(files);
  }

  /** Ask for a caption, then send pictures as photos (or any one file as it is). */
  offer(files, isFile = false) {
    if (files.length === 0 || $("composer").hidden) return;
    const pictures = files.filter((file) => file.type.startsWith("image/")).slice(0, 10);
    const canBePhoto = pictures.length > 0 && !isFile;
    const urls = (canBePhoto ? pictures : []).map((file) => URL.createObjectURL(file));
    const caption = h("input", { type: "text", maxlength: 1024, placeholder: "Add a caption" });
    const asFile = h("input", { type: "checkbox" });
    const replyTo = this.replyTo?.message_id;
    const send = async () => {
      const isPhoto = canBePhoto && !asFile.checked;
      const isDone = await this.run(() => isPhoto
        ? api.photo(this.guest(), pictures, caption.value, replyTo)
        : api.document(this.guest(), files[0], caption.value, replyTo));
      if (isDone) this.clearContext();
      return isDone;
    };
    const element = sheet([
      h("h2", {}, canBePhoto ? (urls.length > 1 ? `Send ${urls.length} photos` : "Send a photo") : "Send a file"),
      canBePhoto ? h("div", { class: "previews" }, urls.map((url) => h("img", { src: url, alt: "" }))) : h("p", {}, files[0].name),
      h("label", {}, "Caption", caption),
      canBePhoto && files.length === 1 ? h("label", { class: "check" }, asFile, "Send as a file, unchanged") : null,
    ], [["Cancel", () => {}], ["Send", send, true]]);
    element.addEventListener("close", () => urls.forEach((url) => URL.revokeObjectURL(url)));
    caption.focus();
  }

  drawKeyboard(markup) {
    const text = JSON.stringify(markup ?? null);
    $("show-keyboard").hidden = !markup;
    if (this.keyboardText === text) return;
    this.keyboardText = text;
    const rows = (markup?.keyboard ?? []).map((row) => h("div", { class: "key-row" }, row.map((key) =>
      h("button", { class: "key", type: "button", onclick: () => this.useKey(key, markup) }, key.text))));
    $("reply-keyboard").replaceChildren(...rows);
    $("reply-keyboard").hidden = rows.length === 0;
  }

  async useKey(key, markup) {
    if (markup.one_time_keyboard) $("reply-keyboard").hidden = true;
    if (key.request_contact) await this.run(() => api.send(this.guest(), "contact"));
    else if (key.request_location) await this.run(() => api.send(this.guest(), "location"));
    else await this.say(key.text);
  }
}
