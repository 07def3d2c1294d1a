/**
 * A supervisor's rating of one officer: for each required skill a level in words, or none. The skills of an area are in a
 * part that opens, because all of them are a long way to scroll on a phone.
 */

import { type Signal, signal, useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { type ApiError, type Framework, newKey, readFramework } from '../api';
import { type Area, byArea } from '../areas';
import { useQuery } from '../query';
import { asApiError, Trouble } from '../errors';
import { decimal } from '../formats';
import { Localized, t } from '../i18n';
import { Kept } from '../kept';
import { focusOn } from '../shell';
import { Button, Message, Wrong } from '../ui';
import { type Form, type FormSkill, readForm, submitRating } from './requests';

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

type Levels = ReadonlyMap<string, number>;

/** The levels that are chosen and not sent yet, by officer. */
const kept = new Kept<Signal<Levels>>(() => signal<Levels>(new Map()));
kept.warnOf((levels) => levels.value.size > 0);

interface Read {
  form: Form;
  areas: Area<FormSkill>[];
}

async function read(officer: string): Promise<Read> {
  const form = await readForm(officer);
  const framework = await readFramework(form.framework).catch(() => undefined); // without it all skills are in one list
  return { form, areas: areasOf(form.skills, framework) };
}

function areasOf(skills: readonly FormSkill[], framework: Framework | undefined): Area<FormSkill>[] {
  const areas = new Map((framework?.skills ?? []).map(({ id, area }) => [id, area]));
  return byArea(skills, ({ skill }) => areas.get(skill) ?? '', framework);
}

interface AreaProps {
  area: Area<FormSkill>;
  first: boolean;
  chosen: Levels;
  onChoose: (skill: string, level: number | undefined) => unknown;
}

/** The skills of an area: the first one is open, and each says how many of them are rated. */
function AreaPart({ area: { id, title, items }, first, chosen, onChoose }: AreaProps): JSX.Element {
  const skills = items.map((skill) => (
    <Skill key={skill.skill} skill={skill} chosen={chosen.get(skill.skill)} onChoose={(level) => onChoose(skill.skill, level)} />
  ));
  if (!title) return <>{skills}</>;
  const rated = items.filter(({ skill }) => chosen.has(skill)).length;
  return (
    <details open={first} data-keep={`area-${id}`}>
      <summary>
        <span>
          <Localized text={title} /> <span class="quiet">{t('rating.count', { n: rated, all: items.length })}</span>
        </span>
      </summary>
      {skills}
    </details>
  );
}

/** Return the place in the list of results that a field such as `results[2].level` names; NaN for another field. */
const placeOf = (field: string): number => Number(/^results\[(\d+)\]/.exec(field)?.[1]);

/** The form; what is not known is left out. */
export function Rating({ officer, back }: { officer: string; back: JSX.Element }): JSX.Element {
  const form = useQuery(() => read(officer));
  const chosen = useMemo(() => kept.get(officer), [officer]);
  const trouble = useSignal<{ error: ApiError; skills: string[] } | undefined>(undefined);
  const empty = useSignal(false);
  const busy = useSignal(false);
  const done = useSignal(false);
  const attempt = useSignal<{ key: string; at: string } | undefined>(undefined);
  const { value } = form;
  const skills = value?.form.skills ?? [];
  const refusal = trouble.value?.error ?? form.error;
  const nameOf = (field: string): JSX.Element | undefined => {
    const refused = trouble.value?.skills[placeOf(field)];
    const skill = skills.find((one) => one.skill === refused);
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
  const results = skills.flatMap(({ skill }) => {
    const level = chosen.value.get(skill);
    return level === undefined ? [] : [{ skill, level }];
  });
  const choose = (skill: string, level: number | undefined) => {
    const next = new Map(chosen.value);
    if (level === undefined) next.delete(skill);
    else next.set(skill, level);
    chosen.value = next;
    attempt.value = undefined; // it is another rating
  };
  const send = async (event: Event) => {
    event.preventDefault();
    empty.value = results.length === 0;
    if (busy.value || empty.value) return;
    busy.value = true;
    trouble.value = undefined;
    const { key, at } = (attempt.value ??= { key: newKey(), at: new Date().toISOString() });
    try {
      await submitRating(officer, key, value.form.framework, results, at);
      chosen.value = new Map();
      done.value = true;
      focusOn('main');
    } catch (error) {
      trouble.value = { error: asApiError(error), skills: results.map(({ skill }) => skill) };
    } finally {
      busy.value = false;
    }
  };
  const rated = t('rating.count', { n: results.length, all: skills.length });
  return (
    <>
      {back}
      <h1 id="page-title">{t('rating.of', { id: officer })}</h1>
      <p class="quiet lead">{t('rating.why')}</p>
      <form class="rating" noValidate aria-describedby="rating-wrong" onSubmit={send}>
        <p class="session-progress">
          <span>{rated}</span>
          <progress max={skills.length} value={results.length} aria-label={rated} />
        </p>
        {value.areas.map((area, i) => (
          <AreaPart key={area.id} area={area} first={i === 0} chosen={chosen.value} onChoose={choose} />
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
