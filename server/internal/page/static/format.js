// Times, spans and numbers as text, and how wide a step should be.

const spans = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86400, w: 604800, y: 31536000 };
const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400];

// seconds of a span such as 90, 30s or 1h30m; NaN if it is none.
export function seconds(text) {
  const bare = text.trim();
  if (/^\d+(\.\d+)?$/.test(bare)) return Number(bare);
  if (!/^(\d+(ms|[smhdwy]))+$/.test(bare)) return NaN;
  let sum = 0;
  for (const [, count, unit] of bare.matchAll(/(\d+)(ms|[smhdwy])/g)) sum += count * spans[unit];
  return sum;
}

// stepFor chooses a round step for a range of so many seconds: a value for every three
// pixels, at most 400, which any server limit allows.
export function stepFor(range, width) {
  const wanted = range / Math.max(50, Math.min(400, width / 3));
  return steps.find((s) => s >= wanted) || Math.ceil(wanted / 86400) * 86400;
}

// localInput is a time in Unix seconds as a datetime-local field wants it.
export function localInput(time) {
  const d = new Date(time * 1000);
  return new Date(d - d.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}

// when is a time in Unix seconds for people, in their time zone.
export function when(time) {
  const text = localInput(time).replace('T', ' ');
  const milli = Math.round((time % 1) * 1000);
  return milli ? `${text}.${String(milli).padStart(3, '0')}` : text;
}

const prefixes = [[1e15, 'P'], [1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e3, 'k']];

// axis gives the labels of one axis: all with the same unit, and with as many decimals as
// tell them apart.
export function axis(values, increment) {
  const top = Math.max(...values.map(Math.abs));
  const [unit, letter] = prefixes.find(([size]) => top >= size * 10) || [1, ''];
  if (top !== 0 && top < 1e-4) return values.map((v) => (v === 0 ? '0' : v.toExponential(1)));
  const decimals = Math.min(9, Math.max(0, Math.ceil(-Math.log10(increment / unit) - 1e-9)));
  return values.map((v) => (v === 0 ? '0' : (v / unit).toFixed(decimals) + letter));
}

// short is a value in a legend: six digits.
export function short(v) {
  if (v === null || v === undefined) return '';
  if (!Number.isFinite(v)) return String(v);
  const size = Math.abs(v);
  if (size !== 0 && (size < 1e-4 || size >= 1e15)) return v.toExponential(3);
  const [unit, letter] = prefixes.find(([s]) => size >= s * 10) || [1, ''];
  return Number((v / unit).toPrecision(6)) + letter;
}

export const count = (n) => Number(n).toLocaleString('en');

export function bytes(n) {
  for (const [size, unit] of [[2 ** 40, 'TiB'], [2 ** 30, 'GiB'], [2 ** 20, 'MiB'], [2 ** 10, 'KiB']]) {
    if (n >= size) return `${Number((n / size).toPrecision(3))} ${unit}`;
  }
  return `${n} bytes`;
}

// seriesName writes labels as PromQL does.
export function seriesName(labels) {
  const { __name__: name = '', ...rest } = labels;
  const pairs = Object.entries(rest).map(([key, value]) => `${label(key)}=${JSON.stringify(value)}`);
  if (/^[a-zA-Z_:][\w:]*$/.test(name) || name === '') return pairs.length || !name ? `${name}{${pairs.join(', ')}}` : name;
  return `{${[JSON.stringify(name), ...pairs].join(', ')}}`;
}

// selector is the query for all series of a name.
export const selector = (name) => (/^[a-zA-Z_:][\w:]*$/.test(name) ? name : `{${JSON.stringify(name)}}`);

export const label = (key) => (/^[a-zA-Z_]\w*$/.test(key) ? key : JSON.stringify(key));
