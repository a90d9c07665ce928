// The page: holds what is known of the guests, follows the events, and connects the parts.

import { api, setPlace } from "./api.js";
import { $, h, icon } from "./dom.js";
import { Composer } from "./composer.js";
import { groupItems, isInThread, newGroupSheet } from "./groups.js";
import { History } from "./history.js";
import { memberCount } from "./format.js";
import { alertSheet, confirmSheet, menu, sheet, toast, viewer } from "./overlay.js";
import { paymentSheet } from "./payment.js";
import { People } from "./people.js";
import { keepReceipt } from "./receipts.js";
import { count, inWords, invoiceSlug, starSign } from "./stars.js";
import { tableSheet } from "./table.js";
import { tillSheet } from "./till.js";
import { loadWallet, setWallet, walletOf, walletSheet } from "./wallet.js";
import { weatherSheet } from "./weather.js";

const ACTIONS = { upload_photo: "sending a photo", upload_document: "sending a file", record_voice: "recording", upload_voice: "sending a voice message" };
const ACTION_MS = 5500;
const DEAF_MS = 6000;

const PRIVATE = { chat: 0, thread: 0 };

const guests = new Map();
const groups = new Map();
let room = PRIVATE;
let bot = null;
let current = 0;
let wanted = null;
let profile = { commands: [], description: "", short_description: "" };
let isConnected = true;
let actionTimer = 0;

const guest = () => guests.get(current);
const group = () => groups.get(room.chat);
const roomId = () => room.chat || current;
const composer = new Composer(() => current, startWith);
const people = new People(choose, () => newGroupSheet(guests, current, (made) => choose(current, { chat: made.group_id, thread: 0 })));
const act = { command: (text) => composer.say(text), link: openLink, copy, goTo: (id) => history.goTo(id), press, options, reply: (message) => composer.reply(message), view: (id) => viewer(history.photos(), id), table: tableSheet, forward: forwardSheet };
const history = new History(act);

// the state

async function load() {
  const state = await api.state();
  bot = state.bot;
  guests.clear();
  groups.clear();
  for (const each of state.guests) guests.set(each.user.id, each);
  for (const each of state.groups) groups.set(each.group_id, each);
  const lastOne = Number(new URLSearchParams(location.search).get("guest") || localStorage.getItem("guest"));
  await choose(guests.has(lastOne) ? lastOne : state.guests[0].user.id);
  return state.change;
}

async function choose(id, place = PRIVATE) {
  if (!guests.has(id)) {
    const { guests: all } = await api.state();
    for (const each of all) guests.set(each.user.id, each);
  }
  // Nobody is shown without a wallet: first it is asked for, then the guest is changed.
  const mine = wanted = { id, place };
  await loadWallet(id);
  if (wanted !== mine) return;
  current = id;
  room = place;
  setPlace(place);
  localStorage.setItem("guest", id);
  stopAction();
  const [{ messages }, itsProfile] = await Promise.all([api.messages(id), api.profile(id)]);
  if (wanted !== mine) return;
  profile = itsProfile;
  const shown = messages.filter((message) => !room.chat || isInThread(message, room.thread));
  history.reset(shown, (group() ?? guest()).read_by_bot, greeting, id);
  seen();
  draw();
  if (matchMedia("(pointer: fine)").matches) $("text").focus();
}

function draw() {
  people.draw(guests, current, groups, room);
  drawHead();
  const { user, keyboard, has_started: hasStarted, is_blocked: isBlocked } = group() ? { user: guest().user, keyboard: group().keyboard, has_started: true } : guest();
  composer.show({ id: `${current} ${room.chat} ${room.thread}`, username: bot.username, commands: profile.commands, keyboard, hasStarted, isBlocked });
  drawPurse(user.first_name, walletOf(current).xtr);
  $("text").placeholder = `Message as ${user.first_name}`;
  const unread = [...guests.values()].reduce((sum, each) => sum + each.unread, 0);
  document.title = `${unread ? `(${unread}) ` : ""}${bot.first_name} · Playground`;
}

