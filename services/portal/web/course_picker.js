/** A course picker: first the skill, then one of the courses that teach it. */

import { button, h } from './dom.js';
import { errorText } from './errors.js';
import { hours, localized, t } from './i18n.js';

function skills(framework, path) {
  const short = new Set(path.gaps.filter((gap) => gap.level < gap.required - 0.05).map((gap) => gap.skill));
  const option = (skill) => localized('option', skill.title, { value: skill.id });
  const group = (label, members) => members.length > 0 && h('optgroup', { label: t(label) }, members.map(option));
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
export function coursePicker(name, { store, framework, path, label, busy, onpick, inPath = false, main = false }) {
  const chosen = store.controls.pickers[name];
  const offered = courses(chosen, path, inPath);
  const field = (kind) => `${name}-${kind}`;
  const pick = () => {
    const found = offered?.find((course) => course.id === document.getElementById(field('course')).value);
    if (found) onpick(found);
    else document.getElementById(field(chosen?.skill ? 'course' : 'skill')).focus();
  };
  return h('div', { class: 'picker' },
    h('div', {}, h('label', { for: field('skill') }, t('pickSkill')),
      h('select', { id: field('skill'), 'data-keep': field('skill'),
        onchange: (event) => store.chooseSkill(name, framework.id, event.target.value) },
      h('option', { value: '' }, t('pickOne')),
      inPath && path.steps.length > 0 && h('option', { value: 'path' }, t('pickInPath')),
      skills(framework, path))),
    h('div', {}, h('label', { for: field('course') }, t('pickCourse')),
      h('select', { id: field('course'), 'data-keep': field('course'), 'aria-describedby': field('status') },
        h('option', { value: '' }, t('pickOne')),
        (offered ?? []).map((course) => h('option', { value: course.id }, localized('span', course.title).textContent,
          ` (${t('hours', hours(course.hours))})`)))),
    h('p', { class: 'quiet', id: field('status'), role: 'status' },
      chosen?.error ? errorText(chosen.error) : chosen?.skill && !offered ? t('pickLoading')
        : offered?.length === 0 ? t('pickNone') : ''),
    button(t(label), { class: main && 'main', busy, 'data-keep': field('send'), onclick: pick }));
}
