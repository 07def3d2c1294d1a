/** Frameworks: their versions, and a draft from proposal over review and approval to publication. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { listFrameworks } from '../api';
import { useQuery } from '../query';
import { Trouble } from '../errors';
import { day } from '../formats';
import { Localized, t } from '../i18n';
import { Kept } from '../kept';
import { goTo, useTop } from '../shell';
import { Button, field, Wrong } from '../ui';
import { address, link } from './address';
import { DraftForm } from './draft_form';
import { nextStep } from './drafting';
import { Drafts } from './drafts';
import { Impact } from './impact';
import { PageHeading } from './parts';
import type { FrameworkDraft, FrameworkVersions } from './requests';

type Signature = FrameworkDraft['proposed'];

function FrameworkList(): JSX.Element {
  const found = useQuery(listFrameworks);
  return (
    <>
      <PageHeading title="frameworksTitle" why="frameworksWhy" />
      {found.error && <Trouble error={found.error} again={found.again} />}
      {!found.value && !found.error && <p role="status">{t('loading')}</p>}
      <ul class="plain results">
        {found.value?.map((one) => (
          <li key={one.id}>
            <a href={link('frameworks', { framework: one.id })}>
              <Localized text={one.title} />
            </a>
            <span class="quiet">
              {t('frameworkFacts', { version: one.version, skills: one.skills, groups: one.job_groups })}
              {one.shared && ` · ${t('sharedFramework')}`}
            </span>
          </li>
        ))}
      </ul>
      <p class="quiet" id="framework-new">
        {t('frameworkNew')}
      </p>
    </>
  );
}

const Signed = ({ what, by }: { what: 'proposed' | 'reviewed' | 'approved'; by: Signature | null | undefined }): JSX.Element | null =>
  by ? <li>{t(`signed.${what}`, { by: by.by, day: day(by.at) })}</li> : null;

function Versions({ versions }: { versions: FrameworkVersions['versions'] }): JSX.Element {
  return (
    <section aria-labelledby="versions-title">
      <h2 id="versions-title">{t('versionsTitle')}</h2>
      <ul class="plain rows">
        {versions.map((one) => (
          <li key={one.version}>
            <strong>{t('version', { n: one.version })}</strong> {t(`versionState.${one.state}`)}
            <ul>
              <Signed what="proposed" by={one.proposed} />
              <Signed what="reviewed" by={one.reviewed} />
              <Signed what="approved" by={one.approved} />
            </ul>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** What may be done with a draft: each step by its person, who gives a name. */
function Steps({ drafts, draft }: { drafts: Drafts; draft: FrameworkDraft }): JSX.Element {
  const wrong = useSignal('');
  const sure = useSignal(false);
  const next = nextStep(draft);
  const busy = drafts.busy.value;
  const sign = async (step: 'review' | 'approve' | 'comment') => {
    const by = field('signer').value.trim();
    const comment = field('signer-comment').value.trim();
    wrong.value = !by ? t('nameNeeded') : step === 'comment' && !comment ? t('commentNeeded') : '';
    if (wrong.value) field(by ? 'signer-comment' : 'signer').focus();
    else if (await drafts.sign(step, by, comment || null)) field('signer-comment').value = '';
  };
  return (
    <form noValidate onSubmit={(event: Event) => event.preventDefault()}>
      <h3>{t(`next.${next}`)}</h3>
      <div class="fields">
        <div>
          <label for="signer">{t('yourName')}</label>
          <input id="signer" autocomplete="name" maxLength={200} aria-describedby="signer-wrong" aria-invalid={wrong.value ? 'true' : undefined} />
        </div>
        <div>
          <label for="signer-comment">{t('comment')}</label>
          <input id="signer-comment" autocomplete="off" maxLength={2000} />
        </div>
      </div>
      <Wrong id="signer-wrong">{wrong.value}</Wrong>
      {drafts.error.value && <Trouble error={drafts.error.value} />}
      <div class="actions">
        {next === 'publish' ? (
          <Button name="publish" class="main" busy={busy} onClick={() => drafts.publish()}>
            {t('step.publish')}
          </Button>
        ) : (
          <Button name={next} class="main" busy={busy} onClick={() => sign(next)}>
            {t(`step.${next}`)}
          </Button>
        )}
        <Button name="comment" busy={busy} onClick={() => sign('comment')}>
          {t('step.comment')}
        </Button>
        <Button name="edit-draft" onClick={() => drafts.begin()}>
          {t('step.edit')}
        </Button>
        <Button
          name="drop"
          aria-expanded={sure.value}
          onClick={() => {
            sure.value = !sure.value;
          }}
        >
          {t('step.drop')}
        </Button>
      </div>
      {sure.value && (
        <div class="notice refused">
          <p>{t('dropWhy')}</p>
          <Button name="drop-surely" busy={busy} onClick={() => drafts.drop()}>
            {t('dropSurely')}
          </Button>
        </div>
      )}
    </form>
  );
}

