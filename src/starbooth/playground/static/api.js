// Calls of the control API; a refused call throws an Error with the server's words.

async function ask(method, path, body) {
  const options = { method };
  if (body instanceof FormData) options.body = body;
  else if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = { "content-type": "application/json" };
  }
  const answer = await fetch(`/control${path}`, options).catch(() => {
    throw new Error("The playground does not answer.");
  });
  const result = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(typeof result.error === "string" ? result.error : `refused (${answer.status})`);
  return result;
}

function form(files, fields) {
  const data = new FormData();
  for (const file of files) data.append("file", file, file.name || "picture.png");
  for (const [name, value] of Object.entries(fields)) if (value !== null && value !== undefined) data.append(name, value);
  return data;
}

let place = "";

/** The group and topic in which the guest acts from now on; without a group the private chat. */
export function setPlace({ chat, thread }) {
  place = chat ? `?chat=${chat}&thread=${thread}` : "";
}

const at = (id, path) => `/users/${id}/${path}${place}`;

export const api = {
  state: () => ask("GET", "/state"),
  messages: (id) => ask("GET", at(id, "messages")),
  profile: (id) => ask("GET", at(id, "profile")),
  addGuest: (guest) => ask("POST", "/users", guest),
  say: (id, text, replyTo) => ask("POST", at(id, "messages"), { text, reply_to: replyTo }),
  photo: (id, files, caption, replyTo) => ask("POST", at(id, "photo"), form(files, { caption, reply_to: replyTo })),
  document: (id, file, caption, replyTo) => ask("POST", at(id, "document"), form([file], { caption, reply_to: replyTo })),
  send: (id, kind, fields = {}) => ask("POST", at(id, kind), fields),
  press: (id, messageId, data) => ask("POST", at(id, "press"), { message_id: messageId, callback_data: data, wait_s: 20 }),
  edit: (id, messageId, text) => ask("PATCH", at(id, `messages/${messageId}`), { text }),
  remove: (id, messageId) => ask("DELETE", at(id, `messages/${messageId}`)),
  askInline: (id, text, offset) => ask("POST", at(id, "inline"), { text, offset, wait_s: 10 }),
  pickInline: (id, queryId, resultId) => ask("POST", at(id, `inline/${queryId}/pick`), { result_id: resultId }),
  addGroup: (group) => ask("POST", "/groups", group),
  addTopic: (groupId, topic) => ask("POST", `/groups/${groupId}/topics`, topic),
  setBot: (groupId, status) => ask("POST", `/groups/${groupId}/bot`, status),
  block: (id) => ask("POST", `/users/${id}/block`),
  unblock: (id) => ask("POST", `/users/${id}/unblock`),
  read: (id) => ask("POST", at(id, "read")),
  wallet: (id) => ask("GET", `/users/${id}/wallet`),
  addToWallet: (id, xtr) => ask("POST", `/users/${id}/wallet`, { add_xtr: xtr }),
  invoice: (slug) => ask("GET", `/invoices/${encodeURIComponent(slug)}`),
  pay: (id, source) => ask("POST", `/users/${id}/pay`, source),
  forward: (id, fromId, messageId) => ask("POST", `/users/${id}/forward`, { from_user: fromId, message_id: messageId }),
  subscription: (id, chargeId, step) => ask("POST", `/users/${id}/subscriptions/${encodeURIComponent(chargeId)}/${step}`),
  stars: () => ask("GET", "/stars"),
  chargeback: (chargeId) => ask("POST", "/stars/chargeback", { charge_id: chargeId }),
  supportRefund: (chargeId) => ask("POST", "/stars/refund", { charge_id: chargeId }),
  faults: () => ask("GET", "/faults"),
  addFault: (fault) => ask("POST", "/faults", fault),
  removeFault: (number) => ask("DELETE", `/faults/${number}`),
};

export const mediaUrl = (fileId, name) =>
  `/media/${encodeURIComponent(fileId)}${name ? `?name=${encodeURIComponent(name)}` : ""}`;

export const thumbnailUrl = (id, queryId, resultId) => `/control${at(id, `inline/${queryId}/${encodeURIComponent(resultId)}/thumbnail`)}`;
