/** An agency's page: skills against requirements, who is behind, what training closes, and what it cannot. */

import '../styles/controls.css';
import '../styles/skills.css';
import './agency.css';
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { type ApiError, type Framework, readFramework } from '../api';
import { asApiError, Trouble } from '../errors';
import { type Key, t } from '../i18n';
import { focusOn, session, show, title } from '../shell';
import { Button, EntryForm, Message } from '../ui';
import { csvOf } from './report';
import { type AgencyView, type AskGaps, listAgencies, readGaps } from './requests';
import { Courses, fileNameOf, frameworkName, Groups, GroupSkills, InTime, OverTime, Skills } from './sections';

const AGENCY = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Return what the address asks for, `#view=agency&agency=NAME&framework=ID`; an analyst of one agency means that one. */
function named(): { agency: string | null; framework: string | null } {
  const params = new URLSearchParams(window.location.hash.slice(1));
  return { agency: params.get('agency') ?? session.value?.agency ?? null, framework: params.get('framework') };
}

function goTo(agency: string, framework?: string): void {
  const params = new URLSearchParams({ view: 'agency', ...(agency ? { agency } : {}), ...(framework ? { framework } : {}) });
  window.location.hash = params.toString();
}

/** Open every table, so that they are on paper too. */
function openTables(): void {
  for (const table of document.querySelectorAll<HTMLDetailsElement>('.agency details')) table.open = true;
}

function download(view: AgencyView): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob(['\ufeff', csvOf(view)], { type: 'text/csv;charset=utf-8' }));
  link.download = fileNameOf(view);
  link.click();
  URL.revokeObjectURL(link.href);
}

function Choose(): JSX.Element {
  const complaint = useSignal<Key | undefined>(undefined);
  const known = useSignal<string[]>([]);
  const trouble = useSignal<ApiError | undefined>(undefined);
  const list = async () => {
    trouble.value = undefined;
    try {
      known.value = await listAgencies();
    } catch (error) {
      trouble.value = asApiError(error);
    }
  };
  useEffect(() => {
    void list();
    // eslint-disable-next-line react-hooks/exhaustive-deps -- read when the page is opened
  }, []);
  const choose = (agency: string) => {
    if (AGENCY.test(agency)) goTo(agency);
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
      {trouble.value && <Trouble error={trouble.value} again={list} />}
      {known.value.length > 0 && (
        <nav class="agencies" aria-labelledby="agencies-title">
          <h2 id="agencies-title">{t('agency.list')}</h2>
          <ul>
            {known.value.map((id) => (
              <li key={id}>
                <a href={`#${new URLSearchParams({ view: 'agency', agency: id })}`} data-keep={`agency-${id}`} lang="en">
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

/** Which framework is shown, with a choice where the officers are under several. */
function FrameworkChoice({ view, framework }: { view: AgencyView; framework: Framework | undefined }): JSX.Element {
  const ids = Object.keys(view.frameworks);
  const title = frameworkName(view.framework, framework?.id === view.framework ? framework.title : undefined);
  if (ids.length < 2) return <p>{t('agency.under', { framework: title })}</p>;
  return (
    <div class="framework-choice">
      <label for="agency-framework">{t('framework')}</label>
      <select id="agency-framework" data-keep="agency-framework" value={view.framework} onChange={(event) => goTo(view.agency, event.currentTarget.value)}>
        {ids.map((id) => (
          <option key={id} value={id}>
            {id === view.framework ? title : id}
          </option>
        ))}
      </select>
    </div>
  );
}

function Report({ agency, framework }: { agency: string; framework: string | null }): JSX.Element {
  const view = useSignal<AgencyView | undefined>(undefined);
  const trouble = useSignal<ApiError | undefined>(undefined);
  const known = useSignal<Framework | undefined>(undefined);
  const busy = useSignal(false);
  const answered = useSignal(false);
  const turn = useRef(0);

  const read = async (more: AskGaps = {}) => {
    const mine = ++turn.current;
    busy.value = true;
    trouble.value = undefined;
    try {
      const found = await readGaps(agency, { ...(framework ? { framework } : {}), ...more });
      if (mine !== turn.current) return;
      view.value = found;
      answered.value = more.deadline !== undefined;
      if (known.value?.id !== found.framework) {
        known.value = await readFramework(found.framework).catch(() => undefined); // its id does instead
      }
    } catch (error) {
      if (mine === turn.current) trouble.value = asApiError(error);
    } finally {
      if (mine === turn.current) busy.value = false;
    }
  };
  useEffect(() => {
    view.value = undefined;
    void read();
    window.addEventListener('beforeprint', openTables);
    return () => {
      turn.current += 1; // what is still asked is of no use
      window.removeEventListener('beforeprint', openTables);
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- asked once for each agency and framework
  }, [agency, framework]);

  const found = view.value;
  const failed = trouble.value && (
    <Trouble error={trouble.value} special={{ 404: 'agency.unknown' }} again={() => read()} />
  );
  if (!found) return trouble.value ? <Message title="agency.title">{failed}<Another than={agency} /></Message> : <Message title="loading" />;
  return (
    <article class="agency" aria-labelledby="page-title">
      <h1 id="page-title">{t('agency.heading', { id: agency })}</h1>
      <Another than={agency} />
      <FrameworkChoice view={found} framework={known.value} />
      {found.officers === null ? (
        <p class="notice">{t('agency.withheldAll', { n: found.min_group })}</p>
      ) : (
        <>
          <p class="sentence">{t('agency.summary', { n: found.officers })}</p>
          <p class="notice">{t('agency.withheld', { n: found.min_group })}</p>
          <p class="actions take-along">
            <Button name="agency-csv" onClick={() => download(found)}>
              {t('agency.csv')}
            </Button>
            <Button name="agency-print" onClick={() => window.print()}>
              {t('agency.print')}
            </Button>
          </p>
          <Groups view={found} />
          <Skills view={found} />
          <GroupSkills view={found} />
          <OverTime view={found} />
          <Courses view={found} />
          {failed}
          <InTime view={found} busy={busy.value} answered={answered.value} onAsk={(deadline, weekly_hours) => read({ deadline, weekly_hours })} />
        </>
      )}
    </article>
  );
}

/** The way to another agency; none for an analyst of this one alone. */
const Another = ({ than }: { than: string }): JSX.Element | null =>
  than === session.value?.agency ? null : (
    <p>
      <a href="#view=agency" data-keep="another-agency">
        {t('agency.another')}
      </a>
    </p>
  );

/** The report of the agency that the address names, or the question which one is meant. */
export default function AgencyPage(): JSX.Element {
  const address = useSignal(named());
  useEffect(() => {
    show('page');
    if (session.value?.role === 'analyst') title.value = 'agency.title'; // others have it among other pages
    const changed = () => {
      address.value = named();
    };
    window.addEventListener('hashchange', changed);
    return () => {
      title.value = 'title';
      window.removeEventListener('hashchange', changed);
    };
  }, [address]);
  const { agency, framework } = address.value;
  return agency && AGENCY.test(agency) ? <Report agency={agency} framework={framework} /> : <Choose />;
}
