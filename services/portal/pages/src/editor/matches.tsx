/** The queue of proposed matches: one at a time, decided with one key each. */

import { useSignal } from '@preact/signals';
import type { JSX, TargetedKeyboardEvent } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { useQuery } from '../query';
import { Refusal, Trouble } from '../errors';
import { tenths } from '../formats';
import { type Key, language, localize, Localized, t } from '../i18n';
import { isSame, lapsed, session } from '../shell';
import { type FrameworkSummary, listFrameworks, type Session } from '../api';
import { Button } from '../ui';
import { address, goToView, link } from './address';
import { courseOf, frameworkOf } from './names';
import { Choice, CorrectForm, CourseLink, NamedCourse, PageHeading, SkillOptions, Span, Sureness } from './parts';
import { type Item, marked, type Order, ORDERS, Queue } from './queue';

const AHEAD = 3; // courses whose descriptions are fetched before they are shown

/** The keys of the queue. They work while the focus is within the match, so they disturb no other field or program. */
const KEYS = { confirm: 'c', correct: 'e', reject: 'r', skip: 'n', back: 'b' } as const;
type Doing = keyof typeof KEYS;

const Words = ({ text, words, lang }: { text: string; words: string[]; lang?: string | undefined }): JSX.Element => (
  <span lang={lang ?? language()}>
    {marked(text, words).map(({ text: piece, hit }, i) => (hit ? <mark key={i}>{piece}</mark> : piece))}
  </span>
);

function Description({ item }: { item: Item }): JSX.Element | null {
  const course = courseOf(item.course);
  if (!course) return <p class="quiet">{t('loading')}</p>;
  const { words, lang } = localize(course.description);
  return (
    <>
      <p class="about">
        <Localized text={course.provider} /> · {t('hours', { n: tenths(course.hours) })} ·{' '}
        <CourseLink id={course.id}>{t('wholeCourse')}</CourseLink>
      </p>
      {course.description ? (
        <p class="prose">
          <Words text={words} words={item.match.words} lang={lang} />
        </p>
      ) : (
        <p class="quiet">{t('noDescription')}</p>
      )}
    </>
  );
}

/** The decision on a match, and whether it is stored. */
export function Decided({ item }: { item: Item }): JSX.Element | null {
  const { decided, state, error } = item;
  if (!decided) return null;
  const isLost = state === 'failed' || state === 'overtaken';
  return (
    <span class={isLost ? 'wrong' : undefined}>
      <strong>{t(`decided.${decided}`)}</strong> {state === 'saving' && t('saving')}
      {isLost && error && <Refusal error={error} special={{ 404: 'matchGone', 409: `overtaken.${item.match.status}` }} />}
    </span>
  );
}