function drawHead() {
  const title = group() ? [group().title, group().topics[room.thread]?.name].filter(Boolean).join(" · ") : bot.first_name;
  document.querySelector(".chat-title strong").textContent = title;
  const face = document.querySelector(".bot-avatar");
  if (face.title === title) return;
  face.title = title;
  face.toggleAttribute("data-group", Boolean(group()));
  face.replaceChildren(group() ? [...title][0].toUpperCase() : icon("star", 24));
}

function drawPurse(name, xtr) {
  const words = `Wallet of ${name}: ${inWords(xtr)}`;
  if ($("purse").ariaLabel === words) return;
  $("purse").ariaLabel = $("purse").title = words;
  $("purse").replaceChildren(starSign(18), count(xtr));
}

function greeting() {
  if (group()) return h("div", { class: "hello" }, h("h2", {}, group().title), h("p", {}, `${group().members.length} members. The bot sees commands, mentions of it and replies to it.`));
  const mark = h("span", { class: "avatar" }, icon("star", 38));
  const words = profile.description || `Press Start to write to ${bot.first_name} as ${guest().user.first_name}.`;
  return h("div", { class: "hello" }, mark, h("h2", {}, bot.first_name), h("p", {}, words));
}

function seen() {
  if (group()?.unread[current] && document.visibilityState === "visible") {
    group().unread = { ...group().unread, [current]: 0 };
    api.read(current).catch((problem) => toast(problem.message));
  }
  if (!group() && guest()?.unread && document.visibilityState === "visible") {
    guest().unread = 0;
    api.read(current).catch((problem) => toast(problem.message));
  }
}

// events

const handlers = {
  message({ chat_id: id, content }) {
    const chat = guests.get(id) ?? groups.get(id);
    if (!chat) return;
    chat.last_message = content;
    if (chat.group_id) countUnread(chat, content.from.id);
    else if (content.from.is_bot) chat.unread += 1;
    else chat.sent_at = Date.now();
    if (!isShown(id, content)) return;
    if (content.from.is_bot) stopAction();
    history.add(content);
    seen();
  },
  edit({ chat_id: id, content }) {
    const chat = guests.get(id) ?? groups.get(id);
    if (chat?.last_message?.message_id === content.message_id) chat.last_message = content;
    if (id === roomId()) history.change(content);
  },
  delete({ chat_id: id, content }) {
    if (id === roomId()) history.remove(content.message_id);
  },
  chat({ chat_id: id, content }) {
    const known = guests.get(id) ?? {};
    const hasTaken = content.read_by_bot !== known.read_by_bot;
    guests.set(id, { ...known, ...content, sent_at: hasTaken ? 0 : known.sent_at });
    if (id === roomId()) history.taken(content.read_by_bot);
  },
  group({ chat_id: id, content }) {
    groups.set(id, { ...groups.get(id), ...content });
    if (id === roomId()) history.taken(content.read_by_bot);
  },
  inline_answer() {},
  action({ chat_id: id, content }) {
    if (isShown(id, content)) showAction(content.action);
  },
  callback_answer({ chat_id: id, content }) {
    if (id === roomId() && content.user_id === current) answered(content);
  },
  wallet({ chat_id: id, content }) {
    setWallet(id, content);
  },
  async profile() {
    profile = await api.profile(current);
  },
  async reset() {
    await load();
  },
};

/** Whether something of a chat, and of a topic in it, is what the page shows. */
const isShown = (id, content) => id === roomId() && (!room.chat || isInThread(content, room.thread));

function countUnread(chat, writer) {
  chat.unread = Object.fromEntries(chat.members.map((id) => [id, id === writer ? 0 : (chat.unread[id] ?? 0) + 1]));
}

function follow(after) {
  const source = new EventSource(`/events?after=${after}`);
  source.onopen = () => { isConnected = true; showStatus(); };
  source.onerror = () => { isConnected = false; showStatus(); };
  source.onmessage = async ({ data }) => {
    const event = JSON.parse(data);
    await handlers[event.kind](event);
    drawSoon();
  };
}

let isDrawing = false;

function drawSoon() {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => { isDrawing = false; draw(); });
}

/** Nobody has taken this guest's message for a while: perhaps no bot is running. */
const isDeaf = () => Boolean(guest()?.sent_at) && Date.now() - guest().sent_at > DEAF_MS;

