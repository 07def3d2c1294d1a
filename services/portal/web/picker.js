/** Choosing a course: first the skill, then one of the courses that teach it. Plain selects, at home on any phone. */

import { el, press } from './dom.js';
import { hours, say, told } from './language.js';
import { problem } from './feedback.js';

function skills(framework, path) {
  const short = new Set(path.gaps.filter((gap) => gap.level < gap.required - 0.05).map((gap) => gap.skill));
  const option = (skill) => told('option', skill.title, { value: skill.id });
  const group = (label, members) => members.length > 0 && el('optgroup', { label: say(label) }, members.map(option));
  return [group('skillsShort', framework.skills.filter((skill) => short.has(skill.id))),
    group('skillsOther', framework.skills.filter((skill) => !short.has(skill.id)))];
}

function courses(chosen, path, inPath) {
  const taken = path.steps.map((step) => step.course);
  if (chosen?.skill === 'path') return taken;
  return inPath ? chosen?.courses : chosen?.courses?.filter(({ id }) => !taken.some((course) => course.id === id));
}

/**
 * Return fields and a button named `label`; `onpick(course)` gets {id, title, hours}. `inPath` offers the
 * path's own too, else only others. `main`: the button is the section's main one.
 */
export function picker(name, { desk, framework, path, label, busy, onpick, inPath = false, main = false }) {
  const chosen = desk.state.pickers[name];
  const offered = courses(chosen, path, inPath);
  const field = (kind) => `${name}-${kind}`;
  const pick = () => {
    const found = offered?.find((course) => course.id === document.getElementById(field('course')).value);
    if (found) onpick(found);
    else document.getElementById(field(chosen?.skill ? 'course' : 'skill')).focus();
  };
  return el('div', { class: 'picker' },
    el('div', {}, el('label', { for: field('skill') }, say('pickSkill')),
      el('select', { id: field('skill'), 'data-keep': field('skill'),
        onchange: (event) => desk.choose(name, framework.id, event.target.value) },
      el('option', { value: '' }, say('pickOne')),
      inPath && path.steps.length > 0 && el('option', { value: 'path' }, say('pickInPath')),
      skills(framework, path))),
    el('div', {}, el('label', { for: field('course') }, say('pickCourse')),
      el('select', { id: field('course'), 'data-keep': field('course'), 'aria-describedby': field('word') },
        el('option', { value: '' }, say('pickOne')),
        (offered ?? []).map((course) => el('option', { value: course.id }, told('span', course.title).textContent,
          ` (${say('hours', hours(course.hours))})`)))),
    el('p', { class: 'quiet', id: field('word'), role: 'status' },
      chosen?.error ? problem(chosen.error) : chosen?.skill && !offered ? say('pickLoading')
        : offered?.length === 0 ? say('pickNone') : ''),
    press(say(label), { class: main && 'main', busy, 'data-keep': field('send'), onclick: pick }));
}
