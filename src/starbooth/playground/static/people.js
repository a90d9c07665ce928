// The guests to switch between, and the sheet that makes a new one.

import { api } from "./api.js";
import { $, clock, h, icon } from "./dom.js";
import { isService, memberCount, preview } from "./format.js";
import { sheet, toast } from "./overlay.js";
import { withStars } from "./stars.js";

const NAMES = ["Dana", "Emil", "Farida", "Goran", "Hana", "Igor", "Jun", "Karin", "Leo", "Mira", "Nils", "Olga", "Paz"];
const LANGUAGES = [["en", "English"], ["es", "Spanish"], ["ru", "Russian"], ["fr", "French"], ["de", "German"]];

export class People {
  /** choose: called with the id of the guest to become, and the place to go to. addGroup: makes a group. */
  constructor(choose, addGroup) {
    this.choose = choose;
    this.addGroup = addGroup;
    $("new-guest").append(icon("plus"));
    $("new-guest").addEventListener("click", () => this.addGuest());
    $("open-people").prepend(icon("menu"));
    $("open-people").addEventListener("click", () => this.slide(true));
    $("scrim").addEventListener("click", () => this.slide(false));
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.slide(false));
  }

  slide(isOpen) {
    $("people").toggleAttribute("data-open", isOpen);
    $("scrim").hidden = !isOpen;
    if (isOpen) $("people-list").querySelector("[aria-current=true]")?.focus();
  }

  draw(guests, current, groups, room) {
    const focused = document.activeElement?.dataset?.guest;
    const go = (...where) => () => { this.slide(false); this.choose(...where); };
    const rows = [...guests.values()].map((guest) => person(guest, guest.user.id === current && !room.chat, go(guest.user.id)));
    const plus = h("button", { class: "icon-button", type: "button", "aria-label": "New group", title: "New group", onclick: () => { this.slide(false); this.addGroup(); } }, icon("plus"));
    const own = [...groups.values()].filter((group) => group.members.includes(current));
    const head = h("div", { class: "people-part" }, h("h2", {}, `Groups of ${guests.get(current)?.user.first_name ?? ""}`), plus);
    $("people-list").replaceChildren(...rows, head, ...own.flatMap((group) => groupRows(group, current, room, go)));
    if (focused) $("people-list").querySelector(`[data-guest="${focused}"]`)?.focus({ preventScroll: true });
    const others = [...guests.values()].filter((guest) => guest.user.id !== current);
    const unread = others.reduce((sum, guest) => sum + guest.unread, 0) + own.reduce((sum, group) => sum + (group.unread[current] ?? 0), 0);
    $("all-unread").hidden = unread === 0;
    $("all-unread").textContent = unread > 99 ? "99+" : unread;
  }

  addGuest() {
    const name = h("input", { type: "text", maxlength: 64, required: true, value: NAMES[Math.floor(Math.random() * NAMES.length)] });
    const language = h("select", {}, LANGUAGES.map(([code, label]) => h("option", { value: code }, label)));
    const create = async () => {
      try {
        const user = await api.addGuest({ first_name: name.value.trim(), language_code: language.value });
        this.slide(false);
        this.choose(user.id);
      } catch (problem) {
        toast(problem.message);
        return false;
      }
    };
    sheet([h("h2", {}, "New guest"), h("label", {}, "Name", name), h("label", {}, "Language of their Telegram", language)],
      [["Cancel", () => {}], ["Create", create, true]]);
    name.select();
  }
}

export function avatar(user) {
  const initials = [user.first_name, user.last_name].filter(Boolean).map((name) => [...name][0].toUpperCase()).join("");
  return h("span", { class: "avatar", "data-tint": 1 + (user.id % 5), "aria-hidden": "true" }, initials);
}

function person(guest, isCurrent, choose) {
  const { user, last_message: last, unread } = guest;
  const own = last && !last.from.is_bot && !isService(last) ? "You: " : "";
  const words = guest.is_blocked ? "Has blocked the bot" : last ? own + preview(last) : "Has not started the bot";
  return h("button", { class: "person", type: "button", "aria-current": String(isCurrent), "data-guest": user.id, onclick: choose },
    avatar(user),
    h("span", { class: "person-text" },
      h("span", { class: "person-line" },
        h("strong", {}, [user.first_name, user.last_name].filter(Boolean).join(" ")),
        user.language_code ? h("span", { class: "language", title: "Language" }, user.language_code) : null,
        last ? h("small", { class: "push" }, clock(last.date)) : null),
      h("span", { class: "person-line" },
        h("span", { class: "person-preview" }, withStars(words, 15)),
        unread ? h("span", { class: "badge", "aria-label": `${unread} unread` }, unread > 99 ? "99+" : unread) : null)));
}

/** A group, and below it its topics. */
function groupRows(group, current, room, go) {
  const { group_id: id, title, last_message: last } = group;
  const unread = group.unread[current] ?? 0;
  const own = last && !isService(last) ? `${last.from.id === current ? "You" : last.from.first_name}: ` : "";
  const words = group.migrated_to ? "Has become a supergroup" : last ? own + preview(last) : memberCount(group);
  const row = h("button", { class: "person", type: "button", "aria-current": String(room.chat === id && !room.thread), onclick: go(current, { chat: id, thread: 0 }) },
    h("span", { class: "avatar", "data-tint": 1 + (Math.abs(id) % 5), "aria-hidden": "true" }, [...title][0]?.toUpperCase()),
    h("span", { class: "person-text" },
      h("span", { class: "person-line" }, h("strong", {}, title), last ? h("small", { class: "push" }, clock(last.date)) : null),
      h("span", { class: "person-line" }, h("span", { class: "person-preview" }, withStars(words, 15)),
        unread ? h("span", { class: "badge", "aria-label": `${unread} unread` }, unread > 99 ? "99+" : unread) : null)));
  const topics = Object.entries(group.topics).map(([thread, { name, is_closed: isClosed }]) => h("button", {
    class: "topic", type: "button", "aria-current": String(room.chat === id && room.thread === Number(thread)), onclick: go(current, { chat: id, thread: Number(thread) }),
  }, `# ${name}${isClosed ? " (closed)" : ""}`));
  return [row, ...topics];
}
