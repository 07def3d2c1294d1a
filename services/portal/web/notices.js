/** Notices of a path: which skills to assess, and which wanted courses are not in it. */

import { h } from './dom.js';
import { localized, t } from './i18n.js';

/** Return the sections of what to assess first, and of what to assess to confirm completed courses. */
export function assessSection({ assess_first: skills = [] }) {
  return [
    toAssess('assessFirst', skills.filter((one) => one.kind !== 'confirm')),
    toAssess('assessConfirm', skills.filter((one) => one.kind === 'confirm')),
  ];
}

function toAssess(name, skills) {
  if (skills.length === 0) return undefined;
  return h('section', { class: 'assess', 'aria-labelledby': `${name}-title` },
    h('h2', { id: `${name}-title` }, t(name)),
    h('p', { class: 'quiet' }, t(`${name}Why`)),
    h('ul', { class: 'open-list' }, skills.map((one) => h('li', { 'data-skill': one.skill },
      localized('h3', one.title), localized('p', one.reason)))));
}

/** Return the section of wanted courses that are not in the path, and why, or nothing. */
export function notesSection({ notes = [] }) {
  if (notes.length === 0) return undefined;
  return h('section', { class: 'notes', 'aria-labelledby': 'notes-title' },
    h('h2', { id: 'notes-title' }, t('notes')),
    h('ul', { class: 'open-list' }, notes.map((note) => h('li', { 'data-course': note.course },
      localized('h3', note.title ?? { en: note.course }), localized('p', note.reason)))));
}
