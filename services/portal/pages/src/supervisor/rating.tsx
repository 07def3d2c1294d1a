/** A supervisor's rating of one officer: for each required skill a level in words, or none. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { type ApiError, newKey } from '../api';
import { useQuery } from '../query';
import { asApiError, Trouble } from '../errors';
import { decimal } from '../formats';
import { Localized, t } from '../i18n';
import { focusOn } from '../shell';
import { Button, Message, Wrong } from '../ui';
import { type FormSkill, readForm, submitRating } from './requests';

interface SkillProps {
  skill: FormSkill;
  chosen: number | undefined;
  onChoose: (level: number | undefined) => unknown;
}

function Skill({ skill, chosen, onChoose }: SkillProps): JSX.Element {
  const choice = (level: number | undefined, words: JSX.Element) => (
    <label class="option" key={level ?? 'none'}>
      <input
        type="radio"
        name={`rate-${skill.skill}`}
        value={level ?? ''}
        checked={chosen === level}
        onChange={() => onChoose(level)}
      />
      {words}
    </label>
  );
  return (
    <fieldset data-skill={skill.skill}>
      <legend>
        <Localized text={skill.title} />
      </legend>
      {skill.description && <Localized as="p" class="quiet" text={skill.description} />}
      <p class="quiet">{t('rating.required', { level: decimal(skill.required) })}</p>
      {choice(undefined, <span>{t('rating.unknown')}</span>)}
      {skill.levels.map(({ level, title, descriptor }) =>
        choice(
          level,
          <span>
            <strong>
              {decimal(level)} · <Localized text={title} />
            </strong>
            {descriptor && (
              <>
                <br />
                <Localized text={descriptor} />
              </>
            )}
          </span>,
        ),
      )}
    </fieldset>
  );
}

/** Return the place in the list of results that a field such as `results[2].level` names; NaN for another field. */
const placeOf = (field: string): number => Number(/^results\[(\d+)\]/.exec(field)?.[1]);

/** The form; what is not known is left out. */
export function Rating({ officer, back }: { officer: string; back: JSX.Element }): JSX.Element {
  const form = useQuery(() => readForm(officer));
  const chosen = useSignal<ReadonlyMap<string, number>>(new Map());
  const trouble = useSignal<{ error: ApiError; skills: string[] } | undefined>(undefined);
  const empty = useSignal(false);
  const busy = useSignal(false);
  const done = useSignal(false);
  const attempt = useSignal<{ key: string; at: string } | undefined>(undefined);
  const { value } = form;
  const refusal = trouble.value?.error ?? form.error;
  const nameOf = (field: string): JSX.Element | undefined => {
    const refused = trouble.value?.skills[placeOf(field)];
    const skill = value?.skills.find((one) => one.skill === refused);
    return skill && <Localized text={skill.title} />;
  };
  const failed = refusal && <Trouble error={refusal} special={{ 404: 'rating.notHere' }} nameOf={nameOf} again={value ? undefined : form.again} />;
  if (!value) {
    return failed ? (
      <Message title="rating.title">
        {failed}
        {back}
      </Message>
    ) : (
      <Message title="loading" />
    );
  }
  if (done.value) {
    return (
      <Message title="rating.done" why="rating.doneWhy">
        {back}
      </Message>
    );
  }
  const choose = (skill: string, level: number | undefined) => {
    const next = new Map(chosen.value);
    if (level === undefined) next.delete(skill);
    else next.set(skill, level);
    chosen.value = next;
    attempt.value = undefined; // it is another rating
  };
  const send = async (event: Event) => {
    event.preventDefault();
    empty.value = chosen.value.size === 0;
    if (busy.value || empty.value) return;
    busy.value = true;
    trouble.value = undefined;
    const { key, at } = (attempt.value ??= { key: newKey(), at: new Date().toISOString() });
    const results = [...chosen.value].map(([skill, level]) => ({ skill, level }));
    try {
      await submitRating(officer, key, value.framework, results, at);
      done.value = true;
      focusOn('main');
    } catch (error) {
      trouble.value = { error: asApiError(error), skills: results.map(({ skill }) => skill) };
    } finally {
      busy.value = false;
    }
  };
  return (
    <>
      {back}
      <h1 id="page-title">{t('rating.of', { id: officer })}</h1>
      <p class="quiet lead">{t('rating.why')}</p>
      <form class="rating" noValidate aria-describedby="rating-wrong" onSubmit={send}>
        {value.skills.map((skill) => (
          <Skill key={skill.skill} skill={skill} chosen={chosen.value.get(skill.skill)} onChoose={(level) => choose(skill.skill, level)} />
        ))}
        <Wrong id="rating-wrong">{empty.value && t('rating.empty')}</Wrong>
        {failed}
        <Button name="rating-send" class="main" submit busy={busy.value}>
          {t('rating.send')}
        </Button>
      </form>
    </>
  );
}
