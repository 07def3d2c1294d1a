/** What the path has to say beside its steps: what to assess, and which wanted courses are not in it. */

import { el } from './dom.js';
import { say, told } from './language.js';

/** Return the sections of what to assess first, and of what to assess to confirm completed courses. */
export function assessSection({ assess_first: skills = [] }) {
  return [
    toAssess('assessFirst', skills.filter((one) => one.kind !== 'confirm')),
    toAssess('assessConfirm', skills.filter((one) => one.kind === 'confirm')),
  ];
}

function toAssess(name, skills) {
  if (skills.length === 0) return undefined;
  return el('section', { class: 'assess', 'aria-labelledby': `${name}-title` },
    el('h2', { id: `${name}-title` }, say(name)),
    el('p', { class: 'quiet' }, say(`${name}Why`)),
    el('ul', { class: 'open-list' }, skills.map((one) => el('li', { 'data-skill': one.skill },
      told('h3', one.title), told('p', one.reason)))));
}

/** Return the section of wanted courses that are not in the path, and why, or nothing. */
export function notesSection({ notes = [] }) {
  if (notes.length === 0) return undefined;
  return el('section', { class: 'notes', 'aria-labelledby': 'notes-title' },
    el('h2', { id: 'notes-title' }, say('notes')),
    el('ul', { class: 'open-list' }, notes.map((note) => el('li', { 'data-course': note.course },
      told('h3', note.title ?? { en: note.course }), told('p', note.reason)))));
}
