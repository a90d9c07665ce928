// The list of messages of the chosen guest: rows, days, edits in place, scrolling.

import { $, dayName, h, isCalm } from "./dom.js";
import { albumRow, isOneAlbum } from "./album.js";
import { messageRow, setMe, setTicks } from "./bubble.js";
import { isService } from "./format.js";

const PAGE = 120;
const GROUP_S = 300;

export class History {
  /** act: what can be done with a message, see bubble.js. */
  constructor(act) {
    this.act = act;
    this.messages = new Map();
    this.readUpTo = 0;
    this.shown = PAGE;
    this.below = 0;
    this.scroller = $("scroller");
    this.list = $("messages");
    this.scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    $("to-bottom").addEventListener("click", () => this.toEnd(true));
    new ResizeObserver(() => this.sticks && this.toEnd(false)).observe(this.list);
    new ResizeObserver(() => this.sticks && this.toEnd(false)).observe(this.scroller);
    this.sticks = true;
  }

  /** Show another chat. me: the id of whose messages stand at the right. */
  reset(messages, readUpTo, greeting, me) {
    this.me = me;
    setMe(me);
    this.messages = new Map(messages.map((message) => [message.message_id, message]));
    this.readUpTo = readUpTo;
    this.shown = PAGE;
    this.greeting = greeting;
    this.draw();
    this.toEnd(false);
  }

  photos() {
    return [...this.messages.values()].filter((message) => message.photo);
  }

  add(message) {
    if (this.messages.has(message.message_id)) return this.change(message);
    const isOwn = message.from.id === this.me;
    this.messages.set(message.message_id, message);
    if (this.messages.size === 1) this.draw();
    else this.append(message);
    if (!isOneAlbum([...this.messages.values()].at(-2), message)) this.rowOf(message.message_id).dataset.new = "";
    if (isOwn || this.sticks) this.toEnd(true);
    else this.count(this.below + 1);
  }

  change(message) {
    const before = this.messages.get(message.message_id);
    if (!before) return;
    this.messages.set(message.message_id, message);
    const old = this.rowOf(message.message_id);
    if (!old) return;
    const height = old.offsetHeight;
    animateEdit(this.redraw(old, message), height, before, message);
  }

  /** Put the row of this message, as it is now, in the place of an old one. */
  redraw(old, message) {
    const row = this.row(message);
    for (const name of ["first", "last"]) if (name in old.dataset) row.dataset[name] = "";
    old.replaceWith(row);
    return row;
  }

  /** Draw the service messages of one payment anew. */
  changeCharge(chargeId) {
    for (const message of this.messages.values()) {
      const { telegram_payment_charge_id: its } = message.successful_payment ?? message.refunded_payment ?? {};
      if (its === chargeId) this.change(message);
    }
  }

  remove(messageId) {
    this.messages.delete(messageId);
    const element = $(`message-${messageId}`);
    if (!element) return;
    const done = () => { this.draw(); };
    if (isCalm()) done();
    else element.animate({ opacity: [1, 0], transform: ["none", "scale(.92)"] }, { duration: 160 }).onfinish = done;
  }

  taken(readUpTo) {
    this.readUpTo = readUpTo;
    for (const [id, message] of this.messages) {
      const row = message.from.id === this.me ? this.rowOf(id) : null;
      if (row) setTicks(row, id <= readUpTo);
    }
  }

  goTo(messageId) {
    const row = this.rowOf(messageId);
    if (!row) return;
    row.scrollIntoView({ block: "center", behavior: isCalm() ? "auto" : "smooth" });
    delete row.dataset.flash;
    requestAnimationFrame(() => { row.dataset.flash = ""; });
  }

  toEnd(isSmooth) {
    this.sticks = true;
    this.count(0);
    $("to-bottom").hidden = true;
    const far = this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight > 1600;
    this.scroller.scrollTo({ top: this.scroller.scrollHeight, behavior: isSmooth && !far && !isCalm() ? "smooth" : "auto" });
  }