function Draft({ drafts, draft }: { drafts: Drafts; draft: FrameworkDraft }): JSX.Element {
  return (
    <section aria-labelledby="draft-title" data-state={draft.state}>
      <h2 id="draft-title" tabIndex={-1}>
        {t('draftTitle')}
      </h2>
      <p role="status">
        <strong>{t(`draftState.${draft.state}`)}</strong> {t('draftBase', { n: draft.base_version })}
      </p>
      <ul>
        <Signed what="proposed" by={draft.proposed} />
        <Signed what="reviewed" by={draft.reviewed} />
        <Signed what="approved" by={draft.approved} />
      </ul>
      {draft.comments.length > 0 && (
        <>
          <h3>{t('comments')}</h3>
          <ul>
            {draft.comments.map((one) => (
              <li key={`${one.at} ${one.by}`}>
                <strong>{one.by}</strong> ({day(one.at)}): {one.comment}
              </li>
            ))}
          </ul>
        </>
      )}
      {drafts.impact.value && <Impact impact={drafts.impact.value} draft={draft.framework} published={drafts.published.value} />}
      <Steps drafts={drafts} draft={draft} />
    </section>
  );
}

/** What somebody has changed and not proposed, by framework. */
const kept = new Kept((id) => new Drafts(id));
kept.warnOf((drafts) => drafts.isUnproposed);

function OneFramework({ id }: { id: string }): JSX.Element {
  const drafts = useMemo(() => kept.get(id), [id]);
  useEffect(() => {
    void drafts.load();
  }, [drafts]);
  const draft = drafts.draft.value;
  const published = drafts.published.value;
  const isForm = drafts.working.value !== undefined && published !== undefined;
  const error = isForm || draft ? undefined : drafts.error.value; // a form shows it beside its buttons
  const wasForm = useRef(isForm);
  useLayoutEffect(() => {
    if (wasForm.current !== isForm) goTo(isForm ? 'draft-form-title' : draft ? 'draft-title' : 'main');
    wasForm.current = isForm;
    // eslint-disable-next-line react-hooks/exhaustive-deps -- where the form opens and closes only
  }, [isForm]);
  return (
    <div class="framework">
      <p class="actions">
        <a href={link('frameworks')}>{t('toFrameworks')}</a>
      </p>
      {published ? <Localized as="h1" text={published.title} /> : <h1>{t('frameworksTitle')}</h1>}
      {error && <Trouble error={error} again={drafts.read.value ? undefined : () => drafts.load()} />}
      {!drafts.read.value && !error && <p role="status">{t('loading')}</p>}
      {drafts.working.value && published && <DraftForm drafts={drafts} working={drafts.working.value} published={published} />}
      {!drafts.working.value && draft && <Draft drafts={drafts} draft={draft} />}
      {!drafts.working.value && !draft && drafts.read.value && (
        <p>
          <Button name="new-draft" class="main" onClick={() => drafts.begin()}>
            {t('newDraft')}
          </Button>
        </p>
      )}
      {drafts.versions.value && <Versions versions={drafts.versions.value} />}
    </div>
  );
}

export default function Frameworks(): JSX.Element {
  const id = address.value.params.get('framework');
  useTop(id ?? '');
  return id ? <OneFramework key={id} id={id} /> : <FrameworkList />;
}