function Card({ queue, item }: { queue: Queue; item: Item }): JSX.Element {
  const correcting = useSignal(false);
  const heading = useRef<HTMLHeadingElement>(null);
  const { course, title, match } = item;
  const { words, lang } = localize(title);
  const at = queue.at.value;
  useLayoutEffect(() => {
    correcting.value = false;
    if (document.activeElement === document.body || document.activeElement?.closest('.match')) heading.current?.focus();
  }, [at, correcting]);
  useEffect(() => {
    if (correcting.value) document.getElementById('correct-skill')?.focus();
  }, [correcting.value]);
  const act: Record<Doing, () => void> = {
    confirm: () => queue.decide('confirmed'),
    reject: () => queue.decide('rejected'),
    correct: () => {
      correcting.value = true;
    },
    skip: () => queue.goTo(at + 1),
    back: () => queue.goTo(at - 1),
  };
  const pressed = (event: TargetedKeyboardEvent<HTMLElement>) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    if (event.key === 'Escape') correcting.value = false;
    if ((event.target as HTMLElement).closest('form')) return;
    // A Thai keyboard has another letter on the same key: the place counts where the letter is not Latin.
    const key = /^[a-z]$/i.test(event.key) ? event.key.toLowerCase() : event.code.replace(/^Key/, '').toLowerCase();
    const doing = (Object.keys(KEYS) as Doing[]).find((name) => KEYS[name] === key);
    if (!doing) return;
    event.preventDefault();
    act[doing]();
  };
  const button = (doing: Doing, main = false) => (
    <Button name={doing} class={main ? 'main' : undefined} aria-keyshortcuts={KEYS[doing]} onClick={act[doing]}>
      {t(`do.${doing}`)} <kbd aria-hidden="true">{KEYS[doing].toUpperCase()}</kbd>
    </Button>
  );
  const span = { skill: match.skill, from: match.from, to: match.to };
  return (
    // eslint-disable-next-line jsx-a11y-x/no-noninteractive-element-interactions -- every key has its button
    <article class="card match" aria-labelledby="match-title" data-course={course} data-skill={match.skill} onKeyDown={pressed}>
      <p class="quiet">{t(queue.whole.value ? 'placeOf' : 'placeOfMore', { n: at + 1, total: queue.items.value.length })}</p>
      <h2 id="match-title" tabIndex={-1} ref={heading}>
        <Words text={words} words={match.words} lang={lang} />
      </h2>
      <p class="claim">
        <Span framework={match.framework} span={item.right ?? span} />
      </p>
      <p>
        <Sureness confidence={match.confidence} threshold={match.threshold} />
        {match.words.length > 0 && <span class="quiet"> · {t('wordsMatched', { words: match.words.join(', ') })}</span>}
        {item.officers > 0 && <span class="quiet"> · {t('openFor', { n: item.officers })}</span>}
        {match.like && (
          <span class="quiet">
            {' '}
            · {t('likeCourse')} <NamedCourse id={match.like} />
          </span>
        )}
      </p>
      {item.decided && (
        <p>
          <Decided item={item} />
        </p>
      )}
      {correcting.value ? (
        <CorrectForm
          framework={match.framework}
          span={item.right ?? span}
          onCorrect={(right) => queue.decide('corrected', right)}
          onCancel={() => {
            correcting.value = false;
            heading.current?.focus();
          }}
        />
      ) : (
        <div class="actions">
          {button('confirm', true)}
          {button('correct')}
          {button('reject')}
          {button('skip')}
          {at > 0 && button('back')}
        </div>
      )}
      <Description item={item} />
    </article>
  );
}

