/** "Why not this course?": choose one, get the reason with its numbers. */

import { el } from './dom.js';
import { problem } from './feedback.js';
import { hours, percent, say, told } from './language.js';
import { picker } from './picker.js';

/** Return the numbers behind a reason, as far as there are any. */
function figures({ cause, step, hours: needed, score, taken_score: taken }) {
  const rows = [
    step > 0 && ['whyStep', say('step', step)],
    needed > 0 && [cause === 'does_not_fit' ? 'whyMissing' : 'whyHours', say('hours', hours(needed))],
    score > 0 && taken > 0 && ['whyWorth', percent(score / taken)],
  ].filter(Boolean);
  return rows.length > 0 && el('dl', { class: 'figures' }, rows.map(([name, value]) =>
    el('div', {}, el('dt', {}, say(name)), el('dd', {}, value))));
}

function answered(desk) {
  const { course, answer, error } = desk.state.whyNot;
  if (error) return el('p', { class: 'wrong' }, problem(error, { 404: 'courseGone' }));
  if (desk.state.busy.has('why-not')) return el('p', { class: 'quiet' }, say('asking'));
  if (!answer) return undefined;
  return [told('h3', course.title), told('p', answer.reason), figures(answer)];
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
