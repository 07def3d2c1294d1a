/** The faults of the whole catalog, with links to the pages where they can be corrected. */

import type { ComponentChildren, JSX } from 'preact';
import { useQuery } from '../query';
import { Trouble } from '../errors';
import { decimal, languageName } from '../formats';
import { type Key, localize, Localized, rich, t } from '../i18n';
import { link } from './address';
import { frameworkOf, skillTitle } from './names';
import { Level, NamedCourse, PageHeading, Sureness } from './parts';
import { type CatalogHealth, readHealth } from './requests';

const SHOWN = 20;

interface FaultsProps {
  name: 'cycles' | 'dangling' | 'unreachable' | 'twins' | 'weak_matches';
  count: number;
  rows: ComponentChildren[];
  /** What stands below them. */
  more?: JSX.Element;
}

/** One kind of fault: how many there are, what to do, and the first of them. */
function Faults({ name, count, rows, more }: FaultsProps): JSX.Element {
  return (
    <section class="faults" aria-labelledby={`${name}-title`} data-fault={name}>
      <h2 id={`${name}-title`}>
        {t(`fault.${name}`)} <span class="mark">{count}</span>
      </h2>
      <p class="quiet">{t(`mend.${name}`)}</p>
      <List rows={rows.slice(0, SHOWN)} />
      {rows.length > SHOWN && (
        <details>
          <summary>{t('moreOf', { n: rows.length - SHOWN })}</summary>
          <List rows={rows.slice(SHOWN)} />
        </details>
      )}
      {more}
    </section>
  );
}

const List = ({ rows }: { rows: ComponentChildren[] }): JSX.Element | null =>
  rows.length ? (
    <ul>
      {rows.map((row, i) => (
        <li key={i}>{row}</li>
      ))}
    </ul>
  ) : null;

const Chain = ({ ids, mark }: { ids: string[]; mark: string }): JSX.Element => (
  <>
    {ids.map((id, i) => (
      <span key={`${i} ${id}`}>
        {i > 0 && ` ${mark} `}
        <NamedCourse id={id} />
      </span>
    ))}
  </>
);

function Unreachable({ row }: { row: CatalogHealth['unreachable'][number] }): JSX.Element {
  const group = frameworkOf(row.framework)?.job_groups.find(({ id }) => id === row.job_group);
  return (
    <>
      <Localized text={group?.title ?? { en: row.job_group }} />:{' '}
      <a href={link('courses', { framework: row.framework, skill: row.skill })}>
        <Localized text={skillTitle(row.framework, row.skill)} />
      </a>{' '}
      {rich(row.cause === 'no_course' ? 'noCourse' : 'noWay', {
        required: <Level framework={row.framework} level={row.required} />,
        taught: decimal(row.taught),
        reached: decimal(row.reached),
      })}
    </>
  );
}

function Counts({ names, title, kind }: { names: [string, number][]; title: Key; kind: string }): JSX.Element {
  return (
    <section aria-labelledby={`${kind}-title`}>
      <h2 id={`${kind}-title`}>{t(title)}</h2>
      <ul class="plain counts">
        {names.slice(0, SHOWN).map(([name, n]) => (
          <li key={name}>
            {name} <span class="quiet">{n}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Shown({ found }: { found: CatalogHealth }): JSX.Element {
  const { counts } = found;
  const count = (name: string) => counts[name] ?? 0;
  const figures: [Key, number, string | undefined][] = [
    ['health.courses', found.courses, link('courses')],
    ['health.without', found.without_skills, link('matches')],
    ['health.waiting', found.waiting, undefined],
    ['health.proposed', count('matches_proposed'), link('matches')],
    ['health.confirmed', count('matches_confirmed') + count('matches_corrected'), undefined],
    ['health.rejected', count('matches_rejected'), undefined],
  ];
  const faults: FaultsProps[] = [
    { name: 'unreachable', count: count('unreachable'), rows: found.unreachable.map((row, i) => <Unreachable key={i} row={row} />) },
    { name: 'cycles', count: count('cycles'), rows: found.cycles.map((ids, i) => <Chain key={i} ids={ids} mark="→" />) },
    {
      name: 'dangling',
      count: count('dangling'),
      rows: found.dangling.map(({ course, missing }) => (
        <span key={course}>
          <NamedCourse id={course} /> {t('isMissing', { ids: missing.join(', ') })}
        </span>
      )),
    },
    { name: 'twins', count: count('twins'), rows: found.twins.map((ids, i) => <Chain key={i} ids={ids} mark="=" />) },
    {
      name: 'weak_matches',
      count: count('weak_matches'),
      rows: found.weak_matches.map((one) => (
        <span key={`${one.course} ${one.framework} ${one.skill}`}>
          <NamedCourse id={one.course} />: {localize(skillTitle(one.framework, one.skill)).words}{' '}
          <Sureness confidence={one.confidence} threshold={found.threshold} />
        </span>
      )),
      more: (
        <p class="actions">
          <a href={link('matches', { order: 'doubtful' })}>{t('toDoubtful')}</a>
        </p>
      ),
    },
  ];
  return (
    <>
      <dl class="figures">
        {figures.map(([key, n, to]) => (
          <div key={key}>
            <dt>{t(key)}</dt>
            <dd>{to ? <a href={to}>{n}</a> : n}</dd>
          </div>
        ))}
      </dl>
      {faults.filter(({ count: n }) => n > 0).map((one) => (
        <Faults key={one.name} {...one} />
      ))}
      {faults.some(({ count: n }) => n === 0) && (
        <section aria-labelledby="sound-title">
          <h2 id="sound-title">{t('soundTitle')}</h2>
          <ul>
            {faults.filter(({ count: n }) => n === 0).map(({ name }) => (
              <li key={name} data-sound={name}>
                {t(`fault.${name}`)}
              </li>
            ))}
          </ul>
        </section>
      )}
      <Counts kind="languages" title="health.languages" names={Object.entries(found.languages).map(([code, n]) => [languageName(code), n])} />
      <Counts kind="hosts" title="health.hosts" names={Object.entries(found.hosts)} />
    </>
  );
}

export default function Health(): JSX.Element {
  const found = useQuery(readHealth);
  return (
    <div class="health">
      <PageHeading title="healthTitle" why="healthWhy" />
      {found.error && <Trouble error={found.error} again={found.again} />}
      {!found.value && !found.error && <p role="status">{t('loading')}</p>}
      {found.value && <Shown found={found.value} />}
    </div>
  );
}
