/** An agency's page: skills against requirements, who is behind, what training closes, and what it cannot. */

import './agency.css';
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { goToAddress, linkTo, params } from '../address';
import { type FrameworkSummary, listFrameworks } from '../api';
import { useQuery } from '../query';
import { Trouble } from '../errors';
import { saveFile } from '../files';
import { type Key, rich, t } from '../i18n';
import { isId } from '../ids';
import { focusOn, session, show, title, useTop } from '../shell';
import { AfterPaint, Button, EntryForm, Message } from '../ui';
import { csvOf } from './report';
import { type AgencyView, type AskGaps, listAgencies, readGaps } from './requests';
import { Courses, fileNameOf, frameworkName, Groups, GroupSkills, InTime, OverTime, Skills } from './sections';

/** The address `#view=agency&agency=NAME&framework=ID`; without a name, the only agency of an analyst of one agency. */
const addressOf = (agency?: string, framework?: string) => ({ view: 'agency', agency, framework });

/** Open every table, so that they are on paper too. */
function openTables(): void {
  for (const table of document.querySelectorAll<HTMLDetailsElement>('.agency details')) table.open = true;
}

function Choose(): JSX.Element {
  const complaint = useSignal<Key | undefined>(undefined);
  const known = useQuery(listAgencies);
  const choose = (agency: string) => {
    if (isId(agency)) goToAddress(addressOf(agency));
    else {
      complaint.value = 'agency.needed';
      focusOn('agency');
    }
  };
  return (
    <>
      <EntryForm
        name="agency"
        title="agency.choose"
        why="agency.chooseWhy"
        label="agency.code"
        hint="officerHint"
        button="agency.show"
        complaint={complaint.value}
        input={{ type: 'text', lang: 'en' }}
        onEntry={choose}
      />
      {known.error && <Trouble error={known.error} again={known.again} />}
      {known.value && known.value.length > 0 && (
        <nav class="agencies" aria-labelledby="agencies-title">
          <h2 id="agencies-title">{t('agency.list')}</h2>
          <ul>
            {known.value.map((id) => (
              <li key={id}>
                <a href={linkTo(addressOf(id))} data-keep={`agency-${id}`} lang="en">
                  {id}
                </a>
              </li>
            ))}
          </ul>
        </nav>
      )}
    </>
  );
}

/** The framework that is shown; a choice if the officers are under several. */
function FrameworkChoice({ view, known }: { view: AgencyView; known: FrameworkSummary[] }): JSX.Element {
  const ids = Object.keys(view.frameworks);
  const titleOf = (id: string) => frameworkName(id, known.find((one) => one.id === id)?.title);
  if (ids.length < 2) return <p>{t('agency.under', { framework: titleOf(view.framework) })}</p>;
  return (
    <div class="framework-choice">
      <label for="agency-framework">{t('framework')}</label>
      <select id="agency-framework" data-keep="agency-framework" value={view.framework} onChange={(event) => goToAddress(addressOf(view.agency, event.currentTarget.value))}>
        {ids.map((id) => (
          <option key={id} value={id}>
            {titleOf(id)}
          </option>
        ))}
      </select>
    </div>
  );
}

function Report({ agency, framework }: { agency: string; framework: string | null }): JSX.Element {
  const question = useSignal<Pick<AskGaps, 'deadline' | 'weekly_hours'>>({});
  const report = useQuery(() => readGaps(agency, { ...(framework ? { framework } : {}), ...question.value }), [question.value]);
  const found = report.value;
  const titles = useQuery(listFrameworks); // fetched with the report, so that no longer title moves what is shown
  const known = titles.value ?? (titles.error && []); // ids do instead
  useEffect(() => {
    window.addEventListener('beforeprint', openTables);
    return () => window.removeEventListener('beforeprint', openTables);
  }, []);
  const failed = report.error && <Trouble error={report.error} special={{ 404: 'agency.unknown' }} again={report.again} />;
  if (!found || !known) return failed ? <Message title="agency.title">{failed}<Another than={agency} /></Message> : <Message title="loading" />;
  return (
    <article class="agency" aria-labelledby="page-title">
      <h1 id="page-title">
        {rich('agency.heading', {
          id: (
            <span class="own-line" lang="en">
              {agency}
            </span>
          ),
        })}
      </h1>
      <Another than={agency} />
      <FrameworkChoice view={found} known={known} />
      {found.officers === null ? (
        <p class="notice">{t('agency.withheldAll', { n: found.min_group })}</p>
      ) : (
        <>
          <p class="sentence">{t('agency.summary', { n: found.officers })}</p>
          <p class="notice">{t('agency.withheld', { n: found.min_group })}</p>
          <p class="actions take-along">
            <Button name="agency-csv" onClick={() => saveFile(fileNameOf(found), 'text/csv', csvOf(found))}>
              {t('agency.csv')}
            </Button>
            <Button name="agency-print" onClick={() => window.print()}>
              {t('agency.print')}
            </Button>
          </p>
          <Groups view={found} />
          <AfterPaint>{() => <Skills view={found} />}</AfterPaint>
          <AfterPaint>{() => <GroupSkills view={found} />}</AfterPaint>
          <AfterPaint>{() => <OverTime view={found} />}</AfterPaint>
          <AfterPaint>{() => <Courses view={found} />}</AfterPaint>
          {failed}
          <AfterPaint>
            {() => (
              <InTime
                view={found}
                busy={report.busy}
                answered={question.value.deadline !== undefined && !report.busy && !failed}
                onAsk={(deadline, weekly_hours) => {
                  question.value = { deadline, weekly_hours };
                }}
              />
            )}
          </AfterPaint>
        </>
      )}
    </article>
  );
}

/** A link to the choice of another agency; none for an analyst of this agency alone. */
const Another = ({ than }: { than: string }): JSX.Element | null =>
  than === session.value?.agency ? null : (
    <p class="actions">
      <a href={linkTo(addressOf())} data-keep="another-agency">
        {t('agency.another')}
      </a>
    </p>
  );

/** The report of the agency that the address names; without one, a form that asks for the agency. */
export default function AgencyPage(): JSX.Element {
  useEffect(() => {
    show('page');
    if (session.value?.role !== 'analyst') return undefined; // others have it among other pages
    title.value = 'agency.title';
    return () => {
      title.value = 'title';
    };
  }, []);
  const agency = params.value.get('agency') ?? session.value?.agency ?? null;
  const framework = params.value.get('framework');
  useTop(agency ?? '');
  return isId(agency) ? <Report key={`${agency} ${framework}`} agency={agency} framework={framework} /> : <Choose />;
}
