/** Elements without markup: every text goes in as a text node, so nothing that a service sends is ever read as HTML. */

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
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Return a new SVG element. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/**
 * Replace what `host` holds, and keep what the reader was doing: opened details stay open and the focus stays on the
 * element that carries the same `data-keep`.
 */
export function replace(host, ...children) {
  const opened = [...host.querySelectorAll('details[open][data-keep]')].map((node) => node.dataset.keep);
  const active = document.activeElement;
  const focused = host.contains(active) ? active.closest('[data-keep]') : null;
  const inside = focused === active ? '' : active?.localName;
  const typed = active?.localName === 'input' && focused ? active.value : undefined;
  host.replaceChildren(...children.flat(2).filter(Boolean));
  for (const node of host.querySelectorAll('[data-keep]')) {
    if (node.localName === 'details' && opened.includes(node.dataset.keep)) node.open = true;
    if (focused && node.dataset.keep === focused.dataset.keep) {
      const target = inside ? node.querySelector(inside) : node;
      if (typed !== undefined) target.value = typed;
      target?.focus({ preventScroll: true });
    }
  }
}