/** The last decisions, each of which may be looked at and changed again. */
function Done({ queue }: { queue: Queue }): JSX.Element | null {
  const done = queue.items.value.flatMap((item, i) => (item.decided ? [{ item, i }] : [])).slice(-8);
  if (!done.length) return null;
  const change = (i: number) => {
    queue.goTo(i);
    document.getElementById('match-title')?.focus();
  };
  return (
    <section class="done" aria-labelledby="done-title">
      <h2 id="done-title">{t('doneHere')}</h2>
      <p class="quiet">{t('doneHereWhy')}</p>
      <ul class="plain statements">
        {done.reverse().map(({ item, i }) => (
          <li key={`${item.course} ${item.match.framework} ${item.match.skill}`}>
            <span>
              <Localized text={item.title} />: <Span framework={item.match.framework} span={item.right ?? item.match} /> –{' '}
              <Decided item={item} />
            </span>
            <Button name={`change-${i}`} class="small" onClick={() => change(i)}>
              {t('change')}
              <span class="unseen">: {localize(item.title).words}</span>
            </Button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Status({ queue }: { queue: Queue }): JSX.Element {
  const items = queue.items.value;
  const saved = items.filter(({ state }) => state === 'saved').length;
  const failed = items.filter(({ state }) => state === 'failed').length;
  const overtaken = items.filter(({ state }) => state === 'overtaken').length;
  return (
    <div class="queue-status">
      <p role="status" id="queue-status">
        {saved > 0 && t('savedCount', { n: saved })} {failed > 0 && t('failedCount', { n: failed })}{' '}
        {overtaken > 0 && t('overtakenCount', { n: overtaken })}
      </p>
      {failed > 0 && (
        <Button name="send-again" onClick={() => queue.sendAgain()}>
          {t('sendAgain')}
        </Button>
      )}
    </div>
  );
}

interface QueueFilters {
  framework: string;
  skill: string;
  order: Order;
}

/** Return the filters of the queue from the address. */
function filtersOf(params: URLSearchParams): QueueFilters {
  const order = ORDERS.find((one) => one === params.get('order')) ?? 'valuable';
  return { framework: params.get('framework') ?? '', skill: params.get('skill') ?? '', order };
}

function Filters({ frameworks }: { frameworks: FrameworkSummary[] }): JSX.Element {
  const { framework, skill, order } = filtersOf(address.value.params);
  const known = framework ? frameworkOf(framework) : undefined;
  return (
    <div class="fields filters">
      <Choice id="match-framework" label={t('inFramework')} value={framework} onChoose={(value) => goToView('matches', { framework: value, order })}>
        <option value="">{t('everyFramework')}</option>
        {frameworks.map(({ id, title }) => (
          <option key={id} value={id}>
            {localize(title).words}
          </option>
        ))}
      </Choice>
      {known && (
        <Choice id="match-skill" label={t('skill')} value={skill} onChoose={(value) => goToView('matches', { framework, skill: value, order })}>
          <option value="">{t('everySkill')}</option>
          <SkillOptions framework={known} />
        </Choice>
      )}
      <Choice id="match-order" label={t('order')} value={order} onChoose={(value) => goToView('matches', { framework, skill, order: value })}>
        {ORDERS.map((one) => (
          <option key={one} value={one}>
            {t(`orders.${one}`)}
          </option>
        ))}
      </Choice>
    </div>
  );
}

function Shown({ queue }: { queue: Queue }): JSX.Element {
  const { current } = queue;
  const error = queue.error.value;
  useEffect(() => {
    for (const { course } of queue.items.value.slice(queue.at.value, queue.at.value + AHEAD)) courseOf(course);
  }, [queue, queue.at.value, queue.items.value]);
  if (current) return <Card queue={queue} item={current} />;
  if (error) return <Trouble error={error} again={() => queue.more()} />;
  if (queue.loading.value) return <p role="status">{t('loading')}</p>;
  const { framework, skill } = filtersOf(address.value.params);
  const none: [Key, Key] = framework || skill ? ['queueNone', 'queueNoneWhy'] : ['queueEmpty', 'queueEmptyWhy'];
  const end: [Key, Key] = queue.items.value.length ? ['queueDone', 'queueDoneWhy'] : none;
  return (
    <div class="notice" id="queue-end">
      <h2>{t(end[0])}</h2>
      <p>{t(end[1])}</p>
      <p class="actions">
        <a href={link('load')}>{t('editor.load')}</a>
        <a href={link('health')}>{t('editor.health')}</a>
      </p>
    </div>
  );
}

let kept: { of: Session | undefined; name: string; queue: Queue } | undefined;

/**
 * Return the queue for a filter: the one that somebody left to look at a course, until it is done. Another one takes over
 * what the same person decided.
 */
function queueOf({ framework, skill, order }: QueueFilters): Queue {
  const name = JSON.stringify([framework, skill, order]);
  const { value: who } = session;
  const before = kept?.of && who && isSame(kept.of, who) ? kept : undefined;
  if (before?.queue.current && before.name === name) return before.queue;
  const filter = { ...(framework && { framework }), ...(skill && { skill }) };
  const queue = new Queue(filter, order, undefined, before?.queue);
  kept = { of: who, name, queue };
  return queue;
}

/** Warn a person who closes the window, on any page, before every decision is stored. */
window.addEventListener('beforeunload', (event) => {
  if (kept?.queue.unsent) event.preventDefault();
});

export default function Matches(): JSX.Element {
  const { framework, skill, order } = filtersOf(address.value.params);
  const frameworks = useQuery(listFrameworks); // the queue works without the filter
  const queue = useMemo(() => queueOf({ framework, skill, order }), [framework, skill, order]);
  useEffect(() => {
    if (!queue.current) void queue.more();
    const sendAgain = () => queue.sendAgain();
    window.addEventListener('online', sendAgain);
    return () => window.removeEventListener('online', sendAgain);
  }, [queue]);
  const isOver = lapsed.value;
  useEffect(() => {
    if (!isOver) queue.sendAgain(); // the session was renewed, or somebody comes back to the page
  }, [isOver, queue]);
  return (
    <>
      <PageHeading title="matchesTitle" why="matchesWhy" />
      <p class="quiet lead about-keys">{t('matchesKeys')}</p>
      <Filters frameworks={frameworks.value ?? []} />
      <Status queue={queue} />
      <Shown queue={queue} />
      <Done queue={queue} />
    </>
  );
}
