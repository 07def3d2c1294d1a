/** DOM elements. Every text becomes a text node, so nothing that a service sends is parsed as HTML. */

const SVG = 'http://www.w3.org/2000/svg';

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : String(value));
  }
  node.append(...children.flat(2).filter((child) => child !== undefined && child !== null && child !== false));
  return node;
}

/** Return a new HTML element; `onclick` and the like are listeners, other attributes are set as they are. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Return a new SVG element. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Return a button; while `busy` it keeps the focus but does nothing, so that nothing is sent twice. */
export function button(words, { busy = false, onclick, ...attributes } = {}, ...more) {
  return h('button', { type: 'button', ...attributes, 'aria-disabled': busy ? 'true' : undefined,
    onclick: busy ? undefined : onclick }, words, ...more);
}

const FIELDS = 'input[data-keep], select[data-keep]';

function holds(node, value) {
  return node.localName !== 'select' || [...node.options].some((option) => option.value === value);
}

/**
 * Replace what `host` holds, and keep what the reader was doing: by their `data-keep`, opened details stay open, fields
 * keep what was typed or chosen, and the focus stays where it was. Returns whether the focus was lost all the same.
 */
export function replace(host, ...children) {
  const opened = new Set([...host.querySelectorAll('details[open][data-keep]')].map((node) => node.dataset.keep));
  const typed = new Map([...host.querySelectorAll(FIELDS)].map((node) => [node.dataset.keep, node.value]));
  const active = host.contains(document.activeElement) ? document.activeElement : undefined;
  const place = active?.closest('[data-keep]');
  const inner = place === active ? undefined : active?.localName;
  host.replaceChildren(...children.flat(2).filter(Boolean));
  for (const node of host.querySelectorAll('[data-keep]')) {
    const { keep } = node.dataset;
    if (opened.has(keep)) node.open = true;
    if (typed.has(keep) && holds(node, typed.get(keep))) {
      node.value = typed.get(keep);
      node.dispatchEvent(new Event('input')); // the text beside the field follows its value
    }
    if (keep === place?.dataset.keep) (inner ? node.querySelector(inner) : node)?.focus({ preventScroll: true });
  }
  return Boolean(active) && !host.contains(document.activeElement);
}
