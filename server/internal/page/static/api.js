// Requests to the server that this page came from, with the token if one was given.
// Addresses are relative to the page, so that it works below a path of a proxy, too.

const tokenKey = 'sydradb.token';

export const token = () => sessionStorage.getItem(tokenKey) || '';

export function setToken(text) {
  if (text) sessionStorage.setItem(tokenKey, text);
  else sessionStorage.removeItem(tokenKey);
}

// Failure is an answer that is none: message is the server's own text.
export class Failure extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// base is the address of the server without a slash at the end.
export const base = () => new URL('.', document.baseURI).href.replace(/\/$/, '');

// request sends parameters in the address, or in the body if form is set (queries may be
// long), and returns the status and the answer, parsed if it is JSON.
export async function request(path, { params = {}, form = false, signal } = {}) {
  const values = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    for (const one of [].concat(value)) {
      if (one !== undefined && one !== '') values.append(key, one);
    }
  }
  const url = new URL(path, document.baseURI);
  // Without credentials a browser does not ask for a name and a password by itself.
  const options = { signal, cache: 'no-store', credentials: 'omit', headers: {} };
  if (token()) options.headers.Authorization = `Bearer ${token()}`;
  if (form) {
    options.method = 'POST';
    options.body = values;
  } else {
    url.search = values;
  }
  const answer = await fetch(url, options);
  const text = await answer.text();
  let body = text;
  try {
    body = JSON.parse(text);
  } catch {
    // Not JSON: the text is the answer.
  }
  return { ok: answer.ok, status: answer.status, body };
}

// ask is request for answers that are JSON; all else is a Failure.
export async function ask(path, options) {
  const { ok, status, body } = await request(path, options);
  if (ok && typeof body === 'object') return body;
  throw new Failure(status, errorText(body) || `The server answered with status ${status}.`);
}

// data is ask for the Prometheus API: what is in "data", with the warnings and remarks.
export async function data(path, options) {
  const body = await ask(path, options);
  return { data: body.data, notes: [...(body.warnings || []), ...(body.infos || [])] };
}

function errorText(body) {
  if (typeof body === 'string') return body.trim();
  if (typeof body?.error === 'string') return body.error;
  return body?.error?.message || body?.message || '';
}
