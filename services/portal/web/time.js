/** How much time there is to learn: hours a week, a deadline, and honestly whether the path fits into it. */

import { dateField, today } from './dates.js';
import { el, press } from './dom.js';
import { problem } from './feedback.js';
import { day, hours, say } from './language.js';

const MOST = 168; // hours in a week
/** Hours: what is tried out as having no limit. */
export const ENDLESS = 100000;

/** Return [hours a week or null, deadline or null, key of what is wrong or nothing]. */
export function readTime(weeklyField, deadlineField) {
  const weekly = weeklyField.value === '' ? null : Number(weeklyField.value);
  const deadline = deadlineField.value || null;
  if (weeklyField.validity.badInput || (weekly !== null && !(weekly > 0 && weekly <= MOST))) return [null, null, 'weeklyWrong'];
  if (deadlineField.validity.badInput || (deadline !== null && deadline <= today())) return [null, null, 'deadlineWrong'];
  if (deadline !== null && weekly === null) return [null, null, 'pairNeeded'];
  return [weekly, deadline, undefined];
}

/** Return the two fields; `weekly` and `deadline` are what they begin with, `wrong` is the id of what is said of them. */
export function timeFields(name, { weekly, deadline, wrong }) {
  const described = wrong ? { 'aria-describedby': wrong, 'aria-invalid': 'true' } : {};
  const id = `${name}-weekly`;
  return el('div', { class: 'fields' },
    el('div', {}, el('label', { for: id }, say('weekly')),
      el('input', { id, type: 'number', inputmode: 'decimal', min: '0.5', max: MOST, step: 'any', value: weekly ?? '',
        'data-keep': id, autocomplete: 'off', ...described })),
    dateField(`${name}-deadline`, say('deadline'), { min: today(), value: deadline, wrong }));
}

/** Return what does not fit into the time there is, as a list of sentences. */
export function short({ over_budget_hours: over, short_hours: missing }) {
  return [over > 0 && el('p', { class: 'short' }, say('overBy', hours(over))),
    missing > 0 && el('p', { class: 'short' }, say('shortBy', hours(missing)))].filter(Boolean);
}

/** Return what is honestly to be said of a path and the time there is for it, as a list of sentences. */
export function fit(path) {
  const missing = short(path);
  if (missing.length > 0 || !(path.budget_hours >= path.hours && path.budget_hours < ENDLESS)) return missing;
  return [el('p', {}, say('fits', hours(path.budget_hours)))];
}

function form(desk, profile) {
  const { complaint, error, saved } = desk.state.time;
  const words = complaint ? say(complaint) : error ? problem(error) : '';
  const send = (event) => {
    event.preventDefault();
    const [weekly, deadline, wrong] = readTime(...['weekly', 'deadline'].map((kind) => document.getElementById(`time-${kind}`)));
    if (!wrong) return desk.saveTime(weekly, deadline);
    desk.complain('time', wrong);
    return document.getElementById(wrong === 'deadlineWrong' ? 'time-deadline' : 'time-weekly').focus();
  };
  return el('form', { novalidate: true, onsubmit: send },
    timeFields('time', { weekly: profile.weekly_hours, deadline: profile.deadline, wrong: complaint && 'time-wrong' }),
    el('p', { class: 'wrong', id: 'time-wrong', role: 'alert' }, words),
    el('p', { role: 'status' }, saved ? say(saved) : ''),
    el('button', { type: 'submit', class: 'main', 'data-keep': 'time-send',
      'aria-disabled': desk.state.busy.has('time') ? 'true' : undefined }, say('timeSave')));
}

/** Return the section of the time for learning; `tryIt()` leads to where other hours are tried out. */
export function timeSection(desk, path, tryIt) {
  const { profile, profileFailed, role } = desk.state;
  const known = profile && [
    el('li', {}, profile.weekly_hours ? say('perWeek', hours(profile.weekly_hours)) : say('noWeekly')),
    el('li', {}, profile.deadline ? say('until', day(profile.deadline)) : say('noDeadline')),
    path.budget_hours > 0 && el('li', {}, say('budgetOf', hours(path.budget_hours))),
  ];
  return el('section', { class: 'time', 'aria-labelledby': 'time-title' },
    el('h2', { id: 'time-title', tabindex: '-1' }, say('time')),
    known && el('ul', { class: 'plain' }, known),
    fit(path),
    profileFailed && el('p', { class: 'wrong', role: 'alert' }, problem(profileFailed), ' ',
      press(say('again'), { 'data-keep': 'time-again', onclick: desk.look })),
    role === 'officer' ? [el('p', { class: 'quiet' }, say('timeAgency')),
      press(say('timeTry'), { 'data-keep': 'time-try', onclick: tryIt })] : profile && form(desk, profile));
}
