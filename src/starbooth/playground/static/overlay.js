// Menus, sheets, toasts and the photo viewer.

import { mediaUrl } from "./api.js";
import { $, clock, dayName, h, icon } from "./dom.js";

/** Say something for a moment. */
export function toast(text, lasting = 3200) {
  const element = h("div", { class: "toast" }, text);
  $("toasts").append(element);
  while ($("toasts").children.length > 3) $("toasts").firstChild.remove();
  setTimeout(() => {
    element.dataset.leaving = "";
    setTimeout(() => element.remove(), 320);
  }, lasting);
}

/** A menu at a point or below an element. items: {icon, label, act, isDanger}. */
export function menu(anchor, items) {
  closeMenu();
  const element = h("div", { class: "menu", role: "menu" }, items.filter(Boolean).map((item) =>
    h("button", { type: "button", role: "menuitem", "data-danger": item.isDanger, onclick: () => { closeMenu(); item.act(); } },
      icon(item.icon, 21), item.label)));
  document.body.append(element);
  place(element, anchor instanceof Element ? anchor.getBoundingClientRect() : { left: anchor.x, right: anchor.x, top: anchor.y, bottom: anchor.y });
  element.addEventListener("keydown", (event) => moveInMenu(event, element));
  element.firstChild.focus({ preventScroll: true });
  element.opener = anchor instanceof Element ? anchor : null;
  setTimeout(() => document.addEventListener("pointerdown", closeFromOutside));
}

function place(element, box) {
  const { offsetWidth: width, offsetHeight: height } = element;
  const left = box.left + width > innerWidth - 8 ? box.right - width : box.left;
  const top = box.bottom + height > innerHeight - 8 ? box.top - height - 4 : box.bottom + 4;
  element.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
  element.style.top = `${Math.max(8, top)}px`;
}

function moveInMenu(event, element) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "Escape" || event.key === "Tab") closeMenu();
  if (!step) return;
  event.preventDefault();
  const buttons = [...element.children];
  buttons.at((buttons.indexOf(document.activeElement) + step) % buttons.length).focus();
}

function closeFromOutside(event) {
  if (!event.target.closest(".menu")) closeMenu();
}

function closeMenu() {
  document.removeEventListener("pointerdown", closeFromOutside);
  const element = document.querySelector(".menu");
  const hadFocus = element?.contains(document.activeElement);
  element?.remove();
  if (hadFocus) element.opener?.focus();
}

/** A sheet with own content; actions: [label, act, isPrimary]; a false from act keeps it open. */
export function sheet(children, actions = [["Close", () => {}, true]]) {
  const form = h("form", { method: "dialog" }, children);
  const element = h("dialog", { class: "sheet" }, form);
  const row = h("div", { class: "sheet-actions" }, actions.map(([label, , isPrimary]) =>
    h("button", { type: isPrimary ? "submit" : "button", class: isPrimary ? "primary" : "" }, label)));
  form.append(row);
  const run = async (act) => (await act()) !== false && element.close();
  actions.forEach(([, act, isPrimary], index) => {
    if (isPrimary) form.addEventListener("submit", (event) => { event.preventDefault(); run(act); });
    else row.children[index].addEventListener("click", () => run(act));
  });
  open(element);
  return element;
}

/** Show a dialog that is gone when it is closed. */
export function open(element) {
  element.addEventListener("close", () => element.remove());
  element.addEventListener("pointerdown", (event) => { if (event.target === element) element.close(); });
  document.body.append(element);
  if (element.classList.contains("sheet")) dragDown(element);
  element.showModal();
}

/** On a phone a sheet follows the finger down and closes when it is let go far enough. */
function dragDown(element) {
  let from = null;
  let by = 0;
  element.addEventListener("touchstart", ({ target, touches: [touch] }) => {
    const isScrolled = [...parents(target, element)].some((each) => each.scrollTop > 0);
    from = matchMedia("(max-width: 760px)").matches && !isScrolled ? touch.clientY : null;
    by = 0;
  }, { passive: true });
  element.addEventListener("touchmove", ({ touches: [touch] }) => {
    if (from === null) return;
    by = Math.max(0, touch.clientY - from);
    element.style.translate = `0 ${by}px`;
  }, { passive: true });
  element.addEventListener("touchend", () => {
    if (by > 110) element.close();
    else if (by) element.animate({ translate: [`0 ${by}px`, "0 0"] }, { duration: 180, easing: "ease-out" });
    element.style.translate = "";
    from = null;
  });
}

function* parents(element, last) {
  for (let each = element; each && each !== last.parentElement; each = each.parentElement) yield each;
}

export function alertSheet(title, text) {
  sheet([h("h2", {}, title), h("p", {}, text)], [["OK", () => {}, true]]);
}

export function confirmSheet(title, text, label, act) {
  sheet([h("h2", {}, title), h("p", {}, text)], [["Cancel", () => {}], [label, act, true]]);
}

/** Photos of a chat, full screen. messages: those with a photo, in order; starts at `messageId`. */
export function viewer(messages, messageId) {
  let at = Math.max(0, messages.findIndex((message) => message.message_id === messageId));
  const head = h("span");
  const save = h("a", { class: "icon-button", "aria-label": "Save", title: "Save" }, icon("save"));
  const stage = h("div", { class: "viewer-stage" });
  const caption = h("div", { class: "viewer-caption", dir: "auto" });
  const close = h("button", { class: "icon-button", type: "button", "aria-label": "Close", onclick: () => element.close() }, icon("close"));
  const step = (name, label, by) => h("button", { class: `icon-button step ${name}`, type: "button", "aria-label": label, onclick: () => show(at + by) }, icon(name));
  const before = step("left", "Photo before", -1);
  const after = step("right", "Next photo", 1);
  before.style.left = after.style.right = "10px";
  const element = h("dialog", { class: "viewer", "aria-label": "Photo" }, h("div", { class: "viewer-head" }, head, save, close), stage, caption, before, after);

  function show(index) {
    if (index < 0 || index >= messages.length) return;
    at = index;
    const message = messages[at];
    const fileId = message.photo.at(-1).file_id;
    const image = h("img", { src: mediaUrl(fileId), alt: message.caption || "Photo", onclick: () => image.toggleAttribute("data-zoomed") });
    stage.replaceChildren(image);
    caption.textContent = message.caption ?? "";
    head.textContent = `${dayName(message.date)}, ${clock(message.date)}`;
    save.href = mediaUrl(fileId, `photo-${message.message_id}.jpg`);
    save.download = `photo-${message.message_id}.jpg`;
    before.hidden = at === 0;
    after.hidden = at === messages.length - 1;
  }

  element.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") show(at - 1);
    if (event.key === "ArrowRight") show(at + 1);
  });
  swipe(stage, (by) => (by === 0 ? element.close() : show(at + by)));
  show(at);
  open(element);
}

/** Calls back with 1 or -1 for a swipe to the side, 0 for one downwards. */
function swipe(element, done) {
  let from = null;
  element.addEventListener("touchstart", (event) => {
    const isZoomed = element.querySelector("[data-zoomed]") || event.touches.length > 1;
    from = isZoomed ? null : event.touches[0];
  }, { passive: true });
  element.addEventListener("touchend", (event) => {
    if (!from) return;
    const x = event.changedTouches[0].clientX - from.clientX;
    const y = event.changedTouches[0].clientY - from.clientY;
    if (y > 90 && y > Math.abs(x)) done(0);
    else if (Math.abs(x) > 60) done(x < 0 ? 1 : -1);
  });
}
