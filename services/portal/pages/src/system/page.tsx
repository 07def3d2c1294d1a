/** The state of the system for operators: every replica of every service, and the latest imports. */

import './system.css';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { useQuery } from '../query';
import { Trouble } from '../errors';
import { clock, day, decimal, momentOf } from '../formats';
import { type Key, t } from '../i18n';
import { Button } from '../ui';
import { Wide } from '../wide';
import { type ImportReport, type ReplicaState, readCourseImports, readOfficerImports, readSystem, type ServiceState } from './requests';
import { type Figures, figuresOf, troublesOf, type Verdict, verdictOf, worst } from './state';

const EVERY_MS = 15_000;
const STATUS: Record<ReplicaState['status'], Key> = {
  ready: 'replica.ready',
  'not ready': 'replica.notReady',
  draining: 'replica.draining',
  away: 'replica.away',
};
const FIGURES = ['lag', 'outbox', 'dead', 'skipped'] as const satisfies readonly (keyof Figures)[];

const when = (iso: string): string => `${day(iso)} ${clock(momentOf(iso))}`;
const Moment = ({ iso }: { iso: string }): JSX.Element => <time dateTime={iso}>{when(iso)}</time>;

function Replica({ replica }: { replica: ReplicaState }): JSX.Element {
  const { number, status, version, started_at: since } = replica;
  const troubles = troublesOf(replica);
  return (
    <tr data-replica={number} data-status={status}>
      <th scope="row">{number}</th>
      <td>
        <span class={status === 'ready' ? '' : 'mark'}>{t(STATUS[status])}</span>
        {troubles.length > 0 && (
          <ul>
            {troubles.map(([name, detail]) => (
              <li key={name}>
                <code>{name}</code>: <span lang="en">{detail}</span>
              </li>
            ))}
          </ul>
        )}
      </td>
      <td>{version ?? t('notKnown')}</td>
      <td>{since ? <Moment iso={since} /> : t('notKnown')}</td>
    </tr>
  );
}

function Service({ state }: { state: ServiceState }): JSX.Element {
  const { service, replicas } = state;
  const figures = figuresOf(state);
  const verdict = verdictOf(state);
  const ready = replicas.filter(({ status }) => status === 'ready').length;
  return (
    <section class={`service ${verdict}`} aria-labelledby={`${service}-title`} data-service={service} data-verdict={verdict}>
      <h2 id={`${service}-title`}>{t(`service.${service}`)}</h2>
      <p>
        <strong>{t(`verdict.${verdict}`)}</strong> {t('readyOf', { n: ready, total: replicas.length })}
      </p>
      <dl class="figures">
        {FIGURES.map((name) => {
          const value = figures[name];
          return (
            value !== undefined && (
              <div key={name} data-figure={name}>
                <dt>{t(`figure.${name}`)}</dt>
                <dd>{decimal(value)}</dd>
              </div>
            )
          );
        })}
      </dl>
      <Wide aria-label={`${t(`service.${service}`)}: ${t('replicaState')}`}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t('replicaNumber')}</th>
              <th scope="col">{t('replicaState')}</th>
              <th scope="col">{t('replicaVersion')}</th>
              <th scope="col">{t('replicaSince')}</th>
            </tr>
          </thead>
          <tbody>
            {replicas.map((replica) => (
              <Replica key={replica.number} replica={replica} />
            ))}
          </tbody>
        </table>
      </Wide>
    </section>
  );
}

interface ImportsProps {
  name: 'courses' | 'officers';
  read: () => Promise<ImportReport[]>;
  /** When the page was last updated; they are read again then. */
  at: Date | undefined;
}

/** The latest imports of one kind. If they cannot be fetched, an error is shown, and nothing else waits. */
function Imports({ name, read, at }: ImportsProps): JSX.Element {
  const found = useQuery(read, [at]);
  const reports = found.value;
  return (
    <section class="imports" aria-labelledby={`imports-${name}-title`} data-imports={name}>
      <h2 id={`imports-${name}-title`}>{t(`imports.${name}`)}</h2>
      {found.error && <Trouble error={found.error} again={found.again} />}
      {!reports && !found.error && <p class="quiet">{t('loading')}</p>}
      {reports?.length === 0 && <p class="quiet">{t('noImports')}</p>}
      <ul class="plain">
        {reports?.map((report) => (
          <li key={report.import_id} data-import={report.import_id}>
            <Moment iso={report.updated_at} />: <strong>{t(`importState.${report.state}`)}</strong>
            <span class="quiet">
              {t('importCounts', {
                created: report.created ?? 0,
                changed: report.changed ?? 0,
                unchanged: report.unchanged ?? 0,
                refused: report.refused ?? 0,
              })}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

export default function SystemPage(): JSX.Element {
  const found = useQuery(async () => ({ state: await readSystem(), at: new Date() }));
  const { again } = found;
  useEffect(() => {
    const asking = window.setInterval(() => {
      if (!document.hidden) void again();
    }, EVERY_MS);
    return () => window.clearInterval(asking);
  }, [again]);
  const first = !found.value && !found.error; // what stands below comes afterwards, so that nothing is pushed down
  const services = found.value?.state.services;
  const verdict: Verdict | undefined = services && worst(services.map(verdictOf));
  return (
    <div class="system">
      <h1 id="page-title">{t('systemTitle')}</h1>
      <p class="sentence" role="status" data-verdict={verdict}>
        {verdict ? t(`system.${verdict}`) : !found.error && t('loading')}
      </p>
      {found.error && <Trouble error={found.error} again={again} />}
      {found.value && (
        <p class="quiet actions">
          {t('asOf', { at: clock(found.value.at) })}{' '}
          <Button name="ask-again" class="small" onClick={again}>
            {t('askAgain')}
          </Button>
        </p>
      )}
      {services?.map((state) => <Service key={state.service} state={state} />)}
      {!first && (
        <>
          <p class="actions">
            <a href="/docs" data-keep="docs">
              {t('apiDocuments')}
            </a>
          </p>
          <Imports name="courses" read={readCourseImports} at={found.value?.at} />
          <Imports name="officers" read={readOfficerImports} at={found.value?.at} />
        </>
      )}
    </div>
  );
}
