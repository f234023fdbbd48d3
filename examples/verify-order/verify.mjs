// Verifies posctl's order files and receipts. Written from docs/order-file.md; shares
// no code with posctl. Node 18 or newer, nothing to install.
//
//   node verify.mjs ROOT.pem FILE... [--at TIME]    one verdict (JSON) a line
//   node verify.mjs -                               reads {"root","file","at"} a line
//
// Exit code 0: every file is good; 1: one is not; 2: usage.

import { createHash, verify as verifySignature, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createInterface } from "node:readline";

const LARGEST_FILE = 32 * 1024 * 1024;
const LARGEST_RECEIPT = 1024 * 1024;
const DEEPEST = 32;
const GENESIS = "0".repeat(64);
const HASH = /^[0-9a-f]{64}$/;
const SIGNATURE = /^[0-9a-f]{128}$/;
const NUMBER = /^[0-9A-Z]{4}-[0-9A-Z]{5}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const SIGNS = new Map([["field", "technician"], ["office", "approver"]]);
const HANDS_OVER = new Map([["order.opened", "field"], ["order.sent", "office"],
  ["order.returned", "field"], ["order.closed", "office"]]);
const PARTS = {
  whole: { format: "string", version: "number", body: "object", proof: "object",
           boxes: "object" },
  body: { order: "string", sender: "string", events: "array", attachments: "array",
          documents: "array", head: "string", store_head: "string", written: "string" },
  event: { order_id: "string", position: "number", time: "string", kind: "string",
           payload: "object", previous: "string", hash: "string" },
  document: { kind: "string", sha256: "string", box: "string" },
  proof: { certificate: "string", signature: "string" },
};
const RECEIPT_TEXTS = ("order result profile mid tid serial old new fee maker approver " +
  "application proposed approved effective_at issued order_head store_head").split(" ");

class Bad extends Error {}

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

function need(condition, reason, detail) {
  if (!condition) throw new Bad(detail, { cause: reason });
}

// -- canonical form -----------------------------------------------------------------

function canonical(value, depth = 0) {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new RangeError("not a whole number");
    return String(value);
  }
  if (typeof value === "string") {
    if (/\p{Surrogate}/u.test(value)) throw new RangeError("lone surrogate");
    return JSON.stringify(value);
  }
  if (depth === DEEPEST) throw new RangeError("nested too deeply");
  if (Array.isArray(value)) {
    return `[${value.map((item) => canonical(item, depth + 1)).join(",")}]`;
  }
  // JavaScript sorts by UTF-16 code units, as RFC 8785 wants it.
  const members = Object.keys(value).sort().map(
    (key) => `${canonical(key, depth)}:${canonical(value[key], depth + 1)}`);
  return `{${members.join(",")}}`;
}

function attempt(reason, detail, action) {
  try {
    return action();
  } catch (error) {
    throw new Bad(`${detail} (${error.message})`, { cause: reason });
  }
}

function checkCanonical(text, data, unreadable) {
  const own = attempt(unreadable, "not in canonical form", () => canonical(data));
  need(own === text, unreadable, "not in canonical form");
}

const typeOf = (value) =>
  Array.isArray(value) ? "array" : value === null ? "null" : typeof value;

function exactly(part, types) {
  return typeOf(part) === "object" &&
    Object.keys(part).length === Object.keys(types).length &&
    Object.entries(types).every(
      ([name, type]) => Object.hasOwn(part, name) && typeOf(part[name]) === type);
}

// -- signature ----------------------------------------------------------------------

function pem(certificate) {
  const base64 = certificate.raw.toString("base64").replace(/.{1,64}/g, "$&\n");
  return `-----BEGIN CERTIFICATE-----\n${base64}-----END CERTIFICATE-----\n`;
}

const first = (value) => (Array.isArray(value) ? value[0] : value) ?? "";

function checkSignature(root, purpose, body, proof, at) {
  const bad = "signature.certificate";
  need(exactly(proof, PARTS.proof), bad, "other parts in the proof");
  const certificate = attempt(bad, "not a certificate",
    () => new X509Certificate(proof.certificate));
  need(pem(certificate) === proof.certificate, bad, "another spelling");
  need(certificate.issuer === root.subject && certificate.checkIssued(root) &&
    certificate.verify(root.publicKey), bad, "not issued by the root");
  need(new Date(certificate.validFrom) <= at && at <= new Date(certificate.validTo),
    bad, "not valid at that time");
  const key = certificate.publicKey;
  const signed = Buffer.from(`posctl ${purpose} 1\n${canonical(body)}`, "utf8");
  need(key.asymmetricKeyType === "ed25519" && SIGNATURE.test(proof.signature) &&
    verifySignature(null, signed, key, Buffer.from(proof.signature, "hex")),
    "signature.wrong", "of another body, or by another key");
  const subject = certificate.toLegacyObject().subject;
  return { name: first(subject.CN), role: first(subject.OU) };
}

// -- order files --------------------------------------------------------------------

function checkChain(events) {
  const unreadable = "orderfile.unreadable";
  need(events.length > 0, "chain.broken", "no events");
  need(events.every((event) => exactly(event, PARTS.event)), unreadable,
    "an event has other parts");
  let previous = GENESIS;
  events.forEach((event, index) => {
    const { order_id, position, time, kind, payload } = event;
    const own = sha256(canonical(
      ["posctl event 1", order_id, position, time, kind, payload, event.previous]));
    need(order_id === events[0].order_id && position === index + 1 &&
      event.previous === previous && event.hash === own,
      "chain.broken", `at position ${index + 1}`);
    previous = own;
  });
  return previous;
}

