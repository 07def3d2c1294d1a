/** One course of the catalog: what it teaches and where that comes from, and what its provider stated. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { webAddress } from '../address';
import type { ApiError } from '../api';
import { useQuery } from '../query';
import { Trouble, asApiError } from '../errors';
import { decimal, languageName, tenths } from '../formats';
import { Localized, rich, t } from '../i18n';
import { Button } from '../ui';
import { link } from './address';
import { forgetCourse, skillTitle } from './names';
import { CorrectForm, Level, NamedCourse, PageHeading, Span, Sureness } from './parts';
import {
  type CatalogCourse,
  type CourseMatches,
  type Decision,
  decideMatch,
  type Match,
  type Prerequisite,
  readCourse,
  readMatches,
  type SkillSpan,
} from './requests';
import { originOf } from './origins';

interface Known {
  course: CatalogCourse;
  /** Undefined for a course that is shared by all tenants: its matches are decided elsewhere. */
  matches: CourseMatches | undefined;
}

async function read(id: string): Promise<Known> {
  const [course, matches] = await Promise.all([
    readCourse(id),
    readMatches(id).catch((thrown: unknown) => {
      if (asApiError(thrown).status === 404) return undefined;
      throw thrown;
    }),
  ]);
  return { course, matches };
}

/** A condition before a course: another course, a level of a skill, or any or all of several. */
function Condition({ condition }: { condition: Prerequisite }): JSX.Element {
  const { course, framework, skill, level, any, all } = condition;
  if (course) return <NamedCourse id={course} />;
  if (framework && skill) {
    return <>{rich('needsLevel', { skill: <Localized text={skillTitle(framework, skill)} />, level: <Level framework={framework} level={level ?? 0} /> })}</>;
  }
  return (
    <>
      {t(any ? 'oneOf' : 'allOf')}
      <ul>
        {(any ?? all ?? []).map((one, i) => (
          <li key={i}>
            <Condition condition={one} />
          </li>
        ))}
      </ul>
    </>
  );
}

function Proposed({ match, decide }: { match: Match; decide: (status: Decision['status'], right?: SkillSpan) => Promise<void> }): JSX.Element {
  const correcting = useSignal(false);
  const busy = useSignal(false);
  const send = async (status: Decision['status'], right?: SkillSpan) => {
    busy.value = true;
    await decide(status, right);
    busy.value = false;
    correcting.value = false;
  };
  const span = { skill: match.skill, from: match.from, to: match.to };
  return (
    <li data-skill={match.skill}>
      <p>
        <Span framework={match.framework} span={span} /> – <Sureness confidence={match.confidence} threshold={match.threshold} />
        {match.words.length > 0 && <span class="quiet"> · {t('wordsMatched', { words: match.words.join(', ') })}</span>}
      </p>
      {match.status !== 'proposed' && <p>{t(`decided.${match.status}`)}</p>}
      {correcting.value ? (
        <CorrectForm
          framework={match.framework}
          span={match.corrected ?? span}
          busy={busy.value}
          onCorrect={(right) => void send('corrected', right)}
          onCancel={() => {
            correcting.value = false;
          }}
        />
      ) : (
        <div class="actions">
          <Button name={`confirm-${match.skill}`} class="small" busy={busy.value} onClick={() => send('confirmed')}>
            {t('do.confirm')}
          </Button>
          <Button
            name={`correct-${match.skill}`}
            class="small"
            onClick={() => {
              correcting.value = true;
            }}
          >
            {t('do.correct')}
          </Button>
          <Button name={`reject-${match.skill}`} class="small" busy={busy.value} onClick={() => send('rejected')}>
            {t('do.reject')}
          </Button>
        </div>
      )}
    </li>
  );
}

