// Inline mode: what the bot offers for `@bot words`, above the field; tapping a result sends it.

import { api, mediaUrl, thumbnailUrl } from "./api.js";
import { $, h } from "./dom.js";
import { toast } from "./overlay.js";

const PAUSE_MS = 250;

export class InlineList {
  /** guest: gives the id of who types. sent: called once a result is in the chat. start: opens the private chat with a parameter. */
  constructor({ guest, sent, start }) {
    Object.assign(this, { guest, sent, start });
    this.box = $("inline-list");
    this.box.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.turn = 0;
  }

  /** Ask anew for what is typed; null closes the list. */
  show(words) {
    if (words === this.words) return;
    this.words = words;
    clearTimeout(this.timer);
    this.turn += 1;
    if (words === null) this.draw([]);
    else this.timer = setTimeout(() => this.load("", true), PAUSE_MS);
  }

  async load(offset, isFirst) {
    const { turn } = this;
    this.box.setAttribute("aria-busy", "true");
    try {
      const { query_id: queryId, answer } = await api.askInline(this.guest(), this.words, offset);
      if (turn !== this.turn) return;
      if (!answer) toast("The bot has not answered.");
      this.next = answer?.next_offset ?? "";
      this.draw((answer?.results ?? []).map((result) => this.tile(queryId, result)), isFirst ? answer?.button : undefined, isFirst);
    } catch (problem) {
      if (turn === this.turn) toast(problem.message);
    } finally {
      this.box.removeAttribute("aria-busy");
    }
  }

  draw(tiles, button, isFirst = true) {
    if (isFirst) {
      const top = button ? h("button", { type: "button", class: "inline-button", onclick: () => this.start(button.start_parameter) }, button.text) : null;
      this.grid = h("div", { class: "inline-grid", role: "listbox", "aria-label": "Results" });
      this.box.replaceChildren(...[top, this.grid].filter(Boolean));
      this.box.scrollTop = 0;
      this.box.hidden = !top && tiles.length === 0;
    }
    this.grid.append(...tiles);
  }

  tile(queryId, result) {
    const words = result.title ?? result.caption_fields?.caption ?? "Picture";
    const source = result.photo_file_id ? mediaUrl(result.photo_file_id) : thumbnailUrl(this.guest(), queryId, result.id);
    const send = async () => {
      try {
        await api.pickInline(this.guest(), queryId, result.id);
        this.sent();
      } catch (problem) {
        toast(problem.message);
      }
    };
    return h("button", { type: "button", role: "option", "aria-label": words, title: words, onclick: send }, h("img", { src: source, alt: "", draggable: "false" }));
  }

  scrolled() {
    const isAtEnd = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < 120;
    if (!isAtEnd || !this.next || this.box.ariaBusy === "true") return;
    const { next } = this;
    this.next = "";
    this.load(next, false);
  }
}
