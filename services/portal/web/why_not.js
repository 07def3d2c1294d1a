/** "Why not this course?": choose a course and get the reason with its figures. */

import { coursePicker } from './course_picker.js';
import { h } from './dom.js';
import { errorText } from './errors.js';
import { hours, localized, percent, t } from './i18n.js';

/** Return the figures of a reason, if there are any. */
function figures({ cause, step, hours: needed, score, taken_score: taken }) {
  const rows = [
    step > 0 && ['whyStep', t('step', step)],
    needed > 0 && [cause === 'does_not_fit' ? 'whyMissing' : 'whyHours', t('hours', hours(needed))],
    score > 0 && taken > 0 && ['whyWorth', percent(score / taken)],
  ].filter(Boolean);
  return rows.length > 0 && h('dl', { class: 'figures' }, rows.map(([name, value]) =>
    h('div', {}, h('dt', {}, t(name)), h('dd', {}, value))));
}

function answerOf(store) {
  const { course, answer, error } = store.controls.whyNot;
  if (error) return h('p', { class: 'wrong' }, errorText(error, { 404: 'courseGone' }));
  if (store.controls.busy.has('why-not')) return h('p', { class: 'quiet' }, t('asking'));
  if (!answer) return undefined;
  return [localized('h3', course.title), localized('p', answer.reason), figures(answer)];
}

/** Return the section that explains why a course is not in the path. */
export function whyNotSection(store, path, framework) {
  return h('section', { class: 'why-not', 'aria-labelledby': 'why-not-title' },
    h('h2', { id: 'why-not-title', tabindex: '-1' }, t('whyNot')),
    h('p', { class: 'quiet' }, t('whyNotWhy')),
    coursePicker('why-not', { store, framework, path, label: 'whyNotAsk', main: true, busy: store.controls.busy.has('why-not'),
      onpick: (course) => store.askWhyNot(course) }),
    h('div', { class: 'answer', role: 'status', id: 'why-not-answer' }, answerOf(store)));
}
