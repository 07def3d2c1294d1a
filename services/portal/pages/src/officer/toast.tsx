/** The toast: the result of the last feedback, at the bottom of the screen, with undo and close. */

import type { ComponentChildren, JSX } from 'preact';
import { useLayoutEffect } from 'preact/hooks';
import { Refusal } from '../errors';
import { Localized, t } from '../i18n';
import { focusOn } from '../shell';
import { Button } from '../ui';
import type { LastFeedback, Visit } from './visit';

function Words({ last, arrived }: { last: LastFeedback; arrived: boolean }): JSX.Element {
  const { course, action, saving, error, taken } = last;
  const title = <Localized text={course.title} />;
  if (saving) {
    return (
      <>
        {t('saving')} {title}
      </>
    );
  }
  if (error) {
    // The only refusal that is about which course it is: no further one can be stored.
    const contradiction = error.field === 'course' ? 'statementsFull' : 'notTaken';
    return (
      <>
        <strong>{t('notSaved')}</strong> {title} ·{' '}
        {error.status === 409 ? t(action === 'undo' ? 'nothingToUndo' : contradiction) : <Refusal error={error} special={{ 404: 'noPathYet' }} />}
      </>
    );
  }
  return (
    <>
      <strong>{t(`noted.${action}`)}</strong> {title} · {t(taken?.stale ? 'replanLater' : arrived ? 'replanned' : 'replanning')}
    </>
  );
}

/** Keeps the focus on the page while the toast is shown: on the toast, if the focused element is gone. */
function useKeptFocus(shown: boolean): void {
  useLayoutEffect(() => {
    if (!shown) return undefined; // before the next event: a path may arrive before the toast is painted
    let held = document.activeElement;
    const note = () => {
      held = document.activeElement;
    };
    const changes = new MutationObserver(() => {
      if (held && !held.isConnected && document.activeElement === document.body) focusOn('toast-close');
    });
    document.addEventListener('focusin', note);
    changes.observe(document.body, { childList: true, subtree: true });
    return () => {
      document.removeEventListener('focusin', note);
      changes.disconnect();
    };
  }, [shown]);
}

/** The toast of the last feedback; the path may arrive before the answer that names its revision. */
export function Toast({ visit }: { visit: Visit }): JSX.Element {
  const { value: last } = visit.lastFeedback;
  const { revision } = visit.recommended.value ?? { revision: 0 };
  const taken = last?.taken;
  const arrived = taken !== undefined && !taken.stale && revision >= taken.revision;
  useKeptFocus(last !== undefined);
  const close = () => {
    visit.lastFeedback.value = undefined;
  };
  const button = (name: string, words: ComponentChildren, onClick: () => unknown, busy = false) => (
    <Button name={name} id={name} busy={busy} onClick={onClick}>
      {words}
    </Button>
  );
  return (
    <div class="toast" id="toast" hidden={!last}>
      <p id="toast-text" role="status">
        {last && <Words last={last} arrived={arrived} />}
      </p>
      <p class="actions">
        {last &&
          taken &&
          last.action !== 'undo' &&
          button('toast-undo', t('undo'), () => visit.giveFeedback(last.course, 'undo'), visit.isBusy('feedback'))}
        {arrived &&
          visit.change.value &&
          button('toast-change', t('seeChange'), () => {
            close();
            focusOn('dismiss');
            document.getElementById('change')?.scrollIntoView();
          })}
        {last &&
          button('toast-close', t('close'), () => {
            const card = document.querySelector<HTMLElement>(`[data-course="${CSS.escape(last.course.id)}"] button`);
            close();
            (card ?? document.getElementById('main'))?.focus({ preventScroll: true });
          })}
      </p>
    </div>
  );
}
