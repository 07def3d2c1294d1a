/** Navigation within the page. */

import { h } from './dom.js';
import { t } from './i18n.js';

/** Focus a section and scroll to it. The address is not changed because it may name the officer. */
export function goTo(id) {
  const target = document.getElementById(id);
  target?.focus({ preventScroll: true });
  target?.scrollIntoView();
}

/** Return the links to the sections. What-if and why-not need the framework, gaps need a requirement. */
export function pageNav(framework, measured) {
  const link = (id, key) => h('li', {}, h('a', { href: `#${id}`, 'data-keep': `nav-${id}`, onclick: (event) => {
    event.preventDefault();
    goTo(id);
  } }, t(key)));
  return h('nav', { class: 'page-nav', 'aria-label': t('pageNav') }, h('ul', {},
    framework && [link('what-if-title', 'navWhatIf'), link('why-not-title', 'navWhyNot')],
    link('time-title', 'navTime'), measured && link('gaps-title', 'navGaps'), link('statements-title', 'navStatements')));
}
