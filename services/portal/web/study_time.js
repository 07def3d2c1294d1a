/** Study time: hours a week, a deadline, and whether the path fits into them. */

import { dateField, today } from './dates.js';
import { button, h } from './dom.js';
import { errorText } from './errors.js';
import { day, hours, t } from './i18n.js';

const MOST = 168; // hours in a week
/** Hours that stand for no limit. */
export const ENDLESS = 100000;

/** Return [hours a week or null, deadline or null, message key of a wrong entry or nothing]. */
export function readTime(weeklyField, deadlineField) {
  const weekly = weeklyField.value === '' ? null : Number(weeklyField.value);
  const deadline = deadlineField.value || null;
  if (weeklyField.validity.badInput || (weekly !== null && !(weekly > 0 && weekly <= MOST))) return [null, null, 'weeklyWrong'];
  if (deadlineField.validity.badInput || (deadline !== null && deadline <= today())) return [null, null, 'deadlineWrong'];
  if (deadline !== null && weekly === null) return [null, null, 'pairNeeded'];
  return [weekly, deadline, undefined];
}

/** Return the two fields with their initial values; `wrong` is the id of their error message. */
export function timeFields(name, { weekly, deadline, wrong }) {
  const described = wrong ? { 'aria-describedby': wrong, 'aria-invalid': 'true' } : {};
  const id = `${name}-weekly`;
  return h('div', { class: 'fields' },
    h('div', {}, h('label', { for: id }, t('weekly')),
      h('input', { id, type: 'number', inputmode: 'decimal', min: '0.5', max: MOST, step: 'any', value: weekly ?? '',
        'data-keep': id, autocomplete: 'off', ...described })),
    dateField(`${name}-deadline`, t('deadline'), { min: today(), value: deadline, wrong }));
}

/** Return what does not fit into the available time, as a list of sentences. */
export function short({ over_budget_hours: over, short_hours: missing }) {
  return [over > 0 && h('p', { class: 'short' }, t('overBy', hours(over))),
    missing > 0 && h('p', { class: 'short' }, t('shortBy', hours(missing)))].filter(Boolean);
}

/** Return whether a path fits into the available time, as a list of sentences. */
export function fit(path) {
  const missing = short(path);
  if (missing.length > 0 || !(path.budget_hours >= path.hours && path.budget_hours < ENDLESS)) return missing;
  return [h('p', {}, t('fits', hours(path.budget_hours)))];
}

function form(store, profile) {
  const { complaint, error, saved } = store.controls.time;
  const words = complaint ? t(complaint) : error ? errorText(error) : '';
  const send = (event) => {
    event.preventDefault();
    const [weekly, deadline, wrong] = readTime(...['weekly', 'deadline'].map((kind) => document.getElementById(`time-${kind}`)));
    if (!wrong) return store.saveTime(weekly, deadline);
    store.complain('time', wrong);
    return document.getElementById(wrong === 'deadlineWrong' ? 'time-deadline' : 'time-weekly').focus();
  };
  return h('form', { novalidate: true, onsubmit: send },
    timeFields('time', { weekly: profile.weekly_hours, deadline: profile.deadline, wrong: complaint && 'time-wrong' }),
    h('p', { class: 'wrong', id: 'time-wrong', role: 'alert' }, words),
    h('p', { role: 'status' }, saved ? t(saved) : ''),
    h('button', { type: 'submit', class: 'main', 'data-keep': 'time-send',
      'aria-disabled': store.controls.busy.has('time') ? 'true' : undefined }, t('timeSave')));
}

/** Return the study time section; `tryIt()` opens the what-if form. */
export function timeSection(store, path, tryIt) {
  const { profile, profileFailed, role } = store.controls;
  const known = profile && [
    h('li', {}, profile.weekly_hours ? t('perWeek', hours(profile.weekly_hours)) : t('noWeekly')),
    h('li', {}, profile.deadline ? t('until', day(profile.deadline)) : t('noDeadline')),
    path.budget_hours > 0 && h('li', {}, t('budgetOf', hours(path.budget_hours))),
  ];
  return h('section', { class: 'time', 'aria-labelledby': 'time-title' },
    h('h2', { id: 'time-title', tabindex: '-1' }, t('time')),
    known && h('ul', { class: 'plain' }, known),
    fit(path),
    profileFailed && h('p', { class: 'wrong', role: 'alert' }, errorText(profileFailed), ' ',
      button(t('again'), { 'data-keep': 'time-again', onclick: store.reload })),
    role === 'officer' ? [h('p', { class: 'quiet' }, t('timeAgency')),
      button(t('timeTry'), { 'data-keep': 'time-try', onclick: tryIt })] : profile && form(store, profile));
}
