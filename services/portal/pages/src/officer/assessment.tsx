/** The assessment: one question at a time; a person who stops can continue later, on any device. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect } from 'preact/hooks';
import * as api from '../api';
import { asApiError, Refusal } from '../errors';
import { Localized, t } from '../i18n';
import { keepPlaced, placed } from '../place';
import { goTo } from '../shell';
import { Button, Section, Wrong } from '../ui';
import type { Visit } from './visit';

interface QuestionProps {
  item: api.SessionItem;
  busy: boolean;
  onAnswer: (response: number) => unknown;
}

function Question({ item, busy, onAnswer }: QuestionProps): JSX.Element {
  const chosen = useSignal<number | undefined>(undefined);
  const missing = useSignal(false);
  useLayoutEffect(() => goTo('question'), [item.sequence]);
  const send = (event: Event) => {
    event.preventDefault();
    missing.value = chosen.value === undefined;
    if (chosen.value !== undefined && !busy) onAnswer(chosen.value);
  };
  return (
    <form class="question" noValidate onSubmit={send}>
      <fieldset aria-describedby="question-wrong">
        <legend id="question" tabIndex={-1}>
          <Localized text={item.stem} />
        </legend>
        {item.options.map((option, i) => (
          <label key={i} class="option">
            <input
              type="radio"
              name="response"
              checked={chosen.value === i}
              onChange={() => {
                chosen.value = i;
              }}
            />
            <Localized text={option} />
          </label>
        ))}
      </fieldset>
      <Wrong id="question-wrong">{missing.value && t('questionMissing')}</Wrong>
      <Button name="question-send" class="main" submit busy={busy}>
        {t('questionSend')}
      </Button>
    </form>
  );
}

function Progress({ progress }: { progress: api.SessionStep['progress'] }): JSX.Element {
  const { answered, max_items, skills_measured, skills } = progress;
  const words = t('assessSure', { n: skills_measured, all: skills });
  return (
    <p class="session-progress">
      <span>{t('assessQuestion', { n: answered + 1, most: max_items })}</span>
      <progress max={Math.max(1, skills)} value={skills_measured} aria-label={words} />
      <span>{words}</span>
    </p>
  );
}

/** Whether the newest path that is known was made from this sequence of the officer's profile, or a later one. */
const isPlanned = (visit: Visit, sequence: number): boolean => (visit.recommended.value?.path.versions.profile ?? 0) >= sequence;

const Result = ({ result, visit }: { result: api.SessionResult; visit: Visit }): JSX.Element => (
  <div class="notice">
    <h3 id="session-result" tabIndex={-1}>
      {t('assessDone')}
    </h3>
    <Localized as="p" text={result.explanation} />
    <p>{t(result.profile_sequence === null ? 'assessNothing' : isPlanned(visit, result.profile_sequence) ? 'assessPathIsHere' : 'assessPathComes')}</p>
  </div>
);

/** The name under which the session is kept whose question is open. */
const OPEN = 'assessment';

/** The section of the assessment: a button to begin or continue, then the questions, then the result. */
export function Assessment({ visit }: { visit: Visit }): JSX.Element {
  const step = useSignal<api.SessionStep | undefined>(undefined);
  const error = useSignal<api.ApiError | undefined>(undefined);
  const busy = useSignal(false);
  /** Whether the last answer was not taken, because the session had moved on. */
  const moved = useSignal(false);
  const { officer } = visit;
  const ask = async (work: () => Promise<api.SessionStep>) => {
    if (busy.value) return;
    busy.value = true;
    error.value = undefined;
    moved.value = false;
    const { revision } = visit;
    const { value: before } = step;
    try {
      step.value = await work().then(
        (next) => {
          if ((next.result?.profile_sequence ?? null) !== null) visit.expect('assessment', revision);
          return next;
        },
        (thrown: unknown) => {
          if (!before || asApiError(thrown).status !== 409) throw thrown;
          moved.value = true;
          return api.readSession(officer, before.session);
        },
      );
      keepPlaced(OPEN, step.value.item ? step.value.session : undefined);
    } catch (thrown) {
      error.value = asApiError(thrown);
    } finally {
      busy.value = false;
    }
  };
  useEffect(() => {
    const session = placed(OPEN);
    if (typeof session !== 'string') return;
    api.readSession(officer, session).then(
      (found) => {
        if (found.item && !step.peek()) step.value = found; // the page was loaded again meanwhile
      },
      () => undefined, // the button to go on is there
    );
  }, [officer, step]);
  const { value: now } = step;
  const item = now?.item;
  const begin = () => ask(() => api.startSession(officer));
  const result = now?.result;
  useLayoutEffect(() => {
    if (result) goTo('session-result');
  }, [result]);
  return (
    <Section name="assessment" title="assessTitle" why="assessWhy" target>
      {now && item && (
        <>
          <Progress progress={now.progress} />
          <Question
            key={item.sequence}
            item={item}
            busy={busy.value}
            onAnswer={(response) =>
              ask(() => api.answerItem(officer, now.session, { item: item.id, sequence: item.sequence, response }))
            }
          />
          <p class="actions">
            <Button
              name="assess-later"
              onClick={() => {
                step.value = undefined;
                keepPlaced(OPEN, undefined);
                error.value = undefined;
                moved.value = false;
                goTo('assessment-title');
              }}
            >
              {t('assessLater')}
            </Button>
            <Button name="assess-stop" busy={busy.value} onClick={() => ask(() => api.stopSession(officer, now.session))}>
              {t('assessStop')}
            </Button>
          </p>
        </>
      )}
      {result && <Result result={result} visit={visit} />}
      {!item && (
        <Button name="assess-begin" busy={busy.value} onClick={begin}>
          {t('assessBegin')}
        </Button>
      )}
      <Wrong id="assessment-wrong">{error.value ? <Refusal error={error.value} /> : moved.value && t('assessMoved')}</Wrong>
    </Section>
  );
}
