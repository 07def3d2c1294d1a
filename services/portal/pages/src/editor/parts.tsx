/** The small parts that the editors' pages share. */

import { useSignal } from '@preact/signals';
import type { ComponentChildren, JSX, TargetedSubmitEvent } from 'preact';
import { decimal, percent } from '../formats';
import { type Key, localize, Localized, rich, t } from '../i18n';
import { Button, field, Wrong } from '../ui';
import { link } from './address';
import { courseOf, frameworkOf, levelTitle, skillTitle } from './names';
import { surenessOf } from './queue';
import type { Framework, SkillSpan } from './requests';

/** The heading of a page. */
export const PageHeading = ({ title, why }: { title: Key; why?: Key }): JSX.Element => (
  <>
    <h1 id="page-title">{t(title)}</h1>
    {why && <p class="quiet lead">{t(why)}</p>}
  </>
);

/** A level with its name. */
export function Level({ framework, level }: { framework: string; level: number }): JSX.Element {
  const title = levelTitle(framework, level);
  return (
    <>
      {decimal(level)}
      {title && (
        <>
          {' '}
          (<Localized text={title} />)
        </>
      )}
    </>
  );
}

/** A statement that a course teaches a skill from one level to another. */
export function Span({ framework, span }: { framework: string; span: SkillSpan }): JSX.Element {
  return (
    <>
      {rich('span', {
        skill: <Localized as="strong" text={skillTitle(framework, span.skill)} />,
        from: <Level framework={framework} level={span.from} />,
        to: <Level framework={framework} level={span.to} />,
      })}
    </>
  );
}

/** A confidence in words and as a number. */
export const Sureness = ({ confidence, threshold }: { confidence: number; threshold: number }): JSX.Element => {
  const sure = surenessOf(confidence, threshold);
  return (
    <span class={`sureness ${sure}`}>
      {t(`sure.${sure}`)} ({percent(confidence)})
    </span>
  );
};

/** A link to a course of the catalog, by its title once that is known. */
export const CourseLink = ({ id, children }: { id: string; children?: ComponentChildren }): JSX.Element => (
  <a href={link('courses', { course: id })}>{children ?? id}</a>
);

/** The same, but it fetches the title. */
export const NamedCourse = ({ id }: { id: string }): JSX.Element => (
  <CourseLink id={id}>
    <Localized text={courseOf(id)?.title ?? { en: id }} />
  </CourseLink>
);

/** The options of a field for skills, by area. */
export function SkillOptions({ framework, selected }: { framework: Framework; selected?: string }): JSX.Element {
  return (
    <>
      {framework.areas.map((area) => {
        const skills = framework.skills.filter((skill) => skill.area === area.id);
        return (
          skills.length > 0 && (
            <optgroup key={area.id} label={localize(area.title).words}>
              {skills.map((skill) => (
                <option key={skill.id} value={skill.id} selected={skill.id === selected}>
                  {localize(skill.title).words}
                </option>
              ))}
            </optgroup>
          )
        );
      })}
    </>
  );
}

/** A field with a choice, and its label. */
export function Choice(props: {
  id: string;
  label: string;
  value: string;
  onChoose: (value: string) => unknown;
  children: ComponentChildren;
}): JSX.Element {
  const { id, label, value, onChoose, children } = props;
  return (
    <div>
      <label for={id}>{label}</label>
      <select id={id} data-keep={id} value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
        {children}
      </select>
    </div>
  );
}

/** The form in which a person enters what a course teaches instead. */
export function CorrectForm(props: {
  framework: string;
  span: SkillSpan;
  busy?: boolean;
  onCorrect: (right: SkillSpan) => void;
  onCancel: () => void;
}): JSX.Element {
  const { framework, span, busy, onCorrect, onCancel } = props;
  const known = frameworkOf(framework);
  const levels = [...new Set([...(known?.scale ?? []).map(({ level }) => level), span.from, span.to])].sort((a, b) => a - b);
  const wrong = useSignal(false);
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const value = (name: string) => field(`correct-${name}`).value;
    const right = { skill: value('skill'), from: Number(value('from')), to: Number(value('to')) };
    wrong.value = right.to <= right.from;
    if (wrong.value) field('correct-to').focus();
    else onCorrect(right);
  };
  return (
    <form class="correct" noValidate onSubmit={submit}>
      <div class="fields">
        <div>
          <label for="correct-skill">{t('skillTaught')}</label>
          <select id="correct-skill">
            {known ? <SkillOptions framework={known} selected={span.skill} /> : <option value={span.skill}>{span.skill}</option>}
          </select>
        </div>
        {(['from', 'to'] as const).map((end) => (
          <div key={end}>
            <label for={`correct-${end}`}>{t(end === 'from' ? 'levelFrom' : 'levelTo')}</label>
            <select id={`correct-${end}`} aria-describedby={wrong.value ? 'correct-wrong' : undefined} aria-invalid={wrong.value && end === 'to' ? 'true' : undefined}>
              {levels.map((level) => (
                <option key={level} value={level} selected={level === span[end]}>
                  {[decimal(level), localize(levelTitle(framework, level)).words].filter(Boolean).join(' ')}
                </option>
              ))}
            </select>
          </div>
        ))}
      </div>
      <Wrong id="correct-wrong">{wrong.value && t('toAboveFrom')}</Wrong>
      <div class="actions">
        <Button name="correct-send" class="main" submit busy={busy}>
          {t('saveCorrection')}
        </Button>
        <Button name="correct-cancel" onClick={onCancel}>
          {t('cancel')}
        </Button>
      </div>
    </form>
  );
}