function showStatus(busy = "") {
  const status = $("status");
  status.toggleAttribute("data-busy", Boolean(busy) || !isConnected);
  const still = group() ? memberCount(group()) : isDeaf() ? "bot, not listening" : "bot";
  status.replaceChildren(isConnected ? busy || still : "connecting");
  if (busy || !isConnected) status.append(h("span", { class: "dots" }, h("i"), h("i"), h("i")));
}

function showAction(action) {
  clearTimeout(actionTimer);
  if (action === "cancel") return stopAction();
  showStatus(ACTIONS[action] ?? "typing");
  actionTimer = setTimeout(stopAction, ACTION_MS);
}

function stopAction() {
  clearTimeout(actionTimer);
  actionTimer = 0;
  showStatus();
}

// what a guest does

async function press(message, key, element) {
  if (key.url) return openLink(key.url, false);
  if (key.pay) return payMessage(message);
  if (key.copy_text) return copy(key.copy_text.text);
  if (key.web_app) return openLink(key.web_app.url, false);
  const inline = key.switch_inline_query_current_chat ?? key.switch_inline_query;
  if (inline !== undefined) return composer.insert(`@${bot.username} ${inline}`);
  element.setAttribute("aria-busy", "true");
  try {
    const { answer } = await api.press(current, message.message_id, key.callback_data);
    if (!answer) toast("The bot has not answered this button.");
  } catch (problem) {
    toast(problem.message);
  }
  element.removeAttribute("aria-busy");
}

function answered({ text, show_alert: isAlert, url }) {
  if (text && isAlert) alertSheet(bot.first_name, text);
  else if (text) toast(text);
  if (url) openLink(url, false);
}

function payMessage({ message_id: messageId, invoice }) {
  const { title, description, total_amount: amountXtr } = invoice;
  pay({ message_id: messageId }, { title, description, amountXtr, periodS: 0, isPaidBefore: false });
}

async function payLink(slug) {
  try {
    const { title, description, amount_xtr: amountXtr, period_s: periodS, is_paid_before: isPaidBefore } = await api.invoice(slug);
    pay({ slug }, { title, description, amountXtr, periodS, isPaidBefore });
  } catch (problem) {
    toast(problem.message);
  }
}

function pay(source, invoice) {
  paymentSheet(current, bot.first_name, source, invoice, (chargeId) => {
    keepReceipt(chargeId, invoice.title);
    history.changeCharge(chargeId);
  });
}

/** The parameter of a link that starts this bot, `https://t.me/<bot>?start=...`; null for any other link. */
function startParameter(url) {
  const found = /^(?:https?:\/\/)?t(?:elegram)?\.me\/(\w+)(?:\?start=([\w-]*))?$/i.exec(url);
  return found && found[1].toLowerCase() === bot.username.toLowerCase() ? found[2] ?? "" : null;
}

/** What a link to the bot does, from wherever it is pressed. */
async function startWith(parameter) {
  if (room.chat) await choose(current);
  await composer.say(`/start ${parameter}`.trim());
}

function openLink(url, isShown) {
  const slug = invoiceSlug(url);
  if (slug) return payLink(slug);
  const parameter = startParameter(url);
  if (parameter !== null) return startWith(parameter);
  const go = () => { window.open(url, "_blank", "noopener,noreferrer"); };
  if (isShown) go();
  else confirmSheet("Open this link?", url, "Open", go);
}

async function copy(text) {
  await navigator.clipboard.writeText(text).then(() => toast("Copied"), () => toast("The browser does not allow copying here."));
}

function options(message, event) {
  const isOwn = message.from.id === current;
  const words = message.text ?? message.caption;
  const remove = () => api.remove(current, message.message_id).catch((problem) => toast(problem.message));
  menu({ x: event.clientX, y: event.clientY }, [
    { icon: "reply", label: "Reply", act: () => composer.reply(message) },
    words && { icon: "copy", label: "Copy text", act: () => copy(words) },
    isOwn && message.text && { icon: "pencil", label: "Edit", act: () => composer.edit(message) },
    message.invoice && { icon: "forward", label: "Forward", act: () => act.forward(message) },
    message.photo && { icon: "picture", label: "Open the photo", act: () => act.view(message.message_id) },
    (isOwn || !room.chat) && { icon: "trash", label: room.chat ? "Delete for all" : "Delete for both", isDanger: true, act: remove },
  ]);
}

