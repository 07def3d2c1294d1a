/** The way to the parts of a long page. */

import { el } from './dom.js';
import { say } from './language.js';

/** Lead the reader to a part of the page. The address stays: it may name the officer. */
export function goTo(id) {
  const target = document.getElementById(id);
  target?.focus({ preventScroll: true });
  target?.scrollIntoView();
}

/** Return the links to what one can ask, try and look up: asking and trying need the framework, gaps a requirement. */
export function jumps(framework, measured) {
  const link = (id, key) => el('li', {}, el('a', { href: `#${id}`, 'data-keep': `jump-${id}`, onclick: (event) => {
    event.preventDefault();
    goTo(id);
  } }, say(key)));
  return el('nav', { class: 'jumps', 'aria-label': say('jumps') }, el('ul', {},
    framework && [link('what-if-title', 'jumpWhatIf'), link('why-not-title', 'jumpWhyNot')],
    link('time-title', 'jumpTime'), measured && link('gaps-title', 'jumpGaps'), link('told-title', 'jumpTold')));
}