  count(below) {
    this.below = below;
    $("below").textContent = below;
    $("below").hidden = below === 0;
  }

  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    const size = `${scrollHeight} ${clientHeight}`;
    const isResized = size !== this.size;
    this.size = size;
    // A list that grew under the reader is not a reader who scrolled away.
    if (isResized && this.sticks) return this.toEnd(false);
    const isAtEnd = scrollHeight - scrollTop - clientHeight < 90;
    this.sticks = isAtEnd;
    $("to-bottom").hidden = isAtEnd;
    if (isAtEnd) this.count(0);
    if (scrollTop < 200 && this.shown < this.messages.size) {
      this.shown += PAGE;
      this.draw();
      this.scroller.scrollTop = this.scroller.scrollHeight - scrollHeight + scrollTop;
    }
  }

  draw() {
    this.list.replaceChildren();
    if (this.messages.size === 0) this.list.append(this.greeting());
    const shown = [...this.messages.values()].slice(-this.shown);
    shown.forEach((message, index) => this.append(message, shown[index - 1] ?? null));
  }

  append(message, before = [...this.messages.values()].at(-2)) {
    const begun = isOneAlbum(before, message) ? this.rowOf(before.message_id) : null;
    if (begun) return this.redraw(begun, message);
    const isNewDay = !before || dayName(before.date) !== dayName(message.date);
    if (isNewDay) this.list.append(h("div", { class: "day" }, dayName(message.date)));
    const row = this.row(message);
    const belongs = !isNewDay && !isService(before) && !isService(message) && before.from.id === message.from.id && message.date - before.date < GROUP_S;
    if (belongs) delete this.rowOf(before.message_id)?.dataset.last;
    else row.dataset.first = "";
    row.dataset.last = "";
    this.list.append(row);
  }

  row(message) {
    const isOut = message.from.id === this.me;
    const draw = { isOut, isRead: message.message_id <= this.readUpTo, act: this.act };
    const album = [...this.messages.values()].filter((other) => isOneAlbum(other, message));
    const row = album.length > 1 ? albumRow(album, draw) : messageRow(message, draw);
    if (isService(message)) return row;
    const under = ({ target }) => this.messages.get(Number(target.closest("[id^=message-]")?.id.slice(8))) ?? message;
    row.querySelector(".bubble").addEventListener("contextmenu", (event) => {
      if (event.target.closest("a")) return;
      event.preventDefault();
      this.act.options(under(event), event);
    });
    longPress(row.querySelector(".bubble"), (touch) => this.act.options(under(touch), touch));
    row.addEventListener("dblclick", (event) => event.target.closest("button, a") || this.act.reply(message));
    return row;
  }

  /** The row that shows this message: its own, or that of its album. */
  rowOf(messageId) {
    const element = $(`message-${messageId}`);
    return element?.closest(".row") ?? element;
  }
}

/** Some phones send no contextmenu event for a finger that stays. */
function longPress(element, act) {
  let timer = 0;
  let isLong = false;
  const stop = () => clearTimeout(timer);
  const start = ({ touches: [touch] }) => {
    isLong = false;
    timer = setTimeout(() => { isLong = true; act(touch); }, 480);
  };
  element.addEventListener("touchstart", start, { passive: true });
  for (const name of ["touchmove", "touchcancel"]) element.addEventListener(name, stop, { passive: true });
  element.addEventListener("touchend", (event) => {
    stop();
    if (isLong) event.preventDefault(); // or the finger that leaves would press what lies below
  });
}

/** An edit grows or shrinks gently; a text that turns into a photo is unveiled. */
function animateEdit(row, height, before, message) {
  if (isCalm()) return;
  const timing = { duration: 320, easing: "cubic-bezier(.2,.8,.3,1)" };
  if (Math.abs(row.offsetHeight - height) > 2) {
    row.style.overflow = "clip";
    row.style.overflowClipMargin = "12px";
    row.animate({ height: [`${height}px`, `${row.offsetHeight}px`] }, timing).onfinish = () => { row.style.overflow = ""; };
  }
  const becamePhoto = message.photo && message.photo.at(-1).file_unique_id !== before.photo?.at(-1).file_unique_id;
  if (becamePhoto) {
    const tile = row.querySelector(`#message-${message.message_id}`) ?? row.querySelector(".bubble");
    tile.animate({ opacity: [0.2, 1], transform: ["scale(.94)", "none"] }, timing);
  } else {
    row.querySelector(".text")?.animate({ opacity: [0.35, 1] }, { duration: 220 });
  }
}