function checkBoxes(body, boxes) {
  const unreadable = "orderfile.unreadable";
  for (const [name, text] of Object.entries(boxes)) {
    need(typeof text === "string", unreadable, "a box is no text");
    const bytes = Buffer.from(text, "base64");
    need(bytes.toString("base64") === text, unreadable, "a box is not base64");
    need(sha256(bytes) === name, unreadable, "a box differs from its hash");
  }
  const named = new Set([...body.attachments, ...body.documents.map((d) => d.box)]);
  need(named.size === Object.keys(boxes).length &&
    [...named].every((name) => typeof name === "string" && Object.hasOwn(boxes, name)),
    unreadable, "the boxes are not those that the body names");
}

function holderAfter(events) {
  const handed = events.map((event) => HANDS_OVER.get(event.kind)).filter(Boolean);
  return handed.at(-1) ?? "field";
}

function verifyOrder(text, data, root, at) {
  const unreadable = "orderfile.unreadable";
  need(data.version === 1, unreadable, "version is not known here");
  checkCanonical(text, data, unreadable);
  const { body } = data;
  need(exactly(data, PARTS.whole) && exactly(body, PARTS.body) &&
    body.documents.every((item) => exactly(item, PARTS.document)),
    unreadable, "other parts than the format has");
  const signer = checkSignature(root, "order file", body, data.proof, at);
  need(SIGNS.has(body.sender), unreadable, "no such sender");
  need(signer.role === SIGNS.get(body.sender), "signature.role", signer.role);
  const head = checkChain(body.events);
  need(head === body.head && body.order === body.events[0].order_id, unreadable,
    "head or number differs from the events");
  need(NUMBER.test(body.order), unreadable, "not an order number");
  need([body.store_head, ...body.documents.map((d) => d.sha256)].every(
    (hash) => HASH.test(hash)), unreadable, "a hash is none");
  need([body.written, ...body.events.map((e) => e.time)].every(
    (time) => TIME.test(time)), unreadable, "a time is none");
  checkBoxes(body, data.boxes);
  const holder = holderAfter(body.events);
  need(holder !== body.sender, "order.not_sent", "the sender still holds the order");
  return { ok: true, order: body.order, holder, events: body.events.length, head,
           signer: signer.name, role: signer.role };
}

// -- receipts -----------------------------------------------------------------------

function verifyReceipt(raw, text, data, root) {
  const unreadable = "receipt.unreadable";
  need(raw.length <= LARGEST_RECEIPT, unreadable, "larger than 1 MiB");
  checkCanonical(text, data, unreadable);
  const { body, proof } = data;
  need(exactly(data, { body: "object", proof: "object" }) && TIME.test(body.issued),
    unreadable, "other parts than a receipt has");
  const signer = checkSignature(root, "receipt", body, proof, new Date(body.issued));
  need(signer.role === "approver", "signature.role", signer.role);
  need(RECEIPT_TEXTS.every(
    (name) => ["string", "null", "undefined"].includes(typeOf(body[name]))),
    unreadable, "a part is no text");
  return { ok: true, receipt: body.order, result: body.result, issued: body.issued,
           head: body.order_head, signer: signer.name, role: signer.role };
}

// -- command line -------------------------------------------------------------------

function check(rootFile, file, at) {
  const root = new X509Certificate(readFileSync(rootFile));
  const unreadable = "orderfile.unreadable";
  const found = statSync(file, { throwIfNoEntry: false });
  need(found?.isFile(), unreadable, "no such file");
  need(found.size <= LARGEST_FILE, unreadable, "larger than 32 MiB");
  const raw = readFileSync(file);
  const { text, data } = attempt(unreadable, "not JSON in UTF-8", () => {
    const own = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(raw);
    return { text: own, data: JSON.parse(own) };
  });
  need(typeOf(data) === "object", unreadable, "not an order file");
  if (data.format === "posctl-order") return verifyOrder(text, data, root, at);
  need(Object.hasOwn(data, "body") && !Object.hasOwn(data, "format"), unreadable,
    "not an order file");
  return verifyReceipt(raw, text, data, root);
}

function verdict(root, file, at) {
  const moment = at === undefined ? new Date() : new Date(at);
  if (Number.isNaN(moment.getTime())) throw new TypeError(`not a time: ${at}`);
  let told;
  try {
    told = check(root, file, moment);
  } catch (error) {
    if (!(error instanceof Bad)) throw error;
    told = { ok: false, reason: error.cause, detail: error.message };
  }
  console.log(JSON.stringify(told));
  if (!told.ok) process.exitCode = 1;
}

const words = process.argv.slice(2);
const where = words.indexOf("--at");
const [, at] = where < 0 ? [] : words.splice(where, 2);
const [root, ...files] = words;
if (root === "-") {
  for await (const line of createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line);
    verdict(asked.root, asked.file, asked.at);
  }
} else if (files.length === 0) {
  console.error("usage: node verify.mjs ROOT.pem FILE... [--at TIME]");
  process.exitCode = 2;
} else {
  for (const file of files) verdict(root, file, at);
}