function Teaches({ known, decide }: { known: Known; decide: (match: Match, status: Decision['status'], right?: SkillSpan) => Promise<void> }): JSX.Element {
  const { course, matches } = known;
  const rows = course.teaches ?? [];
  return (
    <section aria-labelledby="teaches-title">
      <h2 id="teaches-title">{t('teachesTitle')}</h2>
      {rows.length === 0 && <p>{t('teachesNothing')}</p>}
      <ul class="plain statements">
        {rows.map((row) => (
          <li key={`${row.framework} ${row.skill}`}>
            <span>
              <Span framework={row.framework} span={row} />
            </span>
            <span class="mark">{t(`origin.${originOf(row, matches?.matches ?? [])}`)}</span>
          </li>
        ))}
      </ul>
      {!matches && <p class="quiet">{t('sharedCourse')}</p>}
      {matches?.waiting && <p class="quiet">{t('waitsForMatching')}</p>}
      {matches && matches.matches.length > 0 && (
        <>
          <h3>{t('proposedTitle')}</h3>
          <ul class="plain proposed">
            {matches.matches.map((match) => (
              <Proposed key={`${match.framework} ${match.skill}`} match={match} decide={(...decision) => decide(match, ...decision)} />
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

function Facts({ course }: { course: CatalogCourse }): JSX.Element {
  const assumed = new Set(course.assumed ?? []);
  const guess = (fact: 'hours' | 'languages' | 'provider') => assumed.has(fact) && <span class="mark">{t('assumed')}</span>;
  return (
    <dl class="facts">
      <div>
        <dt>{t('facet.provider')}</dt>
        <dd>
          <Localized text={course.provider} /> {guess('provider')}
        </dd>
      </div>
      <div>
        <dt>{t('facet.hours')}</dt>
        <dd>
          {t('hours', { n: tenths(course.hours) })} {guess('hours')}
        </dd>
      </div>
      <div>
        <dt>{t('facet.language')}</dt>
        <dd>
          {course.languages.map(languageName).join(', ')} {guess('languages')}
        </dd>
      </div>
      <div>
        <dt>{t('courseId')}</dt>
        <dd lang="en">{course.id}</dd>
      </div>
      {course.rating && (
        <div>
          <dt>{t('rating')}</dt>
          <dd>{t('ratingOf', { mean: decimal(course.rating.mean), n: course.rating.count })}</dd>
        </div>
      )}
    </dl>
  );
}

function Rest({ course }: { course: CatalogCourse }): JSX.Element {
  const requires = course.requires ?? [];
  const stated = Object.entries(course.stated ?? {});
  const beside = [['corequisites', course.corequisites ?? []], ['antirequisites', course.antirequisites ?? []]] as const;
  return (
    <>
      <section aria-labelledby="before-title">
        <h2 id="before-title">{t('beforeTitle')}</h2>
        {requires.length === 0 && <p>{t('beforeNothing')}</p>}
        <ul>
          {requires.map((condition, i) => (
            <li key={i}>
              <Condition condition={condition} />
            </li>
          ))}
        </ul>
        {beside.map(
          ([kind, ids]) =>
            ids.length > 0 && (
              <div key={kind}>
                <h3>{t(`beside.${kind}`)}</h3>
                <ul>
                  {ids.map((id) => (
                    <li key={id}>
                      <NamedCourse id={id} />
                    </li>
                  ))}
                </ul>
              </div>
            ),
        )}
      </section>
      {stated.length > 0 && (
        <section aria-labelledby="stated-title">
          <h2 id="stated-title">{t('statedTitle')}</h2>
          <dl class="stated">
            {stated.map(([fact, words]) => (
              <div key={fact}>
                <dt lang="en">{fact}</dt>
                <dd>{words}</dd>
              </div>
            ))}
          </dl>
        </section>
      )}
    </>
  );
}

/** The page of a course. */
export function Course({ id }: { id: string }): JSX.Element {
  const known = useQuery(() => read(id));
  const refused = useSignal<ApiError | undefined>(undefined);
  const decide = async (match: Match, status: Decision['status'], right?: SkillSpan) => {
    const { framework, skill } = match;
    try {
      await decideMatch({ course: id, framework, skill, status, ...(right && { right }), seen: match.status });
      refused.value = undefined;
    } catch (thrown) {
      refused.value = asApiError(thrown);
      return;
    }
    forgetCourse(id);
    await known.again();
  };
  const error = refused.value ?? known.error;
  const course = known.value?.course;
  const url = webAddress(course?.url);
  return (
    <article class="course" data-course={id}>
      <p class="actions">
        <a href={link('courses')}>{t('toSearch')}</a>
      </p>
      {!course && <PageHeading title="coursesTitle" />}
      {error && <Trouble error={error} again={known.again} />}
      {!known.value && !error && <p role="status">{t('loading')}</p>}
      {course && known.value && (
        <>
          <Localized as="h1" text={course.title} />
          <Facts course={course} />
          {url && (
            <p class="actions">
              <a href={url} rel="noreferrer">
                {t('atProvider')}
              </a>
            </p>
          )}
          {course.description && <Localized as="p" class="prose" text={course.description} />}
          {(course.tags?.length ?? 0) > 0 && <p class="quiet">{t('tags', { tags: (course.tags ?? []).join(', ') })}</p>}
          <Teaches known={known.value} decide={decide} />
          <Rest course={course} />
        </>
      )}
    </article>
  );
}
