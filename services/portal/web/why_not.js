/** "Why not this course?": choose one, get the reason with its numbers. */

import { el } from './dom.js';
import { problem } from './feedback.js';
import { say, told } from './language.js';
import { picker } from './picker.js';

function answered(desk) {
  const { course, answer, error } = desk.state.whyNot;
  if (error) return el('p', { class: 'wrong' }, problem(error, { 404: 'courseGone' }));
  if (desk.state.busy.has('why-not')) return el('p', { class: 'quiet' }, say('asking'));
  if (!answer) return undefined;
  return [told('h3', course.title), told('p', answer.reason)];
}

/** Return the section where one asks about a course. */
export function whyNotSection(desk, path, framework) {
  return el('section', { class: 'why-not', 'aria-labelledby': 'why-not-title' },
    el('h2', { id: 'why-not-title', tabindex: '-1' }, say('whyNot')),
    el('p', { class: 'quiet' }, say('whyNotWhy')),
    picker('why-not', { desk, framework, path, label: 'whyNotAsk', main: true, busy: desk.state.busy.has('why-not'),
      onpick: (course) => desk.askWhyNot(course) }),
    el('div', { class: 'answer', role: 'status', id: 'why-not-answer' }, answered(desk)));
}
