/** A course picker: first the skill, then one of the courses that teach it. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { ApiError, type Course, coursesTeaching, type Framework, type LearningPath } from '../api';
import { asApiError, Refusal } from '../errors';
import { tenths } from '../formats';
import { type Key, language, localize, t, type Text } from '../i18n';
import { Button, field } from '../ui';
import { meets } from './skills';

const IN_PATH = 'path'; // the choice of the path's own courses, in place of a skill

interface CoursePickerProps {
  name: string;
  framework: Framework;
  path: LearningPath;
  /** The label of the button. */
  label: Key;
  busy?: boolean;
  /** Whether the path's own courses are offered too, else only others. */
  inPath?: boolean;
  /** Whether the button is the section's main one. */
  main?: boolean;
  onPick: (course: Course) => void;
}

interface Chosen {
  skill: string;
  courses?: Course[];
  error?: ApiError;
}

const Option = ({ id, title }: { id: string; title: Text }): JSX.Element => {
  const { words, lang } = localize(title);
  return (
    <option value={id} lang={lang ?? language()}>
      {words}
    </option>
  );
};

function Skills({ framework, path }: Pick<CoursePickerProps, 'framework' | 'path'>): JSX.Element {
  const below = new Set(path.gaps.filter((gap) => !meets(gap.level, gap.required)).map((gap) => gap.skill));
  const groups = [
    { label: 'skillsShort', skills: framework.skills.filter((skill) => below.has(skill.id)) },
    { label: 'skillsOther', skills: framework.skills.filter((skill) => !below.has(skill.id)) },
  ] as const;
  return (
    <>
      {groups.map(
        ({ label, skills }) =>
          skills.length > 0 && (
            <optgroup key={label} label={t(label)}>
              {skills.map((skill) => (
                <Option key={skill.id} id={skill.id} title={skill.title} />
              ))}
            </optgroup>
          ),
      )}
    </>
  );
}

function offeredOf(chosen: Chosen | undefined, path: LearningPath, inPath: boolean): Course[] | undefined {
  const taken = path.steps.map((step) => step.course);
  if (chosen?.skill === IN_PATH) return taken;
  return inPath ? chosen?.courses : chosen?.courses?.filter(({ id }) => !taken.some((course) => course.id === id));
}

/** Two fields and a button; `onPick` gets the course that was chosen. */
export function CoursePicker(props: CoursePickerProps): JSX.Element {
  const { name, framework, path, label, busy = false, inPath = false, main = false, onPick } = props;
  const chosen = useSignal<Chosen | undefined>(undefined);
  const id = (kind: string) => `${name}-${kind}`;
  const choose = async (skill: string) => {
    const mine: Chosen = { skill };
    chosen.value = mine;
    if (!skill || skill === IN_PATH) return;
    let found: Chosen;
    try {
      found = { skill, courses: await coursesTeaching(framework.id, skill) };
    } catch (thrown) {
      found = { skill, error: asApiError(thrown) };
    }
    if (chosen.value === mine) chosen.value = found;
  };
  const { value } = chosen;
  const offered = offeredOf(value, path, inPath);
  const pick = () => {
    const found = offered?.find((course) => course.id === field(id('course')).value);
    if (found) onPick(found);
    else field(id(value?.skill ? 'course' : 'skill')).focus();
  };
  return (
    <div class="picker">
      <div>
        <label for={id('skill')}>{t('pickSkill')}</label>
        <select id={id('skill')} data-keep={id('skill')} onChange={(event) => choose(event.currentTarget.value)}>
          <option value="">{t('pickOne')}</option>
          {inPath && path.steps.length > 0 && <option value={IN_PATH}>{t('pickInPath')}</option>}
          <Skills framework={framework} path={path} />
        </select>
      </div>
      <div>
        <label for={id('course')}>{t('pickCourse')}</label>
        <select key={value?.skill} id={id('course')} data-keep={id('course')} aria-describedby={id('status')}>
          <option value="">{t('pickOne')}</option>
          {(offered ?? []).map((course) => (
            <option key={course.id} value={course.id}>
              {localize(course.title).words} ({t('hours', { n: tenths(course.hours) })})
            </option>
          ))}
        </select>
      </div>
      <p class="quiet" id={id('status')} role="status">
        {value?.error && (
          <>
            <Refusal error={value.error} />{' '}
            <Button name={id('again')} class="small" onClick={() => choose(value.skill)}>
              {t('again')}
            </Button>
          </>
        )}
        {!value?.error && value?.skill && !offered && t('pickLoading')}
        {offered?.length === 0 && t('pickNone')}
      </p>
      <Button name={id('send')} class={main ? 'main' : undefined} busy={busy} onClick={pick}>
        {t(label)}
      </Button>
    </div>
  );
}
