// Makes elements. Text is always set as text, never as markup: names and values come from
// whoever writes to the database.

export const byId = (id) => document.getElementById(id);

// make returns an element; properties beginning with "on" are listeners, others that the
// element does not have are attributes.
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (key in element) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}