/** Only an invoice is worth forwarding here: somebody else may pay it. */
function forwardSheet(message) {
  const others = [...guests.values()].map(({ user }) => user);
  const to = h("select", {}, others.map((user) => h("option", { value: user.id }, [user.first_name, user.last_name].filter(Boolean).join(" "))));
  const forward = () => api.forward(Number(to.value), current, message.message_id).then(() => toast("Forwarded"), (problem) => { toast(problem.message); return false; });
  sheet([h("h2", {}, "Forward the invoice"), h("label", {}, "Into whose chat with the bot", to)], [["Cancel", () => {}], ["Forward", forward, true]]);
}

function openMenu() {
  const { is_blocked: isBlocked } = guest();
  const turn = () => (isBlocked ? api.unblock(current) : api.block(current)).catch((problem) => toast(problem.message));
  menu($("chat-menu"), [
    { icon: "wallet", label: `Wallet: ${inWords(walletOf(current).xtr)}`, act: () => walletSheet(guest().user) },
    { icon: "star", label: "The bot's Stars", act: () => tillSheet({ copy }) },
    { icon: "info", label: "About the bot", act: aboutBot },
    { icon: "bolt", label: "Faults", act: weatherSheet },
    { icon: THEME_ICONS[document.documentElement.dataset.theme], label: "Colours", act: turnTheme },
    ...(group() ? groupItems(group(), current, (thread) => choose(current, { chat: room.chat, thread })) : [isBlocked
      ? { icon: "undo", label: "Unblock the bot", act: turn }
      : { icon: "block", label: "Block the bot", isDanger: true, act: turn }]),
  ]);
}

function aboutBot() {
  const commands = profile.commands.map(({ command, description }) => h("p", {}, h("b", {}, `/${command}`), ` ${description}`));
  const { user } = guest();
  sheet([h("h2", {}, bot.first_name), h("p", { class: "quiet" }, `@${bot.username}, id ${bot.id}`),
    profile.short_description || profile.description ? h("p", {}, profile.short_description || profile.description) : null, ...commands,
    h("p", { class: "quiet" }, `You are ${user.first_name}, user id ${user.id}.`)]);
}

// colours

const THEMES = ["system", "light", "dark"];
const THEME_ICONS = { system: "contrast", light: "sun", dark: "moon" };
const systemDark = matchMedia("(prefers-color-scheme: dark)");

function applyTheme(theme) {
  const isDark = theme === "dark" || (theme === "system" && systemDark.matches);
  document.documentElement.dataset.theme = theme;
  document.documentElement.toggleAttribute("data-dark", isDark);
  document.querySelector("meta[name=theme-color]").content = isDark ? "#171c28" : "#ffffff";
  $("theme").replaceChildren(icon(THEME_ICONS[theme], 22));
  $("theme").title = $("theme").ariaLabel = `Colours: ${theme}. Press to change`;
}

function turnTheme() {
  const theme = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
  localStorage.setItem("theme", theme);
  applyTheme(theme);
  toast({ system: "Colours follow the system", light: "Light colours", dark: "Dark colours" }[theme], 1400);
}

// start

$("chat-menu").append(icon("more"));
$("to-bottom").prepend(icon("down"));
$("chat-menu").addEventListener("click", openMenu);
$("purse").addEventListener("click", () => walletSheet(guest().user));
$("theme").addEventListener("click", turnTheme);
$("start").addEventListener("click", () => composer.say("/start"));
$("unblock").addEventListener("click", () => api.unblock(current).catch((problem) => toast(problem.message)));
$("open-about").addEventListener("click", () => sheet($("about").content.cloneNode(true)));
document.addEventListener("visibilitychange", seen);
setInterval(() => actionTimer || showStatus(), 2000);
systemDark.addEventListener("change", () => applyTheme(document.documentElement.dataset.theme));
applyTheme(localStorage.getItem("theme") ?? "system");
follow(await load());
