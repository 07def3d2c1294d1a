/** What the path has to say beside its steps: what to assess first, and which wanted courses are not in it. */

import { el } from './dom.js';
import { say, told } from './language.js';

/** Return the section of what to assess first, or nothing. */
export function assessSection({ assess_first: skills = [] }) {
  if (skills.length === 0) return undefined;
  return el('section', { class: 'assess', 'aria-labelledby': 'assess-title' },
    el('h2', { id: 'assess-title' }, say('assessFirst')),
    el('p', { class: 'quiet' }, say('assessFirstWhy')),
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
